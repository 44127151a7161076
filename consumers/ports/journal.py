"""The journal port: one append-only topic with a fixed number of partitions, and what can go wrong with it.

A journal keeps *records* (bytes) under dense-or-holed growing offsets per partition and judges nothing: what a record
means is admission's business (``consumers.log.admission``). Adapters stand in ``infra/journals``; one contract suite
(``tests/contract``) runs against all of them. Append answers three ways, and the difference is what the store's
promise rests on: written at this offset, *refused* (certainly not written), *unknown* (perhaps written, now or later).
"""

from concurrent.futures import Future
from typing import Final, NamedTuple, Protocol

from domain.instants import Instant

RECORD_LIMIT: Final = 1_040_000
"""Bytes of the largest record that any journal need take: below Kafka's default ``max.message.bytes``."""


class Appended(NamedTuple):
    """Where a record came to stand, and the log's own append time."""

    offset: int
    appended_at: Instant


class JournalRecord(NamedTuple):
    """A record as read: ``value`` is exactly what was appended. Offsets grow, but may have holes."""

    partition: int
    offset: int
    appended_at: Instant
    value: bytes


class JournalError(Exception):
    """Something is wrong with the log; the message says what, and what to do next."""


class AppendRefused(JournalError):
    """Certainly not written, now or later. ``retriable``: the same append may succeed when asked again."""

    def __init__(self, message: str, *, retriable: bool) -> None:
        super().__init__(message)
        self.retriable = retriable


class AppendUnknown(JournalError):
    """Nobody can say whether the record is or will yet be in the log; it must not be blindly repeated."""


class JournalUnavailable(JournalError):
    """The log cannot be read at the moment (broker down, file locked); the same call may succeed later."""


class JournalDamaged(JournalError):
    """What is stored cannot be what was written: a broken file, a hole in a dense partition, a wrong checksum."""


class JournalMismatch(JournalError):
    """The log is not the one asked for: another number of partitions, another kind of file."""


class LogLost(JournalError):
    """The log no longer has what it once acknowledged: it ends before, or begins behind, a known offset."""


class LogCut(LogLost):
    """The partition no longer begins at offset 0: its first records were deleted. Local state may still have them."""


def front_cut(partition: int, begin: int) -> LogCut:
    """The partition begins at this offset."""
    return LogCut(
        f"partition {partition}: the log begins at offset {begin}, the records before it were deleted. Stop every "
        "engine, keep local state, see that nothing deletes more (retention, delete-records), and restore the log from "
        "a copy. Nothing is decided on a log that is not complete"
    )


class LogChanged(JournalError):
    """The log has other content than was acknowledged: another identity, or another commit at a known place."""


class Journal(Protocol):
    """One topic. Methods may be called from any thread unless an adapter says otherwise."""

    @property
    def identity(self) -> str:
        """The topic's id: differs after the topic was deleted and created again."""
        ...

    @property
    def partitions(self) -> int:
        """How many partitions there are; fixed when the topic was created."""
        ...

    @property
    def record_limit(self) -> int:
        """Bytes of the largest record that this topic takes; at most RECORD_LIMIT is used."""
        ...

    @property
    def silence(self) -> float:
        """Seconds since whoever keeps the log last answered: so old may be what is known of it. 0 where no answer is
        needed, as for a file of one's own."""
        ...

    def append(self, partition: int, key: bytes, record: bytes) -> Future[Appended]:
        """Append ``record``; the future gives Appended, or raises AppendRefused or AppendUnknown.

        Returns at once and never raises for the log's state: everything arrives through the future, exactly once, in
        bounded time. ``key`` is routing for other clients of the log; the partition is explicit. ValueError if there
        is no such partition. Appends may become visible in another order than they were made.
        """
        ...

    def read(self, partition: int, offset: int, limit: int) -> list[JournalRecord]:
        """At most ``limit`` records from ``offset`` on, in log order; [] at the end.

        An adapter may give fewer (batches are bounded by bytes too), but at least one where there is one. LogLost if
        the offset lies beyond the end or before the start, JournalUnavailable, JournalDamaged.
        """
        ...

    def ready(self, partition: int, offset: int, limit: int) -> list[JournalRecord]:
        """What ``read`` would give, without waiting for what the log has and this process has not been given yet: []
        says nothing about the end. What does not come for long is waited for after all, and raises as ``read`` does."""
        ...

    def behind_hole(self, partition: int, offset: int) -> int:
        """Where to read on after ``read`` gave [] at ``offset``: there, or behind offsets that hold no record and never
        will (a Kafka transaction leaves such). Asks nobody."""
        ...

    def begin(self, partition: int) -> int:
        """The offset of the first record: 0, or more where the front of the log was cut off.

        It may be some seconds old: the first call asks, then the adapter looks from time to time.
        """
        ...

    def end(self, partition: int) -> int:
        """The offset that the next record will get at the earliest: 0 for an empty partition."""
        ...

    def wait(self, partition: int, offset: int, timeout: float) -> bool:
        """Until ``end(partition) > offset``, at most ``timeout`` seconds; whether it is so."""
        ...

    def close(self) -> None:
        """Let go. Neither joins a thread nor waits for a lock; appends under way still get their answer."""
        ...
