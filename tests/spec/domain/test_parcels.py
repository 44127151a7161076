"""Parcels that the carrier tracks, and what is on record of them."""

from domain.order_json import status
from tests.spec.domain.story import Story

LINES = [
    {"line": 1, "sku": "A-1", "quantity": 3, "unit_price": "10.00"},
    {"line": 2, "sku": "B-1", "quantity": 1, "unit_price": "5.00"},
]
PARCEL = {"carrier": "UPS", "tracking_number": "1Z"}


def test_a_delivery_ships_units_under_tracking_and_names_the_lines_it_completes() -> None:
    story = Story("general-store").placed(lines=LINES)
    lines = [{"line": 1, "quantity": 2}, 2]
    assert story.send("StartTracking", "2026-03-02T11:00:00Z", lines=lines, **PARCEL) == "accepted"
    assert story.send("Deliver", "2026-03-03T11:00:00Z") == "accepted"
    assert story.events(-1) == ["LinePartiallyShipped", "LineShipped", "Delivered"]
    assert (story.line(1), story.line(2)) == ((1, 2, 0), (0, 1, 0))


def test_another_parcel_of_a_notice_that_has_arrived_arrives_too_and_nothing_arrives_twice() -> None:
    story = Story("big-box").placed(lines=LINES)
    story.send("Ship", "2026-03-02T11:00:00Z", shipment_id="asn-1", lines=[{"line": 1, "quantity": 1}])
    story.send("Deliver", "2026-03-03T11:00:00Z")
    story.send("TrackingMoved", "2026-03-03T12:00:00Z", shipment_id="asn-1", lines=[2], **PARCEL)
    assert story.send("Deliver", "2026-03-04T11:00:00Z", shipment_id="asn-1") == "accepted"
    assert story.events(-1) == ["LineShipped", "Delivered"]
    assert [line.delivered for line in story.here.lines.values()] == [1, 1]
    story.send("CancelLines", "2026-03-04T12:00:00Z", reason="out_of_stock", lines=[1])
    assert status(story.here) == "delivered"
    assert story.send("Deliver", "2026-03-05T11:00:00Z") == "accepted"
    assert story.events(-1) == []


def test_a_scan_of_a_known_parcel_concerns_the_units_in_it() -> None:
    story = Story("peer-to-peer").placed(lines=LINES)
    story.send("StartTracking", "2026-03-02T11:00:00Z", lines=[2], **PARCEL)
    assert story.send("TrackingMoved", "2026-03-02T12:00:00Z", **PARCEL) == "accepted"
    assert story.send("RequestCancel", "2026-03-02T12:30:00Z", request_id="r1", lines=[2]) == "refused:tracking-lock"
    assert story.send("RequestCancel", "2026-03-02T12:30:00Z", request_id="r2", lines=[1]) == "accepted"


def test_a_scan_of_another_number_is_of_everything_that_is_open() -> None:
    story = Story("peer-to-peer").placed(lines=LINES)
    story.send("StartTracking", "2026-03-02T11:00:00Z", lines=[2], **PARCEL)
    story.send("StartTracking", "2026-03-02T12:00:00Z", carrier="UPS", tracking_number="another")
    assert story.send("RequestCancel", "2026-03-02T12:30:00Z", request_id="r1", lines=[1]) == "refused:tracking-lock"
