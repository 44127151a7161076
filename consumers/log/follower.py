"""The follower of one partition: reads the log, admits, keeps local state, tells its listener. No thread, no clock.

``advance`` is one step: a batch is read, judged, written to local state in one transaction, and only then told to the
listener, in log order. Whoever drives it (a loop thread, a seeded scheduler) decides when.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from consumers.log.admission import Admission
from consumers.log.divergence import BRING_BACK, KEEP_BOTH, Mark, ahead, disagreement, unlike
from consumers.log.readmission import commits_in, records_of
from consumers.ports.journal import (
    Journal,
    JournalDamaged,
    JournalError,
    JournalMismatch,
    JournalRecord,
    LogChanged,
    LogLost,
    front_cut,
)
from consumers.ports.local_state import LocalState
from consumers.ports.log_values import Admitted, Head, Rejected, Stop
from schemas.commit import ZERO_HASH, Commit, commit_hash

_RACE = 1_000
"""Commits that may be admitted while one is on its way; more are searched for its parent, too, but later."""


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

    ``start`` first: it compares local state with the log, and the log with how far others have followed it (``Mark``).
    LogLost (and so LogCut), LogChanged, JournalMismatch and FormatTooNew stop the partition: ``stopped`` keeps the
    error, and every further ``advance`` raises it again. JournalUnavailable, JournalDamaged while following, and errors
    of local state do not: the same call may succeed later.
    """

    def __init__(
        self,
        journal: Journal,
        partition: int,
        state: LocalState,
        listener: Listener | None = None,
        known: Callable[[bytes], Commit | None] | None = None,
        *,
        alone: bool = False,
        appends: bool = True,
    ) -> None:
        """``known``: commits of this process by their exact bytes (``Writer.known``); they are not decoded again.
        ``alone``: nobody but engines can append, so a commit whose parent the log does not have stops the partition.
        ``appends`` False: nobody decides on what is followed here, so a log whose front was cut is followed on where
        local state has what was deleted."""
        self._alone = alone
        self.partition = partition
        self.state = state
        self.stopped: JournalError | None = None
        self._journal = journal
        self._listener = listener
        self._appends = appends
        self._told = state.next_ordinal
        """Commits below this ordinal were told, or were there before anybody listened."""
        self._admission = Admission(partition, journal.partitions, state, known)
        self._marks: list[Mark] = []
        self._end_then = 0
        """Where the log ended after the marks were read."""
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

    def start(self, marks: Sequence[Mark] = (), recent: int = 0) -> None:
        """Compare local state with the log: identity, partitions, end, the last commit's hash, and that the log has
        what the marks say (``expect``). ``recent``: as many of the newest commits are compared byte by byte.

        Raises JournalMismatch, LogChanged, LogLost, JournalDamaged (the partition is stopped then), or what else
        reading the log raises.
        """
        try:
            with self._stopping():
                self.expect(marks)
                self._compare()
                self._compare_recent(recent)
                self._look_at_marks()
        except JournalDamaged as damaged:
            self.stopped = damaged
            raise

    def expect(self, marks: Sequence[Mark]) -> None:
        """Have the partition stopped unless the log has what these marks say: ``start`` or the next ``advance`` looks.
        Ordinals are known only once the log is followed as far as it goes now; until then ``expecting``."""
        if marks:
            self._end_then = self._journal.end(self.partition)
            self._marks += marks

    @property
    def expecting(self) -> bool:
        """Whether it is not known yet that the log has what the marks say: nothing may be decided until then."""
        return bool(self._marks)

    @contextmanager
    def _stopping(self) -> Iterator[None]:
        try:
            yield
        except (JournalMismatch, LogChanged, LogLost) as stop:
            self.stopped = stop
            raise

    def advance(self, limit: int = 500, *, wait: bool = True) -> int:
        """Read and apply at most ``limit`` records; how many it were (0: at the end of the log, or, without ``wait``,
        perhaps only nothing that has come yet)."""
        if self.stopped is not None:
            raise self.stopped
        state = self.state
        with self._stopping():
            self._compare_front()
            read = self._journal.read if wait else self._journal.ready
            records = read(self.partition, state.next_offset, limit)
        if not records:
            beyond = self._journal.behind_hole(self.partition, state.next_offset)
            if beyond > state.next_offset:
                state.flush(beyond)
            if self._marks:
                with self._stopping():
                    self._look_at_marks()
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
        with self._stopping():
            if self._alone:
                self._look_for_parents(verdicts)
            if self._marks:
                self._look_at_marks()
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
                f"{state.identity}: the log was replaced by another one. Bring the old one back. If this one is meant, "
                "name another directory for it: it does not have what the old one acknowledged. Delete neither before "
                "you know which is right"
            )
        end = journal.end(partition)
        if state.next_offset > end:
            raise LogLost(
                f"partition {partition}: the log ends at offset {end}, local state has read up to {state.next_offset}: "
                f"the log lost what was acknowledged. {BRING_BACK}"
            )
        last, begin = state.last, journal.begin(partition)
        if last is not None and last.offset >= begin and self._hash_at(last.offset, last.index) != last.hash:
            kept = state.commit_at(state.next_ordinal - 1)
            assert kept is not None
            raise disagreement(journal, kept, self._marks)
        self._compare_front()

    def _compare_recent(self, recent: int) -> None:
        """Compare the newest commits with the log, byte by byte, and when they were appended."""
        at: JournalRecord | None = None
        commits: Sequence[bytes] = ()
        read: Iterator[JournalRecord] | None = None
        for kept in self.state.commits(max(0, self.state.next_ordinal - recent)) if recent else ():
            if read is None:
                read = records_of(self._journal, self.partition, self.state.next_offset, first=kept.offset)
            while at is None or at.offset < kept.offset:
                at = next(read, None)
                if at is None:
                    break
                commits = commits_in(at)
            same = at is not None and (at.offset, at.appended_at) == (kept.offset, kept.appended_at)
            if not same or kept.index >= len(commits) or commits[kept.index] != kept.data:
                raise disagreement(self._journal, kept, self._marks)

    def _look_at_marks(self) -> None:
        """Raise LogLost or LogChanged if the log does not have what a mark says; forget marks that it has."""
        state, open = self.state, []
        reached = state.next_offset >= self._end_then
        for mark in self._marks:
            wrong: JournalError | None = None
            if mark.ordinal > state.next_ordinal and not reached:
                open.append(mark)
            elif mark.ordinal > state.next_ordinal or mark.offset > self._end_then:
                wrong = ahead(mark, self.partition, state.next_ordinal, self._end_then)
            elif mark.hash is not None and mark.ordinal:
                commit = state.commit_at(mark.ordinal - 1)
                wrong = unlike(mark, self.partition, None if commit is None else commit.hash)
            if wrong is not None:
                raise wrong
        self._marks = open

    def _look_for_parents(self, verdicts: Sequence[Admitted | Rejected]) -> None:
        """Raise LogChanged if a commit that was not admitted was written behind a commit that is not before it."""
        for verdict in verdicts:
            if not isinstance(verdict, Rejected) or verdict.commit is None or verdict.kind == "malformed":
                continue
            for part in verdict.commit.streams:
                if part.kind == "chain" and part.parent != ZERO_HASH and not self._has(part.stream, part.parent):
                    raise LogChanged(
                        f"partition {self.partition}: the commit at offset {verdict.offset} (number {verdict.index} "
                        f"there) was written behind a commit of {part.stream} that the log does not have "
                        f"({part.parent.hex()}): the log was changed. {KEEP_BOTH}"
                    )

    def _has(self, stream: str, hash: bytes) -> bool:
        """Whether a commit of the stream has this hash: who loses a race was written behind one of the newest."""
        newest = self.state.next_ordinal - _RACE
        if any(admitted.hash == hash for admitted in self.commits_of(stream, after=newest)):
            return True
        return newest > 0 and any(admitted.hash == hash for admitted in self.commits_of(stream))

    def _compare_front(self) -> None:
        begin = self._journal.begin(self.partition)
        if begin > (0 if self._appends else self.state.next_offset):
            raise front_cut(self.partition, begin)

    def _hash_at(self, offset: int, index: int) -> bytes | None:
        """The hash of the commit at this place of the log, None if there is none."""
        records = self._journal.read(self.partition, offset, 1)
        commits = commits_in(records[0]) if records and records[0].offset == offset else ()
        return commit_hash(commits[index]) if index < len(commits) else None
