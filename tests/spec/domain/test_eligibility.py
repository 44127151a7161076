"""Eligibility predicts the outcome of a cancellation request: the same outcome by the same rule."""

from typing import Any

import pytest

from tests.spec.domain.story import Story, policy

OFFERS = policy("""id = "offers"
version = 1
rules = ["mutual-consent-after-shipment", "alternatives-first", "grace-window", "seller-has-final-say"]
[alternatives-first]
deadline = "6 hours"
""")
ONE_LEFT = [{"line": n, "sku": f"A-{n}", "quantity": 2, "unit_price": "10.00"} for n in (1, 2)]
MORNING = "2026-03-02T11:00:00Z"
Step = tuple[str, dict[str, Any]]
SHIPPED: Step = ("Ship", {"shipment_id": "s1"})
PARTLY = ("Ship", {"shipment_id": "s1", "lines": [1]})
TRACKED = ("StartTracking", {"carrier": "UPS", "tracking_number": "1Z9"})
DELIVERED: Step = ("Deliver", {})
CANCELED = ("CancelLines", {"reason": "out_of_stock"})
REQUESTED = ("RequestCancel", {"request_id": "r1", "reason": "other"})
AGREED = ("ApproveCancel", {"request_id": "r1"})


@pytest.mark.parametrize(
    ("preset", "steps", "at", "answer"),
    [
        ("peer-to-peer", [], "2026-03-02T13:00:00Z", ("granted", "grace-window")),
        ("peer-to-peer", [], "2026-03-02T13:00:00.000001Z", ("ask_seller", "seller-has-final-say")),
        ("peer-to-peer", [], "2026-03-09T10:00:00Z", ("granted", "not-shipped-in-time")),
        ("peer-to-peer", [TRACKED], "2026-03-02T12:00:00Z", ("refused", "tracking-lock")),
        ("peer-to-peer", [SHIPPED], "2026-03-02T12:00:00Z", ("ask_seller", "mutual-consent-after-shipment")),
        ("mutual-consent", [SHIPPED, REQUESTED, AGREED], "2026-03-03T12:00:00Z", ("refused", "one-open-request")),
        ("mutual-consent", [REQUESTED], "2026-03-03T12:00:00Z", ("refused", "one-open-request")),
        ("general-store", [], "2026-03-03T10:00:00Z", ("offer_alternatives", "alternatives-first")),
        ("general-store", [], "2026-03-03T10:00:00.000001Z", ("refused", "window-of-the-store")),
        ("general-store", [SHIPPED], "2026-03-03T10:00:00Z", ("refused", "shipped-lock")),
        ("general-store", [SHIPPED, DELIVERED], "2026-03-03T10:00:00Z", ("refused", "case-is-not-cancel")),
        ("seller-portal", [PARTLY], "2026-03-03T10:00:00Z", ("ask_seller", "seller-has-final-say")),
        ("seller-portal", [CANCELED], "2026-03-03T10:00:00Z", ("refused", "already-canceled")),
        ("auction-house", [], "2026-03-02T11:00:00.000001Z", ("refused", "request-window")),
        ("everything-store", [REQUESTED], "2026-03-05T12:00:00Z", ("refused", "one-open-request")),
        ("offers", [REQUESTED], "2026-03-02T17:00:00Z", ("refused", "one-open-request")),
        ("offers", [REQUESTED], "2026-03-02T17:00:00.000001Z", ("refused", "already-canceled")),
    ],
)
def test_eligibility_predicts_the_outcome_of_a_cancellation_request(
    preset: str, steps: list[Step], at: str, answer: tuple[str, str]
) -> None:
    story = Story(preset, documents=(OFFERS,)).placed(lines=ONE_LEFT)
    for name, fields in steps:
        assert story.send(name, MORNING, **fields) == "accepted"
    predicted = story.may("cancel", at)
    assert (predicted.outcome, predicted.rule) == answer
    story.send("RequestCancel", at, request_id="r9", reason="other")
    assert story.last is not None and story.last.verdict is not None
    assert (story.last.verdict.outcome, story.last.verdict.rule) == answer
