"""Instructions to the payment service: what to pay now, what waits for a chargeback, and what not to pay after all."""

import io
from typing import Any

import fastavro
import pytest

from consumers.ports.public_log import PublicRecord
from schemas.framing import unframe
from schemas.public.contracts import EVENT_VERSIONS, instruction_contract, schema_of
from schemas.public.ids import contract_of
from tests.spec.projections.histories import History
from tests.spec.publishing.test_public_records import on, public_records


def a_gift_card_and_a_card() -> History:
    """An order of 100.00 in two lines, paid with a gift card of 30.00 and an authorized card of 70.00."""
    history = History()
    lines = [{"line": n, "sku": f"A-{n}", "quantity": 1, "unit_price": "50.00"} for n in (1, 2)]
    history.place(lines=lines, paid=False)
    history.send("ConfirmPayment", amount="30.00", payment_id="gift", method="gift_card")
    history.send("ConfirmPayment", amount="70.00", payment_id="card", method="card", state="authorized")
    return history


def canceled(history: History, line: int, at: str = "2026-03-02T11:00:00Z") -> History:
    history.send("CancelLines", at=at, actor="seller", reason="out_of_stock", lines=[line])
    return history


def opened(history: History, payment_id: str, amount: str, at: str = "2026-03-02T10:30:00Z") -> None:
    history.send("OpenChargeback", at=at, payment_id=payment_id, amount=amount)


def closed(history: History, payment_id: str, outcome: str, at: str = "2026-03-05T10:00:00Z", **more: str) -> None:
    history.send("CloseChargeback", at=at, payment_id=payment_id, outcome=outcome, **more)


def to_pay(records: list[PublicRecord]) -> list[tuple[str, int, list[tuple[str, int, str]]]]:
    """Of each instruction its id within the order, its amount and its parts."""
    return [
        (
            refund["instruction_id"].removeprefix("acme/PO-1/"),
            refund["amount"],
            [(part["payment_id"], part["amount"], part["kind"]) for part in refund["parts"]],
        )
        for refund in instructions(records, "RefundInstruction")
    ]


def instructions(records: list[PublicRecord], name: str) -> list[Any]:
    kinds = [contract_of(unframe(r.value)[0]).name.rpartition(".")[2] for r in records if r.kind == "refunds"]
    return [body for kind, body in zip(kinds, on("refunds", records), strict=True) if kind == name]


def test_an_instruction_says_its_parts_its_causes_and_what_it_is_for() -> None:
    history = canceled(canceled(a_gift_card_and_a_card(), 1), 2, "2026-03-02T12:00:00Z")
    first, second = instructions(public_records(history), "RefundInstruction")
    card = {"payment_id": "card", "method": "card", "kind": "void"}
    assert first["parts"] == [card | {"amount": 5000}]
    assert second["parts"] == [
        card | {"amount": 2000},
        {"payment_id": "gift", "method": "gift_card", "amount": 3000, "kind": "refund"},
    ]
    assert second["causes"] == [{"cause": "seller", "amount": 5000}]
    assert second["purposes"] == [{"kind": "line", "line": 2, "fee_id": None, "amount": 5000}]
    assert (second["amount"], second["refund_amount"]) == (5000, 5000)


def test_money_beyond_the_total_is_an_instruction_of_its_own_cause() -> None:
    history = History()
    history.place(paid=False)
    history.send("ConfirmPayment", amount="60.00", payment_id="p1")
    history.send("ConfirmPayment", amount="60.00", payment_id="p2")
    [refund] = instructions(public_records(history), "RefundInstruction")
    assert (refund["amount"], refund["lines"]) == (2000, [])
    assert refund["causes"] == [{"cause": "overpaid", "amount": 2000}]
    assert refund["purposes"] == [{"kind": "excess", "line": None, "fee_id": None, "amount": 2000}]


def test_a_part_that_waits_for_a_chargeback_goes_out_once_when_it_is_won() -> None:
    history = a_gift_card_and_a_card()
    opened(history, "card", "70.00")
    history.send("CancelLines", at="2026-03-02T11:00:00Z", actor="seller", reason="out_of_stock")
    assert to_pay(public_records(history)) == [("refund-1", 3000, [("gift", 3000, "refund")])]
    closed(history, "card", "won")
    [first, second] = instructions(public_records(history), "RefundInstruction")
    version = history.orders["PO-1"].version
    assert second["instruction_id"] == f"acme/PO-1/refund-1.{version}"
    assert (second["refund_id"], second["amount"], second["refund_amount"]) == ("refund-1", 7000, 10000)
    assert second["parts"] == [{"payment_id": "card", "method": "card", "amount": 7000, "kind": "void"}]
    assert (second["lines"], second["causes"], second["purposes"]) == (
        first["lines"],
        first["causes"],
        first["purposes"],
    )
    history.send("FailRefund", at="2026-03-06T10:00:00Z", refund_id="refund-1")
    opened(history, "card", "70.00", "2026-03-07T10:00:00Z")
    closed(history, "card", "won", "2026-03-08T10:00:00Z")
    assert len(to_pay(public_records(history))) == 2


def test_what_a_lost_chargeback_did_not_take_goes_out_and_what_it_took_never_does() -> None:
    history = a_gift_card_and_a_card()
    opened(history, "card", "60.00")
    canceled(history, 1)
    canceled(history, 2, "2026-03-02T12:00:00Z")
    assert to_pay(public_records(history)) == [("refund-2", 3000, [("gift", 3000, "refund")])]
    closed(history, "card", "lost")
    version = history.orders["PO-1"].version
    [_, rest] = to_pay(public_records(history))
    assert rest[0].startswith("refund-2.") and int(rest[0].removeprefix("refund-2.")) < version
    assert rest[1:] == (1000, [("card", 1000, "void")])
    assert instructions(public_records(history), "RefundStop") == []


def test_the_parts_of_two_refunds_that_waited_are_two_instructions() -> None:
    history = a_gift_card_and_a_card()
    opened(history, "card", "70.00")
    canceled(history, 1)
    canceled(history, 2, "2026-03-02T12:00:00Z")
    closed(history, "card", "won")
    records = public_records(history)
    version = history.orders["PO-1"].version
    assert [(id, amount) for id, amount, _ in to_pay(records)] == [
        ("refund-2", 3000),
        (f"refund-1.{version}", 5000),
        (f"refund-2.{version}", 2000),
    ]
    ids = [dict(record.headers)["ce_id"] for record in records]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("command", "fields", "reason"),
    [
        ("WithdrawRefund", {"note": "The parcel had left."}, "withdrawn"),
        ("RecordOtherRefund", {"amount": "50.00"}, "settled_elsewhere"),
    ],
)
def test_a_refund_that_is_not_to_be_paid_after_all_is_stopped(command: str, fields: Any, reason: str) -> None:
    history = canceled(a_gift_card_and_a_card(), 1)
    assert instructions(public_records(history), "RefundStop") == []
    history.send(command, at="2026-03-03T10:00:00Z", refund_id="refund-1", **fields)
    records = public_records(history)
    [stop] = instructions(records, "RefundStop")
    assert stop.pop("issued_at")
    assert stop == {
        "instruction_id": "acme/PO-1/stop-refund-1",
        "marketplace": "acme",
        "order_id": "PO-1",
        "po_number": "PO-1",
        "checkout_id": None,
        "buyer_id": "b-1",
        "seller_id": "s-1",
        "refund_id": "refund-1",
        "reason": reason,
    }
    assert len(to_pay(records)) == 1


def test_a_refund_of_which_everything_waited_was_never_instructed_and_is_not_stopped() -> None:
    history = a_gift_card_and_a_card()
    opened(history, "card", "70.00")
    canceled(history, 1)
    history.send("WithdrawRefund", at="2026-03-03T10:00:00Z", refund_id="refund-1", note="The parcel had left.")
    closed(history, "card", "won")
    assert on("refunds", public_records(history)) == []


def test_a_refund_whose_waiting_part_was_released_is_stopped() -> None:
    history = a_gift_card_and_a_card()
    opened(history, "card", "70.00")
    canceled(history, 1)
    closed(history, "card", "won")
    history.send("WithdrawRefund", at="2026-03-06T10:00:00Z", refund_id="refund-1", note="The parcel had left.")
    assert len(instructions(public_records(history), "RefundStop")) == 1


def test_imported_history_stops_nothing_because_it_instructed_nothing() -> None:
    history = canceled(a_gift_card_and_a_card(), 1)
    history.send("WithdrawRefund", at="2026-03-03T10:00:00Z", refund_id="refund-1", note="The parcel had left.")
    assert {record.kind for record in public_records(history, writer="import")} == {"order-events"}


def test_a_stop_has_no_amount_so_that_nobody_pays_it() -> None:
    names = [field["name"] for field in schema_of(instruction_contract("RefundStop"))["fields"]]
    assert not [name for name in names if "amount" in name]


def test_a_reader_of_the_first_version_reads_what_it_knows() -> None:
    history = canceled(a_gift_card_and_a_card(), 1)
    [record] = [record for record in public_records(history) if record.kind == "refunds"]
    now = instruction_contract("RefundInstruction")
    written, first = (fastavro.parse_schema(schema_of(each)) for each in (now, now._replace(version=1)))
    refund: Any = fastavro.schemaless_reader(io.BytesIO(unframe(record.value)[1]), written, first)
    assert (refund["instruction_id"], refund["amount"]) == ("acme/PO-1/refund-1", 5000)
    assert "parts" not in refund


def test_order_events_have_every_event_of_payments_refunds_returns_and_parcels() -> None:
    history = a_gift_card_and_a_card()
    opened(history, "gift", "30.00")
    closed(history, "gift", "lost", "2026-03-02T10:40:00Z")
    canceled(history, 1)
    history.send("CapturePayment", at="2026-03-02T11:10:00Z", payment_id="card", amount="10.00")
    history.send("ReleasePayment", at="2026-03-02T11:20:00Z", payment_id="card")
    history.send("Ship", at="2026-03-02T12:00:00Z", shipment_id="s1")
    history.send("ReportUndelivered", at="2026-03-09T10:00:00Z", actor="seller", shipment_id="s1", outcome="refused")
    close = {"about": "return-1", "outcome": "refund"}
    history.send("CloseReturn", at="2026-03-10T10:00:00Z", actor="seller", **close)
    names = {dict(r.headers)["ce_type"].decode().rpartition(".")[2] for r in public_records(history)}
    assert names >= {"ChargebackOpened", "ChargebackClosed", "PaymentCaptured", "PaymentReleased"}
    assert names >= {"ParcelUndelivered", "ReturnOpened", "ReturnClosed"}
    assert set(EVENT_VERSIONS) >= {"OtherRefundSettled", "RefundWithdrawn", "ReturnWithdrawn"}
