"""The local state port: what a process keeps of one partition of the log, so as not to read it from the start again.

A cache of the log and nothing else: delete it and it comes back. It serves admission (it is a ``Heads``), the reading
of orders, and the scheduler (due deadlines). What is admitted is staged: the lookups of ``Heads`` see it at once, the
other reading methods after the ``flush`` that takes it in. An adapter may keep what was flushed in memory until
``write``, and then writes it in one transaction; other connections see it then. Callers take turns: it may be used from
several threads, but not by two at the same time.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from consumers.ports.log_values import Admitted, Heads, Rejected
from domain.instants import Instant


class LocalStateDamaged(Exception):
    """What is stored cannot be read any more; the message says what to do (nothing is lost: the log has it all)."""


class LocalStateUnavailable(Exception):
    """It cannot be written or read now (disk full, file locked); the same call may succeed later."""


class Due(NamedTuple):
    """A deadline that an order has, and when it is due."""

    due_at: Instant
    stream: str
    deadline_id: str


@dataclass(slots=True)
class Place:
    """Where the last admitted commit stands in the log, and its hash."""

    offset: int
    index: int
    hash: bytes


class Version(NamedTuple):
    """A version of a unique stream, and the commit that brought it."""

    version: int
    ordinal: int


@dataclass(slots=True)
class Parked:
    """A malformed commit or record: it stays in the log, here is only where and why."""

    offset: int
    index: int
    reason: str


class LocalState(Heads, Protocol):
    """One partition's cache. Also everything of ``Heads``."""

    @property
    def identity(self) -> str | None:
        """Identity of the journal it was made from; None while empty and never bound."""
        ...

    @property
    def partition(self) -> int: ...

    @property
    def partitions(self) -> int: ...

    @property
    def next_offset(self) -> int:
        """The record to read next."""
        ...

    @property
    def next_index(self) -> int:
        """The commit of that record to judge next: not 0 only behind a Stop in the middle of a record."""
        ...

    @property
    def due_through(self) -> int:
        """Ordinal before which every commit's deadlines were set (``mark_due``)."""
        ...

    @property
    def last(self) -> Place | None:
        """The commit admitted last."""
        ...

    def bind(self, identity: str) -> None:
        """This state is made from the journal of that identity; written with the next flush."""
        ...

    def reject(self, rejected: Rejected) -> None:
        """Count it; a malformed one is parked too."""
        ...

    def flush(self, next_offset: int, next_index: int = 0) -> None:
        """Take in everything staged, and where to go on, as one. If it raises, nothing was taken in, and what was
        staged is dropped, together with what was flushed and not written yet: ``next_offset`` says where to read on."""
        ...

    def write(self) -> None:
        """Write what was flushed and is not written yet. Fails as ``flush`` does."""
        ...

    @property
    def stored_offset(self) -> int:
        """``next_offset`` as far as it is written: other connections, and the next process, see this."""
        ...

    @property
    def stored_ordinal(self) -> int:
        """The same of ``next_ordinal``."""
        ...

    def rollback(self) -> None:
        """Drop what was admitted and rejected since the last flush; what was flushed and not written may go with it."""
        ...

    def refresh(self) -> None:
        """See what another connection to the same state has written since. Nothing may be staged."""
        ...

    def commit_at(self, ordinal: int) -> Admitted | None:
        """The admitted commit with this ordinal."""
        ...

    def commits(self, first: int = 0, behind: int | None = None) -> Iterator[Admitted]:
        """Admitted commits with ordinals from ``first`` on (before ``behind``), in order."""
        ...

    def commits_of(self, stream: str, first: int = 0, after: int = -1) -> Iterator[Admitted]:
        """Commits that touch the stream, in log order.

        ``first``: without those at the beginning whose events of a chain stream all come before this event number.
        ``after``: only those with a greater ordinal.
        """
        ...

    def ordinal_at(self, position: int) -> int:
        """The ordinal of the commit that holds the event at this position; ``next_ordinal`` if there is none yet."""
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
        """Versions of a unique stream between ``first`` and ``last``, both included."""
        ...

    def streams(self, after: str | None = None, limit: int = 1000) -> list[str]:
        """Names of chain streams in the order in which they appeared, behind ``after``."""
        ...

    def set_due(self, stream: str, deadlines: Sequence[tuple[str, Instant]]) -> None:
        """These (deadline id, due instant) are all the active deadlines of the stream now; staged. Each id once.
        ValueError if there is no such stream."""
        ...

    def mark_due(self, through: int) -> None:
        """Deadlines of all commits with ordinals below ``through`` have been set; staged. After a restart whoever
        sets deadlines goes on from ``due_through``."""
        ...

    def due_before(self, instant: Instant, limit: int) -> list[Due]:
        """Deadlines with ``due_at`` before the instant, the earliest first."""
        ...

    def parked(self, limit: int = 1000, first: int = 0) -> list[Parked]:
        """Malformed commits and records from the offset ``first`` on, in log order."""
        ...

    def rejections(self) -> dict[str, int]:
        """How many commits were rejected so far, by kind."""
        ...

    def close(self) -> None:
        """Let go; what is staged is dropped."""
        ...


def all_due(states: Iterable[LocalState], instant: Instant, limit: int) -> list[Due]:
    """The earliest due deadlines over several partitions."""
    found = [due for state in states for due in state.due_before(instant, limit)]
    found.sort()
    return found[:limit]
