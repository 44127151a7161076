"""Partitions that an engine takes up and gives up while commands are on their way."""

import random
import threading
from concurrent.futures import Future
from typing import Any

import pytest

from consumers.engine.background_tasks import Interrupted
from consumers.engine.engine import MAX_AGE, Engine
from consumers.engine.outcome import Outcome
from consumers.log.follower import Follower
from consumers.ports.journal import JournalRecord, JournalUnavailable
from consumers.ports.local_state import LocalState
from infra.local_state import memory_local_state
from tests.spec.engine.desk import SYSTEM, Desk, body, folded, place, ship

PARTITIONS = 3


def sharing(desk: Desk, *partitions: int) -> Engine:
    """Start one more engine, which follows only these partitions."""
    number = len(desk.log.records)
    engine = desk.engine(states={partition: memory_local_state(partition, number) for partition in range(number)})
    for partition in range(number):
        if partition not in partitions:
            engine.revoke(partition)
    desk.run(engine)
    assert set(engine.followers) == set(partitions)
    return engine


def assign(desk: Desk, engine: Engine, partition: int, state: LocalState | None = None) -> LocalState:
    state = state or memory_local_state(partition, len(desk.log.records))
    taken = engine.assign(partition, state)
    desk.run(engine)
    assert taken.result(0) is None
    return state


def order_in(engine: Engine, partition: int, number: int = 0) -> str:
    found = [f"acme/PO-{n}" for n in range(400) if engine.partition(f"acme/PO-{n}") == partition]
    return found[number]


def test_a_command_of_an_unfollowed_partition_is_refused_and_decided_once_it_is_assigned() -> None:
    desk = Desk(PARTITIONS)
    engine = sharing(desk, 0)
    order = order_in(engine, 1)
    outcome = desk.answer(engine, place(order=order))
    assert (outcome.kind, outcome.rule) == ("unavailable", "not-followed")
    assign(desk, engine, 1)
    assert desk.answer(engine, place(order=order)).kind == "accepted"
    assert set(engine.followers) == {0, 1}


def test_a_partition_is_followed_to_its_end_before_its_commands_are_answered() -> None:
    desk = Desk(PARTITIONS)
    writer = desk.engine()
    order = order_in(writer, 1)
    desk.answer(writer, place(order=order))
    desk.answer(writer, ship("s1", 4, order=order))
    engine = sharing(desk, 0)
    taken = engine.assign(1, memory_local_state(1, PARTITIONS))
    sent = desk.send(engine, ship("s1", 4, order=order))
    engine.take(desk.clock)
    engine.work(desk.clock)
    assert not taken.done() and not sent.done()
    assert not engine.caught_up
    desk.run(engine)
    assert taken.result(0) is None
    assert engine.caught_up
    assert sent.result(0).kind == "duplicate"
    assert sent.result(0).effective.commit_position is not None


def test_an_append_under_way_when_its_partition_is_revoked_is_answered() -> None:
    desk = Desk(PARTITIONS, auto=False)
    engine = desk.engine()
    order, other = order_in(engine, 1), order_in(engine, 2)
    sent = desk.send(engine, place(order=order))
    behind = desk.send(engine, ship("s1", 1, order=order))
    elsewhere = desk.send(engine, place(order=other))
    desk.run(engine)
    given_up = engine.revoke(1)
    late = desk.send(engine, place("another", order=order_in(engine, 1, 1)))
    desk.run(engine)
    assert given_up.result(0) is None
    assert (sent.result(0).kind, sent.result(0).rule) == ("unknown", "not-followed")
    assert "ask again with the same command id" in sent.result(0).message
    assert [(each.result(0).kind, each.result(0).rule) for each in (behind, late)] == [
        ("unavailable", "not-followed")
    ] * 2
    assert not elsewhere.done()
    desk.log.settle()
    desk.run(engine)
    assert elsewhere.result(0).kind == "accepted"
    assign(desk, engine, 1)
    again = desk.send(engine, place(order=order))
    desk.run(engine)
    assert again.result(0).kind == "duplicate"


def test_a_reassigned_partition_is_followed_from_where_it_was_left() -> None:
    desk = Desk(PARTITIONS)
    engine = desk.engine()
    order = order_in(engine, 1)
    state = engine.followers[1].state
    desk.answer(engine, place(order=order))
    engine.revoke(1)
    desk.run(engine)
    assert engine.orders.peek(order) is None
    other = desk.engine()
    desk.answer(other, ship("s1", 3, order=order))
    before = state.next_offset
    assign(desk, engine, 1, state)
    assert state.next_offset > before > 0
    current = folded(engine, order).order
    assert current is not None and current.lines[1].shipped == 3


def test_deadlines_of_a_partition_that_was_taken_up_fire() -> None:
    desk = Desk(PARTITIONS, policy="peer-to-peer")
    first = desk.engine()
    order = order_in(first, 1)
    desk.answer(first, place(order=order, policy="auction-house", paid=False))
    first.revoke(1)
    desk.run(first)
    engine = sharing(desk, 0)
    desk.clock += 30 * 86_400_000_000
    desk.run()
    state = memory_local_state(1, PARTITIONS)
    followed = Follower(desk.log.journal("before"), 1, state)  # by somebody who sets no deadlines
    followed.start()
    while followed.advance():
        pass
    assign(desk, engine, 1, state)
    desk.run(engine)
    current = folded(engine, order).order
    assert current is not None and current.lines[1].canceled == 10
    assert state.due_before(desk.clock, 10) == []


def test_two_that_follow_the_same_partition_harm_nobody() -> None:
    desk = Desk(PARTITIONS)
    first, second = desk.engine(), sharing(desk, 0)
    assign(desk, second, 1)
    order = order_in(first, 1)
    desk.answer(first, place(order=order))
    sent = [desk.send(engine, ship("s", 10, order=order)) for engine in (first, second)]
    desk.run()
    assert sorted(each.result(0).kind for each in sent) == ["accepted", "duplicate"]
    for engine in (first, second):
        current = folded(engine, order).order
        assert current is not None and current.lines[1].shipped == 10
        assert folded(engine, order).head == folded(first, order).head


def test_a_partition_that_lost_acknowledged_records_is_stopped_when_it_is_assigned() -> None:
    desk = Desk(PARTITIONS)
    engine = desk.engine()
    order = order_in(engine, 1)
    desk.answer(engine, place(order=order))
    state = engine.followers[1].state
    engine.revoke(1)
    desk.run(engine)
    desk.log.truncate(1, 0)
    assign(desk, engine, 1, state)
    assert list(engine.stopped) == [1]
    assert desk.answer(engine, place("again", order=order)).rule == "partition-stopped"
    engine.revoke(1)
    desk.run(engine)
    assert not engine.stopped and engine.trouble == {}
    assert desk.answer(engine, place("again", order=order)).rule == "not-followed"


def test_a_log_that_cannot_be_read_leaves_nothing_taken_up() -> None:
    desk = Desk(PARTITIONS)
    engine = sharing(desk, 0)
    journal = desk.journals[-1]
    end = journal.end

    def away(partition: int) -> int:
        raise JournalUnavailable("the broker is away")

    journal.end = away  # type: ignore[method-assign]
    taken = engine.assign(1, memory_local_state(1, PARTITIONS))
    engine.step(desk.clock)
    with pytest.raises(JournalUnavailable):
        taken.result(0)
    assert set(engine.followers) == {0}
    journal.end = end  # type: ignore[method-assign]
    assign(desk, engine, 1)


def test_a_closing_engine_answers_commands_that_wait_for_a_partition() -> None:
    desk = Desk(PARTITIONS)
    desk.answer(desk.engine(), place(order=order_in(desk.engines[0], 1)))
    engine = sharing(desk, 0)
    taken = engine.assign(1, memory_local_state(1, PARTITIONS))
    waits = desk.send(engine, place("p2", order=order_in(engine, 1, 1)))
    engine.take(desk.clock)
    engine.close()
    assert isinstance(taken.exception(0), Interrupted)
    assert waits.result(0).rule == "closing"


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_lost_or_done_twice_while_partitions_move_under_load(seed: int) -> None:
    """Two engines hand partitions to and fro, now and then both or neither follow one, while every command is sent to
    both until it has a final answer."""
    chance = random.Random(seed)
    desk = Desk(PARTITIONS, auto=False)
    engines = [desk.engine(), desk.engine()]
    states = [{p: follower.state for p, follower in engine.followers.items()} for engine in engines]
    orders = [order_in(engines[0], p, n) for p in range(PARTITIONS) for n in range(3)]
    wanted = {(order, "place"): place(order=order) for order in orders}
    wanted |= {(order, f"s{n}"): ship(f"s{n}", 2, order=order) for order in orders for n in range(4)}
    wanted |= {
        (order, "pay"): body("ConfirmPayment", "pay", SYSTEM, order, amount="5.00")
        for order in orders
        if chance.random() < 0.5
    }
    answers_by_key: dict[Any, list[Outcome]] = {key: [] for key in wanted}
    flying: list[tuple[Any, Future[Outcome]]] = []
    for _ in range(400):
        which = chance.randrange(2)
        engine, partition = engines[which], chance.randrange(PARTITIONS)
        match chance.randrange(6):
            case 0:
                engine.revoke(partition)
            case 1:
                engine.assign(partition, states[which][partition])
            case 2 | 3:
                key = chance.choice(list(wanted))
                flying.append((key, desk.send(engine, wanted[key])))
            case 4:
                if desk.log.flights:
                    desk.log.step(chance.choice(desk.log.flights))
            case _:
                engine.step(desk.clock)
    for which, engine in enumerate(engines):
        for partition in range(PARTITIONS):
            engine.assign(partition, states[which][partition])
    for _ in range(50):
        desk.log.settle()
        for engine in engines:
            engine.step(desk.clock)
    for key, future in flying:
        assert future.done(), "a future was never answered"
        answers_by_key[key].append(future.result(0))
    for key in wanted:
        future = desk.send(engines[0], wanted[key])
        while not future.done():
            desk.log.settle()
            engines[0].step(desk.clock)
        answers_by_key[key].append(future.result(0))
    for _ in range(20):
        desk.log.settle()
        desk.run()
    for key, answers in answers_by_key.items():
        hashes = {each.effective.commit_position.hash for each in answers if each.effective.commit_position is not None}
        assert len(hashes) <= 1, (key, answers)
        kinds = {each.kind for each in answers if each.effective.commit_position is None}
        assert kinds <= {"unknown", "unavailable", "refused", "bad"}, kinds
    for order in orders:
        seen = [folded(engine, order) for engine in engines]
        assert seen[0].head == seen[1].head
        current = seen[0].order
        assert current is not None
        if current.exists:
            line = current.lines[1]
            assert line.open + line.shipped + line.canceled == line.ordered


# ---- bounded answers ---------------------------------------------------------------------------------------------


def test_every_command_is_answered_in_time_though_a_read_of_the_log_never_returns() -> None:
    desk = Desk()
    engine = desk.engine()
    desk.answer(engine, place())
    journal, released, appended = desk.journals[0], threading.Event(), threading.Event()
    read = journal.read

    def blocks(partition: int, offset: int, limit: int) -> list[JournalRecord]:
        appended.set()
        released.wait(60)
        return read(partition, offset, limit)

    journal.read = blocks  # type: ignore[method-assign]
    begun = desk.send(engine, ship("s1", 10))
    loop = threading.Thread(target=desk.run, args=(engine,))
    loop.start()
    assert appended.wait(60)
    waiting = desk.send(engine, ship("s2", 1))
    for _ in range(MAX_AGE):
        engine.age()
    assert not begun.done() and not waiting.done()
    engine.age()
    for future in (begun, waiting):
        assert future.result(0).kind == "unknown"
        assert "ask again with the same command id" in future.result(0).message
    released.set()
    loop.join(60)
    assert desk.answer(engine, ship("s1", 10)).kind == "duplicate"
    assert desk.answer(engine, ship("s2", 1)).kind == "refused"


def test_a_command_that_is_answered_in_time_does_not_grow_old() -> None:
    desk = Desk()
    engine = desk.engine()
    for number in range(MAX_AGE * 2):
        assert desk.answer(engine, place(f"p{number}", order=f"acme/PO-{number}")).kind == "accepted"
        engine.age()
