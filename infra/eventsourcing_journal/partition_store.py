"""The store of an application without an engine: a thread of its own follows the partition.

The thread takes drafts from recorders, proposes them as commits (drafts that wait at the same moment share a record and
an fsync), follows the log, and answers. Reads run in the caller's thread under the one lock. A fresh read first follows
the log to its end at that moment, so it sees every save answered before, by any process. A read of an aggregate uses
what has been followed so far, since a save based on old state fails.
"""

import sqlite3
import time
import uuid
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from typing import Final, TypeVar

from eventsourcing.persistence import OperationalError

from consumers.log.follower import Follower
from consumers.ports.journal import Journal, JournalDamaged, JournalError, JournalUnavailable
from consumers.ports.local_state import LocalState
from domain.instants import Instant
from infra.eventsourcing_journal.drafts import Draft
from infra.eventsourcing_journal.proposing import Proposer
from infra.eventsourcing_journal.store import as_persistence_error, closed

T = TypeVar("T")

_POLL_INTERVAL: Final = 0.005
"""Seconds between two checks of the log while a commit of ours is in flight."""
_RETRY: Final = 0.5
"""Seconds between two attempts to read a log that is unavailable."""
_WATCH_TIMEOUT: Final = 1.0
"""Seconds for which one wait for commits of other processes lasts."""


class PartitionStore:
    """The Store port on a journal and a local state that nothing else follows."""

    def __init__(
        self,
        journal: Journal,
        partition: int,
        state: LocalState,
        name: str,
        *,
        on_close: Callable[[], None] = lambda: None,
        new_id: Callable[[], bytes] = lambda: uuid.uuid4().bytes,
        now: Callable[[], Instant] = lambda: time.time_ns() // 1000,
    ) -> None:
        """``name`` is the writer's name in commits and records. ``on_close`` is called when the store is closed, and
        closes journal and local state. JournalError if the local state does not match the log."""
        self.name = name
        self.partition = partition
        self._journal = journal
        self._state = state
        self._on_close = on_close
        self._now = now
        self._lock = Lock()
        self._inbox: SimpleQueue[Draft | None] = SimpleQueue()
        self._listeners: set[Event] = set()
        self._grown = False
        self._watched = False
        self._caught_up = False
        """Whether the log was followed to its end once."""
        self._failed: JournalError | None = None
        self._closed = False
        self._proposer = Proposer(
            journal, partition, state, name, wake=self.poke, new_id=new_id, catch_up=self._catch_up
        )
        writer = self._proposer.writer
        self._follower = Follower(journal, partition, state, writer, writer.known)
        self._follower.start()
        Thread(target=self._loop, name=f"store {name}", daemon=True).start()

    # ---- the port ----------------------------------------------------------------------------------------------------

    def save(self, draft: Draft) -> None:
        self._inbox.put(draft)

    def read(self, question: Callable[[LocalState], T], *, fresh: bool = True) -> T:
        with self._lock:
            if self._closed:
                raise closed()
            try:
                if fresh or not self._caught_up:
                    self._catch_up()
                else:
                    self._follow()
                answer = question(self._state)
            except JournalError as error:
                raise as_persistence_error(error) from error
            except sqlite3.Error as error:
                raise OperationalError(f"local state: {error}") from error
            waiting = self._proposer.waiting
        self._notify()
        if waiting:
            self.poke()
        return answer

    def listen(self, grown: Event) -> None:
        self._listeners.add(grown)
        with self._lock:
            if self._watched or self._closed:
                return
            self._watched = True
        Thread(target=self._watch, name=f"watcher {self.name}", daemon=True).start()

    def unlisten(self, grown: Event) -> None:
        self._listeners.discard(grown)

    def poke(self) -> None:
        """Have the thread check for work. Takes no lock."""
        self._inbox.put(None)

    def close(self) -> None:
        """Answer open drafts with an error, and close everything. Waits for the lock, but joins no thread."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._proposer.fail(closed())
            self._on_close()
            self._grown = True
        self._notify()
        self.poke()

    # ---- the threads -------------------------------------------------------------------------------------------------

    def _loop(self) -> None:
        """Until closed: take drafts, propose, follow the log, answer."""
        pause: float | None = None
        while not self._closed:
            drafts, check_log = self._arrived(pause)
            with self._lock:
                self._proposer.take(drafts)
                pause = self._turn(check_log)
            self._notify()
        self._proposer.take(self._arrived(0.0)[0])
        self._proposer.fail(closed())
        self._notify()

    def _arrived(self, pause: float | None) -> tuple[list[Draft], bool]:
        """The drafts in the inbox, and whether to check the log because of a ``poke`` or the end of ``pause``.

        Waits at most ``pause`` seconds for the first item (None: without limit).
        """
        drafts: list[Draft] = []
        check_log = False
        try:
            item = self._inbox.get(timeout=pause)
        except Empty:
            return drafts, True
        try:
            while True:
                if item is None:
                    check_log = True
                else:
                    drafts.append(item)
                item = self._inbox.get_nowait()
        except Empty:
            return drafts, check_log

    def _turn(self, check_log: bool) -> float | None:
        """Take one turn under the lock. Returns the seconds until the next turn (None: at the next ``poke``)."""
        if self._closed:
            self._proposer.fail(closed())
            return None
        if self._failed is not None:
            self._proposer.fail(as_persistence_error(self._failed))
            return None
        proposer = self._proposer
        try:
            if check_log:
                self._catch_up()
            proposer.step(self._now())
            while proposer.again:
                proposer.step(self._now())
        except (JournalUnavailable, JournalDamaged, sqlite3.Error):
            return _RETRY
        except JournalError as error:
            self._failed = error
            proposer.fail(as_persistence_error(error))
            return None
        return _POLL_INTERVAL if proposer.writer.in_flight else None

    def _catch_up(self) -> None:
        """Follow the log to its current end. A log that ends before what was read raises LogLost here too."""
        self._follow(self._journal.end(self.partition))
        self._caught_up = True

    def _follow(self, end: int | None = None) -> None:
        """Follow the part of the log that has arrived, or up to ``end`` if it is known."""
        follower = self._follower
        before = follower.next_ordinal
        while follower.next_offset != end:
            if not follower.advance() or (end is not None and follower.next_offset > end):
                break
        if follower.next_ordinal != before:
            self._grown = True

    def _watch(self) -> None:
        """Poke when other processes have appended to the log."""
        seen = 0
        while not self._closed:
            try:
                seen = max(seen, self._follower.next_offset)
                if self._journal.wait(self.partition, seen, _WATCH_TIMEOUT):
                    seen = self._journal.end(self.partition)
                    self.poke()
            except JournalError:
                time.sleep(_RETRY)

    def _notify(self) -> None:
        """Answer what was settled, and notify listeners that the log has grown. Not under the lock, because they read
        next."""
        if self._grown:
            self._grown = False
            for grown in tuple(self._listeners):
                grown.set()
        self._proposer.answer()
