"""Sellers and buyers in numbers: what was placed, cancelled and given back on each local day. COMMANDS.md 5."""

from collections.abc import Iterator
from functools import lru_cache

from domain.calendar import local_date
from domain.events import OrderPlaced, RefundDue
from domain.instants import Instant
from domain.standing import asked_by_buyer, count_of, first_canceled
from projections.changes import Sum, Told, ToldEvent
from projections.tables import BUYER_STANDING, SELLER_DAILY


def order_placed(told: Told, at: ToldEvent) -> Iterator[Sum]:
    assert isinstance(at.event, OrderPlaced)
    lines = len(at.event.lines)
    yield _sum(told, orders_placed=1, lines_placed=lines)
    yield _of_buyer(told, orders_placed=1, lines_placed=lines)


def refund_due(told: Told, at: ToldEvent) -> Iterator[Sum]:
    """On the day of the instruction, whenever it is confirmed."""
    assert isinstance(at.event, RefundDue)
    yield _sum(told, refund_minor=at.event.amount)


def canceled(told: Told, at: ToldEvent) -> Iterator[Sum]:
    """A line counts once, under the cause that first cancelled any of it (``domain.standing``)."""
    order = told.order
    assert order is not None
    place = next(number for number, event in enumerate(told.events) if event is at)
    for each in first_canceled(order, [event.event for event in told.events], place):
        count = count_of(each.cause, each.reason)
        if count is not None:
            yield _sum(told, **{count: 1})
        if asked_by_buyer(order, each.cause, each.request_id):
            yield _of_buyer(told, canceled=1)


def _sum(
    told: Told,
    orders_placed: int = 0,
    lines_placed: int = 0,
    by_request: int = 0,
    by_seller: int = 0,
    automatic: int = 0,
    refund_minor: int = 0,
) -> Sum:
    """The arguments are in the order of the table's columns."""
    assert told.order is not None
    terms = told.order.terms
    key = (told.marketplace, terms.seller_id, local_day(told.recorded_at, terms.calendar.timezone))
    return Sum(SELLER_DAILY, key, (orders_placed, lines_placed, by_request, by_seller, automatic, refund_minor))


def _of_buyer(told: Told, orders_placed: int = 0, lines_placed: int = 0, canceled: int = 0) -> Sum:
    assert told.order is not None
    terms = told.order.terms
    key = (told.marketplace, terms.buyer_id, local_day(told.recorded_at, terms.calendar.timezone))
    return Sum(BUYER_STANDING, key, (orders_placed, lines_placed, canceled))


@lru_cache(maxsize=4096)
def local_day(instant: Instant, timezone: str) -> str:
    """The local day as ISO date."""
    return local_date(instant, timezone).isoformat()
