"""Folded orders: the state, the head and the answered command ids of each stream, kept for those used lately.

Loaded from the followed log by decode and apply. An own commit is not decoded again: the state that was decided is the
state. Commits of others are folded in one by one as the follower admits them. An event that this release cannot read
makes its order *stuck*: it stays readable up to there, and nothing is decided on it.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from consumers.engine.outcome import CommitPosition, Outcome, committed
from consumers.log.commit_codec import apply_all, events_of, part_of, unwritten
from consumers.log.follower import Follower
from consumers.ports.log_values import Admitted
from domain.instants import EARLIEST, Instant
from domain.order import Order
from schemas.commit import ZERO_HASH, StreamEntry


class AnsweredCommand(NamedTuple):
    """A command id that the log has answered: the commit's ordinal, and the fingerprint of the body it answered."""

    ordinal: int
    fingerprint: bytes | None


@dataclass(slots=True)
class CachedOrder:
    """One stream as followed so far.

    ``order`` is None while nothing has happened; it is never changed in place, so answers may keep it. ``count`` is
    the number of events (the next commit's ``first_event``), ``recorded_at`` the last commit's, empty ones included.
    """

    stream: str
    order: Order | None = None
    head: bytes = ZERO_HASH
    count: int = 0
    recorded_at: Instant = EARLIEST
    answered: dict[str, AnsweredCommand] = field(default_factory=dict)
    unreadable: str | None = None
    dues: tuple[tuple[str, Instant], ...] | None = None
    """The deadlines set in local state for it; None: not known (``consumers.engine.deadline_scheduler``)."""

    def advance(self, admitted: Admitted, part: StreamEntry, order: Order | None) -> None:
        """Take in a commit on this head; ``order`` is the state after it."""
        commit = admitted.commit
        self.order = order
        self.head = admitted.hash
        self.count = part.first_event + len(part.events)
        self.recorded_at = max(self.recorded_at, commit.recorded_at)
        if commit.command_id is not None and commit.streams[0] is part:
            self.answered[commit.command_id] = AnsweredCommand(admitted.ordinal, commit.command_fingerprint)


def fold(stream: str, commits: Iterable[Admitted]) -> CachedOrder:
    """The stream after these commits of it, in log order."""
    folded = CachedOrder(stream)
    order: Order | None = None
    for admitted in commits:
        part = part_of(admitted.commit, stream)
        if part is None:
            continue
        if folded.unreadable is None and part.events:
            order = order or unwritten(stream)
            folded.unreadable = apply_all(order, part, admitted.commit)
        folded.advance(admitted, part, order)
    return folded


class OrderCache:
    """The folded orders of the followed partitions, the ``capacity`` ones used last."""

    def __init__(self, followers: dict[int, Follower], capacity: int) -> None:
        self._followers = followers
        self._capacity = capacity
        self._kept: OrderedDict[str, CachedOrder] = OrderedDict()

    def get(self, partition: int, stream: str) -> CachedOrder:
        """The stream as followed so far; loaded if it is not at hand."""
        folded = self._kept.get(stream)
        if folded is None:
            folded = self.load(partition, stream)
            self.keep(folded)
        else:
            self._kept.move_to_end(stream)
        return folded

    def cached(self, stream: str) -> CachedOrder | None:
        """The stream, if it is kept."""
        return self._kept.get(stream)

    def load(self, partition: int, stream: str) -> CachedOrder:
        """The stream folded from the log, kept or not."""
        follower = self._followers[partition]
        if follower.head(stream) is None:
            return CachedOrder(stream, dues=())  # of what is not there no deadlines are set
        return fold(stream, follower.commits_of(stream))

    def keep(self, folded: CachedOrder) -> None:
        """Have the stream at hand from now on; the one unused for longest goes."""
        kept = self._kept
        kept[folded.stream] = folded
        kept.move_to_end(folded.stream)
        if len(kept) > self._capacity:
            kept.popitem(last=False)

    def forget(self, stream: str) -> None:
        """Load it anew next time."""
        self._kept.pop(stream, None)

    def admitted(self, admitted: Admitted) -> None:
        """Somebody else's commit: fold it into the streams of it that are at hand."""
        for part in admitted.commit.streams:
            folded = self._kept.get(part.stream)
            if folded is None or part.kind != "chain":
                continue
            if folded.head != part.parent:
                self.forget(part.stream)
                continue
            order = folded.order
            if part.events and folded.unreadable is None:
                order = unwritten(part.stream) if order is None else order.copy()
                folded.unreadable = apply_all(order, part, admitted.commit)
            folded.advance(admitted, part, order)

    def revoke(self, gone: Callable[[str], bool]) -> None:
        """Forget the streams that are followed no longer."""
        for stream in [stream for stream in self._kept if gone(stream)]:
            del self._kept[stream]

    # ---- reading back ---------------------------------------------------------------------------------------------

    def first_outcome(self, partition: int, stream: str, ordinal: int) -> Outcome:
        """The outcome of the commit with this ordinal again, from the log as of that commit."""
        folded, last = self._until(self._followers[partition].commits_of(stream), stream, ordinal)
        part = part_of(last.commit, stream) if last is not None else None
        if last is None or part is None or folded.unreadable is not None:
            raise LookupError(
                f"{stream} has no readable commit with ordinal {ordinal}: {folded.unreadable or 'not there'}"
            )
        order = folded.order or unwritten(stream)
        return committed(events_of(part), order, standing_of(last, folded.count))

    def as_of(self, partition: int, stream: str, instant: Instant) -> CachedOrder:
        """The stream after its commits with ``recorded_at`` up to and including ``instant``."""
        commits = self._followers[partition].commits_of(stream)
        return fold(stream, (each for each in commits if each.commit.recorded_at <= instant))

    def _until(self, commits: Iterator[Admitted], stream: str, ordinal: int) -> tuple[CachedOrder, Admitted | None]:
        taken = []
        for admitted in commits:
            taken.append(admitted)
            if admitted.ordinal == ordinal:
                return fold(stream, taken), admitted
        return CachedOrder(stream), None


def standing_of(admitted: Admitted, version: int) -> CommitPosition:
    """Where this commit stands; ``version`` is its stream's number of events after it."""
    return CommitPosition(
        admitted.partition, admitted.ordinal, admitted.position, version, admitted.hash, admitted.commit.recorded_at
    )
