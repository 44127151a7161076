"""The tables of an order's state: current rows of orders, lines, requests, refunds, shipments and deadlines."""

import json

from consumers.projection.projector import Projector
from domain.instants import DAY, format_instant, parse_instant
from domain.order_json import attention
from infra.views.reading import attention_of
from projections.orders import state_rows
from projections.tables import (
    AUDIT_TRAIL,
    CANCELLATIONS,
    DEADLINES,
    MESSAGES,
    ORDER_LINES,
    ORDERS,
    REFUNDS,
    REQUESTS,
    SELLER_DAILY,
    SHIPMENTS,
    TABLES,
)
from tests.spec.projections.histories import MONDAY, History
from tests.spec.projections.memory_views import MemoryViews


def viewed(history: History) -> MemoryViews:
    views = MemoryViews()
    for log in history.logs:
        projector = Projector("journal", log.partition, log.state, views)
        while projector.advance():
            pass
    assert not views.rows(TABLES[0]) or not views.tables["dead_letters"]
    return views


def at(text: str) -> int:
    return parse_instant(text)


def test_a_notice_of_3_of_10_shows_3_shipped_7_canceled_and_the_refund_for_7() -> None:
    history = History()
    history.place(po_number="4711", checkout_id="K-9", shipping="11.50")
    history.send("Ship", actor="seller", shipment_id="asn-1", lines=[{"line": 1, "quantity": 3}], carrier="UPS")

    views = viewed(history)

    order = views.row(ORDERS)
    assert (order["status"], order["attention"], order["version"]) == ("shipped", "", 5)
    assert (order["open_units"], order["shipped_units"], order["canceled_units"]) == (0, 3, 7)
    assert (order["po_number"], order["checkout_id"]) == ("4711", "K-9")
    assert (order["total_minor"], order["paid_minor"], order["refund_due_minor"]) == (11150, 11150, 7000)
    assert (order["refunded_minor"], order["kept_minor"]) == (0, 4150)
    assert (order["policy_id"], order["policy_version"]) == ("seller-portal", 1)
    line = views.row(ORDER_LINES)
    assert (line["ordered"], line["open"], line["shipped"]) == (10, 0, 3)
    assert (line["canceled"], line["auto_canceled"], line["goods_minor"]) == (7, 7, 10000)
    assert views.row(REFUNDS) == {
        "marketplace": "acme",
        "order_id": "PO-1",
        "refund_id": "refund-1",
        "seller_id": "s-1",
        "currency": "USD",
        "currency_exponent": 2,
        "amount_minor": 7000,
        "status": "due",
        "failed": 0,
        "waiting": 0,
        "due_minor": 7000,
        "in_flight_minor": 7000,
        "waiting_minor": 0,
        "settled_elsewhere_minor": 0,
        "causes": '[{"cause": "fill_or_kill", "amount_minor": 7000}]',
        "parts": (
            '[{"payment_id": "payment-1", "method": "other", "amount_minor": 7000, "kind": "refund", "waiting": false}]'
        ),
        "due_at": at(MONDAY),
        "confirmed_at": None,
    }
    shipment = views.row(SHIPMENTS)
    assert (shipment["status"], shipment["carrier"]) == ("announced", "UPS")
    assert json.loads(str(shipment["lines"])) == [{"line": 1, "quantity": 3}]


def test_a_refusal_leaves_no_trace_but_the_audit_trail_and_the_version() -> None:
    history = History()
    history.place()
    before = viewed(history).tables
    refused = history.send("Ship", actor="seller", shipment_id="asn-1", lines=[{"line": 1, "quantity": 11}])
    assert refused.refused == "ships-more-than-open"

    after = viewed(history).tables

    for table in TABLES:
        if table is AUDIT_TRAIL:
            assert len(after[table.name]) == len(before[table.name]) + 1
        elif table is not ORDERS:
            assert after[table.name] == before[table.name]
    [old], [new] = before["orders"].values(), after["orders"].values()
    assert {n for n, a, b in zip(ORDERS.names, old, new, strict=True) if a != b} == {"version"}


def test_a_request_shows_its_due_time_and_then_its_outcome() -> None:
    history = History()
    history.place(policy="peer-to-peer", sale_format="offer")
    history.send(
        "RequestCancel", at="2026-03-02T11:00:00Z", actor="buyer", request_id="r1", lines=[1], reason="changed_mind"
    )
    assert viewed(history).row(REQUESTS)["status"] == "refused"
    assert viewed(history).row(ORDERS)["status"] == "open"

    history.place("PO-2", policy="everything-store", at="2026-03-02T10:00:00Z")
    history.send(
        "RequestCancel", "PO-2", at="2026-03-02T12:00:00Z", actor="buyer", request_id="r1", reason="changed_mind"
    )
    views = viewed(history)
    request = views.row(REQUESTS, order_id="PO-2")
    assert (request["status"], request["asked_by"], request["reason"]) == ("open", "buyer", "changed_mind")
    assert request["decide_by"] == at("2026-03-04T12:00:00Z")
    assert (request["rule"], request["seller_id"]) == ("seller-has-final-say", "s-1")
    assert json.loads(str(request["lines"])) == [{"line": 1, "quantity": 10}]
    assert views.row(ORDERS, order_id="PO-2")["status"] == "cancel_requested"
    assert views.row(ORDERS, order_id="PO-2")["next_deadline_at"] == at("2026-03-04T12:00:00Z")
    assert [row["kind"] for row in views.rows(DEADLINES, order_id="PO-2")] == ["decide"]

    history.send("ApproveCancel", "PO-2", at="2026-03-02T13:00:00Z", actor="seller", request_id="r1")
    views = viewed(history)
    assert views.row(REQUESTS, order_id="PO-2")["status"] == "approved"
    assert views.row(ORDERS, order_id="PO-2")["status"] == "canceled"
    assert views.rows(DEADLINES, order_id="PO-2") == []
    assert views.row(ORDERS, order_id="PO-2")["next_deadline_at"] is None


def test_late_is_shown_from_its_instant_on_and_no_earlier() -> None:
    history = History()
    history.place(ship_by="2026-03-05T00:00:00Z")
    row = viewed(history).row(ORDERS)
    assert row["late_from"] == at("2026-03-05T00:00:00Z")

    order = history.orders["PO-1"]
    shown = {**row, "late_from": format_instant(at("2026-03-05T00:00:00Z"))}
    for instant in (at("2026-03-05T00:00:00Z"), at("2026-03-05T00:00:00Z") + 1, at(MONDAY) + 400 * DAY):
        assert attention_of(shown, instant) == attention(order, instant)

    history.send("Ship", at="2026-03-06T00:00:00Z", actor="seller", shipment_id="asn-1")
    assert viewed(history).row(ORDERS)["late_from"] is None


def test_a_refund_that_failed_wants_attention_until_it_is_confirmed() -> None:
    history = History()
    history.place()
    history.send("CancelLines", actor="seller", reason="out_of_stock")
    history.send("FailRefund", refund_id="refund-1")
    views = viewed(history)
    assert (views.row(REFUNDS)["failed"], views.row(ORDERS)["attention"]) == (1, "refund_failed")

    history.send("ConfirmRefund", refund_id="refund-1")
    views = viewed(history)
    assert (views.row(REFUNDS)["status"], views.row(REFUNDS)["failed"]) == ("confirmed", 0)
    assert (views.row(ORDERS)["attention"], views.row(ORDERS)["refunded_minor"]) == ("", 10000)


def test_a_message_is_shown_without_its_text() -> None:
    history = History()
    history.place()
    history.send("SendMessage", actor="buyer", message_id="m1", to="seller", text="Where is it?")

    message = viewed(history).row(MESSAGES)

    assert (message["message_id"], message["sender_kind"], message["recipient"]) == ("m1", "buyer", "seller")
    assert "Where" not in str(message)


def test_an_order_of_which_nothing_is_known_but_refusals_has_no_row() -> None:
    history = History()
    assert history.send("Ship", actor="seller", shipment_id="asn-1").answer

    views = viewed(history)

    assert views.rows(ORDERS) == views.rows(SELLER_DAILY) == views.rows(CANCELLATIONS) == []
    assert [*state_rows(history.orders.get("PO-1") or _nothing(), 0)] == []


def _nothing():
    from domain.order import fresh

    return fresh("acme", "PO-1")


# ---- what operators count --------------------------------------------------------------------------------------------


def test_a_request_shows_when_it_was_decided_and_a_later_dispute_leaves_that() -> None:
    history = History()
    history.place(policy="mutual-consent")
    fields = {"actor": "buyer", "reason": "changed_mind"}
    history.send("RequestCancel", at="2026-03-02T11:00:00Z", request_id="r1", lines=[1], **fields)
    assert viewed(history).row(REQUESTS)["decided_at"] is None
    history.send("DeclineCancel", at="2026-03-03T10:00:00Z", actor="seller", request_id="r1")
    history.send("OpenDispute", at="2026-03-04T10:00:00Z", actor="buyer", dispute_id="d1", about="r1")
    history.send("EscalateDispute", at="2026-03-04T11:00:00Z", actor="buyer", dispute_id="d1", ticket="T-1")
    granted = {"dispute_id": "d1", "outcome": "grant", "rule": "seller-has-final-say"}
    history.send("DecideDispute", at="2026-03-05T10:00:00Z", actor="support", **granted)

    request = viewed(history).row(REQUESTS)

    assert (request["status"], request["decided_at"]) == ("approved", at("2026-03-03T10:00:00Z"))


def test_a_request_answered_at_once_is_decided_when_made_and_a_withdrawn_one_never() -> None:
    history = History()
    fields = {"actor": "buyer", "request_id": "r1", "reason": "changed_mind"}
    history.place("granted", policy="everything-store")
    history.send("RequestCancel", "granted", at="2026-03-02T10:10:00Z", **fields)
    history.place("refused", policy="peer-to-peer", sale_format="offer")
    history.send("RequestCancel", "refused", at="2026-03-02T11:00:00Z", **fields)
    history.place("withdrawn", policy="everything-store")
    history.send("RequestCancel", "withdrawn", at="2026-03-02T12:00:00Z", **fields)
    history.send("WithdrawCancel", "withdrawn", at="2026-03-02T13:00:00Z", actor="buyer", request_id="r1")

    shown = {row["order_id"]: (row["status"], row["decided_at"]) for row in viewed(history).rows(REQUESTS)}

    assert shown == {
        "granted": ("approved", at("2026-03-02T10:10:00Z")),
        "refused": ("refused", at("2026-03-02T11:00:00Z")),
        "withdrawn": ("withdrawn", None),
    }


def test_a_refund_shows_when_it_was_confirmed() -> None:
    history = History()
    history.place()
    history.send("CancelLines", actor="seller", reason="out_of_stock")
    history.send("ConfirmRefund", at="2026-03-05T10:00:00Z", refund_id="refund-1")

    refund = viewed(history).row(REFUNDS)

    assert (refund["status"], refund["confirmed_at"]) == ("confirmed", at("2026-03-05T10:00:00Z"))


def test_a_shipment_preserves_its_ship_by_and_shows_when_it_was_delivered() -> None:
    history = History()
    lines = [{"line": n, "sku": f"A-{n}", "quantity": 1, "unit_price": "5.00"} for n in (1, 2)]
    history.place(policy="general-store", ship_by="2026-03-04T00:00:00Z", lines=lines)
    history.send("Ship", at="2026-03-05T10:00:00Z", actor="seller", shipment_id="asn-1", lines=[1])
    history.send("ReviseShipBy", at="2026-03-05T11:00:00Z", actor="seller", ship_by="2026-03-09T00:00:00Z")
    history.send("TakeAlternative", at="2026-03-05T12:00:00Z", actor="buyer")
    history.send("Deliver", at="2026-03-07T10:00:00Z", occurred_at="2026-03-06T10:00:00Z")

    shipment = viewed(history).row(SHIPMENTS)

    assert viewed(history).row(ORDERS)["ship_by"] == at("2026-03-09T00:00:00Z")
    assert (shipment["seller_id"], shipment["ship_by"]) == ("s-1", at("2026-03-04T00:00:00Z"))
    assert shipment["delivered_at"] == at("2026-03-06T10:00:00Z")


def test_a_cancellation_shows_the_price_of_its_units() -> None:
    history = History()
    lines = [
        {"line": 1, "sku": "A", "quantity": 3, "unit_price": "3.34", "discount": "0.02", "tax": "0.70"},
        {"line": 2, "sku": "B", "quantity": 2, "unit_price": "5.00"},
    ]
    history.place(lines=lines, shipping="4.00", currency="EUR")
    history.send("CancelLines", actor="seller", reason="out_of_stock", lines=[2])
    history.send("Ship", actor="seller", shipment_id="asn-1", lines=[{"line": 1, "quantity": 1}])

    rows = viewed(history).rows(CANCELLATIONS)

    assert [(r["line"], r["quantity"], r["amount_minor"]) for r in rows] == [(2, 2, 1000), (1, 2, 667 + 47)]
    assert {(r["currency"], r["currency_exponent"], r["day"]) for r in rows} == {("EUR", 2, "2026-03-02")}


def test_every_amount_has_its_currency_and_decimals() -> None:
    for table in TABLES:
        minors = [column for column in table.columns if column.type == "minor"]
        assert not minors or {"currency", "currency_exponent"} <= set(table.names), table.name
    history = History()
    history.place("yen", currency="JPY", lines=[{"line": 1, "sku": "A", "quantity": 1, "unit_price": "1500"}])
    history.place("dinar", currency="KWD", lines=[{"line": 1, "sku": "A", "quantity": 1, "unit_price": "1.500"}])

    views = viewed(history)

    for table in (ORDERS, ORDER_LINES):
        shown = {row["order_id"]: (row["currency"], row["currency_exponent"]) for row in views.rows(table)}
        assert shown == {"yen": ("JPY", 0), "dinar": ("KWD", 3)}
