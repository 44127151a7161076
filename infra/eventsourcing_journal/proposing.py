"""Turn drafts into commits: propose drafts that fit, hold those that wait for a stream in flight, answer settled ones.

This module has no thread and no lock. The owner follows the partition, calls ``step``, passes the follower's results to
``writer``, and calls ``answer`` when it holds no lock.
"""

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future

from eventsourcing.persistence import DatabaseError, DataError, IntegrityError, OperationalError, PersistenceError

from consumers.log.writer import Settled, Writer
from consumers.ports.journal import Journal
from consumers.ports.local_state import LocalState
from consumers.ports.log_values import Admitted
from domain.instants import Instant
from infra.eventsourcing_journal.drafts import Draft, Part
from schemas.commit import COMMIT_VERSION, ZERO_HASH, Commit, EventEntry, StreamEntry, commit_id, encode_commit
from schemas.wire import Malformed


class Proposer:
    """The drafts of one partition. ``again`` is True after a draft was settled for which others may have waited."""

    def __init__(
        self,
        journal: Journal,
        partition: int,
        state: LocalState,
        name: str,
        *,
        wake: Callable[[], None],
        new_id: Callable[[], bytes],
        catch_up: Callable[[], None],
    ) -> None:
        """``name`` is the writer's name in commits and records. ``wake`` is called, from any thread, when ``step`` has
        work. ``new_id`` returns 16 unique bytes. ``catch_up`` follows the log to its current end. It runs before a
        draft is refused because it does not fit."""
        self.writer = Writer(journal, name, new_id, lambda _, ordinal: state.commit_at(ordinal), wake=wake)
        self.again = False
        self._partition = partition
        self._state = state
        self._name = name
        self._new_id = new_id
        self._catch_up = catch_up
        self._waiting: list[Draft] = []
        self._busy: set[str] = set()
        self._answers: deque[tuple[Future[Admitted], Admitted | PersistenceError]] = deque()

    def take(self, drafts: Iterable[Draft]) -> None:
        """Accept drafts. Drafts on the same streams are written in this order."""
        self._waiting.extend(drafts)

    @property
    def waiting(self) -> bool:
        """Whether a draft waits for a stream in flight."""
        return bool(self._waiting)

    def step(self, now: Instant) -> None:
        """Propose the drafts that may be proposed, and send them."""
        self.again = False
        if self._waiting:
            self._propose_waiting(now)
        self.writer.step(now)

    def refuse(self, error: PersistenceError) -> None:
        """Answer waiting drafts with an error."""
        self._answers.extend((draft.future, error) for draft in self._waiting)
        self._waiting = []

    def fail(self, error: PersistenceError) -> None:
        """Answer waiting drafts and those in flight with an error. Nothing is written from then on."""
        self.refuse(error)
        self.writer.close()

    def answer(self) -> None:
        """Answer settled drafts. The waiting threads continue at once, and may submit more."""
        while True:
            try:
                future, answer = self._answers.popleft()
            except IndexError:
                return
            if isinstance(answer, PersistenceError):
                future.set_exception(answer)
            else:
                future.set_result(answer)

    # ---- proposing ---------------------------------------------------------------------------------------------------

    def _propose_waiting(self, now: Instant) -> None:
        """Propose drafts whose streams are neither in flight nor needed by an earlier waiting draft."""
        left: list[Draft] = []
        taken: set[str] = set()
        for draft in self._waiting:
            streams = {part.stream for part in draft.parts}
            if self.writer.has_room and streams.isdisjoint(self._busy) and streams.isdisjoint(taken):
                self._propose(draft, streams, now)
            else:
                left.append(draft)
                taken |= streams
        self._waiting = left

    def _propose(self, draft: Draft, streams: set[str], now: Instant) -> None:
        if self._misfit(draft) is not None:
            self._catch_up()
            if (reason := self._misfit(draft)) is not None:
                self._answers.append((draft.future, IntegrityError(reason)))
                return
        commit = self._commit(draft, now)
        key = next((part.stream.encode() for part in draft.parts if part.kind == "chain"), b"")

        def settled(found: Settled) -> None:
            self._busy -= streams
            self.again = True
            self._answers.append((draft.future, _outcome(found)))

        try:
            self.writer.propose(self._partition, key, encode_commit(commit), settled, commit)
        except Malformed as error:
            self._answers.append((draft.future, DataError(f"no commit can hold these events: {error.reason}")))
        else:
            self._busy |= streams

    def _misfit(self, draft: Draft) -> str | None:
        """Why the draft does not fit the part of the log followed so far. None if it fits."""
        return next((reason for part in draft.parts if (reason := self._misfit_of(part)) is not None), None)

    def _misfit_of(self, part: Part) -> str | None:
        state = self._state
        match part.kind:
            case "chain":
                head = state.head(part.stream)
                if head is None or part.first == head.count:
                    return None
                why = "is recorded already" if part.first < head.count else f"does not follow {head.count - 1}"
                return f"version {part.first} of {part.stream} {why}"
            case "unique":
                versions = range(part.first, part.first + len(part.facts))
                there = next((version for version in versions if state.has_version(part.stream, version)), None)
                return None if there is None else f"version {there} of {part.stream} is recorded already"
            case "watermark":
                last = state.watermark(part.stream)
                if last is None or part.first > last:
                    return None
                return f"{part.stream} is at {last} already, and {part.first} is not greater"

    def _commit(self, draft: Draft, now: Instant) -> Commit:
        """The commit of a draft that fits."""
        envelope = draft.envelope
        recorded_at = now if envelope.recorded_at is None else envelope.recorded_at
        streams = tuple([self._entry(part, recorded_at) for part in draft.parts])
        first = streams[0]
        if envelope.command_id is None:
            id = self._new_id()
        else:
            id = commit_id(first.stream, envelope.command_id, first.parent)
        return Commit(
            COMMIT_VERSION,
            id,
            envelope.command_id,
            envelope.command_fingerprint,
            envelope.actor,
            envelope.correlation_id,
            envelope.causation_id,
            recorded_at,
            self._name if envelope.writer is None else envelope.writer,
            streams,
        )

    def _entry(self, part: Part, recorded_at: Instant) -> StreamEntry:
        head = self._state.head(part.stream) if part.kind == "chain" else None
        events = tuple(
            [
                EventEntry(place, name, version, recorded_at if occurred_at is None else occurred_at, body)
                for place, name, version, occurred_at, body in part.facts
            ]
        )
        return StreamEntry(part.stream, part.kind, ZERO_HASH if head is None else head.hash, part.first, events)


def _outcome(settled: Settled) -> Admitted | PersistenceError:
    match settled.kind:
        case "admitted":
            assert settled.admitted is not None
            return settled.admitted
        case "duplicate":
            return IntegrityError(f"this save was recorded before: {settled.reason}")
        case "superseded":
            return IntegrityError(f"another save came first: load the aggregate again: {settled.reason}")
        case "malformed":
            return DataError(f"the journal does not take this: {settled.reason}")
        case "refused" if not settled.retriable:
            return DatabaseError(f"the journal does not take this: {settled.reason}")
        case "refused":
            return OperationalError(f"not written: {settled.reason}")
        case "unknown":
            return OperationalError(f"it is unknown whether this was written: {settled.reason}")
