"""Values of a followed log: admitted and rejected commits, heads, and what admission remembers between commits."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from domain.instants import Instant
from schemas.commit import Commit

WHOLE_RECORD: Final = -1
"""``Rejected.index`` of a record that is malformed as a whole."""


RejectedKind = Literal["duplicate", "superseded", "malformed"]


@dataclass(slots=True)
class Head:
    """Where a chain stream stands: the hash of the commit that last touched it, and its next event's number."""

    hash: bytes
    count: int


@dataclass(slots=True)
class Admitted:
    """A commit that is part of the history.

    ``offset`` and ``index`` say where in the log it stands (index in the record's list), ``ordinal`` is its dense
    number in the partition, ``position`` the dense number of its first event (the next one's, if it has none).
    """

    partition: int
    offset: int
    index: int
    ordinal: int
    position: int
    appended_at: Instant
    hash: bytes
    commit: Commit
    data: bytes


@dataclass(slots=True)
class Rejected:
    """A commit, or a whole record (``index`` WHOLE_RECORD), that never became part of the history.

    ``data`` is the commit's bytes (the record's value for a whole record). ``first`` is the ordinal of the commit that
    a duplicate repeats.
    """

    partition: int
    offset: int
    index: int
    kind: RejectedKind
    reason: str
    data: bytes
    commit: Commit | None = None
    first: int | None = None


@dataclass(slots=True)
class Stop:
    """Here begins a format that this release cannot read: nothing from this commit on may be judged."""

    partition: int
    offset: int
    index: int
    format: int
    reason: str


AdmissionResult = Admitted | Rejected | Stop


class Heads(Protocol):
    """What the fold remembers of one partition. Lookups see every commit admitted so far, the last one included."""

    next_ordinal: int
    next_position: int
    format: int
    """The newest format that was admitted; 1 from the start."""

    def head(self, stream: str) -> Head | None:
        """The head of a chain stream; None if no commit of it was admitted."""
        ...

    def watermark(self, stream: str) -> int | None:
        """The last value of a watermark stream."""
        ...

    def has_version(self, stream: str, version: int) -> bool:
        """Whether a unique stream has this version."""
        ...

    def ordinal_of_commit(self, commit_id: bytes) -> int | None:
        """The ordinal of the admitted commit with this id."""
        ...

    def ordinal_of_command(self, stream: str, command_id: str) -> int | None:
        """The ordinal of the admitted commit whose first stream and command id these are."""
        ...

    def admit(self, admitted: Admitted) -> None:
        """Take in the commit that was admitted just now. The counters above are moved by the fold itself."""
        ...


class CommitReader(Protocol):
    """Where admitted commits come from: a ``LocalState`` is one."""

    @property
    def next_ordinal(self) -> int: ...

    def commit_at(self, ordinal: int) -> Admitted | None: ...

    def commits(self, first: int = 0, behind: int | None = None) -> Iterator[Admitted]: ...

    def commits_of(self, stream: str, first: int = 0) -> Iterator[Admitted]: ...
