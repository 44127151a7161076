"""Keeping the views in step with the log: a projector per partition and one for the control log, in one thread.

Several processes may keep the same views up to date: the position is compared and swapped, so each part of the log is
applied once.
"""

import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from consumers.engine.engine import Engine
from consumers.log.follower import Follower
from consumers.ports.journal import Journal, JournalError
from consumers.ports.log_values import Admitted, Rejected
from consumers.ports.views import PositionMoved, ViewsDamaged, ViewsError, ViewsUnavailable
from consumers.projection.projector import Projector, ViewsOfAnotherLog
from infra.local_state import memory_local_state
from infra.local_state.followed import open_followed
from infra.runtime.partition_runner import AssignablePartitionRunner, FollowedPartition
from infra.settings import Settings, ViewsAt
from infra.store.recorded_positions import in_views
from infra.views.base import DatabaseViews
from infra.views.late_opening import LateViews
from infra.views.opening import open_views, postgresql_client

BATCH: Final = 1000
"""The most commits of one transaction of the views."""
GATHERED: Final = 4000
"""Commits of an import that are gathered into one transaction."""
LONGEST_GATHERING: Final = 1.0
"""Seconds after which an import's commits are projected, however few they are."""
CACHED_ORDERS: Final = 8_192
"""Orders that a projector caches; others are folded from the log again at their next event."""


class _ControlFollower:
    """A follower of the control log for the views' thread."""

    def __init__(self, journal: Journal) -> None:
        self.follower = Follower(journal, 0, memory_local_state(0, 1), self)
        self.follower.start()

    def admitted(self, admitted: Admitted) -> None: ...

    def rejected(self, rejected: Rejected) -> None: ...


class ViewsRunner(AssignablePartitionRunner):
    """The views of a running engine (``views``), and the thread that keeps them up to date."""

    name = "views"
    PAUSE = 0.05
    RETRY = 0.25
    ERRORS = (*AssignablePartitionRunner.ERRORS, ViewsUnavailable, JournalError)

    def __init__(
        self,
        views: DatabaseViews,
        engine: Engine,
        sources: Mapping[int, FollowedPartition],
        control: Journal,
        on_defect: Callable[[], None] = lambda: None,
    ) -> None:
        """``control``: the journal of the control log."""
        super().__init__("views", sources, on_defect)
        self.views = views
        self._filling = True
        """Whether the views lack commits that the log had when this began, or when a partition was assigned."""
        self._engine = engine
        self._control = _ControlFollower(control)
        self._projectors = {partition: self._projector(source) for partition, source in sources.items()}
        self._control_projector = Projector("control", 0, self._control.follower.state, views)
        self._moved = threading.Condition()
        self._control_ordinal = 0
        """The ordinal after the last commit of the control log that the views have."""
        self._ordinals: dict[int, int] = {}
        self._positions: dict[int, int] = {}
        self._stopped = False
        """Whether the views have stopped for good, or the runner is being stopped."""
        self._gathering_since = time.monotonic()
        self._waiting = 0
        self._idle = False

    # ---- partitions --------------------------------------------------------------------------------------------------

    def _begin(self, source: FollowedPartition) -> None:
        self._projectors[source.partition] = self._projector(source)
        self._filling = True

    def _end(self, partition: int) -> None:
        if self._projectors.pop(partition, None) is not None:
            self._ordinals.pop(partition, None)
            self._positions.pop(partition, None)
            self._notify()

    def _projector(self, source: FollowedPartition) -> Projector:
        return Projector("journal", source.partition, source, self.views, capacity=CACHED_ORDERS)

    def admitted(self, admitted: Admitted) -> None:
        projector = self._projectors.get(admitted.partition)
        if projector is None:
            return
        projector.admitted(admitted)
        if self._idle:
            self._idle = False
            self.loop.wake()

    # ---- how far the views are, from any thread ----------------------------------------------------------------------

    @property
    def positions(self) -> dict[int, int]:
        """By partition the position of the next event that the views do not have."""
        return dict(self._positions)

    @property
    def lacking(self) -> str | None:
        """Why the views may lack rows of the log as it was when this process began; None if they have all. From any
        thread."""
        if self.trouble is not None:
            return self.trouble
        return "the views are still being filled from the log; ask again" if self._filling else None

    def has(self, wanted: Mapping[int, int], timeout: float) -> bool:
        """Wait until the views have every event below these positions, by partition; whether they do."""
        return self._wait(lambda: all(self._positions.get(p, 0) >= position for p, position in wanted.items()), timeout)

    def catch_up(self, timeout: float | None = None) -> bool:
        """Wait until the views have everything that the engine has followed so far; whether they do.

        Without a ``timeout``, it waits until then, or until the views have stopped for good.
        """
        wanted = {partition: follower.next_ordinal for partition, follower in dict(self._engine.followers).items()}
        control = self._engine.control.follower.next_ordinal

        def reached() -> bool:
            return self._control_ordinal >= control and all(
                self._ordinals.get(partition, 0) >= ordinal
                for partition, ordinal in wanted.items()
                if partition in self._projectors
            )

        return self._wait(reached, timeout)

    def _wait(self, reached: Callable[[], bool], timeout: float | None) -> bool:
        until = None if timeout is None else time.monotonic() + timeout
        with self._moved:
            self._waiting += 1
            self.loop.wake()
            try:
                while not reached():
                    left = 1.0 if until is None else min(1.0, until - time.monotonic())
                    if left <= 0 or self._stopped:
                        return False
                    self._moved.wait(left)
            finally:
                self._waiting -= 1
        return True

    # ---- the thread -------------------------------------------------------------------------------------------------

    def _work(self) -> bool:
        if self._stopped or self._gathers():
            return False
        self._idle = True
        try:
            moved = self._project()
        except PositionMoved:
            return True
        except ViewsUnavailable:
            raise
        except ViewsOfAnotherLog as wrong:
            self._stop_for_good(
                f"{wrong}: they are another journal's, or this one was changed; `rescind doctor` says more"
            )
        except ViewsDamaged as wrong:
            self._stop_for_good(f"{wrong}; rebuild them with `rescind replay`")
        except ViewsError as wrong:  # opened late: not views, or of a newer release
            self._stop_for_good(str(wrong))
        else:
            if moved:
                self._idle = False
            return moved
        return False

    def _project(self) -> bool:
        self._control.follower.advance()
        moved = self._control_projector.advance(BATCH) > 0
        self._control_ordinal = self._control_projector.position.ordinal
        for partition, projector in self._projectors.items():  # changed between two steps only
            moved = self._advance(partition, projector) or moved
        self.trouble = None
        if self._filling and not moved:
            self._filling = self._is_behind()
        return moved

    def _is_behind(self) -> bool:
        """Whether the views lack commits, or a partition is not followed to where its log ended."""
        unknown = any(self._engine.unknown(partition) is not None for partition in self._projectors)
        return unknown or any(projector.behind for projector in self._projectors.values())

    def _stop_for_good(self, why: str) -> None:
        self.trouble = why
        sys.stderr.write(f"rescind: the views have stopped: {why}\n")
        self._stopped = True
        self._notify()

    def _gathers(self) -> bool:
        """Whether to wait for more commits of an import. Large transactions write a page that many commits touch once.
        An import serves no readers, and whoever waits for the views is not delayed."""
        if not self._engine.mode.history or self._waiting:
            return False
        if sum(projector.behind for projector in self._projectors.values()) >= GATHERED:
            return False
        return time.monotonic() - self._gathering_since < LONGEST_GATHERING

    def _advance(self, partition: int, projector: Projector) -> bool:
        before = self._ordinals.get(partition)
        projected = projector.advance(GATHERED if self._engine.mode.history else BATCH)
        self._gathering_since = time.monotonic()
        position = projector.position
        if position.ordinal != before:
            self._ordinals[partition] = position.ordinal
            self._positions[partition] = position.position
            self._notify()
        return projected > 0

    def _notify(self) -> None:
        with self._moved:
            self._moved.notify_all()

    def stop(self) -> None:
        """End after the batch under way, and close the views."""
        self._stopped = True
        self._notify()
        super().stop()

    def _close(self) -> None:
        super()._close()
        self.views.close()


def open_views_runner(
    settings: Settings,
    directory: Path,
    slot: Path,
    engine: Engine,
    control: Journal,
    *,
    open_later: bool = False,
    on_defect: Callable[[], None] = lambda: None,
) -> ViewsRunner:
    """The views that the settings name, and their thread, not started. ``memory:`` is a file in ``directory``;
    ``slot``: where local state is.

    ``open_later``: views in a database that is away come up when it is back; ViewsUnavailable otherwise.
    """
    at = settings.views_at
    late = open_later and at.postgresql is not None

    def opened() -> DatabaseViews:
        found = open_views(at if at.persistent else ViewsAt(directory / "views.sqlite", own=True))
        if found.rebuilt is not None and at.persistent and any(f.next_ordinal for f in engine.followers.values()):
            sys.stderr.write(f"rescind: rebuilding the views from the log: {found.rebuilt}\n")
        if late:
            engine.call(expect)
        return found.views

    def expect(engine: Engine) -> None:
        """Have the log compared with the views, which could not be read when the engine started."""
        for partition, mark in in_views(at, "journal"):
            engine.expect(partition, [mark])

    views = _opened_late(opened) if late else opened()
    return ViewsRunner(views, engine, open_followed(slot, engine.followers, engine.partitions), control, on_defect)


def _opened_late(opened: Callable[[], DatabaseViews]) -> DatabaseViews:
    """Open the views, or ones that come up when their database is back. ViewsUnavailable if its client is missing."""
    postgresql_client()
    try:
        return opened()
    except ViewsUnavailable as away:
        sys.stderr.write(f"rescind: started without the views, which come up when they can be reached: {away}\n")
        return LateViews(opened, str(away))
