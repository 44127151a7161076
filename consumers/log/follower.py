"""The follower of one partition: reads the log, admits commits into local state, and notifies its listener.

``advance`` is one step: it reads a batch, admits each commit, flushes them to local state as one, and then notifies the
listener, in log order. The follower has no thread and no clock; a loop thread or a seeded scheduler calls it.
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
"""Number of newest commits that are searched first for the parent of a commit that lost a race."""


class Listener(Protocol):
    """Is notified of every commit, in log order, after local state has it.

    An error that it raises comes out of ``advance``. The commits of that batch are in local state by then, and the
    listener is not notified of them again (``LocalState.commits`` has them).
    """

    def admitted(self, admitted: Admitted) -> None: ...

    def rejected(self, rejected: Rejected) -> None: ...


class FormatTooNew(JournalError):
    """The partition continues in a format that this release cannot read. The message says which release can."""

    def __init__(self, stop: Stop) -> None:
        super().__init__(f"partition {stop.partition}, offset {stop.offset}: {stop.reason}")
        self.stop = stop


class Follower:
    """Follows one partition.

    ``start`` comes first. It compares local state with the log, and the log with how far others have followed it
    (``Mark``). LogLost (with LogCut), LogChanged, JournalMismatch and FormatTooNew stop the partition: the error is in
    ``stopped``, and every further ``advance`` raises it. JournalUnavailable, JournalDamaged while following, and errors
    of local state do not stop it, because the same call may succeed later.
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
        """``known`` returns a commit of this process by its exact bytes (``Writer.known``); it is not decoded again.
        ``alone``: only engines can append, so a commit whose parent the log does not have stops the partition.
        ``appends`` False: nothing is decided on what is followed here, so a log whose front was cut is followed if
        local state has the deleted records."""
        self._alone = alone
        self.partition = partition
        self.state = state
        self.stopped: JournalError | None = None
        self._journal = journal
        self._listener = listener
        self._appends = appends
        self._next_to_deliver = state.next_ordinal
        """The listener was notified of commits below this ordinal, or they were in local state at the start."""
        self._admission = Admission(partition, journal.partitions, state, known)
        self._marks: list[Mark] = []
        self._end_then = 0
        """The log's end when the marks were set."""
        self.head = state.head
        self.commits_of = state.commits_of
        self.commit_at = state.commit_at
        self.ordinal_of_command = state.ordinal_of_command

    head: Callable[[str], Head | None]
    """Returns the head of a chain stream (``Heads.head``)."""
    commits_of: Callable[..., Iterator[Admitted]]
    """Yields the commits of a chain stream (``LocalState.commits_of``)."""
    commit_at: Callable[[int], Admitted | None]
    """Returns the commit with an ordinal (``LocalState.commit_at``)."""
    ordinal_of_command: Callable[[str, str], int | None]
    """Returns the ordinal of the commit that answered a command on a stream (``Heads.ordinal_of_command``)."""

    @property
    def next_offset(self) -> int:
        """Offset of the record to read next."""
        return self.state.next_offset

    @property
    def next_ordinal(self) -> int:
        """Number of commits admitted."""
        return self.state.next_ordinal

    @property
    def next_position(self) -> int:
        """Number of events in the partition's sequence."""
        return self.state.next_position

    @property
    def behind(self) -> int:
        """Number of offsets up to the log's current end."""
        return max(0, self._journal.end(self.partition) - self.state.next_offset)

    def start(self, marks: Sequence[Mark] = (), recent: int = 0) -> None:
        """Compare local state with the log: identity, partitions, end, the last commit's hash, and the marks
        (``expect``). ``recent``: how many of the newest commits are compared byte by byte.

        Raises JournalMismatch, LogChanged, LogLost, JournalDamaged (the partition is stopped then), or another error of
        reading the log.
        """
        try:
            with self._stopping():
                self.expect(marks)
                self._compare()
                self._compare_recent(recent)
                self._check_marks()
        except JournalDamaged as damaged:
            self.stopped = damaged
            raise

    def expect(self, marks: Sequence[Mark]) -> None:
        """Stop the partition unless the log has what these marks record. ``start`` or the next ``advance`` checks them.

        Ordinals are known only once the log is followed to its current end. ``expecting`` is true until then.
        """
        if marks:
            self._end_then = self._journal.end(self.partition)
            self._marks += marks

    @property
    def expecting(self) -> bool:
        """Whether marks are not checked yet. Nothing may be decided until they are."""
        return bool(self._marks)

    @contextmanager
    def _stopping(self) -> Iterator[None]:
        try:
            yield
        except (JournalMismatch, LogChanged, LogLost) as stop:
            self.stopped = stop
            raise

    def advance(self, limit: int = 500, *, wait: bool = True) -> int:
        """Read and apply at most ``limit`` records. Returns the number of records applied.

        0: the end of the log, or, without ``wait``, perhaps only that no record has arrived yet.
        """
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
                    self._check_marks()
            return 0
        stop: Stop | None = None
        results: list[Admitted | Rejected] = []
        try:
            first = state.next_index
            for record in records:
                for result in self._admission.take(record, first):
                    if isinstance(result, Stop):
                        stop = result
                        break
                    if isinstance(result, Rejected):
                        state.reject(result)
                    results.append(result)
                if stop is not None:
                    break
                first = 0
            if stop is None:
                state.flush(records[-1].offset + 1)
            elif results:
                state.flush(stop.offset, stop.index)
        except BaseException:
            state.rollback()
            raise
        with self._stopping():
            if self._alone:
                self._check_parents(results)
            if self._marks:
                self._check_marks()
        if self._listener is not None:
            self._notify(self._listener, results)
        if stop is not None:
            self.stopped = FormatTooNew(stop)
            raise self.stopped
        return len(records)

    def _notify(self, listener: Listener, results: list[Admitted | Rejected]) -> None:
        """Notify the listener, but only once of a commit that local state lost before a write."""
        for result in results:
            if isinstance(result, Rejected):
                listener.rejected(result)
            elif result.ordinal >= self._next_to_deliver:
                self._next_to_deliver = result.ordinal + 1
                listener.admitted(result)

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
                f"the log lost acknowledged records. {BRING_BACK}"
            )
        last, begin = state.last, journal.begin(partition)
        if last is not None and last.offset >= begin and self._hash_at(last.offset, last.index) != last.hash:
            stored = state.commit_at(state.next_ordinal - 1)
            assert stored is not None
            raise disagreement(journal, stored, self._marks)
        self._compare_front()

    def _compare_recent(self, recent: int) -> None:
        """Compare the bytes and append times of the newest commits with the log."""
        at: JournalRecord | None = None
        commits: Sequence[bytes] = ()
        read: Iterator[JournalRecord] | None = None
        for stored in self.state.commits(max(0, self.state.next_ordinal - recent)) if recent else ():
            if read is None:
                read = records_of(self._journal, self.partition, self.state.next_offset, first=stored.offset)
            while at is None or at.offset < stored.offset:
                at = next(read, None)
                if at is None:
                    break
                commits = commits_in(at)
            same = at is not None and (at.offset, at.appended_at) == (stored.offset, stored.appended_at)
            if not same or stored.index >= len(commits) or commits[stored.index] != stored.data:
                raise disagreement(self._journal, stored, self._marks)

    def _check_marks(self) -> None:
        """Raise LogLost or LogChanged if the log does not have what a mark records. Forget the marks that it has."""
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

    def _check_parents(self, results: Sequence[Admitted | Rejected]) -> None:
        """Raise LogChanged if the parent of a rejected commit is not in the log before it."""
        for result in results:
            if not isinstance(result, Rejected) or result.commit is None or result.kind == "malformed":
                continue
            for part in result.commit.streams:
                if part.kind == "chain" and part.parent != ZERO_HASH and not self._has(part.stream, part.parent):
                    raise LogChanged(
                        f"partition {self.partition}: the commit at offset {result.offset} (number {result.index} "
                        f"there) was written behind a commit of {part.stream} that the log does not have "
                        f"({part.parent.hex()}): the log was changed. {KEEP_BOTH}"
                    )

    def _has(self, stream: str, hash: bytes) -> bool:
        """Whether a commit of the stream has this hash. The parent of a commit that lost a race is usually recent."""
        newest = self.state.next_ordinal - _RACE
        if any(admitted.hash == hash for admitted in self.commits_of(stream, after=newest)):
            return True
        return newest > 0 and any(admitted.hash == hash for admitted in self.commits_of(stream))

    def _compare_front(self) -> None:
        begin = self._journal.begin(self.partition)
        if begin > (0 if self._appends else self.state.next_offset):
            raise front_cut(self.partition, begin)

    def _hash_at(self, offset: int, index: int) -> bytes | None:
        """Return the hash of the commit at this place of the log, or None."""
        records = self._journal.read(self.partition, offset, 1)
        commits = commits_in(records[0]) if records and records[0].offset == offset else ()
        return commit_hash(commits[index]) if index < len(commits) else None
