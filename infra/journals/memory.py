"""A journal in memory: deterministic, with a fault plan, for simulation and tests.

One ``MemoryLog`` is the topic; every simulated process has its own ``MemoryJournal`` handle on it. Each append is a
*flight* with two steps: it is applied (comes to stand in the log) and it is answered (its future completes). Without a
plan both happen within ``append``; with one, or with ``auto=False``, the steps are taken by whoever drives the
simulation, in any order.
"""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Literal

from consumers.journal import Appended, JournalRecord
from domain.instants import Instant

Fate = Literal["ok", "lost", "answer-lost", "duplicated", "delayed", "refused", "refused-for-good"]
"""What happens to an append. lost: never applied, answered unknown. answer-lost: applied, answered unknown.
duplicated: applied twice, answered. delayed: answered unknown first, applied later. refused: never applied, and said
so (retriable or for good)."""


@dataclass(eq=False, slots=True)
class Flight:
    """An append on its way. ``applied`` counts how often it stands in the log."""

    number: int
    by: str
    partition: int
    record: bytes
    fate: Fate
    future: Future[Appended]
    steps: list[Literal["apply", "answer"]]
    applied: int = 0
    at: Appended | None = None


class MemoryLog:
    """The topic: what stands in it, and what is on its way to it."""

    def __init__(
        self,
        partitions: int,
        clock: Callable[[], Instant],
        *,
        identity: str = "memory",
        plan: Callable[[int, str, int, bytes], Fate] | None = None,
        auto: bool = True,
    ) -> None:
        """``plan(number, by, partition, record)`` gives each append its fate; ``auto``: steps are taken at once."""
        raise NotImplementedError

    flights: list[Flight]

    def step(self, flight: Flight) -> None:
        """Take the next step of a flight; flights that have none left are no longer in ``flights``."""
        raise NotImplementedError

    def journal(self, by: str = "") -> "MemoryJournal":
        """A handle for one process."""
        raise NotImplementedError


class MemoryJournal:
    """A process's handle on a MemoryLog: the Journal port. ``crash`` drops it: its futures never complete, what it
    sent may still be applied."""

    def read(self, partition: int, offset: int, limit: int) -> list[JournalRecord]:
        raise NotImplementedError
