"""When and how the engine answers: after read-back, once, and the same to a repeated command."""

from typing import Any

import pytest

from consumers.engine.background_tasks import Interrupted
from consumers.engine.engine import EngineLimits
from consumers.engine.order_cache import OrderCache
from domain.commands import parse_command
from domain.events import CancelRefused, CommandRefused
from domain.policy import read_policy_toml
from tests.spec.engine.desk import (
    BUYER,
    LIMITS,
    MORNING,
    SELLER,
    SYSTEM,
    Desk,
    body,
    folded,
    names,
    place,
    ship,
    written,
)


def test_a_command_is_acknowledged_only_after_it_was_read_back() -> None:
    desk = Desk(auto=False)
    engine = desk.engine()
    future = desk.send(engine, place())
    desk.run()
    assert not future.done()
    desk.log.step(desk.log.flights[0])  # it is in the log, but nobody has been answered
    assert not future.done()
    engine.follow(0, desk.clock)
    outcome = future.result(0)
    assert outcome.kind == "accepted"
    assert names(outcome) == ["OrderPlaced", "PaymentReceived"]
    assert outcome.commit_position is not None
    assert (outcome.commit_position.partition, outcome.commit_position.ordinal, outcome.commit_position.position) == (
        0,
        0,
        0,
    )
    assert outcome.commit_position.version == 2
    assert outcome.order is not None and outcome.order.lines[1].open == 10


def test_the_answer_of_an_append_alone_answers_nobody() -> None:
    desk = Desk(auto=False)
    engine = desk.engine()
    future = desk.send(engine, place())
    desk.run()
    desk.log.settle()
    engine.send(desk.clock)
    assert not future.done()


def test_a_repeated_command_gets_the_first_answer_with_the_order_as_it_was() -> None:
    desk = Desk()
    engine = desk.engine()
    first = desk.answer(engine, place())
    desk.answer(engine, ship("s1", 3))
    again = desk.answer(engine, place())
    assert again.kind == "duplicate"
    assert again.original == first
    assert again.effective == first
    assert again.order is not None and again.order.lines[1].shipped == 0
    assert len(desk.commits()) == 2


def test_a_refusal_is_repeated_after_a_restart_that_lost_everything() -> None:
    desk = Desk()
    engine = desk.engine()
    desk.answer(engine, place())
    desk.answer(engine, ship("s1", 3))
    first = desk.answer(engine, ship("s2", 1))
    assert (first.kind, first.rule) == ("refused", "auto-canceled-is-final")
    fresh = desk.engine()
    again = desk.answer(fresh, ship("s2", 1))
    assert again.kind == "duplicate"
    assert again.original == first


def test_a_duplicate_can_be_had_without_the_first_outcome() -> None:
    desk = Desk()
    engine = desk.engine()
    desk.answer(engine, place())
    again = desk.answer(engine, place(), rebuild=False)
    assert (again.kind, again.original) == ("duplicate", None)


def test_another_body_under_the_same_command_id_is_bad() -> None:
    desk = Desk()
    engine = desk.engine()
    desk.answer(engine, place())
    outcome = desk.answer(engine, place(quantity=9))
    assert (outcome.kind, outcome.rule, outcome.pointer) == ("bad", "command-id-reused", "/command_id")
    assert len(desk.commits()) == 1


def test_a_retry_may_have_another_time_and_another_text() -> None:
    desk = Desk()
    engine = desk.engine()
    desk.answer(engine, place())
    ask = body("SendMessage", "m", BUYER, message_id="m1", to="seller", text="hello")
    first = desk.answer(engine, ask)
    again = desk.answer(engine, {**ask, "at": "2026-03-02T11:00:00Z", "text": "hello!"})
    assert again.original == first
    assert len(desk.vault.sealed) == 1


def test_a_command_that_changes_nothing_leaves_its_empty_commit() -> None:
    desk = Desk()
    engine = desk.engine()
    desk.answer(engine, place())
    outcome = desk.answer(engine, place("again"))
    assert (outcome.kind, names(outcome)) == ("accepted", [])
    assert outcome.commit_position is not None and outcome.commit_position.version == 2
    assert desk.answer(engine, place("again")).original == outcome


@pytest.mark.parametrize(
    ("command", "rule"),
    [
        (ship("x", 1, order="acme/PO-9"), "no-such-order"),
        (ship("x", 1) | {"actor": {"kind": "seller", "id": "s-2"}}, "not-yours"),
        (ship("x", 1) | {"actor": BUYER}, "not-yours"),
    ],
)
def test_a_command_on_somebody_elses_order_leaves_nothing_behind(command: dict[str, Any], rule: str) -> None:
    desk = Desk()
    engine = desk.engine()
    desk.answer(engine, place())
    outcome = desk.answer(engine, command)
    assert (outcome.kind, outcome.rule, outcome.commit_position, outcome.order) == ("refused", rule, None, None)
    assert len(desk.commits()) == 1


def test_a_stranger_does_not_hear_the_answer_of_somebody_elses_command() -> None:
    desk = Desk()
    engine = desk.engine()
    desk.answer(engine, place())
    desk.answer(engine, ship("s1", 10))
    outcome = desk.answer(engine, ship("s1", 10) | {"actor": {"kind": "seller", "id": "s-2"}})
    assert (outcome.kind, outcome.rule) == ("refused", "not-yours")


def test_no_such_order_is_answered_only_after_the_log_was_read_to_its_end() -> None:
    desk = Desk()
    one, other = desk.engine(), desk.engine()
    desk.send(one, place())
    desk.run(one)
    future = desk.send(other, ship("s1", 10))
    other.take(desk.clock)
    other.work(desk.clock)
    assert not future.done()
    desk.run(other)
    assert future.result(0).kind == "accepted"


def test_if_match_compares_the_number_of_events() -> None:
    desk = Desk()
    engine = desk.engine()
    desk.answer(engine, place())
    conflict = desk.answer(engine, ship("s1", 10), expected_version=1)
    assert (conflict.kind, conflict.commit_position) == ("version-conflict", None)
    assert conflict.order is not None and conflict.order.version == 2
    assert desk.answer(engine, ship("s1", 10), expected_version=2).kind == "accepted"
    assert desk.answer(engine, ship("s1", 10), expected_version=2).kind == "duplicate"


def test_a_command_that_does_not_fit_the_order_is_bad_and_leaves_nothing() -> None:
    desk = Desk()
    engine = desk.engine()
    desk.answer(engine, place(currency="JPY", lines=[{"line": 1, "sku": "A", "quantity": 1, "unit_price": "10"}]))
    outcome = desk.answer(engine, body("ConfirmPayment", "p", SYSTEM, amount="1.50"))
    assert (outcome.kind, outcome.pointer) == ("bad", "/amount")
    assert len(desk.commits()) == 1


def test_a_refused_command_is_recorded_with_its_verdict() -> None:
    desk = Desk()
    engine = desk.engine()
    desk.answer(engine, place())
    outcome = desk.answer(engine, body("ApproveCancel", "a", SELLER, request_id="r9"))
    assert (outcome.kind, outcome.rule) == ("refused", "no-such-request")
    assert isinstance(outcome.events[0][0], CommandRefused)
    assert outcome.verdict is not None and outcome.message == outcome.verdict.because


def test_a_refused_request_is_answered_with_the_refusals_verdict() -> None:
    desk = Desk()
    engine = desk.engine()
    desk.answer(engine, place())
    desk.answer(engine, ship("s1", 10))
    outcome = desk.answer(engine, body("RequestCancel", "r", BUYER, request_id="r1", reason="other"))
    refusal = outcome.events[1][0]
    assert isinstance(refusal, CancelRefused)
    assert (outcome.kind, outcome.rule, outcome.verdict) == ("refused", "shipped-lock", refusal.verdict)


@pytest.mark.rule("cancel-is-final")
def test_a_confirmation_is_required_before_the_commit_and_uses_up_nothing() -> None:
    desk = Desk()
    engine = desk.engine()
    desk.answer(engine, place())
    command = ship("s1", 3)
    stale = desk.answer(engine, command, confirm=lambda order, command, decided: "look again")
    assert (stale.kind, stale.rule, stale.message, stale.commit_position) == (
        "refused",
        "cancel-is-final",
        "look again",
        None,
    )
    assert len(desk.commits()) == 1
    assert desk.answer(engine, command, confirm=lambda order, command, decided: None).kind == "accepted"
    refused = desk.answer(engine, ship("s2", 3), confirm=lambda order, command, decided: "never asked")
    assert refused.rule == "auto-canceled-is-final"


def test_a_text_goes_to_the_vault_before_the_commit() -> None:
    desk = Desk()
    engine = desk.engine()
    desk.answer(engine, place())
    ask = body("SendMessage", "m", BUYER, message_id="m1", to="seller", text="my address is …")
    desk.vault.locked = True
    outcome = desk.answer(engine, ask)
    assert (outcome.kind, outcome.rule) == ("unavailable", "vault-unavailable")
    assert len(desk.commits()) == 1
    desk.vault.locked = False
    assert desk.answer(engine, ask).kind == "accepted"
    assert desk.vault.sealed == [("acme", "b-1", "my address is …")]
    assert b"my address" not in desk.log.records[0][-1].value


def test_the_commit_records_who_when_and_in_which_larger_work() -> None:
    desk = Desk()
    engine = desk.engine()
    desk.answer(engine, place(correlation_id="batch-7"))
    (commit,) = desk.commits()
    assert commit.actor is not None and (commit.actor.kind, commit.actor.id) == ("system", "checkout")
    assert (commit.correlation_id, commit.causation_id, commit.writer) == ("batch-7", None, "engine")
    assert commit.recorded_at == MORNING
    assert commit.command_fingerprint == parse_command(place()).fingerprint


def test_live_the_clients_at_does_not_decide() -> None:
    desk = Desk()
    engine = desk.engine()
    outcome = desk.answer(engine, place(at="2020-01-01T00:00:00Z"))
    assert outcome.commit_position is not None and outcome.commit_position.recorded_at == MORNING


def test_recorded_at_never_goes_back_on_an_order() -> None:
    desk = Desk()
    engine = desk.engine()
    desk.answer(engine, place())
    outcome = desk.answer(engine, ship("s1", 10), now=MORNING - 3_000_000)
    assert outcome.commit_position is not None and outcome.commit_position.recorded_at == MORNING


def test_a_defect_is_answered_to_its_command_and_others_continue() -> None:
    desk = Desk()
    engine = desk.engine()
    desk.answer(engine, place())
    defect = desk.send(engine, place(order="broken/PO-1"))
    waits = desk.send(engine, ship("s1", 1, order="broken/PO-1"))
    fine = desk.send(engine, ship("s1", 10))
    desk.markets["broken"] = None  # type: ignore[assignment]
    desk.run()
    assert isinstance(defect.exception(0), AttributeError)
    assert waits.result(0).rule == "no-such-order"
    assert fine.result(0).kind == "accepted"


def test_queries_run_in_the_engines_own_turn() -> None:
    desk = Desk()
    engine = desk.engine()
    desk.answer(engine, place())
    command = engine.call(lambda it: folded(it).count)
    assert not command.done()
    desk.run()
    assert command.result(0) == 2
    broken = engine.call(lambda it: it.orders.original_outcome(0, "acme/PO-1", 99))
    desk.run()
    assert isinstance(broken.exception(0), LookupError)


def test_an_order_can_be_read_as_of_an_instant() -> None:
    desk = Desk()
    engine = desk.engine()
    desk.answer(engine, place())
    desk.clock += 60_000_000
    desk.answer(engine, ship("s1", 3))
    then = engine.orders.as_of(0, "acme/PO-1", MORNING)
    assert then.order is not None and then.order.lines[1].open == 10
    now = engine.orders.as_of(0, "acme/PO-1", desk.clock)
    assert now.order == folded(engine).order


def test_a_command_beyond_the_waiting_limit_is_refused_at_once() -> None:
    desk = Desk()
    engine = desk.engine(limits=EngineLimits(poll=0, waiting=2))
    command = [desk.send(engine, place(f"p{n}", f"acme/PO-{n}")) for n in range(3)]
    assert command[2].result(0).rule == "busy"
    desk.run()
    assert [future.result(0).kind for future in command] == ["accepted", "accepted", "unavailable"]


def test_closing_answers_everything_that_is_open() -> None:
    desk = Desk(auto=False)
    engine = desk.engine(limits=EngineLimits(poll=0, in_flight=2))
    sent = desk.send(engine, place())
    behind = desk.send(engine, ship("s1", 10))
    waiting = desk.send(engine, place("p2", "acme/PO-2"))
    desk.run()
    engine.close()
    assert sent.result(0).kind == "unknown"
    assert (behind.result(0).kind, behind.result(0).rule) == ("unavailable", "closing")
    assert waiting.result(0).rule == "closing"
    assert desk.send(engine, place("p3", "acme/PO-3")).result(0).rule == "closing"
    assert engine.call(lambda it: it).cancelled()


def test_closing_ends_every_errand() -> None:
    desk = Desk(auto=False, policy="auction-house")
    engine = desk.engine()
    placed = desk.send(engine, place(paid=False))
    desk.run()
    desk.log.settle()
    desk.run()
    assert placed.result(0).kind == "accepted"
    opening = engine.open_import("acme", bytes(32))
    sweeping = engine.reach("acme", MORNING + 400_000_000_000_000)
    desk.run()
    never_begun = engine.publish(read_policy_toml('id = "p"\nversion = 1\nrules = ["shipped-lock"]\n'))
    engine.close()
    assert isinstance(opening.exception(0), Interrupted)
    assert isinstance(sweeping.exception(0), Interrupted)
    assert never_begun.cancelled()


def test_an_outcome_unknown_at_closing_is_found_by_its_command_id() -> None:
    desk = Desk(auto=False)
    engine = desk.engine()
    sent = desk.send(engine, place())
    desk.run()
    engine.close()
    assert sent.result(0).kind == "unknown"
    desk.log.settle()
    desk.log.auto = True
    after = desk.engine()
    assert desk.answer(after, place()).kind == "duplicate"
    assert len(desk.commits()) == 1


def test_a_command_that_the_journal_refused_can_be_sent_again() -> None:
    desk = Desk()
    engine = desk.engine()
    desk.fates = ["refused"]
    refused = desk.answer(engine, place())
    assert (refused.kind, refused.rule) == ("unavailable", "journal-unavailable")
    assert desk.answer(engine, place()).kind == "accepted"
    assert len(written(desk.commits()[0])) == 2


def test_an_answer_that_was_lost_is_settled_and_nothing_is_written_twice() -> None:
    desk = Desk()
    engine = desk.engine()
    desk.fates = ["answer-lost"]
    assert desk.answer(engine, place()).kind == "accepted"
    desk.fates = ["lost"]
    assert desk.answer(engine, ship("s1", 3)).kind == "accepted"
    shipped = [commit for commit in desk.commits() if commit.command_id == "s1"]
    assert len(shipped) == 1
    fences = [commit for commit in desk.commits() if commit.command_id is None]
    assert fences and all(not written(commit) for commit in fences)


def test_a_commit_that_arrives_late_behind_its_fence_never_happened() -> None:
    desk = Desk()
    engine = desk.engine()
    desk.answer(engine, place())
    desk.fates = ["delayed"]
    outcome = desk.answer(engine, ship("s1", 3))
    assert outcome.kind == "accepted"
    desk.log.settle()
    desk.run()
    assert folded(engine).order == outcome.order
    assert engine.orders.load(0, "acme/PO-1").order == outcome.order
    assert isinstance(engine.orders, OrderCache)


def test_an_idle_engine_returns_how_long_it_may_sleep() -> None:
    desk = Desk()
    engine = desk.engine(limits=EngineLimits(poll=20_000, schedule=10**12))
    desk.run()
    assert 0 < engine.pause() <= 20_000
    desk.send(engine, place())
    assert engine.pause() == 0
    assert engine.in_flight == 1
    desk.run()
    assert engine.in_flight == 0
    assert engine.caught_up
    assert LIMITS.in_flight == 1024
