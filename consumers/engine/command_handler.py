"""One command, from its turn to its answer: the order of checks, the commit, and what became of it.

See docs/reference/decisions.md, Order of the checks.

parse (outside) → authorise → command id → If-Match → deadlines that are due → time → rules → confirmation → commit.
Each time a job is considered, it is taken as far as it goes on what is followed now; then it waits for the log.
"""

from collections.abc import Callable, Iterable
from functools import partial

from consumers.engine.control_log import ControlLog, entries
from consumers.engine.deadline_scheduler import DeadlineIndex
from consumers.engine.dependencies import EngineDependencies, EngineLimits
from consumers.engine.imports import Imports
from consumers.engine.log_clock import LogClock
from consumers.engine.order_cache import AnsweredCommand, CachedOrder, OrderCache, standing_of
from consumers.engine.outcome import Outcome, bad, committed, not_written, refused, unavailable
from consumers.engine.read_barrier import ReadBarrier
from consumers.engine.stream_queues import PendingCommand, StreamQueues
from consumers.log.commit_codec import ENGINE
from consumers.log.writer import Settled, Writer
from consumers.ports.log_values import Admitted
from domain.commands import Command, ReachDeadline
from domain.deadlines import due, has_lapsed
from domain.decide import Decided, authorise, decide, reach, unbacked
from domain.errors import BadInput
from domain.events import Deadline
from domain.instants import SECOND, Instant
from domain.order import Order
from schemas.commit import COMMIT_VERSION, ActorEntry, Commit, StreamEntry, commit_id, encode_commit
from schemas.wire import Malformed

_SYSTEM = ActorEntry(*ENGINE)


class CommandHandler:
    """Considers jobs. It knows everything that is followed, and sends commits through the writer."""

    def __init__(
        self,
        lanes: StreamQueues,
        orders: OrderCache,
        imports: Imports,
        control: ControlLog,
        ends: ReadBarrier,
        dues: DeadlineIndex,
        logtime: LogClock,
        writer: Writer,
        ports: EngineDependencies,
        limits: EngineLimits,
        clock: Callable[[], Instant],
        steady: Callable[[], Instant],
    ) -> None:
        """``clock`` and ``steady``: the engine's, as of the step at hand; the latter never goes back."""
        self._lanes = lanes
        self._orders = orders
        self._imports = imports
        self._control = control
        self._ends = ends
        self._dues = dues
        self._logtime = logtime
        self._writer = writer
        self._ports = ports
        self._limits = limits
        self._clock = clock
        self._steady = steady
        self.own = False
        """Set when the commit just settled was this engine's, and its order's state is taken in already."""

    def finish(self, job: PendingCommand, outcome: Outcome | None) -> None:
        """Answer, and let the next command of the order have its turn."""
        if self._lanes.leave(job):
            job.answer(outcome)

    def consider(self, job: PendingCommand) -> None:
        """Take the job as far as it goes on what is followed now. JournalUnavailable, VaultUnavailable."""
        folded = job.folded = self._orders.get(job.partition, job.stream)
        if folded.unreadable is not None:
            if job.command is None:
                self._dues.refresh(job.partition, folded)
            return self.finish(job, unavailable("order-stuck", folded.unreadable))
        order = folded.order
        command = job.command
        if command is None:
            return self._look_after(job, folded)
        no = authorise(order, command)
        if no is not None:
            return self._unbacked(job, refused(no, message=unbacked(no, command)))
        answered = folded.answered.get(command.command_id)
        if answered is not None:
            return self.finish(job, self._again(job, command, answered))
        if job.expected_version is not None and job.expected_version != folded.count:
            message = f"the order is at version {folded.count}, not {job.expected_version}"
            return self._unbacked(job, Outcome("version-conflict", "if-match", message, order=order))
        if order is not None and self._unknown_policy(order):
            policy = order.terms.policy
            message = f"the order is pinned to {policy.id}@{policy.version}, which is not known here yet"
            return self._unbacked(job, unavailable("policy-unknown", message), control=True)
        instant = self._historical(job, folded, command) if job.mode.history else self._live(job, folded, command)
        if instant is None:
            return None
        return self._decide(job, folded, command, instant)

    # ---- time --------------------------------------------------------------------------------------------------------

    def _historical(self, job: PendingCommand, folded: CachedOrder, command: Command) -> Instant | None:
        """Import: the command's instant is its ``at``; None if the job waits or is answered."""
        at = command.at
        if at is None:
            self.finish(job, bad("/at", "form", "a command of an import must say when it was given"))
            return None
        if folded.order is not None and self._fire(job, folded, folded.order, due(folded.order, at)):
            return None
        if at < folded.recorded_at and not isinstance(command, ReachDeadline):  # all that were due by then are reached
            message = "earlier than what is recorded of this order already; late news uses occurred_at"
            self._unbacked(job, bad("/at", "goes-back-in-time", message, folded.order))
            return None
        return at

    def _live(self, job: PendingCommand, folded: CachedOrder, command: Command | None) -> Instant | None:
        """Live: the engine's clock, never before the order's last; None if the job waits or is answered.

        A deadline fires only when the clock and an append time seen in the partition are both past it. Where it lies
        between the two, a tick is written and read; if that is not past it either, the command is judged at the tick.
        """
        partition = job.partition
        if command is not None and self._imports.is_open(partition, command.marketplace):
            message = (
                f"history is being imported into {command.marketplace}; nothing live is decided until that is closed. "
                "If the import was broken off: run it again, or close it with `rescind import --finish`"
            )
            self.finish(job, unavailable("import-open", message))
            return None
        if self._logtime.off is not None:
            if job.probed:
                seconds = self._logtime.off / SECOND
                self.finish(job, unavailable("clock-off", f"this engine's clock is {seconds:+.1f} s off the log's"))
            else:
                job.probed = True
                self._tick(job)
            return None
        instant = max(self._clock(), folded.recorded_at)
        order = folded.order
        if order is None or not order.deadlines:
            return instant
        closed_at = self._imports.closed_at(partition, order.marketplace)
        dues = [deadline for deadline in due(order, instant) if not has_lapsed(order, deadline, closed_at)]
        if not dues:
            return instant
        seen = self._logtime.seen[partition]
        past = [deadline for deadline in dues if deadline.due_at < seen]
        if self._fire(job, folded, order, past):
            return None
        if len(past) == len(dues):
            return instant
        if not job.ticked:
            job.ticked = True
            self._tick(job)
            return None
        if folded.recorded_at > seen:
            self.finish(job, unavailable("clock-off", "the order was recorded later than the log's own time"))
            return None
        return seen

    def _tick(self, job: PendingCommand) -> None:
        """Have the partition's append time read anew, then consider the job again."""

        def then(read: bool) -> None:
            if read:
                self._lanes.ready.append(job)
            else:
                self.finish(job, unavailable("journal-unavailable", "the log's own time cannot be read"))

        self._logtime.tick(job.partition, then)

    # ---- deadlines ---------------------------------------------------------------------------------------------------

    def _look_after(self, job: PendingCommand, folded: CachedOrder) -> None:
        """Nobody asked: reach the order's deadlines that are due, and be done."""
        order = folded.order
        if order is None or self._unknown_policy(order):
            return self.finish(job, None)
        if job.until is not None:
            if not self._fire(job, folded, order, due(order, job.until)):
                self.finish(job, None)
            return None
        if self._imports.is_open(job.partition, order.marketplace):
            self._dues.refresh(job.partition, folded)
            return self.finish(job, None)
        if self._live(job, folded, None) is not None:
            if not job.reached:
                self._dues.refresh(job.partition, folded)
            self.finish(job, None)
        return None

    def _fire(self, job: PendingCommand, folded: CachedOrder, order: Order, dues: Iterable[Deadline]) -> bool:
        """Reach the first of these deadlines that still means something; whether its commit is on its way."""
        for deadline in dues:
            command_id = f"deadline:{deadline.deadline_id}"
            if command_id in folded.answered:
                continue
            instant = max(deadline.due_at if job.mode.history else self._clock(), folded.recorded_at)
            market = self._ports.market(order.marketplace)
            decided = reach(order, deadline, self._control.book, market, instant)
            if decided.answer:
                continue
            job.deadline = True
            self._propose(job, folded, decided, command_id, None, _SYSTEM, instant)
            return True
        return False

    def _unknown_policy(self, order: Order) -> bool:
        return order.placed is not None and self._control.book.get(order.placed.policy) is None

    # ---- the decision ------------------------------------------------------------------------------------------------

    def _decide(self, job: PendingCommand, folded: CachedOrder, command: Command, instant: Instant) -> None:
        order = folded.order
        if isinstance(command, ReachDeadline) and not job.mode.history and self._is_history(job, order, command):
            return self._unbacked(job, Outcome("duplicate", order=order))
        if command.TEXTS:
            vault, subject = self._ports.vault, command.actor.id
            command.seal(lambda _, text: vault.seal(command.marketplace, subject, text))
        try:
            decided = decide(order, command, self._control.book, self._ports.market(command.marketplace), instant)
        except BadInput as wrong:
            return self._unbacked(job, bad(wrong.pointer, wrong.rule, wrong.message, order))
        if decided.answer:
            return self._unbacked(job, _unwritten(decided), control=decided.refused == "no-such-policy")
        if job.confirm is not None and decided.refused is None:
            why = job.confirm(order, command, decided)
            if why is not None:
                return self._unbacked(job, refused("cancel-is-final", decided.verdict, order, why))
        actor = ActorEntry(command.actor.kind, command.actor.id)
        return self._propose(job, folded, decided, command.command_id, command.fingerprint, actor, instant)

    def _is_history(self, job: PendingCommand, order: Order | None, command: ReachDeadline) -> bool:
        """Whether the deadline was set and due before an import's closing: it never fires live."""
        found = None if order is None else order.deadlines.get(command.deadline_id)
        if order is None or found is None:
            return False
        return has_lapsed(order, found, self._imports.closed_at(job.partition, command.marketplace))

    def _again(self, job: PendingCommand, command: Command, answered: AnsweredCommand) -> Outcome:
        """The command id was answered before: the first outcome again, if it is the same command."""
        if answered.fingerprint != command.fingerprint:
            message = "this command id has answered another command of this order; choose a new one"
            return bad("/command_id", "command-id-reused", message)
        first = self._orders.first_outcome(job.partition, job.stream, answered.ordinal) if job.rebuild else None
        return Outcome("duplicate", first=first, order=None if first is None else first.order)

    def _unbacked(self, job: PendingCommand, outcome: Outcome, *, control: bool = False) -> None:
        """Answer what no commit backs, or wait until the log as it was at arrival is followed, and consider again."""
        if self._ends.reached(job, control=control):
            self.finish(job, outcome)
        else:
            self._ends.wait(job)

    # ---- the commit --------------------------------------------------------------------------------------------------

    def _propose(
        self,
        job: PendingCommand,
        folded: CachedOrder,
        decided: Decided,
        command_id: str,
        fingerprint: bytes | None,
        actor: ActorEntry,
        instant: Instant,
    ) -> None:
        stream = job.stream
        command = job.command
        try:
            commit = Commit(
                COMMIT_VERSION,
                commit_id(stream, command_id, folded.head),
                command_id,
                fingerprint,
                actor,
                None if command is None else command.correlation_id,
                None,
                instant,
                job.mode.writer,
                (StreamEntry(stream, "chain", folded.head, folded.count, entries(decided.events)),),
            )
            job.decided = decided
            job.sent_at = self._clock()
            self._writer.propose(
                job.partition, stream.encode(), encode_commit(commit), partial(self._settled, job), commit
            )
        except Malformed as wrong:
            job.deadline = False
            self._unbacked(job, bad("", "too-large", f"cannot be recorded: {wrong.reason}", folded.order))

    def _settled(self, job: PendingCommand, settled: Settled) -> None:
        """The log has said what became of the job's commit."""
        job.ticked = False
        deadline, job.deadline = job.deadline, False
        if settled.kind == "admitted":
            assert settled.admitted is not None
            self._taken_in(job, settled.admitted, deadline)
        elif settled.kind in ("duplicate", "superseded"):
            self._decide_anew(job)
        elif settled.kind == "unknown" and deadline:
            self.finish(job, unavailable("journal-unavailable", "what had to come before this command is not settled"))
        else:
            self.finish(job, not_written(settled))

    def _taken_in(self, job: PendingCommand, admitted: Admitted, deadline: bool) -> None:
        folded, decided = job.folded, job.decided
        assert folded is not None and decided is not None and job.sent_at is not None
        folded.advance(admitted, admitted.commit.streams[0], decided.order)
        self._orders.keep(folded)
        self.own = True
        if not job.mode.history:
            self._logtime.own(job.sent_at, admitted.appended_at)
        if deadline:
            job.decided = None
            job.reached += 1
            self._lanes.ready.append(job)
        else:
            self.finish(job, committed(decided.events, decided.order, standing_of(admitted, folded.count)))

    def _decide_anew(self, job: PendingCommand) -> None:
        """It lost a race: bounded, and with a pause that grows, so that one of many gets on."""
        job.decided = None
        job.attempts += 1
        if job.attempts > self._limits.tries:
            message = "others keep changing this order; nothing was written, send the same command again"
            return self.finish(job, unavailable("contended", message))
        pause = self._ports.backoff(job.attempts)
        if pause > 0:
            self._lanes.later(job, self._steady() + pause)
        else:
            self._lanes.ready.append(job)
        return None


def _unwritten(decided: Decided) -> Outcome:
    """What was decided without a commit: a refusal that leaves nothing behind, or a deadline that is moot."""
    if decided.refused is None:
        return Outcome("duplicate", order=decided.order)
    return refused(decided.refused, decided.verdict, decided.order)
