"""The deadline index: which deadlines of which orders may fire live, stored in local state.

The index has, per order, the deadlines that still apply and may fire. It has none while an import of the marketplace is
open, and none that was set and due before the last import was closed. The command handler decides on the order itself
whether a deadline fires, so an outdated entry costs one check and does no harm. See docs/reference/deadlines.md, Live.
"""

from collections.abc import Iterable

from consumers.engine.imports import Imports
from consumers.engine.order_cache import CachedOrder, OrderCache
from consumers.log.follower import Follower
from consumers.ports.log_values import Admitted
from domain.deadlines import has_lapsed, live
from domain.instants import Instant

CHUNK = 100
"""Commits that one step of ``catch_up`` reads."""


class DeadlineIndex:
    """The deadlines of the followed partitions, by due time."""

    def __init__(self, followers: dict[int, Follower], orders: OrderCache, imports: Imports) -> None:
        self._followers = followers
        self._orders = orders
        self._imports = imports
        self._behind: set[int] = set()
        """Partitions with commits whose deadlines are not indexed: those from local state's ``due_through`` on."""

    def start(self) -> None:
        """Find the partitions with commits whose deadlines are not indexed."""
        for partition in self._followers:
            self.assign(partition)

    def assign(self, partition: int) -> None:
        """Begin with a partition, which may have commits whose deadlines are not indexed."""
        follower = self._followers[partition]
        if follower.state.due_through < follower.next_ordinal:
            self._behind.add(partition)

    def revoke(self, partition: int) -> None:
        """Forget a partition that is followed no longer."""
        self._behind.discard(partition)

    def admitted(self, admitted: Admitted) -> None:
        """Index the deadlines of a commit's order if it is cached. Otherwise ``catch_up`` does it later."""
        partition = admitted.partition
        for part in admitted.commit.streams:
            if part.kind != "chain" or part.stream.startswith("$") or not part.events:
                continue
            cached = self._orders.peek(part.stream)
            if cached is not None and cached.head == admitted.hash:
                self._set(partition, cached)
            else:
                self._behind.add(partition)

    def batch_followed(self, partition: int) -> None:
        """Note that every commit of a batch was passed to ``admitted``."""
        if partition not in self._behind:
            follower = self._followers[partition]
            if follower.state.due_through != follower.next_ordinal:
                follower.state.mark_due(follower.next_ordinal)

    def import_changed(self, partition: int) -> None:
        """Index every order of a partition again, because an import was opened or closed."""
        self._followers[partition].state.mark_due(0)
        self._behind.add(partition)

    def staged_was_lost(self, partition: int) -> None:
        """Index again what was indexed since local state's last transaction, which failed."""
        self._behind.add(partition)

    @property
    def caught_up(self) -> bool:
        """Whether the deadlines of every admitted commit are indexed."""
        return not self._behind

    def catch_up(self) -> bool:
        """Index the deadlines of some more commits. Returns whether there were any."""
        if not self._behind:
            return False
        partition = min(self._behind)
        follower = self._followers[partition]
        state = follower.state
        first = state.due_through
        behind = min(first + CHUNK, follower.next_ordinal)
        for stream in self._ended_in(follower, state.commits(first, behind)):
            self.refresh(partition, self._orders.peek(stream) or self._orders.load(partition, stream))
        if behind >= follower.next_ordinal:
            self._behind.discard(partition)
        if behind == first:
            return False
        state.mark_due(behind)
        return True

    def due(self, partition: int, before: Instant, limit: int) -> list[str]:
        """Return the streams with a deadline due before an instant, the earliest first."""
        state = self._followers[partition].state
        return list(dict.fromkeys(due.stream for due in state.due_before(before, limit)))

    def refresh(self, partition: int, cached: CachedOrder) -> None:
        """Index an order's deadlines again, so that a deadline that does not fire is not found again."""
        cached.indexed = None
        self._set(partition, cached)

    def _ended_in(self, follower: Follower, commits: Iterable[Admitted]) -> list[str]:
        """Return the order streams whose last commit is among these, so that each is loaded once."""
        found = []
        for admitted in commits:
            for part in admitted.commit.streams:
                if part.kind == "chain" and not part.stream.startswith("$"):
                    head = follower.head(part.stream)
                    if head is not None and head.hash == admitted.hash:
                        found.append(part.stream)
        return found

    def _set(self, partition: int, cached: CachedOrder) -> None:
        deadlines = self._may_fire(partition, cached)
        if deadlines != cached.indexed:
            follower = self._followers[partition]
            if follower.head(cached.stream) is None:  # local state lost the order, and will read it again
                self._behind.add(partition)
                return
            follower.state.set_due(cached.stream, deadlines)
            cached.indexed = deadlines

    def _may_fire(self, partition: int, cached: CachedOrder) -> tuple[tuple[str, Instant], ...]:
        order = cached.order
        if order is None or cached.unreadable is not None or not order.deadlines:
            return ()
        if self._imports.is_open(partition, order.marketplace):
            return ()
        closed_at = self._imports.closed_at(partition, order.marketplace)
        return tuple(
            [
                (deadline.deadline_id, deadline.due_at)
                for deadline in live(order)
                if not has_lapsed(order, deadline, closed_at)
                and f"deadline:{deadline.deadline_id}" not in cached.answered
            ]
        )
