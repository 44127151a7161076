"""The follower of one partition: reads the log, admits, keeps local state, tells its listener. No thread, no clock.

``advance`` is one step: a batch is read, judged, written to local state in one transaction, and only then told to the
listener, in log order. Whoever drives it (a loop thread, a seeded scheduler) decides when.
"""

from collections.abc import Callable, Iterator
from typing import Protocol

from consumers.admission import Admitted, Head, Rejected, Stop
from consumers.journal import Journal, JournalError
from consumers.local_state import LocalState
from schemas.commit import Commit


class Listener(Protocol):
    """Who wants to hear of every commit, in log order, after local state has it."""

    def admitted(self, admitted: Admitted) -> None: ...

    def rejected(self, rejected: Rejected) -> None: ...


class FormatTooNew(JournalError):
    """The partition goes on in a format that this release cannot read; the message says which release can."""

    def __init__(self, stop: Stop) -> None:
        super().__init__(stop.reason)
        self.stop = stop


class Follower:
    """One partition, followed.

    ``start`` first: it compares local state with the log. LogLost, LogChanged, JournalMismatch and FormatTooNew stop
    the partition: ``stopped`` keeps the error, and every further ``advance`` raises it again. JournalUnavailable and
    errors of local state do not stop it: the same call may succeed later.
    """

    def __init__(
        self,
        journal: Journal,
        partition: int,
        state: LocalState,
        listener: Listener | None = None,
        known: Callable[[bytes], Commit | None] | None = None,
    ) -> None:
        """``known``: commits of this process by their exact bytes (``Writer.known``); they are not decoded again."""
        raise NotImplementedError

    partition: int
    state: LocalState
    stopped: JournalError | None

    def start(self) -> None:
        """Compare local state with the log: identity, partitions, end, the last commit's hash."""
        raise NotImplementedError

    def advance(self, limit: int = 500) -> int:
        """Read and apply at most ``limit`` records; how many it were (0: at the end of the log)."""
        raise NotImplementedError

    @property
    def next_offset(self) -> int:
        raise NotImplementedError

    @property
    def next_ordinal(self) -> int:
        raise NotImplementedError

    @property
    def next_position(self) -> int:
        raise NotImplementedError

    def head(self, stream: str) -> Head | None:
        raise NotImplementedError

    def commits_of(self, stream: str, first: int = 0) -> Iterator[Admitted]:
        raise NotImplementedError

    def commit_at(self, ordinal: int) -> Admitted | None:
        raise NotImplementedError

    def ordinal_of_command(self, stream: str, command_id: str) -> int | None:
        raise NotImplementedError
