"""The words of the pages: what a status, a reason, a deadline and an event are called. English."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from infra.documents.formatting import money, number, units

Data = Mapping[str, Any]

STATUS: Final[Mapping[str, tuple[str, str]]] = {
    "cancel_requested": ("Cancellation asked", "waiting"),
    "unpaid": ("Not paid yet", "quiet"),
    "open": ("To ship", "plain"),
    "partly_canceled": ("Partly cancelled", "plain"),
    "partly_shipped": ("Partly shipped", "plain"),
    "shipped": ("Shipped", "done"),
    "delivered": ("Delivered", "done"),
    "canceled": ("Cancelled", "refused"),
}
"""Status → its word and its signal (which also gives it its shape), in the order in which a seller looks at them."""

ATTENTION: Final[Mapping[str, str]] = {
    "shipped_after_cancel": "cancelled but shipped",
    "case_open": "case open",
    "dispute_open": "dispute open",
    "return_open": "return open",
    "late": "late",
    "refund_failed": "refund failed",
    "stuck": "stuck",
}

REASON: Final[Mapping[str, str]] = {
    "ordered_by_mistake": "ordered by mistake",
    "changed_mind": "changed my mind",
    "found_cheaper": "found it cheaper",
    "price_too_high": "the price is too high",
    "wrong_address": "wrong address",
    "wrong_shipping_method": "wrong shipping method",
    "wrong_payment_method": "wrong payment method",
    "arrives_too_late": "arrives too late",
    "duplicate_order": "ordered twice",
    "out_of_stock": "out of stock",
    "cannot_ship_there": "cannot ship there",
    "pricing_error": "pricing error",
    "suspected_fraud": "suspected fraud",
    "unpaid": "not paid",
    "buyer_asked": "the buyer asked",
    "shipped_too_late": "shipped too late",
    "exchange": "exchange",
    "other": "another reason",
    "not_as_described": "not as described",
    "missing_item": "item missing",
    "not_authentic": "not authentic",
    "wrong_item": "wrong item",
    "does_not_fit": "does not fit",
}

CAUSE: Final[Mapping[str, str]] = {
    "request": "by request",
    "seller": "by the seller",
    "support": "by support",
    "late_ship": "not shipped in time",
    "unpaid": "not paid in time",
    "dispute": "by a dispute",
    "declined": "declined",
    "silence": "no answer in time",
    "shipped": "it shipped",
    "canceled": "it was cancelled",
}

DEADLINE: Final[Mapping[str, str]] = {
    "acknowledge": "the customer's acknowledgment",
    "alternatives": "the buyer's answer to the offers",
    "appeal": "an appeal",
    "case": "the decision of the case",
    "confirmation": "the confirmation's delivery",
    "decide": "the answer to the request",
    "evidence": "evidence",
    "late-ship": "shipping, else it cancels itself",
    "reminder": "a reminder",
    "return": "the return's receipt",
    "unpaid": "payment, else it cancels itself",
}

ACTION: Final[Mapping[str, str]] = {
    "cancel": "Cancel",
    "ship": "Ship",
    "return": "Return",
    "open_case": "Open a case",
    "open_dispute": "Open a dispute",
}

OFFER: Final[Mapping[str, str]] = {
    "wait": "a later date",
    "address": "another address",
    "exchange": "an exchange",
    "credit": "a credit",
}

QUESTION: Final[Mapping[str, str]] = {
    "cancel": "May the buyer cancel it?",
    "ship": "May the seller ship it?",
    "return": "May it be returned?",
    "open_case": "May a case be opened?",
    "open_dispute": "May a dispute be opened?",
}

ANSWER: Final[Mapping[str, tuple[str, str]]] = {
    "granted": ("Yes", "done"),
    "offer_alternatives": ("Offers first", "waiting"),
    "ask_seller": ("The seller is asked", "waiting"),
    "refused": ("No", "refused"),
}

REQUEST: Final[Mapping[str, tuple[str, str]]] = {
    "open": ("Open", "waiting"),
    "approved": ("Approved", "done"),
    "partly": ("Partly granted", "done"),
    "shipped": ("Overtaken by shipment", "refused"),
    "declined": ("Declined", "refused"),
    "withdrawn": ("Withdrawn", "quiet"),
    "refused": ("Refused", "refused"),
}

SHIPMENT: Final[Mapping[str, tuple[str, str]]] = {
    "announced": ("Announced", "waiting"),
    "tracking": ("On its way", "plain"),
    "delivered": ("Delivered", "done"),
    "void": ("Void", "quiet"),
}

REFUND: Final[Mapping[str, tuple[str, str]]] = {
    "due": ("Due", "waiting"),
    "confirmed": ("Given back", "done"),
    "failed": ("Failed, still due", "attention"),
}

PERSON: Final[Mapping[str, str]] = {
    "buyer": "buyer",
    "seller": "seller",
    "support": "support",
    "system": "system",
}


def listed(parts: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def offers(kinds: Sequence[str]) -> str:
    """ "a later date, an exchange or a credit"."""
    said = [OFFER.get(kind, kind) for kind in kinds]
    return " or ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said)


def quantities(lines: Sequence[Data]) -> str:
    """ "2 of line 1 and line 3"; a line without a quantity was named as a whole, and refused."""
    parts = (f"{number(each['quantity'])} of " * bool(each["quantity"]) + f"line {each['line']}" for each in lines)
    return listed([*parts]) or "nothing"


def _of(lines: Sequence[Data]) -> str:
    return f": {quantities(lines)}" if lines else ""


def reason(name: str | None) -> str:
    return "no reason given" if name is None else REASON.get(name, name)


def _parcel(data: Data) -> str:
    named = " ".join(part for part in (data["carrier"], data["tracking_number"]) if part)
    return f" with {named}" if named else ""


def _by(cause: str) -> str:
    """Why a request counts as approved, where nobody said so."""
    return {"silence": ": no answer came in time", "canceled": ": all it asked for is cancelled"}.get(cause, "")


def _canceled(data: Data, currency: str) -> str:
    causes = listed(list(dict.fromkeys(CAUSE.get(part["cause"], part["cause"]) for part in data["lines"])))
    return f"Cancelled {quantities(data['lines'])}, {causes}."


EVENT_SENTENCES: Final[Mapping[str, Callable[[Data, str], str]]] = {
    "OrderPlaced": lambda d, c: (
        f"Order placed: {units(sum(line['quantity'] for line in d['lines']))} in "
        f"{number(len(d['lines']))} {'line' if len(d['lines']) == 1 else 'lines'}, {money(d['total'], c)}."
    ),
    "PaymentReceived": lambda d, c: f"Paid {money(d['amount'], c)}.",
    "OtherRefundRecorded": lambda d, c: f"{money(d['amount'], c)} given back outside a cancellation.",
    "MessageSent": lambda d, c: f"Message {d['message_id']} to {d['to']}.",
    "ContactRecorded": lambda d, c: f"Contact by {d['channel']}.",
    "CancelRequested": lambda d, c: (
        f"The {d['by']} asks to cancel {quantities(d['lines']) if d['lines'] else 'the order'}: {reason(d['reason'])}."
    ),
    "AlternativeOffered": lambda d, c: f"Offered instead: {offers(d['offers'])}.",
    "AlternativeTaken": lambda d, c: f"The buyer took the offer: {OFFER.get(d['kind'], d['kind'])}.",
    "AlternativesDeclined": lambda d, c: f"The offers were not taken: {CAUSE.get(d['cause'], d['cause'])}.",
    "CancelRefused": lambda d, c: f"Request {d['request_id']} refused.",
    "CancelApproved": lambda d, c: f"Request {d['request_id']} approved{_by(d['cause'])}.",
    "CancelDeclined": lambda d, c: f"Request {d['request_id']} ended: {CAUSE.get(d['cause'], d['cause'])}.",
    "CancelWithdrawn": lambda d, c: f"Request {d['request_id']} withdrawn.",
    "LinesCanceled": _canceled,
    "AutoCanceled": lambda d, c: (
        f"Cancelled {number(d['quantity'])} of line {d['line']} by itself: the notice {d['shipment_id']} shipped only "
        "part of it. This quantity is never opened again."
    ),
    "FulfilmentStarted": lambda d, c: f"Fulfilment began ({d['stage']}): {quantities(d['lines'])}.",
    "TrackingStarted": lambda d, c: f"The carrier tracks {quantities(d['lines'])}{_parcel(d)}.",
    "TrackingMoved": lambda d, c: f"The carrier saw the parcel again{_parcel(d)}.",
    "LineShipped": lambda d, c: (
        f"Shipped {number(d['quantity'])} of line {d['line']}, notice {d['shipment_id']}{_parcel(d)}."
    ),
    "LinePartiallyShipped": lambda d, c: (
        f"Shipped {number(d['quantity'])} of line {d['line']}, not all of it, notice {d['shipment_id']}{_parcel(d)}."
    ),
    "ShipmentRefused": lambda d, c: f"Shipping notice {d['shipment_id']} refused{_of(d['lines'])}.",
    "ShipmentVoided": lambda d, c: f"Notice {d['shipment_id']} was a mistake: {quantities(d['lines'])} open again.",
    "ShipByRevised": lambda d, c: "A new ship-by is proposed." if d["proposed"] else "The ship-by has changed.",
    "Delivered": lambda d, c: (
        f"Return {d['return_id']} reached the seller." if d["return_id"] else f"Delivered: {quantities(d['lines'])}."
    ),
    "RefundDue": lambda d, c: f"Refund {d['refund_id']} of {money(d['amount'], c)} is due.",
    "RefundConfirmed": lambda d, c: f"Refund {d['refund_id']} was given back.",
    "RefundFailed": lambda d, c: f"Refund {d['refund_id']} failed; it stays due.",
    "ShippedAfterCancelFound": lambda d, c: f"Cancelled but shipped: {quantities(d['lines'])}{_parcel(d)}.",
    "CustomerNotified": lambda d, c: "The customer was told that it shipped although cancelled.",
    "CustomerAcknowledged": lambda d, c: "The customer accepts the item and the re-billing.",
    "CustomerDeclined": lambda d, c: "The customer does not accept both the item and the re-billing.",
    "RebillAccepted": lambda d, c: f"May be billed again: {quantities(d['lines'])}.",
    "RebillDue": lambda d, c: f"Rebilling {d['rebill_id']} of {money(d['amount'], c)} is due.",
    "Rebilled": lambda d, c: f"Rebilling {d['rebill_id']} was paid.",
    "RebillFailed": lambda d, c: f"Rebilling {d['rebill_id']} failed; it stays due.",
    "CreditMemoIssued": lambda d, c: f"Credit memo {d['memo_id']} of {money(d['amount'], c)}.",
    "CommandRefused": lambda d, c: f"{d['command']} refused.",
    "CaseOpened": lambda d, c: f"Case {d['case_id']}: {reason(d['reason'])}, {quantities(d['lines'])}.",
    "EvidenceAdded": lambda d, c: f"Evidence {d['evidence_id']} ({d['kind']}) from the {d['side']}.",
    "EvidenceRequested": lambda d, c: f"More evidence asked for: {listed(d['kinds'])}.",
    "ReturnOpened": lambda d, c: (
        f"Return {d['return_id']} opened: {quantities(d['lines'])}; {d['postage']} pays postage."
    ),
    "ReturnAccepted": lambda d, c: f"Return {d['return_id']} accepted.",
    "CaseDecided": lambda d, c: f"Case {d['case_id']} decided: {d['outcome']}.",
    "ReturnStarted": lambda d, c: f"Return {d['return_id']} is on its way back.",
    "ReturnReceived": lambda d, c: f"Return {d['return_id']} is back.",
    "DisputeOpened": lambda d, c: f"Dispute {d['dispute_id']} about {d['about']}.",
    "DisputeEscalated": lambda d, c: f"Dispute {d['dispute_id']} went to support, ticket {d['ticket']}.",
    "DisputeDecided": lambda d, c: f"Dispute {d['dispute_id']} decided: {d['outcome']}.",
    "DisputeDismissed": lambda d, c: f"Dispute {d['dispute_id']} dismissed.",
    "DisputeAppealed": lambda d, c: f"Dispute {d['dispute_id']} appealed.",
    "DeadlineReached": lambda d, c: f"Time ran out for {DEADLINE.get(d['kind'], d['kind'])}.",
    "ConfirmationDelivered": lambda d, c: f"Notice {d['notice_id']} was delivered.",
    "NoticeFailed": lambda d, c: f"Notice {d['notice_id']} could not be delivered.",
    "SubjectErased": lambda d, c: "Personal data erased.",
    "LegalHoldPlaced": lambda d, c: "Legal hold placed.",
    "LegalHoldReleased": lambda d, c: "Legal hold released.",
}
"""Event → its sentence, from its data (``schemas.codec.event_data``) and the order's currency."""


def told(event: str, data: Data, currency: str) -> str:
    """What happened, in a sentence; an event that a newer release wrote is told by its name."""
    sentence = EVENT_SENTENCES.get(event)
    return event if sentence is None else sentence(data, currency)
