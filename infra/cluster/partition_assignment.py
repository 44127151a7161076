"""Partitions as they come to a process and go from it: local state, the engine, and what listens to it.

Whoever shares partitions out says which are wanted (``assign``, ``revoke``: at once, from any thread); a thread here
brings that about, one partition beside the other. Nothing here is needed for safety: admission decides, and what is
followed a moment too long, or by two processes, harms nobody. So a partition that was given up is followed on for a
moment: of those that a rebalance takes away, most come back.
"""

import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from typing import Final, Protocol

from consumers.engine.background_tasks import Interrupted
from consumers.engine.engine import Engine
from consumers.log.follower import Follower
from consumers.ports.journal import JournalError
from consumers.ports.local_state import LocalState, LocalStateDamaged, LocalStateUnavailable
from infra.runtime.loop import Loop

LINGER: Final = 3.0
"""Seconds that a partition is followed on after it was given up."""
RETRY: Final = 0.5
"""Seconds before a partition that could not be taken up is tried again."""
PAUSE: Final = 0.02
"""Seconds between two looks while a partition is on its way."""

_LATER: Final = (JournalError, LocalStateDamaged, LocalStateUnavailable, OSError)


class Listening(Protocol):
    """What hears of every commit of the partitions that it has: views, publishers, erasures."""

    def assign(self, follower: Follower, state: LocalState) -> None:
        """Begin with a partition; ``state`` is a connection of its own, which it closes."""
        ...

    def revoke(self, partition: int) -> None:
        """End with it. Nothing of it is touched any more when this returns; nothing happens if it was not taken up."""
        ...


@dataclass(slots=True)
class _Held:
    """A partition that is followed here, or about to be."""

    state: LocalState
    coming: Future[None]
    listened: bool = False
    going: Future[None] | None = None
    """Once it is being given up."""


class PartitionAssignment:
    """The partitions of a process that follows a share. ``start`` once the engine runs."""

    def __init__(
        self,
        engine: Engine,
        listeners: Callable[[], Sequence[Listening]],
        open_state: Callable[[int], LocalState],
        open_beside: Callable[[int], LocalState],
        *,
        linger: float = LINGER,
    ) -> None:
        """``listeners``: those there are by then. ``open_state`` opens a partition's local state, ``open_beside`` one
        more connection to it, which only reads. What they raise is tried again."""
        self.trouble: dict[int, str] = {}
        """Why partitions that are wanted are not followed yet."""
        self._engine = engine
        self._listeners = listeners
        self._open_state = open_state
        self._open_beside = open_beside
        self._linger = linger
        self._wanted: frozenset[int] = frozenset()
        self._saying = threading.Lock()
        self._held: dict[int, _Held] = {}
        self._until: dict[int, float] = {}
        """When a partition that is wanted no longer is given up."""
        self._not_before: dict[int, float] = {}
        self._loop = Loop("attending", lambda: self.step(time.monotonic()), lambda: PAUSE)

    @property
    def loops(self) -> tuple[Loop, ...]:
        """What drives it."""
        return (self._loop,)

    def start(self, on_broken: Callable[[], None] = lambda: None) -> None:
        """Start the thread."""
        self._loop.on_broken = on_broken
        self._loop.start()

    # ---- from any thread ---------------------------------------------------------------------------------------------

    def assign(self, partition: int) -> None:
        """Have a partition followed from now on. Returns at once."""
        with self._saying:
            self._wanted |= {partition}
        self._loop.wake()

    def revoke(self, partition: int) -> None:
        """It need not be followed any longer. Returns at once."""
        with self._saying:
            self._wanted -= {partition}
        self._loop.wake()

    @property
    def wanted(self) -> frozenset[int]:
        """The partitions that are this process's."""
        return self._wanted

    @property
    def settled(self) -> bool:
        """Whether all that are wanted are followed, each to where its log ended when it was taken up."""
        return all(self._engine.follows(partition) for partition in self._wanted)

    # ---- the thread --------------------------------------------------------------------------------------------------

    def step(self, now: float) -> bool:
        """Take up what is wanted, give up what is not, as far as that goes without waiting; whether anything moved.
        ``now``: seconds of a clock that never goes back."""
        wanted = self._wanted
        moved = False
        for partition in sorted(wanted - self._held.keys()):
            if now >= self._not_before.get(partition, now):
                moved = self._begin(partition, now) or moved
        for partition, held in tuple(self._held.items()):
            if held.going is not None:
                moved = self._go(partition, held) or moved
            elif partition in wanted:
                self._until.pop(partition, None)
                moved = self._come(partition, held, now) or moved
            elif now >= self._until.setdefault(partition, now + self._linger):
                self._end(partition, held)
                moved = True
        for partition in self.trouble.keys() - wanted:
            self.trouble.pop(partition, None)
        return moved

    def _begin(self, partition: int, now: float) -> bool:
        try:
            state = self._open_state(partition)
        except _LATER as later:
            self._later(partition, later, now)
            return False
        self._held[partition] = _Held(state, self._engine.assign(partition, state))
        return True

    def _come(self, partition: int, held: _Held, now: float) -> bool:
        """It is followed by now, or cannot be: the listeners are next, or it is tried again."""
        if held.listened or not held.coming.done():
            return False
        try:
            held.coming.result()
            for listener in self._listeners():
                self._have_listen(listener, partition)
        except (CancelledError, Interrupted):  # the engine is closing, or it was stopped on its way
            held.listened = True
            return False
        except _LATER as later:
            self._end(partition, held)
            self._later(partition, later, now)
            return False
        held.listened = True
        self.trouble.pop(partition, None)
        return True

    def _have_listen(self, listener: Listening, partition: int) -> None:
        beside = self._open_beside(partition)
        try:
            listener.assign(self._engine.followers[partition], beside)
        except BaseException:
            beside.close()
            raise

    def _end(self, partition: int, held: _Held) -> None:
        """In the opposite order."""
        for listener in reversed(self._listeners()):
            listener.revoke(partition)
        held.going = self._engine.revoke(partition)

    def _go(self, partition: int, held: _Held) -> bool:
        """Nobody has it any more: its file is closed, and may be taken up again."""
        assert held.going is not None
        if not held.going.done() or held.going.cancelled():  # cancelled: the engine is closing, and ``close`` is next
            return False
        held.going.result()
        self._until.pop(partition, None)
        self._held.pop(partition).state.close()
        return True

    def _later(self, partition: int, why: Exception, now: float) -> None:
        if self.trouble.get(partition) != str(why):
            sys.stderr.write(f"rescind: partition {partition} cannot be followed yet: {why}\n")
        self.trouble[partition] = str(why)
        self._not_before[partition] = now + RETRY

    # ---- the end -----------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Nothing is taken up or given up any more."""
        self._loop.stop()

    def close(self) -> None:
        """Close local state; after the engine."""
        for held in self._held.values():
            held.state.close()
