"""Replay: every view rebuilt in shadow tables, promoted without anybody noticing, or compared row by row."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from consumers.ports.views import PositionMoved
from consumers.projection.projector import Projector
from infra.views.base import DatabaseViews
from infra.views.replay import MOST_SHOWN, Difference, check, compare, replay
from projections.tables import BOOKKEEPING, ORDERS, TABLES
from tests.contract.views.conftest import Open
from tests.contract.views.filled import history, parts, project
from tests.contract.views.places import Place
from tests.spec.projections.histories import History

ROOT = Path(__file__).parents[3]


def everything(views: DatabaseViews) -> dict[str, list[str]]:
    return {t.name: sorted(map(repr, views.query(f"SELECT * FROM {t.name}", ()))) for t in (*TABLES, *BOOKKEEPING)}


def test_a_replay_gives_the_very_same_tables(place: Place, views: DatabaseViews) -> None:
    made = history()
    project(made, views, limit=3)
    before = everything(views)
    seen: list[tuple[int, int]] = []

    report = replay(views, parts(made), lambda done, total: seen.append((done, total)))

    assert everything(views) == before
    assert report.promoted
    assert report.rows["orders"] == 13
    assert report.events == sum(log.state.next_position for log in made.logs) == report.rows["audit_trail"]
    assert report.commits == sum(part.source.next_ordinal for part in parts(made))
    assert seen[-1] == (report.commits, report.commits)
    assert place.side_tables() == []


def test_a_replay_fills_views_that_were_lost(views: DatabaseViews, open_views: Open) -> None:
    made = history()
    replay(views, parts(made))

    assert len(views.counts("acme")) > 1
    assert check(open_views(), parts(made)).clean


def test_a_replay_repairs_a_changed_row_and_the_check_reports_it(place: Place, views: DatabaseViews) -> None:
    made = history()
    project(made, views)
    assert check(views, parts(made)).clean
    place.execute("UPDATE orders SET status = 'delivered', paid_minor = 1 WHERE order_id = 'PO-4'")
    place.execute("DELETE FROM audit_trail WHERE partition = 0 AND position = 0")
    place.execute("INSERT INTO seller_daily VALUES ('acme', 's-9', '2026-03-02', 'USD', 2, 1, 1, 0, 0, 0, 0, 0)")

    report = check(views, parts(made))

    assert not report.clean
    assert report.differing == 4
    assert report.differences == [
        Difference("orders", ("acme", "PO-4"), "status", "delivered", "partly_shipped"),
        Difference("orders", ("acme", "PO-4"), "paid_minor", 1, 10000),
        Difference("seller_daily", ("acme", "s-9", "2026-03-02", "USD"), None, "there", "missing"),
        Difference("audit_trail", (0, 0), None, "missing", "there"),
    ]
    assert str(report.differences[0]) == (
        "orders acme/PO-4: status is 'delivered' in the live views, 'partly_shipped' rebuilt"
    )
    assert "missing in the live views, there in the rebuilt ones" in str(report.differences[3])

    replay(views, parts(made))
    assert check(views, parts(made)).clean


def test_a_check_lists_a_few_differences_and_counts_all(place: Place, views: DatabaseViews) -> None:
    made = History()
    for n in range(MOST_SHOWN + 20):
        made.place(f"PO-{n:04}")
    project(made, views)
    place.execute("UPDATE orders SET attention = 'late'")

    report = check(views, parts(made))

    assert report.differing == MOST_SHOWN + 20
    assert len(report.differences) == MOST_SHOWN


def test_a_check_compares_as_of_where_the_views_are(views: DatabaseViews) -> None:
    made = history()
    project(made, views)
    made.place("PO-99")
    made.send("CancelLines", "PO-99", actor="seller", reason="out_of_stock")

    report = check(views, parts(made))

    assert report.clean
    assert report.behind == 2


def test_rows_projected_after_the_snapshot_are_no_difference_and_rows_wrong_before_it_are(
    place: Place, views: DatabaseViews, open_views: Open
) -> None:
    made = history()
    project(made, views)
    place.execute("UPDATE orders SET paid_minor = 1 WHERE order_id = 'PO-4'")
    with open_views().snapshot() as live:
        made.place("PO-99")
        made.send("CancelLines", "PO-4", actor="seller", reason="out_of_stock")
        project(made, views)
        report = compare(views, live, parts(made))
    assert (report.another_log, report.behind) == (None, 2)
    assert [(each.table, each.key, each.column) for each in report.differences] == [
        ("orders", ("acme", "PO-4"), "paid_minor")
    ]


def test_a_check_of_empty_views_is_not_clean_unless_the_log_is_empty_too(views: DatabaseViews) -> None:
    assert "empty" in str(check(views, parts(history())).another_log)
    assert check(views, []).clean


def test_a_check_of_views_of_another_log_reports_it(views: DatabaseViews) -> None:
    project(history(), views)
    other = History(partitions=2)
    for n in range(90):
        other.place(f"X-{n}", seller_id="s-2")
    report = check(views, parts(other))
    assert not report.clean
    assert "another history" in str(report.another_log)

    ahead = check(views, parts(History(partitions=2)))
    assert not ahead.clean
    assert "which itself has 0" in str(ahead.another_log)


def test_a_projector_at_work_goes_on_from_the_swapped_tables(views: DatabaseViews, open_views: Open) -> None:
    made = History()
    made.place("PO-1")
    project(made, views)
    serving = Projector("journal", 0, made.log.state, views)
    position = serving.position

    made.place("PO-2")
    replay(open_views(), parts(made))
    assert views.order("acme", "PO-2") is not None, "who reads sees the new tables at once"
    made.send("CancelLines", "PO-2", actor="seller", reason="out_of_stock")

    assert serving.position == position, "it does not know yet"
    with pytest.raises(PositionMoved):
        serving.advance()
    assert serving.advance() == 1
    assert check(views, parts(made)).clean
    assert (views.order("acme", "PO-2") or {})["status"] == "canceled"


def test_a_reader_during_a_promotion_sees_the_old_rows_or_the_new_ones(
    place: Place, views: DatabaseViews, open_views: Open
) -> None:
    made = history()
    project(made, views)
    place.execute("UPDATE orders SET status = 'spoilt'")
    other = open_views()

    with other.snapshot() as old:
        replay(views, parts(made))
        statuses = {row[ORDERS.names.index("status")] for rows in old.rows(ORDERS) for row in rows}
        assert statuses == {"spoilt"}
    assert "spoilt" not in other.counts("acme")
    replay(views, parts(made))
    assert place.side_tables() == [], "what was still read has gone by the next time"


def test_a_replay_that_fails_leaves_everything_as_it_was(place: Place, views: DatabaseViews) -> None:
    made = history()
    project(made, views)
    before = everything(views)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replay(views, parts(made), stop)

    assert everything(views) == before
    assert place.side_tables() == []


def test_orders_that_cannot_be_projected_are_counted_and_parked_in_both(views: DatabaseViews) -> None:
    from domain.events import AutoCanceled

    made = history()
    made.log_of("PO-1").write("acme/PO-1", AutoCanceled(7, 1, "asn-1"))
    project(made, views)

    report = check(views, parts(made))

    assert report.clean
    assert report.parked == 1


def side_when_the_dead_are_gone(place: Place, views: DatabaseViews) -> DatabaseViews:
    """Wait for exactly one shadow copy. A server notices a moment later that its client was killed."""
    until = time.monotonic() + 30
    while True:
        shadow = views.shadow()
        if len(place.side_tables()) == 1:
            return shadow
        shadow.discard()
        assert time.monotonic() < until, place.side_tables()
        time.sleep(0.05)


def test_a_replay_removes_leftovers_of_a_killed_replay_but_not_those_of_a_running_one(
    place: Place, views: DatabaseViews
) -> None:
    left = subprocess.run(
        [sys.executable, "-m", "tests.contract.views.projecting", place.url, "side"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=False,
    )
    assert left.returncode == -signal.SIGKILL
    assert len(place.side_tables()) == 1
    at_work = side_when_the_dead_are_gone(place, views)
    [writing] = place.side_tables()
    replay(views, parts(history()))

    assert place.side_tables() == [writing]
    at_work.discard()
    assert place.side_tables() == []
