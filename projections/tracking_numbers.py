"""Every tracking number that an event names, whatever it is of: the search finds the order by it."""

from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

from domain import events as e
from projections.changes import CommitView, Fact
from projections.tables import TRACKING_NUMBERS

_NAMING: Final = (
    e.LineShipped,
    e.LinePartiallyShipped,
    e.TrackingStarted,
    e.TrackingMoved,
    e.ShippedAfterCancelFound,
    e.ReturnStarted,
)
SOURCES: Final = MappingProxyType[type, str](
    {
        e.LineShipped: "shipment",
        e.LinePartiallyShipped: "shipment",
        e.TrackingStarted: "tracking",
        e.TrackingMoved: "tracking",
        e.ShippedAfterCancelFound: "shipped_after_cancel",
        e.ReturnStarted: "return",
    }
)
"""Event class with a tracking number → the source that its row names."""


def tracking_numbers(view: CommitView) -> Iterator[Fact]:
    """The rows of a commit: one for each number and source, since a shipping notice has an event for each line."""
    seen: set[tuple[str, str]] = set()
    for at in view.events:
        event = at.event
        if not isinstance(event, _NAMING):
            continue
        number, source = event.tracking_number, SOURCES[event.__class__]
        if number is None or (number, source) in seen:
            continue
        seen.add((number, source))
        match event:
            case e.ReturnStarted():
                ref: str | None = event.return_id
            case e.ShippedAfterCancelFound():
                ref = None
            case _:
                ref = event.shipment_id
        yield Fact(
            TRACKING_NUMBERS,
            TRACKING_NUMBERS.row(
                marketplace=view.marketplace,
                order_id=view.order_id,
                tracking_number=number,
                position=at.position,
                source=source,
                carrier=event.carrier,
                ref=ref,
                named_at=view.recorded_at,
            ),
        )
