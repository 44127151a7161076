"""The thread that drives the engine."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from consumers.engine.engine import MAX_AGE, Engine
from domain.instants import SECOND, Instant
from infra.runtime.components import LoopComponent
from infra.runtime.loop import Loop


class EngineThread(LoopComponent):
    """Steps the engine, and runs small jobs between two steps. A component."""

    name = "engine"

    def __init__(
        self,
        engine: Engine,
        clock: Callable[[], Instant],
        *,
        between: Sequence[Callable[[], None]],
        on_defect: Callable[[], None],
        leave_open: Callable[[], ExitStack],
    ) -> None:
        """``between``: the jobs. ``leave_open`` takes what the engine uses from whoever would close it: called if the
        thread does not come back from its step."""
        super().__init__(Loop("engine", self._step, self._pause))
        self.loop.on_broken = self._broken
        self._engine = engine
        self._clock = clock
        self._between = tuple(between)
        self._on_defect = on_defect
        self._leave_open = leave_open

    def stop(self) -> None:
        """End after the step under way. If that does not come back, answer the open commands as unknown."""
        if not self.loop.stop():
            for _ in range(MAX_AGE + 1):
                self._engine.age()
            self.loop.left_open = self._leave_open()

    def _step(self) -> bool:
        moved = self._engine.step(self._clock())
        for job in self._between:
            job()
        return moved

    def _pause(self) -> float:
        return self._engine.pause() / SECOND

    def _broken(self) -> None:
        self._engine.close()
        self._on_defect()
