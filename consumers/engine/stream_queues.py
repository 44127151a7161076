"""Lanes: one order, one command on its way; the next queues behind it, and its turn comes when that one is answered.

A job is a command, or a look at an order's deadlines. It is *ready* when it may be considered (again), *later* when it
waits for an instant, and otherwise waits for the log. Nothing here decides anything.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, InvalidStateError
from typing import TypeVar

from consumers.engine.dependencies import Confirm, Mode
from consumers.engine.order_cache import CachedOrder
from consumers.engine.outcome import Outcome
from domain.commands import Command
from domain.decide import Decided
from domain.instants import Instant

T = TypeVar("T")


class PendingCommand:
    """A command (or, without one, a look at an order's deadlines) on its way through the engine."""

    __slots__ = (
        "age",
        "attempts",
        "command",
        "confirm",
        "control_end",
        "deadline",
        "decided",
        "done",
        "end",
        "expected_version",
        "finished",
        "folded",
        "future",
        "late",
        "mode",
        "partition",
        "probed",
        "reached",
        "rebuild",
        "sent_at",
        "stream",
        "ticked",
        "until",
    )

    def __init__(self, command: Command | None, stream: str, partition: int, mode: Mode) -> None:
        self.command = command
        self.stream = stream
        self.partition = partition
        self.mode = mode
        self.future: Future[Outcome] | None = None
        self.expected_version: int | None = None
        self.confirm: Confirm | None = None
        self.rebuild = True
        self.until: Instant | None = None
        """Of a look at deadlines: reach them as history, up to here."""
        self.done: Callable[[int], None] | None = None
        """Called at the end with the number of deadlines that were reached."""
        self.age = 0
        """Periods that have passed since it was handed in."""
        self.late = False
        """Whether it was answered as unknown because its time was up."""
        self.attempts = 0
        """Lost races."""
        self.end: int | None = None
        """The partition's end when it arrived, once somebody asked."""
        self.control_end: int | None = None
        self.ticked = False
        """Whether the log's time was read for the decision at hand."""
        self.probed = False
        """Whether a clock that was off was compared anew."""
        self.reached = 0
        self.folded: CachedOrder | None = None
        """What the decision stands on."""
        self.decided: Decided | None = None
        self.deadline = False
        """Whether the commit on its way is a deadline's, not the command's."""
        self.sent_at: Instant | None = None
        self.finished = False

    @property
    def is_sent(self) -> bool:
        """Whether a commit of its own is on its way: nobody can take that back."""
        return self.decided is not None and not self.deadline

    def answer(self, outcome: Outcome | None) -> None:
        """The end of it."""
        self.finished = True
        if self.future is not None and outcome is not None:
            self._resolve(self.future.set_result, outcome)
        if self.done is not None:
            self.done(self.reached)

    def break_down(self, defect: Exception) -> None:
        """The end of it by a defect of the engine: who asked gets it."""
        self.finished = True
        if self.future is not None:
            self._resolve(self.future.set_exception, defect)
        if self.done is not None:
            self.done(self.reached)

    def answer_late(self, outcome: Outcome) -> None:
        """Answer whoever waits, from any thread, whatever the job still does: its time is up."""
        if self.future is not None and not self.future.done():
            self.late = True
            self._resolve(self.future.set_result, outcome)

    def _resolve(self, give: Callable[[T], None], what: T) -> None:
        """One of two threads may come too late: the answer that was given stands."""
        try:
            give(what)
        except InvalidStateError:
            if not self.late:
                raise


class StreamQueues:
    """All jobs that have begun and are not finished."""

    def __init__(self) -> None:
        self.active = 0
        self.ready: deque[PendingCommand] = deque()
        self._lanes: dict[str, deque[PendingCommand]] = {}
        self._later: list[tuple[Instant, int, PendingCommand]] = []
        self._sequence = 0

    def __contains__(self, stream: object) -> bool:
        return stream in self._lanes

    def __iter__(self) -> Iterator[PendingCommand]:
        for lane in list(self._lanes.values()):
            yield from list(lane)

    def begin(self, job: PendingCommand) -> None:
        """Queue it; ready at once if nothing else of its order is on its way."""
        self.active += 1
        lane = self._lanes.get(job.stream)
        if lane is None:
            self._lanes[job.stream] = deque((job,))
            self.ready.append(job)
        else:
            lane.append(job)

    def leave(self, job: PendingCommand) -> bool:
        """It is finished: the next of its order is ready. False if it had left already."""
        if job.finished:
            return False
        self.active -= 1
        lane = self._lanes[job.stream]
        if lane[0] is job:
            lane.popleft()
            if lane:
                self.ready.append(lane[0])
        else:
            lane.remove(job)
        if not lane:
            del self._lanes[job.stream]
        return True

    def later(self, job: PendingCommand, at: Instant) -> None:
        """Ready again at this instant."""
        self._sequence += 1
        heapq.heappush(self._later, (at, self._sequence, job))

    def arrive(self, now: Instant) -> None:
        """Make ready what waited for an instant that has come."""
        while self._later and self._later[0][0] <= now:
            self.ready.append(heapq.heappop(self._later)[2])

    @property
    def next_at(self) -> Instant | None:
        """The next instant that a job waits for."""
        return self._later[0][0] if self._later else None
