"""Where public records go, as publishing sees it: the ``PublicLog`` port, and how far a partition is published.

Progress stands in the compacted topic ``PREFIX.published``: key = the partition, and beside it, under keys that begin
with it, the orders that are parked and the letters that were told. It is written in the transaction that it speaks of.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

# ---- the port -------------------------------------------------------------------------------------------------------


class PublicRecord(NamedTuple):
    """A record for the public topic of this kind."""

    kind: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


class PublicLogUnavailable(Exception):
    """The topics cannot be read or written now, or nobody knows what became of a transaction; take over again."""


class Fenced(Exception):
    """Another publisher of this partition has taken over."""


class PublishingStopped(Exception):
    """Going on would leave something out or say something twice; the message says what is wrong and what to do."""


class TopicFailed(Exception):
    """Some topics did not take their records. Nothing of the transaction was written; take over again."""

    def __init__(self, why: Mapping[str, str]) -> None:
        """``why``: by kind."""
        super().__init__("; ".join(why.values()))
        self.why = dict(why)


class Span(NamedTuple):
    """Where the records of one kind came to stand in a transaction: the first offset and the last."""

    first: int
    last: int


class TopicAt(NamedTuple):
    """A topic's id, and where the partition ends."""

    id: str
    end: int


class TopicSick(NamedTuple):
    """A topic that cannot be written, and why. ``do``: what somebody has to do; empty: it may end by itself."""

    why: str
    do: str


class PublicLog(Protocol):
    """The public topics of one partition. One thread at a time."""

    def committed(self) -> dict[str, bytes]:
        """The progress topic, compacted and read to its end, of committed transactions only: key → value."""
        ...

    def topics(self) -> Mapping[str, TopicAt | TopicSick]:
        """Every kind's topic as it is now."""
        ...

    def take_over(self) -> None:
        """Become the publisher of this partition: others are fenced, their open transaction is ended."""
        ...

    def write(
        self, records: Sequence[PublicRecord], then: Callable[[Mapping[str, Span]], Sequence[PublicRecord]]
    ) -> None:
        """One transaction: ``records``, and behind them what ``then`` makes of where these came to stand (kind
        ``published``; an empty value takes the key away). What ``then`` raises ends the transaction unwritten.

        Fenced, TopicFailed: certainly not written. PublicLogUnavailable: written or not, take over again.
        """
        ...

    def let_go(self) -> None:
        """Be the publisher no longer; waits for nothing."""
        ...


# ---- progress -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class KindAt:
    """One kind's topic: its id, the end that it had at least, the first journal offset that it does not have yet, and
    the one that it began with."""

    id: str
    end: int
    offset: int
    begins: int


@dataclass(slots=True)
class Progress:
    """How far a partition is published on every topic: the next record, event position and ordinal, and the last
    commit's hash. A topic that is further has an offset of its own (``KindAt.offset``)."""

    journal: str
    offset: int = 0
    position: int = 0
    ordinal: int = 0
    commit: str = ""
    kinds: dict[str, KindAt] = field(default_factory=dict)

    @property
    def value(self) -> bytes:
        """As the progress topic has it."""
        kinds = {kind: [at.id, at.end, at.offset, at.begins] for kind, at in self.kinds.items()}
        said = {
            "journal": self.journal,
            "next_offset": self.offset,
            "next_position": self.position,
            "next_ordinal": self.ordinal,
            "last_commit": self.commit,
            "topics": kinds,
        }
        return json.dumps(said, separators=(",", ":")).encode()


def read_progress(value: bytes) -> Progress:
    """What ``Progress.value`` wrote. PublishingStopped if it cannot be read."""
    try:
        said = json.loads(value)
        return Progress(
            said["journal"],
            int(said["next_offset"]),
            int(said["next_position"]),
            int(said["next_ordinal"]),
            said["last_commit"],
            {kind: KindAt(id, *map(int, numbers)) for kind, (id, *numbers) in said["topics"].items()},
        )
    except (KeyError, TypeError, ValueError) as wrong:
        raise PublishingStopped(
            f"how far was published cannot be read ({wrong!r}): a newer release wrote it"
        ) from wrong


class ParkedAt(NamedTuple):
    """A stream that is published no further: from which commit on, and why."""

    ordinal: int
    offset: int
    error: str
    stream: str

    @property
    def value(self) -> bytes:
        return json.dumps(self._asdict(), separators=(",", ":")).encode()
