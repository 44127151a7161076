"""Control streams (``$…``): short histories that the engine itself writes, and the control log that holds most of them.

Control commits are decided on what the follower has read, and admitted like any other commit. A write that lost a race
is decided again after the commit that won. The control log has one partition, which every process follows. It holds
``$journal``, whose first commit records how many partitions the journal has, and the ``$policy/ID`` streams.
"""

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from consumers.engine.policy_registry import PolicyRegistry
from consumers.log.commit_codec import ENGINE, events_of, part_of
from consumers.log.divergence import Mark
from consumers.log.follower import Follower
from consumers.log.writer import Settled, Writer
from consumers.ports.journal import Journal, JournalMismatch
from consumers.ports.local_state import LocalState
from consumers.ports.log_values import Admitted, Rejected
from domain.events import Event, JournalCreated
from domain.instants import Instant
from domain.policy import PolicyBook, PolicyDocument
from domain.wording import counted
from schemas.codec import Undecodable, encode_event
from schemas.commit import COMMIT_VERSION, ZERO_HASH, ActorEntry, Commit, EventEntry, StreamEntry, encode_commit

JOURNAL_STREAM: Final = "$journal"
POLICY_STREAMS: Final = "$policy/"
TRIES: Final = 20
"""How often a control write is decided again after lost races, before it gives up."""

Decide = Callable[[], Sequence[Event] | None]
"""Returns the events to write on the stream as followed now; None if nothing is needed."""


class ControlWrites:
    """Writes on control streams of one journal, in any of its partitions."""

    def __init__(self, writer: Writer, followers: dict[int, Follower], name: str, new_id: Callable[[], bytes]) -> None:
        """``name``: recorded as ``writer`` in the commits. ``new_id`` returns 16 unique bytes."""
        self._writer = writer
        self._followers = followers
        self._name = name
        self._new_id = new_id
        self._retries: deque[tuple[int, Callable[[], None], Callable[[Settled | None], None]]] = deque()

    def retry(self) -> bool:
        """Decide the writes again that lost a race. Returns whether there were any.

        Only between two batches: within a batch, local state is ahead of the listeners, and a decision would mix the
        two states.
        """
        retries, self._retries = self._retries, deque()
        for _, write, _ in retries:
            write()
        return bool(retries)

    def revoke(self, partition: int) -> None:
        """Give up the writes of a partition that is followed no longer."""
        retries, self._retries = self._retries, deque()
        for each in retries:
            if each[0] == partition:
                each[2](Settled("unknown", reason="another process follows the partition now"))
            else:
                self._retries.append(each)

    def write(
        self,
        partition: int,
        stream: str,
        now: Instant,
        decide: Decide,
        done: Callable[[Settled | None], None],
        *,
        listed: str | None = None,
    ) -> None:
        """Append the events that ``decide`` returns. Calls ``done`` with the result of the commit, or None if nothing
        was needed.

        The result is superseded only after ``TRIES`` lost races. ``listed`` is a stream that the commit touches, too,
        without events, so that the commits of a kind are found by reading that stream.
        """
        self._try(partition, stream, now, decide, done, listed, TRIES)

    def _try(
        self,
        partition: int,
        stream: str,
        now: Instant,
        decide: Decide,
        done: Callable[[Settled | None], None],
        listed: str | None,
        left: int,
    ) -> None:
        events = decide()
        if events is None:
            done(None)
            return
        parts = [self._part(partition, stream, entries([(event, now) for event in events]))]
        if listed is not None:
            parts.append(self._part(partition, listed, ()))
        commit = Commit(
            COMMIT_VERSION,
            self._new_id(),
            None,
            None,
            ActorEntry(*ENGINE),
            None,
            None,
            now,
            self._name,
            tuple(parts),
        )

        def settled(settled: Settled) -> None:
            if settled.kind == "superseded" and left > 0:
                again = partial(self._try, partition, stream, now, decide, done, listed, left - 1)
                self._retries.append((partition, again, done))
            else:
                done(settled)

        self._writer.propose(partition, b"", encode_commit(commit), settled, commit)

    def _part(self, partition: int, stream: str, events: tuple[EventEntry, ...]) -> StreamEntry:
        """Build a commit's entry for a stream, on its head as followed now."""
        head = self._followers[partition].head(stream)
        parent, count = (ZERO_HASH, 0) if head is None else (head.hash, head.count)
        return StreamEntry(stream, "chain", parent, count, events)


def entries(events: Sequence[tuple[Event, Instant]]) -> tuple[EventEntry, ...]:
    """Encode the events of a commit that touches one stream."""
    found = []
    for index, (event, occurred_at) in enumerate(events):
        name, version, body = encode_event(event)
        found.append(EventEntry(index, name, version, occurred_at, body))
    return tuple(found)


class ControlLog:
    """The control log, followed from its start: how many partitions the journal has, and which policies there are.

    Call ``start``, then ``follow`` up to ``end``. After that ``partitions`` and ``policies`` are valid.
    """

    def __init__(
        self,
        journal: Journal,
        state: LocalState,
        name: str,
        new_id: Callable[[], bytes],
        wake: Callable[[], None] | None = None,
        *,
        alone: bool = False,
    ) -> None:
        """``alone``: only engines can append (``Follower``)."""
        if journal.partitions != 1:
            raise JournalMismatch(
                f"the control log has {counted(journal.partitions, 'partition')}; it must have exactly one"
            )
        self.journal = journal
        self.policies = PolicyRegistry()
        self.partitions: int | None = None
        """How many partitions the journal has; None while the log does not have that."""
        self.writer = Writer(journal, name, new_id, lambda _, ordinal: self.follower.commit_at(ordinal), wake=wake)
        self.follower = Follower(journal, 0, state, self, self.writer.known, alone=alone)
        self._writes = ControlWrites(self.writer, {0: self.follower}, name, new_id)

    def start(self, marks: Sequence[Mark] = ()) -> None:
        """Compare local state with the log, and take in the commits that it has. Raises as ``Follower.start`` does.

        ``marks``: how far others have followed the log (``Follower.expect``).
        """
        self.follower.start(marks)
        for admitted in self.follower.state.commits():
            self._read(admitted)

    def follow(self, limit: int = 500) -> bool:
        """Follow one batch. Returns whether anything was read."""
        return self.follower.advance(limit) > 0

    def step(self, now: Instant) -> bool:
        """Send waiting commits and follow one batch. Returns whether there was anything to do."""
        moved = self._writes.retry()
        moved = self.writer.step(now) or moved
        return self.follow() or moved

    def end(self) -> int:
        """Return where the log ends now. Policies published before now are below it."""
        return self.journal.end(0)

    @property
    def next_offset(self) -> int:
        return self.follower.next_offset

    @property
    def book(self) -> PolicyBook:
        """The policies as followed so far."""
        return self.policies.book

    def create(self, partitions: int, now: Instant, done: Callable[[Settled | None], None]) -> None:
        """Record how many partitions the journal has, unless the log has that already. It never changes.

        The log may have another number. The caller finds out with ``agree`` afterwards.
        """

        def decide() -> Sequence[Event] | None:
            return None if self.partitions is not None else (JournalCreated(partitions),)

        self._writes.write(0, JOURNAL_STREAM, now, decide, done)

    def agree(self, partitions: int) -> None:
        """Raise JournalMismatch unless the journal has as many partitions as the control log records."""
        if self.partitions is not None and self.partitions != partitions:
            raise JournalMismatch(
                f"the control log says {counted(self.partitions, 'partition')}, the journal has {partitions}: "
                "this is another journal's control log, or the topic was changed; put back what belongs together"
            )

    def publish(self, document: PolicyDocument, now: Instant, done: Callable[[str, Settled | None], None]) -> None:
        """Put a policy in force for orders that name it from now on.

        ``done`` gets ``published`` (with the result of the commit), ``there`` (this very document is published already)
        or ``taken`` (the id@version has other content).
        """
        policy = document.policy
        stream = f"{POLICY_STREAMS}{policy.id}"

        def published() -> bytes | None:
            return self.policies.sha256_of(policy.id, policy.version)

        def decide() -> Sequence[Event] | None:
            return (document.published,) if published() is None else None

        def written(settled: Settled | None) -> None:
            if settled is not None:
                done("published", settled)
            else:
                done("there" if published() == document.sha256 else "taken", None)

        self._writes.write(0, stream, now, decide, written)

    # ---- the follower's listener -------------------------------------------------------------------------------------

    def admitted(self, admitted: Admitted) -> None:
        self._read(admitted)
        self.writer.admitted(admitted)

    def rejected(self, rejected: Rejected) -> None:
        self.writer.rejected(rejected)

    def _read(self, admitted: Admitted) -> None:
        for part in admitted.commit.streams:
            if part.stream == JOURNAL_STREAM:
                self._created(admitted)
            elif part.stream.startswith(POLICY_STREAMS):
                self.policies.admitted(part)

    def _created(self, admitted: Admitted) -> None:
        part = part_of(admitted.commit, JOURNAL_STREAM)
        if self.partitions is not None or part is None:
            return
        try:
            events = events_of(part)
        except Undecodable:
            return
        for event, _ in events:
            if isinstance(event, JournalCreated):
                self.partitions = event.partitions
