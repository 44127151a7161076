"""Errands: what the engine does beside commands, bit by bit between them."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from consumers.engine.stream_queues import PendingCommand
from consumers.log.follower import Follower
from domain.instants import Instant

PAGE = 1000
"""Names of streams that are read from local state at once."""


class Interrupted(Exception):
    """The engine was closed, or a partition stopped, before this had come to its end; ask again."""


class EngineTask:
    """Something to be done in the engine's thread, and the future of who waits for it."""

    def __init__(self, future: Future[Any], run: Callable[[], None], partition: int | None = None) -> None:
        """``run`` resolves the future, now or later; what it raises goes to the future too. ``partition``: the only one
        that it is about; None: it may be about any."""
        self.partition = partition
        self._future = future
        self._run = run
        self._begun = False

    @property
    def open(self) -> bool:
        """Begun, and not come to its end."""
        return self._begun and not self._future.done()

    def begin(self) -> None:
        """Do it, or its first part."""
        if self._future.set_running_or_notify_cancel():
            self._begun = True
            try:
                self._run()
            except Exception as wrong:  # noqa: BLE001 - who asked gets it
                self._future.set_exception(wrong)

    def fail(self, why: str) -> None:
        """It will not come to its end: cancelled if it was never begun, else Interrupted."""
        if not self._begun:
            self._future.cancel()
        elif not self._future.done():
            self._future.set_exception(Interrupted(why))


class DeadlineSweep:
    """Reach every deadline of a marketplace with ``due_at`` before ``until``: looks at each of its orders once."""

    def __init__(
        self,
        marketplace: str,
        until: Instant,
        followers: Mapping[int, Follower],
        begin: Callable[[int, str], PendingCommand],
        at_once: int,
        future: Future[int],
    ) -> None:
        """``begin(partition, stream)`` starts a look at one order; ``future`` gets the number of deadlines reached."""
        self._prefix = f"{marketplace}/"
        self._until = until
        self._followers = followers
        self._begin = begin
        self._at_once = at_once
        self._future = future
        self._pages: list[tuple[int, str | None]] = [(partition, None) for partition in followers]
        self._streams: list[tuple[int, str]] = []
        self._under_way = 0
        self._reached = 0

    def go_on(self) -> None:
        """Begin as many looks as may be under way; called again as each is done."""
        if self._future.done():
            return
        while self._under_way < self._at_once and (self._streams or self._pages):
            if self._streams:
                partition, stream = self._streams.pop()
                self._under_way += 1
                job = self._begin(partition, stream)
                job.until = self._until
                job.done = self._looked
            else:
                self._next_page()
        if not self._under_way and not self._streams and not self._pages:
            self._future.set_result(self._reached)

    def _next_page(self) -> None:
        partition, after = self._pages.pop()
        names = self._followers[partition].state.streams(after, PAGE)
        if names:
            self._pages.append((partition, names[-1]))
        self._streams = [(partition, name) for name in names if name.startswith(self._prefix)]

    def _looked(self, reached: int) -> None:
        self._under_way -= 1
        self._reached += reached
        self.go_on()
