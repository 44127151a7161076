"""Bundles: what belongs to a line is canceled with it."""

from typing import Any

import pytest

from domain import events as e
from tests.spec.domain.story import Story, policy

MONDAY = "2026-03-02T10:00:00Z"
NOON = "2026-03-02T12:00:00Z"
LATER = "2026-03-20T12:00:00Z"
BUNDLE = [
    {"line": 1, "sku": "A-1", "quantity": 2, "unit_price": "15.00"},
    {"line": 2, "sku": "A-2", "quantity": 1, "unit_price": "0.00", "part_of": 1},
    {"line": 3, "sku": "A-3", "quantity": 2, "unit_price": "2.50", "part_of": 1},
    {"line": 4, "sku": "A-4", "quantity": 1, "unit_price": "8.00"},
]
OWN = {"reason": "out_of_stock"}


def placed(preset: str = "big-box", documents: Any = (), **fields: Any) -> Story:
    return Story(preset, documents=documents).placed(MONDAY, lines=BUNDLE, **fields)


def canceled(story: Story) -> list[int]:
    return [line.canceled for line in story.here.lines.values()]


def test_the_open_parts_are_canceled_with_their_line_in_one_event_and_one_refund() -> None:
    story = placed()
    assert story.say("CancelLines", NOON, lines=[1], **OWN) == "accepted"
    assert (story.events(-1), canceled(story), story.refunds) == (["LinesCanceled", "RefundDue"], [2, 1, 2, 0], [3500])
    event = story.commits[-1][0][0][0]
    assert isinstance(event, e.LinesCanceled)
    assert {(part.cause, part.reason) for part in event.lines} == {("seller", "out_of_stock")}


def test_the_parts_stay_while_something_of_their_line_is_open() -> None:
    story = placed()
    assert story.say("CancelLines", NOON, lines=[{"line": 1, "quantity": 1}], **OWN) == "accepted"
    assert canceled(story) == [1, 0, 0, 0]
    assert story.say("CancelLines", NOON, lines=[{"line": 1, "quantity": 1}], **OWN) == "accepted"
    assert canceled(story) == [2, 1, 2, 0]


def test_a_part_that_is_canceled_alone_cancels_nothing_else() -> None:
    story = placed()
    assert story.say("CancelLines", NOON, lines=[2], **OWN) == "accepted"
    assert canceled(story) == [0, 1, 0, 0]


def test_parts_that_are_named_too_are_canceled_once() -> None:
    story = placed()
    assert story.say("CancelLines", NOON, lines=[{"line": 3, "quantity": 1}, 1], **OWN) == "accepted"
    assert (canceled(story), story.refunds) == ([2, 1, 2, 0], [3500])


def test_what_shipped_of_the_parts_stays_shipped() -> None:
    story = placed()
    story.say("Ship", NOON, shipment_id="p1", lines=[2, {"line": 3, "quantity": 1}])
    assert story.say("CancelLines", NOON, lines=[1], **OWN) == "accepted"
    assert [story.line(n) for n in (2, 3)] == [(0, 1, 0), (0, 1, 1)]


def test_a_line_that_shipped_in_part_takes_its_parts_along_when_its_rest_is_canceled() -> None:
    story = placed()
    story.say("Ship", NOON, shipment_id="p1", lines=[{"line": 1, "quantity": 1}])
    assert story.say("CancelLines", NOON, lines=[1], **OWN) == "accepted"
    assert canceled(story) == [1, 1, 2, 0]


def test_a_granted_request_cancels_the_parts_under_the_same_request() -> None:
    story = placed("general-store")
    assert story.say("RequestCancel", NOON, request_id="r1", reason="changed_mind", lines=[1]) == "accepted"
    assert story.say("DeclineAlternatives", NOON, request_id="r1") == "accepted"
    event = next(x for x, _ in story.commits[-1][0] if isinstance(x, e.LinesCanceled))
    assert {(part.line, part.cause, part.request_id) for part in event.lines} == {
        (line, "request", "r1") for line in (1, 2, 3)
    }
    assert (canceled(story), story.request()) == ([2, 1, 2, 0], "approved")


def test_an_open_request_about_a_part_is_closed_by_it() -> None:
    story = placed()
    story.say("RequestCancel", NOON, request_id="r1", reason="changed_mind", lines=[2])
    assert story.say("CancelLines", NOON, lines=[1], **OWN) == "accepted"
    assert story.request() == "approved"


def test_fill_or_kill_of_a_line_cancels_its_parts_that_the_notice_does_not_ship() -> None:
    kill = policy('id = "shop"\nversion = 1\nrules = ["seller-has-final-say"]\nfill-or-kill = true')
    story = placed("shop", (kill,))
    lines = [{"line": 1, "quantity": 1}, 2]
    assert story.say("Ship", NOON, shipment_id="p1", lines=lines) == "accepted"
    assert [story.line(n) for n in (1, 2, 3, 4)] == [(0, 1, 1), (0, 1, 0), (0, 0, 2), (1, 0, 0)]
    assert [line.auto_canceled for line in story.here.lines.values()] == [1, 0, 2, 0]
    assert story.events(-1).count("RefundDue") == 1


def test_a_deadline_cancels_parts_that_a_carrier_tracks_together_with_their_line() -> None:
    story = placed(ship_by="2026-03-05T10:00:00Z")
    story.say("StartTracking", NOON, carrier="UPS", tracking_number="1Z", lines=[2])
    story.reach_until(2**60)
    assert canceled(story) == [2, 1, 2, 1]


@pytest.mark.parametrize(
    ("part_of", "line", "why"), [(9, 2, "unknown"), (2, 2, "its own"), (3, 2, "nested"), ("1", 2, "a text")]
)
def test_a_part_of_nothing_of_itself_or_of_a_part_is_bad(part_of: Any, line: int, why: str) -> None:
    lines = [{**each, "part_of": part_of} if each["line"] == line else each for each in BUNDLE]
    story = Story("big-box")
    fields = {"buyer_id": "b-1", "seller_id": "s-1", "currency": "USD", "policy": "big-box"}
    assert story.say("PlaceOrder", MONDAY, lines=lines, **fields) == "bad:/lines/1/part_of", why


def test_returns_do_not_follow_the_bundle() -> None:
    story = placed()
    story.say("Ship", NOON, shipment_id="p1")
    story.say("Deliver", NOON)
    assert story.say("RequestReturn", LATER, reason="changed_mind", lines=[1]) == "accepted"
    assert [line.returning for line in story.here.lines.values()] == [2, 0, 0, 0]
