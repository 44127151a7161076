"""A partition followed by a thread of its own: the store of an application that no engine looks after.

The thread takes the drafts that recorders put in, proposes them as commits (those that wait at the same moment share a
record and an fsync), follows the log, and answers. Reading happens on the reader's own thread, under the one lock,
after the follower has reached the log's end as it was when the question came; so every reader sees what was answered
before, by whatever process. Aggregates are read as far as the log has come, since a save on what is old fails.
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

_UNSEEN: Final = 0.005
"""Seconds between two looks at the log while something of ours is on its way."""
_RETRY: Final = 0.5
"""Seconds between two tries to read a log that is unavailable."""
_WATCH: Final = 1.0
"""Seconds that the watcher waits at a time for other processes' commits."""


class PartitionStore:
    """The Store port over a journal and a local state that nobody else follows."""

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
        self._now = now
        self._lock = Lock()
        self._inbox: SimpleQueue[Draft | None] = SimpleQueue()
        self._listeners: set[Event] = set()
        self._grown = False
        self._watched = False
        self._caught_up = False
        """Whether the log was once followed to its end."""
        self._failed: JournalError | None = None
        self._closed = False
        self._proposer = Proposer(
            journal, partition, state, name, wake=self.poke, new_id=new_id, catch_up=self._catch_up
        )
        writer = self._proposer.writer
        self._follower = Follower(journal, partition, state, writer, writer.known)
        self._follower.start()
        Thread(target=self._loop, name=f"store {name}", daemon=True).start()

    # ---- the port ------------------------------------------------------------------------------------------------

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
        self._tell()
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
        """There may be something to do. Takes no lock."""
        self._inbox.put(None)

    def close(self) -> None:
        """Answer what is open with an error and let go of everything. Waits for the lock, but joins nobody."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._proposer.fail(closed())
            self._let_go()
            self._grown = True
        self._tell()
        self.poke()

    # ---- the threads ---------------------------------------------------------------------------------------------

    def _loop(self) -> None:
        """Until closed: take what came in, propose, follow, answer."""
        pause: float | None = None
        while not self._closed:
            drafts, look = self._arrived(pause)
            with self._lock:
                self._proposer.take(drafts)
                pause = self._turn(look)
            self._tell()
        self._proposer.take(self._arrived(0.0)[0])
        self._proposer.fail(closed())
        self._tell()

    def _arrived(self, pause: float | None) -> tuple[list[Draft], bool]:
        """The drafts that are in the inbox, and whether to look at the log: somebody poked, or ``pause`` is over.

        Waits at most ``pause`` seconds for the first (None: however long).
        """
        drafts: list[Draft] = []
        look = False
        try:
            item = self._inbox.get(timeout=pause)
        except Empty:
            return drafts, True
        try:
            while True:
                if item is None:
                    look = True
                else:
                    drafts.append(item)
                item = self._inbox.get_nowait()
        except Empty:
            return drafts, look

    def _turn(self, look: bool) -> float | None:
        """One turn, under the lock: in how many seconds the next must be (None: when somebody pokes)."""
        if self._closed:
            self._proposer.fail(closed())
            return None
        if self._failed is not None:
            self._proposer.fail(as_persistence_error(self._failed))
            return None
        proposer = self._proposer
        try:
            if look:
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
        return _UNSEEN if proposer.writer.in_flight else None

    def _catch_up(self) -> None:
        """Follow the log to its end as it is now; a log that ends before what was read is found out here too."""
        self._follow(self._journal.end(self.partition))
        self._caught_up = True

    def _follow(self, end: int | None = None) -> None:
        """Follow what has come of the log; to ``end``, if it is known."""
        follower = self._follower
        before = follower.next_ordinal
        while follower.next_offset != end:
            if not follower.advance() or (end is not None and follower.next_offset > end):
                break
        if follower.next_ordinal != before:
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

    def _tell(self) -> None:
        """Answer what was settled, and say that the log has grown. Not under the lock: whoever waits reads next."""
        if self._grown:
            self._grown = False
            for grown in tuple(self._listeners):
                grown.set()
        self._proposer.answer()
