"""Import: commands are history, with their own time. Nothing fires live for a marketplace while an import is open."""

from hashlib import sha256
from typing import Any

from consumers.engine.engine import IMPORT, IMPORT_LIVE, Engine
from consumers.engine.outcome import Outcome
from domain.events import DeadlineReached, ImportClosed, ImportOpened
from domain.instants import DAY, EARLIEST, format_instant, parse_instant
from tests.spec.engine.desk import BUYER, SELLER, SYSTEM, Desk, body, folded, names, place, ship, written

THEN = parse_instant("2017-05-02T10:00:00Z")
FILE = sha256(b"a commands file").digest()


def at(instant: int) -> dict[str, Any]:
    return {"at": format_instant(instant)}


def open_import(desk: Desk, engine: Engine, source: bytes = FILE) -> Outcome:
    future = engine.open_import("acme", source)
    desk.run(engine)
    return future.result(0)


def close_import(desk: Desk, engine: Engine, source: bytes = FILE) -> Outcome:
    future = engine.close_import("acme", source, None)
    desk.run(engine)
    return future.result(0)


def test_history_is_recorded_at_its_own_time_by_the_import() -> None:
    desk = Desk()
    engine = desk.engine(IMPORT)
    outcome = desk.answer(engine, place(**at(THEN)))
    assert outcome.commit_position is not None and outcome.commit_position.recorded_at == THEN
    assert desk.commits()[0].writer == "import"
    assert desk.answer(engine, ship("s1", 10, **at(THEN + 1)), mode=IMPORT_LIVE).kind == "accepted"
    assert desk.commits()[1].writer == "import-live"


def test_a_command_of_an_import_must_have_a_time() -> None:
    desk = Desk()
    engine = desk.engine(IMPORT)
    outcome = desk.answer(engine, place())
    assert (outcome.kind, outcome.pointer) == ("bad", "/at")


def test_history_does_not_go_back_in_time_on_an_order_but_may_on_another() -> None:
    desk = Desk()
    engine = desk.engine(IMPORT)
    desk.answer(engine, place(**at(THEN)))
    back = desk.answer(engine, ship("s1", 10, **at(THEN - 1)))
    assert (back.kind, back.rule, back.pointer) == ("bad", "goes-back-in-time", "/at")
    assert desk.answer(engine, place(order="acme/PO-2", **at(THEN - DAY))).kind == "accepted"
    assert desk.answer(engine, ship("s1", 10, **at(THEN))).kind == "accepted"


def test_a_deadline_that_no_longer_applies_is_a_duplicate_also_when_the_file_is_imported_again() -> None:
    desk = Desk()
    engine = desk.engine(IMPORT)
    moot = body("ReachDeadline", "d1", SYSTEM, deadline_id="decide-1", **at(THEN + 1))
    for _ in range(2):
        desk.answer(engine, place(**at(THEN)))
        assert desk.answer(engine, moot).kind == "duplicate"
        desk.answer(engine, ship("s1", 10, **at(THEN + 2)))


def test_an_empty_commit_counts_as_recorded_too() -> None:
    desk = Desk()
    engine = desk.engine(IMPORT)
    desk.answer(engine, place(**at(THEN)))
    assert names(desk.answer(engine, place("again", **at(THEN + DAY)))) == []
    assert desk.answer(engine, ship("s1", 10, **at(THEN + 1))).rule == "goes-back-in-time"


def test_deadlines_before_a_command_are_reached_first_each_at_its_own_time() -> None:
    desk = Desk(policy="auction-house")
    engine = desk.engine(IMPORT)
    desk.answer(engine, place(paid=False, **at(THEN)))
    outcome = desk.answer(engine, body("ConfirmPayment", "p", SYSTEM, amount="100", **at(THEN + 30 * DAY)))
    assert outcome.kind == "accepted"
    commits = [commit for commit in desk.commits() if commit.command_id == "deadline:unpaid-1"]
    assert [commit.recorded_at for commit in commits] == [THEN + 4 * DAY]
    assert commits[0].writer == "import"
    assert not any(commit.streams[0].stream == "$tick" for commit in desk.commits())


def test_a_command_at_exactly_the_due_instant_is_in_time() -> None:
    desk = Desk(policy="auction-house")
    engine = desk.engine(IMPORT)
    desk.answer(engine, place(paid=False, **at(THEN)))
    desk.answer(engine, body("ConfirmPayment", "p", SYSTEM, amount="100", **at(THEN + 4 * DAY)))
    assert not any(commit.command_id == "deadline:unpaid-1" for commit in desk.commits())


def test_the_same_history_has_the_same_bytes() -> None:
    logs = []
    for _ in range(2):
        desk = Desk(policy="auction-house")
        engine = desk.engine(IMPORT)
        desk.answer(engine, place(paid=False, **at(THEN)))
        desk.answer(engine, ship("s1", 3, **at(THEN + 9 * DAY)))
        logs.append(desk.commits())
        desk.clock += DAY
    assert logs[0] == logs[1]


def test_imported_twice_changes_nothing_the_second_time() -> None:
    desk = Desk()
    engine = desk.engine(IMPORT)
    history = [place(**at(THEN)), ship("s1", 3, **at(THEN + DAY)), ship("s2", 1, **at(THEN + 2 * DAY))]
    for each in history:
        desk.answer(engine, each)
    before = desk.commits()
    again = [desk.answer(desk.engine(IMPORT), each) for each in history]
    assert [outcome.kind for outcome in again] == ["duplicate"] * 3
    assert desk.commits() == before


def test_an_import_opens_in_every_partition_and_closes_there() -> None:
    desk = Desk(partitions=3)
    engine = desk.engine(IMPORT)
    assert open_import(desk, engine).kind == "accepted"
    assert open_import(desk, engine).kind == "accepted"  # run again after a crash: it is open already
    assert engine.imports.inputs() == {("acme", FILE)}
    assert close_import(desk, engine).kind == "accepted"
    assert engine.imports.inputs("acme") == set()
    recorded = [type(event) for commit in desk.commits() for event in written(commit)]
    assert recorded.count(ImportOpened) == recorded.count(ImportClosed) == 3


def test_live_writes_wait_while_an_import_is_open_and_only_in_that_marketplace() -> None:
    desk = Desk()
    importer, live = desk.engine(IMPORT), desk.engine()
    desk.answer(live, place("before"))
    open_import(desk, importer)
    desk.run()
    stopped = desk.answer(live, ship("s1", 10))
    assert (stopped.kind, stopped.rule) == ("unavailable", "import-open")
    assert desk.answer(live, place("before")).kind == "duplicate"
    assert desk.answer(live, place(order="other/PO-1")).kind == "accepted"
    fresh = desk.engine()
    assert desk.answer(fresh, ship("s1", 10)).rule == "import-open"
    close_import(desk, importer)
    desk.run()
    assert desk.answer(live, ship("s1", 10)).kind == "accepted"


def test_two_inputs_keep_it_open_until_both_are_closed() -> None:
    desk = Desk()
    importer, live = desk.engine(IMPORT), desk.engine()
    open_import(desk, importer)
    open_import(desk, importer, sha256(b"another").digest())
    close_import(desk, importer)
    desk.run()
    assert desk.answer(live, place()).rule == "import-open"


def test_a_deadline_due_before_the_closing_never_fires_live() -> None:
    desk = Desk(policy="auction-house")
    importer = desk.engine(IMPORT)
    open_import(desk, importer)
    desk.answer(importer, place(paid=False, **at(THEN)))
    live = desk.engine()
    desk.clock += DAY
    desk.run()
    close_import(desk, importer)
    desk.clock += DAY
    desk.run()
    desk.clock += DAY
    desk.run()
    assert not _reached(desk)
    moot = desk.answer(live, body("ReachDeadline", "d", SYSTEM, deadline_id="unpaid-1"))
    assert (moot.kind, moot.original) == ("duplicate", None)
    assert desk.answer(live, body("ConfirmPayment", "p", SYSTEM, amount="100")).kind == "accepted"
    assert not _reached(desk)


def test_a_deadline_due_after_the_closing_fires_live() -> None:
    desk = Desk(policy="auction-house")
    importer, live = desk.engine(IMPORT), desk.engine()
    open_import(desk, importer)
    desk.answer(importer, place(paid=False, **at(desk.clock - DAY)))
    close_import(desk, importer)
    desk.clock += 5 * DAY
    desk.run(importer)
    assert not _reached(desk)
    desk.run(live)
    assert _reached(desk) == ["unpaid-1"]


def test_deadlines_of_a_marketplace_can_be_reached_as_history() -> None:
    desk = Desk(partitions=2, policy="auction-house")
    engine = desk.engine(IMPORT)
    for number in range(30):
        desk.answer(engine, place(order=f"acme/PO-{number}", paid=False, **at(THEN + number * DAY)))
    desk.answer(engine, place(order="other/PO-1", paid=False, **at(THEN)))
    reached = engine.reach("acme", THEN + 14 * DAY)
    desk.run()
    assert reached.result(0) == 10  # placed on days 0 to 9, each due 4 days later, before day 14
    recorded = sorted(commit.recorded_at for commit in desk.commits() if commit.command_id == "deadline:unpaid-1")
    assert recorded == [THEN + (4 + number) * DAY for number in range(10)]
    again = engine.reach("acme", THEN + 14 * DAY)
    desk.run()
    assert again.result(0) == 0


def test_a_request_in_an_import_meets_the_policy_as_of_then() -> None:
    desk = Desk(policy="peer-to-peer")
    engine = desk.engine(IMPORT)
    desk.answer(engine, place(**at(THEN)))
    granted = desk.answer(
        engine, body("RequestCancel", "r", BUYER, request_id="r1", reason="other", **at(THEN + 60_000_000))
    )
    assert granted.verdict is not None and granted.verdict.rule == "grace-window"
    assert folded(engine).order is not None


def test_a_refusal_in_an_import_is_history_too() -> None:
    desk = Desk()
    engine = desk.engine(IMPORT)
    desk.answer(engine, place(**at(THEN)))
    outcome = desk.answer(engine, body("ApproveCancel", "a", SELLER, request_id="r1", **at(THEN)))
    assert outcome.rule == "no-such-request"
    assert outcome.commit_position is not None and outcome.commit_position.recorded_at == THEN


def _reached(desk: Desk) -> list[str]:
    events = [event for commit in desk.commits() for event in written(commit)]
    return [event.deadline_id for event in events if isinstance(event, DeadlineReached)]


def test_a_deadline_set_after_the_closing_fires_live_though_it_was_due_before() -> None:
    desk = Desk(policy="big-box")
    importer, live = desk.engine(IMPORT), desk.engine()
    open_import(desk, importer)
    desk.answer(importer, place(ship_by=format_instant(desk.clock + 30 * DAY), **at(THEN)))
    close_import(desk, importer)
    desk.run()
    sooner = body("ReviseShipBy", "r", SELLER, ship_by=format_instant(desk.clock - 9 * DAY))
    assert desk.answer(live, sooner).kind == "accepted"
    desk.clock += DAY
    desk.run()
    assert _reached(desk) == ["late-ship-2"]


def test_a_deadline_that_never_fires_changes_no_live_decision() -> None:
    desk = Desk(policy="big-box")
    importer, live = desk.engine(IMPORT), desk.engine()
    open_import(desk, importer)
    desk.answer(importer, place(ship_by=format_instant(THEN + DAY), **at(THEN)))
    close_import(desk, importer)
    desk.run()
    no = desk.answer(live, body("RequestCancel", "r", BUYER, request_id="r1"))
    assert (no.kind, no.rule) == ("refused", "reason-required")
    assert no.verdict is not None and no.verdict.next_change_at is None


def test_how_it_was_known_then_when_an_import_was_last_closed() -> None:
    desk = Desk()
    importer = desk.engine(IMPORT)
    imports = importer.imports
    before = desk.clock
    spans: list[tuple[int, int]] = []
    for source in (FILE, sha256(b"another").digest()):
        desk.clock += DAY
        open_import(desk, importer, source)
        opened = desk.clock
        desk.clock += DAY
        if not spans:
            close_import(desk, importer, source)
        spans.append((opened, desk.clock))
    (_, closed), (opened, now) = spans

    def as_of(instant: int | None) -> int:
        return imports.closed_as_of(0, "acme", instant, now)

    assert as_of(before) == EARLIEST
    assert as_of(spans[0][0] + 5) == spans[0][0] + 5, "open then: nothing fired"
    assert as_of(closed) == as_of(opened - 1) == closed
    assert as_of(opened + 5) == opened + 5, "open"
    assert as_of(None) == now, "open now"
    assert imports.closed_at(0, "acme") == closed
    assert imports.closed_as_of(0, "other", None, now) == EARLIEST
    close_import(desk, importer, sha256(b"another").digest())
    assert as_of(None) == as_of(now + DAY) == imports.closed_at(0, "acme") == now
    assert as_of(closed) == as_of(opened - 1) == closed
