"""Which deadlines of which orders may fire live, kept in local state, and the scheduler's look at them.

See docs/reference/deadlines.md, Live.

Local state has, per order, the deadlines that still apply and that a scheduler may fire: none while an import of the
marketplace is open, and none that was set and due before its last closing. Whoever fires one decides it
anew on the order, so a row that is out of date costs a look and nothing else.
"""

from collections.abc import Iterable

from consumers.engine.imports import Imports
from consumers.engine.order_cache import CachedOrder, OrderCache
from consumers.log.follower import Follower
from consumers.ports.log_values import Admitted
from domain.deadlines import has_lapsed, live
from domain.instants import Instant

CHUNK = 100
"""Commits that one step of catching up looks at."""


class DeadlineIndex:
    """The due deadlines of the followed partitions."""

    def __init__(self, followers: dict[int, Follower], orders: OrderCache, imports: Imports) -> None:
        self._followers = followers
        self._orders = orders
        self._imports = imports
        self._behind: set[int] = set()
        """Partitions of which some commits' deadlines are not set: ``due_through`` says from where on."""

    def start(self) -> None:
        """What was admitted while nobody set deadlines is caught up with."""
        for partition in self._followers:
            self.assign(partition)

    def assign(self, partition: int) -> None:
        """The same for one partition, which is followed from now on."""
        follower = self._followers[partition]
        if follower.state.due_through < follower.next_ordinal:
            self._behind.add(partition)

    def revoke(self, partition: int) -> None:
        """It is followed no longer."""
        self._behind.discard(partition)

    def admitted(self, admitted: Admitted) -> None:
        """A commit was folded, if its order is at hand; if not, it is caught up with later."""
        partition = admitted.partition
        for part in admitted.commit.streams:
            if part.kind != "chain" or part.stream.startswith("$") or not part.events:
                continue
            folded = self._orders.cached(part.stream)
            if folded is not None and folded.head == admitted.hash:
                self._set(partition, folded)
            else:
                self._behind.add(partition)

    def followed(self, partition: int) -> None:
        """A batch was followed, and everything in it was told."""
        if partition not in self._behind:
            follower = self._followers[partition]
            if follower.state.due_through != follower.next_ordinal:
                follower.state.mark_due(follower.next_ordinal)

    def import_changed(self, partition: int) -> None:
        """An import opened or closed: which deadlines may fire is another question now, for every order."""
        self._followers[partition].state.mark_due(0)
        self._behind.add(partition)

    def staged_was_dropped(self, partition: int) -> None:
        """Local state could not be written: what was set since its last transaction is set anew."""
        self._behind.add(partition)

    @property
    def caught_up(self) -> bool:
        """Whether every admitted commit's deadlines are set."""
        return not self._behind

    def catch_up(self) -> bool:
        """One step of catching up; whether there was anything to do."""
        if not self._behind:
            return False
        partition = min(self._behind)
        follower = self._followers[partition]
        state = follower.state
        first = state.due_through
        behind = min(first + CHUNK, follower.next_ordinal)
        for stream in self._ended_in(follower, state.commits(first, behind)):
            self.refresh(partition, self._orders.cached(stream) or self._orders.load(partition, stream))
        if behind >= follower.next_ordinal:
            self._behind.discard(partition)
        if behind == first:
            return False
        state.mark_due(behind)
        return True

    def due(self, partition: int, before: Instant, limit: int) -> list[str]:
        """Streams with a deadline due before an instant, the earliest first."""
        state = self._followers[partition].state
        return list(dict.fromkeys(due.stream for due in state.due_before(before, limit)))

    def refresh(self, partition: int, folded: CachedOrder) -> None:
        """Set an order's deadlines whatever was thought to be set: what does not fire must not come up again."""
        folded.dues = None
        self._set(partition, folded)

    def _ended_in(self, follower: Follower, commits: Iterable[Admitted]) -> list[str]:
        """The order streams whose last commit is among these: each is folded once."""
        found = []
        for admitted in commits:
            for part in admitted.commit.streams:
                if part.kind == "chain" and not part.stream.startswith("$"):
                    head = follower.head(part.stream)
                    if head is not None and head.hash == admitted.hash:
                        found.append(part.stream)
        return found

    def _set(self, partition: int, folded: CachedOrder) -> None:
        dues = self._may_fire(partition, folded)
        if dues != folded.dues:
            follower = self._followers[partition]
            if follower.head(folded.stream) is None:  # local state lost it, and reads it again
                self._behind.add(partition)
                return
            follower.state.set_due(folded.stream, dues)
            folded.dues = dues

    def _may_fire(self, partition: int, folded: CachedOrder) -> tuple[tuple[str, Instant], ...]:
        order = folded.order
        if order is None or folded.unreadable is not None or not order.deadlines:
            return ()
        if self._imports.is_open(partition, order.marketplace):
            return ()
        closed_at = self._imports.closed_at(partition, order.marketplace)
        return tuple(
            [
                (deadline.deadline_id, deadline.due_at)
                for deadline in live(order)
                if not has_lapsed(order, deadline, closed_at)
                and f"deadline:{deadline.deadline_id}" not in folded.answered
            ]
        )
