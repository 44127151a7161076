"""The journal port: one append-only topic with a fixed number of partitions, and what can go wrong with it.

A journal stores *records* (bytes) in each partition under growing offsets, which may have holes. It does not interpret
them; admission does (``consumers.log.admission``). The adapters are in ``infra/journals`` and ``infra/kafka``, and one
contract suite (``tests/contract``) runs against all of them. An append has one of three results. The store's promise
depends on the difference: written at this offset, *refused* (certainly not written), or *unknown* (perhaps written, now
or later).
"""

from concurrent.futures import Future
from typing import Final, NamedTuple, Protocol

from domain.instants import Instant

RECORD_LIMIT: Final = 1_040_000
"""Bytes of the largest record that a journal has to accept: below Kafka's default ``max.message.bytes``."""


class Appended(NamedTuple):
    """The offset of an appended record, and the log's own append time."""

    offset: int
    appended_at: Instant


class JournalRecord(NamedTuple):
    """A record as read. ``value`` is exactly what was appended. Offsets grow, but may have holes."""

    partition: int
    offset: int
    appended_at: Instant
    value: bytes


class JournalError(Exception):
    """Something is wrong with the log. The message says what, and what to do next."""


class AppendRefused(JournalError):
    """The record was certainly not written and will not be. ``retriable``: the same append may succeed later."""

    def __init__(self, message: str, *, retriable: bool) -> None:
        super().__init__(message)
        self.retriable = retriable


class AppendUnknown(JournalError):
    """The record may be in the log, or may still be written. The append must not be repeated blindly."""


class JournalUnavailable(JournalError):
    """The log cannot be read at the moment (broker down, file locked). The same call may succeed later."""


class JournalDamaged(JournalError):
    """The stored log is not what was written: a broken file, a hole in a dense partition, a wrong checksum."""


class JournalMismatch(JournalError):
    """The log is not the expected one: another number of partitions, another kind of file."""


class LogLost(JournalError):
    """The log lost records that it had acknowledged: it ends before, or begins after, a known offset."""


class LogCut(LogLost):
    """The partition no longer begins at offset 0, because its first records were deleted. Local state may have them."""


def front_cut(partition: int, begin: int) -> LogCut:
    """Return the error for a partition that begins at this offset."""
    return LogCut(
        f"partition {partition}: the log begins at offset {begin}, the records before it were deleted. Stop every "
        "engine, keep local state, see that nothing deletes more (retention, delete-records), and restore the log from "
        "a copy. Nothing is decided on a log that is not complete"
    )


class LogChanged(JournalError):
    """The log has other content than it acknowledged: another identity, or another commit at a known offset."""


class Journal(Protocol):
    """One topic. Methods may be called from any thread unless an adapter says otherwise."""

    @property
    def identity(self) -> str:
        """The topic's id. It changes if the topic is deleted and created again."""
        ...

    @property
    def partitions(self) -> int:
        """The number of partitions, which is fixed when the topic is created."""
        ...

    @property
    def record_limit(self) -> int:
        """Bytes of the largest record that this topic accepts. At most RECORD_LIMIT is used."""
        ...

    @property
    def silence(self) -> float:
        """Seconds since the brokers last answered, which is how old the known end of the log may be. 0 for a journal
        without brokers."""
        ...

    def append(self, partition: int, key: bytes, record: bytes) -> Future[Appended]:
        """Append ``record``. The future gives Appended, or raises AppendRefused or AppendUnknown.

        Returns at once and never raises for the log's state. The future is resolved exactly once, in bounded time.
        ``key`` is for other clients of the log; the partition is explicit. Raises ValueError if there is no such
        partition. Appends may become visible in another order than they were made.
        """
        ...

    def read(self, partition: int, offset: int, limit: int) -> list[JournalRecord]:
        """Return at most ``limit`` records from ``offset`` on, in log order; [] at the end.

        May return fewer (batches are bounded by bytes, too), but at least one if there is one. Raises LogLost if the
        offset is beyond the end or before the beginning; JournalUnavailable; JournalDamaged.
        """
        ...

    def ready(self, partition: int, offset: int, limit: int) -> list[JournalRecord]:
        """Return the records that ``read`` would return, as far as this process has received them.

        It does not wait for the rest, so [] does not mean the end. If nothing has arrived for long, it waits and raises
        as ``read`` does.
        """
        ...

    def behind_hole(self, partition: int, offset: int) -> int:
        """Return where to continue after ``read`` returned [] at ``offset``, without a request to the brokers.

        This is ``offset``, or the first offset after a hole that never gets a record, as Kafka transactions leave.
        """
        ...

    def begin(self, partition: int) -> int:
        """Return the offset of the first record: 0, or more where the front of the log was cut off.

        The answer may be some seconds old. The first call asks the brokers, and the adapter refreshes it now and then.
        """
        ...

    def end(self, partition: int) -> int:
        """Return the earliest offset that the next record may get: 0 for an empty partition."""
        ...

    def wait(self, partition: int, offset: int, timeout: float) -> bool:
        """Wait for ``end(partition) > offset``, at most ``timeout`` seconds. Returns whether it became so."""
        ...

    def close(self) -> None:
        """Close the journal, without joining a thread or waiting for a lock. Appends in flight are still answered."""
        ...
