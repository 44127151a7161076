"""payments, fees, refunds and other_refunds: what became of an order's money, and what of it is in flight."""

import json
from typing import Any

from domain.instants import parse_instant
from projections.tables import FEES, ORDER_LINES, OTHER_REFUNDS, PAYMENTS, REFUNDS, RETURNS, SHIPMENTS
from tests.spec.projections.histories import MONDAY, History
from tests.spec.projections.test_what_an_order_shows import viewed

LINES = [
    {"line": 1, "sku": "A-1", "quantity": 2, "unit_price": "10.00", "shipping": "1.00", "shipping_tax": "0.10"},
    {"line": 2, "sku": "A-2", "quantity": 2, "unit_price": "10.00", "part_of": 1},
]


def send(history: History, command: str, at: str = MONDAY, actor: str = "system", **fields: Any) -> None:
    decided = history.send(command, at=at, actor=actor, **fields)
    assert decided.refused is None, decided.refused


def paid(*payments: tuple[str, str, str, str], **fields: Any) -> History:
    """An order of 50.00 that was paid so: id, method, amount, state."""
    history = History()
    history.place(paid=False, **{"lines": [{"line": 1, "sku": "A-1", "quantity": 5, "unit_price": "10.00"}], **fields})
    for payment_id, method, amount, state in payments:
        payment = {"payment_id": payment_id, "method": method, "amount": amount, "state": state}
        send(history, "ConfirmPayment", "2026-03-02T11:00:00Z", **payment)
    return history


def by_card_and_gift_card() -> History:
    return paid(("visa", "card", "30.00", "captured"), ("gift", "gift_card", "20.00", "captured"))


def money(row: dict[str, Any]) -> dict[str, Any]:
    return {name.removesuffix("_minor"): cell for name, cell in row.items() if name.endswith("_minor") and cell}


def test_a_payment_shows_what_is_authorized_captured_and_refunded() -> None:
    history = paid(("visa", "card", "30.00", "authorized"), ("gift", "gift_card", "20.00", "captured"))
    row = viewed(history).row(PAYMENTS, payment_id="visa")
    assert (row["method"], row["state"], row["authorized_minor"]) == ("card", "authorized", 3000)
    assert (row["currency"], row["currency_exponent"]) == ("USD", 2)
    assert row["paid_at"] == parse_instant("2026-03-02T11:00:00Z")

    send(history, "CapturePayment", "2026-03-02T12:00:00Z", payment_id="visa", amount="10.00")
    row = viewed(history).row(PAYMENTS, payment_id="visa")
    assert (row["state"], money(row)) == ("authorized", {"authorized": 2000, "captured": 1000})

    send(history, "ReleasePayment", "2026-03-02T13:00:00Z", payment_id="visa")
    row = viewed(history).row(PAYMENTS, payment_id="visa")
    assert (row["state"], money(row)) == ("captured", {"captured": 1000})


def test_an_authorization_that_lapsed_as_a_whole_is_released() -> None:
    history = paid(("visa", "card", "50.00", "authorized"))
    send(history, "ReleasePayment", "2026-03-02T12:00:00Z", payment_id="visa")
    row = viewed(history).row(PAYMENTS)
    assert (row["state"], money(row)) == ("released", {})


def test_a_refund_is_in_flight_until_each_of_its_parts_is_confirmed() -> None:
    history = by_card_and_gift_card()
    send(history, "CancelLines", "2026-03-03T10:00:00Z", "seller", reason="out_of_stock")
    send(history, "ConfirmRefund", "2026-03-04T10:00:00Z", refund_id="refund-1", payment_id="gift")
    views = viewed(history)
    refund = views.row(REFUNDS)
    assert (refund["status"], money(refund)) == ("due", {"amount": 5000, "due": 5000, "in_flight": 3000})
    assert json.loads(str(refund["causes"])) == [{"cause": "seller", "amount_minor": 5000}]
    assert [part["payment_id"] for part in json.loads(str(refund["parts"]))] == ["gift", "visa"]
    assert money(views.row(PAYMENTS, payment_id="gift")) == {"captured": 2000, "refunded": 2000}

    send(history, "ConfirmRefund", "2026-03-04T11:00:00Z", refund_id="refund-1", payment_id="visa")
    refund = viewed(history).row(REFUNDS)
    assert (refund["status"], money(refund)) == ("confirmed", {"amount": 5000})

    send(history, "FailRefund", "2026-03-05T10:00:00Z", refund_id="refund-1", payment_id="visa")
    refund = viewed(history).row(REFUNDS)
    assert (refund["status"], refund["failed"], refund["confirmed_at"]) == ("due", 1, None)
    assert money(refund) == {"amount": 5000, "due": 5000, "in_flight": 3000}


def test_what_waits_for_a_chargeback_is_due_and_not_in_flight_and_what_it_took_is_settled_elsewhere() -> None:
    history = by_card_and_gift_card()
    send(history, "OpenChargeback", "2026-03-03T10:00:00Z", payment_id="visa", amount="30.00")
    send(history, "CancelLines", "2026-03-03T11:00:00Z", "seller", reason="out_of_stock")
    views = viewed(history)
    refund = views.row(REFUNDS)
    assert (refund["waiting"], views.row(PAYMENTS, payment_id="visa")["chargeback_minor"]) == (1, 3000)
    assert money(refund) == {"amount": 5000, "due": 5000, "in_flight": 2000, "waiting": 3000}

    lost = {"payment_id": "visa", "outcome": "lost", "amount": "10.00", "command_id": "bank-7"}
    send(history, "CloseChargeback", "2026-03-04T10:00:00Z", **lost)
    views = viewed(history)
    refund, other = views.row(REFUNDS), views.row(OTHER_REFUNDS)
    assert (refund["waiting"], views.row(PAYMENTS, payment_id="visa")["chargeback_minor"]) == (0, 0)
    assert money(refund) == {"amount": 5000, "due": 4000, "in_flight": 4000, "settled_elsewhere": 1000}
    assert (other["other_refund_id"], other["refund_id"], other["payment_id"]) == ("bank-7", "refund-1", "visa")
    assert (other["amount_minor"], other["at"]) == (1000, parse_instant("2026-03-04T10:00:00Z"))


def test_a_refund_that_was_settled_elsewhere_or_withdrawn_is_neither_due_nor_in_flight() -> None:
    withdrawn = {"actor": "support", "rule": "standing", "note": "It was a mistake."}
    ends: list[tuple[str, str, dict[str, Any]]] = [
        ("settled_elsewhere", "RecordOtherRefund", {"amount": "50.00", "other_refund_id": "by-hand"}),
        ("withdrawn", "WithdrawRefund", withdrawn),
    ]
    for status, command, fields in ends:
        history = by_card_and_gift_card()
        send(history, "CancelLines", "2026-03-03T10:00:00Z", "seller", reason="out_of_stock")
        send(history, command, "2026-03-04T10:00:00Z", refund_id="refund-1", **fields)
        refund = viewed(history).row(REFUNDS)
        elsewhere = {"settled_elsewhere": 5000} if status == "settled_elsewhere" else {}
        assert (refund["status"], money(refund)) == (status, {"amount": 5000, **elsewhere})


def test_an_other_refund_says_what_it_covers() -> None:
    fees = [{"fee_id": "f1", "title": "Gift wrapping", "amount": "4.00", "tax": "0.40", "refundable": "with-order"}]
    history = paid(("visa", "card", "60.00", "captured"), fees=fees, shipping="5.00")
    covers = [{"line": 1, "amount": "10.00"}, {"shipping": "2.00"}, {"fee_id": "f1", "amount": "1.00"}]
    other: dict[str, Any] = {"other_refund_id": "goodwill", "amount": "15.00", "covers": covers}
    send(history, "RecordOtherRefund", "2026-03-03T10:00:00Z", **other)
    views = viewed(history)

    row = views.row(OTHER_REFUNDS)

    assert json.loads(str(row["covers"])) == [
        {"kind": "line", "line": 1, "fee_id": None, "amount_minor": 1000},
        {"kind": "shipping", "line": None, "fee_id": None, "amount_minor": 200},
        {"kind": "fee", "line": None, "fee_id": "f1", "amount_minor": 100},
    ]
    assert (row["number"], row["refund_id"], row["payment_id"], row["amount_minor"]) == (1, None, None, 1500)
    assert views.row(PAYMENTS)["other_refunds_minor"] == 1500
    fee = views.row(FEES)
    assert (fee["title"], fee["refundable"], money(fee)) == ("Gift wrapping", "with-order", {"amount": 400, "tax": 40})


def test_lines_shipments_and_returns_show_what_is_lost_or_goes_back() -> None:
    history = History()
    history.place(policy="general-store", lines=LINES)
    send(history, "Ship", "2026-03-03T10:00:00Z", "seller", shipment_id="asn-1", lines=[1])
    send(history, "Ship", "2026-03-03T11:00:00Z", "seller", shipment_id="asn-2", lines=[2])
    send(history, "ReportUndelivered", "2026-03-05T10:00:00Z", "seller", shipment_id="asn-1", outcome="lost")
    refused = {"shipment_id": "asn-2", "outcome": "refused"}
    send(history, "ReportUndelivered", "2026-03-05T11:00:00Z", "seller", **refused)
    received = {"about": "return-1", "lines": [{"line": 2, "quantity": 1, "condition": "sellable"}]}
    send(history, "ReturnReceived", "2026-03-09T10:00:00Z", "seller", **received)
    views = viewed(history)

    first, second = views.rows(ORDER_LINES)

    assert (first["undelivered"], first["shipping_minor"], first["shipping_tax_minor"]) == (2, 100, 10)
    assert (second["undelivered"], second["part_of"], second["returned"]) == (0, 1, 1)
    assert [row["status"] for row in views.rows(SHIPMENTS)] == ["lost", "returning"]
    back = views.row(RETURNS)
    assert (back["status"], back["about"], back["ended_at"]) == ("started", "asn-2", None)
    assert json.loads(str(back["received"])) == [{"line": 2, "quantity": 1}]


def test_a_return_shows_by_when_it_has_to_be_sent_and_that_it_lapsed() -> None:
    history = History()
    history.place(policy="general-store@2")
    send(history, "Ship", "2026-03-03T10:00:00Z", "seller", shipment_id="asn-1")
    send(history, "Deliver", "2026-03-04T10:00:00Z")
    send(history, "RequestReturn", "2026-03-05T10:00:00Z", "buyer", reason="changed_mind", lines=[1])
    back = viewed(history).row(RETURNS)
    assert (back["status"], back["ship_by"]) == ("open", parse_instant("2026-03-19T10:00:00Z"))

    send(history, "SendMessage", "2026-03-25T10:00:00Z", "buyer", message_id="m1", to="seller", text="Well?")
    back = viewed(history).row(RETURNS)
    assert (back["status"], back["ended_at"]) == ("lapsed", parse_instant("2026-03-19T10:00:00Z"))
