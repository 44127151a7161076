"""The store of an application in an engine's own process: the engine's follower and local state, in its own thread.

Nothing is followed twice. Reading hops into the engine's loop (``Engine.call``), between two decisions; what is saved
here goes through a writer of its own on the same journal, so a race with the engine is decided by admission like any
other. Give the store to the engine as a listener, then ``attach`` it.
"""

import time
import uuid
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from threading import Event
from typing import Final, TypeVar

from eventsourcing.persistence import OperationalError

from consumers.admission import Admitted, Rejected
from consumers.engine import Engine
from consumers.journal import Journal, JournalError
from consumers.local_state import LocalState
from infra.eventsourcing_journal.drafts import Draft
from infra.eventsourcing_journal.proposing import Proposer
from infra.eventsourcing_journal.store import Lease, as_persistence_error, closed

T = TypeVar("T")

PATIENCE: Final = 30.0
"""Seconds that the engine may take to come to a question."""


class EngineStore:
    """The Store port, and a Listener of the engine, for one of the partitions that the engine follows."""

    def __init__(self, journal: Journal, partition: int, state: LocalState, name: str) -> None:
        self.partition = partition
        self._journal = journal
        self._state = state
        self._engine: Engine | None = None
        self._drafts: deque[Draft] = deque()
        self._listeners: set[Event] = set()
        self._proposer = Proposer(
            journal,
            partition,
            state,
            name,
            wake=self._poke,
            new_id=lambda: uuid.uuid4().bytes,
            catch_up=self._catch_up,
        )

    def attach(self, engine: Engine) -> None:
        """From now on this engine's loop does what is asked here."""
        self._engine = engine

    def lease(self) -> Lease:
        """A share in it; the engine decides when it ends, not the last one who gives his up."""
        return Lease(self, self.lease, lambda: None)

    # ---- the port ------------------------------------------------------------------------------------------------

    def save(self, draft: Draft) -> None:
        self._drafts.append(draft)
        if self._call(self._turn).cancelled():
            draft.future.set_exception(closed())

    def read(self, question: Callable[[LocalState], T]) -> T:
        def ask(engine: Engine) -> T:
            self._catch_up()
            return question(self._state)

        try:
            return self._call(ask).result(PATIENCE)
        except CancelledError:
            raise closed() from None
        except TimeoutError:
            raise OperationalError(f"the engine did not answer within {PATIENCE} s") from None
        except JournalError as error:
            raise as_persistence_error(error) from error

    def listen(self, grown: Event) -> None:
        self._listeners.add(grown)

    def unlisten(self, grown: Event) -> None:
        self._listeners.discard(grown)

    # ---- what the engine tells, in its thread --------------------------------------------------------------------

    def admitted(self, admitted: Admitted) -> None:
        """The follower admitted a commit; of another partition it is nothing to us."""
        if admitted.partition == self.partition:
            self._proposer.writer.admitted(admitted)
            for grown in tuple(self._listeners):
                grown.set()

    def rejected(self, rejected: Rejected) -> None:
        """The follower rejected a commit."""
        if rejected.partition == self.partition:
            self._proposer.writer.rejected(rejected)

    # ---- in the engine's thread ----------------------------------------------------------------------------------

    def _turn(self, engine: Engine) -> None:
        """Take in what came, propose, follow, answer."""
        proposer = self._proposer
        while self._drafts:
            proposer.take([self._drafts.popleft()])
        try:
            self._catch_up()
            proposer.step(_now())
            while proposer.again:
                proposer.step(_now())
        except JournalError as error:
            proposer.refuse(as_persistence_error(error))
        proposer.answer()

    def _catch_up(self) -> None:
        """Follow the partition to its end as it is now."""
        engine = self._engine
        assert engine is not None
        end = self._journal.end(self.partition)
        while self._state.next_offset < end and engine.follow(self.partition, _now()):
            pass
        stopped = engine.stopped.get(self.partition)
        if stopped is not None:
            raise stopped

    # ---- calling into the engine ---------------------------------------------------------------------------------

    def _call(self, ask: Callable[[Engine], T]) -> Future[T]:
        if self._engine is None:
            raise closed()
        return self._engine.call(ask)

    def _poke(self) -> None:
        """Have the engine look after what waits here."""
        self._call(self._turn)


def _now() -> int:
    return time.time_ns() // 1000
