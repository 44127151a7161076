"""Views in PostgreSQL: what is theirs alone. Whose tables these are, servers that go away, transactions of others."""

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any

import psycopg
import pytest

from consumers.ports.views import (
    START,
    Batch,
    Position,
    PositionMoved,
    RowsRefused,
    ViewsDamaged,
    ViewsError,
    ViewsUnavailable,
)
from consumers.projection.projector import Part, Projector
from infra.addresses.postgresql import postgresql_at
from infra.settings import views_at
from infra.views import postgresql as adapter
from infra.views import postgresql_tables
from infra.views.opening import existing_views
from infra.views.postgresql import PostgresqlViews, open_postgresql_views
from infra.views.replay import ReplayReport, check, replay
from projections.changes import Changes
from projections.tables import ORDERS, SCHEMA_VERSION, SELLER_DAILY, TABLES
from tests.contract.views.filled import history, parts, project
from tests.contract.views.places import PostgresqlPlace
from tests.contract.views.projecting import long_history
from tests.postgresql.server import Server

pytestmark = pytest.mark.postgresql


@pytest.fixture
def place(postgresql: str) -> PostgresqlPlace:
    return PostgresqlPlace(postgresql)


@pytest.fixture
def views(postgresql: str) -> Iterator[PostgresqlViews]:
    """Views with a history in them."""
    opened = open_postgresql_views(postgresql_at(postgresql))
    assert opened.rebuilt == "there were no tables"
    project(history(), opened.views)
    yield opened.views
    opened.views.close()


def reopened(url: str) -> str | None:
    """Open the views and return why they were rebuilt."""
    opened = open_postgresql_views(postgresql_at(url))
    opened.views.close()
    return opened.rebuilt


# ---- whose tables ----------------------------------------------------------------------------------------------------


def test_views_that_are_there_stay(views: PostgresqlViews, postgresql: str) -> None:
    assert reopened(postgresql) is None
    assert sum(views.counts("acme").values()) == 13


def test_looking_whether_there_are_any_makes_none(postgresql: str) -> None:
    assert existing_views(views_at(postgresql)) is None
    with psycopg.connect(postgresql) as db:
        assert postgresql_tables.names_there(db, postgresql_tables.schema_of(db)) == set()


def test_a_schema_with_such_a_table_of_somebody_elses_is_left_alone(place: PostgresqlPlace) -> None:
    place.execute("CREATE TABLE refunds (precious text)")
    with pytest.raises(ViewsError, match="a table refunds that is not rescind's: name another database"):
        open_postgresql_views(postgresql_at(place.url))
    assert place.side_tables() == []
    place.execute("INSERT INTO refunds VALUES ('still here')")


def test_a_reader_rebuilds_nothing(views: PostgresqlViews, postgresql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    with pytest.raises(ViewsError, match="`rescind replay`, or install the release that made them"):
        existing_views(views_at(postgresql))
    assert sum(views.counts("acme").values()) == 13


def test_other_tables_in_the_database_are_left_alone(place: PostgresqlPlace) -> None:
    place.execute("CREATE TABLE precious (thing text)")
    assert reopened(place.url) is not None
    assert reopened(place.url) is None
    place.execute("SELECT thing FROM precious")


def test_tables_of_a_newer_release_are_left_alone(
    views: PostgresqlViews, postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql_tables, "SCHEMA_VERSION", SCHEMA_VERSION - 1)
    with pytest.raises(ViewsError, match="newer release"):
        open_postgresql_views(postgresql_at(postgresql))
    assert sum(views.counts("acme").values()) == 13


def test_tables_of_an_earlier_release_are_rebuilt(
    views: PostgresqlViews, place: PostgresqlPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql_tables, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    assert f"version {SCHEMA_VERSION}" in str(reopened(place.url))
    assert views.counts("acme") == {}
    assert place.side_tables() == []
    assert reopened(place.url) is None


@pytest.mark.parametrize("version", ["", str(SCHEMA_VERSION)], ids=["the first release", "a later one"])
def test_an_engine_of_an_earlier_release_writes_nothing_into_a_newer_ones_tables(
    views: PostgresqlViews, place: PostgresqlPlace, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    """It runs on while the other engines are updated. The first release says nothing of its version."""
    views._db.execute("SELECT set_config(%s, %s, false)", (postgresql_tables.VERSION_SETTING, version))
    made = history()
    [part, *_] = parts(made)
    old = Projector("journal", part.partition, part.source, views)
    assert old.position.ordinal > 0
    monkeypatch.setattr(postgresql_tables, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    assert reopened(place.url) is not None

    for n in range(90, 100):  # both partitions have something new
        made.place(f"PO-{n}")
    with pytest.raises(ViewsUnavailable, match="made by another release of rescind"):
        old.advance()
    with pytest.raises(ViewsUnavailable, match="made by another release of rescind"):
        Projector("journal", part.partition, part.source, views).advance()

    assert views.counts("acme") == {}
    assert views.dead_letters() == []
    assert views.position("journal", part.partition) == START


def test_a_table_that_somebody_dropped_is_noticed(views: PostgresqlViews, place: PostgresqlPlace) -> None:
    place.execute("DROP VIEW orders")
    with pytest.raises(ViewsDamaged, match="restart"):
        views.counts("acme")
    assert reopened(place.url) == "tables were missing"
    project(history(), views)
    assert check(views, parts(history())).clean


def test_a_replay_leaves_objects_that_people_built_on_the_tables(
    views: PostgresqlViews, place: PostgresqlPlace
) -> None:
    place.execute("CREATE VIEW late AS SELECT order_id FROM orders WHERE late_from < now()")
    replay(views, parts(history()))
    [row] = views.query("SELECT count(*) AS late FROM late", ())
    assert row["late"] == len(views.query("SELECT * FROM orders WHERE late_from < now()", ())) > 0


def test_the_tables_explain_themselves(views: PostgresqlViews) -> None:
    query = "SELECT col_description('orders'::regclass, 1) AS first, obj_description('orders'::regclass) AS all"
    assert views.query(query, ()) == [{"first": ORDERS.columns[0].doc, "all": ORDERS.doc}]


def test_a_sum_is_a_number_as_in_sqlite(views: PostgresqlViews) -> None:
    [row] = views.query("SELECT sum(total_minor) AS total FROM orders", ())
    assert (row["total"], type(row["total"])) == (124_500, int)


def test_columns_that_people_join_and_compare_are_instants(views: PostgresqlViews) -> None:
    query = "SELECT count(*) AS day FROM orders WHERE placed_at >= '2026-03-02 12:00+02' AND placed_at < '2026-03-03Z'"
    assert views.query(query, ()) == [{"day": 13}]


# ---- rows ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("few", [0, 10_000], ids=["all by COPY", "all one by one"])
def test_both_ways_in_give_the_same_rows(postgresql: str, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "FEW", few)
    views = open_postgresql_views(postgresql_at(postgresql)).views
    made = history()
    project(made, views, limit=7)
    monkeypatch.undo()
    assert check(views, parts(made)).clean
    assert all(views.query(f"SELECT * FROM {table.name}", ()) for table in TABLES)
    views.close()


def test_text_that_postgresql_cannot_hold_is_refused(views: PostgresqlViews) -> None:
    changes = Changes()
    changes.add(SELLER_DAILY, ("acme", "s\0", "2026-03-02", "USD", 2), (1, 0, 0, 0, 0, 0, 0))
    with pytest.raises(RowsRefused):
        views.apply(Batch("journal", 7, START, Position(1, 1, bytes(32), 0), changes))
    assert views.position("journal", 7) == START


@pytest.mark.parametrize("number", [5, 28], ids=["one by one", "by COPY"])
def test_writers_update_the_same_sums_in_one_order(views: PostgresqlViews, place: PostgresqlPlace, number: int) -> None:
    """Projectors of two partitions that went in opposite orders would each wait for the other."""
    days = [f"2026-04-{day:02}" for day in range(1, number + 1)]

    def sums(order: list[str]) -> Changes:
        changes = Changes()
        for day in order:
            changes.add(SELLER_DAILY, ("acme", "s-1", day, "USD", 2), (1, 0, 0, 0, 0, 0, 0))
        return changes

    first, second = Position(1, 1, bytes(32), 0), Position(2, 2, bytes(32), 0)
    views.apply(Batch("journal", 7, START, first, sums(days)))
    row = "SELECT day FROM seller_daily WHERE day = %s FOR UPDATE"
    with psycopg.connect(place.url) as other, psycopg.connect(place.url, autocommit=True) as watching:
        other.execute(row, (days[-1],))
        with ThreadPoolExecutor(1) as thread:
            adding = thread.submit(views.apply, Batch("journal", 7, first, second, sums(days[::-1])))
            try:
                while not watching.execute("SELECT FROM pg_locks WHERE NOT granted").rowcount:
                    assert not adding.done()
                with pytest.raises(psycopg.errors.LockNotAvailable):
                    watching.execute(f"{row} NOWAIT".encode(), (days[0],))
            finally:
                other.rollback()
            adding.result()
    assert [row["orders_placed"] for row in views.seller_daily("acme", "s-1", days[0], days[-1])] == [2] * number


# ---- others ----------------------------------------------------------------------------------------------------------


def test_a_promotion_waits_for_a_reading_transaction_and_reports_one_that_does_not_end(
    views: PostgresqlViews, place: PostgresqlPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "PROMOTE_TRIES", 1)
    with psycopg.connect(place.url) as reads:
        reads.execute("SELECT count(*) FROM orders")
        with pytest.raises(ViewsUnavailable, match="transaction that does not end"):
            replay(views, parts(history()))
        assert sum(views.counts("acme").values()) == 13, "a reader does not wait"
        assert place.side_tables() == []
    assert replay(views, parts(history())).promoted


def test_tables_are_swapped_between_two_batches_and_never_within_one(
    views: PostgresqlViews, place: PostgresqlPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = long_history()
    part = Part("journal", 0, made.log.state)
    views.clear()
    projector = Projector("journal", 0, made.log.state, views)
    projector.advance(10)
    owners = views._owners

    with closing(open_postgresql_views(postgresql_at(place.url)).views) as other, ThreadPoolExecutor(1) as thread:
        swapping: list[Future[ReplayReport]] = []

        def rebuilt_in_between(changes: Changes) -> Iterator[tuple[bytes, Sequence[Sequence[Any]]]]:
            """Rebuild everything after the position is written and before the rows are."""
            if not swapping:
                swapping.append(thread.submit(replay, other, [part]))
                waiting = "SELECT FROM pg_locks WHERE NOT granted"
                with psycopg.connect(place.url, autocommit=True) as watching:
                    while not watching.execute(waiting).rowcount:
                        assert not swapping[0].done(), "swapped in the middle of a batch"
            return owners(changes)

        monkeypatch.setattr(views, "_owners", rebuilt_in_between)
        assert projector.advance(10) == 10
        assert swapping[0].result().promoted
        with pytest.raises(PositionMoved):
            projector.advance(10)
        while projector.advance(10):
            pass
        assert check(other, [part]).clean


# ---- the server ------------------------------------------------------------------------------------------------------


def test_a_missing_server_is_unavailable_and_its_password_is_not_shown() -> None:
    with pytest.raises(ViewsUnavailable, match="cannot be used at the moment") as error:
        open_postgresql_views(postgresql_at("postgresql://me:open-sesame@127.0.0.1:9/views"))
    assert "open-sesame" not in str(error.value)
    assert "me@127.0.0.1:9/views" in str(error.value)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["stopped", "crashed"])
def test_after_the_server_was_away_the_same_views_go_on(
    postgresql_of_its_own: Callable[..., Server], how: signal.Signals
) -> None:
    server = postgresql_of_its_own("fsync=on")
    views = open_postgresql_views(postgresql_at(server.url)).views
    log = long_history().log
    part = Part("journal", 0, log.state)
    projector = Projector("journal", 0, log.state, views)
    projector.advance(50)

    server.stop(how)
    with pytest.raises(ViewsUnavailable):
        projector.advance(50)
    with pytest.raises(ViewsUnavailable):
        views.counts("acme")
    server.start()

    moved = 1
    while moved:
        try:
            moved = projector.advance(50)
        except PositionMoved:  # a crash took away what was not on the disk: it is projected again
            continue
    report = check(views, [part])
    assert report.clean
    assert report.behind == 0
    views.close()
