"""Standing: the share of placed lines that a seller or a buyer cancels, over a rolling window (rule ``standing``).

The seller's own cancellations, fill-or-kill and late-ship count against the seller, and lost units where the policy
says so. The buyer's requests count against the buyer. Unpaid lines and cancellations for support's own reasons count
against nobody. A line counts once, on the day and under the cause of its first cancellation. The functions are pure:
callers pass the daily counts.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import Final, Literal

from domain.calendar import Length, is_day_off
from domain.events import AutoCanceled, Calendar, Event, LinesCanceled, ParcelUndelivered
from domain.order import Order
from domain.policy_terms import Standing
from domain.reasons import SELLERS_REASONS

Count = Literal["by_request", "by_seller", "automatic"]
Side = Literal["seller", "buyer"]

DEFAULT: Final = Standing()
"""The window for a policy that sets none. Its limit is not enforced."""


@dataclass(frozen=True, slots=True)
class FirstCanceled:
    """The first cancellation of units of a line, and its cause."""

    line: int
    cause: str
    reason: str | None
    request_id: str | None


def entries(event: Event) -> Iterator[tuple[FirstCanceled, int]]:
    """Yield each cancellation in an event, with its number of units."""
    match event:
        case LinesCanceled(lines=lines):
            for part in lines:
                yield FirstCanceled(part.line, part.cause, part.reason, part.request_id), part.quantity
        case AutoCanceled(line=line, quantity=quantity):
            yield FirstCanceled(line, "fill_or_kill", None, None), quantity
        case ParcelUndelivered(lines=lost, counts=True):
            for units in lost:
                yield FirstCanceled(units.line, "undelivered", None, None), units.quantity
        case _:
            pass


def first_canceled(after: Order, events: Sequence[Event]) -> Iterator[FirstCanceled]:
    """Yield the lines whose first units a commit cancels. ``after`` is the order after the commit."""
    canceled = [each for event in events for each in entries(event)]
    before = {each.line: after.lines[each.line].canceled + after.lines[each.line].counted_lost for each, _ in canceled}
    for each, units in canceled:
        before[each.line] -= units
    counted = {number for number, units in before.items() if units}
    for each, _ in canceled:
        if each.line not in counted:
            counted.add(each.line)
            yield each


def count_of(cause: str, reason: str | None) -> Count | None:
    """Return the seller's count to which a canceled line belongs; None if it counts for neither side.

    A cancellation with the reason ``buyer_asked`` but without a request has the cause ``seller``, so it is the
    seller's own.
    """
    match cause:
        case "request" | "dispute":
            return "by_request"
        case "seller" | "undelivered":
            return "by_seller"
        case "support" if reason in SELLERS_REASONS:
            return "by_seller"
        case "fill_or_kill" | "late_ship":
            return "automatic"
        case _:
            return None


def asked_by_buyer(order: Order, cause: str, request_id: str | None) -> bool:
    """Whether a line was canceled at its buyer's request. Under mutual consent, a seller may have requested it."""
    if cause not in ("request", "dispute"):
        return False
    request = None if request_id is None else order.requests.get(request_id)
    return request is None or request.by == "buyer"


def touched(after: Order, events: Sequence[Event]) -> list[Side]:
    """Return whose standing the events of one commit affect, for a preview. ``after`` is the order after them."""
    found: set[Side] = set()
    for each in first_canceled(after, events):
        if count_of(each.cause, each.reason) in ("by_seller", "automatic"):
            found.add("seller")
        elif asked_by_buyer(after, each.cause, each.request_id):
            found.add("buyer")
    return sorted(found, reverse=True)


# ---- the rate --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Day:
    """The counts of one local day: lines ``placed``, and canceled lines that count ``against`` the party."""

    day: date
    placed: int
    against: int


@dataclass(frozen=True, slots=True)
class Window:
    """A range of local days, both ends included."""

    first: date
    last: date

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last


def window(last: date, length: Length, calendar: Calendar) -> Window:
    """Return the window that ends with this local day.

    Counts are stored by day, so hours and minutes are rounded up to days. A length in business days covers that many
    working days and the days off between them.
    """
    if length.unit == "business days":
        first, left = last, length.count
        while True:
            left -= not is_day_off(first, calendar)
            if not left or first == date.min or (last - first).days > 8 * length.count + 400:
                return Window(first, last)
            first -= timedelta(days=1)
    per_day = {"days": 1, "hours": 24, "minutes": 24 * 60}[length.unit]
    days = min(max(0, -(-length.count // per_day) - 1), (last - date.min).days)
    return Window(last - timedelta(days=days), last)


def rate(days: Iterable[Day], within: Window) -> Fraction | None:
    """Divide the lines that count against by the lines placed in the window. Returns None if nothing was placed."""
    counted = [day for day in days if day.day in within]
    placed = sum(day.placed for day in counted)
    return Fraction(sum(day.against for day in counted), placed) if placed else None


def limit(terms: Standing | None) -> Fraction | None:
    """Return a policy's limit as a rate (2.5 % is 1/40); None if it sets none."""
    return None if terms is None else Fraction(terms.limit.removesuffix("%").strip()) / 100


def keeps(found: Fraction | None, most: Fraction | None) -> bool:
    """Whether a rate is below the limit. With nothing placed or no limit, the answer is yes."""
    return found is None or most is None or found < most
