"""The order cache: the state, head and answered command ids of the orders that were used lately.

An order is loaded from the followed log by decoding and applying its events. An own commit is not decoded again:
the decided state is the state after it. Commits of others are applied as the follower admits them. An event that this
release cannot read makes its order unreadable from there on: it can be read up to that event, and nothing is decided.
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
    """A command id that a commit has answered: the commit's ordinal, and the fingerprint of the command's body."""

    ordinal: int
    fingerprint: bytes | None


@dataclass(slots=True)
class CachedOrder:
    """The state of one stream as followed so far.

    ``order`` is None before the first event. It is never changed in place, so answers may refer to it. ``count`` is the
    number of events (the next commit's ``first_event``). ``recorded_at`` is the last commit's, empty commits included.
    ``unreadable`` says why the order cannot be read to its end.
    """

    stream: str
    order: Order | None = None
    head: bytes = ZERO_HASH
    count: int = 0
    recorded_at: Instant = EARLIEST
    answered: dict[str, AnsweredCommand] = field(default_factory=dict)
    unreadable: str | None = None
    indexed: tuple[tuple[str, Instant], ...] | None = None
    """Its deadlines in local state's index; None: not known (``consumers.engine.deadline_index``)."""

    def advance(self, admitted: Admitted, part: StreamEntry, order: Order | None) -> None:
        """Apply a commit on this head. ``order`` is the state after it."""
        commit = admitted.commit
        self.order = order
        self.head = admitted.hash
        self.count = part.first_event + len(part.events)
        self.recorded_at = max(self.recorded_at, commit.recorded_at)
        if commit.command_id is not None and commit.streams[0] is part:
            self.answered[commit.command_id] = AnsweredCommand(admitted.ordinal, commit.command_fingerprint)


def fold(stream: str, commits: Iterable[Admitted]) -> CachedOrder:
    """Return the state of a stream after these commits of it, given in log order."""
    cached = CachedOrder(stream)
    order: Order | None = None
    for admitted in commits:
        part = part_of(admitted.commit, stream)
        if part is None:
            continue
        if cached.unreadable is None and part.events:
            order = order or unwritten(stream)
            cached.unreadable = apply_all(order, part, admitted.commit)
        cached.advance(admitted, part, order)
    return cached


class OrderCache:
    """The orders of the followed partitions that were used last, at most ``capacity``."""

    def __init__(self, followers: dict[int, Follower], capacity: int) -> None:
        self._followers = followers
        self._capacity = capacity
        self._orders: OrderedDict[str, CachedOrder] = OrderedDict()

    def get(self, partition: int, stream: str) -> CachedOrder:
        """Return the state of a stream as followed so far. Loads it if it is not cached."""
        cached = self._orders.get(stream)
        if cached is None:
            cached = self.load(partition, stream)
            self.put(cached)
        else:
            self._orders.move_to_end(stream)
        return cached

    def peek(self, stream: str) -> CachedOrder | None:
        """Return the state of a stream if it is cached."""
        return self._orders.get(stream)

    def load(self, partition: int, stream: str) -> CachedOrder:
        """Load the state of a stream from the log, without caching it."""
        follower = self._followers[partition]
        if follower.head(stream) is None:
            return CachedOrder(stream, indexed=())  # a stream without commits has no deadlines
        return fold(stream, follower.commits_of(stream))

    def put(self, cached: CachedOrder) -> None:
        """Cache the state of a stream, and drop the one that was unused for longest if there are too many."""
        orders = self._orders
        orders[cached.stream] = cached
        orders.move_to_end(cached.stream)
        if len(orders) > self._capacity:
            orders.popitem(last=False)

    def forget(self, stream: str) -> None:
        """Drop a stream, so that it is loaded again next time."""
        self._orders.pop(stream, None)

    def admitted(self, admitted: Admitted) -> None:
        """Apply a commit to the cached streams that it touches. An own commit may be applied already."""
        for part in admitted.commit.streams:
            cached = self._orders.get(part.stream)
            if cached is None or part.kind != "chain" or cached.head == admitted.hash:
                continue
            if cached.head != part.parent:
                self.forget(part.stream)
                continue
            order = cached.order
            if part.events and cached.unreadable is None:
                order = unwritten(part.stream) if order is None else order.copy()
                cached.unreadable = apply_all(order, part, admitted.commit)
            cached.advance(admitted, part, order)

    def revoke(self, gone: Callable[[str], bool]) -> None:
        """Drop the streams that are followed no longer."""
        for stream in [stream for stream in self._orders if gone(stream)]:
            del self._orders[stream]

    # ---- earlier states -------------------------------------------------------------------------------------------

    def original_outcome(self, partition: int, stream: str, ordinal: int) -> Outcome:
        """Rebuild the outcome of the commit with this ordinal, from the log as of that commit."""
        cached, last = self._until(self._followers[partition].commits_of(stream), stream, ordinal)
        part = part_of(last.commit, stream) if last is not None else None
        if last is None or part is None or cached.unreadable is not None:
            raise LookupError(
                f"{stream} has no readable commit with ordinal {ordinal}: {cached.unreadable or 'not there'}"
            )
        order = cached.order or unwritten(stream)
        return committed(events_of(part), order, commit_position(last, cached.count))

    def as_of(self, partition: int, stream: str, instant: Instant) -> CachedOrder:
        """Return the state of a stream after its commits with ``recorded_at`` up to and including ``instant``."""
        commits = self._followers[partition].commits_of(stream)
        return fold(stream, (each for each in commits if each.commit.recorded_at <= instant))

    def _until(self, commits: Iterator[Admitted], stream: str, ordinal: int) -> tuple[CachedOrder, Admitted | None]:
        taken = []
        for admitted in commits:
            taken.append(admitted)
            if admitted.ordinal == ordinal:
                return fold(stream, taken), admitted
        return CachedOrder(stream), None


def commit_position(admitted: Admitted, version: int) -> CommitPosition:
    """Return the position of a commit. ``version`` is its stream's number of events after it."""
    return CommitPosition(
        admitted.partition, admitted.ordinal, admitted.position, version, admitted.hash, admitted.commit.recorded_at
    )
