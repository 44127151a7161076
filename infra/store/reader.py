"""Read orders from a journal without a lock, for commands that only query.

Another process may own the store, such as a server or an import. The reader chooses local state in this order:
- Slot 0 as it is, if it has reached the end that the log had when the reader started.
- Slot 0 brought up to date, if it is behind and no process owns it.
- A slot of its own, filled from the log, if the owner of slot 0 makes no progress.
- Memory, filled from the log, if no slot can be written (a full disk, files of another user).

The reader never appends.
"""

import contextlib
import sqlite3
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from consumers.engine.order_cache import CachedOrder, OrderCache
from consumers.log.follower import Follower
from consumers.ports.journal import Journal, JournalError, front_cut
from consumers.ports.local_state import LocalState, LocalStateDamaged, LocalStateUnavailable
from domain.instants import Instant
from infra.local_state import Slot, claim_slot, memory_local_state, open_local_state
from infra.local_state.slots import state_file
from infra.store.history import history
from infra.store.logs import Store, store_of
from schemas.codec import Undecodable, decode_event
from schemas.partitioning import partition_of

if TYPE_CHECKING:
    from consumers.engine.imports import Imports
    from domain.events import Event
    from domain.marketplace_settings import MarketSettings
    from domain.policy import PolicyBook
    from infra.settings import Settings

TIMEOUT: Final = 2.0
"""Seconds that the owner of slot 0 has to reach the log's end."""
CACHED_ORDERS: Final = 1000


class NoJournal(JournalError):
    """The journal that the settings name does not exist. The message says how to create one."""


class _IgnoreCommits:
    def admitted(self, admitted: object) -> None: ...

    def rejected(self, rejected: object) -> None: ...


def existing_store(settings: "Settings") -> Store:
    """The store of the settings' journal. NoJournal if it does not exist."""
    store = store_of(settings)
    if store is None:
        raise NoJournal(
            "a memory: journal exists only inside its process: name one on disk with --journal sqlite:///DIR"
        )
    if not store.exists()[1]:
        raise NoJournal(
            f"there is no journal in {store}: create one with `rescind import` or `rescind serve`, "
            "or name another with --journal"
        )
    return store


@dataclass(slots=True)
class Reader:
    """Orders as recorded in the log, and the policies in force."""

    settings: "Settings"
    store: Store
    journal: Journal
    followers: dict[int, Follower]
    orders: OrderCache
    slot: Slot | None
    _book: "PolicyBook | None" = None

    def partition(self, stream: str) -> int:
        """The partition of a stream."""
        return partition_of(stream, self.journal.partitions)

    def folded(self, stream: str) -> CachedOrder:
        """The stream's current state."""
        return self.orders.get(self.partition(stream), stream)

    def as_of(self, stream: str, instant: Instant) -> CachedOrder:
        """The stream's state at an instant: everything recorded up to and including it, then the effects of the
        deadlines before it. Deadlines of imported history that never fire have no effect."""
        partition, marketplace = self.partition(stream), stream.partition("/")[0]
        recorded = self.orders.as_of(partition, stream, instant)
        closed_at = self.imports(partition).closed_as_of(partition, marketplace, instant, instant)
        return with_deadlines_reached(recorded, self.book, self.settings.market(marketplace), instant, closed_at)

    def imports(self, partition: int) -> "Imports":
        """The imports into marketplaces, as recorded in a partition."""
        from consumers.engine.imports import LIST_STREAM, Imports

        imports = Imports()
        for admitted in self.followers[partition].commits_of(LIST_STREAM):
            imports.admitted(admitted)
        return imports

    def history(self, stream: str) -> Iterator[dict[str, Any]]:
        """Every event of the stream in log order, in the form of ``order history --json``."""
        return history(self.followers[self.partition(stream)].state, stream)

    def commits(self, stream: str) -> Iterator[tuple[Instant, "list[Event]"]]:
        """The stream's commits that have events: the instant of recording, and the events. Ends at the first event that
        this release cannot read."""
        for admitted in self.followers[self.partition(stream)].state.commits_of(stream):
            for part in admitted.commit.streams:
                if part.stream == stream and part.events:
                    try:
                        events = [decode_event(e.name, e.schema_version, e.body) for e in part.events]
                    except Undecodable:
                        return
                    yield admitted.commit.recorded_at, events

    @property
    def book(self) -> "PolicyBook":
        """Every policy published so far."""
        if self._book is None:
            self._book = read_policies(self.store)
        return self._book

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for follower in self.followers.values():
            follower.state.close()
        self.journal.close()
        if self.slot is not None:
            self.slot.release()


def open_reader(settings: "Settings") -> Reader:
    """Read the settings' journal up to its current end. JournalError if the journal cannot be read or trusted."""
    store = existing_store(settings)
    journal = store.journal(settings.journal_at.partitions)
    try:
        followers, slot = _followers(journal, store.directory)
    except BaseException:
        journal.close()
        raise
    return Reader(settings, store, journal, followers, OrderCache(followers, CACHED_ORDERS), slot)


def _followers(journal: Journal, directory: Path) -> tuple[dict[int, Follower], Slot | None]:
    ends = [journal.end(partition) for partition in range(journal.partitions)]
    first = directory / "state" / "0"
    if (found := _at_end(journal, first, ends)) is not None:
        return found, None
    try:
        slot = claim_slot(directory)
    except OSError:
        return _caught_up_followers(journal, None, ends), None
    if slot.number > 0:
        until = time.monotonic() + TIMEOUT
        while time.monotonic() < until:
            if (found := _at_end(journal, first, ends)) is not None:
                slot.release()
                return found, None
            time.sleep(0.02)
    try:
        return _caught_up_followers(journal, slot, ends), slot
    except (LocalStateUnavailable, OSError, sqlite3.OperationalError):
        slot.release()
        return _caught_up_followers(journal, None, ends), None
    except BaseException:
        slot.release()
        raise


def _at_end(journal: Journal, slot: Path, ends: list[int]) -> dict[int, Follower] | None:
    """Read-only followers over the slot's local state, if every partition has reached ``ends``. None otherwise."""
    found: dict[int, Follower] = {}
    for partition, end in enumerate(ends):
        path = state_file(slot, partition)
        state: LocalState | None
        try:
            state = open_local_state(path, partition, journal.partitions, read_only=True).state
        except (FileNotFoundError, LocalStateDamaged, LocalStateUnavailable):
            state = None
        if state is None or state.next_offset < end or state.identity != journal.identity:
            for follower in found.values():
                follower.state.close()
            if state is not None and state.next_offset > end:
                Follower(journal, partition, state, _IgnoreCommits()).start()  # raises: the log is shorter than it was
            return None
        try:
            found[partition] = _started(journal, partition, state)
        except LocalStateDamaged:  # it is marked, so the next owner of the slot rebuilds it
            for each in (state, *(follower.state for follower in found.values())):
                each.close()
            return None
    return found


def _started(journal: Journal, partition: int, state: LocalState) -> Follower:
    """A follower that continues from local state. A log whose beginning was deleted can still be followed if local
    state has the deleted part. Standard error reports this."""
    follower = Follower(journal, partition, state, _IgnoreCommits(), appends=False)
    follower.start()
    if begin := journal.begin(partition):
        cut = front_cut(partition, begin)
        sys.stderr.write(f"rescind: the beginning of the log is missing, so orders are read from local state: {cut}\n")
    return follower


def _caught_up_followers(journal: Journal, slot: Slot | None, ends: list[int]) -> dict[int, Follower]:
    """Followers over our own slot (None: in memory), advanced to ``ends``."""
    found: dict[int, Follower] = {}
    try:
        for partition, end in enumerate(ends):
            if slot is None:
                state: LocalState = memory_local_state(partition, journal.partitions)
            else:
                opened = open_local_state(state_file(slot.path, partition), partition, journal.partitions)
                opened.report_rebuild(partition, end, first=slot.number > 0)
                state = opened.state
            try:
                follower = found[partition] = _started(journal, partition, state)
            except BaseException:
                state.close()
                raise
            while follower.next_offset < end and follower.advance():
                pass
            state.write()
    except BaseException:
        for follower in found.values():
            with contextlib.suppress(LocalStateUnavailable, sqlite3.Error):
                follower.state.close()
        raise
    return found


# ---- policies and deadlines ------------------------------------------------------------------------------------------


def read_policies(store: Store) -> "PolicyBook":
    """Read the control log to its end, and return every policy published so far."""
    from infra.store.opening import open_control

    control = open_control(store, "reader", create=False)
    try:
        return control.book
    finally:
        control.journal.close()


def with_deadlines_reached(
    folded: CachedOrder, book: "PolicyBook", market: "MarketSettings", instant: Instant, closed_at: Instant
) -> CachedOrder:
    """The stream with the effects of every deadline before ``instant``. The given stream is not changed.

    Deadlines that were set and due before ``closed_at``, the close of an import, never fire and are removed.
    """
    order = folded.order
    if order is None or not order.exists or folded.unreadable is not None:
        return folded
    from domain.deadlines import without_lapsed
    from domain.eligibility_queries import as_of

    reached = as_of(without_lapsed(order, closed_at), book, market, instant)
    if reached is order:
        return folded
    return CachedOrder(folded.stream, reached, folded.head, reached.version, reached.recorded_at, folded.answered)
