"""Finds when the answer to a question about an order would change if nothing new happened.

The answer comes from the same rules that decide commands, on a copy of the order.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol

from domain.calendar import Length, after
from domain.decisions.context import DecisionContext
from domain.instants import LATEST, Instant
from domain.order import Order
from domain.verdict import Ruling


class Ahead(Protocol):
    """An order whose deadlines are reached one after the other, as if nothing else happened."""

    order: Order

    def next_due(self) -> Instant | None:
        """The earliest instant at which a deadline that applies falls due."""

    def reach_before(self, instant: Instant) -> None:
        """Reach every deadline that is due before an instant, in their order."""


def changes_at(
    s: DecisionContext, ask: Callable[[DecisionContext], Ruling], points: Iterator[Instant], ahead: Ahead
) -> Instant | None:
    """Return the first instant after now with another answer (outcome and rule), or None if there is none.

    Deadlines are reached on the way. A deadline acts from a microsecond after its due instant. ``points`` are instants
    at which a window opens or closes; those at or after ``LATEST`` never come.
    Each instant is tried once, however many deadlines are due at it.
    """
    waiting = sorted({point for point in points if s.now < point < LATEST}, reverse=True)
    now, soonest = s.now, ahead.next_due()
    if not waiting and soonest is None:
        return None
    first = ask(s).answer
    while waiting or soonest is not None:
        candidates = [*waiting[-1:], *([max(soonest, now) + 1] if soonest is not None else [])]
        now = min(candidates)
        if now >= LATEST:
            return None
        if waiting and waiting[-1] == now:
            waiting.pop()
        ahead.reach_before(now)
        if ask(replace(s, order=ahead.order, now=now)).answer != first:
            return now
        soonest = ahead.next_due()
    return None


def after_delivery(s: DecisionContext, days: int | None) -> Iterator[Instant]:
    """The first instants after a window of ``days`` from delivery, one for each delivered line."""
    if days is None:
        return
    for line in s.order.lines.values():
        if line.delivered_at is not None:
            yield after(line.delivered_at, Length(days, "days"), s.calendar) + 1
