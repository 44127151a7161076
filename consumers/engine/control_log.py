"""Control streams (``$…``): short histories that the engine itself writes, and the control log that holds most of them.

Everything here is decided on what the follower has read and written like any commit: on a parent, judged by admission.
A write that lost a race is decided again on what won. The control log (one partition) has ``$journal``, whose first
commit says how many partitions the journal has, and ``$policy/ID``; every process follows it whole.
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
"""How often a control write is decided again before it gives up; each time another writer got on."""

Decide = Callable[[], Sequence[Event] | None]
"""What is to be written on the stream as followed now; None if nothing is needed any more."""


class ControlWrites:
    """Writes on control streams of one journal, in any of its partitions."""

    def __init__(self, writer: Writer, followers: dict[int, Follower], name: str, new_id: Callable[[], bytes]) -> None:
        """``name`` stands as ``writer`` in the commits, ``new_id`` gives 16 unique bytes."""
        self._writer = writer
        self._followers = followers
        self._name = name
        self._new_id = new_id
        self._again: deque[tuple[int, Callable[[], None], Callable[[Settled | None], None]]] = deque()

    def go_on(self) -> bool:
        """Decide anew what lost a race; whether there was anything. Between two batches only: within one, local state
        is ahead of what the listeners have been told, and a decision would look at the one and stand on the other."""
        again, self._again = self._again, deque()
        for _, write, _ in again:
            write()
        return bool(again)

    def revoke(self, partition: int) -> None:
        """Nobody follows the partition here any more: nothing is decided anew there."""
        again, self._again = self._again, deque()
        for each in again:
            if each[0] == partition:
                each[2](Settled("unknown", reason="another process follows the partition now"))
            else:
                self._again.append(each)

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
        """Append what ``decide`` says; ``done(None)`` if it says nothing is needed, else what became of the commit.

        Superseded is told only after ``TRIES`` lost races. ``listed`` is a stream that the commit touches too, without
        events: whoever reads that one finds every commit that is listed there.
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
                self._again.append((partition, again, done))
            else:
                done(settled)

        self._writer.propose(partition, b"", encode_commit(commit), settled, commit)

    def _part(self, partition: int, stream: str, events: tuple[EventEntry, ...]) -> StreamEntry:
        """A part on the stream's head as followed now."""
        head = self._followers[partition].head(stream)
        parent, count = (ZERO_HASH, 0) if head is None else (head.hash, head.count)
        return StreamEntry(stream, "chain", parent, count, events)


def entries(events: Sequence[tuple[Event, Instant]]) -> tuple[EventEntry, ...]:
    """Events as a commit of one stream carries them."""
    found = []
    for index, (event, occurred_at) in enumerate(events):
        name, version, body = encode_event(event)
        found.append(EventEntry(index, name, version, occurred_at, body))
    return tuple(found)


class ControlLog:
    """The control log, followed whole: how many partitions the journal has, and which policies there are.

    ``start``, then ``follow`` until ``caught_up``; after that ``partitions`` and ``policies`` can be asked.
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
        """``alone``: nobody but engines can append (``Follower``)."""
        if journal.partitions != 1:
            raise JournalMismatch(
                f"the control log has {counted(journal.partitions, 'partition')}; it must have exactly one"
            )
        self.journal = journal
        self.policies = PolicyRegistry()
        self.partitions: int | None = None
        """How many partitions the journal has; None while the log does not say."""
        self.writer = Writer(journal, name, new_id, lambda _, ordinal: self.follower.commit_at(ordinal), wake=wake)
        self.follower = Follower(journal, 0, state, self, self.writer.known, alone=alone)
        self._writes = ControlWrites(self.writer, {0: self.follower}, name, new_id)

    def start(self, marks: Sequence[Mark] = ()) -> None:
        """Compare local state with the log, and read what it already holds; LogLost and the like stop here. ``marks``:
        how far others have followed the log (``Follower.expect``)."""
        self.follower.start(marks)
        for admitted in self.follower.state.commits():
            self._read(admitted)

    def follow(self, limit: int = 500) -> bool:
        """One step of following; whether anything was read."""
        return self.follower.advance(limit) > 0

    def step(self, now: Instant) -> bool:
        """Send what waits, follow one batch; whether anything moved."""
        moved = self._writes.go_on()
        moved = self.writer.step(now) or moved
        return self.follow() or moved

    def end(self) -> int:
        """The log's end now: what was published before now stands below it."""
        return self.journal.end(0)

    @property
    def next_offset(self) -> int:
        return self.follower.next_offset

    @property
    def book(self) -> PolicyBook:
        """The policies as followed so far."""
        return self.policies.book

    def create(self, partitions: int, now: Instant, done: Callable[[Settled | None], None]) -> None:
        """Say once and for ever how many partitions the journal has; nothing is written if the log says so already.

        Whether it says the same number is for the caller to look at afterwards: ``agree``.
        """

        def decide() -> Sequence[Event] | None:
            return None if self.partitions is not None else (JournalCreated(partitions),)

        self._writes.write(0, JOURNAL_STREAM, now, decide, done)

    def agree(self, partitions: int) -> None:
        """JournalMismatch if the journal at hand does not have as many partitions as the control log says."""
        if self.partitions is not None and self.partitions != partitions:
            raise JournalMismatch(
                f"the control log says {counted(self.partitions, 'partition')}, the journal has {partitions}: "
                "this is another journal's control log, or the topic was changed; put back what belongs together"
            )

    def publish(self, document: PolicyDocument, now: Instant, done: Callable[[str, Settled | None], None]) -> None:
        """Put a policy in force for orders that name it from now on.

        ``done`` hears ``published`` (with what became of the commit), ``there`` (this very document is published
        already) or ``taken``: the id@version has other content.
        """
        policy = document.policy
        stream = f"{POLICY_STREAMS}{policy.id}"
        verdict = "published"

        def decide() -> Sequence[Event] | None:
            nonlocal verdict
            sha256 = self.policies.sha256_of(policy.id, policy.version)
            verdict = "published" if sha256 is None else "there" if sha256 == document.sha256 else "taken"
            return (document.published,) if sha256 is None else None

        self._writes.write(0, stream, now, decide, lambda settled: done(verdict, settled))

    # ---- what the follower tells -------------------------------------------------------------------------------------

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
