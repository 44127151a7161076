"""Figures of sellers and buyers: what was placed, canceled and refunded on each local day."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

from domain.calendar import local_date
from domain.events import OrderPlaced, RefundDue
from domain.instants import Instant
from domain.money import exponent
from domain.standing import Count, count_of, first_canceled, requested_by_buyer
from projections.changes import CommitView, EventView, Sum
from projections.tables import BUYER_STANDING, SELLER_DAILY

COUNTS: Final = SELLER_DAILY.names[SELLER_DAILY.lead :]
"""The columns of ``seller_daily`` that are added up."""
COLUMN_OF: Final[Mapping[Count, str]] = {
    "by_request": "lines_canceled_by_request",
    "by_seller": "lines_canceled_by_seller",
    "by_marketplace": "lines_canceled_by_marketplace",
    "automatic": "lines_auto_canceled",
}
"""Count of a canceled line → column of ``seller_daily``."""


def order_placed(view: CommitView, at: EventView) -> Iterator[Sum]:
    assert isinstance(at.event, OrderPlaced)
    lines = len(at.event.lines)
    yield _sum(view, orders_placed=1, lines_placed=lines)
    yield _of_buyer(view, orders_placed=1, lines_placed=lines)


def refund_due(view: CommitView, at: EventView) -> Iterator[Sum]:
    """Add a refund on the day of its instruction, whenever it is confirmed."""
    assert isinstance(at.event, RefundDue)
    yield _sum(view, refund_minor=at.event.amount)


def canceled(view: CommitView) -> Iterator[Sum]:
    """The lines that a commit cancels: each counts once, under the cause that first canceled any of it."""
    order = view.order
    assert order is not None
    for each in first_canceled(order, [at.event for at in view.events]):
        count = count_of(each.cause, each.reason)
        if count is not None:
            yield _sum(view, **{COLUMN_OF[count]: 1})
        if requested_by_buyer(order, each.cause, each.request_id):
            yield _of_buyer(view, canceled=1)


def _sum(view: CommitView, **counts: int) -> Sum:
    """A row of ``seller_daily`` that adds these counts, by column."""
    assert view.order is not None
    terms = view.order.terms
    row = SELLER_DAILY.row(
        marketplace=view.marketplace,
        seller_id=terms.seller_id,
        day=local_day(view.recorded_at, terms.calendar.timezone),
        currency=terms.currency,
        currency_exponent=exponent(terms.currency),
        **{**dict.fromkeys(COUNTS, 0), **counts},
    )
    return Sum.of(SELLER_DAILY, row)


def _of_buyer(view: CommitView, orders_placed: int = 0, lines_placed: int = 0, canceled: int = 0) -> Sum:
    assert view.order is not None
    terms = view.order.terms
    row = BUYER_STANDING.row(
        marketplace=view.marketplace,
        buyer_id=terms.buyer_id,
        day=local_day(view.recorded_at, terms.calendar.timezone),
        orders_placed=orders_placed,
        lines_placed=lines_placed,
        lines_canceled_by_buyer=canceled,
    )
    return Sum.of(BUYER_STANDING, row)


@lru_cache(maxsize=4096)
def local_day(instant: Instant, timezone: str) -> str:
    """The local day as ISO date."""
    return local_date(instant, timezone).isoformat()
