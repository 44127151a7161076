"""The public records of a commit, for other services."""

import io
from dataclasses import replace
from typing import Any

import fastavro
import pytest

from consumers.ports.public_log import PublicRecord
from consumers.publishing.public_records import Publisher
from domain.events import ImportOpened, SubjectErased
from domain.instants import parse_instant
from domain.references import reference_of
from schemas.commit import EventEntry
from schemas.framing import unframe
from schemas.public.contracts import schema_of
from schemas.public.ids import PinnedIds, contract_of
from tests.spec.projections.histories import History


def public_records(history: History, **changes: Any) -> list[PublicRecord]:
    """Everything that a history says, as if its commits had these things changed."""
    publisher = Publisher(0, history.log.state, PinnedIds())
    records = []
    for admitted in history.log.state.commits():
        made, failed = publisher.records(replace(admitted, commit=replace(admitted.commit, **changes)), {})
        assert not failed
        records += made
    return records


def read(record: PublicRecord) -> Any:
    """A record's body, as any reader of Avro has it."""
    schema_id, body = unframe(record.value)
    data = io.BytesIO(body)
    schema = fastavro.parse_schema(schema_of(contract_of(schema_id)))
    value = fastavro.schemaless_reader(data, schema, None)
    assert not data.read()
    return value


def on(kind: str, records: list[PublicRecord]) -> list[Any]:
    return [read(record) for record in records if record.kind == kind]


@pytest.fixture
def partly_shipped() -> History:
    history = History()
    history.place()
    history.send("Ship", at="2026-03-02T11:00:00Z", shipment_id="s1", lines=[{"line": 1, "quantity": 3}])
    return history


def test_every_event_of_an_order_is_one_record_in_order(partly_shipped: History) -> None:
    records = [record for record in public_records(partly_shipped) if record.kind == "order-events"]
    log = partly_shipped.log.state
    stored = [entry for admitted in log.commits() for part in admitted.commit.streams for entry in part.events]
    assert [dict(r.headers)["ce_type"].decode() for r in records] == [f"rescind.order.{e.name}" for e in stored]
    assert [read(r)["version"] for r in records] == list(range(1, len(stored) + 1))
    for record, entry in zip(records, stored, strict=True):
        assert record.key == b"acme/PO-1"
        assert unframe(record.value)[1].endswith(entry.body)


def test_headers_state_the_kind_and_the_position(partly_shipped: History) -> None:
    records = [record for record in public_records(partly_shipped) if record.kind == "order-events"]
    commit = partly_shipped.log.state.commit_at(1)
    assert commit is not None
    first = next(r for r in records if dict(r.headers)["rescind-ordinal"] == b"1")
    assert dict(first.headers) == {
        "ce_specversion": b"1.0",
        "ce_id": b"acme/PO-1/3",
        "ce_source": b"/rescind/acme",
        "content-type": b"application/vnd.apache.avro",
        "ce_type": b"rescind.order.LinePartiallyShipped",
        "ce_dataschema": b"urn:rescind:rescind.order.LinePartiallyShipped:1",
        "ce_subject": b"acme/PO-1",
        "ce_time": b"2026-03-02T11:00:00Z",
        "rescind-position": b"0:2",
        "rescind-ordinal": b"1",
        "rescind-commit": commit.hash.hex().encode(),
        "rescind-version": b"3",
    }


def test_positions_have_holes_where_events_are_not_published(partly_shipped: History) -> None:
    partly_shipped.log.write("acme/subject/b-1", SubjectErased("b-1"))
    partly_shipped.send("ConfirmRefund", at="2026-03-04T10:00:00Z", refund_id="refund-1")
    records = [record for record in public_records(partly_shipped) if record.kind == "order-events"]
    positions = [int(dict(record.headers)["rescind-position"].partition(b":")[2]) for record in records]
    assert positions == [0, 1, 2, 3, 4, 6]
    assert [read(record)["version"] for record in records] == [1, 2, 3, 4, 5, 6]


def test_ids_follow_from_the_log_alone(partly_shipped: History) -> None:
    once, again = public_records(partly_shipped), public_records(partly_shipped)
    assert once == again
    ids = [dict(record.headers)["ce_id"] for record in once]
    assert len(set(ids)) == len(ids)


def test_a_refund_that_is_due_is_one_instruction_with_all_that_paying_needs(partly_shipped: History) -> None:
    [refund] = on("refunds", public_records(partly_shipped))
    assert refund.pop("issued_at")
    assert refund == {
        "instruction_id": "acme/PO-1/refund-1",
        "marketplace": "acme",
        "order_id": "PO-1",
        "po_number": "PO-1",
        "checkout_id": None,
        "buyer_id": "b-1",
        "seller_id": "s-1",
        "refund_id": "refund-1",
        "amount": 7000,
        "currency": "USD",
        "lines": [{"line": 1, "sku": "A-1", "quantity": 7}],
        "parts": [{"payment_id": "payment-1", "method": "other", "amount": 7000, "kind": "refund"}],
        "causes": [{"cause": "fill_or_kill", "amount": 7000}],
        "purposes": [{"kind": "line", "line": 1, "fee_id": None, "amount": 7000}],
        "refund_amount": 7000,
    }


def test_a_refund_that_failed_is_instructed_once_only(partly_shipped: History) -> None:
    partly_shipped.send("FailRefund", at="2026-03-03T10:00:00Z", refund_id="refund-1")
    partly_shipped.send("ConfirmRefund", at="2026-03-04T10:00:00Z", refund_id="refund-1")
    assert len(on("refunds", public_records(partly_shipped))) == 1


def moves(history: History) -> list[tuple[str, int, int, str | None]]:
    return [
        (move["movement"], units["line"], units["quantity"], move["condition"])
        for move in on("restock", public_records(history))
        for units in move["lines"]
    ]


@pytest.mark.rule("restock-once")
def test_restock_once_units_canceled_by_fill_or_kill_are_restocked(partly_shipped: History) -> None:
    assert moves(partly_shipped) == [("canceled", 1, 7, None)]


def test_restock_once_units_canceled_by_the_seller_are_restocked() -> None:
    history = History()
    lines = [{"line": n, "sku": f"A-{n}", "quantity": n, "unit_price": "10.00"} for n in (1, 2)]
    history.place(lines=lines)
    history.send("CancelLines", at="2026-03-02T11:00:00Z", actor="seller", reason="out_of_stock")
    assert moves(history) == [("canceled", 1, 1, None), ("canceled", 2, 2, None)]


@pytest.mark.parametrize("condition", ["sellable", "damaged", None])
def test_restock_once_a_return_is_restocked_on_receipt_with_its_condition(condition: str | None) -> None:
    history = History()
    history.place(policy="general-store")
    history.send("Ship", at="2026-03-02T11:00:00Z", shipment_id="s1")
    history.send("Deliver", at="2026-03-03T11:00:00Z")
    returned = [{"line": 1, "quantity": 4}]
    history.send("RequestReturn", at="2026-03-04T11:00:00Z", actor="buyer", reason="changed_mind", lines=returned)
    assert moves(history) == []
    more: Any = {} if condition is None else {"condition": condition}
    history.send("ReturnReceived", at="2026-03-05T11:00:00Z", about="return-1", **more)
    assert moves(history) == [("returned", 1, 4, condition)]


def test_restock_once_a_return_that_arrives_in_parts_is_an_instruction_for_each_condition() -> None:
    history = History()
    history.place(policy="general-store")
    history.send("Ship", at="2026-03-02T11:00:00Z", shipment_id="s1")
    history.send("Deliver", at="2026-03-03T11:00:00Z")
    history.send("RequestReturn", at="2026-03-04T11:00:00Z", actor="buyer", reason="changed_mind", lines=[1])
    parts: Any = [{"line": 1, "quantity": n, "condition": c} for n, c in ((4, "sellable"), (2, "damaged"))]
    history.send("ReturnReceived", at="2026-03-05T11:00:00Z", about="return-1", lines=parts)
    history.send("CloseReturn", at="2026-03-06T11:00:00Z", actor="seller", about="return-1", outcome="refund")
    history.send("ReturnReceived", at="2026-03-07T11:00:00Z", about="return-1", condition="damaged")
    assert moves(history) == [
        ("returned", 1, 4, "sellable"),
        ("returned", 1, 2, "damaged"),
        ("returned", 1, 4, "damaged"),
    ]
    ids = [move["instruction_id"] for move in on("restock", public_records(history))]
    assert len(set(ids)) == 3
    assert ids[1] == f"{ids[0]}.2"


def test_restock_once_a_lost_parcel_never_moves_stock() -> None:
    history = History()
    history.place(policy="general-store")
    history.send("Ship", at="2026-03-02T11:00:00Z", shipment_id="s1")
    history.send("ReportUndelivered", at="2026-03-09T11:00:00Z", actor="seller", shipment_id="s1", outcome="lost")
    history.send("Deliver", at="2026-03-12T11:00:00Z", shipment_id="s1")
    assert [entry.kind for entry in public_records(history)].count("refunds") == 1
    assert moves(history) == []


def test_restock_once_a_return_that_nobody_confirmed_moves_nothing() -> None:
    history = History()
    history.place(policy="general-store")
    history.send("Ship", at="2026-03-02T11:00:00Z", shipment_id="s1")
    history.send("Deliver", at="2026-03-03T11:00:00Z")
    history.send("RequestReturn", at="2026-03-04T11:00:00Z", actor="buyer", reason="changed_mind", lines=[1])
    history.send("Deliver", at="2026-03-05T11:00:00Z", shipment_id="return-1")
    history.reach("PO-1", history.orders["PO-1"].recorded_at + 30 * 86_400_000_000)
    names = [entry.name for a in history.log.state.commits() for p in a.commit.streams for entry in p.events]
    assert "ReturnReceived" in names
    assert moves(history) == []


@pytest.fixture
def shipped_all_the_same(partly_shipped: History) -> History:
    history = partly_shipped
    parcel: Any = {"carrier": "UPS", "tracking_number": "1Z", "lines": [{"line": 1, "quantity": 2}]}
    history.send("ReportShippedAfterCancel", at="2026-03-03T10:00:00Z", actor="seller", **parcel)
    history.send("NotifyCustomer", at="2026-03-03T11:00:00Z", actor="seller", text="It is on its way with UPS, 1Z.")
    at = "2026-03-03T12:00:00Z"
    history.send("Acknowledge", at=at, actor="buyer", accepts_item=True, accepts_rebilling=True)
    history.send("Rebill", at="2026-03-03T13:00:00Z")
    history.send("ConfirmRebill", at="2026-03-03T14:00:00Z", rebill_id="rebill-1")
    history.send("IssueCreditMemo", at="2026-03-03T15:00:00Z", memo_id="m-1", rebill_id="rebill-1")
    return history


def test_restock_once_units_canceled_and_shipped_anyway_are_taken_out_again(shipped_all_the_same: History) -> None:
    assert moves(shipped_all_the_same) == [("canceled", 1, 7, None), ("taken_back", 1, 2, None)]


def test_a_rebilling_and_its_memo_are_one_instruction_each(shipped_all_the_same: History) -> None:
    [rebill] = on("rebills", public_records(shipped_all_the_same))
    [memo] = on("credit-memos", public_records(shipped_all_the_same))
    assert (rebill["instruction_id"], rebill["amount"], rebill["currency"]) == ("acme/PO-1/rebill-1", 2000, "USD")
    assert rebill["lines"] == [{"line": 1, "sku": "A-1", "quantity": 2}]
    assert (memo["instruction_id"], memo["rebill_id"], memo["amount"]) == (
        "acme/PO-1/credit-memo:m-1",
        "rebill-1",
        2000,
    )


def test_an_import_is_history_its_events_are_published_and_nobody_is_instructed(shipped_all_the_same: History) -> None:
    as_it_was, as_history = public_records(shipped_all_the_same), public_records(shipped_all_the_same, writer="import")
    assert {record.kind for record in as_history} == {"order-events"}
    assert all(event["history"] for event in on("order-events", as_history))
    events = [record for record in as_it_was if record.kind == "order-events"]
    assert [r.headers for r in as_history] == [r.headers for r in events]
    assert public_records(shipped_all_the_same, writer="import-live")[0].headers == events[0].headers
    assert {r.kind for r in public_records(shipped_all_the_same, writer="import-live")} == {r.kind for r in as_it_was}


def test_control_streams_and_subjects_are_nobodys_orders(partly_shipped: History) -> None:
    before = len(public_records(partly_shipped))
    partly_shipped.log.write("$import/acme/00", ImportOpened("acme", bytes(32)))
    partly_shipped.log.write("acme/subject/b-1", SubjectErased("b-1"))
    assert len(public_records(partly_shipped)) == before


def test_an_event_that_nobody_can_read_parks_its_order_and_no_other(partly_shipped: History) -> None:
    at = parse_instant("2026-03-05T10:00:00Z")
    admitted = partly_shipped.log.append([("acme/PO-1", [EventEntry(0, "Teleported", 1, at, b"?")])], at)
    publisher = Publisher(0, partly_shipped.log.state, PinnedIds())
    made, [failed] = publisher.records(admitted, {})
    assert made == []
    assert (failed.stream, failed.ordinal, failed.letter.event) == ("acme/PO-1", admitted.ordinal, "Teleported")
    letter = failed.letter.record
    assert (letter.kind, letter.key, letter.value) == ("dead-letters", b"acme/PO-1", admitted.data)
    headers = dict(letter.headers)
    assert headers["rescind-origin"] == b"publisher"
    assert headers["rescind-offset"] == str(admitted.offset).encode()
    assert b"Teleported" in headers["rescind-error"]
    assert publisher.records(admitted, {"acme/PO-1": failed}) == ([], [])


# ---- notifications --------------------------------------------------------------------------------------------------


def test_both_told_every_notice_is_one_instruction_with_an_id_that_can_be_confirmed(partly_shipped: History) -> None:
    notices = on("notifications", public_records(partly_shipped))
    assert [(each["notice_id"], each["template"], each["recipient_id"]) for each in notices] == [
        ("told-1-buyer", "placed", "b-1"),
        ("told-3-buyer", "shipped", "b-1"),
        ("told-4-buyer", "auto-canceled", "b-1"),
        ("told-4-seller", "auto-canceled", "s-1"),
        ("told-5-buyer", "refund-due", "b-1"),
    ]
    for each in notices:
        partly_shipped.send("ConfirmNotice", at="2026-03-02T12:00:00Z", notice_id=each["notice_id"])
        last = list(partly_shipped.log.state.commits())[-1]
        assert [entry.name for entry in last.commit.streams[0].events] == ["ConfirmationDelivered"]


def test_a_confirmation_is_instructed_with_its_reference_and_no_text(partly_shipped: History) -> None:
    notices = on("notifications", public_records(partly_shipped))
    confirmation = next(each for each in notices if each["notice_id"] == "told-4-buyer")
    commit = partly_shipped.log.state.commit_at(1)
    assert commit is not None
    assert confirmation.pop("issued_at")
    assert confirmation == {
        "instruction_id": "acme/PO-1/told-4-buyer",
        "marketplace": "acme",
        "order_id": "PO-1",
        "po_number": "PO-1",
        "checkout_id": None,
        "buyer_id": "b-1",
        "seller_id": "s-1",
        "notice_id": "told-4-buyer",
        "audience": "buyer",
        "recipient_id": "b-1",
        "template": "auto-canceled",
        "event": "AutoCanceled",
        "version": 4,
        "about": "s1",
        "reference": reference_of(commit.hash),
        "amount": None,
        "currency": "USD",
    }
    assert [each["amount"] for each in notices if each["template"] == "refund-due"] == [7000]


def test_import_is_history_and_nobody_is_notified_of_it(partly_shipped: History) -> None:
    assert on("notifications", public_records(partly_shipped, writer="import")) == []
    assert on("notifications", public_records(partly_shipped, writer="import-live")) != []
