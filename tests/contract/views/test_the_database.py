"""Views in PostgreSQL: what is theirs alone. Whose tables these are, servers that go away, transactions of others."""

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest

from consumers.projector import Part, Projector
from consumers.views import (
    START,
    Batch,
    Position,
    PositionMoved,
    RowsRefused,
    ViewsDamaged,
    ViewsError,
    ViewsUnavailable,
)
from infra.postgresql.address import postgresql_at
from infra.settings import views_at
from infra.views import postgresql as adapter
from infra.views import postgresql_tables
from infra.views.opening import existing_views
from infra.views.postgresql import PostgresqlViews, open_postgresql_views
from infra.views.replay import check, replay
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
    assert opened.made_anew == "there were no tables"
    project(history(), opened.views)
    yield opened.views
    opened.views.close()


def reopened(url: str) -> str | None:
    """Why they were made anew."""
    opened = open_postgresql_views(postgresql_at(url))
    opened.views.close()
    return opened.made_anew


# ---- whose tables ----------------------------------------------------------------------------------------------------


def test_views_that_are_there_stay(views: PostgresqlViews, postgresql: str) -> None:
    assert reopened(postgresql) is None
    assert sum(views.counts("acme").values()) == 12


def test_looking_whether_there_are_any_makes_none(postgresql: str) -> None:
    assert existing_views(views_at(postgresql)) is None
    with psycopg.connect(postgresql) as db:
        assert postgresql_tables.names_there(db, postgresql_tables.schema_of(db)) == set()


def test_a_schema_with_such_a_table_of_somebody_elses_is_left_alone(place: PostgresqlPlace) -> None:
    place.execute("CREATE TABLE refunds (precious text)")
    with pytest.raises(ViewsError, match="a table refunds that is not ours: name another database"):
        open_postgresql_views(postgresql_at(place.url))
    assert place.beside() == []
    place.execute("INSERT INTO refunds VALUES ('still here')")


def test_who_only_looks_makes_nothing_anew(
    views: PostgresqlViews, postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    with pytest.raises(ViewsError, match="`rescind replay`, or take the release that made them"):
        existing_views(views_at(postgresql))
    assert sum(views.counts("acme").values()) == 12


def test_other_tables_beside_ours_are_nobodys_business(place: PostgresqlPlace) -> None:
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
    assert sum(views.counts("acme").values()) == 12


def test_tables_of_an_earlier_release_are_made_anew(
    views: PostgresqlViews, place: PostgresqlPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql_tables, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    assert f"version {SCHEMA_VERSION}" in str(reopened(place.url))
    assert views.counts("acme") == {}
    assert place.beside() == []
    assert reopened(place.url) is None


def test_a_table_that_somebody_dropped_is_noticed(views: PostgresqlViews, place: PostgresqlPlace) -> None:
    place.execute("DROP VIEW orders")
    with pytest.raises(ViewsDamaged, match="start again"):
        views.counts("acme")
    assert reopened(place.url) == "tables were missing"
    project(history(), views)
    assert check(views, parts(history())).clean


def test_a_replay_leaves_what_people_made_of_the_tables(views: PostgresqlViews, place: PostgresqlPlace) -> None:
    place.execute("CREATE VIEW late AS SELECT order_id FROM orders WHERE late_from < now()")
    replay(views, parts(history()))
    [row] = views.query("SELECT count(*) AS late FROM late", ())
    assert row["late"] == len(views.query("SELECT * FROM orders WHERE late_from < now()", ())) > 0


def test_the_tables_explain_themselves(views: PostgresqlViews) -> None:
    asked = "SELECT col_description('orders'::regclass, 1) AS first, obj_description('orders'::regclass) AS all"
    assert views.query(asked, ()) == [{"first": ORDERS.columns[0].doc, "all": ORDERS.doc}]


def test_a_sum_is_a_number_as_in_sqlite(views: PostgresqlViews) -> None:
    [row] = views.query("SELECT sum(total_minor) AS total FROM orders", ())
    assert (row["total"], type(row["total"])) == (120_000, int)


def test_what_people_join_and_compare_are_instants(views: PostgresqlViews) -> None:
    asked = "SELECT count(*) AS day FROM orders WHERE placed_at >= '2026-03-02 12:00+02' AND placed_at < '2026-03-03Z'"
    assert views.query(asked, ()) == [{"day": 12}]


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


def test_what_text_cannot_hold_here_is_refused(views: PostgresqlViews) -> None:
    changes = Changes()
    changes.add(SELLER_DAILY, ("acme", "s\0", "2026-03-02"), (1, 0, 0, 0, 0, 0))
    with pytest.raises(RowsRefused):
        views.apply(Batch("journal", 7, START, Position(1, 1, bytes(32), 0), changes))
    assert views.position("journal", 7) == START


def test_partitions_that_add_to_the_same_sums_are_not_in_each_others_way(postgresql: str) -> None:
    """Two projectors that go through the sums in opposite orders would each wait for the other."""
    days = [f"2026-03-{day:02}" for day in range(1, 29)]

    def add(partition: int, order: list[str]) -> None:
        with closing(open_postgresql_views(postgresql_at(postgresql)).views) as views:
            position = START
            for turn in range(1, 31):
                changes = Changes()
                for day in order:
                    changes.add(SELLER_DAILY, ("acme", "s-1", day), (1, 0, 0, 0, 0, 0))
                after = Position(turn, turn, bytes(32), 0)
                views.apply(Batch("journal", partition, position, after, changes))
                position = after

    open_postgresql_views(postgresql_at(postgresql)).views.close()
    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(add, 0, days), threads.submit(add, 1, days[::-1])]:
            done.result()
    views = open_postgresql_views(postgresql_at(postgresql)).views
    assert [row["orders_placed"] for row in views.seller_daily("acme", "s-1", "0", "9")] == [60] * 28
    views.close()


# ---- others ----------------------------------------------------------------------------------------------------------


def test_a_swap_waits_for_who_reads_in_a_transaction_and_says_so_if_that_does_not_end(
    views: PostgresqlViews, place: PostgresqlPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "SWAP_TRIES", 1)
    with psycopg.connect(place.url) as reads:
        reads.execute("SELECT count(*) FROM orders")
        with pytest.raises(ViewsUnavailable, match="transaction that does not end"):
            replay(views, parts(history()))
        assert sum(views.counts("acme").values()) == 12, "who reads is not kept waiting"
        assert place.beside() == []
    assert replay(views, parts(history())).swapped


def test_a_batch_that_is_under_way_goes_into_the_tables_that_were_there_and_the_next_into_the_new(
    views: PostgresqlViews, place: PostgresqlPlace
) -> None:
    """The tables are swapped between two batches, never within one."""
    made = long_history()
    views.clear()
    projector = Projector("journal", 0, made.log.state, views)
    other = open_postgresql_views(postgresql_at(place.url)).views
    projector.advance(10)
    swapped = threading.Event()

    def swap() -> None:
        replay(other, [Part("journal", 0, made.log.state)])
        swapped.set()

    thread = threading.Thread(target=swap)
    with views._transaction() as db:
        postgresql_tables.lock_writing(db, views._schema, shared=True)
        thread.start()
        with psycopg.connect(place.url) as watching:
            waiting = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            while not watching.execute(waiting).rowcount:
                watching.rollback()
        assert not swapped.is_set()
        db.execute("UPDATE orders SET status = 'spoilt'")
    thread.join()
    with pytest.raises(PositionMoved):
        projector.advance(10)
    while projector.advance(10):
        pass
    assert check(other, [Part("journal", 0, made.log.state)]).clean
    other.close()


# ---- the server ------------------------------------------------------------------------------------------------------


def test_a_server_that_is_not_there_is_unavailable_and_its_password_is_not_told() -> None:
    with pytest.raises(ViewsUnavailable, match="cannot be used at the moment") as said:
        open_postgresql_views(postgresql_at("postgresql://me:open-sesame@127.0.0.1:9/views"))
    assert "open-sesame" not in str(said.value)
    assert "me@127.0.0.1:9/views" in str(said.value)


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
        except PositionMoved:  # a crash took away what was not on the disk: it is told again
            continue
    report = check(views, [part])
    assert report.clean
    assert report.behind == 0
    views.close()
