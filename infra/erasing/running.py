"""Erasing in a running engine: one thread that carries out what the log says, and what waits for it."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from consumers.engine.engine import Engine
from consumers.erasing.eraser import Eraser
from consumers.log.follower import Follower
from consumers.ports.local_state import LocalState, LocalStateDamaged, LocalStateUnavailable
from consumers.ports.log_values import Admitted, Rejected
from consumers.ports.vault import VaultUnavailable
from infra.local_state import open_local_state
from infra.local_state.slots import state_file
from infra.projection.running import FollowedPartition
from infra.runtime.loop import Loop
from infra.vault.base import DatabaseVault

PAUSE: Final = 0.25
"""Seconds between two looks of a thread that is not woken."""
RETRY: Final = 1.0
"""Seconds before the vault is tried again after it was away."""
TIMEOUT: Final = 60.0
"""Seconds without any progress before who waits for erasures gives up."""


class Erasing:
    """The eraser of a process, and the thread that drives it. Several processes may erase on one vault."""

    def __init__(self, eraser: Eraser, sources: Mapping[int, FollowedPartition], engine: Engine) -> None:
        self.trouble: str | None = None
        """Why no key is destroyed at the moment."""
        self._eraser = eraser
        self._sources = dict(sources)
        self._engine = engine
        self._not_before = 0.0
        self._loop = Loop("eraser", self._step, lambda: PAUSE)

    @property
    def loops(self) -> tuple[Loop, ...]:
        """What drives it."""
        return (self._loop,)

    def start(self, on_broken: Callable[[], None] = lambda: None) -> None:
        """Start the thread."""
        self._loop.on_broken = on_broken
        self._loop.start()

    def catch_up(self, timeout: float = TIMEOUT) -> bool:
        """Wait until every erasure that the engine has followed so far is carried out; False if it does not get on for
        ``timeout`` seconds. ``trouble`` says why, where it is the vault."""
        wanted = {partition: follower.next_ordinal for partition, follower in dict(self._engine.followers).items()}
        moved = (0.0, -1)
        self._loop.wake()
        while any(
            self._eraser.done(partition) < ordinal
            for partition, ordinal in wanted.items()
            if partition in self._sources
        ):
            done = time.monotonic(), sum(map(self._eraser.done, wanted))
            if done[1] != moved[1]:
                moved = done
            elif self._loop.broken is not None or done[0] - moved[0] > timeout:
                return False
            time.sleep(0.002)
        return True

    # ---- partitions that come and go, from any thread ----------------------------------------------------------------

    def assign(self, follower: Follower, state: LocalState) -> None:
        """Carry out a partition's erasures from now on; ``state`` is a connection for this thread alone, and is
        closed here."""

        def begin() -> None:
            source = self._sources[follower.partition] = FollowedPartition(state, follower)
            self._eraser.assign(follower.partition, source)

        self._loop.between(begin)

    def revoke(self, partition: int) -> None:
        """Carry them out no longer. Nothing of the partition is touched any more when this returns."""

        def end() -> None:
            self._eraser.revoke(partition)
            source = self._sources.pop(partition, None)
            if source is not None:
                source.state.close()

        self._loop.between(end)

    # ---- the engine's listener, in the engine's thread ---------------------------------------------------------------

    def admitted(self, admitted: Admitted) -> None:
        self._eraser.admitted(admitted)
        self._loop.wake()

    def rejected(self, rejected: Rejected) -> None:
        """What never became part of the history erases nobody."""

    # ---- the thread --------------------------------------------------------------------------------------------------

    def _step(self) -> bool:
        if time.monotonic() < self._not_before:
            return False
        try:
            moved = self._eraser.step()
            self.trouble = None
        except (VaultUnavailable, LocalStateDamaged, LocalStateUnavailable) as later:
            self.trouble = str(later)
            self._not_before = time.monotonic() + RETRY
            return False
        return moved

    def close(self) -> None:
        """End after the step that is under way, and let go."""
        if not self._loop.stop():
            return
        for source in self._sources.values():
            source.state.close()


def open_erasing(slot: Path, journal: str, engine: Engine, vault: DatabaseVault) -> Erasing:
    """The eraser of a running engine, not yet started."""
    partitions = engine.partitions
    sources = {
        partition: FollowedPartition(
            open_local_state(state_file(slot, partition), partition, partitions, read_only=True).state, follower
        )
        for partition, follower in engine.followers.items()
    }
    return Erasing(Eraser(journal, sources, vault), sources, engine)
