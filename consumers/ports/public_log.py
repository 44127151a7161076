"""The public log port: where public records are published, and how far each partition is published.

The progress of a partition is in the compacted topic ``PREFIX.published``, under the partition as key. Under keys that
begin with the partition are the parked orders and the dead letters that were published. Progress is written in the same
transaction as the records.
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
    """The topics cannot be read or written now, or the result of a transaction is unknown. Take over again."""


class Fenced(Exception):
    """Another publisher of this partition has taken over."""


class PublishingStopped(Exception):
    """Publishing on would omit or repeat a record. The message says what is wrong and what to do."""


class TopicFailed(Exception):
    """Some topics did not take their records. Nothing of the transaction was written. Take over again."""

    def __init__(self, why: Mapping[str, str]) -> None:
        """``why``: the error of each topic, by kind."""
        super().__init__("; ".join(why.values()))
        self.why = dict(why)


class OffsetRange(NamedTuple):
    """The first and the last offset of one kind's records in a transaction."""

    first: int
    last: int


class TopicAt(NamedTuple):
    """A topic's id, and where its partition ends."""

    id: str
    end: int


class TopicSick(NamedTuple):
    """Why a topic cannot be written. ``do``: what an operator has to do; empty: it may recover by itself."""

    why: str
    do: str


class PublicLog(Protocol):
    """The public topics of one partition. One thread at a time."""

    def committed(self) -> dict[str, bytes]:
        """Read the progress topic to its end. Returns the last committed value of each key."""
        ...

    def topics(self) -> Mapping[str, TopicAt | TopicSick]:
        """Return the current state of every kind's topic."""
        ...

    def take_over(self) -> None:
        """Become the publisher of this partition. Others are fenced, and their open transaction is aborted."""
        ...

    def write(
        self, records: Sequence[PublicRecord], then: Callable[[Mapping[str, OffsetRange]], Sequence[PublicRecord]]
    ) -> None:
        """Write ``records`` in one transaction, and after them the records that ``then`` returns for their offsets.

        ``then`` returns records of the kind ``published``; an empty value removes its key. If it raises, the
        transaction is aborted. Raises Fenced or TopicFailed if certainly nothing was written. Raises
        PublicLogUnavailable if that is unknown; take over again then.
        """
        ...

    def let_go(self) -> None:
        """Stop being the publisher, without waiting."""
        ...


# ---- progress -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class KindAt:
    """The progress of one kind's topic.

    ``end``: where the topic ended at least. ``offset``: the first journal offset that is not published on it.
    ``begins``: the journal offset that it began with.
    """

    id: str
    end: int
    offset: int
    begins: int


@dataclass(slots=True)
class Progress:
    """How far a partition is published on every topic: the next offset, position and ordinal, and the last commit's
    hash. A topic that is further has its own offset (``KindAt.offset``)."""

    journal: str
    offset: int = 0
    position: int = 0
    ordinal: int = 0
    commit: str = ""
    kinds: dict[str, KindAt] = field(default_factory=dict)

    @property
    def value(self) -> bytes:
        """The value for the progress topic."""
        kinds = {kind: [at.id, at.end, at.offset, at.begins] for kind, at in self.kinds.items()}
        fields = {
            "journal": self.journal,
            "next_offset": self.offset,
            "next_position": self.position,
            "next_ordinal": self.ordinal,
            "last_commit": self.commit,
            "topics": kinds,
        }
        return json.dumps(fields, separators=(",", ":")).encode()


def read_progress(value: bytes) -> Progress:
    """Read a ``Progress.value``. Raises PublishingStopped if it cannot be read."""
    try:
        fields = json.loads(value)
        return Progress(
            fields["journal"],
            int(fields["next_offset"]),
            int(fields["next_position"]),
            int(fields["next_ordinal"]),
            fields["last_commit"],
            {kind: KindAt(id, *map(int, numbers)) for kind, (id, *numbers) in fields["topics"].items()},
        )
    except (KeyError, TypeError, ValueError) as wrong:
        raise PublishingStopped(
            f"the publishing progress cannot be read ({wrong!r}): a newer release wrote it"
        ) from wrong


class ParkedAt(NamedTuple):
    """A stream that is parked: from which commit on it is not published, and why."""

    ordinal: int
    offset: int
    error: str
    stream: str

    @property
    def value(self) -> bytes:
        return json.dumps(self._asdict(), separators=(",", ":")).encode()
