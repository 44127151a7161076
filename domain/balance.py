"""How much an order has to refund, for what and because of what, and to which payments it goes back.

See docs/reference/money.md, Refunds. ``decide`` calls this after each decision. Refunds that were ever instructed
count, also those that were settled elsewhere or withdrawn. This module reads an order and never changes it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from domain import events as e
from domain.order import Order, Owed, Payment

LAST_IN_FIRST_OUT: Final = "last-in-first-out"
FIRST_IN_FIRST_OUT: Final = "first-in-first-out"
GIFT_CARD_LAST: Final = "gift-card-last"
ORDERS_OF_PAYMENTS: Final = (LAST_IN_FIRST_OUT, FIRST_IN_FIRST_OUT, GIFT_CARD_LAST)


def unpaid(order: Order) -> int:
    """U: the part of the total that is not paid."""
    return max(0, order.terms.total - order.paid)


def excess(order: Order) -> int:
    """X: what was paid beyond the total."""
    return max(0, order.paid - order.terms.total)


def most(order: Order) -> int:
    """The most that can be refunded for what is due back: min(paid, total) less all other refunds."""
    return min(order.paid, order.terms.total) - order.other_refunds


def required(order: Order) -> int:
    """The required sum of all refunds: min(max(0, D − U), min(paid, total) − other refunds) + X + rebilled money."""
    return min(max(0, order.value_owed - unpaid(order)), most(order)) + excess(order) + order.rebill_back


def increase(order: Order) -> int:
    """The amount to instruct now. It is never negative, because no refund is taken back."""
    return max(0, required(order) - order.refunds_instructed)


@dataclass(frozen=True, slots=True)
class Instruction:
    """The causes, parts and purposes of a refund. Each of the three adds up to its amount."""

    causes: tuple[e.RefundCause, ...]
    parts: tuple[e.RefundPart, ...]
    purposes: tuple[e.RefundPurpose, ...]


def instruction(order: Order, amount: int, order_of_payments: str) -> Instruction:
    """Say what a refund of ``amount`` is for, what caused it, and to which payments it goes back."""
    over = max(0, min(amount, excess(order) - order.excess_instructed))
    billed = max(0, min(amount - over, order.rebill_back - order.rebill_instructed))
    causes: dict[str, int] = {}
    purposes: dict[tuple[str, int | None, str | None], int] = {}
    for each in taken(order, amount - over - billed):
        causes[each.cause] = causes.get(each.cause, 0) + each.amount
        target = each.kind, each.line, each.fee_id
        purposes[target] = purposes.get(target, 0) + each.amount
    for cause, kind, part in (("overpaid", "excess", over), ("rebill", "rebill", billed)):
        if part:
            causes[cause], purposes[kind, None, None] = part, part
    return Instruction(
        tuple(e.RefundCause(cause, part) for cause, part in causes.items()),
        (*_rebilled_parts(order, billed), *_parts(order, amount - billed, order_of_payments)),
        tuple(e.RefundPurpose(*target, part) for target, part in purposes.items()),
    )


def taken(order: Order, amount: int) -> list[Owed]:
    """The owed parts that a refund of ``amount`` covers, oldest first. The newest are covered first.

    What was owed before and was not paid for stays owed until a payment makes it due.
    """
    found: list[Owed] = []
    for owed in reversed(order.owed):
        if not amount:
            break
        part = min(amount, owed.amount)
        amount -= part
        found.append(owed if part == owed.amount else Owed(owed.cause, owed.kind, owed.line, owed.fee_id, part))
    if amount:  # An earlier release computed the shares of units otherwise, and instructed more.
        found.append(_more_than_owed(order, amount))
    return found[::-1]


def _more_than_owed(order: Order, amount: int) -> Owed:
    if not order.credits:
        return Owed("overpaid", "excess", None, None, amount)
    last = order.credits[-1]
    return Owed(last.cause, "line", last.line, None, amount)


def _rebilled_parts(order: Order, amount: int) -> Iterator[e.RefundPart]:
    """Give rebilled money back to its rebillings, oldest first."""
    for rebill in order.rebills.values() if amount else ():
        part = min(amount, rebill.back_amount - rebill.back_instructed)
        if part > 0:
            amount -= part
            yield e.RefundPart(rebill.rebill_id, "other", part, "refund", False)


def holding(order: Order, order_of_payments: str) -> Iterator[Payment]:
    """The payments that still hold money, those first that are refunded first."""
    ids = order.holding if order_of_payments == FIRST_IN_FIRST_OUT else reversed(order.holding)
    if order_of_payments != GIFT_CARD_LAST:
        yield from (order.payments[id] for id in ids)
        return
    gift_cards = []
    for id in ids:
        payment = order.payments[id]
        if payment.method == "gift_card":
            gift_cards.append(payment)
        else:
            yield payment
    yield from gift_cards


def _parts(order: Order, amount: int, order_of_payments: str) -> Iterator[e.RefundPart]:
    """Share a refund over the payments. Authorized money is voided first within a payment."""
    for payment in holding(order, order_of_payments) if amount else ():
        for kind, free in (("void", payment.free_authorized), ("refund", payment.free_captured)):
            part = min(amount, free)
            if part > 0:
                amount -= part
                waits = payment.chargeback is not None
                yield e.RefundPart(payment.payment_id, payment.method, part, kind, waits)
        if not amount:
            return


def draws(order: Order, amount: int, order_of_payments: str) -> tuple[e.PaymentShare, ...]:
    """Share an other refund over the payments that still hold money, in the order of refunds."""
    found = []
    for payment in holding(order, order_of_payments):
        if not amount:
            break
        part = min(amount, payment.free)
        amount -= part
        found.append(e.PaymentShare(payment.payment_id, part))
    return tuple(found)
