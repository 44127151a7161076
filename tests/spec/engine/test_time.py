"""Live time: deadlines fire once, never early, by the engine's clock and the log's together."""

from consumers.engine.engine import EngineLimits
from domain.events import DeadlineReached
from domain.instants import DAY, HOUR, MINUTE, SECOND
from tests.spec.engine.desk import BUYER, MORNING, SELLER, Desk, body, folded, names, place, ship, written

QUIET = EngineLimits(poll=0, schedule=10**15)
"""Do not schedule: deadlines are reached only by commands."""


def requested(desk: Desk) -> None:
    """Place an order and request its cancellation, which the seller has three days to answer."""
    engine = desk.engine(limits=QUIET)
    desk.answer(engine, place(paid=False))
    outcome = desk.answer(engine, body("RequestCancel", "ask", BUYER, request_id="r1", reason="other"))
    assert names(outcome) == ["CancelRequested"]


def deadlines(desk: Desk) -> list[tuple[str, int]]:
    """Return (deadline id, when it was recorded) in the order of the log."""
    return [
        (event.deadline_id, commit.recorded_at)
        for commit in desk.commits()
        for event in written(commit)
        if isinstance(event, DeadlineReached)
    ]


def test_a_deadline_that_is_past_is_reached_before_the_command_in_its_own_commit() -> None:
    desk = Desk(policy="auction-house")
    requested(desk)
    (engine,) = desk.engines
    desk.clock += 4 * DAY
    outcome = desk.answer(engine, body("ApproveCancel", "yes", SELLER, request_id="r1"))
    assert outcome.rule == "request-closed"
    assert deadlines(desk) == [("decide-1", desk.clock)]
    commit = next(commit for commit in desk.commits() if commit.command_id == "deadline:decide-1")
    assert commit.command_fingerprint is None
    assert commit.actor is not None and (commit.actor.kind, commit.actor.id) == ("system", "engine")
    reached = commit.streams[0].events[0]
    assert reached.occurred_at == MORNING + 3 * DAY


def test_deadlines_are_reached_in_the_order_in_which_they_are_due() -> None:
    desk = Desk(policy="auction-house")
    engine = desk.engine(limits=QUIET)
    desk.answer(engine, place(paid=False, quantity=3))
    desk.clock += 2 * DAY
    desk.answer(
        engine, body("RequestCancel", "ask", BUYER, request_id="r1", reason="other", lines=[{"line": 1, "quantity": 1}])
    )
    desk.clock += 30 * DAY
    desk.answer(engine, body("ConfirmPayment", "p", {"kind": "system", "id": "bank"}, amount="1"))
    assert [name for name, _ in deadlines(desk)] == ["unpaid-1"]


def test_at_exactly_its_due_instant_a_command_is_in_time() -> None:
    desk = Desk(policy="auction-house")
    requested(desk)
    (engine,) = desk.engines
    desk.clock = MORNING + 3 * DAY
    outcome = desk.answer(engine, body("ApproveCancel", "yes", SELLER, request_id="r1"))
    assert outcome.kind == "accepted"
    assert deadlines(desk) == []


def test_a_tick_is_written_only_where_the_deadline_lies_between_clock_and_log() -> None:
    desk = Desk(policy="auction-house")
    requested(desk)
    (engine,) = desk.engines
    desk.clock += 4 * DAY
    desk.answer(engine, body("ApproveCancel", "yes", SELLER, request_id="r1"))
    ticks = [commit for commit in desk.commits() if commit.streams[0].stream == "$tick"]
    assert len(ticks) == 1
    assert written(ticks[0]) == []
    desk.answer(engine, ship("s1", 1))
    assert len([commit for commit in desk.commits() if commit.streams[0].stream == "$tick"]) == 1


def test_a_clock_ahead_of_the_log_does_not_fire_deadlines_early() -> None:
    desk = Desk(policy="auction-house")
    requested(desk)
    (engine,) = desk.engines
    desk.clock = MORNING + 3 * DAY - SECOND
    outcome = desk.answer(engine, body("ApproveCancel", "yes", SELLER, request_id="r1"), now=MORNING + 3 * DAY + SECOND)
    assert outcome.kind == "accepted"
    assert outcome.commit_position is not None and outcome.commit_position.recorded_at == desk.clock
    assert deadlines(desk) == []


def test_a_clock_behind_the_log_does_not_fire_deadlines_early() -> None:
    desk = Desk(policy="auction-house")
    requested(desk)
    (engine,) = desk.engines
    desk.clock = MORNING + 3 * DAY + SECOND
    outcome = desk.answer(engine, body("ApproveCancel", "yes", SELLER, request_id="r1"), now=MORNING + 3 * DAY)
    assert outcome.kind == "accepted"
    assert deadlines(desk) == []


def test_the_scheduler_fires_an_untouched_deadline_once_for_all_processes() -> None:
    desk = Desk(policy="auction-house")
    one, other = desk.engine(), desk.engine()
    desk.answer(one, place(paid=False))
    desk.clock += 4 * DAY
    desk.run()
    assert deadlines(desk) == []
    desk.clock += 1
    for engine in (one, other):
        engine.schedule(desk.clock)
        engine.work(desk.clock)
    desk.run()
    assert [name for name, _ in deadlines(desk)] == ["unpaid-1"]
    assert folded(one).order == folded(other).order
    order = folded(one).order
    assert order is not None and order.lines[1].canceled == 10
    ticks = len(desk.commits())
    desk.clock += DAY
    desk.run()
    assert len(desk.commits()) == ticks


def test_the_scheduler_knows_deadlines_of_orders_that_it_never_saw_alive() -> None:
    desk = Desk(policy="auction-house")
    requested(desk)
    desk.clock += 5 * DAY
    fresh = desk.engine()
    desk.run()
    assert [name for name, _ in deadlines(desk)] == ["decide-1"]
    assert folded(fresh).order is not None


def test_a_deadline_named_by_a_command_is_reached_once_and_moot_afterwards() -> None:
    desk = Desk(policy="auction-house")
    requested(desk)
    (engine,) = desk.engines
    early = desk.answer(engine, body("ReachDeadline", "d1", {"kind": "system", "id": "cron"}, deadline_id="decide-1"))
    assert (early.kind, early.original, early.commit_position) == ("duplicate", None, None)
    desk.clock += 4 * DAY
    late = desk.answer(engine, body("ReachDeadline", "d1", {"kind": "system", "id": "cron"}, deadline_id="decide-1"))
    assert (late.kind, late.original) == ("duplicate", None)
    assert [name for name, _ in deadlines(desk)] == ["decide-1"]


def test_an_engine_whose_clock_is_off_decides_nothing_until_it_is_right_again() -> None:
    desk = Desk()
    engine = desk.engine()
    desk.answer(engine, place())
    wrong = desk.answer(engine, ship("s1", 1), now=desk.clock + MINUTE)
    assert wrong.kind == "accepted"  # it could not know before its own record was back
    assert wrong.commit_position is not None
    off = desk.answer(engine, ship("s2", 1), now=desk.clock + MINUTE)
    assert (off.kind, off.rule) == ("unavailable", "clock-off")
    again = desk.answer(engine, ship("s1", 1), now=desk.clock + MINUTE)
    assert again.original == wrong
    desk.clock += HOUR
    right = desk.answer(engine, ship("s2", 1))
    assert (right.kind, right.rule) == ("refused", "auto-canceled-is-final")


def test_a_slow_answer_is_no_wrong_clock() -> None:
    desk = Desk(auto=False)
    engine = desk.engine()
    future = desk.send(engine, place())
    desk.run()
    desk.clock += HOUR
    desk.log.settle()
    desk.run()
    assert future.result(0).kind == "accepted"
    desk.log.auto = True
    assert desk.answer(engine, ship("s1", 10)).kind == "accepted"
