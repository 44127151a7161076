"""The views port: tables that follow the log, written by the projector. Rows and position go in one transaction.

The position is compared and swapped: of two projectors that have read the same position one applies its batch, the
other is told PositionMoved. Nothing in the views is a fact: they are emptied and filled again from the log at will.
"""

from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, Protocol

from projections.changes import Changes

Log = Literal["journal", "control"]


class Position(NamedTuple):
    """How far the tables have followed one partition of one log.

    Ordinal of the next commit, position of the next event, hash of the last commit (empty before the first), and how
    often streams were parked or freed: whoever does not know of that has an old list of what is parked.
    """

    ordinal: int
    position: int
    last: bytes
    letters: int


START: Final = Position(0, 0, b"", 0)


@dataclass(slots=True)
class ProjectionDeadLetter:
    """A stream that is parked, from the commit with this ordinal on: its rows stand as before that."""

    stream: str
    ordinal: int
    position: int
    event: str | None
    error: str


@dataclass(slots=True)
class Batch:
    """What is applied at once. ``parked`` streams get a dead letter, ``freed`` ones lose theirs; ``after`` counts
    them."""

    log: Log
    partition: int
    before: Position
    after: Position
    changes: Changes = field(default_factory=Changes)
    parked: list[ProjectionDeadLetter] = field(default_factory=list)
    freed: list[str] = field(default_factory=list)


class ViewsError(Exception):
    """Something is wrong with the views; the message says what, and what to do next."""


class ViewsUnavailable(ViewsError):
    """They cannot be reached at the moment (locked, disk full, server down); the same call may succeed later."""


class ViewsDamaged(ViewsError):
    """What is stored is no longer readable: ``rescind replay`` makes it anew."""


class PositionMoved(ViewsError):
    """Somebody else has applied this part of the log; nothing was written."""


class RowsRefused(ViewsError):
    """The database takes no such rows (a number too large, a character it cannot store); nothing was written."""


class Views(Protocol):
    """What a projector needs of the views. Any thread may call; calls are serialised."""

    def position(self, log: Log, partition: int) -> Position:
        """How far the tables are; START if nothing was applied yet."""
        ...

    def parked(self, log: Log, partition: int) -> list[ProjectionDeadLetter]:
        """The streams that are parked."""
        ...

    def apply(self, batch: Batch) -> None:
        """Rows and position in one transaction: all or nothing. PositionMoved, RowsRefused, ViewsUnavailable."""
        ...

    def clear(self) -> None:
        """Empty everything, positions included, in one transaction."""
        ...
