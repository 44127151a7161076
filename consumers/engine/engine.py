"""The engine: takes commands, decides them, and answers once their commits are read back from the log.

It has no thread, no clock and no ids of its own. ``submit``, ``call`` and the background tasks may be called from any
thread. Everything else belongs to the loop that calls ``step(now)``: a thread in production, a seeded scheduler in the
simulation. A step takes new commands, handles them (``CommandHandler``), sends commits, follows the log, and resolves
the futures of the commits that were read back. An order has at most one command in progress in one process
(``StreamQueues``). Commands of many orders are in progress at once.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, Final, Literal, TypeVar

from consumers.engine.background_tasks import DeadlineSweep, EngineTask
from consumers.engine.command_handler import CommandHandler
from consumers.engine.control_log import ControlLog
from consumers.engine.dependencies import IMPORT, IMPORT_LIVE, LIVE, Confirm, EngineDependencies, EngineLimits, Mode
from consumers.engine.engine_state import EngineState
from consumers.engine.outcome import TOO_LATE, Outcome, not_followed, not_written, refused, unavailable
from consumers.engine.partitions import Partitions
from consumers.engine.stream_queues import PendingCommand
from consumers.log.divergence import Mark
from consumers.log.follower import Follower, Listener
from consumers.log.writer import Settled, Writer, WriterLimits
from consumers.ports.journal import Journal, JournalDamaged, JournalError
from consumers.ports.local_state import LocalState, LocalStateDamaged, LocalStateUnavailable
from consumers.ports.log_values import Admitted, Rejected
from consumers.ports.vault import VaultUnavailable
from domain.commands import Command
from domain.instants import Instant
from domain.policy import PolicyDocument
from schemas.partitioning import partition_of

__all__ = ["IMPORT", "IMPORT_LIVE", "LIVE", "Confirm", "Engine", "EngineDependencies", "EngineLimits", "Mode"]

T = TypeVar("T")

_UNREADABLE: Final = (JournalError, LocalStateDamaged, LocalStateUnavailable)

MAX_AGE: Final = 4
"""Number of periods that an answer may take (``Engine.age``). Together they are as long as ``answer_within``."""

_CLOSING = unavailable("closing", "the engine is shutting down; send the same command again")
_BUSY = unavailable("busy", "too many commands are waiting; send the same command again later")


class Engine:
    """One process's engine over the followed partitions of a journal: ``start``, ``step`` repeatedly, ``close``.

    Partitions may be assigned and revoked at any time. Commands of partitions that are not followed are answered
    ``not-followed``.
    """

    def __init__(
        self,
        journal: Journal,
        control: ControlLog,
        states: Mapping[int, LocalState],
        dependencies: EngineDependencies,
        *,
        name: str,
        mode: Mode = LIVE,
        limits: EngineLimits | None = None,
    ) -> None:
        """``states``: the local state of each followed partition. ``control`` has been started and read to its end, and
        agrees on the number of partitions. ``name``: this writer's name in records and fences."""
        self.mode = mode
        self.limits = limits or EngineLimits()
        self.control = control
        self.partitions = journal.partitions
        self._journal = journal
        self._dependencies = dependencies
        self._listeners: tuple[Listener, ...] = ()
        self._inbox: deque[PendingCommand | EngineTask] = deque()
        self._tasks: list[EngineTask] = []
        self._closed = False
        self._poll_at: Instant = 0
        self._schedule_at: Instant = 0
        self._catch_up_at: Instant = 0
        self._write_at: Instant = 0
        self._undelivered: list[Admitted | Rejected] = []
        """Results that the listeners have not received. They receive them once local state has written them."""
        self.trouble: dict[int | None, str] = {}
        """Why a partition (None: the control log) cannot be read at the moment: for readers, health and operators."""
        self.stopped: dict[int, Exception] = {}
        """Partitions that are followed no longer: the log lost or changed what was acknowledged, or local state is
        damaged (a restart rebuilds it), or an embedded journal is."""
        self._began: dict[int, int] = {}
        """The log's end of each partition when the engine started."""

        self._writer = Writer(
            journal,
            name,
            dependencies.new_id,
            self._commit_at,
            wake=dependencies.wake,
            limits=WriterLimits(commits_in_flight=self.limits.in_flight),
        )
        self.followers: dict[int, Follower] = {
            partition: self._new_follower(partition, state) for partition, state in sorted(states.items())
        }
        state = EngineState(journal, control, self.followers, self._writer, mode, dependencies, self.limits)
        self.orders = state.orders
        self.imports = state.imports
        self._clock = state.clock
        self._queues = state.queues
        self._barrier = state.barrier
        self._deadlines = state.deadlines
        self._control_writes = state.control_writes
        self._log_clock = state.log_clock
        self._handler = CommandHandler(state)
        self._partitions = Partitions(state, self._handler, self._new_follower, self._start_follower)

    # ---- from any thread ---------------------------------------------------------------------------------------------

    def submit(
        self,
        command: Command,
        *,
        expected_version: int | None = None,
        confirm: Confirm | None = None,
        mode: Mode | None = None,
        rebuild: bool = True,
    ) -> Future[Outcome]:
        """Submit a command. The future gives its outcome, and raises only for a defect of the engine.

        The future cannot be canceled, because the command may have been written. ``expected_version`` is If-Match: the
        order's number of events that the sender has seen. ``confirm`` is called with every decision that is not a
        refusal. ``rebuild`` False: a duplicate is answered without the original outcome.
        """
        future: Future[Outcome] = Future()
        future.set_running_or_notify_cancel()
        if self._closed or len(self._inbox) >= self.limits.waiting:
            future.set_result(_CLOSING if self._closed else _BUSY)
            return future
        stream = command.stream
        partition = partition_of(stream, self.partitions)
        self._inbox.append(
            PendingCommand(
                command, stream, partition, mode or self.mode, future, expected_version, confirm, rebuild=rebuild
            )
        )
        self._dependencies.wake()
        self._reject_inbox_if_closed()
        return future

    def expect(self, partition: int, marks: Sequence[Mark]) -> None:
        """Stop a partition unless the log has what these marks record. In the engine's thread (``call``)."""
        follower = self.followers.get(partition)
        if follower is not None and partition not in self.stopped:
            follower.expect(marks)
            self._poll_at = self._clock.steady

    def call(self, function: Callable[["Engine"], T]) -> Future[T]:
        """Run a function in the engine's own thread, between two decisions: to read orders, heads and history."""
        future: Future[T] = Future()
        self._start_task(future, lambda: future.set_result(function(self)))
        return future

    def add_listener(self, listener: Listener) -> None:
        """Notify a listener of every commit from now on, after local state has written it. In the engine's thread."""
        self._listeners += (listener,)

    def publish(self, document: PolicyDocument) -> Future[Outcome]:
        """Put a policy in force for orders that name it from now on.

        The outcome is accepted (also if this very document is published already); refused ``policy-exists`` if its
        id@version has other content; unknown; or unavailable.
        """
        future: Future[Outcome] = Future()

        def done(result: str, settled: Settled | None) -> None:
            if result != "taken":
                _all_written(future, [settled])
            elif not future.done():
                name = f"{document.policy.id}@{document.policy.version}"
                future.set_result(refused("policy-exists", message=f"{name} is published with other content"))

        self._start_task(future, lambda: self.control.publish(document, self._clock.now, done))
        return future

    def open_import(self, marketplace: str, source: bytes) -> Future[Outcome]:
        """Record in every partition that an input (its SHA-256) is being imported. Accepted once all have it."""
        future: Future[Outcome] = Future()
        done = partial(_all_written, future)
        self._start_task(
            future,
            lambda: self.imports.open(self._control_writes, self.followers, marketplace, source, self._clock.now, done),
        )
        return future

    def close_import(self, marketplace: str, source: bytes, until: Instant | None) -> Future[Outcome]:
        """Record in every partition that an input's import has ended. ``until``: up to where history was reached."""
        future: Future[Outcome] = Future()
        done = partial(_all_written, future)
        self._start_task(
            future,
            lambda: self.imports.close(
                self._control_writes, self.followers, marketplace, source, until, self._clock.now, done
            ),
        )
        return future

    def reach(self, marketplace: str, until: Instant) -> Future[int]:
        """Reach, as history, every deadline of the marketplace with ``due_at`` before ``until``.

        Returns the number of deadlines reached. Deadlines that follow from reached ones are reached, too. Checks every
        order of the marketplace.
        """
        future: Future[int] = Future()
        check = partial(self._check_deadlines, until)
        sweep = DeadlineSweep(marketplace, self.followers, check, self.limits.in_flight // 2, future)
        self._start_task(future, sweep.advance)
        return future

    def assign(self, partition: int, state: LocalState) -> Future[None]:
        """Follow a partition from now on with this local state, which is compared with the log first.

        The future gives None once the partition is followed to where its log ended at the start; its commands wait
        until then. It gives None, too, where log and local state disagree; the partition is in ``stopped`` then. It
        raises what prevents reading, and the partition is not assigned then. It raises Interrupted if the partition was
        revoked or has stopped before its end was reached.
        """
        future: Future[None] = Future()

        def run() -> None:
            wrong = self._partitions.assign(partition, state, future)
            if wrong is not None:
                self._failed(partition, wrong)

        self._start_task(future, run, partition)
        return future

    def revoke(self, partition: int) -> Future[None]:
        """Follow a partition no longer. Nothing happens if it was not followed.

        Its commands are answered by the time the future resolves: unknown if sent, otherwise ``not-followed``. Its
        local state may be closed afterwards.
        """
        future: Future[None] = Future()

        def run() -> None:
            for task in self._tasks:
                if task.partition is None:
                    task.fail("a partition moved to another process")
            if partition in self.followers:
                self.write(self._clock.now)
                self._undelivered = [result for result in self._undelivered if result.partition != partition]
                self._partitions.revoke(partition)
                self.stopped.pop(partition, None)
                self.trouble.pop(partition, None)
            future.set_result(None)

        self._start_task(future, run, partition)
        return future

    def age(self) -> None:
        """Count a period for every open command, and answer as unknown those that are older than ``MAX_AGE`` periods.

        Called from any thread that has a clock. It works while the loop is blocked in a read that does not return.
        """
        for pending in self._open_commands():
            pending.age += 1
            if pending.age > MAX_AGE:
                pending.answer_late(TOO_LATE)

    def _open_commands(self) -> list[PendingCommand]:
        while True:
            try:
                waiting = [each for each in tuple(self._inbox) if isinstance(each, PendingCommand)]
                return waiting + list(self._queues)
            except RuntimeError:  # changed by the engine's thread during the iteration
                continue

    def follows(self, partition: int) -> bool:
        """Whether a partition is followed, to where its log ended when it was assigned. From any thread."""
        return partition in self.followers and partition not in self._partitions.arrivals

    def unknown(self, partition: int | None) -> tuple[str, str] | None:
        """Return why something not found in a partition (None: in the control log) may exist: a reason and a sentence.

        None: it does not exist, as far as the log could be followed. From any thread.
        """
        trouble = self.trouble.get(partition)
        if partition in self.stopped:
            return "partition-stopped", str(self.stopped[partition])
        if trouble is not None:
            return "journal-unavailable", trouble
        if partition is None:
            return None
        follower = self.followers.get(partition)
        if follower is None or partition in self._partitions.arrivals:
            return "not-followed", not_followed(partition).message
        if follower.next_offset < self._began.get(partition, 0):
            return "not-caught-up", f"partition {partition} is not read to its end yet; ask again"
        return None

    @property
    def in_flight(self) -> int:
        """Number of commands submitted and not answered."""
        return self._queues.active + len(self._inbox)

    def partition(self, stream: str) -> int:
        """The partition that a stream belongs to."""
        return partition_of(stream, self.partitions)

    # ---- the loop ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Compare local state with the log. Stops each partition where they disagree; the others continue."""
        for partition, follower in self.followers.items():
            try:
                self._began[partition] = self._journal.end(partition)
                self._start_follower(follower)
                if follower.expecting:
                    self._partitions.hold(partition)
            except _UNREADABLE as wrong:
                self._failed(partition, wrong)
                continue
            self._partitions.learn(partition)
        self._deadlines.start()

    def step(self, now: Instant) -> bool:
        """Do one round of everything. Returns whether there was anything to do. ``now``: the clock, just read."""
        moved = self.take(now)
        moved = self.work(now) or moved
        moved = self.send(now) or moved
        awaited = self._writer.in_flight or self.control.writer.in_flight or self._barrier or self._partitions.arrivals
        if awaited or self._clock.steady >= self._poll_at:
            self._poll_at = self._clock.steady + self.limits.poll
            for partition in self.followers:
                moved = self.follow(partition, now) or moved
            moved = self.follow_control(now) or moved
            if self.work(now):
                self.send(now)
                moved = True
        if not self.mode.history:
            if self._clock.steady >= self._schedule_at:
                self._schedule_at = self._clock.steady + self.limits.schedule
                moved = self.schedule(now) or moved
            if not moved or self._clock.steady >= self._catch_up_at:
                self._catch_up_at = self._clock.steady + self.limits.catch_up
                moved = self.catch_up(now) or moved
        if self._clock.steady >= self._write_at or not (moved or self._writer.in_flight):
            self._write_at = self._clock.steady + self.limits.write
            self.write(now)
        return moved

    def pause(self) -> int:
        """Return for how many microseconds the loop may sleep after a step without work, unless ``wake`` is called."""
        if self._queues.ready or (self._inbox and self._queues.active < self.limits.in_flight):
            return 0
        wake_at = [self._poll_at]
        wake_at += [at for at in (self._queues.next_at, self._writer.next_fence_at) if at is not None]
        return max(0, min(min(wake_at) - self._clock.steady, self.limits.poll))

    @property
    def unwritable(self) -> str | None:
        """Why nothing can be written at the moment, by the last append's answer. From any thread."""
        return self._writer.trouble or self.control.writer.trouble

    @property
    def caught_up(self) -> bool:
        """Whether every followed partition and the control log are read to their current ends. Asks the log."""
        if self.stopped or self.trouble or self._partitions.arrivals or self.control.next_offset < self.control.end():
            return False
        return all(follower.next_offset >= self._journal.end(p) for p, follower in self.followers.items())

    def close(self) -> None:
        """Answer every open command: unknown if sent, otherwise ``closing``."""
        self._closed = True
        self.write(self._clock.now)
        for task in self._tasks:
            task.fail("the engine was closed")
        self._writer.close()
        self.control.writer.close()
        for pending in self._queues:
            self._handler.finish(pending, _CLOSING)
        self._reject_inbox()

    def _reject_inbox_if_closed(self) -> None:
        """Answer what was submitted while another thread was closing the engine."""
        if self._closed:
            self._reject_inbox()

    def _reject_inbox(self) -> None:
        """Answer everything in the inbox; none of it will begin."""
        while self._inbox:
            waiting = self._inbox.popleft()
            if isinstance(waiting, PendingCommand):
                waiting.answer(_CLOSING)
            else:
                waiting.fail("the engine was closed")

    # ---- the parts of a step; the simulation calls them one by one ---------------------------------------------------

    def take(self, now: Instant) -> bool:
        """Take new commands from the inbox, as many as may be in progress at once."""
        self._clock.advance(now)
        inbox, queues = self._inbox, self._queues
        if not inbox or queues.active >= self.limits.in_flight:
            return False
        self._barrier.forget_ends()
        while inbox and queues.active < self.limits.in_flight:
            pending = inbox.popleft()
            if isinstance(pending, EngineTask):
                pending.begin()
                if pending.open:
                    self._tasks = [task for task in self._tasks if task.open] + [pending]
            elif pending.partition not in self.followers:
                pending.answer(not_followed(pending.partition))
            elif not pending.late:
                queues.add(pending)
        return True

    def work(self, now: Instant) -> bool:
        """Handle the ready commands: new ones, those that are now first of their order, those past the barrier."""
        self._clock.advance(now)
        queues = self._queues
        queues.make_due_ready(self._clock.steady)
        wrote = self._control_writes.retry()
        if self._barrier:
            queues.ready.extend(self._barrier.take_reached())
        if not queues.ready:
            return wrote
        while queues.ready:
            pending = queues.ready.popleft()
            if not pending.finished:
                self._handle(pending)
        return True

    def send(self, now: Instant) -> bool:
        """Send proposed commits, take the answers of appends, and fence commits whose append is unknown."""
        self._clock.advance(now)
        return self._writer.step(self._clock.steady)

    def follow(self, partition: int, now: Instant) -> bool:
        """Follow one batch of a partition. Returns whether anything was read."""
        self._clock.advance(now)
        if partition in self.stopped:
            return False
        try:
            read = self.followers[partition].advance(self.limits.batch, wait=False)
        except _UNREADABLE as wrong:
            self._failed(partition, wrong)
            return False
        if self.trouble:
            self.trouble.pop(partition, None)
        if read:
            self._deadlines.batch_followed(partition)
        if self._partitions.arrivals:
            self._partitions.check_arrival(partition)
        return read > 0

    def follow_control(self, now: Instant) -> bool:
        """Follow one batch of the control log, and send what waits to be written there."""
        self._clock.advance(now)
        try:
            moved = self.control.step(self._clock.steady)
        except _UNREADABLE as wrong:
            self.trouble[None] = str(wrong)
            return False
        if self.trouble:
            self.trouble.pop(None, None)
        return moved

    def schedule(self, now: Instant) -> bool:
        """Start checks of orders with due deadlines and no command in progress. Returns whether there were any."""
        self._clock.advance(now)
        found = False
        for partition in self.followers:
            if partition not in self.stopped:
                for stream in self._deadlines.due(partition, now, self.limits.scheduled):
                    if stream not in self._queues:
                        self._check_deadlines(None, partition, stream)
                        found = True
        return found

    def catch_up(self, now: Instant) -> bool:
        """Index some deadlines of commits that were admitted before. Returns whether there were any."""
        self._clock.advance(now)
        return self._deadlines.catch_up()

    def write(self, now: Instant) -> None:
        """Have local state write what was flushed, and notify the listeners of it."""
        self._clock.advance(now)
        for partition, follower in self.followers.items():
            if partition not in self.stopped:
                try:
                    follower.state.write()
                except _UNREADABLE as wrong:
                    self._failed(partition, wrong)
        undelivered, self._undelivered = self._undelivered, []
        for result in undelivered:
            if not isinstance(result, Admitted):
                for listener in self._listeners:
                    listener.rejected(result)
            elif result.ordinal < self.followers[result.partition].state.stored_ordinal:
                for listener in self._listeners:
                    listener.admitted(result)
            else:  # local state could not write it, and will read it again
                self._undelivered.append(result)

    # ---- the followers' listener -------------------------------------------------------------------------------------

    def admitted(self, admitted: Admitted) -> None:
        """Take in a commit that a follower has admitted and local state has."""
        partition = admitted.partition
        self._log_clock.observe(partition, admitted.appended_at)
        if admitted.commit.streams[0].stream[0] == "$" and self.imports.admitted(admitted):
            self._deadlines.import_changed(partition)
        self._writer.admitted(admitted)
        self.orders.admitted(admitted)
        if not self.mode.history:
            self._deadlines.admitted(admitted)
        if self._listeners:
            self._undelivered.append(admitted)

    def rejected(self, rejected: Rejected) -> None:
        """Take in a commit that a follower has rejected."""
        self._writer.rejected(rejected)
        if self._listeners:
            self._undelivered.append(rejected)

    # ---- internals ---------------------------------------------------------------------------------------------------

    def _new_follower(self, partition: int, state: LocalState) -> Follower:
        return Follower(self._journal, partition, state, self, self._writer.known, alone=self._dependencies.alone)

    def _start_follower(self, follower: Follower) -> None:
        follower.start(self._dependencies.marks(follower.partition), self.limits.recent)

    def _commit_at(self, partition: int, ordinal: int) -> Admitted | None:
        return self.followers[partition].commit_at(ordinal)

    def _handle(self, pending: PendingCommand) -> None:
        stopped = self.stopped.get(pending.partition) if self.stopped else None
        arrival = self._partitions.arrivals.get(pending.partition) if self._partitions.arrivals else None
        if arrival is not None:
            arrival.waiting.append(pending)
            return
        try:
            if stopped is not None:
                self._handler.finish(pending, unavailable("partition-stopped", str(stopped)))
            else:
                self._handler.handle(pending)
        except _UNREADABLE as wrong:
            self._handler.finish(pending, unavailable("journal-unavailable", str(wrong)))
        except VaultUnavailable as wrong:
            self._handler.finish(pending, unavailable("vault-unavailable", str(wrong)))
        except Exception as defect:  # noqa: BLE001 - the caller gets it, and the other orders go on
            if self._queues.remove(pending):
                pending.fail(defect)

    def _check_deadlines(
        self, until: Instant | None, partition: int, stream: str, done: Callable[[int], None] | None = None
    ) -> None:
        """Start a check of one order's deadlines. ``until``: reach them as history, before this instant. ``done`` gets
        the number of deadlines reached."""
        self._queues.add(PendingCommand(None, stream, partition, self.mode, reach_until=until, done=done))

    def _failed(self, partition: int, wrong: Exception) -> None:
        """Note that reading a partition failed. Stop it if the log lost or changed what was acknowledged."""
        self.trouble[partition] = str(wrong)
        self._deadlines.staged_was_lost(partition)
        permanent = (
            self.followers[partition].stopped is not None
            or isinstance(wrong, LocalStateDamaged)
            or (isinstance(wrong, JournalDamaged) and self._dependencies.alone)  # brokers may have another replica
        )
        if not permanent or partition in self.stopped:
            return
        self.stopped[partition] = wrong
        self._partitions.stopped(partition)
        for task in self._tasks:
            if task.partition in (None, partition):
                task.fail(str(wrong))
        for pending in self._queues:
            if pending.partition == partition:
                kind: Literal["unknown", "unavailable"] = "unknown" if pending.is_sent else "unavailable"
                self._handler.finish(pending, Outcome(kind, "partition-stopped", str(wrong)))

    def _start_task(self, future: Future[Any], run: Callable[[], None], partition: int | None = None) -> None:
        """Have ``run`` called in the engine's thread. ``partition``: the only one that it concerns."""
        self._inbox.append(EngineTask(future, run, partition))
        self._dependencies.wake()
        self._reject_inbox_if_closed()


def _all_written(future: Future[Outcome], found: list[Settled | None]) -> None:
    """Resolve the future: accepted if each commit was admitted or not needed, otherwise why one was not written."""
    wrong = next((settled for settled in found if settled is not None and settled.kind != "admitted"), None)
    if not future.done():
        future.set_result(Outcome("accepted") if wrong is None else not_written(wrong))
