"""A database of views: the port, the queries, a rebuild in a shadow copy, and comparison.

``infra.views.sqlite`` and ``infra.views.postgresql`` implement it. ``infra.views.replay`` and the server use only this
interface.
"""

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar

from consumers.ports.views import START, Batch, Log, Position, ProjectionDeadLetter, Views, ViewsError
from infra.views.reading import Reading
from projections.tables import SCHEMA_VERSION, Row, Table


class ViewsSnapshot(Protocol):
    """The tables as of one moment."""

    def rows(self, table: Table, size: int = 2_000) -> Iterator[list[Row]]:
        """Every row as stored, in batches, in key order, with instants as text."""
        ...

    def count(self, table: Table) -> int:
        """The number of rows."""
        ...


class DatabaseViews(Reading, Views):
    """Views in a database. Several processes may have them open."""

    def position(self, log: Log, partition: int) -> Position:
        rows = self.query("SELECT * FROM positions WHERE log = ? AND partition = ?", (log, partition))
        if not rows:
            return START
        row = rows[0]
        return Position(row["next_ordinal"], row["next_position"], bytes.fromhex(row["last_commit"]), row["letters"])

    def parked(self, log: Log, partition: int) -> list[ProjectionDeadLetter]:
        rows = self.query("SELECT * FROM dead_letters WHERE log = ? AND partition = ?", (log, partition))
        return [ProjectionDeadLetter(r["stream"], r["ordinal"], r["position"], r["event"], r["error"]) for r in rows]

    @abstractmethod
    def shadow(self) -> Self:
        """Create an empty shadow copy of the tables. Fill it, then ``promote`` or ``discard`` it."""

    @abstractmethod
    def promote(self, shadow: Self) -> None:
        """Replace these tables with the shadow copy's at once: readers see the old rows or the new ones. A projector
        that is running finds that the position has moved, and continues from the new one."""

    @abstractmethod
    def discard(self) -> None:
        """Close a shadow copy, and delete it unless it was promoted."""

    @abstractmethod
    def snapshot(self) -> AbstractContextManager[ViewsSnapshot]:
        """All tables as of one moment, unaffected by writers."""

    @abstractmethod
    def close(self) -> None:
        """Answer the running queries, then close."""


def dead_letter_rows(batch: Batch) -> list[Row]:
    """Return the rows of the table dead_letters for the streams that a batch parks."""
    return [
        (batch.log, batch.partition, letter.stream, letter.ordinal, letter.position, letter.event, letter.error)
        for letter in batch.parked
    ]


class ViewsOfAnotherRelease(ViewsError):
    """The tables are of another version. The next process that writes them rebuilds them, or refuses if its release is
    older."""

    def __init__(self, version: int) -> None:
        super().__init__(
            f"the views' tables are of version {version}, and this release's are {SCHEMA_VERSION}: rebuild them with "
            "`rescind replay`, or install the release that made them"
        )


V_co = TypeVar("V_co", bound=DatabaseViews, covariant=True)


@dataclass(frozen=True, slots=True)
class Opened(Generic[V_co]):
    """Views, and why they are empty and must be filled from the log (None: they existed)."""

    views: V_co
    rebuilt: str | None
