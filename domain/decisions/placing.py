"""Placing an order. See docs/reference/decisions.md, Placing an order."""

from domain import events as e
from domain.calendar import after
from domain.commands import PlaceOrder, ReplacedOrder
from domain.decisions.context import DecisionContext, Events
from domain.policy import Policy
from domain.rules.automatic import LateShipAutoCancel, UnpaidAutoCancel


def place_order(s: DecisionContext, ask: PlaceOrder) -> Events:
    """Place an order. Its policy and calendar are pinned, its discount and rounding are shared over its lines."""
    yield order_placed(s, ask)
    if ask.paid:
        yield e.PaymentReceived(s.order.terms.total, s.order.next_payment_id)


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
        replaces=None if ask.replaces is None else _replaces(ask.replaces),
        deadlines=_deadlines(s, ask, s.policy, calendar),
        fees=priced.fees,
    )


def _replaces(ask: ReplacedOrder) -> e.Replaces:
    named = tuple(e.LineQuantity(pick.line, pick.quantity) for pick in ask.lines if pick.quantity is not None)
    return e.Replaces(ask.order_id, tuple(pick.line for pick in ask.lines), named)


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
