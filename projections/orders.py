"""The tables that show an order as it stands: rows from its state, with one status logic (``domain.show``)."""

from collections.abc import Iterator
from typing import Final

from domain.deadlines import live
from domain.instants import EARLIEST, Instant
from domain.order import Order
from domain.show import attention, money, status
from projections.after_delivery import after_delivery_rows
from projections.quantities import quantities
from projections.tables import DEADLINES, ORDER_LINES, ORDERS, REBILLS, REFUNDS, REQUESTS, SHIPMENTS, Row, Table


def state_rows(order: Order, partition: int, *, stuck: bool = False) -> Iterator[tuple[Table, list[Row]]]:
    """Every row that an order has in the tables of its state; none before it is placed. ``stuck``: it goes on in the
    log, but this release cannot follow."""
    if order.placed is None:
        return
    deadlines = deadline_rows(order)
    yield ORDERS, [order_row(order, partition, deadlines, stuck)]
    yield ORDER_LINES, line_rows(order)
    if order.requests:
        yield REQUESTS, request_rows(order)
    if order.refunds:
        yield REFUNDS, refund_rows(order)
    if order.shipments:
        yield SHIPMENTS, shipment_rows(order)
    if order.rebills:
        yield REBILLS, rebill_rows(order)
    if order.returns or order.cases or order.disputes or order.dismissed:
        yield from after_delivery_rows(order)
    yield DEADLINES, deadlines


def order_row(order: Order, partition: int, deadlines: list[Row], stuck: bool) -> Row:
    """The row of table orders; ``deadlines`` are its rows of that table."""
    terms = order.terms
    amounts = money(order)
    opened = shipped = canceled = 0
    for line in order.lines.values():
        opened += line.open
        shipped += line.shipped
        canceled += line.canceled
    said = attention(order, EARLIEST)
    if stuck:
        said.append("stuck")
    return (
        order.marketplace,
        order.order_id,
        terms.po_number,
        terms.checkout_id,
        terms.buyer_id,
        terms.seller_id,
        terms.currency,
        terms.sale_format,
        status(order),
        ",".join(said),
        order.version,
        terms.policy.id,
        terms.policy.version,
        terms.policy.sha256.hex(),
        order.placed_at,
        order.recorded_at,
        order.ship_by,
        _late_from(order, opened),
        min([row[_DUE_AT] for row in deadlines], default=None),  # type: ignore[type-var]
        amounts["total_minor"],
        amounts["paid_minor"],
        amounts["refund_due_minor"],
        amounts["refunded_minor"],
        order.other_refunds,
        amounts["kept_minor"],
        opened,
        shipped,
        canceled,
        partition,
    )


def _late_from(order: Order, open_units: int) -> Instant | None:
    """The instant after which ``attention`` says late, nothing new happening."""
    found = [order.ship_by] if order.ship_by is not None and open_units > 0 else []
    if order.cases:
        found += [d.due_at for d in live(order) if d.kind == "case"]
    return min(found, default=None)


def line_rows(order: Order) -> list[Row]:
    return [
        (
            order.marketplace,
            order.order_id,
            line.number,
            line.sku,
            line.title,
            line.ordered,
            line.open,
            line.shipped,
            line.canceled,
            line.auto_canceled,
            line.returned,
            line.rebilled,
            line.delivered,
            line.goods,
            line.tax,
        )
        for line in order.lines.values()
    ]


def request_rows(order: Order) -> list[Row]:
    seller = order.terms.seller_id
    return [
        (
            order.marketplace,
            order.order_id,
            request.request_id,
            seller,
            request.by,
            request.reason,
            quantities(request.asked),
            request.status,
            request.asked_at,
            request.decide_by,
            request.rule,
        )
        for request in order.requests.values()
    ]


def refund_rows(order: Order) -> list[Row]:
    terms = order.terms
    return [
        (
            order.marketplace,
            order.order_id,
            refund.refund_id,
            terms.seller_id,
            terms.currency,
            refund.amount,
            refund.status,
            int(refund.failed),
            refund.due_at,
        )
        for refund in order.refunds.values()
    ]


def rebill_rows(order: Order) -> list[Row]:
    terms = order.terms
    return [
        (
            order.marketplace,
            order.order_id,
            rebill.rebill_id,
            terms.seller_id,
            terms.currency,
            rebill.amount,
            quantities(rebill.lines),
            rebill.status,
            int(rebill.failed),
            rebill.memo_id,
            rebill.due_at,
            rebill.confirmed_at,
        )
        for rebill in order.rebills.values()
    ]


def shipment_rows(order: Order) -> list[Row]:
    return [
        (
            order.marketplace,
            order.order_id,
            shipment.shipment_id,
            shipment.carrier,
            shipment.tracking_number,
            shipment.status,
            quantities(shipment.lines),
            shipment.occurred_at,
            shipment.last_seen,
        )
        for shipment in order.shipments.values()
    ]


def deadline_rows(order: Order) -> list[Row]:
    if not order.deadlines:
        return []
    return [(order.marketplace, order.order_id, d.deadline_id, d.kind, d.due_at, d.ref) for d in live(order)]


_DUE_AT: Final = DEADLINES.names.index("due_at")
