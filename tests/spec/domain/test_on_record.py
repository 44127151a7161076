"""Checklist and recommendation of a dispute, point by point. A whole story: tests/golden."""

from typing import Any

import pytest

from domain.checklist import Item, dispute_checklist
from domain.instants import parse_instant
from domain.recommendation import Recommendation, at_stake, gaps, recommend_dispute
from domain.record import Entry
from tests.spec.domain.story import Story

ONE = [{"line": 1, "sku": "A", "quantity": 3, "unit_price": "10.00"}]
FILE: dict[str, Any] = {"sha256": "0" * 64, "media_type": "image/png", "size": 1}
NOW = "2026-03-03T12:00:00Z"


def declined() -> Story:
    """Asked within the hour, declined within two."""
    story = Story("mutual-consent").placed(lines=ONE, shipping="5.00")
    story.send("RequestCancel", "2026-03-02T11:00:00Z", request_id="r1", reason="other")
    story.send("DeclineCancel", "2026-03-02T12:00:00Z", request_id="r1")
    return story


def disputed() -> Story:
    story = declined()
    assert story.send("OpenDispute", "2026-03-03T10:00:00Z", dispute_id="d1", about="r1") == "accepted"
    return story


def entries(story: Story) -> list[Entry]:
    recorded = [(event, at, stamp) for events, stamp in story.commits for event, at in events]
    return [
        Entry(version, event, at, stamp.recorded_at, stamp.actor_kind, stamp.actor_id)
        for version, (event, at, stamp) in enumerate(recorded, 1)
    ]


def checklist(story: Story, at: str = NOW) -> tuple[Item, ...]:
    document = story.policies.get(story.here.terms.policy)
    assert document is not None
    dispute = story.here.disputes["d1"]
    return dispute_checklist(story.here, entries(story), dispute, document.policy, parse_instant(at))


def found(story: Story, at: str = NOW) -> dict[str, tuple[str, str, bool]]:
    """Gap → stage, severity, whether it can still be closed."""
    return {gap.gap: (gap.stage, gap.severity, gap.closable) for gap in gaps(checklist(story, at))}


def advice(story: Story, at: str = NOW) -> Recommendation:
    now = parse_instant(at)
    return recommend_dispute(story.here, entries(story), story.here.disputes["d1"], checklist(story, at), now)


def attach(story: Story, at: str = "2026-03-03T11:00:00Z", **fields: Any) -> None:
    evidence = {"evidence_id": "e1", "about": "d1", "kind": "photo", **FILE, **fields}
    assert story.send("AttachEvidence", at, by="buyer", **evidence) == "accepted"


def test_gaps_that_can_still_be_closed_are_to_be_closed_first() -> None:
    story = disputed()
    assert found(story)["packet-not-prepared"] == ("after", "high", True)
    assert advice(story).course.course == "settle-or-complete"
    assert advice(story).facts == ("gaps that can still be closed: packet-not-prepared",)
    attach(story, claimed_at="2026-03-02T11:00:00Z")
    assert "packet-not-prepared" not in found(story)
    assert advice(story).course.course == "proceed"
    assert advice(story).facts == ("it was asked in time", "the seller answered: declined")


def test_a_missed_deadline_is_critical_and_a_policy_not_in_force_moderate() -> None:
    story = disputed()
    lapsed = "2026-03-13T10:00:00.000001Z"
    assert "missed-deadline" not in found(story, "2026-03-13T10:00:00Z"), "its last instant is in"
    assert found(story, lapsed)["missed-deadline"] == ("during", "critical", False)
    assert found(story, lapsed)["packet-not-prepared"] == ("after", "high", False)
    decide = {"dispute_id": "d1", "outcome": "deny", "rule": "grace-window"}
    assert story.send("DecideDispute", "2026-03-04T10:00:00Z", **decide) == "accepted"
    assert found(story)["policy-not-in-force"] == ("during", "moderate", True)
    assert found(story, "2026-03-18T10:00:00Z").get("missed-deadline") != ("after", "critical", False)
    assert advice(story, "2026-03-18T10:00:00Z").course.course == "escalate"
    assert advice(story, "2026-03-18T10:00:00.000001Z").course.course == "abandon-and-return"


def test_a_rule_of_every_order_is_in_force_without_being_listed() -> None:
    story = disputed()
    story.send("DecideDispute", "2026-03-04T10:00:00Z", dispute_id="d1", outcome="deny", rule="case-evidence")
    assert "policy-not-in-force" not in found(story)


def test_evidence_without_a_time_proves_no_order_of_events() -> None:
    story = disputed()
    attach(story)
    assert found(story)["no-timestamps"] == ("during", "high", True)


def test_the_platforms_confirmation_is_a_message_to_a_party_and_not_an_internal_note() -> None:
    story = disputed()
    assert found(story)["no-platform-confirmation"] == ("during", "moderate", True)
    message = {"message_id": "m1", "to": "support", "text": "?", "about": "d1"}
    story.send("SendMessage", "2026-03-03T11:00:00Z", by="support", **message)
    assert "no-platform-confirmation" in found(story)
    message = {"message_id": "m2", "to": "buyer", "text": "Declined.", "about": "r1"}
    story.send("SendMessage", "2026-03-03T11:10:00Z", by="support", **message)
    assert "no-platform-confirmation" not in found(story)


def test_units_shipped_before_the_request_are_to_be_returned() -> None:
    story = Story("mutual-consent").placed(lines=ONE)
    story.send("Ship", "2026-03-02T10:30:00Z", shipment_id="asn-1")
    story.send("RequestCancel", "2026-03-02T11:00:00Z", request_id="r1", reason="other")
    story.send("DeclineCancel", "2026-03-02T12:00:00Z", request_id="r1")
    story.send("OpenDispute", "2026-03-03T10:00:00Z", dispute_id="d1", about="r1")
    assert found(story)["asked-late"] == ("before", "high", False)
    assert advice(story).course.course == "abandon-and-return"
    assert advice(story).facts == ("it had shipped before request r1 was made",)


@pytest.mark.parametrize("outcome", ["grant", "return"])
def test_a_granted_request_is_to_be_completed(outcome: str) -> None:
    story = disputed()
    story.send("DecideDispute", "2026-03-04T10:00:00Z", dispute_id="d1", outcome=outcome, rule="seller-has-final-say")
    assert advice(story).course.course == "settle-or-complete"


def test_a_denial_upheld_on_appeal_is_final_here_and_may_be_taken_elsewhere() -> None:
    story = disputed()
    deny = {"dispute_id": "d1", "outcome": "deny", "rule": "seller-has-final-say"}
    story.send("DecideDispute", "2026-03-04T10:00:00Z", **deny)
    story.send("AppealDispute", "2026-03-05T10:00:00Z", dispute_id="d1")
    story.send("DecideDispute", "2026-03-06T10:00:00Z", **deny)
    assert advice(story, "2026-06-01T10:00:00Z").facts[1] == "a second decision: it is final here"
    assert advice(story, "2026-06-01T10:00:00Z").course.course == "escalate"


def test_at_stake_is_the_amount_still_refundable_and_never_more_than_was_paid() -> None:
    story = disputed()
    assert at_stake(story.here, {1: 3}) == 3500, "all of it, with the shipping"
    assert at_stake(story.here, {1: 2}) == 2000
    story.send("RecordOtherRefund", "2026-03-03T11:00:00Z", amount="20.00")
    assert at_stake(story.here, {1: 3}) == 1500
    story.send("CancelLines", "2026-03-03T11:30:00Z", lines=[1], reason="other")
    assert at_stake(story.here, {1: 3}) == 0
