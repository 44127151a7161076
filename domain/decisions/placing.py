"""Placing an order and paying for it. See docs/reference/decisions.md, Placing an order."""

from domain import events as e
from domain.calendar import after
from domain.commands import ConfirmPayment, PlaceOrder, RecordOtherRefund
from domain.decisions.context import DecisionContext, Events, sealed
from domain.money import in_words, minor_units
from domain.policy import Policy
from domain.rules.automatic import LateShipAutoCancel, UnpaidAutoCancel
from domain.verdict import CONTACT, fact


def place_order(s: DecisionContext, ask: PlaceOrder) -> Events:
    """Place an order. Its policy and calendar are pinned, its discount and rounding are shared over its lines."""
    yield order_placed(s, ask)
    if ask.paid:
        yield e.PaymentReceived(s.order.terms.total)


def order_exists(s: DecisionContext, ask: PlaceOrder) -> Events:
    """Decide a second placing of an order. The same content changes nothing, other content is refused."""
    if s.order.placed_fingerprint != ask.fingerprint:
        yield from s.no(
            "order-exists", f"Order {ask.order_id} already exists with different content.", ref=ask.order_id
        )


def order_placed(s: DecisionContext, ask: PlaceOrder) -> e.OrderPlaced:
    """Build the ``OrderPlaced`` event."""
    calendar = s.market.calendar(ask.timezone)
    priced = ask.priced
    return e.OrderPlaced(
        po_number=ask.po_number or ask.order_id,
        checkout_id=ask.checkout_id,
        buyer_id=ask.buyer_id,
        seller_id=ask.seller_id,
        currency=ask.currency,
        policy=s.ref,
        sale_format=ask.sale_format,
        lines=priced.lines,
        tax_included=ask.tax_included,
        discount=priced.discount,
        shipping=priced.shipping,
        shipping_tax=priced.shipping_tax,
        rounding=priced.rounding,
        total=priced.total,
        ship_by=ask.ship_by,
        pay_by=ask.pay_by,
        calendar=calendar,
        replaces=None if ask.replaces is None else e.Replaces(ask.replaces.order_id, ask.replaces.lines),
        deadlines=_deadlines(s, ask, s.policy, calendar),
    )


def _deadlines(s: DecisionContext, ask: PlaceOrder, policy: Policy, calendar: e.Calendar) -> tuple[e.Deadline, ...]:
    """The ``unpaid`` and ``late-ship`` deadlines, if the policy has them and they can apply."""
    found: list[e.Deadline] = []
    unpaid = policy.terms_if_on(UnpaidAutoCancel)
    if unpaid is not None and not ask.paid:
        due_at = ask.pay_by if ask.pay_by is not None else after(s.now, unpaid.after, calendar)
        found.append(e.Deadline("unpaid-1", "unpaid", due_at, ask.order_id))
    late_ship = policy.terms_if_on(LateShipAutoCancel)
    if late_ship is not None and ask.ship_by is not None:
        due_at = after(ask.ship_by, late_ship.after_ship_by, calendar)
        found.append(e.Deadline("late-ship-1", "late-ship", due_at, ask.order_id))
    return tuple(found)


def confirm_payment(s: DecisionContext, ask: ConfirmPayment) -> Events:
    """Record a payment. ``settle`` refunds units that were canceled before it, in the same commit."""
    currency = s.order.terms.currency
    amount = minor_units(ask.amount, currency, "/amount")
    if s.order.paid + amount > s.order.terms.total:
        yield from s.no(
            "paid-already",
            f"{in_words(s.order.paid, currency)} of {in_words(s.order.terms.total, currency)} are paid; "
            f"{in_words(amount, currency)} more would be too much.",
            fact("paid_minor", s.order.paid),
            fact("total_minor", s.order.terms.total),
        )
        return
    yield e.PaymentReceived(amount)


def record_other_refund(s: DecisionContext, ask: RecordOtherRefund) -> Events:
    """Record a refund outside a cancellation. Rebilled money, and refunds of it, do not count for its limit."""
    currency = s.order.terms.currency
    amount = minor_units(ask.amount, currency, "/amount")
    refunded = s.order.refunds_instructed - s.order.rebill_back
    left = s.order.paid - refunded - s.order.other_refunds
    if amount > left:
        rest = f"Of what was paid, {in_words(left, currency)} are not refunded yet"
        if left <= 0:
            rest = "Everything that was paid is already refunded"
        yield from s.no(
            "more-than-paid",
            f"{rest}; {in_words(amount, currency)} would be more.",
            fact("left_minor", left),
            instead=() if left > 0 else (CONTACT,),
        )
        return
    yield e.OtherRefundRecorded(amount, sealed(ask.note))
