"""Traffic for what comes after a shipment or a cancellation: fulfilment, returns, cases, disputes, rebilling, notices.

Ids are guessed more often than known: most of it is refused somewhere, and now and then all five steps of something are
gone through. Everything is drawn from the traffic's seed.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from domain.instants import DAY, HOUR, Instant, format_instant

if TYPE_CHECKING:
    from tests.simulation.traffic import Body, Plan, Traffic

Maker = Callable[["Traffic", "Plan", Instant], "Body"]

FAULTS: Final = ("not_as_described", "missing_item", "not_authentic", "wrong_item")
OUTCOMES: Final = ("lost", "lost", "damaged_in_transit", "returned_to_sender", "refused")
OTHERS: Final = ("does_not_fit", "changed_mind", "other")


def _about(t: "Traffic", plan: "Plan") -> str:
    return t.rng.choice(["case-a", "d-a", "return-1", "rebill", *plan.requests[-2:]])


def fulfilment(t: "Traffic", plan: "Plan", now: Instant) -> "Body":
    stage = t.rng.choice(("picking", "packed", "label"))
    return t._body(plan, "StartFulfilment", "seller", stage=stage, **t._lines(plan))


def void(t: "Traffic", plan: "Plan", now: Instant) -> "Body":
    name = t._known(plan.shipments, "asn1")
    return t._body(plan, "VoidShipment", "support", shipment_id=name, note="It never left.")


def late_scan(t: "Traffic", plan: "Plan", now: Instant) -> "Body":
    """A scan that the carrier sends hours later."""
    occurred = format_instant(now - t.rng.randrange(HOUR, 2 * DAY))
    fields = {"carrier": "A", "tracking_number": "Tlate", "occurred_at": occurred, **t._lines(plan)}
    return t._body(plan, "StartTracking", "system", **fields)


def case(t: "Traffic", plan: "Plan", now: Instant) -> "Body":
    rng = t.rng
    match rng.randrange(4):
        case 0 | 1:
            reason = rng.choice((*FAULTS, *OTHERS[:1]))
            fields: dict[str, Any] = {"case_id": rng.choice(("case-a", "case-b")), "reason": reason, **_named(t, plan)}
            return t._body(plan, "OpenCase", "buyer", text="It is another one.", **fields)
        case 2:
            return t._body(plan, "AcceptReturn", "seller", about=_about(t, plan), refund_now=rng.random() < 0.3)
        case _:
            outcome = rng.choice(("return", "deny"))
            return t._body(plan, "DecideCase", "support", case_id="case-a", outcome=outcome, rule="case-reasons")


def request_evidence(t: "Traffic", plan: "Plan", now: Instant) -> "Body":
    until = format_instant(now + t.rng.randrange(HOUR, 3 * DAY))
    kinds = t.rng.choice((["photo"], ["photo", "receipt"]))
    return t._body(plan, "RequestEvidence", "support", about=_about(t, plan), kinds=kinds, until=until)


def evidence(t: "Traffic", plan: "Plan", now: Instant) -> "Body":
    rng = t.rng
    name = f"e{rng.randrange(8)}"
    fields = {"evidence_id": name, "about": _about(t, plan), "kind": rng.choice(("photo", "message", "receipt"))}
    file = {"sha256": sha256(name.encode()).hexdigest(), "media_type": "image/png", "size": rng.choice((9, 1_800_000))}
    return t._body(plan, "AttachEvidence", rng.choice(("buyer", "seller", "support")), **fields, **file)


def receive_return(t: "Traffic", plan: "Plan", now: Instant) -> "Body":
    """Returns: asked for, on their way, received."""
    rng = t.rng
    match rng.randrange(6):
        case 0 | 1:
            fields = {"reason": rng.choice((*FAULTS, *OTHERS)), **_named(t, plan)}
            return t._body(plan, "RequestReturn", "buyer", **fields)
        case 2:
            return t._body(plan, "StartReturn", "system", about=_about(t, plan))
        case 3 | 4:
            condition = rng.choice(("sellable", "damaged"))
            return t._body(plan, "ReturnReceived", "seller", about=_about(t, plan), condition=condition)
        case _:
            number, quantity = rng.choice(plan.lines)
            part = {"line": number, "quantity": rng.randrange(1, quantity + 1), "condition": "damaged"}
            return t._body(plan, "ReturnReceived", "seller", about=_about(t, plan), lines=[part])


def end_return(t: "Traffic", plan: "Plan", now: Instant) -> "Body":
    """A return that does not come: withdrawn, or closed with the money or without."""
    match t.rng.randrange(3):
        case 0:
            return t._body(plan, "WithdrawReturn", "buyer", about=_about(t, plan))
        case 1:
            return t._body(plan, "CloseReturn", "seller", about=_about(t, plan), outcome="refund")
        case _:
            fields = {"outcome": "no_refund", "rule": "seller-has-final-say"}
            return t._body(plan, "CloseReturn", "support", about=_about(t, plan), **fields)


def undelivered(t: "Traffic", plan: "Plan", now: Instant) -> "Body":
    """A parcel that does not reach the buyer."""
    rng = t.rng
    fields: dict[str, Any] = {"shipment_id": t._known(plan.shipments, "asn1"), "outcome": rng.choice(OUTCOMES)}
    if rng.random() < 0.2:
        fields["refund_now"] = True
    if rng.random() < 0.3:
        fields |= _named(t, plan)
    return t._body(plan, "ReportUndelivered", rng.choice(("seller", "system")), **fields)


def dispute(t: "Traffic", plan: "Plan", now: Instant) -> "Body":
    rng = t.rng
    who = rng.choice(("buyer", "buyer", "seller"))
    match rng.randrange(5):
        case 0 | 1:
            about = rng.choice([*plan.requests, "m1"])
            return t._body(plan, "OpenDispute", who, dispute_id=rng.choice(("d-a", "d-b")), about=about)
        case 2:
            return t._body(plan, "EscalateDispute", who, dispute_id="d-a", ticket="T-1")
        case 3:
            outcome = rng.choice(("grant", "deny", "return"))
            fields = {"dispute_id": "d-a", "outcome": outcome, "rule": "seller-has-final-say"}
            return t._body(plan, "DecideDispute", "support", **fields)
        case _:
            return t._body(plan, "AppealDispute", who, dispute_id="d-a", text="Look again.")


def shipped_after_cancel(t: "Traffic", plan: "Plan", now: Instant) -> "Body":
    """The five steps, each as likely as the next."""
    rng = t.rng
    match rng.randrange(7):
        case 0:
            line = rng.choice(plan.lines)[0]
            fields: dict[str, Any] = {"carrier": "UPS", "tracking_number": "1Z9", "lines": [line]}
            return t._body(plan, "ReportShippedAfterCancel", "seller", **fields)
        case 1:
            text = "It left with UPS, number 1Z9. You would be billed again."
            return t._body(plan, "NotifyCustomer", "seller", text=text)
        case 2 | 3:
            both = {"accepts_item": True, "accepts_rebilling": rng.random() < 0.8}
            return t._body(plan, "Acknowledge", "buyer", **both)
        case 4:
            return t._body(plan, "Rebill", "system")
        case 5:
            command = rng.choice(("ConfirmRebill", "ConfirmRebill", "FailRebill"))
            return t._body(plan, command, "system", rebill_id="rebill-1")
        case _:
            return t._body(plan, "IssueCreditMemo", "support", memo_id="memo-a", rebill_id="rebill-1")


def contact(t: "Traffic", plan: "Plan", now: Instant) -> "Body":
    name = f"k{t.rng.randrange(3)}"
    return t._body(plan, "RecordContact", "support", contact_id=name, channel="phone", ticket="T-1", text="They rang.")


def notice(t: "Traffic", plan: "Plan", now: Instant) -> "Body":
    name = t.rng.choice(("notice-1", "told-1-buyer", f"told-{t.rng.randrange(1, 9)}-seller"))
    return t._body(plan, t.rng.choice(("ConfirmNotice", "FailNotice")), "system", notice_id=name)


def _named(t: "Traffic", plan: "Plan") -> "Body":
    """The ``lines`` field, never left out."""
    return t._lines(plan) or {"lines": [plan.lines[0][0]]}


def make(command: str, who: str, **fields: Any) -> "Maker":
    """A maker of exactly this command."""
    return lambda t, plan, now: t._body(plan, command, who, **fields)


def whole(command: str, who: str, **fields: Any) -> "Maker":
    """A maker of this command on the whole first line of the order."""
    return lambda t, plan, now: t._body(plan, command, who, lines=[plan.lines[0][0]], **fields)


_GONE: Final = (
    whole("Ship", "seller", shipment_id="asn-s", carrier="A", tracking_number="Ts"),
    make("Deliver", "system"),
)
_FILE: Final = {"evidence_id": "e-s", "kind": "photo", "sha256": "ab" * 32, "media_type": "image/png", "size": 9}
_DISPUTED: Final = (
    whole("RequestCancel", "buyer", request_id="r-s", reason="other"),
    make("DeclineCancel", "seller", request_id="r-s"),
    make("OpenDispute", "buyer", dispute_id="d-s", about="r-s"),
    make("AttachEvidence", "seller", about="d-s", **_FILE),
    make("EscalateDispute", "buyer", dispute_id="d-s", ticket="T-1"),
    make("DecideDispute", "support", dispute_id="d-s", outcome="deny", rule="shipped-lock"),
    make("AppealDispute", "buyer", dispute_id="d-s"),
    make("DecideDispute", "support", dispute_id="d-s", outcome="grant", rule="seller-has-final-say"),
    make("ReturnReceived", "seller", about="return-1"),
)
_CASE: Final = (
    *_GONE,
    whole("OpenCase", "buyer", case_id="case-s", reason="wrong_item"),
    make("RequestEvidence", "support", about="case-s", kinds=["photo"], until="2030-01-01T00:00:00Z"),
    make("AttachEvidence", "buyer", about="case-s", **_FILE),
    make("DecideCase", "support", case_id="case-s", outcome="return", rule="case-reasons"),
    make("StartReturn", "system", about="case-s"),
    make("ReturnReceived", "seller", about="case-s"),
)
_RETURN: Final = (
    *_GONE,
    whole("RequestReturn", "buyer", reason="changed_mind"),
    make("StartReturn", "system", about="return-1"),
    make("ReturnReceived", "seller", about="return-1"),
    make("ConfirmRefund", "system", refund_id="refund-1"),
)
_REBILLED: Final = (
    whole("CancelLines", "seller", reason="out_of_stock"),
    whole("ReportShippedAfterCancel", "seller", carrier="UPS", tracking_number="1Z9"),
    make("NotifyCustomer", "seller", text="It left with UPS, number 1Z9. You would be billed again."),
    make("Acknowledge", "buyer", accepts_item=True, accepts_rebilling=True),
    make("Rebill", "system"),
    make("FailRebill", "system", rebill_id="rebill-1"),
    make("ConfirmRebill", "system", rebill_id="rebill-1"),
    make("IssueCreditMemo", "support", memo_id="memo-s", rebill_id="rebill-1"),
    whole("RequestReturn", "buyer", reason="changed_mind"),
    make("ReturnReceived", "seller", about="return-1"),
)
_LOST: Final = (
    _GONE[0],
    make("ReportUndelivered", "seller", shipment_id="asn-s", outcome="lost"),
    make("Deliver", "system", shipment_id="asn-s"),
    *_REBILLED[2:7],
)
_SENT_BACK: Final = (
    _GONE[0],
    make("ReportUndelivered", "system", shipment_id="asn-s", outcome="returned_to_sender"),
    make("ReturnReceived", "seller", about="asn-s", condition="sellable"),
    make("ConfirmRefund", "system", refund_id="refund-1"),
)
_RETURN_IN_PARTS: Final = (
    *_RETURN[:4],
    make("ReturnReceived", "seller", about="return-1", lines=[{"line": 1, "quantity": 1, "condition": "damaged"}]),
    make("CloseReturn", "seller", about="return-1", outcome="refund"),
    make("ReturnReceived", "seller", about="return-1", condition="sellable"),
)
_CHARGEBACK: Final = (
    make("OpenChargeback", "system", payment_id="payment-1", amount="900"),
    make("CancelLines", "seller", reason="out_of_stock"),
    make("CloseChargeback", "system", payment_id="payment-1", outcome="lost", amount="10"),
    make("FailRefund", "system", refund_id="refund-1"),
    make("WithdrawRefund", "system", refund_id="refund-1", note="It was a mistake."),
)
_AUTHORIZED: Final = (
    make("ConfirmPayment", "system", payment_id="pay-a", method="card", state="authorized", amount="60"),
    make("ConfirmPayment", "system", payment_id="pay-b", method="gift_card", amount="40"),
    make("CapturePayment", "system", payment_id="pay-a", amount="20"),
    whole("CancelLines", "seller", reason="out_of_stock"),
    make("ReleasePayment", "system", payment_id="pay-a"),
    make("CancelLines", "seller", reason="out_of_stock"),
    make("ConfirmRefund", "system", refund_id="refund-1", payment_id="pay-b"),
    make("ConfirmRefund", "system", refund_id="refund-1", payment_id="pay-a"),
)
_WITHDRAWN: Final = (*_RETURN[:3], make("WithdrawReturn", "buyer", about="return-1"), *_RETURN[2:])
_SETTLED: Final = (
    make("ConfirmPayment", "system", payment_id="pay-c", method="card", amount="7"),
    make("RecordOtherRefund", "support", refund_id="refund-1", amount="7"),
    make("RecordOtherRefund", "support", amount="1", covers=[{"line": 1, "amount": "1"}]),
    make("CancelLines", "seller", reason="out_of_stock"),
)
_DECLINED: Final = (*_REBILLED[:3], make("Acknowledge", "buyer", accepts_item=False, accepts_rebilling=False))

SCRIPTS: Final[dict[str, tuple[tuple["Maker", ...], ...]]] = {
    "portal": (_REBILLED, _REBILLED, _DECLINED, _CHARGEBACK, _AUTHORIZED, _LOST, _SETTLED),
    "peers": (_CASE, _SENT_BACK),
    "consent": (_CASE, _DISPUTED, (*_GONE, *_DISPUTED), _RETURN),
    "store": (_RETURN, _REBILLED, _REBILLED, _RETURN_IN_PARTS, _LOST, _WITHDRAWN),
    "auction": (_RETURN, _RETURN_IN_PARTS, _CHARGEBACK),
    "bigbox": (_RETURN, _REBILLED, _SENT_BACK, _AUTHORIZED),
    "every": (_RETURN, _DECLINED, _AUTHORIZED, _SETTLED),
}
"""Scripts that some orders follow step by step, between other events, by marketplace."""

WEIGHED: Final[dict[Maker, float]] = {
    fulfilment: 0.7,
    void: 0.5,
    late_scan: 0.8,
    case: 2.5,
    request_evidence: 0.7,
    evidence: 1.2,
    receive_return: 2,
    end_return: 0.7,
    undelivered: 1.2,
    dispute: 2.5,
    shipped_after_cancel: 4,
    contact: 0.4,
    notice: 0.8,
}
"""Makers of commands, and their weights within the everyday traffic."""
