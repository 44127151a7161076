"""The Views port: rows and position in one transaction, compared and swapped; all or nothing."""

import json

import pytest

from consumers.ports.views import (
    START,
    Batch,
    Position,
    PositionMoved,
    ProjectionDeadLetter,
    RowsRefused,
    ViewsUnavailable,
)
from domain.instants import format_instant
from infra.views.base import DatabaseViews
from projections.changes import Changes
from projections.tables import (
    AUDIT_TRAIL,
    BOOKKEEPING,
    CANCELLATIONS,
    DEADLINES,
    ORDER_LINES,
    ORDERS,
    SELLER_DAILY,
    SHIPMENTS,
    TABLES,
    Cell,
    Row,
    Table,
)
from tests.contract.views.conftest import Open
from tests.contract.views.filled import history, project
from tests.spec.projections.histories import History
from tests.spec.projections.memory_views import MemoryViews

FIRST = Position(3, 7, bytes(range(32)), 0)
SECOND = Position(5, 9, bytes(32), 0)


def sums(day: str, *amounts: int) -> Changes:
    changes = Changes()
    changes.add(SELLER_DAILY, ("acme", "s-1", day, "USD", 2), amounts)
    return changes


def deadlines(*ids: str, order_id: str = "PO-1") -> Changes:
    changes = Changes()
    rows: list[Row] = [("acme", order_id, id, "decide", 1_000_000, "r1") for id in ids]
    changes.put(DEADLINES, rows, ("acme", order_id))
    return changes


def days(views: DatabaseViews) -> dict[str, int]:
    return {row["day"]: row["orders_placed"] for row in views.seller_daily("acme", "s-1", "0000", "9999")}


def test_a_position_is_stored_per_log_and_partition(views: DatabaseViews, open_views: Open) -> None:
    assert views.position("journal", 0) == START
    views.apply(Batch("journal", 0, START, FIRST))
    views.apply(Batch("journal", 1, START, SECOND))
    views.apply(Batch("control", 0, START, SECOND))
    views.apply(Batch("journal", 0, FIRST, SECOND))

    assert open_views().position("journal", 0) == SECOND
    assert views.positions() == {0: 9, 1: 9}
    assert views.has(0, 8)
    assert not views.has(0, 9)
    assert not views.has(7, 0)


@pytest.mark.parametrize(
    "before",
    [START, SECOND, FIRST._replace(last=bytes(32)), FIRST._replace(letters=1)],
    ids=["start", "ordinal", "hash", "letters"],
)
def test_a_batch_on_another_position_changes_nothing(views: DatabaseViews, open_views: Open, before: Position) -> None:
    views.apply(Batch("journal", 0, START, FIRST, sums("2026-03-02", 1, 2, 3, 4, 5, 6, 7)))

    with pytest.raises(PositionMoved):
        open_views().apply(
            Batch("journal", 0, before, SECOND._replace(ordinal=99), sums("2026-03-02", 1, 0, 0, 0, 0, 0, 0))
        )

    assert views.position("journal", 0) == FIRST
    assert days(views) == {"2026-03-02": 1}


def test_sums_are_added_to_the_stored_values(views: DatabaseViews) -> None:
    views.apply(Batch("journal", 0, START, FIRST, sums("2026-03-02", 1, 4, 0, 0, 0, 0, 4500)))
    views.apply(Batch("journal", 1, START, FIRST, sums("2026-03-02", 1, 0, 1, 0, 0, 0, 500)))

    [row] = views.seller_daily("acme", "s-1", "2026-03-02", "2026-03-02")
    assert list(row.values()) == ["acme", "s-1", "2026-03-02", "USD", 2, 2, 4, 1, 0, 0, 0, 5000]


def test_rows_of_an_owner_that_are_not_written_again_are_deleted(views: DatabaseViews) -> None:
    views.apply(Batch("journal", 0, START, FIRST, deadlines("decide-1", "decide-2")))
    views.apply(Batch("journal", 1, START, FIRST, deadlines("decide-1", order_id="PO-2")))
    views.apply(Batch("journal", 0, FIRST, SECOND, deadlines("decide-2", "unpaid-1")))

    assert [row["deadline_id"] for row in views.of_order(DEADLINES, "acme", "PO-1")] == ["decide-2", "unpaid-1"]
    assert [row["deadline_id"] for row in views.of_order(DEADLINES, "acme", "PO-2")] == ["decide-1"]


@pytest.mark.parametrize("wrong", [2**63, None, "many"])
def test_rows_that_it_cannot_store_are_refused_and_nothing_of_the_batch_stays(
    views: DatabaseViews, wrong: object
) -> None:
    changes = sums("2026-03-02", 1, 0, 0, 0, 0, 0, 0)
    changes.add(SELLER_DAILY, ("acme", "s-1", "2026-03-03", "USD", 2), (wrong, 0, 0, 0, 0, 0, 0))  # type: ignore[arg-type]

    with pytest.raises(RowsRefused):
        views.apply(Batch("journal", 0, START, FIRST, changes))

    assert views.position("journal", 0) == START
    assert days(views) == {}
    views.apply(Batch("journal", 0, START, FIRST, sums("2026-03-02", 1, 0, 0, 0, 0, 0, 0)))
    assert days(views) == {"2026-03-02": 1}


def test_dead_letters_come_and_go_with_the_position(views: DatabaseViews, open_views: Open) -> None:
    letter = ProjectionDeadLetter("acme/PO-1", 2, 5, "OrderTeleported", "no such event")
    views.apply(Batch("journal", 0, START, FIRST, parked=[letter]))
    assert open_views().parked("journal", 0) == [letter]
    assert views.parked("control", 0) == views.parked("journal", 1) == []
    assert [row["stream"] for row in views.dead_letters()] == ["acme/PO-1"]

    freed = FIRST._replace(letters=1)
    views.apply(Batch("journal", 0, FIRST, freed, freed=["acme/PO-1"]))
    assert views.parked("journal", 0) == []
    assert views.position("journal", 0) == freed


def test_the_highest_line_number_goes_into_every_table(views: DatabaseViews) -> None:
    made, last = History(partitions=2), 2**63 - 1
    lines = [{"line": n, "sku": "A", "quantity": 2, "unit_price": "5.00"} for n in (1, last)]
    made.place(lines=lines)
    made.send("Ship", actor="seller", shipment_id="asn-1", lines=[{"line": last, "quantity": 1}])

    project(made, views)

    assert views.dead_letters() == []
    assert [row["line"] for row in views.of_order(ORDER_LINES, "acme", "PO-1")] == [1, last]
    assert [row["line"] for row in views.of_order(CANCELLATIONS, "acme", "PO-1")] == [last]
    [shipment] = views.of_order(SHIPMENTS, "acme", "PO-1")
    assert json.loads(shipment["lines"]) == [{"line": last, "quantity": 1}]


def test_a_zero_character_in_an_events_text_parks_nothing(views: DatabaseViews) -> None:
    """The log takes what anyone appends, and not every database takes a zero character in JSON."""
    cells: dict[str, Cell] = {c.name: None if c.empty else 0 if c.type != "text" else "x" for c in AUDIT_TRAIL.columns}
    changes = Changes()
    for position, data in enumerate([r'{"text":"a\u0000b"}', r'{"text":"a\\u0000b"}', r'{"text":"a\\\u0000b"}']):
        changes.fact(AUDIT_TRAIL, AUDIT_TRAIL.row(**{**cells, "position": position, "data": data}))

    views.apply(Batch("journal", 0, START, FIRST, changes))

    texts = [json.loads(row["data"])["text"].replace("\ufffd", "\0") for row in views.events(0, 0)]
    assert texts == ["a\0b", r"a\u0000b", "a\\\0b"]


def types(table: Table) -> list[str]:
    return [column.type for column in table.columns]


def plainly(type: str, cell: Cell) -> object:
    """A cell that the changes have, as it is asked for; JSON as what it says: databases write it each in their way."""
    if type == "instant" and isinstance(cell, int):
        return format_instant(cell)
    return json.loads(str(cell)) if type == "json" else cell


@pytest.mark.parametrize("limit", [1, 1000])
def test_the_stored_rows_are_those_that_the_changes_describe(views: DatabaseViews, limit: int) -> None:
    made, meant = history(), MemoryViews()
    project(made, views, limit)
    project(made, meant, 1000)

    for table in TABLES:
        stored = [
            tuple(
                json.loads(cell) if type == "json" else cell
                for type, cell in zip(types(table), row.values(), strict=True)
            )
            for row in views.query(f"SELECT * FROM {table.name}", ())
        ]
        expected = [
            tuple(plainly(type, cell) for type, cell in zip(types(table), row, strict=True))
            for row in meant.tables[table.name].values()
        ]
        assert sorted(stored, key=repr) == sorted(expected, key=repr), table.name
        assert stored, f"the history has nothing for {table.name}"


def test_cleared_views_are_as_new(views: DatabaseViews) -> None:
    made = history()
    project(made, views)
    views.clear()

    for table in (*TABLES, *BOOKKEEPING):
        assert views.query(f"SELECT * FROM {table.name}", ()) == []
    project(made, views)
    assert len(views.query(f"SELECT * FROM {ORDERS.name}", ())) == 13
    assert len(views.query(f"SELECT * FROM {AUDIT_TRAIL.name}", ())) == sum(
        log.state.next_position for log in made.logs
    )


def test_closed_views_take_nothing_any_more(views: DatabaseViews) -> None:
    views.close()
    with pytest.raises(ViewsUnavailable):
        views.apply(Batch("journal", 0, START, FIRST))
