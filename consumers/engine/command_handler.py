"""The command handler: decides one command, proposes its commit, and answers once the log has admitted it.

See docs/reference/decisions.md, Order of the checks.
"""

# The happy path of a command:
#
#  1. infra/http/writes.py         The HTTP handler parses the body into a command and calls engine.submit.
#  2. engine/engine.py             submit puts a PendingCommand into the inbox and returns a future. The engine's thread
#                                  runs step again and again: take, work, send, follow.
#  3. engine/stream_queues.py      take queues the command. It is ready once it is the first of its order.
#  4. engine/command_handler.py    work passes each ready command to handle, which checks it in the order that
#                                  docs/reference/decisions.md lists.
#  5. engine/order_cache.py        handle decides on the order as this process has read it from the log.
#  6. domain/decide.py             decide applies the rules to the command and returns events, or a refusal.
#  7. log/writer.py                propose queues the commit. send packs the waiting commits into a record and calls
#  8. ports/journal.py             append, which writes the record to the log.
#  9. log/follower.py              follow reads the record back from the log, like every other process does.
# 10. log/admission.py             Admission accepts the commit if its parent is the head of the order's stream.
# 11. log/writer.py                The writer recognizes its own commit and calls the handler's _settled.
# 12. engine/outcome.py            The handler resolves the future with the Outcome, and the HTTP handler answers.
#
# An answer without a commit (duplicate, not found, conflict) skips 7 to 11. It waits at engine/read_barrier.py until
# this process has read the log up to where it ended when the command arrived. Then the command is handled again.

from collections.abc import Iterable
from functools import partial

from consumers.engine.control_log import entries
from consumers.engine.engine_state import EngineState
from consumers.engine.order_cache import AnsweredCommand, CachedOrder, commit_position
from consumers.engine.outcome import Outcome, bad, committed, not_written, refused, unavailable
from consumers.engine.stream_queues import PendingCommand
from consumers.log.commit_codec import ENGINE
from consumers.log.writer import Settled
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
    """Handles ready commands: decides them on the orders as followed so far, and sends their commits to the writer."""

    def __init__(self, state: EngineState) -> None:
        self._queues = state.queues
        self._orders = state.orders
        self._imports = state.imports
        self._control = state.control
        self._barrier = state.barrier
        self._deadlines = state.deadlines
        self._log_clock = state.log_clock
        self._writer = state.writer
        self._dependencies = state.dependencies
        self._limits = state.limits
        self._clock = state.clock

    def finish(self, pending: PendingCommand, outcome: Outcome | None) -> None:
        """Answer a command, and make the next command of its order ready."""
        if self._queues.remove(pending):
            pending.answer(outcome)

    def handle(self, pending: PendingCommand) -> None:
        """Take a command as far as possible on what is followed now: to an answer, a proposed commit, or a wait.

        It is called again after each wait. Raises JournalUnavailable, VaultUnavailable.
        """
        cached = self._orders.get(pending.partition, pending.stream)
        if cached.unreadable is not None:
            if pending.command is None:
                self._deadlines.refresh(pending.partition, cached)
            return self.finish(pending, unavailable("order-stuck", cached.unreadable))
        order = cached.order
        command = pending.command
        if command is None:
            return self._check_deadlines(pending, cached)
        rule = authorise(order, command)
        if rule is not None:
            return self._answer_uncommitted(pending, refused(rule, message=unbacked(rule, command)))
        answered = cached.answered.get(command.command_id)
        if answered is not None:
            return self.finish(pending, self._answer_duplicate(pending, command, answered))
        if pending.expected_version is not None and pending.expected_version != cached.count:
            message = f"the order is at version {cached.count}, not {pending.expected_version}"
            return self._answer_uncommitted(pending, Outcome("version-conflict", "if-match", message, order=order))
        if order is not None and self._unknown_policy(order):
            policy = order.terms.policy
            message = f"the order is pinned to {policy.id}@{policy.version}, which is not known here yet"
            return self._answer_uncommitted(pending, unavailable("policy-unknown", message), control=True)
        instant = (
            self._historical(pending, cached, command) if pending.mode.history else self._live(pending, cached, command)
        )
        if instant is None:
            return None
        return self._decide(pending, cached, command, instant)

    # ---- time --------------------------------------------------------------------------------------------------------

    def _historical(self, pending: PendingCommand, cached: CachedOrder, command: Command) -> Instant | None:
        """Return the instant of an imported command, its ``at``. None: the command waits or is answered."""
        at = command.at
        if at is None:
            self.finish(pending, bad("/at", "form", "a command of an import must say when it was given"))
            return None
        if cached.order is not None and self._reach_due(pending, cached, cached.order, due(cached.order, at)):
            return None
        if at < cached.recorded_at and not isinstance(command, ReachDeadline):  # all that were due by then are reached
            message = "earlier than what is recorded of this order already; late news uses occurred_at"
            self._answer_uncommitted(pending, bad("/at", "goes-back-in-time", message, cached.order))
            return None
        return at

    def _live(self, pending: PendingCommand, cached: CachedOrder, command: Command | None) -> Instant | None:
        """Return the instant of a live decision: the engine's clock, but never before the order's last commit.

        None: the command waits or is answered. A deadline fires only when both the clock and an append time seen in
        the partition are past it. If only the clock is past it, a tick is appended and read back. If the tick is not
        past it either, the command is decided at the tick's time.
        """
        partition = pending.partition
        if command is not None and self._imports.is_open(partition, command.marketplace):
            message = (
                f"history is being imported into {command.marketplace}; nothing live is decided until that is closed. "
                "If the import was broken off: run it again, or close it with `rescind import --finish`"
            )
            self.finish(pending, unavailable("import-open", message))
            return None
        if self._log_clock.skew is not None:
            if pending.probed:
                seconds = self._log_clock.skew / SECOND
                self.finish(pending, unavailable("clock-off", f"this engine's clock is {seconds:+.1f} s off the log's"))
            else:
                pending.probed = True
                self._tick(pending)
            return None
        instant = max(self._clock.now, cached.recorded_at)
        order = cached.order
        if order is None or not order.deadlines:
            return instant
        closed_at = self._imports.closed_at(partition, order.marketplace)
        deadlines = [deadline for deadline in due(order, instant) if not has_lapsed(order, deadline, closed_at)]
        if not deadlines:
            return instant
        seen = self._log_clock.seen[partition]
        past = [deadline for deadline in deadlines if deadline.due_at < seen]
        if self._reach_due(pending, cached, order, past):
            return None
        if len(past) == len(deadlines):
            return instant
        if not pending.ticked:
            pending.ticked = True
            self._tick(pending)
            return None
        if cached.recorded_at > seen:
            self.finish(pending, unavailable("clock-off", "the order was recorded later than the log's own time"))
            return None
        return seen

    def _tick(self, pending: PendingCommand) -> None:
        """Append a tick to read the partition's time, then make the command ready again."""

        def then(read: bool) -> None:
            if read:
                self._queues.ready.append(pending)
            else:
                self.finish(pending, unavailable("journal-unavailable", "the log's own time cannot be read"))

        self._log_clock.tick(pending.partition, then)

    # ---- deadlines ---------------------------------------------------------------------------------------------------

    def _check_deadlines(self, pending: PendingCommand, cached: CachedOrder) -> None:
        """Reach the order's due deadlines. No command is waiting for this."""
        order = cached.order
        if order is None or self._unknown_policy(order):
            return self.finish(pending, None)
        if pending.reach_until is not None:
            if not self._reach_due(pending, cached, order, due(order, pending.reach_until)):
                self.finish(pending, None)
            return None
        if self._imports.is_open(pending.partition, order.marketplace):
            self._deadlines.refresh(pending.partition, cached)
            return self.finish(pending, None)
        if self._live(pending, cached, None) is not None:
            if not pending.reached:
                self._deadlines.refresh(pending.partition, cached)
            self.finish(pending, None)
        return None

    def _reach_due(
        self, pending: PendingCommand, cached: CachedOrder, order: Order, deadlines: Iterable[Deadline]
    ) -> bool:
        """Reach the first of these deadlines that still has an effect. Returns whether a commit was proposed."""
        for deadline in deadlines:
            if _command_id_of(deadline) in cached.answered:
                continue
            instant = max(deadline.due_at if pending.mode.history else self._clock.now, cached.recorded_at)
            market = self._dependencies.market(order.marketplace)
            decided = reach(order, deadline, self._control.book, market, instant)
            if decided.answer:
                continue
            self._propose(pending, cached, decided, instant, deadline)
            return True
        return False

    def _unknown_policy(self, order: Order) -> bool:
        return order.placed is not None and self._control.book.get(order.placed.policy) is None

    # ---- the decision ------------------------------------------------------------------------------------------------

    def _decide(self, pending: PendingCommand, cached: CachedOrder, command: Command, instant: Instant) -> None:
        order = cached.order
        if (
            isinstance(command, ReachDeadline)
            and not pending.mode.history
            and self._is_history(pending, order, command)
        ):
            return self._answer_uncommitted(pending, Outcome("duplicate", order=order))
        if command.TEXTS:
            vault, subject = self._dependencies.vault, command.actor.id
            command.seal(lambda _, text: vault.seal(command.marketplace, subject, text))
        try:
            market = self._dependencies.market(command.marketplace)
            decided = decide(order, command, self._control.book, market, instant)
        except BadInput as wrong:
            return self._answer_uncommitted(pending, bad(wrong.pointer, wrong.rule, wrong.message, order))
        if decided.answer:
            return self._answer_uncommitted(pending, _unwritten(decided), control=decided.refused == "no-such-policy")
        if pending.confirm is not None and decided.refused is None:
            why = pending.confirm(order, command, decided)
            if why is not None:
                return self._answer_uncommitted(pending, refused("cancel-is-final", decided.verdict, order, why))
        return self._propose(pending, cached, decided, instant)

    def _is_history(self, pending: PendingCommand, order: Order | None, command: ReachDeadline) -> bool:
        """Whether the deadline was set and due before an import was closed. Such a deadline never fires live."""
        found = None if order is None else order.deadlines.get(command.deadline_id)
        if order is None or found is None:
            return False
        return has_lapsed(order, found, self._imports.closed_at(pending.partition, command.marketplace))

    def _answer_duplicate(self, pending: PendingCommand, command: Command, answered: AnsweredCommand) -> Outcome:
        """Return the original outcome of a command id, or an error if it was another command's."""
        if answered.fingerprint != command.fingerprint:
            message = "this command id has answered another command of this order; choose a new one"
            return bad("/command_id", "command-id-reused", message)
        if not pending.rebuild:
            return Outcome("duplicate")
        original = self._orders.original_outcome(pending.partition, pending.stream, answered.ordinal)
        return Outcome("duplicate", original=original, order=original.order)

    def _answer_uncommitted(self, pending: PendingCommand, outcome: Outcome, *, control: bool = False) -> None:
        """Answer without a commit, if the log is followed to where it ended at arrival. Otherwise wait for that.

        ``control``: the control log has to be followed to its end, too.
        """
        if self._barrier.reached(pending, control=control):
            self.finish(pending, outcome)
        else:
            self._barrier.add(pending)

    # ---- the commit --------------------------------------------------------------------------------------------------

    def _propose(
        self,
        pending: PendingCommand,
        cached: CachedOrder,
        decided: Decided,
        instant: Instant,
        deadline: Deadline | None = None,
    ) -> None:
        """Send the commit of a decision to the writer. ``deadline``: the one that was reached, if it was no command."""
        stream = pending.stream
        command = pending.command
        fingerprint: bytes | None
        if deadline is not None:
            command_id, fingerprint, actor = _command_id_of(deadline), None, _SYSTEM
        else:
            assert command is not None
            actor = ActorEntry(command.actor.kind, command.actor.id)
            command_id, fingerprint = command.command_id, command.fingerprint
        try:
            commit = Commit(
                COMMIT_VERSION,
                commit_id(stream, command_id, cached.head),
                command_id,
                fingerprint,
                actor,
                None if command is None else command.correlation_id,
                None,
                instant,
                pending.mode.writer,
                (StreamEntry(stream, "chain", cached.head, cached.count, entries(decided.events)),),
            )
            settled = partial(self._settled, pending, cached, decided, deadline, self._clock.now)
            self._writer.propose(pending.partition, stream.encode(), encode_commit(commit), settled, commit)
        except Malformed as wrong:
            too_large = bad("", "too-large", f"cannot be recorded: {wrong.reason}", cached.order)
            return self._answer_uncommitted(pending, too_large)
        pending.is_sent = deadline is None
        return None

    def _settled(
        self,
        pending: PendingCommand,
        cached: CachedOrder,
        decided: Decided,
        deadline: Deadline | None,
        sent_at: Instant,
        settled: Settled,
    ) -> None:
        """Go on once the fate of a proposed commit is known."""
        pending.ticked = pending.is_sent = False
        if settled.kind == "admitted":
            assert settled.admitted is not None
            # The decided order is the state after the commit, so its events need not be decoded again.
            cached.advance(settled.admitted, settled.admitted.commit.streams[0], decided.order)
            self._orders.put(cached)
            if not pending.mode.history:
                self._log_clock.compare(sent_at, settled.admitted.appended_at)
            if deadline is not None:
                pending.reached += 1
                self._queues.ready.append(pending)
            else:
                position = commit_position(settled.admitted, cached.count)
                self.finish(pending, committed(decided.events, decided.order, position))
        elif settled.kind in ("duplicate", "superseded"):
            self._retry_decision(pending)
        elif settled.kind == "unknown" and deadline is not None:
            message = "what had to come before this command is not settled"
            self.finish(pending, unavailable("journal-unavailable", message))
        else:
            self.finish(pending, not_written(settled))

    def _retry_decision(self, pending: PendingCommand) -> None:
        """Decide again after a lost race. The number of attempts is limited, and the pauses between them grow."""
        pending.attempts += 1
        if pending.attempts > self._limits.tries:
            message = "others keep changing this order; nothing was written, send the same command again"
            return self.finish(pending, unavailable("contended", message))
        pause = self._dependencies.backoff(pending.attempts)
        if pause > 0:
            self._queues.delay(pending, self._clock.steady + pause)
        else:
            self._queues.ready.append(pending)
        return None


def _command_id_of(deadline: Deadline) -> str:
    """The command id under which a deadline is reached, so that it is reached once."""
    return f"deadline:{deadline.deadline_id}"


def _unwritten(decided: Decided) -> Outcome:
    """The outcome of a decision without a commit: a refusal that is not recorded, or a deadline without effect."""
    if decided.refused is None:
        return Outcome("duplicate", order=decided.order)
    return refused(decided.refused, decided.verdict, decided.order)
