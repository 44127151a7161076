"""The rows of an order's current state. ``domain.order_json`` decides its status."""

from collections.abc import Iterator
from typing import Final

from domain.deadlines import live
from domain.instants import EARLIEST, Instant
from domain.money import exponent
from domain.order import Order
from domain.order_json import attention, money, status
from projections.after_delivery import after_delivery_rows
from projections.money import money_rows
from projections.quantities import quantities
from projections.tables import DEADLINES, ORDER_LINES, ORDERS, REQUESTS, SHIPMENTS, Row, Table


def state_rows(order: Order, partition: int, *, unreadable: bool = False) -> Iterator[tuple[Table, list[Row]]]:
    """Yield all rows of an order's state, and none before it is placed. ``unreadable``: the log has later events of it,
    which this release cannot read."""
    if order.placed is None:
        return
    deadlines = deadline_rows(order)
    yield ORDERS, [order_row(order, partition, deadlines, unreadable)]
    yield ORDER_LINES, line_rows(order)
    if order.requests:
        yield REQUESTS, request_rows(order)
    yield from money_rows(order)
    if order.shipments:
        yield SHIPMENTS, shipment_rows(order)
    if order.returns or order.cases or order.disputes or order.dismissed:
        yield from after_delivery_rows(order)
    yield DEADLINES, deadlines


def order_row(order: Order, partition: int, deadlines: list[Row], unreadable: bool) -> Row:
    """Return the row of the table orders. ``deadlines`` are the order's rows of the table deadlines."""
    terms = order.terms
    amounts = money(order)
    opened = shipped = canceled = 0
    for line in order.lines.values():
        opened += line.open
        shipped += line.shipped
        canceled += line.canceled
    reasons = attention(order, EARLIEST)
    if unreadable:
        reasons.append("stuck")
    return ORDERS.row(
        marketplace=order.marketplace,
        order_id=order.order_id,
        po_number=terms.po_number,
        checkout_id=terms.checkout_id,
        buyer_id=terms.buyer_id,
        seller_id=terms.seller_id,
        currency=terms.currency,
        currency_exponent=exponent(terms.currency),
        sale_format=terms.sale_format,
        status=status(order),
        attention=",".join(reasons),
        version=order.version,
        policy_id=terms.policy.id,
        policy_version=terms.policy.version,
        policy_sha256=terms.policy.sha256.hex(),
        placed_at=order.placed_at,
        updated_at=order.recorded_at,
        ship_by=order.ship_by,
        late_from=_late_from(order, opened),
        next_deadline_at=min([row[_DUE_AT] for row in deadlines], default=None),  # type: ignore[type-var]
        total_minor=amounts["total_minor"],
        paid_minor=amounts["paid_minor"],
        refund_due_minor=amounts["refund_due_minor"],
        refunded_minor=amounts["refunded_minor"],
        other_refunds_minor=amounts["other_refunds_minor"],
        kept_minor=amounts["kept_minor"],
        open_units=opened,
        shipped_units=shipped,
        canceled_units=canceled,
        partition=partition,
    )


def _late_from(order: Order, open_units: int) -> Instant | None:
    """The instant after which ``attention`` says late, nothing new happening."""
    found = [order.ship_by] if order.ship_by is not None and open_units > 0 else []
    if order.cases:
        found += [d.due_at for d in live(order) if d.kind == "case"]
    return min(found, default=None)


def line_rows(order: Order) -> list[Row]:
    currency = order.terms.currency
    decimals = exponent(currency)
    return [
        ORDER_LINES.row(
            marketplace=order.marketplace,
            order_id=order.order_id,
            line=line.number,
            sku=line.sku,
            title=line.title,
            ordered=line.ordered,
            open=line.open,
            shipped=line.shipped,
            canceled=line.canceled,
            auto_canceled=line.auto_canceled,
            returned=line.returned,
            rebilled=line.rebilled,
            delivered=line.delivered,
            undelivered=line.undelivered,
            part_of=line.part_of,
            currency=currency,
            currency_exponent=decimals,
            goods_minor=line.goods,
            tax_minor=line.tax,
            shipping_minor=line.shipping,
            shipping_tax_minor=line.shipping_tax,
        )
        for line in order.lines.values()
    ]


def request_rows(order: Order) -> list[Row]:
    seller = order.terms.seller_id
    return [
        REQUESTS.row(
            marketplace=order.marketplace,
            order_id=order.order_id,
            request_id=request.request_id,
            seller_id=seller,
            asked_by=request.by,
            reason=request.reason,
            lines=quantities(request.requested),
            status=request.status,
            asked_at=request.requested_at,
            decide_by=request.decide_by,
            rule=request.rule,
            decided_at=request.decided_at,
            awaits=order.awaits(request),
        )
        for request in order.requests.values()
    ]


def shipment_rows(order: Order) -> list[Row]:
    return [
        SHIPMENTS.row(
            marketplace=order.marketplace,
            order_id=order.order_id,
            shipment_id=shipment.shipment_id,
            seller_id=order.terms.seller_id,
            carrier=shipment.carrier,
            tracking_number=shipment.tracking_number,
            status=shipment.status,
            lines=quantities(shipment.lines),
            occurred_at=shipment.occurred_at,
            last_seen_at=shipment.last_seen,
            ship_by=shipment.ship_by,
            delivered_at=shipment.delivered_at,
        )
        for shipment in order.shipments.values()
    ]


def deadline_rows(order: Order) -> list[Row]:
    if not order.deadlines:
        return []
    return [
        DEADLINES.row(
            marketplace=order.marketplace,
            order_id=order.order_id,
            deadline_id=d.deadline_id,
            kind=d.kind,
            due_at=d.due_at,
            ref=d.ref,
        )
        for d in live(order)
    ]


_DUE_AT: Final = DEADLINES.names.index("due_at")
