"""Background tasks of the engine, which run in small parts between commands."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from consumers.log.follower import Follower

PAGE = 1000
"""Stream names that are read from local state at once."""


class Interrupted(Exception):
    """The task did not complete, because the engine was closed or a partition stopped. It may be started again."""


class EngineTask:
    """Something to do in the engine's thread, and the future of its caller."""

    def __init__(self, future: Future[Any], run: Callable[[], None], partition: int | None = None) -> None:
        """``run`` resolves the future, now or later. If it raises, the future raises the same. ``partition``: the only
        one that the task concerns; None: it may concern any."""
        self.partition = partition
        self._future = future
        self._run = run
        self._begun = False

    @property
    def open(self) -> bool:
        """Whether the task has begun and is not complete."""
        return self._begun and not self._future.done()

    def begin(self) -> None:
        """Run the task, or its first part."""
        if self._future.set_running_or_notify_cancel():
            self._begun = True
            try:
                self._run()
            except Exception as wrong:  # noqa: BLE001 - the caller gets it
                self._future.set_exception(wrong)

    def fail(self, why: str) -> None:
        """Give up the task: cancel it if it has not begun, otherwise raise Interrupted from its future."""
        if not self._begun:
            self._future.cancel()
        elif not self._future.done():
            self._future.set_exception(Interrupted(why))


class DeadlineSweep:
    """Reaches every deadline of a marketplace that is due before an instant, by checking each of its orders once."""

    def __init__(
        self,
        marketplace: str,
        followers: Mapping[int, Follower],
        check: Callable[[int, str, Callable[[int], None]], object],
        concurrency: int,
        future: Future[int],
    ) -> None:
        """``check(partition, stream, done)`` starts the check of one order, and calls ``done`` at its end with the
        number of deadlines reached. ``future`` gives the total number."""
        self._prefix = f"{marketplace}/"
        self._followers = followers
        self._check = check
        self._concurrency = concurrency
        self._future = future
        self._pages: list[tuple[int, str | None]] = [(partition, None) for partition in followers]
        self._streams: list[tuple[int, str]] = []
        self._in_progress = 0
        self._reached = 0

    def advance(self) -> None:
        """Start as many checks as may be in progress. Called again at the end of each."""
        if self._future.done():
            return
        while self._in_progress < self._concurrency and (self._streams or self._pages):
            if self._streams:
                partition, stream = self._streams.pop()
                self._in_progress += 1
                self._check(partition, stream, self._checked)
            else:
                self._next_page()
        if not self._in_progress and not self._streams and not self._pages:
            self._future.set_result(self._reached)

    def _next_page(self) -> None:
        partition, after = self._pages.pop()
        names = self._followers[partition].state.streams(after, PAGE)
        if names:
            self._pages.append((partition, names[-1]))
        self._streams = [(partition, name) for name in names if name.startswith(self._prefix)]

    def _checked(self, reached: int) -> None:
        self._in_progress -= 1
        self._reached += reached
        self.advance()
