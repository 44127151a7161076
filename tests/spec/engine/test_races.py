"""Stream queues and races: an order has one command in progress per process, and one process wins each head."""

from consumers.engine.engine import EngineLimits
from schemas.commit import Commit
from tests.spec.engine.desk import BUYER, SELLER, SYSTEM, Desk, body, folded, names, place, ship, written


def test_commands_of_one_order_are_decided_one_behind_the_other() -> None:
    desk = Desk()
    engine = desk.engine()
    futures = [desk.send(engine, each) for each in (place(), ship("s1", 3), ship("s2", 3))]
    engine.take(desk.clock)
    engine.work(desk.clock)
    assert not futures[0].done()
    desk.run()
    assert [(future.result(0).kind, future.result(0).rule) for future in futures] == [
        ("accepted", None),
        ("accepted", None),
        ("refused", "auto-canceled-is-final"),
    ]
    ordinals = [future.result(0).commit_position for future in futures]
    assert [position.ordinal for position in ordinals if position] == [0, 1, 2]


def test_many_orders_are_on_their_way_in_one_record() -> None:
    desk = Desk()
    engine = desk.engine()
    futures = [desk.send(engine, place(order=f"acme/PO-{number}")) for number in range(100)]
    desk.run()
    assert all(future.result(0).kind == "accepted" for future in futures)
    assert len(desk.log.records[0]) == 1


def test_no_more_appends_than_the_limit_are_under_way() -> None:
    desk = Desk(auto=False)
    engine = desk.engine(limits=EngineLimits(poll=0, in_flight=10))
    for number in range(25):
        desk.send(engine, place(order=f"acme/PO-{number}"))
    desk.run()
    assert engine.in_flight == 25
    assert sum(flight.record.count(b"OrderPlaced") for flight in desk.log.flights) == 10
    while desk.log.flights:
        desk.log.settle()
        desk.run()
    assert engine.in_flight == 0


def test_the_same_command_at_two_processes_is_done_once_and_both_hear_the_same() -> None:
    desk = Desk()
    one, other = desk.engine(), desk.engine()
    first, second = desk.send(one, place()), desk.send(other, place())
    for engine, now in ((one, desk.clock), (other, desk.clock + 1)):
        engine.take(now)
        engine.work(now)
        engine.send(now)
    desk.run()
    assert first.result(0).kind == "accepted"
    assert second.result(0).kind == "duplicate"
    assert second.result(0).original == first.result(0)


def test_two_processes_that_decide_the_very_same_bytes_have_decided_one_thing() -> None:
    desk = Desk()
    one, other = desk.engine(), desk.engine()
    futures = [desk.send(engine, place()) for engine in (one, other)]
    for engine in (one, other):
        engine.take(desk.clock)
        engine.work(desk.clock)
        engine.send(desk.clock)
    desk.run()
    assert futures[0].result(0).effective == futures[1].result(0).effective
    assert folded(one).count == folded(other).count == 2


def test_of_ship_and_cancel_the_one_admitted_first_wins_and_the_other_is_refused_by_it() -> None:
    desk = Desk()
    one, other = desk.engine(), desk.engine()
    desk.answer(one, place())
    desk.run()
    shipping = desk.send(one, ship("s1", 10))
    canceling = desk.send(other, body("CancelLines", "c1", SELLER, lines=[1], reason="out_of_stock"))
    for engine in (one, other):
        engine.take(desk.clock)
        engine.work(desk.clock)
    other.send(desk.clock)
    desk.run()
    assert canceling.result(0).kind == "accepted"
    lost = shipping.result(0)
    assert (lost.kind, lost.rule, names(lost)) == ("refused", "cancel-is-final", ["ShipmentRefused"])
    superseded = [commit for commit in desk.commits() if commit.command_id == "s1"]
    assert list(map(_kinds, superseded)) == [["LineShipped"], ["ShipmentRefused"]]
    assert folded(one).order == folded(other).order


def _kinds(commit: Commit) -> list[str]:
    return [type(event).__name__ for event in written(commit)]


def test_a_command_that_loses_every_race_gives_up_and_writes_nothing() -> None:
    desk = Desk()
    engine, rival = desk.engine(limits=EngineLimits(poll=0, schedule=10**12, tries=3)), desk.engine()
    desk.answer(engine, place())
    desk.run()
    future = desk.send(engine, ship("s1", 10))
    for number in range(10):
        engine.take(desk.clock)
        engine.work(desk.clock)
        message = body("SendMessage", f"m{number}", BUYER, message_id=f"m{number}", to="seller", text="?")
        desk.answer(rival, message)
        engine.send(desk.clock)
        engine.follow(0, desk.clock)
        if future.done():
            break
    assert (future.result(0).kind, future.result(0).rule) == ("unavailable", "contended")
    desk.run()
    assert folded(rival).order is not None and "s1" not in folded(rival).answered


def test_between_two_tries_a_pause_lets_others_get_on() -> None:
    desk = Desk()
    pauses: list[int] = []

    def backoff(attempt: int) -> int:
        pauses.append(attempt)
        return 1000 * attempt

    engine, rival = desk.engine(backoff=backoff), desk.engine()
    desk.answer(engine, place())
    desk.run()
    future = desk.send(engine, ship("s1", 10))
    engine.take(desk.clock)
    engine.work(desk.clock)
    desk.answer(rival, body("ConfirmPayment", "p", SYSTEM, amount="1"))
    desk.run()
    assert not future.done()
    assert pauses == [1]
    desk.clock += 999
    desk.run()
    assert not future.done()
    desk.clock += 1
    desk.run()
    assert future.result(0).kind == "accepted"


def test_a_pause_ends_although_the_clock_was_set_back() -> None:
    desk = Desk()
    engine, rival = desk.engine(backoff=lambda attempt: 1000), desk.engine()
    desk.answer(engine, place())
    desk.run()
    future = desk.send(engine, ship("s1", 10))
    engine.take(desk.clock + 4_000_000)
    engine.work(desk.clock + 4_000_000)
    desk.answer(rival, body("ConfirmPayment", "p", SYSTEM, amount="1"))
    desk.run(now=desk.clock + 4_000_000)
    assert not future.done()
    desk.run(engine, now=desk.clock)
    desk.clock += 1000
    desk.run()
    assert future.result(0).kind == "accepted"


def test_a_zombies_commit_is_superseded_and_harmless() -> None:
    desk = Desk()
    zombie, other = desk.engine(), desk.engine()
    desk.answer(other, place())
    zombie.follow(0, desk.clock)
    late = desk.send(zombie, ship("late", 3))
    zombie.take(desk.clock)
    zombie.work(desk.clock)
    desk.answer(other, ship("s1", 10))
    desk.clock += 3_600_000_000
    desk.run()
    assert (late.result(0).kind, late.result(0).rule) == ("refused", "ships-more-than-open")
    assert folded(zombie).order == folded(other).order


def test_orders_evicted_from_the_cache_are_loaded_unchanged() -> None:
    desk = Desk()
    engine = desk.engine(limits=EngineLimits(poll=0, orders=3))
    for number in range(8):
        desk.answer(engine, place(order=f"acme/PO-{number}"))
        desk.answer(engine, ship("s1", 3, order=f"acme/PO-{number}"))
    for number in range(8):
        outcome = desk.answer(engine, ship("s2", 1, order=f"acme/PO-{number}"))
        assert outcome.rule == "auto-canceled-is-final"
        assert folded(engine, f"acme/PO-{number}").order == outcome.order


def test_an_order_loaded_ahead_of_the_notified_commits_is_not_folded_twice() -> None:
    desk = Desk()
    writer, reader = desk.engine(), desk.engine(limits=EngineLimits(poll=0, batch=500))
    desk.answer(writer, place())
    desk.answer(writer, ship("s1", 3))
    reader.follow(0, desk.clock)
    before = folded(reader)
    desk.answer(writer, body("ConfirmPayment", "p", SYSTEM, amount="1"))
    reader.follow(0, desk.clock)
    assert folded(reader) == folded(writer)
    assert before.count == folded(writer).count
