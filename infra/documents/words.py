"""English words of the pages and the command line: for statuses, reasons, deadlines and events."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from infra.documents.claims import OrderWriter
from infra.documents.formatting import number, units
from infra.documents.packs import LANGUAGES, pack

Data = Mapping[str, Any]

STATUS: Final[Mapping[str, tuple[str, str]]] = {
    "cancel_requested": ("Cancellation requested", "waiting"),
    "unpaid": ("Not paid yet", "quiet"),
    "open": ("To ship", "plain"),
    "partly_canceled": ("Partly canceled", "plain"),
    "partly_shipped": ("Partly shipped", "plain"),
    "shipped": ("Shipped", "done"),
    "delivered": ("Delivered", "done"),
    "undelivered": ("Lost on its way", "refused"),
    "canceled": ("Canceled", "refused"),
}
"""Status → its word and its signal (which also gives it its icon), in the order in which a seller looks at them."""

ATTENTION: Final[Mapping[str, str]] = {
    "shipped_after_cancel": "canceled but shipped",
    "case_open": "case open",
    "dispute_open": "dispute open",
    "return_open": "return open",
    "late": "shipping overdue",
    "refund_failed": "refund failed",
    "chargeback_open": "chargeback open",
    "paid_twice": "paid back twice",
    "stuck": "needs an update of this server",
}

REASON: Final[Mapping[str, str]] = {
    "ordered_by_mistake": "ordered by mistake",
    "changed_mind": "changed their mind",
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
    "support": "by the marketplace",
    "system": "by the marketplace",
    "late_ship": "because it was not shipped in time",
    "unpaid": "because it was not paid in time",
    "dispute": "by a dispute",
    "declined": "declined",
    "silence": "no answer in time",
    "shipped": "it had shipped",
    "canceled": "it was canceled",
}

DEADLINE: Final[Mapping[str, str]] = {
    "acknowledge": "The customer's answer about the shipped items",
    "alternatives": "The buyer's answer to the offers",
    "appeal": "Appeal against the decision",
    "case": "Decision of the case",
    "confirmation": "Delivery of the confirmation",
    "decide": "Answer to the cancellation request",
    "evidence": "Evidence",
    "late-ship": "Shipping, or the rest is canceled",
    "reminder": "Reminder",
    "return": "Arrival of the return",
    "return-ship": "Sending the return",
    "unpaid": "Payment, or the order is canceled",
}

PASSED: Final[Mapping[str, str]] = {
    "acknowledge": "The customer did not answer in time.",
    "alternatives": "The buyer did not answer the offers in time.",
    "appeal": "The time to appeal is over.",
    "case": "The case was not decided in time.",
    "confirmation": "The confirmation's delivery was not confirmed in time.",
    "decide": "The cancellation request was not answered in time.",
    "evidence": "The time for evidence is over.",
    "late-ship": "The shipping deadline passed, so the unshipped items were canceled automatically.",
    "reminder": "A reminder was due.",
    "return": "Nobody confirmed the return in time, so it counts as received.",
    "return-ship": "The return was not sent in time, so it lapsed. Its items can be returned again.",
    "unpaid": "The order was not paid in time, so its open items were canceled automatically.",
}
"""Deadline kind → what happened when it passed."""

WITHOUT_ANSWER: Final[Mapping[str, str]] = {
    "stays": "Without an answer the request stays open.",
    "cancels": "Without an answer in time the request is granted.",
    "closes": "Without an answer in time the request is closed, and nothing is canceled.",
    "cancels-if-unpaid": "Without an answer in time the request is granted if the order is still unpaid.",
}
"""Effect of silence in a policy → what happens to a request that nobody answers."""
NO_CHOICE: Final = "Without a choice in time the request continues."

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
    "cancel": "Can the buyer cancel it?",
    "ship": "Can the seller ship it?",
    "return": "Can it be returned?",
    "open_case": "Can a case be opened?",
    "open_dispute": "Can a dispute be opened?",
}

ANSWER: Final[Mapping[str, tuple[str, str]]] = {
    "granted": ("Yes", "done"),
    "offer_alternatives": ("An alternative is offered first", "waiting"),
    "ask_seller": ("The seller decides", "waiting"),
    "refused": ("No", "refused"),
}

REQUEST: Final[Mapping[str, tuple[str, str]]] = {
    "open": ("Open", "waiting"),
    "approved": ("Approved", "done"),
    "partly": ("Partly granted", "done"),
    "shipped": ("Shipped first", "refused"),
    "declined": ("Declined", "refused"),
    "withdrawn": ("Withdrawn", "quiet"),
    "refused": ("Refused", "refused"),
}

SHIPMENT: Final[Mapping[str, tuple[str, str]]] = {
    "announced": ("Announced", "waiting"),
    "tracking": ("On its way", "plain"),
    "delivered": ("Delivered", "done"),
    "void": ("Withdrawn", "quiet"),
    "lost": ("Lost", "refused"),
    "damaged": ("Damaged on its way", "refused"),
    "returning": ("Coming back", "waiting"),
}

REFUND: Final[Mapping[str, tuple[str, str]]] = {
    "due": ("Due", "waiting"),
    "confirmed": ("Refunded", "done"),
    "failed": ("Failed, still due", "attention"),
    "waiting": ("Waits for a chargeback", "waiting"),
    "settled_elsewhere": ("Refunded separately", "done"),
    "withdrawn": ("Withdrawn", "quiet"),
}

RETURN: Final[Mapping[str, tuple[str, str]]] = {
    "open": ("To be sent", "waiting"),
    "part": ("Received in part", "waiting"),
    "started": ("On its way", "plain"),
    "received": ("Received", "done"),
    "withdrawn": ("Withdrawn", "quiet"),
    "lapsed": ("Not sent in time", "quiet"),
    "closed": ("Closed", "done"),
}
"""Status of a return → its word and its signal. ``part``: it is open, and some of it came back."""

METHOD: Final[Mapping[str, str]] = {
    "card": "card",
    "bank": "bank transfer",
    "wallet": "wallet",
    "gift_card": "gift card",
    "store_credit": "store credit",
    "cash": "cash",
    "other": "other",
}

REFUND_CAUSE: Final[Mapping[str, str]] = {
    "request": "canceled by request",
    "seller": "canceled by the seller",
    "support": "canceled by the marketplace",
    "system": "canceled by the marketplace",
    "fill_or_kill": "the rest was canceled",
    "late_ship": "not shipped in time",
    "unpaid": "not paid in time",
    "dispute": "canceled by a dispute",
    "return": "returned",
    "undelivered": "lost or damaged on its way",
    "overpaid": "paid too much",
    "rebill": "the new bill was taken back",
}
"""Cause of a refund → its words."""

NOTIFICATION: Final[Mapping[str, str]] = {
    "placed": "order placed",
    "asked": "cancellation requested",
    "offered": "alternative offered",
    "offer-taken": "offer accepted",
    "offers-declined": "offers declined",
    "refused": "request refused",
    "approved": "request granted",
    "declined": "request declined",
    "withdrawn": "request withdrawn",
    "canceled": "canceled",
    "canceled-as-asked": "canceled by the seller",
    "auto-canceled": "rest canceled",
    "tracking": "handed to the carrier",
    "shipped": "shipped",
    "shipment-voided": "not shipped after all",
    "ship-by-proposed": "later shipping date proposed",
    "ship-by-revised": "shipping date changed",
    "delivered": "delivered",
    "undelivered": "lost or damaged on its way",
    "coming-back": "on its way back to the seller",
    "refund-due": "refund due",
    "refund-confirmed": "refund paid",
    "refund-failed": "refund failed",
    "refund-withdrawn": "refund withdrawn",
    "found-shipped": "canceled but shipped",
    "shipped-although-canceled": "canceled but shipped",
    "acknowledged": "customer accepts the items",
    "not-acknowledged": "customer does not accept",
    "rebill-due": "new bill due",
    "rebilled": "new bill paid",
    "rebill-failed": "new bill failed",
    "memo": "credit memo",
    "case-opened": "case opened",
    "evidence-added": "evidence added",
    "evidence-requested": "evidence requested",
    "case-decided": "case decided",
    "return-opened": "return opened",
    "return-accepted": "return accepted",
    "return-started": "return on its way",
    "return-received": "return received",
    "return-withdrawn": "return withdrawn",
    "return-lapsed": "return not sent in time",
    "return-refunded": "return closed with its refund",
    "return-closed": "return closed without a refund",
    "dispute-opened": "dispute opened",
    "dispute-escalated": "dispute with support",
    "dispute-decided": "dispute decided",
    "dispute-dismissed": "dispute dismissed",
    "dispute-appealed": "decision appealed",
    "decide-passed": "deadline to answer passed",
    "alternatives-passed": "offer expired",
    "acknowledge-passed": "customer did not answer",
    "case-overdue": "decision overdue",
    "evidence-passed": "deadline for evidence passed",
    "appeal-passed": "decision final",
    "message": "new message",
    "reminder": "reminder",
}
"""Notification template → what the notification is about."""

PERSON: Final[Mapping[str, str]] = {
    "buyer": "buyer",
    "seller": "seller",
    "support": "support",
    "system": "system",
}


def listed(parts: Sequence[str]) -> str:
    """Join as "a", "a and b" or "a, b and c"."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def offers(kinds: Sequence[str]) -> str:
    """Join kinds of offers as "a later date, an exchange or a credit"."""
    texts = [OFFER.get(kind, kind) for kind in kinds]
    return " or ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def reason(name: str | None) -> str:
    """The words of a reason code."""
    return "no reason given" if name is None else REASON.get(name, name)


def _items(parts: Sequence[Data], order: OrderWriter) -> str:
    """Name the units of an event's lines by their items."""
    quantities: Counter[int] = Counter()
    for part in parts:
        quantities[part["line"]] += part["quantity"]
    return order.items(quantities)


def _parcel(data: Data) -> str:
    named = " ".join(part for part in (data["carrier"], data["tracking_number"]) if part)
    return f" with {named}" if named else ""


def _approved_because(cause: str) -> str:
    """Why a request counts as approved without an answer."""
    return {
        "silence": " because it was not answered in time",
        "canceled": " because nothing of it is left to cancel",
    }.get(cause, "")


def _canceled(data: Data, order: OrderWriter) -> str:
    causes = listed(list(dict.fromkeys(CAUSE.get(part["cause"], part["cause"]) for part in data["lines"])))
    given = [
        part["reason"] for part in data["lines"] if part["reason"] and part["cause"] not in ("late_ship", "unpaid")
    ]
    reasons = listed(list(dict.fromkeys(map(reason, given))))
    return f"Canceled {_items(data['lines'], order)} {causes}{f': {reasons}' if reasons else ''}."


def _declined(data: Data, order: OrderWriter) -> str:
    name = data["request_id"]
    return {
        "silence": f"Request {name} closed because it was not answered in time.",
        "shipped": f"Request {name} came too late: the items had shipped.",
        "canceled": f"Request {name} closed because its items were canceled.",
    }.get(data["cause"], f"Request {name} declined.")


UNDELIVERED: Final[Mapping[str, str]] = {
    "lost": "lost",
    "damaged_in_transit": "damaged on the way",
    "returned_to_sender": "on the way back to the sender",
    "refused": "on the way back because the buyer refused it",
}
"""Outcome of a parcel that was not delivered → its words."""


def covered(covers: Sequence[Data], order: OrderWriter) -> str:
    """Say what an other refund was for: "8.00 USD for “Desk lamp” and 2.00 USD for shipping"."""
    return listed([f"{order.money(each['amount'])} for {_target(each, order)}" for each in covers])


def _target(cover: Data, order: OrderWriter) -> str:
    match cover["kind"]:
        case "line":
            return order.item(cover["line"], 0)
        case "fee":
            return f"fee {cover['fee_id']}"
        case _:
            return "shipping"


def _refund_part(data: Data) -> str:
    """Name a refund, or its part of one payment."""
    of_payment = f" to payment {data['payment_id']}" if data["payment_id"] is not None else ""
    return f"Refund {data['refund_id']}{of_payment}"


def _refund_due(data: Data, order: OrderWriter) -> str:
    waiting = sum(part["amount"] for part in data["parts"] if part["waiting"])
    waits = ""
    if waiting:
        waits = f" {'It' if waiting == data['amount'] else order.money(waiting)} waits for the end of a chargeback."
    return f"Refund {data['refund_id']} of {order.money(data['amount'])} is due.{waits}"


def _received(data: Data, order: OrderWriter) -> str:
    name = data["return_id"]
    if data["cause"] != "received":
        return f"Return {name} is closed because nobody confirmed it in time."
    return (
        f"Received of return {name}: {_items(data['lines'], order)}." if data["lines"] else f"Return {name} received."
    )


def _shipped(data: Data, order: OrderWriter) -> str:
    return f"Shipped {order.item(data['line'], data['quantity'])}{_parcel(data)} (notice {data['shipment_id']})."


EVENT_SENTENCES: Final[Mapping[str, Callable[[Data, OrderWriter], str]]] = {
    "OrderPlaced": lambda d, o: (
        f"Order placed: {units(sum(line['quantity'] for line in d['lines']))} of "
        f"{number(len(d['lines']))} {'item' if len(d['lines']) == 1 else 'items'}, {o.money(d['total'])}."
    ),
    "PaymentReceived": lambda d, o: (
        f"The buyer {'authorized' if d['state'] == 'authorized' else 'paid'} {o.money(d['amount'])}."
    ),
    "PaymentCaptured": lambda d, o: f"{o.money(d['amount'])} of payment {d['payment_id']} were captured.",
    "PaymentReleased": lambda d, o: f"The authorization of {o.money(d['amount'])} of payment {d['payment_id']} lapsed.",
    "OtherRefundRecorded": lambda d, o: (
        f"{o.money(d['amount'])} was refunded separately{': ' + covered(d['covers'], o) if d['covers'] else ''}."
    ),
    "MessageSent": lambda d, o: f"Message {d['message_id']} sent to {d['to']}.",
    "ContactRecorded": lambda d, o: f"Contact recorded: {d['channel']}.",
    "CancelRequested": lambda d, o: (
        f"The {d['by']} asks to cancel {_items(d['lines'], o) if d['lines'] else 'the order'}: {reason(d['reason'])}."
    ),
    "AlternativeOffered": lambda d, o: f"The store offers {offers(d['offers'])} instead.",
    "AlternativeTaken": lambda d, o: f"The buyer accepted an offer: {OFFER.get(d['kind'], d['kind'])}.",
    "AlternativesDeclined": lambda d, o: (
        "The buyer did not answer the offers in time." if d["cause"] == "silence" else "The buyer declined the offers."
    ),
    "CancelRefused": lambda d, o: f"Request {d['request_id']} refused.",
    "CancelApproved": lambda d, o: f"Request {d['request_id']} approved{_approved_because(d['cause'])}.",
    "CancelDeclined": _declined,
    "CancelWithdrawn": lambda d, o: f"Request {d['request_id']} withdrawn.",
    "LinesCanceled": _canceled,
    "AutoCanceled": lambda d, o: (
        f"Canceled {o.item(d['line'], d['quantity'])} automatically because notice {d['shipment_id']} shipped only a "
        "part of the line (fill or kill). These units cannot be reopened."
    ),
    "FulfilmentStarted": lambda d, o: f"Fulfillment started ({d['stage']}): {_items(d['lines'], o)}.",
    "TrackingStarted": lambda d, o: f"The carrier tracks {_items(d['lines'], o)}{_parcel(d)}.",
    "TrackingMoved": lambda d, o: f"The carrier scanned the parcel again{_parcel(d)}.",
    "LineShipped": _shipped,
    "LinePartiallyShipped": _shipped,
    "ShipmentRefused": lambda d, o: (
        f"Shipping notice {d['shipment_id']} refused{': ' + _items(d['lines'], o) if d['lines'] else ''}."
    ),
    "ShipmentVoided": lambda d, o: (
        f"Shipping notice {d['shipment_id']} was a mistake. Not shipped after all: {_items(d['lines'], o)}."
    ),
    "ShipByRevised": lambda d, o: (
        "The seller proposes a new shipping date." if d["proposed"] else "The shipping date changed."
    ),
    "Delivered": lambda d, o: (
        f"Return {d['return_id']} reached the seller." if d["return_id"] else f"Delivered: {_items(d['lines'], o)}."
    ),
    "ParcelUndelivered": lambda d, o: (
        f"Not delivered: {_items(d['lines'], o)} of shipment {d['shipment_id']}, "
        f"{UNDELIVERED.get(d['outcome'], d['outcome'])}."
    ),
    "RefundDue": _refund_due,
    "RefundConfirmed": lambda d, o: f"{_refund_part(d)} was paid to the buyer.",
    "RefundFailed": lambda d, o: f"{_refund_part(d)} failed. It is still due.",
    "OtherRefundSettled": lambda d, o: (
        f"{o.money(d['amount'])} of refund {d['refund_id']} was refunded separately and is no longer due."
    ),
    "RefundWithdrawn": lambda d, o: f"Refund {d['refund_id']} was withdrawn because it is not owed.",
    "ChargebackOpened": lambda d, o: (
        f"The buyer's bank demands {o.money(d['amount'])} of payment {d['payment_id']} back (chargeback)."
    ),
    "ChargebackClosed": lambda d, o: (
        f"The chargeback of payment {d['payment_id']} was won."
        if d["outcome"] == "won"
        else f"The chargeback of payment {d['payment_id']} was lost. The bank took {o.money(d['amount'])}."
    ),
    "ShippedAfterCancelFound": lambda d, o: (
        f"{'Lost, but delivered after all' if d['shipment_id'] else 'Canceled but shipped'}: "
        f"{_items(d['lines'], o)}{_parcel(d)}."
    ),
    "CustomerNotified": lambda d, o: "The customer was notified that canceled items shipped.",
    "CustomerAcknowledged": lambda d, o: "The customer accepts the items and the new bill.",
    "CustomerDeclined": lambda d, o: "The customer does not accept both the items and the new bill.",
    "RebillAccepted": lambda d, o: f"May be billed again: {_items(d['lines'], o)}.",
    "RebillDue": lambda d, o: f"New bill {d['rebill_id']} of {o.money(d['amount'])} is due.",
    "Rebilled": lambda d, o: f"New bill {d['rebill_id']} was paid.",
    "RebillFailed": lambda d, o: f"New bill {d['rebill_id']} failed. It is still due.",
    "CreditMemoIssued": lambda d, o: f"Credit memo {d['memo_id']} of {o.money(d['amount'])} for the seller.",
    "CommandRefused": lambda d, o: f"Refused: {_readable(d['command'])}.",
    "CaseOpened": lambda d, o: f"Case {d['case_id']} opened: {reason(d['reason'])}, {_items(d['lines'], o)}.",
    "EvidenceAdded": lambda d, o: f"The {d['side']} added evidence {d['evidence_id']}: {_evidence([d['kind']])}.",
    "EvidenceRequested": lambda d, o: f"Asked for evidence: {_evidence(d['kinds'])}.",
    "ReturnOpened": lambda d, o: (
        f"Return {d['return_id']} opened: {_items(d['lines'], o)}. The {d['postage']} pays the postage."
    ),
    "ReturnAccepted": lambda d, o: f"Return {d['return_id']} accepted.",
    "CaseDecided": lambda d, o: (
        f"Case {d['case_id']} decided: {'the items go back' if d['outcome'] == 'return' else 'no return'}."
    ),
    "ReturnStarted": lambda d, o: f"Return {d['return_id']} is on its way back.",
    "ReturnReceived": _received,
    "ReturnWithdrawn": lambda d, o: (
        f"Return {d['return_id']} "
        f"{'lapsed because it was not sent in time' if d['cause'] == 'lapsed' else 'was withdrawn'}."
    ),
    "ReturnClosed": lambda d, o: (
        f"Return {d['return_id']} closed {'with its refund' if d['outcome'] == 'refund' else 'without a refund'}."
    ),
    "DisputeOpened": lambda d, o: f"Dispute {d['dispute_id']} about {d['about']} opened.",
    "DisputeEscalated": lambda d, o: f"Dispute {d['dispute_id']} went to support (ticket {d['ticket']}).",
    "DisputeDecided": lambda d, o: f"Dispute {d['dispute_id']} decided: {DECISION.get(d['outcome'], d['outcome'])}.",
    "DisputeDismissed": lambda d, o: f"Dispute {d['dispute_id']} dismissed.",
    "DisputeAppealed": lambda d, o: f"The decision of dispute {d['dispute_id']} was appealed.",
    "DeadlineReached": lambda d, o: PASSED.get(d["kind"], f"A deadline passed: {d['kind']}."),
    "ConfirmationDelivered": lambda d, o: f"Notification {d['notice_id']} was delivered.",
    "NoticeFailed": lambda d, o: f"Notification {d['notice_id']} could not be delivered.",
    "SubjectErased": lambda d, o: "Personal data erased.",
    "LegalHoldPlaced": lambda d, o: "Legal hold placed.",
    "LegalHoldReleased": lambda d, o: "Legal hold released.",
}
"""Event → its sentence, made from its data (``schemas.codec.event_data``) and its order."""

DECISION: Final[Mapping[str, str]] = {"grant": "granted", "return": "the items go back", "deny": "denied"}


def _readable(command: str) -> str:
    """A command's name as words: ``CancelLines`` → "cancel lines"."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in command).strip()


def _evidence(kinds: Sequence[str]) -> str:
    return listed([pack(LANGUAGES[0]).word("evidence", kind) for kind in kinds])


def event_sentence(event: str, data: Data, order: OrderWriter) -> str:
    """Say what happened in one sentence; an event of a newer release is named by its type."""
    sentence = EVENT_SENTENCES.get(event)
    return event if sentence is None else sentence(data, order)
