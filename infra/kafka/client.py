"""What the journal needs of a Kafka client: the port that ``infra.journals.{kafka,librdkafka}`` fill.

A ``Client`` speaks of one topic. Its errors are the journal's (``consumers.ports.journal``): JournalUnavailable for
what may go by, LogLost for positions that the log does not have, JournalDamaged for bytes that fail their checksum.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, Protocol

from consumers.ports.journal import Appended, JournalError, JournalRecord, LogLost
from infra.addresses.kafka import Security, Timings

BATCH_BYTES: Final = 262_144
"""What the producer gathers for one partition before it sends at once."""
LINGER_MS: Final = 4
"""How long it gathers otherwise."""
FETCH_BYTES: Final = 2 * 1024 * 1024
"""What one fetch may bring for one partition: more than the largest record."""
OVERHEAD: Final = 128
"""Bytes that a batch of one record takes beside its key and value, at most."""


class Topic(NamedTuple):
    """What the cluster says of a topic: its id, its partitions, and the largest batch it takes."""

    id: str
    partitions: int
    largest: int


class NotSent(Exception):
    """The client has not taken the record, and never will send it. ``dead``: nor any other one, ever."""

    def __init__(self, message: str, *, retriable: bool, dead: bool = False) -> None:
        super().__init__(message)
        self.retriable = retriable
        self.dead = dead


class PositionLost(Exception):
    """Reading failed for some partitions: each with its error."""

    def __init__(self, errors: Mapping[int, JournalError]) -> None:
        super().__init__(f"partitions {sorted(errors)}")
        self.errors = errors


class Sender(Protocol):
    """An idempotent producer, ``acks=all``. Any thread may send."""

    def send(self, partition: int, key: bytes, record: bytes, done: Callable[[Appended | Exception], None]) -> None:
        """Send; ``done`` hears once, from any thread, where it stands or why nobody knows. NotSent: certainly not."""
        ...

    def abandon(self) -> None:
        """Never to be used again. Does not wait; what is on its way may still arrive, or never be answered."""
        ...


class Reader(Protocol):
    """A consumer of the topic's partitions by explicit offsets, no group. One thread at a time."""

    def follow(self, offsets: Mapping[int, int]) -> None:
        """Read these partitions on from these offsets, and no others."""
        ...

    def seek(self, partition: int, offset: int) -> None:
        """Read a followed partition on from elsewhere, also after it was lost."""
        ...

    def poll(self, timeout: float, limit: int) -> dict[int, list[JournalRecord]]:
        """What came, by partition, at most ``limit`` records; {} after ``timeout`` seconds. Lost, JournalDamaged.

        A partition that was lost is read no more until it is sought.
        """
        ...

    def read_at(self, partition: int, offset: int, limit: int, timeout: float) -> tuple[list[JournalRecord], int]:
        """Records from an offset below the end, and where to read on; of a reader that does not ``follow``. Without
        records only offsets came that hold none."""
        ...

    def position(self, partition: int) -> int:
        """The offset that is read next of a followed partition: behind what came, and behind holes."""
        ...

    def ends(self, timeout: float) -> dict[int, int]:
        """The end of every partition of the topic now."""
        ...

    def begins(self, timeout: float) -> dict[int, int]:
        """The first offset of every partition of the topic now."""
        ...

    def close(self) -> None: ...


class Client(Protocol):
    """One topic on one cluster."""

    topic: str
    security: Security

    def describe(self, timeout: float) -> Topic | None:
        """The topic as the cluster knows it; None if there is none."""
        ...

    def sender(self, largest: int, timings: Timings) -> Sender:
        """A new producer, connected, with the topic's partitions known; it sends batches of at most ``largest``."""
        ...

    def reader(self, partitions: int, wait: float) -> Reader:
        """A new consumer; a broker with nothing to give answers after ``wait`` seconds."""
        ...

    def close(self) -> None: ...


def log_lost(topic: str, partition: int, why: str) -> LogLost:
    """A position that the log does not have."""
    return LogLost(
        f"{topic}: partition {partition}: {why}: the log lost what was acknowledged. Restore it from a copy; nothing "
        "is decided on a shorter history"
    )
