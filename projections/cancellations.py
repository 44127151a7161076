"""Which units were canceled, when, why and what they cost: one row for each part of a cancellation."""

from collections.abc import Iterator

from domain.events import AutoCanceled, LinesCanceled
from domain.money import exponent
from domain.order import Order
from domain.references import reference_of
from projections.changes import CommitView, EventView, Fact
from projections.dashboards import local_day
from projections.tables import CANCELLATIONS, Cell


def cancellations(view: CommitView) -> Iterator[Fact]:
    """The rows of a commit. Each entry of ``LinesCanceled`` carries its own cause; fill-or-kill gives no reason but
    the notice that did it."""
    parts = [
        part
        for at in view.events
        if isinstance(at.event, LinesCanceled | AutoCanceled)
        for part in _parts(at, at.event)
    ]
    if not parts:
        return
    order = view.order
    assert order is not None
    terms = order.terms
    reference = reference_of(view.commit)
    decimals = exponent(terms.currency)
    day = local_day(view.recorded_at, terms.calendar.timezone)
    for part, amount in zip(parts, _amounts(order, len(parts)), strict=True):
        yield Fact(
            CANCELLATIONS,
            CANCELLATIONS.row(
                partition=view.partition,
                marketplace=view.marketplace,
                order_id=view.order_id,
                seller_id=terms.seller_id,
                currency=terms.currency,
                currency_exponent=decimals,
                amount_minor=amount,
                reference=reference,
                canceled_at=view.recorded_at,
                day=day,
                **part,
            ),
        )


def _parts(at: EventView, event: LinesCanceled | AutoCanceled) -> Iterator[dict[str, Cell]]:
    if isinstance(event, AutoCanceled):
        yield {
            "position": at.position,
            "part": 0,
            "cause": "fill_or_kill",
            "line": event.line,
            "quantity": event.quantity,
            "reason": None,
            "request_id": None,
            "shipment_id": event.shipment_id,
        }
        return
    for place, line in enumerate(event.lines):
        yield {
            "position": at.position,
            "part": place,
            "cause": line.cause,
            "line": line.line,
            "quantity": line.quantity,
            "reason": line.reason,
            "request_id": line.request_id,
            "shipment_id": None,
        }


def _amounts(order: Order, number: int) -> list[int]:
    """The cost of the last ``number`` parts that were canceled, from the order as their commit left it."""
    found: list[int] = []
    credited: dict[int, int] = {}
    for credit in reversed(order.credits):
        if len(found) == number:
            break
        line = order.lines[credit.line]
        until = credited.get(line.number, line.credited)
        credited[line.number] = until - credit.units
        if credit.canceled_at is not None:
            found.append(line.credit(until) - line.credit(until - credit.units))
    return found[::-1]
