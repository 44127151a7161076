"""Keeping the views in step with the log: a projector per partition and one for the control log, in one thread.

The engine hands commits over as it takes them in; what was missed (after a start, or when the views were slower for a
while) is read from local state, through a connection of this thread's own. Several processes may do this on the same
views: the position is compared and swapped, so each part of the log is applied once.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from consumers.engine.engine import Engine
from consumers.log.follower import Follower
from consumers.ports.journal import Journal, JournalError
from consumers.ports.local_state import LocalState, LocalStateDamaged, LocalStateUnavailable
from consumers.ports.log_values import Admitted, Rejected
from consumers.ports.views import PositionMoved, ViewsDamaged, ViewsError, ViewsUnavailable
from consumers.projection.projector import Projector, ViewsOfAnotherLog
from infra.local_state import memory_local_state, open_local_state
from infra.local_state.slots import state_file
from infra.runtime.loop import Loop
from infra.settings import Settings, ViewsAt
from infra.store.recorded_positions import in_views
from infra.views.base import DatabaseViews
from infra.views.late_opening import LateViews
from infra.views.opening import open_views, postgresql_client

BATCH: Final = 1000
"""Commits that are projected in one transaction of the views."""
GATHERED: Final = 4000
"""Commits of an import that are projected at once."""
LONGEST_GATHERING: Final = 1.0
"""Seconds after which an import's commits are projected, however few there are."""
CACHED_ORDERS: Final = 8_192
"""Folded orders that a projector keeps; others are folded from the log again when something happens to them."""
RETRY: Final = 0.25
"""Seconds before the views are tried again after they could not be reached."""


@dataclass(slots=True)
class FollowedPartition:
    """Local state that another thread writes, as a projector's source: read through a connection of one's own."""

    state: LocalState
    follower: Follower

    @property
    def next_ordinal(self) -> int:
        return self.follower.state.stored_ordinal

    def commit_at(self, ordinal: int) -> Admitted | None:
        return self.state.commit_at(ordinal)

    def commits(self, first: int = 0, behind: int | None = None) -> Iterator[Admitted]:
        return self.state.commits(first, behind)

    def commits_of(self, stream: str, first: int = 0) -> Iterator[Admitted]:
        self.state.refresh()  # what it remembers of the stream may be of yesterday
        return self.state.commits_of(stream, first)


class _Control:
    """The control log, followed once more, in the projecting thread."""

    def __init__(self, journal: Journal) -> None:
        self.follower = Follower(journal, 0, memory_local_state(0, 1), self)
        self.follower.start()

    def admitted(self, admitted: Admitted) -> None: ...

    def rejected(self, rejected: Rejected) -> None: ...


class Projecting:
    """The views of a running engine (``views``), and the thread that keeps them up to date."""

    def __init__(
        self,
        views: DatabaseViews,
        engine: Engine,
        states: Mapping[int, LocalState],
        control: Journal,
        on_broken: Callable[[], None] = lambda: None,
    ) -> None:
        self.views = views
        self.trouble: str | None = None
        """Why the views stand still at the moment, or for good."""
        self._filling = True
        """Whether the views have not yet all that the log had when this began, or a partition was taken up."""
        self._engine = engine
        self._states = dict(states)
        self._control = _Control(control)
        self._projectors = {
            partition: self._projector(state, engine.followers[partition]) for partition, state in states.items()
        }
        self._of_control = Projector("control", 0, self._control.follower.state, views)
        self._moved = threading.Condition()
        self._policies = 0
        """The ordinal behind the last commit of the control log that the views have."""
        self._ordinals: dict[int, int] = {}
        self._positions: dict[int, int] = {}
        self._stopped = False
        self._not_before = 0.0
        self._gathering_since = time.monotonic()
        self._waiting = 0
        self._idle = False
        self.loop = Loop("views", self._step, lambda: 0.05)
        self.loop.on_broken = on_broken
        engine.call(lambda engine: engine.add_listener(self)).result(30)
        self.loop.start()

    # ---- partitions that come and go, from any thread ----------------------------------------------------------------

    def assign(self, follower: Follower, state: LocalState) -> None:
        """Project a partition from now on; ``state`` is a connection for this thread alone, which is closed here."""

        def begin() -> None:
            self._states[follower.partition] = state
            self._projectors[follower.partition] = self._projector(state, follower)
            self._filling = True

        self.loop.between(begin)

    def revoke(self, partition: int) -> None:
        """Project a partition no longer. Nothing of it is touched any more when this returns."""

        def end() -> None:
            if partition in self._projectors:
                del self._projectors[partition]
                self._ordinals.pop(partition, None)
                self._positions.pop(partition, None)
                self._states.pop(partition).close()
                self._tell()

        self.loop.between(end)

    def _projector(self, state: LocalState, follower: Follower) -> Projector:
        return Projector(
            "journal", follower.partition, FollowedPartition(state, follower), self.views, capacity=CACHED_ORDERS
        )

    # ---- the engine's listener, in the engine's thread ---------------------------------------------------------------

    def admitted(self, admitted: Admitted) -> None:
        projector = self._projectors.get(admitted.partition)
        if projector is None:
            return
        projector.admitted(admitted)
        if self._idle:
            self._idle = False
            self.loop.wake()

    def rejected(self, rejected: Rejected) -> None:
        """What never became part of the history is in no view."""

    @property
    def loops(self) -> tuple[Loop, ...]:
        """What drives it."""
        return (self.loop,)

    # ---- asking -----------------------------------------------------------------------------------------------------

    @property
    def positions(self) -> dict[int, int]:
        """Per partition the position of the next event that the views do not have."""
        return dict(self._positions)

    @property
    def lacking(self) -> str | None:
        """Why rows may be missing that the log had when this process began; None if none are. From any thread."""
        if self.trouble is not None:
            return self.trouble
        return "the views are still being filled from the log; ask again" if self._filling else None

    def has(self, wanted: Mapping[int, int], timeout: float) -> bool:
        """Wait until the views have every event below these positions, by partition; whether they have."""
        return self._wait(lambda: all(self._positions.get(p, 0) >= position for p, position in wanted.items()), timeout)

    def catch_up(self, timeout: float | None = None) -> bool:
        """Wait until the views have everything that the engine has followed so far; whether they have.

        Without a ``timeout``: as long as they get on, or until they stand still for good.
        """
        wanted = {partition: follower.next_ordinal for partition, follower in dict(self._engine.followers).items()}
        policies = self._engine.control.follower.next_ordinal

        def reached() -> bool:
            return self._policies >= policies and all(
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

    def _step(self) -> bool:
        if self._stopped or time.monotonic() < self._not_before:
            return False
        moved = False
        try:
            if self._gathers():
                return False
            self._idle = True
            self._control.follower.advance()
            moved = self._of_control.advance(BATCH) > 0
            self._policies = self._of_control.position.ordinal
            for partition, projector in self._projectors.items():  # they come and go between two steps only
                moved = self._advance(partition, projector) or moved
            self.trouble = None
            if self._filling and not moved:
                self._filling = self._is_behind()
        except PositionMoved:
            return True
        except (ViewsUnavailable, LocalStateDamaged, LocalStateUnavailable, JournalError) as later:
            self.trouble = str(later)
            self._not_before = time.monotonic() + RETRY
        except ViewsOfAnotherLog as wrong:
            self._stand_still(
                f"{wrong}: they are another journal's, or this one was changed; `rescind doctor` says more"
            )
        except ViewsDamaged as wrong:
            self._stand_still(f"{wrong}; make them anew with `rescind replay`")
        except ViewsError as wrong:  # opened late: something else is there, or they are a newer release's
            self._stand_still(str(wrong))
        if moved:
            self._idle = False
        return moved

    def _is_behind(self) -> bool:
        """Whether a partition is not followed to where its log was, or the views have not all that is followed."""
        unknown = any(self._engine.unknown(partition) is not None for partition in self._projectors)
        return unknown or any(projector.behind for projector in self._projectors.values())

    def _stand_still(self, why: str) -> None:
        self.trouble = why
        sys.stderr.write(f"rescind: the views stand still: {why}\n")
        self._stopped = True
        self._tell()

    def _gathers(self) -> bool:
        """An import is projected in large parts: a page of the database that many of its commits touch is then written
        once. Nobody is served meanwhile; who waits for the views is not kept waiting."""
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
            self._tell()
        return projected > 0

    def _tell(self) -> None:
        with self._moved:
            self._moved.notify_all()

    def close(self) -> None:
        """End the thread after the batch that is under way, and let go of the views."""
        self._stopped = True
        ended = self.loop.stop()
        self._tell()
        if not ended:
            return
        for state in self._states.values():
            state.close()
        self.views.close()


def open_projecting(
    settings: Settings,
    fallback: Path,
    slot: Path,
    engine: Engine,
    control: Journal,
    on_broken: Callable[[], None],
    *,
    open_later: bool = False,
) -> Projecting:
    """The views that the settings name, kept up to date from now on; ``memory:`` is a file in ``fallback``.

    ``open_later``: where they are in a database that is away, they come up when it is back; ViewsUnavailable otherwise.
    """
    at = settings.views_at
    late = open_later and at.postgresql is not None

    def opened() -> DatabaseViews:
        found = open_views(at if at.persistent else ViewsAt(fallback / "views.sqlite", own=True))
        if found.rebuilt is not None and at.persistent and any(f.next_ordinal for f in engine.followers.values()):
            sys.stderr.write(f"rescind: the views are made anew from the log: {found.rebuilt}\n")
        if late:
            engine.call(expect)
        return found.views

    def expect(engine: Engine) -> None:
        """What the views have followed could not be asked when the engine started."""
        for partition, mark in in_views(at, "journal"):
            engine.expect(partition, [mark])

    views = _opened_late(opened) if late else opened()
    partitions = engine.partitions
    states = {
        partition: open_local_state(state_file(slot, partition), partition, partitions, read_only=True).state
        for partition in engine.followers
    }
    return Projecting(views, engine, states, control, on_broken)


def _opened_late(opened: Callable[[], DatabaseViews]) -> DatabaseViews:
    """The views, or what becomes them once their database is back; ViewsUnavailable where its client is missing."""
    postgresql_client()
    try:
        return opened()
    except ViewsUnavailable as away:
        sys.stderr.write(f"rescind: started without the views, which come up when they can be reached: {away}\n")
        return LateViews(opened, str(away))
