"""Payments, what became of refunds, money that was given back elsewhere, and chargebacks.

See docs/reference/money.md. These are facts from payment services. A fact is refused only if it contradicts the order.
"""

from collections.abc import Iterator

from domain import events as e
from domain.balance import draws
from domain.commands import (
    PAYMENT_IDS,
    CapturePayment,
    CloseChargeback,
    ConfirmPayment,
    ConfirmRefund,
    Covers,
    FailRefund,
    OpenChargeback,
    RecordOtherRefund,
    ReleasePayment,
    WithdrawRefund,
)
from domain.decisions.context import DecisionContext, Events, sealed, sealed_text
from domain.errors import BadInput
from domain.money import in_words, minor_units
from domain.order import Part, Payment, Refund
from domain.verdict import CONTACT, fact

FINAL = {
    "settled_elsewhere": "was given back elsewhere",
    "withdrawn": "was withdrawn",
    "confirmed": "is confirmed",
}
"""Status of a refund that is not due → how a sentence says it."""


def _minor(s: DecisionContext, amount: str, pointer: str = "/amount") -> int:
    return minor_units(amount, s.order.terms.currency, pointer)


def _words(s: DecisionContext, amount: int) -> str:
    return in_words(amount, s.order.terms.currency)


# ---- payments --------------------------------------------------------------------------------------------------


def confirm_payment(s: DecisionContext, ask: ConfirmPayment) -> Events:
    """Record a payment. ``settle`` refunds what was canceled before it, and what it is beyond the total."""
    amount = _minor(s, ask.amount)
    payment_id = ask.payment_id or ask.command_id
    if ask.payment_id is None and PAYMENT_IDS.fullmatch(payment_id):
        payment_id = s.order.next_payment_id
    known = s.order.payments.get(payment_id)
    if known is None:
        yield e.PaymentReceived(amount, payment_id, ask.method, ask.state)
    elif (known.amount, known.method, known.state) != (amount, ask.method, ask.state):
        because = (
            f"Payment {payment_id} is on record already, with other content: {_words(s, known.amount)}, "
            f"{known.method}, {known.state}."
        )
        yield from s.no("id-exists", because, fact("id", payment_id), ref=payment_id)


def capture_payment(s: DecisionContext, ask: CapturePayment) -> Events:
    """Record that authorized money was captured. Money that a void waits for cannot be captured."""
    payment = s.order.payments.get(ask.payment_id)
    if payment is None:
        yield from _no_payment(s, ask.payment_id)
        return
    amount = payment.capturable if ask.amount is None else _minor(s, ask.amount)
    if amount > payment.capturable or not payment.capturable:
        yield from _not_authorized(s, payment, amount, payment.capturable)
    elif amount:
        yield e.PaymentCaptured(payment.payment_id, amount)


def release_payment(s: DecisionContext, ask: ReleasePayment) -> Events:
    """Record that authorized money lapsed. It first confirms the void parts of refunds that wait for it."""
    payment = s.order.payments.get(ask.payment_id)
    if payment is None:
        yield from _no_payment(s, ask.payment_id)
        return
    amount = payment.releasable if ask.amount is None else _minor(s, ask.amount)
    if amount > payment.releasable or not payment.releasable:
        yield from _not_authorized(s, payment, amount, payment.releasable)
        return
    if not amount:
        return
    voids = [(refund, part) for refund, part in _due_parts(s, payment.payment_id) if part.kind == "void"]
    voided = min(amount, sum(part.left for _, part in voids))
    yield e.PaymentReleased(payment.payment_id, amount, voided)
    for refund, part in voids:
        if part.left <= voided:
            voided -= part.left
            if refund.status == "confirmed":
                yield e.RefundConfirmed(refund.refund_id, payment.payment_id)


def _no_payment(s: DecisionContext, payment_id: str) -> Events:
    known = ", ".join(s.order.payments) or "none"
    because = f"The order has no payment {payment_id}; its payments: {known}."
    return s.no("no-such-payment", because, fact("payment_id", payment_id), ref=payment_id)


def _not_authorized(s: DecisionContext, payment: Payment, amount: int, left: int) -> Events:
    waits = payment.voiding - payment.voided
    because = (
        f"Of payment {payment.payment_id}, {_words(s, left)} are authorized and free; {_words(s, amount)} are more."
    )
    if not left:
        because = f"Nothing of payment {payment.payment_id} is authorized any more."
    if waits and left < payment.authorized - payment.voided:
        because += f" A refund waits for {_words(s, waits)} to be voided."
    return s.no(
        "more-than-authorized",
        because,
        fact("payment_id", payment.payment_id),
        fact("left_minor", left),
        instead=() if left else (CONTACT,),
        ref=payment.payment_id,
    )


def _due_parts(s: DecisionContext, payment_id: str) -> list[tuple[Refund, Part]]:
    """The parts of a payment that are due, oldest first."""
    return [
        (refund, part)
        for refund in s.order.refunds.values()
        if refund.status == "due"
        for part in refund.parts
        if part.payment_id == payment_id and part.left
    ]


# ---- refunds ---------------------------------------------------------------------------------------------------


def settle_refund(s: DecisionContext, ask: ConfirmRefund | FailRefund) -> Events:
    """Record that a refund or a part of it was made, or failed. A confirmed refund that fails is due again."""
    refund = s.order.refunds.get(ask.refund_id)
    if refund is None:
        yield from _no_refund(s, ask.refund_id)
        return
    confirms = isinstance(ask, ConfirmRefund)
    if refund.status in ("settled_elsewhere", "withdrawn") or (confirms and refund.status == "confirmed"):
        yield from _closed(s, refund)
        return
    if ask.payment_id is not None:
        parts = [part for part in refund.parts if part.payment_id == ask.payment_id]
        if not parts:
            yield from _no_part(s, refund, ask.payment_id)
            return
        if not any(part.left if confirms else part.amount - part.elsewhere for part in parts):
            how = "confirmed" if parts[0].confirmed else "given back elsewhere"
            because = f"The part of {refund.refund_id} to payment {ask.payment_id} is {how} already."
            yield from s.no("refund-closed", because, fact("payment_id", ask.payment_id), ref=refund.refund_id)
            return
    if isinstance(ask, ConfirmRefund):
        yield e.RefundConfirmed(ask.refund_id, ask.payment_id, ask.provider_ref)
    else:
        yield e.RefundFailed(ask.refund_id, sealed(ask.note), ask.payment_id, ask.provider_ref)


def withdraw_refund(s: DecisionContext, ask: WithdrawRefund) -> Events:
    """Withdraw a refund that was instructed by mistake. It stays counted as instructed, so it is not paid again."""
    refund = s.order.refunds.get(ask.refund_id)
    if refund is None:
        yield from _no_refund(s, ask.refund_id)
    elif refund.status != "due":
        yield from _closed(s, refund)
    else:
        yield e.RefundWithdrawn(refund.refund_id, ask.rule, sealed_text(ask.note))


def _no_refund(s: DecisionContext, refund_id: str) -> Events:
    return s.no("no-such-refund", f"There is no refund {refund_id}.", fact("refund_id", refund_id))


def _no_part(s: DecisionContext, refund: Refund, payment_id: str) -> Events:
    named = ", ".join(dict.fromkeys(part.payment_id for part in refund.parts))
    because = f"Nothing of {refund.refund_id} goes back to payment {payment_id}; it goes to {named}."
    return s.no("no-such-payment", because, fact("payment_id", payment_id), ref=refund.refund_id)


def _closed(s: DecisionContext, refund: Refund) -> Events:
    because = f"{refund.refund_id} {FINAL[refund.status]} already."
    return s.no("refund-closed", because, fact("status", refund.status), ref=refund.refund_id)


# ---- money that was given back elsewhere ------------------------------------------------------------------------


def record_other_refund(s: DecisionContext, ask: RecordOtherRefund) -> Events:
    """Record a refund that was made elsewhere. It settles a due refund, or lowers what can be refunded.

    Rebilled money, and refunds of it, do not count for its limit. A withdrawn refund does not count as instructed.
    """
    amount = _minor(s, ask.amount)
    covers = tuple(_cover(s, each, i) for i, each in enumerate(ask.covers))
    _check_fees(s, covers)
    for cover in covers:
        if cover.line is not None and cover.line not in s.order.lines:
            known = ", ".join(map(str, s.order.lines))
            because = f"The order has no line {cover.line}; it has {known}."
            yield from s.no("no-such-line", because, fact("line", cover.line))
            return
    if ask.payment_id is not None and ask.payment_id not in s.order.payments:
        yield from _no_payment(s, ask.payment_id)
        return
    other_refund_id = ask.other_refund_id or ask.command_id
    known_content = s.order.other_ids.get(other_refund_id)
    if known_content is not None:
        if known_content != (amount, ask.refund_id, ask.payment_id, covers):
            because = f"Other refund {other_refund_id} is on record already, with other content: choose another id."
            yield from s.no("id-exists", because, fact("id", other_refund_id), ref=other_refund_id)
        return
    if ask.refund_id is not None:
        yield from _settle_elsewhere(s, ask, ask.refund_id, other_refund_id, amount)
        return
    left = _left_to_give_back(s, ask.payment_id)
    if amount > left:
        yield from _more_than_paid(s, amount, left)
        return
    if ask.payment_id is not None:
        shares: tuple[e.PaymentShare, ...] = (e.PaymentShare(ask.payment_id, amount),) if amount else ()
    else:
        shares = draws(s.order, amount, s.policy.refunds.order)
    yield e.OtherRefundRecorded(amount, sealed(ask.note), other_refund_id, ask.payment_id, covers, shares)


def _cover(s: DecisionContext, ask: Covers, i: int) -> e.Cover:
    kind, line, fee_id = ask.target
    name = "shipping" if kind == "shipping" else "amount"
    given = ask.shipping if kind == "shipping" else ask.amount
    assert given is not None
    return e.Cover(kind, line, fee_id, _minor(s, given, f"/covers/{i}/{name}"))


def _check_fees(s: DecisionContext, covers: tuple[e.Cover, ...]) -> None:
    """Raise ``BadInput`` if a fee is covered that the order does not have."""
    fees = {fee.fee_id for fee in s.order.terms.fees}
    for i, cover in enumerate(covers):
        if cover.fee_id is not None and cover.fee_id not in fees:
            raise BadInput(f"/covers/{i}/fee_id", "form", f"the order has no fee {cover.fee_id}")


def _settle_elsewhere(
    s: DecisionContext, ask: RecordOtherRefund, refund_id: str, other_refund_id: str, amount: int
) -> Events:
    """Settle a due refund, because it was given back elsewhere."""
    refund = s.order.refunds.get(refund_id)
    if refund is None:
        yield from _no_refund(s, refund_id)
        return
    if refund.status != "due":
        yield from _closed(s, refund)
        return
    left = sum(part.left for part in refund.parts)
    if amount != left:
        raise BadInput("/amount", "form", f"must be {_words(s, left)}, which is what is left of {refund_id}")
    if ask.payment_id is not None and any(part.payment_id != ask.payment_id for part in refund.parts if part.left):
        raise BadInput("/payment_id", "form", f"{refund_id} does not go back to this payment alone; leave it out")
    yield e.OtherRefundSettled(refund_id, other_refund_id, None, amount, sealed(ask.note))


def _left_to_give_back(s: DecisionContext, payment_id: str | None) -> int:
    """What is neither refunded nor given back elsewhere, of the order or of one payment."""
    order = s.order
    withdrawn = sum(
        part.left
        for refund in order.refunds.values()
        if refund.status == "withdrawn"
        for part in refund.parts
        if part.payment_id in order.payments
    )
    left = order.paid - (order.refunds_instructed - order.rebill_instructed - withdrawn) - order.other_refunds
    if payment_id is None:
        return left
    payment = order.payments[payment_id]
    return min(left, payment.free)


def _more_than_paid(s: DecisionContext, amount: int, left: int) -> Events:
    rest = f"Of what was paid, {_words(s, left)} are not refunded yet"
    if left <= 0:
        rest = "Everything that was paid is already refunded"
    return s.no(
        "more-than-paid",
        f"{rest}; {_words(s, amount)} would be more.",
        fact("left_minor", left),
        instead=() if left > 0 else (CONTACT,),
    )


# ---- chargebacks -----------------------------------------------------------------------------------------------


def open_chargeback(s: DecisionContext, ask: OpenChargeback) -> Events:
    """Record that the buyer's bank demands a payment back. Until it is closed, no part of the payment goes out."""
    amount = _minor(s, ask.amount)
    payment = s.order.payments.get(ask.payment_id)
    if payment is None:
        yield from _no_payment(s, ask.payment_id)
    elif payment.chargeback is not None:
        named = payment.chargeback.chargeback_id
        because = f"A chargeback{f' ({named})' if named else ''} of payment {payment.payment_id} is open already."
        yield from s.no("chargeback-open", because, fact("payment_id", payment.payment_id), ref=payment.payment_id)
    else:
        yield e.ChargebackOpened(payment.payment_id, amount, ask.chargeback_id)


def close_chargeback(s: DecisionContext, ask: CloseChargeback) -> Events:
    """Record how a chargeback ended.

    What a lost one took settles the waiting parts of the payment, oldest first. The rest of it is an other refund. What
    still waits after that goes out.
    """
    payment = s.order.payments.get(ask.payment_id)
    if payment is None:
        yield from _no_payment(s, ask.payment_id)
        return
    opened = payment.chargeback
    if opened is None or (opened.chargeback_id and ask.chargeback_id not in (None, opened.chargeback_id)):
        because = f"No chargeback of payment {payment.payment_id} is open"
        because += "." if opened is None else f" with the id {ask.chargeback_id}."
        yield from s.no("no-such-chargeback", because, fact("payment_id", payment.payment_id), ref=payment.payment_id)
        return
    given = opened.amount if ask.amount is None else _minor(s, ask.amount)
    if given > opened.amount:
        raise BadInput("/amount", "form", f"is more than the {_words(s, opened.amount)} that it was opened for")
    if s.order.other_ids.get(ask.command_id) is not None and ask.outcome == "lost":
        because = f"Other refund {ask.command_id} is on record already; send this under another command id."
        yield from s.no("id-exists", because, fact("id", ask.command_id), ref=ask.command_id)
        return
    left = took = given if ask.outcome == "lost" else 0
    settles: dict[str, int] = {}
    released: list[e.ReleasedPart] = []
    for refund, part in _due_parts(s, payment.payment_id):
        if not part.waiting:
            continue
        settled = min(left, part.left)
        left -= settled
        if settled:
            settles[refund.refund_id] = settles.get(refund.refund_id, 0) + settled
        if part.left > settled:
            rest = part.left - settled
            released.append(e.ReleasedPart(refund.refund_id, part.payment_id, part.method, rest, part.kind))
    closed_id = opened.chargeback_id or ask.chargeback_id
    yield e.ChargebackClosed(payment.payment_id, ask.outcome, took, closed_id, tuple(released))
    yield from _taken_by_the_bank(ask, payment, settles, left)


def _taken_by_the_bank(ask: CloseChargeback, payment: Payment, settles: dict[str, int], rest: int) -> Iterator[e.Event]:
    for refund_id, amount in settles.items():
        yield e.OtherRefundSettled(refund_id, ask.command_id, payment.payment_id, amount, None)
    if rest:
        share = e.PaymentShare(payment.payment_id, rest)
        yield e.OtherRefundRecorded(rest, None, ask.command_id, payment.payment_id, (), (share,))
