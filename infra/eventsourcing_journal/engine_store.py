"""The store of an application inside an engine's process. It uses the engine's follower and local state, in the
engine's thread.

So no partition is followed twice. A read runs in the engine's loop (``Engine.call``), between two decisions. A save
uses a writer of its own on the same journal, so admission decides a race with the engine like any other.
"""

import time
import uuid
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError
from threading import Event
from typing import Final, TypeVar

from eventsourcing.persistence import OperationalError

from consumers.engine.engine import Engine
from consumers.ports.journal import Journal, JournalError, JournalUnavailable
from consumers.ports.local_state import LocalState
from consumers.ports.log_values import Admitted, Rejected
from infra.eventsourcing_journal.drafts import Draft
from infra.eventsourcing_journal.proposing import Proposer
from infra.eventsourcing_journal.store import Lease, as_persistence_error, closed

T = TypeVar("T")

TIMEOUT: Final = 30.0
"""Seconds to wait for the engine to run a read."""


class EngineStore:
    """The Store port for one of the partitions that the engine follows. It listens to the engine's commits.

    Do not call it in the engine's own thread: it would wait for itself.
    """

    def __init__(self, engine: Engine, journal: Journal, partition: int, name: str) -> None:
        """``journal`` is the engine's own. ``name`` is the writer's name in commits and records."""
        self.partition = partition
        self._engine = engine
        self._journal = journal
        self._state = engine.followers[partition].state
        self._drafts: deque[Draft] = deque()
        self._listeners: set[Event] = set()
        self._proposer = Proposer(
            journal,
            partition,
            self._state,
            name,
            wake=self._poke,
            new_id=lambda: uuid.uuid4().bytes,
            catch_up=self._catch_up,
        )
        engine.add_listener(self)

    def lease(self) -> Lease:
        """Return a share in the store. The engine decides when the store ends, so releasing the last share has no
        effect."""
        return Lease(self, self.lease, lambda: None)

    # ---- the port ----------------------------------------------------------------------------------------------------

    def save(self, draft: Draft) -> None:
        self._drafts.append(draft)
        if self._engine.call(self._turn).cancelled():
            draft.future.set_exception(closed())

    def read(self, question: Callable[[LocalState], T], *, fresh: bool = True) -> T:
        def ask(engine: Engine) -> T:
            if fresh:
                self._catch_up()
            else:
                engine.follow(self.partition, _now())
                self._check()
            return question(self._state)

        try:
            return self._engine.call(ask).result(TIMEOUT)
        except CancelledError:
            raise closed() from None
        except TimeoutError:
            raise OperationalError(f"the engine did not answer within {TIMEOUT} s") from None
        except JournalError as error:
            raise as_persistence_error(error) from error

    def listen(self, grown: Event) -> None:
        self._listeners.add(grown)

    def unlisten(self, grown: Event) -> None:
        self._listeners.discard(grown)

    # ---- called by the engine, in its thread -------------------------------------------------------------------------

    def admitted(self, admitted: Admitted) -> None:
        """The follower admitted a commit. Commits of other partitions are ignored."""
        if admitted.partition == self.partition:
            self._proposer.writer.admitted(admitted)
            self._answer()
            for grown in tuple(self._listeners):
                grown.set()

    def rejected(self, rejected: Rejected) -> None:
        """The follower rejected a commit."""
        if rejected.partition == self.partition:
            self._proposer.writer.rejected(rejected)
            self._answer()

    # ---- in the engine's thread --------------------------------------------------------------------------------------

    def _turn(self, _: Engine) -> None:
        """Take the new drafts, propose, follow the log, and answer."""
        proposer = self._proposer
        while self._drafts:
            proposer.take([self._drafts.popleft()])
        try:
            self._catch_up()
            proposer.step(_now())
            while proposer.again:
                proposer.step(_now())
        except JournalUnavailable as error:
            proposer.refuse(as_persistence_error(error))
        except JournalError as error:
            proposer.fail(as_persistence_error(error))
        proposer.answer()

    def _answer(self) -> None:
        self._proposer.answer()
        if self._proposer.waiting:
            self._poke()

    def _catch_up(self) -> None:
        """Follow the partition to its current end."""
        engine = self._engine
        end = self._journal.end(self.partition)
        while self._state.next_offset < end and engine.follow(self.partition, _now()):
            pass
        self._check()

    def _check(self) -> None:
        """Raise the JournalError with which the engine stopped the partition, if it did."""
        stopped = self._engine.stopped.get(self.partition)
        if stopped is not None:
            raise stopped

    def _poke(self) -> None:
        """Have the engine run ``_turn``."""
        self._engine.call(self._turn)


def _now() -> int:
    return time.time_ns() // 1000
