"""Erasing in a running engine: one thread that destroys the keys of subjects whose erasure the log records."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from consumers.engine.engine import Engine
from consumers.erasing.eraser import Eraser
from consumers.ports.log_values import Admitted
from consumers.ports.vault import VaultUnavailable
from infra.local_state.followed import open_followed
from infra.runtime.partition_runner import AssignablePartitionRunner, FollowedPartition
from infra.vault.base import DatabaseVault

TIMEOUT: Final = 60.0
"""Seconds without progress after which waiting for erasures ends."""


class ErasingRunner(AssignablePartitionRunner):
    """The eraser of a process, and its thread. Several processes may erase in one vault."""

    name = "erasing"
    ERRORS = (*AssignablePartitionRunner.ERRORS, VaultUnavailable)

    def __init__(
        self,
        eraser: Eraser,
        sources: Mapping[int, FollowedPartition],
        engine: Engine,
        on_defect: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__("eraser", sources, on_defect)
        self._eraser = eraser
        self._engine = engine

    def catch_up(self, timeout: float = TIMEOUT) -> bool:
        """Wait until every erasure that the engine has followed so far is carried out.

        Returns False after ``timeout`` seconds without progress; ``trouble`` says why, if the vault is the cause.
        """
        wanted = {partition: follower.next_ordinal for partition, follower in dict(self._engine.followers).items()}
        moved = (0.0, -1)
        self.loop.wake()
        while any(
            self._eraser.done(partition) < ordinal
            for partition, ordinal in wanted.items()
            if partition in self._sources
        ):
            done = time.monotonic(), sum(map(self._eraser.done, wanted))
            if done[1] != moved[1]:
                moved = done
            elif self.loop.broken is not None or done[0] - moved[0] > timeout:
                return False
            time.sleep(0.002)
        return True

    def admitted(self, admitted: Admitted) -> None:
        self._eraser.admitted(admitted)
        self.loop.wake()

    def _begin(self, source: FollowedPartition) -> None:
        self._eraser.assign(source.partition, source)

    def _end(self, partition: int) -> None:
        self._eraser.revoke(partition)

    def _work(self) -> bool:
        moved = self._eraser.step()
        self.trouble = None
        return moved


def open_erasing(
    slot: Path, journal: str, engine: Engine, vault: DatabaseVault, on_defect: Callable[[], None] = lambda: None
) -> ErasingRunner:
    """The eraser of an engine, not started. ``journal``: its identity; ``slot``: where local state is."""
    sources = open_followed(slot, engine.followers, engine.partitions)
    return ErasingRunner(Eraser(journal, sources, vault), sources, engine, on_defect)
