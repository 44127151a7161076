"""The writer: appends proposed commits in groups, and settles each once the follower has read it back.

Commits that are proposed for a partition at the same time go into one record. The follower alone settles a commit. An
append's own answer settles it only if it was certainly refused. An unknown append is never repeated blindly. The writer
settles it with a *fence*, an empty commit on the same parent: once the fence is read back, the unknown commit can no
longer be admitted. A commit without a chain stream cannot be fenced. It is sent again unchanged, because its commit id
can be admitted only once.

The writer has no thread, no clock and no ids of its own. See docs/reference/admission.md, Writing.
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
"""The pause before another fence where the append of the first one failed. Doubled each time."""
LONGEST_PAUSE: Final = 5 * SECOND


@dataclass(slots=True)
class Settled:
    """The result of a proposed commit.

    ``admitted``: the commit itself (kind admitted), or the earlier commit that it repeats (kind duplicate; that one may
    answer another body, so compare the fingerprints). superseded: it lost a race and never happened, so decide again.
    refused: certainly not written; ``retriable`` says whether the same append may succeed later. unknown: the writer
    was closed before the commit was settled.
    """

    kind: SettledKind
    admitted: Admitted | None = None
    reason: str = ""
    retriable: bool = False


@dataclass(eq=False, slots=True)
class _Proposed:
    """A commit that is not settled. ``fences``: the commit that this one fences. ``fence``: the one that fences it."""

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
class _PartitionQueue:
    """One partition's waiting commits, and the number of its records whose appends are not answered."""

    waiting: deque[_Proposed] = field(default_factory=deque)
    records: int = 0


@dataclass(frozen=True, slots=True)
class WriterLimits:
    """Bounds of a writer, per partition except for ``commits_in_flight``."""

    record_commits: int = 256
    """Commits in one record."""
    record_bytes: int = 262_144
    """Bytes of one record, unless a single commit is larger."""
    records_in_flight: int = 2
    """Records whose appends are not answered."""
    commits_in_flight: int = 4096
    """Commits proposed and not settled, over all partitions."""


class Writer:
    """Appends commits to one journal. It is a Listener of the followers of its partitions."""

    def __init__(
        self,
        journal: Journal,
        name: str,
        new_id: Callable[[], bytes],
        commit_at: Callable[[int, int], Admitted | None],
        *,
        wake: Callable[[], None] | None = None,
        limits: WriterLimits | None = None,
    ) -> None:
        """``name``: the writer's name in records and fences. ``new_id`` returns 16 unique bytes, the ids of fences.
        ``commit_at(partition, ordinal)`` returns the commit that a duplicate repeats. ``wake`` is called, from any
        thread, when an append was answered and ``step`` has something to do."""
        limits = limits or WriterLimits()
        self._journal = journal
        self._name = name
        self._new_id = new_id
        self._commit_at = commit_at
        self._wake = wake
        self._record_commits = min(limits.record_commits, MAX_RECORD_COMMITS)
        self._largest = min(journal.record_limit, MAX_RECORD_BYTES)
        self._record_bytes = min(limits.record_bytes, self._largest)
        self._records_in_flight = limits.records_in_flight
        self._commits_in_flight = limits.commits_in_flight
        self._open: dict[bytes, list[_Proposed]] = {}
        self._queues: dict[int, _PartitionQueue] = {}
        self._sent: list[_Sent] = []
        self._unknown: list[tuple[Instant, _Proposed]] = []
        self._in_flight = 0
        self._closed = False
        self.trouble: str | None = None
        """Why the last append failed or is unknown. None if it succeeded, or if the record itself was at fault."""

    def propose(self, partition: int, key: bytes, data: bytes, done: Done, commit: Commit | None = None) -> None:
        """Queue a commit. ``done`` is called once, from ``step``, ``admitted``, ``rejected``, ``revoke`` or ``close``.

        ``commit`` is the commit that was encoded to ``data``; without it the bytes are decoded here. Raises Malformed
        if they are no commit or too large for the journal. Raises ValueError if the very same bytes are proposed for
        this partition and not settled, or if the writer is closed.
        """
        if self._closed:
            raise ValueError("the writer is closed")
        if len(data) + RECORD_OVERHEAD > self._largest:
            raise Malformed(f"the commit's {len(data)} bytes do not go into a record of {self._largest}")
        if commit is None:
            commit = decode_commit(data)
        if self._find(partition, data) is not None:
            raise ValueError("the same commit is proposed already and not settled")
        self._in_flight += 1
        self._enqueue(_Proposed(partition, key, data, commit, done))

    def step(self, now: Instant) -> bool:
        """Take the answers of appends, fence unknown commits, send waiting ones. Returns whether there were any."""
        if self._closed:
            return False
        done = self._take_answers(now)
        if self._unknown:
            done = self._fence(now) or done
        for partition, queue in self._queues.items():
            while queue.waiting and queue.records < self._records_in_flight:
                self._send(partition, queue)
                done = True
        return done

    def admitted(self, admitted: Admitted) -> None:
        """Settle a commit that the follower has admitted, if this writer proposed it."""
        proposed = self._find(admitted.partition, admitted.data)
        if proposed is None:
            return
        if proposed.fences is None:
            self._settle(proposed, Settled("admitted", admitted))
        else:
            self._fenced(proposed)

    def rejected(self, rejected: Rejected) -> None:
        """Settle a commit that the follower has rejected, if this writer proposed it."""
        proposed = self._find(rejected.partition, rejected.data)
        if proposed is None:
            return
        if proposed.fences is not None:
            self._fenced(proposed)
            return
        first = None if rejected.first is None else self._commit_at(rejected.partition, rejected.first)
        self._settle(proposed, Settled(rejected.kind, first, rejected.reason))

    def known(self, data: bytes) -> Commit | None:
        """Return the commit with exactly these bytes, if it is proposed and not settled."""
        found = self._open.get(data)
        return found[0].commit if found else None

    @property
    def in_flight(self) -> int:
        """Number of commits proposed and not settled."""
        return self._in_flight

    @property
    def has_room(self) -> bool:
        """Whether another commit may be proposed within ``commits_in_flight``."""
        return self._in_flight < self._commits_in_flight

    @property
    def next_fence_at(self) -> Instant | None:
        """When ``step`` has to be called to send a fence, even if no append was answered; None: no fence waits."""
        return min((at for at, proposed in self._unknown if proposed.open), default=None)

    def close(self) -> None:
        """Settle every open commit as unknown. Nothing is sent any more."""
        self._closed = True
        unsettled = [proposed for found in self._open.values() for proposed in found]
        for proposed in unsettled:
            if proposed.open and proposed.fences is None:
                self._settle(proposed, Settled("unknown", reason="the writer was closed"))

    def revoke(self, partition: int) -> None:
        """Settle a partition's open commits as unknown and send none of them, because it is followed no longer."""
        if partition in self._queues:
            self._queues[partition].waiting.clear()
        unsettled = [proposed for found in self._open.values() for proposed in found if proposed.partition == partition]
        for proposed in unsettled:
            if proposed.open and proposed.fences is None:
                self._settle(proposed, Settled("unknown", reason="another process follows the partition now"))
        for proposed in unsettled:
            if proposed.open:
                self._forget(proposed)

    # ---- open commits ------------------------------------------------------------------------------------------------

    def _enqueue(self, proposed: _Proposed) -> None:
        self._open.setdefault(proposed.data, []).append(proposed)
        self._queues.setdefault(proposed.partition, _PartitionQueue()).waiting.append(proposed)

    def _find(self, partition: int, data: bytes) -> _Proposed | None:
        for proposed in self._open.get(data, ()):
            if proposed.partition == partition:
                return proposed
        return None

    def _forget(self, proposed: _Proposed) -> None:
        proposed.open = False
        found = self._open[proposed.data]
        found.remove(proposed)
        if not found:
            del self._open[proposed.data]

    def _settle(self, proposed: _Proposed, settled: Settled) -> None:
        self._forget(proposed)
        self._in_flight -= 1
        if proposed.fence is not None and proposed.fence.open:
            self._forget(proposed.fence)
        assert proposed.done is not None
        proposed.done(settled)

    def _fenced(self, fence: _Proposed) -> None:
        """Settle the commit of a fence that was read back, admitted or not. It can no longer be admitted."""
        fenced = fence.fences
        assert fenced is not None
        self._settle(fenced, Settled("superseded", reason="a fence took its place after its append had no answer"))

    # ---- sending -----------------------------------------------------------------------------------------------------

    def _send(self, partition: int, queue: _PartitionQueue) -> None:
        """Append one record of the commits that wait longest, within the bounds but at least one."""
        commits: list[_Proposed] = []
        size = RECORD_OVERHEAD
        while queue.waiting and len(commits) < self._record_commits:
            first = queue.waiting[0]
            if not first.open:
                queue.waiting.popleft()
                continue
            size += len(first.data) + 5
            if commits and size > self._record_bytes:
                break
            commits.append(queue.waiting.popleft())
        if not commits:
            return
        record = encode_record(self._name, [proposed.data for proposed in commits])
        future = self._journal.append(partition, commits[0].key, record)
        queue.records += 1
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
            self._queues[sent.partition].records -= 1
            error = ConnectionError("given up") if sent.future.cancelled() else sent.future.exception()
            if error is None:
                self.trouble = None
            else:
                if not isinstance(error, AppendRefused) or error.retriable:
                    self.trouble = str(error)
                self._failed([proposed for proposed in sent.commits if proposed.open], error, now)
        return True

    def _failed(self, commits: Sequence[_Proposed], error: BaseException, now: Instant) -> None:
        for proposed in commits:
            if proposed.fences is not None:
                self._forget(proposed)
                self._try_later(proposed.fences, now)
            elif isinstance(error, AppendRefused) and proposed.pause == 0:
                self._settle(proposed, Settled("refused", reason=str(error), retriable=error.retriable))
            else:
                self._try_later(proposed, now)

    # ---- fencing -----------------------------------------------------------------------------------------------------

    def _try_later(self, proposed: _Proposed, now: Instant) -> None:
        """Plan a fence: the first one at once, later ones after a growing pause."""
        self._unknown.append((now + proposed.pause, proposed))
        proposed.pause = min(max(2 * proposed.pause, FIRST_PAUSE), LONGEST_PAUSE)

    def _fence(self, now: Instant) -> bool:
        due = [proposed for at, proposed in self._unknown if at <= now and proposed.open]
        self._unknown = [(at, proposed) for at, proposed in self._unknown if at > now and proposed.open]
        for proposed in due:
            chain = next((part for part in proposed.commit.streams if part.kind == "chain"), None)
            if chain is None:
                self._queues[proposed.partition].waiting.append(proposed)
                continue
            commit = fence(proposed.commit, chain, self._new_id(), self._name)
            proposed.fence = _Proposed(
                proposed.partition, proposed.key, encode_commit(commit), commit, None, fences=proposed
            )
            self._enqueue(proposed.fence)
        return bool(due)


def fence(of: Commit, chain: StreamEntry, id: bytes, writer: str) -> Commit:
    """Return an empty commit on the same parent as ``of``, so that only one of the two can be admitted."""
    part = StreamEntry(chain.stream, "chain", chain.parent, chain.first_event, ())
    return Commit(COMMIT_VERSION, id, None, None, None, None, None, of.recorded_at, writer, (part,))
