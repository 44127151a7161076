"""tracking_numbers: every number that an event names, whoever gave it, and for whatever parcel."""

import dataclasses
from typing import Any, get_args

import pytest

from domain import events as e
from domain.instants import parse_instant
from projections.tables import TRACKING_NUMBERS
from projections.tracking_numbers import SOURCES
from tests.spec.projections.histories import MONDAY, History
from tests.spec.projections.test_what_an_order_shows import viewed

PARCEL = {"carrier": "UPS", "tracking_number": "1Z9"}


def given(history: History) -> list[tuple[Any, ...]]:
    """Number, source, carrier and reference of each row, in the order of the events."""
    rows = sorted(viewed(history).rows(TRACKING_NUMBERS), key=lambda row: int(row["position"] or 0))
    return [(row["tracking_number"], row["source"], row["carrier"], row["ref"]) for row in rows]


def placed(**fields: Any) -> History:
    history = History()
    history.place(policy="peer-to-peer", **fields)
    return history


def test_every_event_with_a_tracking_number_has_a_source() -> None:
    naming = {event for event in get_args(e.Event) if "tracking_number" in (f.name for f in dataclasses.fields(event))}
    assert naming == set(SOURCES)


def test_a_shipping_notice_gives_one_row_however_many_lines_it_ships() -> None:
    lines = [{"line": n, "sku": "A-1", "quantity": 1, "unit_price": "10.00"} for n in (1, 2)]
    history = placed(lines=lines)
    history.send("Ship", actor="seller", shipment_id="asn-1", **PARCEL)
    assert given(history) == [("1Z9", "shipment", "UPS", "asn-1")]
    [row] = viewed(history).rows(TRACKING_NUMBERS)
    assert row["named_at"] == parse_instant(MONDAY)


def test_a_shipping_notice_for_a_part_gives_a_row_and_one_without_a_number_none() -> None:
    history = placed()
    history.send("Ship", actor="seller", shipment_id="asn-1", lines=[{"line": 1, "quantity": 3}], **PARCEL)
    assert given(history) == [("1Z9", "shipment", "UPS", "asn-1")]
    history = placed()
    history.send("Ship", actor="seller", shipment_id="asn-1")
    assert given(history) == []


@pytest.mark.parametrize("command", ["StartTracking", "TrackingMoved"])
def test_a_scan_gives_a_row_before_any_shipping_notice(command: str) -> None:
    history = placed()
    history.send(command, actor="system", **PARCEL)
    assert given(history) == [("1Z9", "tracking", "UPS", None)]


def test_the_number_of_a_notice_stays_when_a_scan_gives_another() -> None:
    history = placed()
    history.send("Ship", actor="seller", shipment_id="asn-1", **PARCEL)
    history.send("StartTracking", actor="system", shipment_id="asn-1", carrier="DHL", tracking_number="77")
    assert given(history) == [("1Z9", "shipment", "UPS", "asn-1"), ("77", "tracking", "DHL", "asn-1")]


def test_a_report_that_canceled_units_shipped_gives_a_row() -> None:
    history = placed()
    history.send("CancelLines", actor="seller", reason="out_of_stock")
    history.send("ReportShippedAfterCancel", actor="seller", lines=[1], **PARCEL)
    assert given(history) == [("1Z9", "shipped_after_cancel", "UPS", None)]


def test_a_return_on_its_way_gives_a_row() -> None:
    history = placed()
    history.send("Ship", actor="seller", shipment_id="asn-1")
    history.send("Deliver", at="2026-03-04T10:00:00Z")
    opened: dict[str, Any] = {"case_id": "case-a", "reason": "wrong_item", "lines": [1]}
    history.send("OpenCase", at="2026-03-04T12:00:00Z", actor="buyer", **opened)
    decided = {"case_id": "case-a", "outcome": "return", "rule": "case-reasons"}
    history.send("DecideCase", at="2026-03-05T09:00:00Z", actor="support", **decided)
    history.send("StartReturn", at="2026-03-06T09:00:00Z", actor="seller", about="case-a", **PARCEL)
    assert given(history) == [("1Z9", "return", "UPS", "return-1")]
