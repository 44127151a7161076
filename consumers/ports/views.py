"""The views port: tables that follow the log, written by the projector. Rows and position go in one transaction.

The position is compared and swapped: of two projectors that have read the same position, one applies its batch and the
other gets PositionMoved. The views contain no facts of their own: they can be emptied and rebuilt from the log.
"""

from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, Protocol

from projections.changes import Changes

Log = Literal["journal", "control"]


class Position(NamedTuple):
    """How far the tables have followed one partition of one log.

    Ordinal of the next commit, position of the next event, hash of the last commit (empty before the first), and how
    often streams were parked or freed. A projector with another number of these has an outdated list of parked streams.
    """

    ordinal: int
    position: int
    last: bytes
    letters: int


START: Final = Position(0, 0, b"", 0)


@dataclass(slots=True)
class ProjectionDeadLetter:
    """A stream that is parked from the commit with this ordinal on. Its rows stay as they were before that."""

    stream: str
    ordinal: int
    position: int
    event: str | None
    error: str


@dataclass(slots=True)
class Batch:
    """Row changes that are applied in one transaction. ``parked`` streams get a dead letter, ``freed`` ones lose
    theirs. ``after`` counts both."""

    log: Log
    partition: int
    before: Position
    after: Position
    changes: Changes = field(default_factory=Changes)
    parked: list[ProjectionDeadLetter] = field(default_factory=list)
    freed: list[str] = field(default_factory=list)


class ViewsError(Exception):
    """Something is wrong with the views. The message says what, and what to do next."""


class ViewsUnavailable(ViewsError):
    """The views cannot be reached at the moment (locked, disk full, server down). The same call may succeed later."""


class ViewsDamaged(ViewsError):
    """The stored views cannot be read. ``rescind replay`` rebuilds them."""


class PositionMoved(ViewsError):
    """Another projector has applied this part of the log. Nothing was written."""


class RowsRefused(ViewsError):
    """The database refuses the rows (a number too large, a character it cannot store). Nothing was written."""


class Views(Protocol):
    """The views as a projector uses them. Any thread may call; calls are serialized."""

    def position(self, log: Log, partition: int) -> Position:
        """Return how far the tables are; START if nothing was applied yet."""
        ...

    def parked(self, log: Log, partition: int) -> list[ProjectionDeadLetter]:
        """Return the streams that are parked."""
        ...

    def apply(self, batch: Batch) -> None:
        """Write rows and position in one transaction. Raises PositionMoved, RowsRefused, ViewsUnavailable."""
        ...

    def clear(self) -> None:
        """Empty everything, positions included, in one transaction."""
        ...
