"""The writer: group commit, pipelined, settled by read-back. No thread, no clock, no ids of its own.

See docs/reference/admission.md, Writing.

Commits proposed for the same partition at the same moment go into one record. What became of a commit is said by the
follower alone: an append's own answer settles nothing but a certain *refused*. An unknown append is never blindly
repeated; it is settled by a *fence*: an empty commit on the same parent, after which the unknown one can no longer be
admitted, unless it was. A commit without a chain stream cannot be fenced; it is sent again as it is, since its commit
id can be admitted only once.
"""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final, Literal

from consumers.ports.journal import Appended, AppendRefused, Journal
from consumers.ports.log_values import Admitted, Rejected
from domain.instants import SECOND, Instant
from schemas.commit import COMMIT_VERSION, Commit, StreamEntry, decode_commit, encode_commit
from schemas.record import MAX_RECORD_BYTES, MAX_RECORD_COMMITS, RECORD_OVERHEAD, encode_record
from schemas.wire import Malformed

SettledKind = Literal["admitted", "duplicate", "superseded", "malformed", "refused", "unknown"]
Done = Callable[["Settled"], None]

FIRST_PAUSE: Final = SECOND // 20
"""Before a fence whose own append failed is tried again; doubled each time."""
LONGEST_PAUSE: Final = 5 * SECOND


@dataclass(slots=True)
class Settled:
    """What became of a proposed commit.

    ``admitted``: the commit itself (kind admitted), or the one admitted first that it repeats (kind duplicate; that
    one may answer another body: compare fingerprints). superseded: it lost a race and never happened, decide again.
    refused: certainly not written; ``retriable`` says whether asking again makes sense. unknown: the writer was closed
    before the log said.
    """

    kind: SettledKind
    admitted: Admitted | None = None
    reason: str = ""
    retriable: bool = False


@dataclass(eq=False, slots=True)
class _Proposed:
    """A commit on its way; ``fences`` is the one that this one fences."""

    partition: int
    key: bytes
    data: bytes
    commit: Commit
    done: Done | None
    fences: "_Proposed | None" = None
    fence: "_Proposed | None" = None
    open: bool = True
    pause: int = 0


@dataclass(eq=False, slots=True)
class _Sent:
    future: Future[Appended]
    partition: int
    commits: list[_Proposed]


@dataclass(eq=False, slots=True)
class _Lane:
    """One partition's queue, and how many of its records are not answered yet."""

    waiting: deque[_Proposed] = field(default_factory=deque)
    records: int = 0


class Writer:
    """Group commit for one journal. It is a Listener: pass on what the followers of its partitions say."""

    def __init__(
        self,
        journal: Journal,
        name: str,
        new_id: Callable[[], bytes],
        first_of: Callable[[int, int], Admitted | None],
        *,
        wake: Callable[[], None] | None = None,
        record_commits: int = 256,
        record_bytes: int = 262_144,
        records_in_flight: int = 2,
        commits_in_flight: int = 4096,
    ) -> None:
        """``name`` is the writer's name in records and fences; ``new_id`` gives 16 unique bytes (ids of fences);
        ``first_of(partition, ordinal)`` looks up the commit that a duplicate repeats; ``wake`` is called, from any
        thread, when an append was answered and ``step`` has something to do. Bounds are per partition, but for
        ``commits_in_flight``."""
        self._journal = journal
        self._name = name
        self._new_id = new_id
        self._first_of = first_of
        self._wake = wake
        self._record_commits = min(record_commits, MAX_RECORD_COMMITS)
        self._largest = min(journal.record_limit, MAX_RECORD_BYTES)
        self._record_bytes = min(record_bytes, self._largest)
        self._records_in_flight = records_in_flight
        self._commits_in_flight = commits_in_flight
        self._open: dict[bytes, list[_Proposed]] = {}
        self._lanes: dict[int, _Lane] = {}
        self._sent: list[_Sent] = []
        self._unknown: list[tuple[Instant, _Proposed]] = []
        self._in_flight = 0
        self._closed = False
        self.trouble: str | None = None
        """Why the last append was not written, or perhaps not; None where it was, or where the record itself was at
        fault."""

    def propose(self, partition: int, key: bytes, data: bytes, done: Done, commit: Commit | None = None) -> None:
        """Queue a commit. ``done`` is called once, from ``step``, ``admitted``, ``rejected`` or ``close``.

        ``commit`` is what ``encode_commit`` made ``data`` of; without it the bytes are decoded here. Malformed if they
        are no commit or too large for the journal; ValueError if the very same bytes are on their way to this
        partition already, or the writer is closed.
        """
        if self._closed:
            raise ValueError("the writer is closed")
        if len(data) + RECORD_OVERHEAD > self._largest:
            raise Malformed(f"the commit's {len(data)} bytes do not go into a record of {self._largest}")
        if commit is None:
            commit = decode_commit(data)
        if self._find(partition, data) is not None:
            raise ValueError("the same commit is on its way already")
        self._in_flight += 1
        self._enqueue(_Proposed(partition, key, data, commit, done))

    def step(self, now: Instant) -> bool:
        """Take answers of appends, fence what is unknown, send what waits; whether anything was done."""
        if self._closed:
            return False
        done = self._take_answers(now)
        if self._unknown:
            done = self._fence(now) or done
        for partition, lane in self._lanes.items():
            while lane.waiting and lane.records < self._records_in_flight:
                self._send(partition, lane)
                done = True
        return done

    def admitted(self, admitted: Admitted) -> None:
        """The follower admitted a commit: settles it if it is ours."""
        ours = self._find(admitted.partition, admitted.data)
        if ours is None:
            return
        if ours.fences is None:
            self._settle(ours, Settled("admitted", admitted))
        else:
            self._fenced(ours)

    def rejected(self, rejected: Rejected) -> None:
        """The follower rejected a commit: settles it if it is ours."""
        ours = self._find(rejected.partition, rejected.data)
        if ours is None:
            return
        if ours.fences is not None:
            self._fenced(ours)
            return
        first = None if rejected.first is None else self._first_of(rejected.partition, rejected.first)
        self._settle(ours, Settled(rejected.kind, first, rejected.reason))

    def known(self, data: bytes) -> Commit | None:
        """The commit on its way that has exactly these bytes."""
        found = self._open.get(data)
        return found[0].commit if found else None

    @property
    def in_flight(self) -> int:
        """Commits proposed and not settled."""
        return self._in_flight

    @property
    def has_room(self) -> bool:
        """Whether another commit may be proposed within the bound."""
        return self._in_flight < self._commits_in_flight

    @property
    def next_fence_at(self) -> Instant | None:
        """When ``step`` wants to be called again though nothing was answered; None: there is no such time."""
        return min((at for at, ours in self._unknown if ours.open), default=None)

    def close(self) -> None:
        """Settle everything that is still open as unknown; nothing is sent any more."""
        self._closed = True
        still = [ours for found in self._open.values() for ours in found]
        for ours in still:
            if ours.open and ours.fences is None:
                self._settle(ours, Settled("unknown", reason="the writer was closed"))

    def revoke(self, partition: int) -> None:
        """Nobody follows the partition here any more: what is open there is settled as unknown, and not sent."""
        if partition in self._lanes:
            self._lanes[partition].waiting.clear()
        still = [ours for found in self._open.values() for ours in found if ours.partition == partition]
        for ours in still:
            if ours.open and ours.fences is None:
                self._settle(ours, Settled("unknown", reason="another process follows the partition now"))
        for ours in still:
            if ours.open:
                self._forget(ours)

    # ---- what is on its way ------------------------------------------------------------------------------------------

    def _enqueue(self, proposed: _Proposed) -> None:
        self._open.setdefault(proposed.data, []).append(proposed)
        self._lanes.setdefault(proposed.partition, _Lane()).waiting.append(proposed)

    def _find(self, partition: int, data: bytes) -> _Proposed | None:
        for ours in self._open.get(data, ()):
            if ours.partition == partition:
                return ours
        return None

    def _forget(self, ours: _Proposed) -> None:
        ours.open = False
        found = self._open[ours.data]
        found.remove(ours)
        if not found:
            del self._open[ours.data]

    def _settle(self, ours: _Proposed, settled: Settled) -> None:
        self._forget(ours)
        self._in_flight -= 1
        if ours.fence is not None and ours.fence.open:
            self._forget(ours.fence)
        assert ours.done is not None
        ours.done(settled)

    def _fenced(self, fence: _Proposed) -> None:
        """A fence was seen in the log, admitted or not: what it fences can no longer be admitted."""
        fenced = fence.fences
        assert fenced is not None
        self._settle(fenced, Settled("superseded", reason="a fence took its place after its append had no answer"))

    # ---- sending -----------------------------------------------------------------------------------------------------

    def _send(self, partition: int, lane: _Lane) -> None:
        """One record of what waits longest, within the bounds; at least one commit goes."""
        commits: list[_Proposed] = []
        size = RECORD_OVERHEAD
        while lane.waiting and len(commits) < self._record_commits:
            first = lane.waiting[0]
            if not first.open:
                lane.waiting.popleft()
                continue
            size += len(first.data) + 5
            if commits and size > self._record_bytes:
                break
            commits.append(lane.waiting.popleft())
        if not commits:
            return
        record = encode_record(self._name, [ours.data for ours in commits])
        future = self._journal.append(partition, commits[0].key, record)
        lane.records += 1
        self._sent.append(_Sent(future, partition, commits))
        wake = self._wake
        if wake is not None:
            future.add_done_callback(lambda _: wake())

    def _take_answers(self, now: Instant) -> bool:
        answered = [sent for sent in self._sent if sent.future.done()]
        if not answered:
            return False
        self._sent = [sent for sent in self._sent if sent not in answered]
        for sent in answered:
            self._lanes[sent.partition].records -= 1
            error = ConnectionError("given up") if sent.future.cancelled() else sent.future.exception()
            if error is None:
                self.trouble = None
            else:
                if not isinstance(error, AppendRefused) or error.retriable:
                    self.trouble = str(error)
                self._failed([ours for ours in sent.commits if ours.open], error, now)
        return True

    def _failed(self, commits: Sequence[_Proposed], error: BaseException, now: Instant) -> None:
        for ours in commits:
            if ours.fences is not None:
                self._forget(ours)
                self._try_later(ours.fences, now)
            elif isinstance(error, AppendRefused) and ours.pause == 0:
                self._settle(ours, Settled("refused", reason=str(error), retriable=error.retriable))
            else:
                self._try_later(ours, now)

    # ---- fencing -----------------------------------------------------------------------------------------------------

    def _try_later(self, ours: _Proposed, now: Instant) -> None:
        """The first fence is sent at once, later ones after a growing pause."""
        self._unknown.append((now + ours.pause, ours))
        ours.pause = min(max(2 * ours.pause, FIRST_PAUSE), LONGEST_PAUSE)

    def _fence(self, now: Instant) -> bool:
        due = [ours for at, ours in self._unknown if at <= now and ours.open]
        self._unknown = [(at, ours) for at, ours in self._unknown if at > now and ours.open]
        for ours in due:
            chain = next((part for part in ours.commit.streams if part.kind == "chain"), None)
            if chain is None:
                self._lanes[ours.partition].waiting.append(ours)
                continue
            commit = fence(ours.commit, chain, self._new_id(), self._name)
            ours.fence = _Proposed(ours.partition, ours.key, encode_commit(commit), commit, None, fences=ours)
            self._enqueue(ours.fence)
        return bool(due)


def fence(of: Commit, chain: StreamEntry, id: bytes, writer: str) -> Commit:
    """An empty commit without a command id on the parent of this part of ``of``: of the two, one can be admitted."""
    part = StreamEntry(chain.stream, "chain", chain.parent, chain.first_event, ())
    return Commit(COMMIT_VERSION, id, None, None, None, None, None, of.recorded_at, writer, (part,))
