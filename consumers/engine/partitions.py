"""Partitions that come and go while an engine runs: taken up from the log, given up to another process.

Nothing here is needed for safety: admission decides, and two processes that follow the same partition harm nobody. What
is kept per partition, in every room of the engine, is made known here in one place, and forgotten in one place.
"""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from consumers.engine.background_tasks import Interrupted
from consumers.engine.command_handler import CommandHandler
from consumers.engine.control_log import ControlWrites
from consumers.engine.deadline_scheduler import DeadlineIndex
from consumers.engine.imports import LIST_STREAM, Imports
from consumers.engine.log_clock import LogClock
from consumers.engine.order_cache import OrderCache
from consumers.engine.outcome import Outcome, not_followed
from consumers.engine.read_barrier import ReadBarrier
from consumers.engine.stream_queues import PendingCommand, StreamQueues
from consumers.log.follower import Follower
from consumers.log.writer import Writer
from consumers.ports.journal import Journal, JournalDamaged, JournalMismatch, LogChanged, LogLost
from consumers.ports.local_state import LocalState
from schemas.partitioning import partition_of


@dataclass(slots=True)
class Arrival:
    """A partition that is being taken up: where the log ended then, who waits for that, and the commands that do."""

    end: int
    future: Future[None]
    jobs: list[PendingCommand] = field(default_factory=list)


class Partitions:
    """The followed partitions of an engine. Belongs to the engine's thread."""

    def __init__(
        self,
        journal: Journal,
        followers: dict[int, Follower],
        follower: Callable[[int, LocalState], Follower],
        begin: Callable[[Follower], None],
        writer: Writer,
        writes: ControlWrites,
        logtime: LogClock,
        orders: OrderCache,
        imports: Imports,
        dues: DeadlineIndex,
        ends: ReadBarrier,
        lanes: StreamQueues,
        judge: CommandHandler,
    ) -> None:
        """``follower`` makes one, ``begin`` starts it, and raises as ``Follower.start`` does."""
        self.arrivals: dict[int, Arrival] = {}
        """Partitions that are followed, but not yet to where the log ended when they were taken up."""
        self._journal = journal
        self._followers = followers
        self._follower = follower
        self._begin = begin
        self._writer = writer
        self._writes = writes
        self._logtime = logtime
        self._orders = orders
        self._imports = imports
        self._dues = dues
        self._ends = ends
        self._lanes = lanes
        self._judge = judge

    def learn(self, partition: int) -> None:
        """A follower has started: what its local state holds already is known from now on."""
        follower = self._followers[partition]
        for admitted in follower.commits_of(LIST_STREAM):
            self._imports.admitted(admitted)
        last = follower.commit_at(follower.next_ordinal - 1) if follower.next_ordinal else None
        if last is not None:
            self._logtime.saw(partition, last.appended_at)

    def assign(self, partition: int, state: LocalState, future: Future[None]) -> Exception | None:
        """Follow a partition from now on; ``future`` is resolved once it is followed to the log's end as it is now.

        Gives what stops the partition for good, if local state and log disagree. What else cannot be read is raised;
        nothing was taken up then.
        """
        if partition in self._followers:
            raise ValueError(f"partition {partition} is followed already")
        follower = self._follower(partition, state)
        end = self._journal.end(partition)
        stopped: Exception | None = None
        try:
            self._begin(follower)
        except (JournalDamaged, JournalMismatch, LogChanged, LogLost) as wrong:
            stopped = wrong
        self.arrivals[partition] = Arrival(end, future)  # first: other threads look at both
        self._followers[partition] = follower
        self._logtime.assign(partition)
        if stopped is not None:
            self.stopped(partition)
            future.set_result(None)
            return stopped
        try:
            self.learn(partition)
            self._dues.assign(partition)
        except BaseException:
            self._forget(partition)
            self.stopped(partition)
            raise
        self.arrived(partition)
        return None

    def hold(self, partition: int) -> None:
        """Begin no command of a partition before it is known that the log has what others have followed."""
        self.arrivals[partition] = Arrival(self._journal.end(partition), Future())

    def arrived(self, partition: int) -> None:
        """Look whether a partition has come to the end that it is followed to; its commands are begun then."""
        arrival, follower = self.arrivals.get(partition), self._followers[partition]
        if arrival is not None and follower.next_offset >= arrival.end and not follower.expecting:
            del self.arrivals[partition]
            self._lanes.ready.extend(arrival.jobs)
            if not arrival.future.done():
                arrival.future.set_result(None)

    def stopped(self, partition: int) -> None:
        """It will not come to its end: its commands are answered by whoever says so."""
        self.arrivals.pop(partition, None)

    def revoke(self, partition: int) -> None:
        """Follow a partition no longer: its commands are answered, unknown what was sent, ``not-followed`` what was
        not; nothing of it is remembered."""
        arrival = self.arrivals.pop(partition, None)
        if arrival is not None and not arrival.future.done():
            arrival.future.set_exception(Interrupted("the partition was given up again"))
        for job in self._lanes:
            if job.partition == partition:
                self._judge.finish(job, _sent(partition) if job.is_sent else not_followed(partition))
        self._writer.revoke(partition)
        self._writes.revoke(partition)
        self._forget(partition)

    def _forget(self, partition: int) -> None:
        del self._followers[partition]
        self._logtime.revoke(partition)
        self._imports.revoke(partition)
        self._dues.revoke(partition)
        self._ends.revoke(partition)
        partitions = self._journal.partitions
        self._orders.revoke(lambda stream: partition_of(stream, partitions) == partition)


def _sent(partition: int) -> Outcome:
    message = f"partition {partition} was given up to another process meanwhile; ask again with the same command id"
    return Outcome("unknown", "not-followed", message)
