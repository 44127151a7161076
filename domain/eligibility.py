"""Finds when the answer to a question about an order changes, nothing new happening.

It judges by the rules that decide, on a copy of the order.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from domain import events as e
from domain.calendar import Length, after
from domain.deadlines import due, next_due, without_overdue
from domain.decisions.context import DecisionContext
from domain.instants import LATEST, Instant
from domain.order import Order
from domain.verdict import Ruling

MOST_STEPS = 100


def changes_at(
    s: DecisionContext,
    ask: Callable[[DecisionContext], Ruling],
    points: Iterator[Instant],
    reached: Callable[[Order, e.Deadline, Instant], Order],
) -> Instant | None:
    """Return the first instant after now with another answer (outcome and rule), or None if there is none.

    Deadlines are reached on the way. A deadline acts from a microsecond after its due instant. ``points`` are instants
    at which a window opens or closes; those at or after ``LATEST`` never come.
    """
    waiting = sorted({point for point in points if s.now < point < LATEST})
    order, now = without_overdue(s.order, s.now), s.now
    if not waiting and next_due(order) is None:
        return None
    first = ask(s).answer
    for _ in range(MOST_STEPS):
        soonest = next_due(order)
        candidates = [*waiting[:1], *([max(soonest, now) + 1] if soonest is not None else [])]
        now = min(candidates, default=LATEST)
        if now >= LATEST:
            return None
        waiting = [point for point in waiting if point > now]
        order = reach_all(order, now, reached)
        if ask(replace(s, order=order, now=now)).answer != first:
            return now
    return None


def reach_all(order: Order, before: Instant, reached: Callable[[Order, e.Deadline, Instant], Order]) -> Order:
    """Reach every deadline before an instant, in their order, and return the order after them."""
    for _ in range(MOST_STEPS):
        waiting = due(order, before)
        if not waiting:
            return order
        order = reached(order, waiting[0], max(waiting[0].due_at, order.recorded_at))
    return order


def after_delivery(s: DecisionContext, days: int | None) -> Iterator[Instant]:
    """The first instants after a window of ``days`` from delivery, one for each delivered line."""
    if days is None:
        return
    for line in s.order.lines.values():
        if line.delivered_at is not None:
            yield after(line.delivered_at, Length(days, "days"), s.calendar) + 1
