"""Placing an order and paying for it. COMMANDS.md 2 and 4."""

from domain import events as e
from domain.calendar import after, holiday_calendar, zone
from domain.commands import ConfirmPayment, NewLine, PlaceOrder, RecordOtherRefund
from domain.decisions.situation import Events, Situation, sealed
from domain.errors import BadInput
from domain.instants import Instant
from domain.money import exponent, largest_remainder, minor_units
from domain.policy import Policy
from domain.verdict import fact

LARGEST = 2**53
"""The largest amount an order may have, in minor units: exact in every reader, JavaScript's included."""


def place_order(s: Situation, ask: PlaceOrder) -> Events:
    """An order stands, its policy and calendar pinned, its discount and rounding shared over its lines."""
    yield order_placed(s, ask)
    if ask.paid:
        yield e.PaymentReceived(s.order.terms.total)


def order_exists(s: Situation, ask: PlaceOrder) -> Events:
    """Placed again: the same content changes nothing, other content is refused."""
    if s.order.placed_fingerprint != ask.fingerprint:
        yield from s.no("order-exists", f"Order {ask.order_id} stands already, with other content.", ref=ask.order_id)


def order_placed(s: Situation, ask: PlaceOrder) -> e.OrderPlaced:
    """The event; ``BadInput`` for amounts that do not work out."""
    if exponent(ask.currency) is None:
        raise BadInput("/currency", "form", f"{ask.currency} is not a currency of ISO 4217 with minor units")
    calendar = s.market.calendar(ask.timezone)
    _check_calendar(calendar)
    discount = _minor(ask, "discount")
    rounding = _minor(ask, "rounding")
    shipping = _minor(ask, "shipping")
    shipping_tax = _minor(ask, "shipping_tax")
    lines = _placed_lines(ask, discount - rounding)
    goods = sum(line.quantity * line.unit_price - line.discount for line in lines)
    tax = 0 if ask.tax_included else sum(line.tax for line in lines) + shipping_tax
    total = goods + tax - discount + shipping + rounding
    if total > LARGEST:
        raise BadInput("/total", "form", "the order is larger than amounts can be")
    if ask.total is not None and _minor(ask, "total") != total:
        raise BadInput(
            "/total",
            "form",
            f"is {ask.total}, but the lines, discounts, taxes and shipping come to {total} minor units",
        )
    return e.OrderPlaced(
        po_number=ask.po_number or ask.order_id,
        checkout_id=ask.checkout_id,
        buyer_id=ask.buyer_id,
        seller_id=ask.seller_id,
        currency=ask.currency,
        policy=e.PolicyRef(s.ref.id, s.ref.version, s.ref.sha256),
        sale_format=ask.sale_format,
        lines=lines,
        tax_included=ask.tax_included,
        discount=discount,
        shipping=shipping,
        shipping_tax=shipping_tax,
        rounding=rounding,
        total=total,
        ship_by=ask.ship_by,
        pay_by=ask.pay_by,
        calendar=calendar,
        replaces=None if ask.replaces is None else e.Replaces(ask.replaces.order_id, ask.replaces.lines),
        deadlines=_deadlines(s, ask, s.policy, calendar),
    )


def _minor(ask: PlaceOrder, name: str) -> int:
    amount: str | None = getattr(ask, name)
    return 0 if amount is None else minor_units(amount, ask.currency, f"/{name}")


def _check_calendar(calendar: e.Calendar) -> None:
    try:
        zone(calendar.timezone)
        if calendar.holiday_calendar is not None:
            holiday_calendar(calendar.holiday_calendar)
    except ValueError as unknown:
        raise BadInput("/timezone", "form", str(unknown)) from None


def _placed_lines(ask: PlaceOrder, to_share: int) -> tuple[e.PlacedLine, ...]:
    """The lines in the order of their numbers, each with its share of the order's discount less rounding."""
    ordered = sorted(enumerate(ask.lines), key=lambda pair: pair[1].line)
    amounts = [_amounts(ask, line, i) for i, line in ordered]
    values = [
        line.quantity * price - discount for (_, line), (price, discount, _) in zip(ordered, amounts, strict=True)
    ]
    for (i, _), value in zip(ordered, values, strict=True):
        if value < 0:
            raise BadInput(f"/lines/{i}/discount", "form", "the discount is larger than the line's value")
    shares = largest_remainder(to_share, values)
    placed = []
    for (i, line), (price, discount, tax), value, share in zip(ordered, amounts, values, shares, strict=True):
        if value - share < 0:
            raise BadInput("/discount", "form", f"its share makes line {line.line} (/lines/{i}) negative")
        listing = None if line.listing is None else e.Listing(line.listing.ref, bytes.fromhex(line.listing.sha256))
        refundable_tax = 0 if ask.tax_included else tax
        placed.append(
            e.PlacedLine(
                line.line,
                line.sku,
                line.title,
                line.quantity,
                price,
                discount,
                tax,
                value - share,
                refundable_tax,
                listing,
            )
        )
    return tuple(placed)


def _amounts(ask: PlaceOrder, line: NewLine, i: int) -> tuple[int, int, int]:
    """Unit price, discount and tax of a line in minor units."""
    at = f"/lines/{i}"
    price = minor_units(line.unit_price, ask.currency, f"{at}/unit_price")
    discount = minor_units(line.discount, ask.currency, f"{at}/discount") if line.discount else 0
    tax = minor_units(line.tax, ask.currency, f"{at}/tax") if line.tax else 0
    if line.quantity * price > LARGEST or tax > LARGEST:
        raise BadInput(f"{at}/unit_price", "form", "the line is larger than amounts can be")
    return price, discount, tax


def _deadlines(s: Situation, ask: PlaceOrder, policy: Policy, calendar: e.Calendar) -> tuple[e.Deadline, ...]:
    """``unpaid`` and ``late-ship``, where the policy has them and they can apply."""
    found: list[e.Deadline] = []
    if policy.unpaid_auto_cancel is not None and not ask.paid:
        due_at = ask.pay_by if ask.pay_by is not None else after(s.now, policy.unpaid_auto_cancel.after, calendar)
        found.append(e.Deadline("unpaid-1", "unpaid", due_at, ask.order_id))
    if policy.late_ship_auto_cancel is not None and ask.ship_by is not None:
        found.append(e.Deadline("late-ship-1", "late-ship", late_ship(policy, ask.ship_by, calendar), ask.order_id))
    return tuple(found)


def late_ship(policy: Policy, ship_by: Instant, calendar: e.Calendar) -> Instant:
    """When what is still open is cancelled by itself (rule ``late-ship-auto-cancel``)."""
    assert policy.late_ship_auto_cancel is not None
    return after(ship_by, policy.late_ship_auto_cancel.after_ship_by, calendar)


def confirm_payment(s: Situation, ask: ConfirmPayment) -> Events:
    """Money came in; what was cancelled meanwhile is refunded by ``settle`` in the same commit."""
    amount = minor_units(ask.amount, s.order.terms.currency, "/amount")
    if s.order.paid + amount > s.order.terms.total:
        yield from s.no(
            "paid-already",
            f"{s.order.paid} of {s.order.terms.total} minor units are paid; {amount} more would be too much.",
            fact("paid_minor", s.order.paid),
            fact("total_minor", s.order.terms.total),
        )
        return
    yield e.PaymentReceived(amount)


def record_other_refund(s: Situation, ask: RecordOtherRefund) -> Events:
    """Money was given back outside a cancellation."""
    amount = minor_units(ask.amount, s.order.terms.currency, "/amount")
    left = s.order.paid - s.order.refunds_instructed - s.order.other_refunds
    if amount > left:
        yield from s.no(
            "more-than-paid",
            f"Of what was paid, {left} minor units are not refunded yet; {amount} would be more.",
            fact("left_minor", left),
        )
        return
    yield e.OtherRefundRecorded(amount, sealed(ask.note))
