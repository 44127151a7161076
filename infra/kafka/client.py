"""The port between the journal and a Kafka client. ``infra.kafka.kafka_python`` and ``infra.kafka.librdkafka``
implement it.

A ``Client`` works with one topic. Its errors are the journal's (``consumers.ports.journal``): JournalUnavailable for
temporary trouble, LogLost for positions that the log does not have, JournalDamaged for bytes that fail their checksum.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, Protocol

from consumers.ports.journal import Appended, JournalError, JournalRecord, LogLost
from infra.addresses.kafka import Security, Timings

BATCH_BYTES: Final = 262_144
"""Size of a partition's batch at which the producer sends at once."""
LINGER_MS: Final = 4
"""How long the producer collects a smaller batch."""
FETCH_BYTES: Final = 2 * 1024 * 1024
"""Limit of one fetch for one partition: more than the largest record."""
OVERHEAD: Final = 128
"""The most bytes that a batch of one record needs in addition to its key and value."""


class Topic(NamedTuple):
    """The cluster's description of a topic: its id, its partitions, and the largest batch it accepts."""

    id: str
    partitions: int
    largest: int


class NotSent(Exception):
    """The client did not take the record and will never send it. ``dead``: it will never send any other record
    either."""

    def __init__(self, message: str, *, retriable: bool, dead: bool = False) -> None:
        super().__init__(message)
        self.retriable = retriable
        self.dead = dead


class PositionLost(Exception):
    """Reading failed for some partitions. ``errors`` has the error of each."""

    def __init__(self, errors: Mapping[int, JournalError]) -> None:
        super().__init__(f"partitions {sorted(errors)}")
        self.errors = errors


class Sender(Protocol):
    """An idempotent producer with ``acks=all``. Any thread may send."""

    def send(self, partition: int, key: bytes, record: bytes, done: Callable[[Appended | Exception], None]) -> None:
        """Send a record. ``done`` is called once, from any thread, with the record's place in the log, or with the
        reason why it is unknown. NotSent: the record was certainly not sent."""
        ...

    def abandon(self) -> None:
        """Stop using this producer. Does not wait. Records in transit may still arrive, and may never be answered."""
        ...


class Reader(Protocol):
    """A consumer of the topic's partitions by explicit offsets, without a group. One thread at a time."""

    def follow(self, offsets: Mapping[int, int]) -> None:
        """Read these partitions from these offsets on, and no others."""
        ...

    def seek(self, partition: int, offset: int) -> None:
        """Continue a followed partition at another offset, also after PositionLost."""
        ...

    def poll(self, timeout: float, limit: int) -> dict[int, list[JournalRecord]]:
        """Return newly arrived records by partition, at most ``limit``, or {} after ``timeout`` seconds. PositionLost,
        JournalDamaged.

        A partition with a lost position is not read until ``seek``.
        """
        ...

    def read_at(self, partition: int, offset: int, limit: int, timeout: float) -> tuple[list[JournalRecord], int]:
        """Return records from an offset below the end, and the offset to continue at. For a reader that does not
        ``follow``. No records: the offsets up to the returned one hold none."""
        ...

    def position(self, partition: int) -> int:
        """The next offset to read in a followed partition, after the records and holes already read."""
        ...

    def ends(self, timeout: float) -> dict[int, int]:
        """The current end of every partition of the topic."""
        ...

    def begins(self, timeout: float) -> dict[int, int]:
        """The current first offset of every partition of the topic."""
        ...

    def close(self) -> None: ...


class Client(Protocol):
    """One topic on one cluster."""

    topic: str
    security: Security

    def describe(self, timeout: float) -> Topic | None:
        """The cluster's description of the topic. None if the topic does not exist."""
        ...

    def sender(self, largest: int, timings: Timings) -> Sender:
        """Connect a new producer that knows the topic's partitions and sends batches of at most ``largest`` bytes."""
        ...

    def reader(self, partitions: int, wait: float) -> Reader:
        """Create a new consumer. A broker without new records answers a fetch after ``wait`` seconds."""
        ...

    def close(self) -> None: ...


def log_lost(topic: str, partition: int, why: str) -> LogLost:
    """The error for a position that the log does not have."""
    return LogLost(
        f"{topic}: partition {partition}: {why}: the log lost acknowledged records. Restore it from a copy. No engine "
        "goes on with a shorter history"
    )
