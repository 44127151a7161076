"""Who is notified of what (rule ``both-told``), and the ids of the notices in an order's history."""

import pytest

from domain import events as e
from domain.commands import ENGINE_IDS
from domain.events import Deadline
from domain.notification_rules import (
    BOTH,
    BUYER,
    CONFIRMATIONS,
    MARKS,
    NOTIFICATION_RULES,
    REMINDED,
    SELLER,
    TEMPLATES,
    NotificationRule,
    has_notice,
    notice_id,
    notification_rule,
    reminded,
)
from tests.spec.domain.story import Story

SILENT_NEWS = {
    "PaymentReceived", "PaymentCaptured", "PaymentReleased", "OtherRefundRecorded", "OtherRefundSettled",
    "ChargebackOpened", "ChargebackClosed", "ContactRecorded", "FulfilmentStarted", "TrackingMoved",
    "ShipmentRefused", "RebillAccepted", "CommandRefused", "ConfirmationDelivered", "NoticeFailed", "SubjectErased",
    "LegalHoldPlaced", "LegalHoldReleased", "JournalCreated", "PolicyPublished", "ImportOpened", "ImportClosed",
}  # fmt: skip
"""Events that notify nobody: the sender of the command has its answer, or nobody needs the news."""


def notifications_of(story: Story) -> list[tuple[str, str, str]]:
    """(event, template, id) of every notice of a story."""
    events = [event for events, _ in story.commits for event, _ in events]
    news = [(event, version, notification_rule(event)) for version, event in enumerate(events, 1)]
    return [
        (type(event).__name__, message.template, notice_id(event, version, audience))
        for event, version, message in news
        if message is not None
        for audience in message.audiences
    ]


def test_every_event_states_whether_anybody_is_notified() -> None:
    assert {of.__name__ for of in NOTIFICATION_RULES} | SILENT_NEWS == {of.__name__ for of in e.Event.__args__}
    assert not {of.__name__ for of in NOTIFICATION_RULES} & SILENT_NEWS


def test_a_message_notifies_its_addressee_and_one_to_support_notifies_nobody() -> None:
    text = e.Sealed(bytes(32), "x")
    assert notification_rule(e.MessageSent("m1", "buyer", None, text)) == NotificationRule("message", BUYER)
    assert notification_rule(e.MessageSent("m1", "seller", "k1", text)) == NotificationRule("message", SELLER)
    assert notification_rule(e.MessageSent("m1", "support", "k1", text)) is None


@pytest.mark.rule("both-told")
def test_every_cancellation_notifies_both_sides() -> None:
    for cause in ("request", "seller", "support", "late_ship", "unpaid", "dispute"):
        for reason in (None, "buyer_asked", "out_of_stock"):
            found = notification_rule(e.LinesCanceled((e.CanceledLine(1, 1, cause, reason, None),), None))
            assert found is not None and found.audiences == BOTH and found.template in CONFIRMATIONS
    assert NOTIFICATION_RULES[e.AutoCanceled] == NotificationRule("auto-canceled", BOTH)


def test_standing_a_buyer_request_that_only_the_seller_claims_is_checked_with_the_buyer() -> None:
    story = Story("seller-portal").placed()
    story.send("CancelLines", "2026-03-02T11:00:00Z", reason="buyer_asked")
    assert [each for each in notifications_of(story) if each[0] == "LinesCanceled"] == [
        ("LinesCanceled", "canceled-as-asked", "told-3-buyer"),
        ("LinesCanceled", "canceled-as-asked", "told-3-seller"),
    ]


def test_standing_nobody_is_asked_if_the_buyer_did_ask_or_the_seller_gives_another_reason() -> None:
    story = Story("seller-portal").placed()
    story.send("RequestCancel", "2026-03-02T11:00:00Z", request_id="r1", reason="changed_mind")
    story.send("CancelLines", "2026-03-02T12:00:00Z", reason="buyer_asked")
    assert "canceled" in {template for _, template, _ in notifications_of(story)}
    own = Story("seller-portal").placed()
    own.send("CancelLines", "2026-03-02T11:00:00Z", reason="out_of_stock")
    support = Story("seller-portal").placed()
    rule = "seller-has-final-say"
    support.send("CancelLines", "2026-03-02T11:00:00Z", by="support", reason="buyer_asked", rule=rule)
    for each in (story, own, support):
        assert "canceled-as-asked" not in {template for _, template, _ in notifications_of(each)}
        assert "canceled" in {template for _, template, _ in notifications_of(each)}


def test_a_canceled_order_notified_the_buyer_of_placing_and_both_sides_of_the_rest() -> None:
    story = Story("peer-to-peer").placed()
    story.send("RequestCancel", "2026-03-02T10:30:00Z", request_id="r1", reason="ordered_by_mistake")
    assert notifications_of(story) == [
        ("OrderPlaced", "placed", "told-1-buyer"),
        ("CancelRequested", "asked", "told-3-seller"),
        ("LinesCanceled", "canceled", "told-4-buyer"),
        ("LinesCanceled", "canceled", "told-4-seller"),
        ("RefundDue", "refund-due", "told-5-buyer"),
    ]


def test_a_proposal_of_the_seller_notifies_the_buyer() -> None:
    story = Story("mutual-consent").placed()
    story.send("Ship", "2026-03-02T11:00:00Z", shipment_id="asn-1")
    story.send("RequestCancel", "2026-03-02T12:00:00Z", by="seller", request_id="r1", reason="other")
    assert notifications_of(story)[-1] == ("CancelRequested", "asked", "told-4-buyer")


def test_exactly_the_notices_of_its_history_can_be_confirmed() -> None:
    story = Story("peer-to-peer").placed()
    story.send("RequestCancel", "2026-03-02T10:30:00Z", request_id="r1", reason="ordered_by_mistake")
    known = {notice for _, _, notice in notifications_of(story)}
    here = story.here
    tried = {f"told-{version}-{side}" for version in range(12) for side in ("buyer", "seller")}
    assert {notice for notice in tried if has_notice(here, notice)} == known
    assert story.send("ConfirmNotice", "2026-03-02T11:00:00Z", by="system", notice_id="told-4-buyer") == "accepted"
    assert story.events(-1) == ["ConfirmationDelivered"]
    assert story.send("FailNotice", "2026-03-02T11:01:00Z", by="system", notice_id="told-4-seller") == "accepted"
    for stranger in ("told-2-buyer", "told-1-seller", "told-04-buyer", "told-4-Buyer", "told-99-buyer", "notice-1"):
        outcome = story.send("ConfirmNotice", "2026-03-02T11:02:00Z", by="system", notice_id=stranger)
        assert outcome == "refused:no-such-notice", stranger


def test_a_confirmation_without_a_notification_sends_no_notice() -> None:
    story = Story("peer-to-peer").placed()
    story.send("ConfirmNotice", "2026-03-02T11:00:00Z", by="system", notice_id="told-1-buyer")
    assert not has_notice(story.here, "told-3-buyer"), "the report itself is nobody's news"


def test_the_first_counter_is_that_of_customers_notified_alone() -> None:
    story = Story().placed()
    story.send("CancelLines", "2026-03-02T11:00:00Z", reason="out_of_stock")
    story.send("ReportShippedAfterCancel", "2026-03-02T12:00:00Z", lines=[1], carrier="UPS", tracking_number="1Z9")
    text = "UPS 1Z9 is on its way although it was cancelled; it would be billed again."
    story.send("NotifyCustomer", "2026-03-02T13:00:00Z", text=text)
    assert notifications_of(story)[-1] == ("CustomerNotified", "shipped-although-canceled", "notice-1")
    assert story.here.counters["notice"] == 1
    assert has_notice(story.here, "notice-1") and not has_notice(story.here, "told-7-buyer")


def test_a_reminder_can_be_confirmed_once_its_deadline_was_set() -> None:
    story = Story("mutual-consent").placed()
    assert not has_notice(story.here, "remind-decide-1-seller")
    story.send("RequestCancel", "2026-03-02T11:00:00Z", request_id="r1", reason="other")
    assert has_notice(story.here, "remind-decide-1-seller")
    assert not has_notice(story.here, "remind-decide-2-seller")
    assert not has_notice(story.here, "remind-unpaid-1-seller")


def test_a_person_who_has_to_answer_is_reminded() -> None:
    story = Story("mutual-consent").placed()
    story.send("RequestCancel", "2026-03-02T11:00:00Z", request_id="r1", reason="other")
    [deadline] = story.here.deadlines.values()
    assert reminded(story.here, deadline) == ("seller",)
    assert reminded(story.here, Deadline("unpaid-1", "unpaid", 0, "PO-1")) == ()
    assert {kind for kind in REMINDED if reminded(story.here, Deadline(f"{kind}-1", kind, 0, "x"))} == set(REMINDED)


def test_nobody_is_reminded_of_a_request_that_the_shipment_answered() -> None:
    story = Story("mutual-consent").placed()
    story.send("RequestCancel", "2026-03-02T11:00:00Z", request_id="r1", reason="other")
    story.send("Ship", "2026-03-02T12:00:00Z", shipment_id="asn-1")
    [deadline] = story.here.deadlines.values()
    assert (story.request(), reminded(story.here, deadline)) == ("open", ())


@pytest.mark.parametrize(
    "given", ["told-1-buyer", "told-12-seller", "remind-late-ship-1-buyer", "remind-decide-3-seller"]
)
def test_the_forms_of_notices_are_the_engines_own(given: str) -> None:
    assert ENGINE_IDS.fullmatch(given)
    story = Story("peer-to-peer").placed()
    outcome = story.send("RequestCancel", "2026-03-02T10:30:00Z", request_id=given, reason="ordered_by_mistake")
    assert outcome == "bad:/request_id"


def test_every_template_that_an_event_may_name_is_listed() -> None:
    passed = [
        e.DeadlineReached("x-1", kind, 0, "x", ())
        for kind in ("decide", "alternatives", "acknowledge", "case", "evidence", "appeal", "unpaid", "return")
    ]
    named = {news.template for event in passed if (news := notification_rule(event)) is not None}
    assert named <= TEMPLATES
    assert len([event for event in passed if notification_rule(event) is None]) == 2
    assert set(MARKS) == set(NOTIFICATION_RULES) - {e.CustomerNotified}
