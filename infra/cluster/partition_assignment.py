"""Takes up and gives up partitions: local state, the engine, and the components that follow it.

The consumer group assigns and revokes partitions (``assign``, ``revoke``: return at once, from any thread). A thread
here carries that out, several partitions at a time. Safety does not depend on it: admission decides, so a partition may
be followed a moment too long, or by two processes. A revoked partition is followed on for a moment, because most of
those that a rebalance takes away come back.
"""

import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from typing import Final

from consumers.engine.background_tasks import Interrupted
from consumers.engine.engine import Engine
from consumers.ports.journal import JournalError
from consumers.ports.local_state import LocalState, LocalStateDamaged, LocalStateUnavailable
from infra.runtime.components import Health, LoopComponent, health_of
from infra.runtime.loop import Loop
from infra.runtime.partition_runner import PartitionListener

LINGER: Final = 3.0
"""Seconds for which a partition is followed on after it was revoked."""
RETRY: Final = 0.5
"""Seconds before a partition that could not be taken up is tried again."""
PAUSE: Final = 0.02
"""Seconds between two steps."""

_LATER: Final = (JournalError, LocalStateDamaged, LocalStateUnavailable, OSError)


@dataclass(slots=True)
class _Held:
    """A partition that is followed here, or is being taken up or given up."""

    state: LocalState
    coming: Future[None]
    notified: bool = False
    going: Future[None] | None = None
    """Set once the partition is being given up."""


class PartitionAssignment(LoopComponent):
    """The partitions of a process that follows a share, and the thread that takes them up and gives them up. A
    component, which starts after the engine."""

    name = "sharing"

    def __init__(
        self,
        engine: Engine,
        listeners: Sequence[PartitionListener],
        open_state: Callable[[int], LocalState],
        open_reader: Callable[[int], LocalState],
        *,
        linger: float = LINGER,
        on_defect: Callable[[], None] = lambda: None,
    ) -> None:
        """``open_state`` opens a partition's local state, ``open_reader`` one more connection to it, which only reads.
        If they raise, they are tried again."""
        super().__init__(Loop("partition assignment", lambda: self.step(time.monotonic()), lambda: PAUSE))
        self.loop.on_broken = on_defect
        self.trouble: dict[int, str] = {}
        """Why assigned partitions are not followed yet, by partition."""
        self._engine = engine
        self._listeners = tuple(listeners)
        self._open_state = open_state
        self._open_reader = open_reader
        self._linger = linger
        self._wanted: frozenset[int] = frozenset()
        self._lock = threading.Lock()
        self._held: dict[int, _Held] = {}
        self._until: dict[int, float] = {}
        """When a revoked partition is given up."""
        self._not_before: dict[int, float] = {}

    def health(self) -> Health:
        """The partitions that are not followed yet, and the loop's trouble."""
        return health_of({f"partition {p}": why for p, why in dict(self.trouble).items()}, self.loop)

    # ---- from any thread ---------------------------------------------------------------------------------------------

    def assign(self, partition: int) -> None:
        """Want a partition followed from now on. Returns at once."""
        with self._lock:
            self._wanted |= {partition}
        self.loop.wake()

    def revoke(self, partition: int) -> None:
        """Want it followed no longer. Returns at once."""
        with self._lock:
            self._wanted -= {partition}
        self.loop.wake()

    @property
    def wanted(self) -> frozenset[int]:
        """The partitions that are assigned to this process."""
        return self._wanted

    @property
    def settled(self) -> bool:
        """Whether every assigned partition is followed, to where its log ended when it was taken up."""
        return all(self._engine.follows(partition) for partition in self._wanted)

    # ---- the thread --------------------------------------------------------------------------------------------------

    def step(self, now: float) -> bool:
        """Take up assigned partitions and give up others, as far as possible without waiting; whether anything moved.
        ``now``: seconds of a monotonic clock."""
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
        """Assign a partition to the listeners once the engine follows it. If that fails, it is tried again later."""
        if held.notified or not held.coming.done():
            return False
        try:
            held.coming.result()
            for listener in self._listeners:
                self._assign_to(listener, partition)
        except (CancelledError, Interrupted):  # the engine is closing, or the partition was stopped
            held.notified = True
            return False
        except _LATER as later:
            self._end(partition, held)
            self._later(partition, later, now)
            return False
        held.notified = True
        self.trouble.pop(partition, None)
        return True

    def _assign_to(self, listener: PartitionListener, partition: int) -> None:
        reader = self._open_reader(partition)
        try:
            listener.assign(self._engine.followers[partition], reader)
        except BaseException:
            reader.close()
            raise

    def _end(self, partition: int, held: _Held) -> None:
        """Revoke a partition, in the opposite order."""
        for listener in reversed(self._listeners):
            listener.revoke(partition)
        held.going = self._engine.revoke(partition)

    def _go(self, partition: int, held: _Held) -> bool:
        """Close the file of a partition that the engine has revoked. It may be taken up again."""
        assert held.going is not None
        if not held.going.done() or held.going.cancelled():  # cancelled: the engine is closing; ``close`` comes next
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

    def close(self) -> None:
        """Close local state. The engine is closed already."""
        for held in self._held.values():
            held.state.close()
