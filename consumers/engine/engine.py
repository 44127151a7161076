"""The engine: takes commands, decides them, and answers when the log has read back what was decided.

No thread, no clock, no ids of its own. ``submit``, ``call`` and the errands may be called from any thread; everything
else belongs to the one loop that calls ``step(now)``: a thread in production, a seeded scheduler in simulation. A step
takes new commands, decides them (``judging``), sends commits, follows the log, and resolves the futures of what was
read back. One order has at most one command on its way from one process (``lanes``); many orders are on theirs.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, Final, TypeVar

from consumers.engine.background_tasks import DeadlineSweep, EngineTask
from consumers.engine.command_handler import CommandHandler
from consumers.engine.control_log import ControlLog, ControlWrites
from consumers.engine.deadline_scheduler import DeadlineIndex
from consumers.engine.dependencies import IMPORT, IMPORT_LIVE, LIVE, Confirm, EngineDependencies, EngineLimits, Mode
from consumers.engine.imports import Imports
from consumers.engine.log_clock import LogClock
from consumers.engine.order_cache import OrderCache
from consumers.engine.outcome import TOO_LATE, Outcome, not_followed, not_written, refused, unavailable
from consumers.engine.partitions import Partitions
from consumers.engine.read_barrier import ReadBarrier
from consumers.engine.stream_queues import PendingCommand, StreamQueues
from consumers.log.divergence import Mark
from consumers.log.follower import Follower, Listener
from consumers.log.writer import Settled, Writer
from consumers.ports.journal import Journal, JournalDamaged, JournalError
from consumers.ports.local_state import LocalState, LocalStateDamaged, LocalStateUnavailable
from consumers.ports.log_values import Admitted, Rejected
from consumers.ports.vault import VaultUnavailable
from domain.commands import Command
from domain.instants import EARLIEST, Instant
from domain.policy import PolicyDocument
from schemas.partitioning import partition_of

__all__ = ["IMPORT", "IMPORT_LIVE", "LIVE", "Confirm", "Engine", "EngineDependencies", "EngineLimits", "Mode"]

T = TypeVar("T")

_UNREADABLE: Final = (JournalError, LocalStateDamaged, LocalStateUnavailable)

PERIODS: Final = 4
"""How many periods an answer may take (``Engine.age``)."""

_CLOSING = unavailable("closing", "the engine is shutting down; send the same command again")
_BUSY = unavailable("busy", "too many commands are waiting; send the same command again later")


class Engine:
    """One process's engine over the followed partitions of a journal: ``start``, ``step`` for ever, ``close``.

    Partitions may come and go meanwhile (``assign``, ``revoke``); commands of those that are not followed are
    answered ``not-followed``.
    """

    def __init__(
        self,
        journal: Journal,
        control: ControlLog,
        states: Mapping[int, LocalState],
        ports: EngineDependencies,
        *,
        name: str,
        mode: Mode = LIVE,
        limits: EngineLimits | None = None,
        listeners: Sequence[Listener] = (),
    ) -> None:
        """``states``: local state of each followed partition. ``control`` has been started and read to its end, and
        agrees on the number of partitions. ``name`` is this writer's, in records and fences. ``listeners`` hear of
        every commit after the engine has taken it in."""
        self.mode = mode
        self.limits = limits or EngineLimits()
        self.control = control
        self.partitions = journal.partitions
        self._journal = journal
        self._ports = ports
        self._listeners = tuple(listeners)
        self._now: Instant = EARLIEST
        self._steady: Instant = 0
        """The same clock without its steps back: what pauses and rhythms are measured by."""
        self._inbox: deque[PendingCommand | EngineTask] = deque()
        self._errands: list[EngineTask] = []
        self._closed = False
        self._look_at: Instant = 0
        self._schedule_at: Instant = 0
        self._catch_up_at: Instant = 0
        self._write_at: Instant = 0
        self._unhandled: list[Admitted | Rejected] = []
        """What listeners have not heard of: they are told once local state has it in its file."""
        self.trouble: dict[int | None, str] = {}
        """Why a partition (None: the control log) cannot be read at the moment: for readers, health and operators."""
        self.stopped: dict[int, Exception] = {}
        """Partitions that are followed no longer: the log lost or changed what was acknowledged, or local state is
        damaged (a restart rebuilds it), or an embedded journal is."""
        self._began: dict[int, int] = {}
        """Where the log of each partition ended when the engine started."""

        self._writer = Writer(
            journal, name, ports.new_id, self._commit_at, wake=ports.wake, commits_in_flight=self.limits.in_flight
        )
        self.followers: dict[int, Follower] = {
            partition: self._follower(partition, state) for partition, state in sorted(states.items())
        }
        self.orders = OrderCache(self.followers, self.limits.orders)
        self.imports = Imports()
        self._lanes = StreamQueues()
        self._ends = ReadBarrier(journal, control, self.followers)
        self._dues = DeadlineIndex(self.followers, self.orders, self.imports)
        self._writes = ControlWrites(self._writer, self.followers, mode.writer, ports.new_id)
        self._logtime = LogClock(self._writes, self.followers, self.limits.clock_tolerance, self._clock)
        self._judge = CommandHandler(
            self._lanes,
            self.orders,
            self.imports,
            control,
            self._ends,
            self._dues,
            self._logtime,
            self._writer,
            ports,
            self.limits,
            self._clock,
            self._steady_clock,
        )
        self._partitions = Partitions(
            journal,
            self.followers,
            self._follower,
            self._begin,
            self._writer,
            self._writes,
            self._logtime,
            self.orders,
            self.imports,
            self._dues,
            self._ends,
            self._lanes,
            self._judge,
        )

    # ---- what everybody may call, from any thread --------------------------------------------------------------------

    def submit(
        self,
        command: Command,
        *,
        expected_version: int | None = None,
        confirm: Confirm | None = None,
        mode: Mode | None = None,
        rebuild: bool = True,
    ) -> Future[Outcome]:
        """Have a command decided; the future gives its outcome, and raises only for a defect of the engine. It cannot
        be cancelled: what was handed in may have been written.

        ``expected_version`` is If-Match: the order's number of events that the sender has seen. ``confirm`` is asked
        about every decision that is not a refusal. ``rebuild`` False: a duplicate comes without the first outcome.
        """
        future: Future[Outcome] = Future()
        future.set_running_or_notify_cancel()
        if self._closed or len(self._inbox) >= self.limits.waiting:
            future.set_result(_CLOSING if self._closed else _BUSY)
            return future
        stream = command.stream
        job = PendingCommand(command, stream, partition_of(stream, self.partitions), mode or self.mode)
        job.future = future
        job.expected_version = expected_version
        job.confirm = confirm
        job.rebuild = rebuild
        self._inbox.append(job)
        self._ports.wake()
        self._turn_away_if_closed()
        return future

    def expect(self, partition: int, marks: Sequence[Mark]) -> None:
        """Have a partition stopped unless the log has what these marks say. In the engine's thread (``call``)."""
        follower = self.followers.get(partition)
        if follower is not None and partition not in self.stopped:
            follower.expect(marks)
            self._look_at = self._steady

    def call(self, ask: Callable[["Engine"], T]) -> Future[T]:
        """Run ``ask`` in the engine's own thread, between two decisions: to read orders, heads and history."""
        future: Future[T] = Future()
        self._errand(future, lambda: future.set_result(ask(self)))
        return future

    def tell(self, listener: Listener) -> None:
        """Have ``listener`` hear of every commit from now on, after the engine has taken it in; in its thread."""
        self._listeners += (listener,)

    def publish(self, document: PolicyDocument) -> Future[Outcome]:
        """Put a policy in force for orders that name it from now on.

        accepted (also if this very document is published already); refused ``policy-exists`` if its id@version has
        other content; unknown or unavailable.
        """
        future: Future[Outcome] = Future()

        def done(verdict: str, settled: Settled | None) -> None:
            if verdict != "taken":
                _all_written(future, [settled])
            elif not future.done():
                name = f"{document.policy.id}@{document.policy.version}"
                future.set_result(refused("policy-exists", message=f"{name} is published with other content"))

        self._errand(future, lambda: self.control.publish(document, self._now, done))
        return future

    def open_import(self, marketplace: str, source: bytes) -> Future[Outcome]:
        """Say in every partition that this input (its SHA-256) is being imported; accepted once all of them say so."""
        future: Future[Outcome] = Future()
        done = partial(_all_written, future)
        self._errand(
            future, lambda: self.imports.open(self._writes, self.followers, marketplace, source, self._now, done)
        )
        return future

    def close_import(self, marketplace: str, source: bytes, until: Instant | None) -> Future[Outcome]:
        """Say in every partition that this input's import has ended; ``until`` as it was reached as history."""
        future: Future[Outcome] = Future()
        done = partial(_all_written, future)
        self._errand(
            future,
            lambda: self.imports.close(self._writes, self.followers, marketplace, source, until, self._now, done),
        )
        return future

    def reach(self, marketplace: str, until: Instant) -> Future[int]:
        """Reach, as history, every deadline of the marketplace with ``due_at`` before ``until``; how many it were.

        Deadlines that follow from reached ones are reached too. Looks at every order of the marketplace.
        """
        future: Future[int] = Future()
        sweep = DeadlineSweep(marketplace, until, self.followers, self._look_after, self.limits.in_flight // 2, future)
        self._errand(future, sweep.go_on)
        return future

    def assign(self, partition: int, state: LocalState) -> Future[None]:
        """Follow a partition from now on, on this local state, which is compared with the log first.

        The future gives None once it is followed to the log's end as it was then; until then its commands wait. Where
        log and local state disagree it gives None too, and the partition is ``stopped``. What cannot be read raises,
        and nothing was taken up; Interrupted: it was given up again, or has stopped on its way.
        """
        future: Future[None] = Future()

        def run() -> None:
            wrong = self._partitions.assign(partition, state, future)
            if wrong is not None:
                self._failed(partition, wrong)

        self._errand(future, run, partition)
        return future

    def revoke(self, partition: int) -> Future[None]:
        """Follow a partition no longer. Its commands are answered by then: unknown what was sent, ``not-followed`` what
        was not. Its local state may be closed afterwards; nothing happens if it was not followed."""
        future: Future[None] = Future()

        def run() -> None:
            for errand in self._errands:
                if errand.partition is None:
                    errand.fail("a partition was given up to another process")
            if partition in self.followers:
                self.write(self._now)
                self._unhandled = [verdict for verdict in self._unhandled if verdict.partition != partition]
                self._partitions.revoke(partition)
                self.stopped.pop(partition, None)
                self.trouble.pop(partition, None)
            future.set_result(None)

        self._errand(future, run, partition)
        return future

    def age(self) -> None:
        """A period has passed, says whoever has a clock, from any thread: a command that has waited for ``PERIODS`` of
        them is answered as unknown, also while the loop stands still in a read that never comes back."""
        for job in self._open_jobs():
            job.age += 1
            if job.age > PERIODS:
                job.answer_late(TOO_LATE)

    def _open_jobs(self) -> list[PendingCommand]:
        while True:
            try:
                waiting = [each for each in tuple(self._inbox) if isinstance(each, PendingCommand)]
                return waiting + list(self._lanes)
            except RuntimeError:  # it was changed while it was looked at
                continue

    def follows(self, partition: int) -> bool:
        """Whether a partition is followed, to where its log ended when it was taken up. From any thread."""
        return partition in self.followers and partition not in self._partitions.arrivals

    def unknown(self, partition: int | None) -> tuple[str, str] | None:
        """Why what is not found in a partition (None: in the control log) may exist nevertheless: a reason and a
        sentence. None: it does not exist, as far as the log could be followed. From any thread."""
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
        """Commands taken and not yet answered."""
        return self._lanes.active + len(self._inbox)

    def partition(self, stream: str) -> int:
        """The partition that a stream belongs to."""
        return partition_of(stream, self.partitions)

    # ---- the loop ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Compare local state with the log. A partition where they disagree is stopped, the others go on."""
        for partition, follower in self.followers.items():
            try:
                self._began[partition] = self._journal.end(partition)
                self._begin(follower)
                if follower.expecting:
                    self._partitions.hold(partition)
            except _UNREADABLE as wrong:
                self._failed(partition, wrong)
                continue
            self._partitions.learn(partition)
        self._dues.start()

    def step(self, now: Instant) -> bool:
        """One round of everything; whether anything moved. ``now`` is the engine's clock, read just before."""
        moved = self.take(now)
        moved = self.work(now) or moved
        moved = self.send(now) or moved
        awaited = self._writer.in_flight or self.control.writer.in_flight or self._ends or self._partitions.arrivals
        if awaited or self._steady >= self._look_at:
            self._look_at = self._steady + self.limits.poll
            for partition in self.followers:
                moved = self.follow(partition, now) or moved
            moved = self.follow_control(now) or moved
            if self.work(now):
                self.send(now)
                moved = True
        if not self.mode.history:
            if self._steady >= self._schedule_at:
                self._schedule_at = self._steady + self.limits.schedule
                moved = self.schedule(now) or moved
            if not moved or self._steady >= self._catch_up_at:
                self._catch_up_at = self._steady + self.limits.catch_up
                moved = self.catch_up(now) or moved
        if self._steady >= self._write_at or not (moved or self._writer.in_flight):
            self._write_at = self._steady + self.limits.write
            self.write(now)
        return moved

    def pause(self) -> int:
        """Microseconds that the loop may sleep after a step that moved nothing, unless ``wake`` is called before."""
        if self._lanes.ready or (self._inbox and self._lanes.active < self.limits.in_flight):
            return 0
        wake_at = [self._look_at]
        wake_at += [at for at in (self._lanes.next_at, self._writer.next_fence_at) if at is not None]
        return max(0, min(min(wake_at) - self._steady, self.limits.poll))

    @property
    def unwritable(self) -> str | None:
        """Why nothing is written at the moment, as the last append's answer has it. From any thread."""
        return self._writer.trouble or self.control.writer.trouble

    @property
    def caught_up(self) -> bool:
        """Whether every followed partition and the control log are read to their ends as they are now. Asks the log."""
        if self.stopped or self.trouble or self._partitions.arrivals or self.control.next_offset < self.control.end():
            return False
        return all(follower.next_offset >= self._journal.end(p) for p, follower in self.followers.items())

    def close(self) -> None:
        """Answer everything that is still open: unknown what was sent, closing what was not."""
        self._closed = True
        self.write(self._now)
        for errand in self._errands:
            errand.fail("the engine was closed")
        self._writer.close()
        self.control.writer.close()
        for job in self._lanes:
            self._judge.finish(job, _CLOSING)
        self._turn_away()

    def _turn_away_if_closed(self) -> None:
        """What came in while another thread was closing has nobody else to answer it."""
        if self._closed:
            self._turn_away()

    def _turn_away(self) -> None:
        """Nothing in the inbox will be begun."""
        while self._inbox:
            waiting = self._inbox.popleft()
            if isinstance(waiting, PendingCommand):
                waiting.answer(_CLOSING)
            else:
                waiting.fail("the engine was closed")

    # ---- the parts of a round; the simulation takes them one by one --------------------------------------------------

    def take(self, now: Instant) -> bool:
        """Take new commands from the inbox, as many as may be on their way at once."""
        self._read_clock(now)
        inbox, lanes = self._inbox, self._lanes
        if not inbox or lanes.active >= self.limits.in_flight:
            return False
        self._ends.newcomers()
        while inbox and lanes.active < self.limits.in_flight:
            job = inbox.popleft()
            if isinstance(job, EngineTask):
                job.begin()
                if job.open:
                    self._errands = [errand for errand in self._errands if errand.open] + [job]
            elif job.partition not in self.followers:
                job.answer(not_followed(job.partition))
            elif not job.late:
                lanes.begin(job)
        return True

    def work(self, now: Instant) -> bool:
        """Decide what is ready: new commands, those whose turn has come, those that may be answered now."""
        self._read_clock(now)
        lanes = self._lanes
        lanes.arrive(self._steady)
        wrote = self._writes.go_on()
        if self._ends:
            lanes.ready.extend(self._ends.arrived())
        if not lanes.ready:
            return wrote
        while lanes.ready:
            job = lanes.ready.popleft()
            if not job.finished:
                self._consider(job)
        return True

    def send(self, now: Instant) -> bool:
        """Send proposed commits, take the answers of appends, fence what is unknown."""
        self._read_clock(now)
        return self._writer.step(self._steady)

    def follow(self, partition: int, now: Instant) -> bool:
        """Follow one batch of a partition; whether anything was read."""
        self._read_clock(now)
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
            self._dues.followed(partition)
        if self._partitions.arrivals:
            self._partitions.arrived(partition)
        return read > 0

    def follow_control(self, now: Instant) -> bool:
        """Follow the control log one batch, and send what is to be written there."""
        self._read_clock(now)
        try:
            moved = self.control.step(self._steady)
        except _UNREADABLE as wrong:
            self.trouble[None] = str(wrong)
            return False
        if self.trouble:
            self.trouble.pop(None, None)
        return moved

    def schedule(self, now: Instant) -> bool:
        """Look for due deadlines of orders that nobody touches, and have them fired; whether there were any."""
        self._read_clock(now)
        found = False
        for partition in self.followers:
            if partition not in self.stopped:
                for stream in self._dues.due(partition, now, self.limits.scheduled):
                    if stream not in self._lanes:
                        self._look_after(partition, stream)
                        found = True
        return found

    def catch_up(self, now: Instant) -> bool:
        """Set some deadlines of commits that were admitted while nobody set them; whether there were any."""
        self._read_clock(now)
        return self._dues.catch_up()

    def write(self, now: Instant) -> None:
        """Have local state write what waits, and tell the listeners of it."""
        self._read_clock(now)
        for partition, follower in self.followers.items():
            if partition not in self.stopped:
                try:
                    follower.state.write()
                except _UNREADABLE as wrong:
                    self._failed(partition, wrong)
        unhandled, self._unhandled = self._unhandled, []
        for verdict in unhandled:
            if not isinstance(verdict, Admitted):
                for listener in self._listeners:
                    listener.rejected(verdict)
            elif verdict.ordinal < self.followers[verdict.partition].state.stored_ordinal:
                for listener in self._listeners:
                    listener.admitted(verdict)
            else:  # it could not be written, and is read again
                self._unhandled.append(verdict)

    # ---- what the followers tell -------------------------------------------------------------------------------------

    def admitted(self, admitted: Admitted) -> None:
        """The follower admitted a commit, and local state has it."""
        partition = admitted.partition
        self._logtime.saw(partition, admitted.appended_at)
        if admitted.commit.streams[0].stream[0] == "$" and self.imports.admitted(admitted):
            self._dues.import_changed(partition)
        judge = self._judge
        judge.own = False
        self._writer.admitted(admitted)
        if not judge.own:
            self.orders.admitted(admitted)
        if not self.mode.history:
            self._dues.admitted(admitted)
        if self._listeners:
            self._unhandled.append(admitted)

    def rejected(self, rejected: Rejected) -> None:
        """The follower rejected a commit."""
        self._writer.rejected(rejected)
        if self._listeners:
            self._unhandled.append(rejected)

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _clock(self) -> Instant:
        return self._now

    def _read_clock(self, now: Instant) -> None:
        if now > self._now and self._now != EARLIEST:
            self._steady += now - self._now
        self._now = now

    def _steady_clock(self) -> Instant:
        return self._steady

    def _follower(self, partition: int, state: LocalState) -> Follower:
        return Follower(self._journal, partition, state, self, self._writer.known, alone=self._ports.alone)

    def _begin(self, follower: Follower) -> None:
        follower.start(self._ports.marks(follower.partition), self.limits.recent)

    def _commit_at(self, partition: int, ordinal: int) -> Admitted | None:
        return self.followers[partition].commit_at(ordinal)

    def _consider(self, job: PendingCommand) -> None:
        stopped = self.stopped.get(job.partition) if self.stopped else None
        arrival = self._partitions.arrivals.get(job.partition) if self._partitions.arrivals else None
        if arrival is not None:
            arrival.jobs.append(job)
            return
        try:
            if stopped is not None:
                self._judge.finish(job, unavailable("partition-stopped", str(stopped)))
            else:
                self._judge.consider(job)
        except _UNREADABLE as wrong:
            self._judge.finish(job, unavailable("journal-unavailable", str(wrong)))
        except VaultUnavailable as wrong:
            self._judge.finish(job, unavailable("vault-unavailable", str(wrong)))
        except Exception as defect:  # noqa: BLE001 - who asked gets it, and the other orders go on
            if self._lanes.leave(job):
                job.break_down(defect)

    def _look_after(self, partition: int, stream: str) -> PendingCommand:
        job = PendingCommand(None, stream, partition, self.mode)
        self._lanes.begin(job)
        return job

    def _failed(self, partition: int, wrong: Exception) -> None:
        """Reading failed: for now, or, where the log lost or changed what was acknowledged, for good."""
        self.trouble[partition] = str(wrong)
        self._dues.staged_was_dropped(partition)
        for_good = (
            self.followers[partition].stopped is not None
            or isinstance(wrong, LocalStateDamaged)
            or (isinstance(wrong, JournalDamaged) and self._ports.alone)  # brokers may have another replica
        )
        if not for_good or partition in self.stopped:
            return
        self.stopped[partition] = wrong
        self._partitions.stopped(partition)
        for errand in self._errands:
            if errand.partition in (None, partition):
                errand.fail(str(wrong))
        for job in self._lanes:
            if job.partition == partition:
                what = Outcome("unknown", "partition-stopped", str(wrong)) if job.is_sent else None
                self._judge.finish(job, what or unavailable("partition-stopped", str(wrong)))

    def _errand(self, future: Future[Any], run: Callable[[], None], partition: int | None = None) -> None:
        """Have ``run`` called in the engine's thread. ``partition``: the only one that it is about."""
        self._inbox.append(EngineTask(future, run, partition))
        self._ports.wake()
        self._turn_away_if_closed()


def _all_written(future: Future[Outcome], found: list[Settled | None]) -> None:
    """Accepted if each commit was admitted or needed no longer; else what became of the first that was not."""
    wrong = next((settled for settled in found if settled is not None and settled.kind != "admitted"), None)
    if not future.done():
        future.set_result(Outcome("accepted") if wrong is None else not_written(wrong))
