"""The seller's dashboard in numbers: what was placed, cancelled and given back on each local day. COMMANDS.md 5."""

from collections.abc import Iterator
from functools import lru_cache

from domain.calendar import local_date
from domain.events import AutoCanceled, LinesCanceled, OrderPlaced, RefundDue
from domain.instants import Instant, to_datetime
from domain.reasons import SELLERS_REASONS
from projections.changes import Sum, Told, ToldEvent
from projections.tables import SELLER_DAILY


def order_placed(told: Told, at: ToldEvent) -> Iterator[Sum]:
    assert isinstance(at.event, OrderPlaced)
    yield _sum(told, orders_placed=1, lines_placed=len(at.event.lines))


def refund_due(told: Told, at: ToldEvent) -> Iterator[Sum]:
    """On the day of the instruction, whenever it is confirmed."""
    assert isinstance(at.event, RefundDue)
    yield _sum(told, refund_minor=at.event.amount)


def canceled(told: Told, at: ToldEvent) -> Iterator[Sum]:
    """A line counts once, under the cause that first cancelled any of it."""
    assert told.order is not None
    after = {number: line.canceled for number, line in told.order.lines.items()}
    later = False
    for told_event in told.events:
        later = later or told_event is at
        if later:
            for line, quantity, _, _ in _entries(told_event):
                after[line] -= quantity
    counted = {number for number, units in after.items() if units}
    for line, _, cause, reason in _entries(at):
        if line in counted:
            continue
        counted.add(line)
        match cause:
            case "request" | "dispute":
                yield _sum(told, by_request=1)
            case "seller":
                yield _sum(told, by_seller=1)
            case "support" if reason in SELLERS_REASONS:
                yield _sum(told, by_seller=1)
            case "fill_or_kill" | "late_ship":
                yield _sum(told, automatic=1)
            case _:
                pass  # unpaid counts for nobody, support's own reasons for neither side


def _entries(at: ToldEvent) -> list[tuple[int, int, str, str | None]]:
    """Line, units, cause and reason of everything that an event cancels."""
    match at.event:
        case LinesCanceled(lines=lines):
            return [(part.line, part.quantity, part.cause, part.reason) for part in lines]
        case AutoCanceled(line=line, quantity=quantity):
            return [(line, quantity, "fill_or_kill", None)]
        case _:
            return []


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


@lru_cache(maxsize=4096)
def local_day(instant: Instant, timezone: str) -> str:
    """The local day as ISO date; at the very ends of the calendar, where a zone has none, the day in UTC."""
    try:
        return local_date(instant, timezone).isoformat()
    except OverflowError:
        return to_datetime(instant).date().isoformat()
