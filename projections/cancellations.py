"""Which units were cancelled, when and why: one row for each part of a cancellation."""

from collections.abc import Iterator

from domain.events import AutoCanceled, LinesCanceled
from domain.references import reference_of
from projections.changes import Fact, Told, ToldEvent
from projections.tables import CANCELLATIONS, Cell


def lines_canceled(told: Told, at: ToldEvent) -> Iterator[Fact]:
    """Each entry of ``LinesCanceled`` carries its own cause."""
    assert isinstance(at.event, LinesCanceled)
    for part, line in enumerate(at.event.lines):
        yield _fact(told, at, part, line.cause, line.line, line.quantity, line.reason, line.request_id, None)


def auto_canceled(told: Told, at: ToldEvent) -> Iterator[Fact]:
    """Fill-or-kill gives no reason but the notice that did it."""
    event = at.event
    assert isinstance(event, AutoCanceled)
    yield _fact(told, at, 0, "fill_or_kill", event.line, event.quantity, None, None, event.shipment_id)


def _fact(told: Told, at: ToldEvent, part: int, cause: str, line: int, quantity: int, *why: Cell) -> Fact:
    assert told.order is not None
    return Fact(
        CANCELLATIONS,
        (
            told.partition,
            at.position,
            part,
            told.marketplace,
            told.order_id,
            told.order.terms.seller_id,
            cause,
            line,
            quantity,
            *why,
            reference_of(told.commit),
            told.recorded_at,
        ),
    )
