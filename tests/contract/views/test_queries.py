"""Queries of pages and the command line: found by index, paged by key, the same on every database."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.ports.views import START, Batch, Position
from domain.instants import HOUR, MINUTE, SECOND, Instant, format_instant, parse_instant
from infra.views.base import DatabaseViews
from infra.views.reading import SORTED_BY, BadCursor, OrderFilter, Reading
from projections.changes import Changes
from projections.tables import (
    CANCELLATIONS,
    CASES,
    CREDIT_MEMOS,
    DEADLINES,
    DISPUTES,
    EVIDENCE,
    FEES,
    MESSAGES,
    ORDER_LINES,
    ORDERS,
    OTHER_REFUNDS,
    PAYMENTS,
    REBILLS,
    REFUNDS,
    REQUESTS,
    RETURNS,
    SHIPMENTS,
    TABLES,
    TRACKING_NUMBERS,
    Cell,
    Row,
    Table,
)
from tests.contract.views.filled import history, project
from tests.contract.views.places import Place
from tests.effort import examples
from tests.spec.projections.histories import MONDAY

NOON = parse_instant(MONDAY)


def order_row(order_id: str, **given: Cell) -> Row:
    """A row of table orders in which only what is given matters."""
    cells: dict[str, Cell] = {c.name: None if c.empty else "x" if c.type == "text" else 0 for c in ORDERS.columns}
    cells |= {"marketplace": "acme", "order_id": order_id, "status": "open", "attention": "", "placed_at": NOON}
    cells |= given
    return tuple(cells.values())


def row_of(table: Table, **given: Cell) -> Row:
    """A row of another table in which only what is given matters."""
    cells: dict[str, Cell] = {c.name: None if c.empty else "x" if c.type == "text" else 0 for c in table.columns}
    cells |= {c.name: "[]" for c in table.columns if c.type == "json"}
    return tuple((cells | {"marketplace": "acme"} | given).values())


def put(views: DatabaseViews, rows: list[Row], partition: int = 0, **others: list[Row]) -> None:
    """Put rows of table orders and of the tables named."""
    changes = Changes()
    changes.put(ORDERS, rows, ("", ""))
    for table in TABLES:
        if table.name in others:
            changes.put(table, others[table.name], ("", ""))
    views.apply(Batch("journal", partition, START, Position(1, 1, bytes(32), 0), changes))


def pages(views: Reading, of: OrderFilter, limit: int) -> list[str]:
    """The ids on all pages, one after another."""
    found: list[str] = []
    after: str | None = None
    while True:
        page = views.orders(of, after, limit)
        assert len(page.rows) <= limit
        assert page.next is None or len(page.rows) == limit
        found += [row["order_id"] for row in page.rows]
        if page.next is None:
            return found
        after = page.next


# ---- orders ----------------------------------------------------------------------------------------------------------


def test_an_order_is_found_by_its_id_and_by_its_po_number(views: DatabaseViews) -> None:
    put(
        views,
        [
            order_row("A", po_number="4711", placed_at=NOON),
            order_row("B", po_number="4711", placed_at=NOON + HOUR),
            order_row("C", po_number="4711", marketplace="other"),
            order_row("D", po_number="4712"),
        ],
    )
    assert views.order("acme", "A") == {**(views.order("acme", "A") or {}), "po_number": "4711"}
    assert views.order("acme", "E") is None
    assert [row["order_id"] for row in views.orders_with_po("4711", "acme")] == ["B", "A"]
    assert {row["order_id"] for row in views.orders_with_po("4711")} == {"A", "B", "C"}
    assert views.orders_with_po("0815") == []
    assert views.marketplaces() == ["acme", "other"]


def test_an_order_is_found_by_the_reference_of_its_cancellation(views: DatabaseViews) -> None:
    made = history()
    project(made, views)
    [first, *_] = views.of_order(CANCELLATIONS, "acme", "PO-0")
    found = views.order_with_reference("acme", first["reference"])
    assert found is not None and found["order_id"] == "PO-0"
    assert views.order_with_reference("acme", "C-0000-0000") is None
    assert views.order_with_reference("other", first["reference"]) is None


def test_an_instant_is_written_in_utc_with_a_fraction_only_if_it_has_one(views: DatabaseViews) -> None:
    put(views, [order_row("A", placed_at=NOON), order_row("B", placed_at=NOON + 500_000)])
    assert [row["placed_at"] for row in views.orders(OrderFilter("acme")).rows] == [
        "2026-03-02T10:00:00.500000Z",
        "2026-03-02T10:00:00Z",
    ]


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
def test_pages_go_from_the_newest_to_the_oldest_without_gap_or_repetition(views: DatabaseViews, limit: int) -> None:
    placed = [NOON, NOON, NOON + 1, NOON + 999_999, NOON + SECOND, NOON - 1, NOON]
    put(views, [order_row(f"PO-{n}", placed_at=at) for n, at in enumerate(placed)])

    newest_first = sorted(range(7), key=lambda n: (placed[n], f"PO-{n}"), reverse=True)
    assert pages(views, OrderFilter("acme"), limit) == [f"PO-{n}" for n in newest_first]


some_orders = st.lists(
    st.fixed_dictionaries(
        {
            "placed_at": st.sampled_from([NOON, NOON + 1, NOON + 300_000, NOON + SECOND, NOON + MINUTE]),
            "po_number": st.sampled_from(["1", "2"]),
            "seller_id": st.sampled_from(["s-1", "s-2"]),
            "buyer_id": st.sampled_from(["b-1", "b-2"]),
            "status": st.sampled_from(["open", "shipped", "canceled"]),
            "marketplace": st.sampled_from(["acme", "acme", "other"]),
        }
    ),
    max_size=25,
)
filters = st.builds(
    OrderFilter,
    st.just("acme"),
    po=st.none() | st.just("1"),
    seller=st.none() | st.just("s-1"),
    buyer=st.none() | st.just("b-1"),
    status=st.none() | st.sampled_from(["open", "unpaid"]),
)


@settings(max_examples=examples(40))
@given(some_orders, filters, st.integers(1, 5))
def test_every_filter_returns_the_matching_rows_of_all_rows(
    emptied: DatabaseViews, orders: list[dict[str, Any]], of: OrderFilter, limit: int
) -> None:
    views = emptied
    views.clear()
    put(views, [order_row(f"PO-{n}", **cells) for n, cells in enumerate(orders)])
    given = {"po_number": of.po, "seller_id": of.seller, "buyer_id": of.buyer, "status": of.status}
    wanted = {"marketplace": "acme", **{name: value for name, value in given.items() if value is not None}}
    fitting = [n for n, cells in enumerate(orders) if all(cells[k] == v for k, v in wanted.items())]
    newest_first = sorted(fitting, key=lambda n: (orders[n]["placed_at"], f"PO-{n}"), reverse=True)

    assert pages(views, of, limit) == [f"PO-{n}" for n in newest_first]
    counted = views.counts("acme")
    assert sum(counted.values()) == sum(cells["marketplace"] == "acme" for cells in orders)
    for status in counted:
        of_status = OrderFilter("acme", seller="s-1", status=status)
        assert views.counts("acme", "s-1").get(status, 0) == len(pages(views, of_status, 50))


def test_a_cursor_that_no_page_gave_is_refused(views: DatabaseViews) -> None:
    for cursor in ("", "PO-1", "yesterday~PO-1", "~"):
        with pytest.raises(BadCursor):
            views.orders(OrderFilter("acme"), cursor)


# ---- what belongs to an order, a seller, a partition -----------------------------------------------------------------


def test_an_orders_rows_are_returned_in_the_order_in_which_they_were_written(views: DatabaseViews) -> None:
    made = history()
    project(made, views)

    assert [row["line"] for row in views.of_order(ORDER_LINES, "acme", "PO-2")] == [1]
    assert [row["shipment_id"] for row in views.of_order(SHIPMENTS, "acme", "PO-2")] == ["asn-1"]
    assert [row["request_id"] for row in views.of_order(REQUESTS, "acme", "PO-1")] == ["r1"]
    assert [row["message_id"] for row in views.of_order(MESSAGES, "acme", "PO-1")] == ["m1"]
    assert [row["amount_minor"] for row in views.of_order(REFUNDS, "acme", "PO-0")] == [7000]
    assert [row["cause"] for row in views.of_order(CANCELLATIONS, "acme", "PO-0")] == ["fill_or_kill"]
    assert views.of_order(DEADLINES, "acme", "PO-0") == []
    assert [row["memo_id"] for row in views.of_order(REBILLS, "acme", "PO-6")] == ["memo-a"]
    assert [row["amount_minor"] for row in views.of_order(CREDIT_MEMOS, "acme", "PO-6")] == [7000]
    assert [row["outcome"] for row in views.of_order(CASES, "acme", "PO-10")] == ["return"]
    assert [row["about"] for row in views.of_order(RETURNS, "acme", "PO-10")] == ["case-a"]
    assert [row["evidence_id"] for row in views.of_order(EVIDENCE, "acme", "PO-10")] == ["e1"]
    assert [row["status"] for row in views.of_order(DISPUTES, "acme", "PO-11")] == ["open"]
    assert [row["payment_id"] for row in views.of_order(PAYMENTS, "acme", "PO-12")] == ["gift", "visa"]
    assert [row["fee_id"] for row in views.of_order(FEES, "acme", "PO-12")] == ["gift-wrap"]
    assert [row["other_refund_id"] for row in views.of_order(OTHER_REFUNDS, "acme", "PO-12")] == ["goodwill"]
    trail = views.audit_trail("acme", "PO-0")
    assert [row["event"] for row in trail] == [
        "OrderPlaced",
        "PaymentReceived",
        "LinePartiallyShipped",
        "AutoCanceled",
        "RefundDue",
    ]
    assert views.audit_trail("acme", "PO-0", after=3, limit=1) == [trail[3]]


def test_a_partitions_events_are_returned_from_a_position_on(views: DatabaseViews) -> None:
    made = history()
    project(made, views)
    for log in made.logs:
        rows_read = views.events(log.partition, 0)
        assert [row["position"] for row in rows_read] == list(range(log.state.next_position))
        assert views.events(log.partition, 5, 2) == rows_read[5:7]
        assert views.positions()[log.partition] == log.state.next_position


# ---- search ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def searched(views: DatabaseViews) -> DatabaseViews:
    """Five orders with numbers, parcels and lines that are much alike."""
    put(
        views,
        [
            order_row("A-1", po_number="PO-4711", seller_id="s-1", placed_at=NOON),
            order_row("A-12", po_number="po-4712", seller_id="s-2", placed_at=NOON + HOUR),
            order_row("b-1", po_number="PO-4711", marketplace="other"),
            order_row("C", po_number="ÄRGER~1_%", status="shipped", placed_at=NOON),
            order_row("D", po_number="PO-47", placed_at=NOON + MINUTE, checkout_id="Cart-9"),
        ],
        shipments=[row_of(SHIPMENTS, order_id="C", shipment_id="ASN-n1", tracking_number="1Z999AA1")],
        tracking_numbers=[
            row_of(TRACKING_NUMBERS, order_id="C", tracking_number="1Z999AA1", source="shipment"),
            row_of(TRACKING_NUMBERS, order_id="C", tracking_number="1Z999AA1", source="tracking", position=1),
            row_of(TRACKING_NUMBERS, order_id="D", tracking_number="1z999aa1", source="return"),
            row_of(TRACKING_NUMBERS, order_id="b-1", marketplace="other", tracking_number="1Z999AA1"),
        ],
        cases=[row_of(CASES, order_id="A-1", case_id="Case-7")],
        disputes=[row_of(DISPUTES, order_id="A-12", dispute_id="d1", ticket="T-1000")],
        order_lines=[
            row_of(ORDER_LINES, order_id="A-12", line=1, sku="Lamp-Red"),
            row_of(ORDER_LINES, order_id="A-12", line=2, sku="Lamp-Red"),
            row_of(ORDER_LINES, order_id="D", line=1, sku="LAMP-RED"),
        ],
    )
    return views


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("po-471", ["A-1", "A-12"]),
        ("PO-4", ["D", "A-1", "A-12"]),
        ("a-1", ["A-1", "A-12"]),
        ("c", ["C"]),
        ("1z999aa1", ["C", "D"]),
        ("1Z999", []),
        ("lamp-red", ["A-12", "D"]),
        ("lamp", []),
        ("cart-9", ["D"]),
        ("asn-N1", ["C"]),
        ("case-7", ["A-1"]),
        ("t-1000", ["A-12"]),
        ("Ärger~1_%", ["C"]),
        ("ärger", []),
        ("%", []),
        ("_", []),
        ("b-1", []),
    ],
)
def test_an_order_is_found_by_any_number_that_people_have(searched: DatabaseViews, q: str, expected: list[str]) -> None:
    """Only ASCII letters are alike in both cases."""
    assert [row["order_id"] for row in searched.matching(OrderFilter("acme"), q)] == expected


@pytest.mark.parametrize(
    ("number", "expected"), [("SENT-20", ["PO-20"]), ("AHEAD-21", ["PO-21"]), ("1Z9", ["PO-6"]), ("BACK-10", ["PO-10"])]
)
def test_an_order_is_found_by_a_tracking_number_of_any_source(
    views: DatabaseViews, number: str, expected: list[str]
) -> None:
    made = history()
    parcel, at = {"actor": "seller", "carrier": "DHL"}, "2026-03-06T10:00:00Z"
    for order_id in ("PO-20", "PO-21"):
        made.place(order_id)
    for command, order_id, fields in (
        ("Ship", "PO-20", {"tracking_number": "SENT-20", "shipment_id": "asn-1"}),
        ("StartTracking", "PO-21", {"tracking_number": "AHEAD-21"}),
        ("StartReturn", "PO-10", {"tracking_number": "BACK-10", "about": "case-a"}),
    ):
        assert made.send(command, order_id, at, **parcel, **fields).refused is None
    project(made, views)
    assert [row["order_id"] for row in views.matching(OrderFilter("acme"), number.lower())] == expected


def test_a_search_is_narrowed_and_bounded(searched: DatabaseViews) -> None:
    ids = lambda of, limit=100: [row["order_id"] for row in searched.matching(of, "po-", limit)]  # noqa: E731
    assert ids(OrderFilter("acme", seller="s-1")) == ["A-1"]
    assert ids(OrderFilter("acme", status="shipped")) == []
    assert ids(OrderFilter("acme"), 2) == ["D", "A-1"]
    lamps = searched.matching(OrderFilter("acme", seller="s-2"), "lamp-red")
    assert [row["order_id"] for row in lamps] == ["A-12"]
    parcels = searched.matching(OrderFilter("acme", status="shipped"), "1Z999AA1", 1)
    assert [row["order_id"] for row in parcels] == ["C"]


def test_a_po_number_is_found_in_any_case_and_its_beginnings_are_paged(searched: DatabaseViews) -> None:
    assert [row["order_id"] for row in searched.orders_with_po("PO-4712")] == ["A-12"]
    assert pages(searched, OrderFilter("acme", po="PO-4712"), 1) == ["A-12"]
    seen, after = list[str](), None
    while True:
        page = searched.orders_beginning(OrderFilter("acme"), "po-4", after, 1)
        seen += [row["order_id"] for row in page.rows]
        after = page.next
        if after is None:
            break
    assert seen == ["D", "A-1", "A-12"]
    for cursor in ("po~", "", "2026-03-02T10:00:00Z~A"):
        with pytest.raises(BadCursor):
            searched.orders_beginning(OrderFilter("acme"), "po-4", cursor)


def test_a_complete_number_reference_or_id_is_distinguished_from_a_prefix(searched: DatabaseViews) -> None:
    assert [row["order_id"] for row in searched.named(OrderFilter("acme"), "po-47")] == ["D"]
    assert [row["order_id"] for row in searched.named(OrderFilter("acme"), "A-1")] == ["A-1"]
    assert searched.named(OrderFilter("acme", seller="s-2"), "A-1") == []
    assert searched.named(OrderFilter("acme"), "A-") == []


def test_a_zero_character_finds_nothing(searched: DatabaseViews) -> None:
    assert searched.named(OrderFilter("acme"), "a\0") == searched.matching(OrderFilter("acme"), "a\0") == []


def test_a_marketplace_is_there_once_an_order_names_it(searched: DatabaseViews) -> None:
    assert [searched.has_orders(name) for name in ("acme", "other", "acm")] == [True, True, False]
    assert searched.marketplaces() == ["acme", "other"]
    assert searched.marketplaces(1) == ["acme"]


def test_waiting_requests_are_returned_most_urgent_first(views: DatabaseViews) -> None:
    project(history(), views)
    waiting = views.waiting_requests("acme", "s-1")
    due = [row["decide_by"] for row in waiting]
    assert due == sorted(due, key=lambda text: (text is None, text))
    assert {row["status"] for row in waiting} == {"open"}
    assert {row["order_id"] for row in waiting} == {row["order_id"] for row in views.waiting_requests("acme")}
    assert views.waiting_requests("acme", "s-2") == []
    assert {row["awaits"] for row in waiting} == {"seller"}
    assert views.waiting_requests("acme", awaits="buyer") == []
    one = waiting[0]["order_id"]
    assert [row["order_id"] for row in views.waiting_requests_of("acme", [one, "PO-0"])] == [one]
    assert views.waiting_requests_of("acme", []) == []


def test_deadlines_are_returned_earliest_first_and_up_to_an_instant(views: DatabaseViews) -> None:
    project(history(), views)
    every = views.deadlines()
    due: list[Instant] = [parse_instant(row["due_at"]) for row in every]
    assert due == sorted(due)
    assert len(set(due)) > 1
    assert views.deadlines(before=due[-1]) == [row for row, at in zip(every, due, strict=True) if at < due[-1]]
    assert views.deadlines(marketplace="acme") == every
    assert views.deadlines(marketplace="other") == []
    assert next(row["id"] for row in views.policies()) == "peer-to-peer"


QUESTIONS: dict[str, Any] = {
    "order": lambda v: v.order("acme", "PO-1"),
    "po": lambda v: v.orders_with_po("4711"),
    "po in one": lambda v: v.orders_with_po("4711", "acme"),
    "marketplaces": lambda v: v.marketplaces(),
    "a marketplace": lambda v: v.has_orders("acme"),
    "search": lambda v: v.matching(OrderFilter("acme"), "PO"),
    "search narrowed": lambda v: v.matching(OrderFilter("acme", seller="s-1", status="open"), "PO"),
    "search by name": lambda v: v.named(OrderFilter("acme"), "C-7F3K-9QXM"),
    "pages of a search": lambda v: v.orders_beginning(OrderFilter("acme"), "PO", "po~po-1~PO-1"),
    **{
        f"orders{''.join(f' {name}' for name in names)}{' after' if after else ''}": (
            lambda v, names=names, after=after: v.orders(
                OrderFilter("acme", **dict.fromkeys(names, "x")), f"{format_instant(NOON)}~PO-1" if after else None
            )
        )
        for names in ((), ("po",), ("seller",), ("buyer",), ("status",), ("seller", "status"), ("seller", "buyer"))
        for after in (False, True)
    },
    "counts": lambda v: v.counts("acme"),
    "counts of a seller": lambda v: v.counts("acme", "s-1"),
    "days": lambda v: v.seller_daily("acme", "s-1", "2026-03-01", "2026-03-31"),
    "days of a buyer": lambda v: v.buyer_standing("acme", "b-1", "2026-03-01", "2026-03-31"),
    "newest order": lambda v: v.newest_order_of_seller("acme", "s-1"),
    "requests": lambda v: v.waiting_requests("acme"),
    "requests of a seller": lambda v: v.waiting_requests("acme", "s-1"),
    "requests of some orders": lambda v: v.waiting_requests_of("acme", ["PO-1", "PO-2"]),
    "deadlines": lambda v: v.deadlines(NOON),
    "deadlines of one": lambda v: v.deadlines(NOON, "acme"),
    "trail": lambda v: v.audit_trail("acme", "PO-1"),
    "events": lambda v: v.events(0, 100),
    "has": lambda v: v.has(0, 1),
    "refunds by age": lambda v: v.query(
        f"SELECT * FROM refunds WHERE marketplace = ? AND status = 'due' AND {v.in_time('due_at')} < ? "
        f"ORDER BY {v.in_time('due_at')}",
        ("acme", v.instant(NOON)),
    ),
    "requests overdue": lambda v: v.query(
        f"SELECT * FROM requests WHERE marketplace = ? AND status = 'open' AND {v.in_time('decide_by')} < ? "
        f"ORDER BY {v.in_time('decide_by')}",
        ("acme", v.instant(NOON)),
    ),
    "cancellations of some days": lambda v: v.query(
        "SELECT * FROM cancellations WHERE marketplace = ? AND day >= ?", ("acme", "2026-03-01")
    ),
    "shipments of a seller": lambda v: v.query(
        f"SELECT * FROM shipments WHERE marketplace = ? AND seller_id = ? AND {v.in_time('occurred_at')} > ?",
        ("acme", "s-1", v.instant(NOON)),
    ),
    **{table.name: (lambda v, table=table: v.of_order(table, "acme", "PO-1")) for table in SORTED_BY},
}


OF_OPERATORS = {
    "refunds by age": "refunds_by_marketplace_status_due_at",
    "requests overdue": "requests_by_marketplace_status_decide_by",
    "cancellations of some days": "cancellations_by_marketplace_day",
    "shipments of a seller": "shipments_by_marketplace_seller_id_occurred_at",
}
"""The queries of people, and the index for each."""


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_question_of_a_page_finds_its_rows_by_an_index(
    place: Place, question: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    views = place.watched()
    run, plans = views.query, []

    def explained(statement: str, parameters: Any) -> list[Any]:
        plans.append(
            "; ".join(str(cell) for row in run(f"{place.explain} {statement}", parameters) for cell in row.values())
        )
        return run(statement, parameters)

    monkeypatch.setattr(views, "query", explained)
    try:
        QUESTIONS[question](views)
        assert plans
        for plan in plans:
            assert place.goes_over_all not in plan, plan
            paged = question.startswith("orders") and question not in ("orders po", "orders po after")
            by_age = question in ("refunds by age", "requests overdue")
            assert not (paged or by_age) or place.sorts not in plan, plan
            assert question not in OF_OPERATORS or OF_OPERATORS[question] in plan, plan
    finally:
        views.close()
