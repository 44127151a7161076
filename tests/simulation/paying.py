"""Traffic of payment services: payments and authorizations, refunds and their parts, other refunds, chargebacks.

Ids are guessed more often than known, as in ``aftermath.py``.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from domain.instants import Instant

if TYPE_CHECKING:
    from tests.simulation.traffic import Body, Plan, Traffic

Maker = Callable[["Traffic", "Plan", Instant], "Body"]

METHODS: Final = ("card", "card", "gift_card", "bank", "wallet")
PAYMENTS: Final = ("payment-1", "pay-a", "pay-a", "pay-b")
REFUNDS: Final = ("refund-1", "refund-1", "refund-1", "refund-2", "refund-3")


def _maybe_amount(t: "Traffic", plan: "Plan") -> "Body":
    return {"amount": t._amount(plan, 100, 4000)} if t.rng.random() < 0.5 else {}


def _maybe_payment(t: "Traffic") -> "Body":
    return {"payment_id": t.rng.choice(PAYMENTS)} if t.rng.random() < 0.3 else {}


def pay(t: "Traffic", plan: "Plan", now: Instant) -> "Body":
    fields: dict[str, Any] = {"amount": t._amount(plan, 100, 2000)}
    if t.rng.random() < 0.7:
        fields |= {"payment_id": t.rng.choice(("pay-a", "pay-b", "pay-c")), "method": t.rng.choice(METHODS)}
    if t.rng.random() < 0.4:
        fields["state"] = "authorized"
    return t._body(plan, "ConfirmPayment", "system", **fields)


def authorization(t: "Traffic", plan: "Plan", now: Instant) -> "Body":
    command = t.rng.choice(("CapturePayment", "ReleasePayment"))
    return t._body(plan, command, "system", payment_id=t.rng.choice(PAYMENTS), **_maybe_amount(t, plan))


def refund(t: "Traffic", plan: "Plan", now: Instant) -> "Body":
    command = t.rng.choice(("ConfirmRefund", "ConfirmRefund", "FailRefund"))
    return t._body(plan, command, "system", refund_id=t.rng.choice(REFUNDS), **_maybe_payment(t))


def withdraw(t: "Traffic", plan: "Plan", now: Instant) -> "Body":
    fields = {"refund_id": t.rng.choice(REFUNDS), "note": "It was a mistake."}
    if t.rng.random() < 0.5:
        return t._body(plan, "WithdrawRefund", "support", rule="seller-has-final-say", **fields)
    return t._body(plan, "WithdrawRefund", "system", **fields)


def other_refund(t: "Traffic", plan: "Plan", now: Instant) -> "Body":
    """Money that was given back elsewhere: for something, from a payment, or instead of a refund."""
    rng = t.rng
    amount = t._amount(plan, 1, 300)
    fields: dict[str, Any] = {"amount": amount, **_maybe_payment(t)}
    match rng.randrange(5):
        case 0:
            fields["covers"] = [{"line": rng.choice(plan.lines)[0], "amount": amount}]
        case 1:
            fields["covers"] = [rng.choice(({"shipping": amount}, {"fee_id": "gift-wrap", "amount": amount}))]
        case 2:
            fields = {"amount": t._amount(plan, 300, 3000), "refund_id": rng.choice(REFUNDS)}
        case 3:
            fields["other_refund_id"] = rng.choice(("o-a", "o-b"))
        case _:
            pass
    return t._body(plan, "RecordOtherRefund", "support", **fields)


def chargeback(t: "Traffic", plan: "Plan", now: Instant) -> "Body":
    rng = t.rng
    fields: dict[str, Any] = {"payment_id": rng.choice(PAYMENTS)}
    if rng.random() < 0.5:
        return t._body(plan, "OpenChargeback", "system", amount=t._amount(plan, 100, 4000), **fields)
    outcome = rng.choice(("won", "lost", "lost"))
    return t._body(plan, "CloseChargeback", "system", outcome=outcome, **fields, **_maybe_amount(t, plan))


WEIGHED: Final[dict[Maker, float]] = {
    pay: 4,
    authorization: 1.5,
    refund: 2.5,
    withdraw: 0.7,
    other_refund: 1.5,
    chargeback: 2,
}
"""Makers of commands, and their weights within the everyday traffic."""
