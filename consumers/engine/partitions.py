"""Assign partitions to a running engine and revoke them. A revoked partition goes to another process.

Safety does not depend on this. Admission decides, so two processes that follow the same partition do no harm. Every
part of the engine that stores something per partition is called here when one is assigned or revoked.
"""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from consumers.engine.background_tasks import Interrupted
from consumers.engine.command_handler import CommandHandler
from consumers.engine.engine_state import EngineState
from consumers.engine.imports import LIST_STREAM
from consumers.engine.outcome import Outcome, not_followed
from consumers.engine.stream_queues import PendingCommand
from consumers.log.follower import Follower
from consumers.ports.journal import JournalDamaged, JournalMismatch, LogChanged, LogLost
from consumers.ports.local_state import LocalState
from schemas.partitioning import partition_of


@dataclass(slots=True)
class Arrival:
    """A partition that is being assigned: where its log ended then, and the future and commands that wait for that."""

    end: int
    future: Future[None]
    waiting: list[PendingCommand] = field(default_factory=list)


class Partitions:
    """Assigns and revokes an engine's partitions. Belongs to the engine's thread."""

    def __init__(
        self,
        state: EngineState,
        handler: CommandHandler,
        new_follower: Callable[[int, LocalState], Follower],
        start_follower: Callable[[Follower], None],
    ) -> None:
        """``start_follower`` raises as ``Follower.start`` does."""
        self.arrivals: dict[int, Arrival] = {}
        """Partitions that are followed, but not yet to where their log ended when they were assigned."""
        self._state = state
        self._followers = state.followers
        self._handler = handler
        self._new_follower = new_follower
        self._start_follower = start_follower

    def learn(self, partition: int) -> None:
        """Learn about imports and the log's time from the local state of a follower that has started."""
        follower = self._followers[partition]
        for admitted in follower.commits_of(LIST_STREAM):
            self._state.imports.admitted(admitted)
        last = follower.commit_at(follower.next_ordinal - 1) if follower.next_ordinal else None
        if last is not None:
            self._state.log_clock.observe(partition, last.appended_at)

    def assign(self, partition: int, local_state: LocalState, future: Future[None]) -> Exception | None:
        """Follow a partition from now on. The future resolves once it is followed to where its log ends now.

        Returns the error that stops the partition for good, if local state and log disagree. Raises what else prevents
        reading; the partition is not assigned then.
        """
        if partition in self._followers:
            raise ValueError(f"partition {partition} is followed already")
        follower = self._new_follower(partition, local_state)
        end = self._state.journal.end(partition)
        stopped: Exception | None = None
        try:
            self._start_follower(follower)
        except (JournalDamaged, JournalMismatch, LogChanged, LogLost) as wrong:
            stopped = wrong
        self.arrivals[partition] = Arrival(end, future)  # before the follower, because other threads look at both
        self._followers[partition] = follower
        self._state.log_clock.assign(partition)
        if stopped is not None:
            self.stopped(partition)
            future.set_result(None)
            return stopped
        try:
            self.learn(partition)
            self._state.deadlines.assign(partition)
        except BaseException:
            self._forget(partition)
            self.stopped(partition)
            raise
        self.check_arrival(partition)
        return None

    def hold(self, partition: int) -> None:
        """Hold a partition's commands until the log is known to have what others have followed."""
        self.arrivals[partition] = Arrival(self._state.journal.end(partition), Future())

    def check_arrival(self, partition: int) -> None:
        """If a partition is followed to the end it waits for, resolve its future and make its commands ready."""
        arrival, follower = self.arrivals.get(partition), self._followers[partition]
        if arrival is not None and follower.next_offset >= arrival.end and not follower.expecting:
            del self.arrivals[partition]
            self._state.queues.ready.extend(arrival.waiting)
            if not arrival.future.done():
                arrival.future.set_result(None)

    def stopped(self, partition: int) -> None:
        """Forget the arrival of a partition that has stopped. The engine answers its commands."""
        self.arrivals.pop(partition, None)

    def revoke(self, partition: int) -> None:
        """Follow a partition no longer. Answer its commands: unknown if sent, otherwise ``not-followed``."""
        arrival = self.arrivals.pop(partition, None)
        if arrival is not None and not arrival.future.done():
            arrival.future.set_exception(Interrupted("the partition was revoked before it was followed to its end"))
        for pending in self._state.queues:
            if pending.partition == partition:
                self._handler.finish(pending, _sent(partition) if pending.is_sent else not_followed(partition))
        self._state.writer.revoke(partition)
        self._state.control_writes.revoke(partition)
        self._forget(partition)

    def _forget(self, partition: int) -> None:
        del self._followers[partition]
        self._state.log_clock.revoke(partition)
        self._state.imports.revoke(partition)
        self._state.deadlines.revoke(partition)
        self._state.barrier.revoke(partition)
        partitions = self._state.journal.partitions
        self._state.orders.revoke(lambda stream: partition_of(stream, partitions) == partition)


def _sent(partition: int) -> Outcome:
    message = f"partition {partition} moved to another process; ask again with the same command id"
    return Outcome("unknown", "not-followed", message)
