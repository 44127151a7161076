"""One partition of one topic, open in this process: what all recorders of an application read from and write to.

A thread of its own takes the drafts that recorders put in, proposes them as commits (those that wait at the same moment
share a record and an fsync), follows the log, and answers. Drafts that touch a stream which is already on its way wait
behind it. Reading happens on the reader's own thread, under the one lock, after the follower has reached the log's end
as it was when the question came; so every reader sees what was answered before, by whatever process.

``__del__`` of the library's applications may run in any thread, in the middle of anything. So what may be called from
there (``poke``, ``unlisten``) takes no lock and joins nobody.
"""

import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from typing import Final, TypeVar

from eventsourcing.persistence import DatabaseError, DataError, IntegrityError, OperationalError, PersistenceError

from consumers.admission import Admitted
from consumers.follower import Follower
from consumers.journal import Journal, JournalError, JournalUnavailable
from consumers.local_state import LocalState
from consumers.writer import Settled, Writer
from domain.instants import Instant
from infra.eventsourcing_journal.drafts import Draft, Part
from schemas.commit import ZERO_HASH, Commit, EventEntry, StreamEntry, commit_id, encode_commit
from schemas.wire import Malformed

T = TypeVar("T")

_UNSEEN: Final = 0.005
"""Seconds between two looks at the log while something of ours is on its way."""
_RETRY: Final = 0.5
"""Seconds between two tries to read a log that is unavailable."""
_WATCH: Final = 1.0
"""Seconds that the watcher waits at a time for other processes' commits."""


class Store:
    """One partition of one topic. Any thread may call any method.

    Errors are those of ``eventsourcing.persistence``: IntegrityError for what lost a race or never fitted, DataError
    for what no commit can hold, OperationalError for what may succeed later, DatabaseError for a log that is damaged,
    truncated or another one (``rescind doctor`` and DESIGN 3.4 say what to do).
    """

    def __init__(
        self,
        journal: Journal,
        partition: int,
        state: LocalState,
        name: str,
        *,
        let_go: Callable[[], None] = lambda: None,
        new_id: Callable[[], bytes] = lambda: uuid.uuid4().bytes,
        now: Callable[[], Instant] = lambda: time.time_ns() // 1000,
    ) -> None:
        """``name`` stands as the writer in commits and records. ``let_go`` is called when the store is closed; it
        closes journal and local state. JournalError if the local state does not fit the log."""
        self.name = name
        self.partition = partition
        self._journal = journal
        self._state = state
        self._let_go = let_go
        self._new_id = new_id
        self._now = now
        self._lock = Lock()
        self._inbox: SimpleQueue[Draft | None] = SimpleQueue()
        self._waiting: list[Draft] = []
        self._busy: set[str] = set()
        self._freed = False
        self._answers: deque[tuple[Future[Admitted], Admitted | PersistenceError]] = deque()
        self._listeners: set[Event] = set()
        self._grown = False
        self._watched = False
        self._failed: JournalError | None = None
        self._closed = False
        self._writer = Writer(journal, name, new_id, lambda _, ordinal: state.commit_at(ordinal), wake=self.poke)
        self._follower = Follower(journal, partition, state, self._writer, self._writer.known)
        self._follower.start()
        Thread(target=self._loop, name=f"store {name}", daemon=True).start()

    # ---- what recorders ask ------------------------------------------------------------------------------------------

    def save(self, draft: Draft) -> None:
        """Write a draft: its future is answered once its commit was read back and admitted, or never can be."""
        self._inbox.put(draft)

    def read(self, question: Callable[[LocalState], T]) -> T:
        """The answer to a question about the log as it stands now; all that it needs it reads before it returns."""
        with self._lock:
            if self._closed:
                raise closed()
            try:
                self._catch_up()
                answer = question(self._state)
            except JournalError as error:
                raise _as_persistence_error(error) from error
        self._tell()
        if self._waiting:
            self.poke()
        return answer

    def listen(self, grown: Event) -> None:
        """Set ``grown`` whenever a commit was admitted, whichever process wrote it."""
        self._listeners.add(grown)
        with self._lock:
            if self._watched or self._closed:
                return
            self._watched = True
        Thread(target=self._watch, name=f"watcher {self.name}", daemon=True).start()

    def unlisten(self, grown: Event) -> None:
        """Set it no more. Takes no lock."""
        self._listeners.discard(grown)

    def poke(self) -> None:
        """There may be something to do. Takes no lock."""
        self._inbox.put(None)

    def close(self) -> None:
        """Answer what is open with an error and let go of everything. Waits for the lock, but joins nobody."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._writer.close()
            self._let_go()
        self._grown = True
        self._tell()
        self.poke()

    # ---- the thread --------------------------------------------------------------------------------------------------

    def _loop(self) -> None:
        """Until closed: take what came in, propose, follow, answer."""
        pause: float | None = None
        while True:
            arrived = self._arrived(pause)
            with self._lock:
                self._waiting.extend(arrived)
                if self._closed:
                    break
                pause = self._turn()
            self._tell()
        self._refuse(self._waiting, closed())
        self._refuse(self._arrived(0.0), closed())
        self._tell()

    def _arrived(self, pause: float | None) -> list[Draft]:
        """Everything that is in the inbox; waits at most ``pause`` seconds for the first (None: however long)."""
        found: list[Draft | None] = []
        try:
            found.append(self._inbox.get(timeout=pause))
            while True:
                found.append(self._inbox.get_nowait())
        except Empty:
            return [draft for draft in found if draft is not None]

    def _turn(self) -> float | None:
        """One turn, under the lock: in how many seconds the next must be (None: when somebody pokes)."""
        if self._failed is not None:
            self._refuse(self._waiting, _as_persistence_error(self._failed))
            return None
        try:
            self._catch_up()
            self._freed = True
            while self._freed:
                self._freed = False
                self._propose_waiting()
                self._writer.step(self._now())
                self._catch_up()
        except JournalUnavailable:
            return _RETRY
        except JournalError as error:
            self._failed = error
            self._writer.close()
            self._refuse(self._waiting, _as_persistence_error(error))
            return None
        return _UNSEEN if self._writer.in_flight else None

    def _catch_up(self) -> None:
        """Follow the log to its end as it is now; a log that ends before what was read is found out here too."""
        end = self._journal.end(self.partition)
        before = self._follower.next_ordinal
        while self._follower.next_offset != end:
            if not self._follower.advance() or self._follower.next_offset > end:
                break
        if self._follower.next_ordinal != before:
            self._grown = True

    def _watch(self) -> None:
        """Poke when the log has grown: other processes write too."""
        seen = 0
        while not self._closed:
            try:
                seen = max(seen, self._follower.next_offset)
                if self._journal.wait(self.partition, seen, _WATCH):
                    seen = self._journal.end(self.partition)
                    self.poke()
            except JournalError:
                time.sleep(_RETRY)

    # ---- proposing, under the lock -----------------------------------------------------------------------------------

    def _propose_waiting(self) -> None:
        """Propose what waits and touches no stream that is on its way, or that an earlier one waits for."""
        left: list[Draft] = []
        taken: set[str] = set()
        for draft in self._waiting:
            streams = {part.stream for part in draft.parts}
            if self._writer.has_room and streams.isdisjoint(self._busy) and streams.isdisjoint(taken):
                self._propose(draft, streams)
            else:
                left.append(draft)
                taken |= streams
        self._waiting = left

    def _propose(self, draft: Draft, streams: set[str]) -> None:
        for part in draft.parts:
            if reason := self._misfit(part):
                self._answers.append((draft.future, IntegrityError(reason)))
                return
        commit = self._commit(draft)
        key = next((part.stream.encode() for part in draft.parts if part.kind == "chain"), b"")

        def settled(found: Settled) -> None:
            self._busy -= streams
            self._freed = True
            self._answers.append((draft.future, _outcome(found)))

        try:
            self._writer.propose(self.partition, key, encode_commit(commit), settled, commit)
        except Malformed as error:
            self._answers.append((draft.future, DataError(f"no commit can hold this: {error.reason}")))
        else:
            self._busy |= streams

    def _misfit(self, part: Part) -> str | None:
        """Why a part does not fit what the log has already, and so never will (DESIGN 3.1)."""
        match part.kind:
            case "chain":
                head = self._state.head(part.stream)
                if head is None or part.first == head.count:
                    return None
                said = "is recorded already" if part.first < head.count else f"comes before {head.count}"
                return f"version {part.first} of {part.stream} {said}"
            case "unique":
                there = (v for v in range(part.first, part.first + len(part.facts)))
                found = next((v for v in there if self._state.has_version(part.stream, v)), None)
                return None if found is None else f"version {found} of {part.stream} is recorded already"
            case "watermark":
                last = self._state.watermark(part.stream)
                if last is None or part.first > last:
                    return None
                return f"{part.stream} is at {last}: {part.first} is not greater"

    def _commit(self, draft: Draft) -> Commit:
        """The commit of a draft that fits."""
        envelope = draft.envelope
        recorded_at = self._now() if envelope.recorded_at is None else envelope.recorded_at
        streams = tuple(self._entry(part, recorded_at) for part in draft.parts)
        first = streams[0]
        return Commit(
            commit_version=1,
            commit_id=self._new_id()
            if envelope.command_id is None
            else commit_id(first.stream, envelope.command_id, first.parent),
            command_id=envelope.command_id,
            command_fingerprint=envelope.command_fingerprint,
            actor=envelope.actor,
            correlation_id=envelope.correlation_id,
            causation_id=envelope.causation_id,
            recorded_at=recorded_at,
            writer=self.name if envelope.writer is None else envelope.writer,
            streams=streams,
        )

    def _entry(self, part: Part, recorded_at: Instant) -> StreamEntry:
        head = self._state.head(part.stream) if part.kind == "chain" else None
        events = tuple(
            EventEntry(
                fact.place,
                fact.name,
                fact.schema_version,
                recorded_at if fact.occurred_at is None else fact.occurred_at,
                fact.body,
            )
            for fact in part.facts
        )
        return StreamEntry(part.stream, part.kind, ZERO_HASH if head is None else head.hash, part.first, events)

    # ---- answering ---------------------------------------------------------------------------------------------------

    def _refuse(self, drafts: Iterable[Draft], error: PersistenceError) -> None:
        self._answers.extend((draft.future, error) for draft in drafts)
        self._waiting = []

    def _tell(self) -> None:
        """Answer what was settled, and say that the log has grown. Not under the lock: whoever waits reads next."""
        if self._grown:
            self._grown = False
            for grown in tuple(self._listeners):
                grown.set()
        while True:
            try:
                future, answer = self._answers.popleft()
            except IndexError:
                return
            if isinstance(answer, PersistenceError):
                future.set_exception(answer)
            else:
                future.set_result(answer)


def closed() -> OperationalError:
    """What everything raises that is asked of a store, or of a factory, after it was closed."""
    return OperationalError("the journal was closed: construct the application anew")


def _outcome(settled: Settled) -> Admitted | PersistenceError:
    match settled.kind:
        case "admitted":
            assert settled.admitted is not None
            return settled.admitted
        case "duplicate":
            return IntegrityError(f"this was recorded before: {settled.reason}")
        case "superseded":
            return IntegrityError(f"somebody else was first: {settled.reason}")
        case "malformed":
            return DataError(f"the journal does not take this: {settled.reason}")
        case "refused" if not settled.retriable:
            return DatabaseError(f"the journal does not take this: {settled.reason}")
        case "refused" | "unknown":
            return OperationalError(f"not written, or nobody knows yet: {settled.reason}")


def _as_persistence_error(error: JournalError) -> PersistenceError:
    if isinstance(error, JournalUnavailable):
        return OperationalError(str(error))
    return DatabaseError(f"{type(error).__name__}: {error}")
