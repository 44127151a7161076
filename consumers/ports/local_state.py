"""The local state port: a process's cache of one partition, so that it need not read the log from the start again.

It is rebuilt from the log if it is deleted. It serves admission (it is a ``Heads``), the reading of orders, and the
deadline index. An admitted commit is staged: the lookups of ``Heads`` see it at once, the other methods after the next
``flush``. An adapter may hold flushed data in memory until ``write``, which writes it in one transaction. Other
connections see it after that. Several threads may use it, but not two at the same time.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from consumers.ports.log_values import Admitted, Heads, Rejected
from domain.instants import Instant


class LocalStateDamaged(Exception):
    """The stored state cannot be read. The message says what to do. Nothing is lost, because the log has it all."""


class LocalStateUnavailable(Exception):
    """Local state cannot be written or read now (disk full, file locked). The same call may succeed later."""


class Due(NamedTuple):
    """A deadline of an order, and when it is due."""

    due_at: Instant
    stream: str
    deadline_id: str


@dataclass(slots=True)
class Place:
    """The place in the log of the last admitted commit, and its hash."""

    offset: int
    index: int
    hash: bytes


class Version(NamedTuple):
    """A version of a unique stream, and the ordinal of its commit."""

    version: int
    ordinal: int


@dataclass(slots=True)
class Parked:
    """The place in the log of a malformed commit or record, and why it is malformed."""

    offset: int
    index: int
    reason: str


class LocalState(Heads, Protocol):
    """The cache of one partition, including its ``Heads``."""

    @property
    def identity(self) -> str | None:
        """The identity of the journal that it was built from; None before ``bind``."""
        ...

    @property
    def partition(self) -> int: ...

    @property
    def partitions(self) -> int: ...

    @property
    def next_offset(self) -> int:
        """Offset of the record to read next."""
        ...

    @property
    def next_index(self) -> int:
        """Index of the next commit to admit in that record. Not 0 only after a Stop inside a record."""
        ...

    @property
    def due_through(self) -> int:
        """The deadlines of all commits with lower ordinals are set (``mark_due``)."""
        ...

    @property
    def last(self) -> Place | None:
        """The commit admitted last."""
        ...

    def bind(self, identity: str) -> None:
        """Record the identity of the journal that it is built from. Written with the next flush."""
        ...

    def reject(self, rejected: Rejected) -> None:
        """Count a rejected commit. A malformed one is parked, too."""
        ...

    def flush(self, next_offset: int, next_index: int = 0) -> None:
        """Take in everything staged and the place to continue, all or nothing.

        If it raises, staged data is dropped, together with flushed data that was not written. ``next_offset`` is where
        to read again.
        """
        ...

    def write(self) -> None:
        """Write flushed data that is not written yet. Raises as ``flush`` does, with the same effect."""
        ...

    @property
    def stored_offset(self) -> int:
        """``next_offset`` as of the last ``write``. Other connections and the next process see this."""
        ...

    @property
    def stored_ordinal(self) -> int:
        """``next_ordinal`` as of the last ``write``."""
        ...

    def rollback(self) -> None:
        """Drop everything staged since the last flush. Flushed data that was not written may be dropped with it."""
        ...

    def refresh(self) -> None:
        """Read what another connection to the same state has written since. Nothing may be staged."""
        ...

    def commit_at(self, ordinal: int) -> Admitted | None:
        """Return the admitted commit with this ordinal, or None."""
        ...

    def commits(self, first: int = 0, behind: int | None = None) -> Iterator[Admitted]:
        """Yield the admitted commits with ordinals from ``first`` on, and below ``behind``, in order."""
        ...

    def commits_of(self, stream: str, first: int = 0, after: int = -1) -> Iterator[Admitted]:
        """Yield the commits that touch a stream, in log order.

        ``first``: leave out the first commits, whose events of a chain stream are all before this event number.
        ``after``: only commits with a greater ordinal.
        """
        ...

    def ordinal_at(self, position: int) -> int:
        """Return the ordinal of the commit with the event at this position, or ``next_ordinal`` if there is none."""
        ...

    def versions(
        self,
        stream: str,
        first: int | None = None,
        last: int | None = None,
        *,
        newest_first: bool = False,
        limit: int | None = None,
    ) -> list[Version]:
        """Return the versions of a unique stream from ``first`` to ``last``, both included."""
        ...

    def streams(self, after: str | None = None, limit: int = 1000) -> list[str]:
        """Return the names of chain streams that follow ``after``, in the order of their first commits."""
        ...

    def set_due(self, stream: str, deadlines: Sequence[tuple[str, Instant]]) -> None:
        """Set all active deadlines of a stream, as (deadline id, due instant) with each id once. Staged.

        Raises ValueError if there is no such stream.
        """
        ...

    def mark_due(self, through: int) -> None:
        """Record that the deadlines of all commits with ordinals below ``through`` are set. Staged.

        After a restart the deadline index continues from ``due_through``.
        """
        ...

    def due_before(self, instant: Instant, limit: int) -> list[Due]:
        """Return the deadlines with ``due_at`` before the instant, the earliest first."""
        ...

    def parked(self, limit: int = 1000, first: int = 0) -> list[Parked]:
        """Return the malformed commits and records from offset ``first`` on, in log order."""
        ...

    def rejections(self) -> dict[str, int]:
        """Return the number of commits rejected so far, by kind."""
        ...

    def close(self) -> None:
        """Close it, and drop what is staged."""
        ...


def all_due(states: Iterable[LocalState], instant: Instant, limit: int) -> list[Due]:
    """Return the earliest due deadlines of several partitions."""
    found = [due for state in states for due in state.due_before(instant, limit)]
    found.sort()
    return found[:limit]
