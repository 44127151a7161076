"""The follower of one partition: reads the log, admits, keeps local state, tells its listener. No thread, no clock.

``advance`` is one step: a batch is read, judged, written to local state in one transaction, and only then told to the
listener, in log order. Whoever drives it (a loop thread, a seeded scheduler) decides when.
"""

from collections.abc import Callable, Iterator
from typing import Protocol

from consumers.admission import Admission, Admitted, Head, Rejected, Stop
from consumers.journal import Journal, JournalError, JournalMismatch, LogChanged, LogLost, front_cut
from consumers.local_state import LocalState
from schemas.commit import Commit, commit_hash
from schemas.record import decode_record
from schemas.wire import Malformed


class Listener(Protocol):
    """Who wants to hear of every commit, in log order, after local state has it.

    What it raises comes out of ``advance``; the commits of that batch are in local state by then, and those that were
    told are not told again (``LocalState.commits`` has them).
    """

    def admitted(self, admitted: Admitted) -> None: ...

    def rejected(self, rejected: Rejected) -> None: ...


class FormatTooNew(JournalError):
    """The partition goes on in a format that this release cannot read; the message says which one can."""

    def __init__(self, stop: Stop) -> None:
        super().__init__(f"partition {stop.partition}, offset {stop.offset}: {stop.reason}")
        self.stop = stop


class Follower:
    """One partition, followed.

    ``start`` first: it compares local state with the log. LogLost (and so LogCut), LogChanged, JournalMismatch and
    FormatTooNew stop the partition: ``stopped`` keeps the error, and every further ``advance`` raises it again.
    JournalUnavailable, JournalDamaged and errors of local state do not: the same call may succeed later.
    """

    def __init__(
        self,
        journal: Journal,
        partition: int,
        state: LocalState,
        listener: Listener | None = None,
        known: Callable[[bytes], Commit | None] | None = None,
        *,
        appends: bool = True,
    ) -> None:
        """``known``: commits of this process by their exact bytes (``Writer.known``); they are not decoded again.
        ``appends`` False: nobody decides on what is followed here, so a log whose front was cut is followed on where
        local state has what was deleted."""
        self.partition = partition
        self.state = state
        self.stopped: JournalError | None = None
        self._journal = journal
        self._listener = listener
        self._appends = appends
        self._told = state.next_ordinal
        """Commits below this ordinal were told, or were there before anybody listened."""
        self._admission = Admission(partition, journal.partitions, state, known)
        self.head = state.head
        self.commits_of = state.commits_of
        self.commit_at = state.commit_at
        self.ordinal_of_command = state.ordinal_of_command

    head: Callable[[str], Head | None]
    """The head of a chain stream (``Heads.head``)."""
    commits_of: Callable[..., Iterator[Admitted]]
    """Commits of a chain stream (``LocalState.commits_of``)."""
    commit_at: Callable[[int], Admitted | None]
    """The commit with this ordinal (``LocalState.commit_at``)."""
    ordinal_of_command: Callable[[str, str], int | None]
    """The commit that answered this command on this stream (``Heads.ordinal_of_command``)."""

    @property
    def next_offset(self) -> int:
        """The record to read next."""
        return self.state.next_offset

    @property
    def next_ordinal(self) -> int:
        """How many commits were admitted."""
        return self.state.next_ordinal

    @property
    def next_position(self) -> int:
        """How many events are in the partition's sequence."""
        return self.state.next_position

    @property
    def behind(self) -> int:
        """Offsets between here and the log's end as it is now."""
        return max(0, self._journal.end(self.partition) - self.state.next_offset)

    def start(self) -> None:
        """Compare local state with the log: identity, partitions, end, the last commit's hash.

        Raises JournalMismatch, LogChanged, LogLost (the partition is stopped then), or what reading the log raises.
        """
        try:
            self._compare()
        except (JournalMismatch, LogChanged, LogLost) as stop:
            self.stopped = stop
            raise

    def advance(self, limit: int = 500, *, wait: bool = True) -> int:
        """Read and apply at most ``limit`` records; how many it were (0: at the end of the log, or, without ``wait``,
        perhaps only nothing that has come yet)."""
        if self.stopped is not None:
            raise self.stopped
        state = self.state
        try:
            self._compare_front()
            read = self._journal.read if wait else self._journal.ready
            records = read(self.partition, state.next_offset, limit)
        except (LogChanged, LogLost) as lost:
            self.stopped = lost
            raise
        if not records:
            beyond = self._journal.behind_hole(self.partition, state.next_offset)
            if beyond > state.next_offset:
                state.flush(beyond)
            return 0
        stop: Stop | None = None
        verdicts: list[Admitted | Rejected] = []
        try:
            first = state.next_index
            for record in records:
                for verdict in self._admission.take(record, first):
                    if isinstance(verdict, Stop):
                        stop = verdict
                        break
                    if isinstance(verdict, Rejected):
                        state.reject(verdict)
                    verdicts.append(verdict)
                if stop is not None:
                    break
                first = 0
            if stop is None:
                state.flush(records[-1].offset + 1)
            elif verdicts:
                state.flush(stop.offset, stop.index)
        except BaseException:
            state.rollback()
            raise
        if self._listener is not None:
            self._tell(self._listener, verdicts)
        if stop is not None:
            self.stopped = FormatTooNew(stop)
            raise self.stopped
        return len(records)

    def _tell(self, listener: Listener, verdicts: list[Admitted | Rejected]) -> None:
        """What local state had flushed and lost again, and so was read a second time, is not told a second time."""
        for verdict in verdicts:
            if isinstance(verdict, Rejected):
                listener.rejected(verdict)
            elif verdict.ordinal >= self._told:
                self._told = verdict.ordinal + 1
                listener.admitted(verdict)

    def _compare(self) -> None:
        journal, state, partition = self._journal, self.state, self.partition
        if (state.partition, state.partitions) != (partition, journal.partitions):
            raise JournalMismatch(
                f"local state is of partition {state.partition} of {state.partitions}, the journal's is {partition} of "
                f"{journal.partitions}: the number of partitions cannot change; use the journal it was made from"
            )
        if state.identity is None:
            state.bind(journal.identity)
        elif state.identity != journal.identity:
            raise LogChanged(
                f"partition {partition}: this is journal {journal.identity}, local state is of journal "
                f"{state.identity}: the log was made anew, or another one stands in its place. Bring the old one back; "
                "if this one is meant, move the local state away first, and know that what it acknowledged is gone"
            )
        end = journal.end(partition)
        if state.next_offset > end:
            raise LogLost(
                f"partition {partition}: the log ends at offset {end}, local state has read up to {state.next_offset}: "
                "the log lost what was acknowledged. Restore it from a copy; nothing is decided on a shorter history"
            )
        last, begin = state.last, journal.begin(partition)
        if last is not None and last.offset >= begin and self._hash_at(last.offset, last.index) != last.hash:
            raise LogChanged(
                f"partition {partition}: the commit at offset {last.offset} (number {last.index} there) is not the one "
                f"that was acknowledged ({last.hash.hex()}): the log was changed. Restore it from a copy"
            )

        self._compare_front()

    def _compare_front(self) -> None:
        begin = self._journal.begin(self.partition)
        if begin > (0 if self._appends else self.state.next_offset):
            raise front_cut(self.partition, begin)

    def _hash_at(self, offset: int, index: int) -> bytes | None:
        """The hash of the commit at this place of the log, None if there is none."""
        records = self._journal.read(self.partition, offset, 1)
        if not records or records[0].offset != offset:
            return None
        try:
            commits = decode_record(records[0].value).commits
        except Malformed:
            return None
        return commit_hash(commits[index]) if index < len(commits) else None
