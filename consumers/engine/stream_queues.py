"""Stream queues: one order has one command in progress at a time, and its other commands queue behind that one.

A pending command is *ready* when it may be handled (again), *delayed* when it waits for an instant, and otherwise waits
for the log. Nothing here decides anything.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from typing import TypeVar

from consumers.engine.dependencies import Confirm, Mode
from consumers.engine.outcome import Outcome
from domain.commands import Command
from domain.instants import Instant

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class PendingCommand:
    """A command in progress, or a check of an order's deadlines (``command`` None)."""

    command: Command | None
    stream: str
    partition: int
    mode: Mode
    future: Future[Outcome] | None = None
    expected_version: int | None = None
    confirm: Confirm | None = None
    rebuild: bool = True
    """Whether a duplicate is answered with the original outcome, which has to be rebuilt from the log."""
    reach_until: Instant | None = None
    """Of a deadline check: reach the deadlines before this instant, as history."""
    done: Callable[[int], None] | None = None
    """Called at the end with the number of deadlines that were reached."""
    age: int = field(default=0, init=False)
    """Number of periods since the command was submitted (``Engine.age``)."""
    late: bool = field(default=False, init=False)
    """Whether it was answered as unknown because its time was over."""
    attempts: int = field(default=0, init=False)
    """Number of lost races."""
    end: int | None = field(default=None, init=False)
    """The end of the partition's log when the command arrived. Set by the read barrier when it is needed."""
    control_end: int | None = field(default=None, init=False)
    """The end of the control log then. Set by the read barrier when it is needed."""
    ticked: bool = field(default=False, init=False)
    """Whether a tick was appended for the current decision."""
    probed: bool = field(default=False, init=False)
    """Whether a tick was appended to compare a clock that was off with the log's time again."""
    reached: int = field(default=0, init=False)
    """Number of deadlines reached."""
    is_sent: bool = field(default=False, init=False)
    """Whether the command's own commit was sent and not settled. It cannot be taken back."""
    finished: bool = field(default=False, init=False)

    def answer(self, outcome: Outcome | None) -> None:
        """Finish with an outcome."""
        self.finished = True
        if self.future is not None and outcome is not None:
            self._resolve(self.future.set_result, outcome)
        if self.done is not None:
            self.done(self.reached)

    def fail(self, defect: Exception) -> None:
        """Finish with a defect of the engine, which the future raises."""
        self.finished = True
        if self.future is not None:
            self._resolve(self.future.set_exception, defect)
        if self.done is not None:
            self.done(self.reached)

    def answer_late(self, outcome: Outcome) -> None:
        """Resolve the future because its time is over, whatever happens to the command. From any thread."""
        if self.future is not None and not self.future.done():
            self.late = True
            self._resolve(self.future.set_result, outcome)

    def _resolve(self, give: Callable[[T], None], what: T) -> None:
        """Resolve the future. If the other thread was first, its answer remains."""
        try:
            give(what)
        except InvalidStateError:
            if not self.late:
                raise


class StreamQueues:
    """All commands in progress, queued by stream."""

    def __init__(self) -> None:
        self.active = 0
        """Number of commands in progress."""
        self.ready: deque[PendingCommand] = deque()
        self._queues: dict[str, deque[PendingCommand]] = {}
        self._delayed: list[tuple[Instant, int, PendingCommand]] = []
        self._sequence = 0

    def __contains__(self, stream: object) -> bool:
        return stream in self._queues

    def __iter__(self) -> Iterator[PendingCommand]:
        for queue in list(self._queues.values()):
            yield from list(queue)

    def add(self, pending: PendingCommand) -> None:
        """Queue a command. It is ready at once if no other command of its order is in progress."""
        self.active += 1
        queue = self._queues.get(pending.stream)
        if queue is None:
            self._queues[pending.stream] = deque((pending,))
            self.ready.append(pending)
        else:
            queue.append(pending)

    def remove(self, pending: PendingCommand) -> bool:
        """Remove a finished command, and make the next one of its order ready. Returns False if it was removed
        before."""
        if pending.finished:
            return False
        self.active -= 1
        queue = self._queues[pending.stream]
        if queue[0] is pending:
            queue.popleft()
            if queue:
                self.ready.append(queue[0])
        else:
            queue.remove(pending)
        if not queue:
            del self._queues[pending.stream]
        return True

    def delay(self, pending: PendingCommand, until: Instant) -> None:
        """Make a command ready at an instant."""
        self._sequence += 1
        heapq.heappush(self._delayed, (until, self._sequence, pending))

    def make_due_ready(self, now: Instant) -> None:
        """Make the delayed commands ready whose instant has come."""
        while self._delayed and self._delayed[0][0] <= now:
            self.ready.append(heapq.heappop(self._delayed)[2])

    @property
    def next_at(self) -> Instant | None:
        """The earliest instant that a delayed command waits for."""
        return self._delayed[0][0] if self._delayed else None
