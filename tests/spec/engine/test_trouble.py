"""The engine's behavior when the log, an event or local state is not as it should be."""

import sqlite3
from contextlib import closing
from pathlib import Path

from consumers.engine.background_tasks import Interrupted
from consumers.engine.engine import EngineLimits
from consumers.ports.journal import JournalUnavailable
from consumers.ports.local_state import LocalState, LocalStateDamaged, LocalStateUnavailable
from consumers.ports.log_values import Admitted, Rejected
from infra.local_state import open_local_state
from schemas.commit import Commit, EventEntry, StreamEntry, encode_commit
from schemas.record import encode_record
from tests.spec.engine.desk import BUYER, LIMITS, MORNING, Desk, body, folded, place, ship


def newer_event(desk: Desk, name: str = "TimeTravelled", data: bytes = b"\x02") -> None:
    """Append an event to acme/PO-1 that this release cannot read."""
    head = folded(desk.engines[0])
    part = StreamEntry("acme/PO-1", "chain", head.head, head.count, (EventEntry(0, name, 1, MORNING, data),))
    commit = Commit(1, b"\xaa" * 16, "future", None, None, None, None, MORNING, "newer", (part,))
    desk.log.journal("newer").append(0, b"acme/PO-1", encode_record("newer", [encode_commit(commit)]))


def test_an_event_that_cannot_be_read_makes_its_order_stuck_and_no_other() -> None:
    desk = Desk()
    engine = desk.engine()
    desk.answer(engine, place())
    desk.answer(engine, place(order="acme/PO-2"))
    newer_event(desk)
    desk.run()
    unreadable = desk.answer(engine, ship("s1", 1))
    assert (unreadable.kind, unreadable.rule) == ("unavailable", "order-stuck")
    assert "TimeTravelled" in unreadable.message
    order = folded(engine).order
    assert order is not None and order.lines[1].open == 10
    assert desk.answer(engine, ship("s1", 10, order="acme/PO-2")).kind == "accepted"
    assert desk.answer(desk.engine(), ship("s1", 1)).rule == "order-stuck"


def test_an_event_that_fits_no_history_makes_its_order_stuck() -> None:
    desk = Desk()
    engine = desk.engine()
    desk.answer(engine, place())
    newer_event(desk, "RefundConfirmed", b"\x10refund-9")
    desk.run()
    assert desk.answer(engine, ship("s1", 1)).rule == "order-stuck"
    assert "RefundConfirmed does not fit" in (folded(engine).unreadable or "")
    assert desk.answer(desk.engine(), ship("s1", 1)).rule == "order-stuck"


def test_an_unreadable_journal_is_reported_and_recovers() -> None:
    desk = Desk()
    engine = desk.engine()
    desk.answer(engine, place())
    journal = desk.journals[0]
    read, end = journal.read, journal.end

    def away(*_: int) -> int:
        raise JournalUnavailable("the broker is away")

    journal.read, journal.end = away, away  # type: ignore[method-assign,assignment]
    unknown = desk.send(engine, ship("s1", 10))
    nobody = desk.send(engine, ship("s1", 10, order="acme/PO-9"))
    desk.run()
    assert nobody.result(0).rule == "journal-unavailable"
    assert not unknown.done()
    assert engine.trouble == {0: "the broker is away"}
    assert not engine.caught_up
    journal.read, journal.end = read, end  # type: ignore[method-assign]
    desk.run()
    assert unknown.result(0).kind == "accepted"
    assert engine.trouble == {}
    assert engine.caught_up


def test_a_log_that_lost_acknowledged_records_stops_the_partition() -> None:
    desk = Desk(auto=False)
    engine = desk.engine()
    sent = desk.send(engine, place())
    desk.run()
    desk.log.settle()
    desk.run()
    assert sent.result(0).kind == "accepted"
    sent = desk.send(engine, ship("s1", 10))
    behind = desk.send(engine, ship("s2", 10))
    opening = engine.open_import("acme", bytes(32))
    desk.run()
    desk.log.truncate(0, 0)
    desk.run()
    assert (sent.result(0).kind, sent.result(0).rule) == ("unknown", "partition-stopped")
    assert (behind.result(0).kind, behind.result(0).rule) == ("unavailable", "partition-stopped")
    assert isinstance(opening.exception(0), Interrupted)
    later = desk.answer(engine, ship("s3", 10))
    assert (later.kind, later.rule) == ("unavailable", "partition-stopped")
    assert "offset" in later.message
    assert list(engine.stopped) == [0]
    order = folded(engine).order
    assert order is not None and order.lines[1].open == 10


def test_a_partition_whose_log_was_recreated_does_not_start_and_the_others_do() -> None:
    desk = Desk(partitions=2)
    engine = desk.engine()
    streams = [f"acme/PO-{number}" for number in range(6)]
    for stream in streams:
        desk.answer(engine, place(order=stream))
    states = {partition: follower.state for partition, follower in engine.followers.items()}
    del desk.log.records[0][-1:]
    again = desk.engine(states=states)
    assert list(again.stopped) == [0]
    for stream in streams:
        outcome = desk.answer(again, ship("s1", 10, order=stream))
        expected = "partition-stopped" if again.partition(stream) == 0 else None
        assert outcome.rule == expected


def test_local_state_that_cannot_be_written_now_is_tried_again() -> None:
    desk = Desk()
    engine = desk.engine()
    state = engine.followers[0].state
    flush = state.flush
    failures = [LocalStateUnavailable("the disk is full")] * 2

    def full(next_offset: int, next_index: int = 0) -> None:
        if failures:
            raise failures.pop()
        flush(next_offset, next_index)

    state.flush = full  # type: ignore[method-assign]
    future = desk.send(engine, place())
    engine.step(desk.clock)
    engine.follow(0, desk.clock)
    assert not future.done()
    assert engine.trouble == {0: "the disk is full"}
    desk.run()
    assert future.result(0).kind == "accepted"


def test_local_state_that_is_damaged_stops_the_partition() -> None:
    desk = Desk()
    engine = desk.engine()
    desk.answer(engine, place())
    state = engine.followers[0].state

    def broken(next_offset: int, next_index: int = 0) -> None:
        raise LocalStateDamaged("pages are missing; restart, and it is rebuilt")

    state.flush = broken  # type: ignore[method-assign]
    future = desk.send(engine, ship("s1", 10))
    desk.run()
    assert (future.result(0).kind, future.result(0).rule) == ("unknown", "partition-stopped")


def test_a_partition_that_somebody_else_follows_is_reported() -> None:
    desk = Desk(partitions=2)
    first = desk.engine()
    states = {0: first.followers[0].state}
    engine = desk.engine(states=states)
    others = next(f"acme/PO-{number}" for number in range(99) if engine.partition(f"acme/PO-{number}") == 1)
    outcome = desk.answer(engine, place(order=others))
    assert (outcome.kind, outcome.rule) == ("unavailable", "not-followed")


def test_a_body_that_is_larger_than_a_record_is_bad() -> None:
    desk = Desk()
    engine = desk.engine()
    lines = [
        {"line": n + 1, "sku": "S" * 200, "title": "T" * 1000, "quantity": 1, "unit_price": "1.00"} for n in range(1000)
    ]
    outcome = desk.answer(engine, place(lines=lines))
    assert (outcome.kind, outcome.rule) == ("bad", "too-large")
    assert desk.answer(engine, place()).kind == "accepted"


def test_an_unreadable_control_log_is_reported_and_recovers() -> None:
    desk = Desk()
    engine = desk.engine()
    journal = engine.control.journal
    read = journal.read

    def away(*_: int) -> list[object]:
        raise JournalUnavailable("the broker is away")

    journal.read = away  # type: ignore[method-assign,assignment]
    desk.run()
    assert engine.trouble == {None: "the broker is away"}
    journal.read = read  # type: ignore[method-assign]
    desk.run()
    assert engine.trouble == {}


def test_listeners_hear_every_commit_after_the_engine_has_taken_it_in() -> None:
    desk = Desk()
    engine = desk.engine()
    heard: list[tuple[str, int]] = []

    class Listener:
        def admitted(self, admitted: object) -> None:
            heard.append(("admitted", folded(engine).count))

        def rejected(self, rejected: object) -> None:
            heard.append(("rejected", folded(engine).count))

    engine._listeners = (Listener(),)
    desk.answer(engine, place())
    desk.fates = ["duplicated"]
    desk.answer(engine, body("SendMessage", "m", BUYER, message_id="m1", to="seller", text="?"))
    assert heard == [("admitted", 2), ("admitted", 3), ("rejected", 3)]
    assert EngineLimits() != LIMITS


class Hearing:
    """A listener that records the ordinals it is notified of, and how far local state was written then."""

    def __init__(self, state: LocalState) -> None:
        self.heard: list[tuple[int, int]] = []
        self._state = state

    def admitted(self, admitted: Admitted) -> None:
        self.heard.append((admitted.ordinal, self._state.stored_ordinal))

    def rejected(self, rejected: Rejected) -> None:
        raise AssertionError("nothing is rejected here")


def test_listeners_hear_of_a_commit_once_local_state_has_it_in_its_file(tmp_path: Path) -> None:
    desk = Desk()
    path = tmp_path / "state.sqlite"
    with closing(open_local_state(path, 0, 1, grouped=100).state) as state:
        engine = desk.engine(states={0: state})
        hearing = Hearing(state)
        engine.add_listener(hearing)
        assert desk.answer(engine, place()).kind == "accepted"
        assert hearing.heard == [(0, 1)]
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            state._connection.execute("PRAGMA busy_timeout=0")
            second = desk.send(engine, ship("c2", 10))
            while not second.done():
                engine.step(desk.clock)
            assert second.result().kind == "accepted", "the log has it: nobody need wait for the file"
            engine.write(desk.clock)
            assert engine.trouble
            assert hearing.heard == [(0, 1)]
            other.execute("ROLLBACK")
        desk.run(engine)
        assert hearing.heard == [(0, 1), (1, 2)]
        assert not engine.trouble
        assert desk.answer(engine, ship("c2", 10)).kind == "duplicate"
