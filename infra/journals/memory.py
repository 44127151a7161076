"""A deterministic journal in memory with a fault plan, for simulation and tests.

One ``MemoryLog`` is the topic. Each process of a simulation has its own ``MemoryJournal`` on it. Each append is a
*flight* with steps: it is applied (the record enters the log), and it is answered (its future completes). Without a
plan, both happen within ``append``. With ``auto=False`` the simulation takes the steps, flight by flight and in any
order, so it decides which of two appends comes first and whether its sender gets an answer. The log uses no clock and
no random source of its own.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final, Literal, assert_never

from consumers.ports.journal import (
    RECORD_LIMIT,
    Appended,
    AppendRefused,
    AppendUnknown,
    JournalRecord,
    LogLost,
    front_cut,
)
from domain.instants import Instant

Fate = Literal["ok", "lost", "answer-lost", "duplicated", "delayed", "refused", "refused-for-good"]
"""The fate of an append.

- ok: applied, answered.
- lost: never applied, answered *unknown*.
- answer-lost: applied, answered *unknown*.
- duplicated: applied twice, answered.
- delayed: answered *unknown*, applied afterwards.
- refused, refused-for-good: never applied, answered *refused*, retriable or not.
"""
Step = Literal["apply", "acknowledge", "answer-unknown", "refuse", "refuse-for-good"]

STEPS: Final[dict[Fate, tuple[Step, ...]]] = {
    "ok": ("apply", "acknowledge"),
    "lost": ("answer-unknown",),
    "answer-lost": ("apply", "answer-unknown"),
    "duplicated": ("apply", "apply", "acknowledge"),
    "delayed": ("answer-unknown", "apply"),
    "refused": ("refuse",),
    "refused-for-good": ("refuse-for-good",),
}


@dataclass(eq=False, slots=True)
class Flight:
    """An append in progress: the remaining steps of its fate, and where it first entered the log, if it did."""

    number: int
    by: str
    partition: int
    record: bytes
    fate: Fate
    future: Future[Appended]
    steps: list[Step]
    at: Appended | None = None

    @property
    def answered(self) -> bool:
        """Whether the sender has its final answer. The flight may still have to be applied."""
        return all(step == "apply" for step in self.steps)


class MemoryLog:
    """The topic: its records, and the appends in progress (``flights``, oldest first)."""

    def __init__(
        self,
        partitions: int,
        clock: Callable[[], Instant],
        *,
        identity: str = "memory",
        plan: Callable[[int, str, int, bytes], Fate] | None = None,
        auto: bool = True,
    ) -> None:
        """``plan(number, by, partition, record)`` returns the fate of each append, numbered from 0. Without a plan
        every fate is *ok*.

        ``auto``: ``append`` takes all steps itself, except applying after the answer. ``step`` or ``settle`` takes that
        step.
        """
        if partitions < 1:
            raise ValueError(f"{partitions} partitions")
        self.identity = identity
        self.records: list[list[JournalRecord]] = [[] for _ in range(partitions)]
        self.begins = [0] * partitions
        self.flights: list[Flight] = []
        self.plan = plan
        self.auto = auto
        self._clock = clock
        self._sent = 0
        self._changed = threading.Condition()

    def journal(self, by: str = "") -> "MemoryJournal":
        """Return a handle for one process."""
        return MemoryJournal(self, by)

    def step(self, flight: Flight) -> Step:
        """Take the next step of a flight, and return it. A flight without remaining steps leaves ``flights``."""
        with self._changed:
            step = flight.steps.pop(0)
            if not flight.steps:
                self.flights.remove(flight)
            if step == "apply":
                self._apply(flight)
                return step
        future = flight.future
        if future.done():  # its process crashed: nobody waits for the answer
            return step
        match step:
            case "acknowledge":
                assert flight.at is not None
                future.set_result(flight.at)
            case "answer-unknown":
                future.set_exception(AppendUnknown("the answer was lost"))
            case "refuse":
                future.set_exception(AppendRefused("the journal is not available now", retriable=True))
            case "refuse-for-good":
                future.set_exception(AppendRefused("the journal does not take this record", retriable=False))
            case never:
                assert_never(never)
        return step

    def settle(self) -> None:
        """Take every remaining step, flight by flight, oldest first."""
        while self.flights:
            self.step(self.flights[0])

    def truncate(self, partition: int, end: int) -> None:
        """Drop every record from offset ``end`` on, as a log does that loses its tail."""
        with self._changed:
            del self.records[partition][end:]

    def cut_front(self, partition: int, begin: int) -> None:
        """Drop every record before offset ``begin``, as a log does whose retention is too short."""
        with self._changed:
            self.begins[partition] = begin

    def recreate(self, identity: str) -> None:
        """Delete the topic and create it again, empty, with another identity."""
        with self._changed:
            self.identity = identity
            for records in self.records:
                records.clear()

    def _apply(self, flight: Flight) -> None:
        records = self.records[flight.partition]
        record = JournalRecord(flight.partition, len(records), self._clock(), flight.record)
        records.append(record)
        if flight.at is None:
            flight.at = Appended(record.offset, record.appended_at)
        self._changed.notify_all()

    def _send(self, by: str, partition: int, record: bytes) -> Flight:
        with self._changed:
            number = self._sent
            self._sent += 1
        fate: Fate = "ok" if self.plan is None else self.plan(number, by, partition, record)
        flight = Flight(number, by, partition, record, fate, Future(), list(STEPS[fate]))
        with self._changed:
            self.flights.append(flight)
        if self.auto:
            while not flight.answered:
                self.step(flight)
        return flight

    def _wait(self, partition: int, offset: int, timeout: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: len(self.records[partition]) > offset, timeout)


class MemoryJournal:
    """One process's handle on a ``MemoryLog``: the Journal port.

    ``crash`` ends the process: its futures are canceled, and the records it has sent may still be applied.
    """

    def __init__(self, log: MemoryLog, by: str = "") -> None:
        self.log = log
        self.by = by
        self.record_limit = RECORD_LIMIT
        self._gone = False

    silence: Final = 0.0

    @property
    def identity(self) -> str:
        return self.log.identity

    @property
    def partitions(self) -> int:
        return len(self.log.records)

    def append(self, partition: int, key: bytes, record: bytes) -> Future[Appended]:
        self._check(partition)
        if self._gone or len(record) > self.record_limit:
            what = "the journal is closed" if self._gone else f"the record has more than {self.record_limit} bytes"
            refused: Future[Appended] = Future()
            refused.set_exception(AppendRefused(what, retriable=False))
            return refused
        return self.log._send(self.by, partition, record).future

    def read(self, partition: int, offset: int, limit: int) -> list[JournalRecord]:
        self._check(partition)
        records = self.log.records[partition]
        if not 0 <= offset <= len(records):
            raise LogLost(f"partition {partition} ends at offset {len(records)}, there is no offset {offset}")
        if offset < self.log.begins[partition]:
            raise front_cut(partition, self.log.begins[partition])
        return records[offset : offset + limit]

    def ready(self, partition: int, offset: int, limit: int) -> list[JournalRecord]:
        return self.read(partition, offset, limit)  # no record is ever in transit

    def behind_hole(self, partition: int, offset: int) -> int:
        return offset  # every offset has a record

    def begin(self, partition: int) -> int:
        self._check(partition)
        return self.log.begins[partition]

    def end(self, partition: int) -> int:
        self._check(partition)
        return len(self.log.records[partition])

    def wait(self, partition: int, offset: int, timeout: float) -> bool:
        self._check(partition)
        return self.log._wait(partition, offset, timeout)

    def close(self) -> None:
        self._gone = True

    def crash(self) -> None:
        """End the process now."""
        self._gone = True
        for flight in self.log.flights:
            if flight.by == self.by:
                flight.future.cancel()

    def _check(self, partition: int) -> None:
        if not 0 <= partition < len(self.log.records):
            raise ValueError(f"there is no partition {partition} of {len(self.log.records)}")
