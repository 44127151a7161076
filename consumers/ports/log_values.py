"""Values of a followed log: admitted and rejected commits, heads, and the state that admission needs."""

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
    """The head of a chain stream: the hash of the commit that last touched it, and the number of its next event."""

    hash: bytes
    count: int


@dataclass(slots=True)
class Admitted:
    """A commit that is part of the history.

    ``offset`` and ``index`` are its place in the log: the record, and the commit in that record. ``ordinal`` is its
    dense number in the partition. ``position`` is the dense number of its first event, or of the next event if it has
    none. ``data`` are its bytes.
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
    """A commit, or a whole record (``index`` WHOLE_RECORD), that is not part of the history.

    ``data`` are the commit's bytes, or the record's value for a whole record. ``first`` is the ordinal of the commit
    that a duplicate repeats.
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
    """A commit that begins a format that this release cannot read. Nothing from it on may be admitted."""

    partition: int
    offset: int
    index: int
    format: int
    reason: str


AdmissionResult = Admitted | Rejected | Stop


class Heads(Protocol):
    """The state of admission for one partition. Lookups see every commit admitted so far, the last one included."""

    next_ordinal: int
    next_position: int
    format: int
    """The newest format that was admitted; 1 from the start."""

    def head(self, stream: str) -> Head | None:
        """Return the head of a chain stream, or None if no commit of it was admitted."""
        ...

    def watermark(self, stream: str) -> int | None:
        """Return the last value of a watermark stream, or None."""
        ...

    def has_version(self, stream: str, version: int) -> bool:
        """Whether a unique stream has this version."""
        ...

    def ordinal_of_commit(self, commit_id: bytes) -> int | None:
        """Return the ordinal of the admitted commit with this id, or None."""
        ...

    def ordinal_of_command(self, stream: str, command_id: str) -> int | None:
        """Return the ordinal of the admitted commit with this first stream and command id, or None."""
        ...

    def admit(self, admitted: Admitted) -> None:
        """Take in a commit that was just admitted. ``Admission`` moves the counters above itself."""
        ...


class CommitReader(Protocol):
    """Reads admitted commits. A ``LocalState`` is one."""

    @property
    def next_ordinal(self) -> int: ...

    def commit_at(self, ordinal: int) -> Admitted | None: ...

    def commits(self, first: int = 0, behind: int | None = None) -> Iterator[Admitted]: ...

    def commits_of(self, stream: str, first: int = 0) -> Iterator[Admitted]: ...
