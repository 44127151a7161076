"""Picks the three orders that the first page of a demo marketplace links to, from the views as they are now."""

from dataclasses import dataclass
from typing import Final

from domain.instants import Instant, parse_instant
from domain.policy import PolicyBook
from infra.views.reading import OrderFilter, Reading, attention_of

MARKETPLACE: Final = "demo"
POLICY: Final = "tracked-parcels"
"""A policy that the demo publishes when it fills a store, and nobody else: it is how a filled store is known."""
LOOKED_THROUGH: Final = 400
"""Orders that are looked through, newest first: the demo makes about 300."""


@dataclass(frozen=True, slots=True)
class DemoTour:
    """Ids of orders to look at; None where no order is in that state any more."""

    orders: int
    """Orders of the marketplace."""
    waiting: str | None
    """Its cancellation request needs an answer: the one due next or, if all are overdue, the one overdue longest."""
    partly_shipped: str | None
    """A part was shipped, and the rest was canceled."""
    shipped_after_cancel: str | None
    """It was canceled but shipped anyway."""


def is_demo(book: PolicyBook) -> bool:
    """Whether the demo of this or an earlier release filled the store."""
    return book.newest(POLICY) is not None


def demo_tour(reading: Reading, now: Instant) -> DemoTour:
    """Read the tour from the views, as of ``now``."""
    requests = reading.waiting_requests(MARKETPLACE)
    in_time = [row for row in requests if row["decide_by"] is not None and parse_instant(row["decide_by"]) > now]
    rows = reading.orders(OrderFilter(MARKETPLACE), limit=LOOKED_THROUGH).rows
    return DemoTour(
        sum(reading.counts(MARKETPLACE).values()),
        next((row["order_id"] for row in in_time or requests), None),
        next((row["order_id"] for row in rows if row["shipped_units"] and row["canceled_units"]), None),
        next((row["order_id"] for row in rows if "shipped_after_cancel" in attention_of(row, now)), None),
    )
