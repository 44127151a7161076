"""Rules that no worked number shows, one sentence each: who may, until when, and what a refusal says to a person."""

from typing import Any

import pytest

from domain import events as e
from tests.spec.domain.story import Story

MONDAY = "2026-03-02T10:00:00Z"
PARCEL = {"carrier": "UPS", "tracking_number": "1Z9"}
TWO = [{"line": n, "sku": f"A-{n}", "quantity": 2, "unit_price": "10.00"} for n in (1, 2)]


def requested(story: Story, at: str, request: str = "r1", **fields: Any) -> str:
    return story.send("RequestCancel", at, request_id=request, **{"reason": "changed_mind", **fields})


def delivered(policy: str = "peer-to-peer") -> Story:
    story = Story(policy).placed()
    story.send("Ship", "2026-03-02T12:00:00Z", shipment_id="s1")
    story.send("Deliver", "2026-03-04T10:00:00Z")
    return story


@pytest.mark.rule("window-of-the-store")
def test_a_store_lets_its_buyers_cancel_for_a_day_but_not_once_it_has_begun_to_pick() -> None:
    story = Story("general-store").placed()
    story.send("StartFulfilment", "2026-03-02T11:00:00Z", stage="picking")
    assert requested(story, "2026-03-02T12:00:00Z") == "refused:window-of-the-store"
    assert story.refusal.because == "Line 1 is already in the shipping process."
    late = Story("general-store").placed()
    assert requested(late, "2026-03-03T10:00:00.000001Z") == "refused:window-of-the-store"


@pytest.mark.rule("request-window")
def test_a_buyer_may_ask_within_the_hour_and_no_later() -> None:
    story = Story("auction-house").placed()
    assert requested(story, "2026-03-02T11:00:00.000001Z") == "refused:request-window"
    assert story.refusal.because == "The time to request a cancellation is over."
    assert requested(story, "2026-03-02T11:00:00.000002Z", "r2") == "refused:request-window"
    assert requested(Story("auction-house").placed(), "2026-03-02T11:00:00Z") == "accepted"


@pytest.mark.rule("whole-lines-only")
def test_a_line_can_be_cancelled_whole_and_not_in_part() -> None:
    story = Story().placed(lines=TWO)
    part = [{"line": 1, "quantity": 1}]
    assert requested(story, "2026-03-02T11:00:00Z", lines=part) == "refused:whole-lines-only"
    assert story.refusal.because == "Line 1 can be canceled whole (2), not 1 of it."
    assert requested(story, "2026-03-02T11:00:00Z", "r2", lines=[1]) == "accepted"


@pytest.mark.rule("reason-required")
def test_a_cancellation_without_a_reason_is_refused_by_name_of_the_line() -> None:
    story = Story().placed()
    assert story.send("CancelLines", "2026-03-02T11:00:00Z") == "refused:reason-required"
    assert story.refusal.because == "Line 1 needs a reason to be canceled."


@pytest.mark.rule("alternatives-first")
def test_before_a_request_is_carried_out_the_store_offers_something_else() -> None:
    story = Story("general-store").placed()
    assert requested(story, "2026-03-02T11:00:00Z") == "accepted"
    assert "AlternativeOffered" in story.events()
    assert story.send("TakeAlternative", "2026-03-02T12:00:00Z", request_id="r1", kind="credit") == "accepted"
    assert story.here.requests["r1"].status == "withdrawn"


@pytest.mark.rule("unpaid-auto-cancel")
def test_an_order_that_is_not_paid_in_time_cancels_itself() -> None:
    story = Story("auction-house").placed(paid=False)
    story.send("SendMessage", "2026-03-06T10:00:00.000001Z", message_id="m1", to="seller", text="Well?")
    assert story.here.open_units == 0
    assert story.here.refunds == {}


@pytest.mark.rule("late-ship-auto-cancel")
def test_units_not_shipped_in_time_are_canceled_automatically_and_shipped_ones_are_untouched() -> None:
    story = Story("big-box").placed(lines=TWO, ship_by="2026-03-04T10:00:00Z")
    story.send("Ship", "2026-03-03T10:00:00Z", shipment_id="s1", lines=[1])
    story.send("SendMessage", "2026-03-08T10:00:00.000001Z", message_id="m1", to="seller", text="Well?")
    assert [(x.shipped, x.canceled) for x in story.here.lines.values()] == [(2, 0), (0, 2)]


@pytest.mark.rule("one-open-request")
def test_a_second_request_over_the_same_line_is_answered_with_the_first_ones_state() -> None:
    story = Story().placed()
    requested(story, "2026-03-02T11:00:00Z")
    assert requested(story, "2026-03-02T12:00:00Z", "r2") == "refused:one-open-request"
    assert story.refusal.because == "Request r1 is open already and waits for an answer."


@pytest.mark.rule("already-canceled")
def test_a_canceled_line_cannot_be_canceled_again() -> None:
    story = Story("peer-to-peer").placed()
    requested(story, "2026-03-02T11:00:00Z")
    assert requested(story, "2026-03-02T12:00:00Z", "r2") == "refused:already-canceled"
    assert story.refusal.because == (
        "Line 1 is canceled already: as the buyer asked by request r1, at 2026-03-02T11:00:00Z."
    )
    inputs = {each.name: each.value for each in story.refusal.inputs}
    assert (inputs["canceled_by"], inputs["cause"], inputs["request_id"]) == ("buyer", "request", "r1")
    assert inputs["canceled_at"] == "2026-03-02T11:00:00Z"


@pytest.mark.parametrize(
    ("preset", "commands", "by", "cause", "sentence"),
    [
        ("big-box", [("CancelLines", {"reason": "out_of_stock"})], "seller", "seller", "by the seller"),
        (
            "big-box",
            [("CancelLines", {"reason": "suspected_fraud", "by": "support", "rule": "seller-has-final-say"})],
            "support",
            "support",
            "by the marketplace",
        ),
        (
            "big-box",
            [("CancelLines", {"reason": "suspected_fraud", "by": "system"})],
            "system",
            "system",
            "by the marketplace",
        ),
        (
            "big-box",
            [("RequestCancel", {"request_id": "r1", "reason": "other"}), ("ApproveCancel", {"request_id": "r1"})],
            "seller",
            "request",
            "as the buyer asked by request r1",
        ),
        ("big-box", [], "system", "late_ship", "by itself, because it had not shipped in time"),
        ("auction-house", [], "system", "unpaid", "by itself, because it had not been paid for in time"),
        (
            "mutual-consent",
            [
                ("RequestCancel", {"request_id": "r1", "reason": "other"}),
                ("DeclineCancel", {"request_id": "r1"}),
                ("OpenDispute", {"dispute_id": "d1", "about": "r1"}),
                ("DecideDispute", {"dispute_id": "d1", "outcome": "grant", "rule": "seller-has-final-say"}),
            ],
            "support",
            "dispute",
            "by the decision of a dispute about request r1",
        ),
        (
            "big-box",
            [
                ("RequestCancel", {"request_id": "r1", "reason": "other", "lines": [{"line": 1, "quantity": 1}]}),
                ("ApproveCancel", {"request_id": "r1"}),
                ("CancelLines", {"reason": "out_of_stock"}),
            ],
            "seller",
            "seller",
            "by the seller",
        ),
    ],
)
def test_a_request_for_a_canceled_line_is_answered_with_who_canceled_it_and_when(
    preset: str, commands: list[tuple[str, dict[str, Any]]], by: str, cause: str, sentence: str
) -> None:
    lines = [{"line": 1, "sku": "A-1", "quantity": 2, "unit_price": "10.00"}]
    story = Story(preset).placed(lines=lines, paid=preset != "auction-house", ship_by="2026-03-03T10:00:00Z")
    for name, fields in commands:
        assert story.send(name, "2026-03-02T11:00:00Z", **fields) == "accepted"
    assert requested(story, "2026-03-20T12:00:00Z", "r9") == "refused:already-canceled"
    said = {each.name: each.value for each in story.refusal.inputs}
    assert (said["canceled_by"], said["cause"]) == (by, cause)
    assert story.refusal.because == f"Line 1 is canceled already: {sentence}, at {said['canceled_at']}."


@pytest.mark.rule("shipped-lock")
def test_shipped_units_cannot_be_canceled_and_the_answer_lists_them() -> None:
    story = Story().placed()
    story.send("Ship", "2026-03-02T12:00:00Z", shipment_id="s1")
    assert requested(story, "2026-03-02T13:00:00Z") == "refused:shipped-lock"
    assert story.refusal.because == "The order has shipped, so it can no longer be canceled."


@pytest.mark.rule("case-reasons")
def test_a_case_is_only_for_goods_that_are_not_as_promised() -> None:
    story = delivered()
    case: dict[str, Any] = {"case_id": "k1", "lines": [1]}
    assert story.send("OpenCase", "2026-03-04T11:00:00Z", reason="does_not_fit", **case) == "refused:case-reasons"
    assert story.refusal.because.startswith("does_not_fit does not open a case")


@pytest.mark.rule("case-window")
def test_a_case_is_opened_within_its_days_of_delivery_and_no_later() -> None:
    case: dict[str, Any] = {"case_id": "k1", "reason": "wrong_item", "lines": [1]}
    assert delivered().send("OpenCase", "2026-03-07T10:00:00Z", **case) == "accepted"
    assert delivered().send("OpenCase", "2026-03-07T10:00:00.000001Z", **case) == "refused:case-window"


@pytest.mark.rule("case-is-not-cancel", "cancel-is-not-case")
def test_before_delivery_a_cancellation_is_the_right_thing_and_after_it_a_case() -> None:
    story = Story("peer-to-peer").placed()
    case: dict[str, Any] = {"case_id": "k1", "reason": "wrong_item", "lines": [1]}
    assert story.send("OpenCase", "2026-03-02T11:00:00Z", **case) == "refused:cancel-is-not-case"
    assert requested(delivered("auction-house"), "2026-03-04T11:00:00Z") == "refused:case-is-not-cancel"


@pytest.mark.rule("silence-is-not-consent", "platform-pays-return")
def test_a_seller_who_does_not_answer_has_not_accepted_and_nothing_is_decided_automatically() -> None:
    story = delivered()
    story.send("OpenCase", "2026-03-04T11:00:00Z", case_id="k1", reason="wrong_item", lines=[1])
    story.send("SendMessage", "2026-03-20T10:00:00Z", message_id="m1", to="seller", text="Well?")
    assert story.here.cases["k1"].status == "open"
    assert story.here.returns == {}
    late: dict[str, Any] = {"case_id": "k1", "outcome": "return", "rule": "silence-is-not-consent"}
    assert story.send("DecideCase", "2026-03-20T11:00:00Z", **late) == "accepted"
    assert story.here.returns["return-1"].postage == "platform"


@pytest.mark.rule("seller-may-accept")
def test_a_seller_may_accept_the_return_before_the_decision() -> None:
    story = delivered()
    story.send("OpenCase", "2026-03-04T11:00:00Z", case_id="k1", reason="wrong_item", lines=[1])
    assert story.send("AcceptReturn", "2026-03-04T12:00:00Z", about="k1") == "accepted"
    assert story.here.cases["k1"].status == "accepted"


@pytest.mark.rule("listing-as-sold")
def test_the_description_of_a_line_at_sale_is_pinned_on_it() -> None:
    listing = {"ref": "listing-7", "sha256": "ab" * 32}
    story = Story().placed(lines=[{"line": 1, "sku": "A", "quantity": 1, "unit_price": "1.00", "listing": listing}])
    assert story.here.lines[1].listing == e.Listing("listing-7", bytes.fromhex("ab" * 32))


@pytest.mark.rule("store-return")
def test_a_return_is_for_the_stores_reasons_and_days() -> None:
    back: dict[str, Any] = {"lines": [1], "reason": "changed_mind"}
    assert delivered("general-store").send("RequestReturn", "2026-04-03T10:00:00Z", **back) == "accepted"
    late = delivered("general-store")
    assert late.send("RequestReturn", "2026-04-03T10:00:00.000001Z", **back) == "refused:store-return"
    assert late.refusal.because == "The time for a return is over."


def found() -> Story:
    story = Story().placed()
    story.send("CancelLines", "2026-03-02T11:00:00Z", reason="pricing_error")
    assert story.send("ReportShippedAfterCancel", "2026-03-03T10:00:00Z", lines=[1], **PARCEL) == "accepted"
    return story


@pytest.mark.rule("notice-lacks-tracking")
def test_a_notice_without_carrier_and_number_or_with_a_link_is_not_sent() -> None:
    story = found()
    bare = story.send("NotifyCustomer", "2026-03-03T11:00:00Z", text="It shipped. You would be billed again.")
    assert bare == "refused:notice-lacks-tracking"
    linked = "It shipped with UPS 1Z9, see https://ups.example/1Z9. You would be billed again."
    assert story.send("NotifyCustomer", "2026-03-03T11:00:00Z", text=linked) == "refused:notice-has-link"


@pytest.mark.rule("evidence-of-acknowledgment")
def test_support_acknowledges_for_a_customer_only_with_the_messages_attached() -> None:
    story = found()
    story.send("NotifyCustomer", "2026-03-03T11:00:00Z", text="It shipped with UPS 1Z9. You would be billed again.")
    both: dict[str, Any] = {"by": "support", "accepts_item": True, "accepts_rebilling": True}
    assert story.send("Acknowledge", "2026-03-03T12:00:00Z", **both) == "refused:evidence-of-acknowledgment"


def test_a_rebilled_amount_is_refunded_with_the_goods_to_the_cent_and_once_per_unit() -> None:
    story = Story("general-store").placed(
        lines=[{"line": 1, "sku": "A-1", "quantity": 3, "unit_price": "3.34", "discount": "0.02"}]
    )
    parcel = {"carrier": "UPS", "tracking_number": "1Z"}
    one = [{"line": 1, "quantity": 1}]
    day = "2026-03-02T{:02}:00:00Z"
    assert story.send("CancelLines", day.format(11), reason="out_of_stock") == "accepted"
    assert story.send("ReportShippedAfterCancel", day.format(12), lines=[1], **parcel) == "accepted"
    assert story.send("NotifyCustomer", day.format(13), text="It left with UPS, number 1Z.") == "accepted"
    assert story.send("Acknowledge", day.format(14), accepts_item=True, accepts_rebilling=True) == "accepted"
    assert story.send("Rebill", day.format(15)) == "accepted"
    assert story.send("ConfirmRebill", day.format(16), rebill_id="rebill-1") == "accepted"
    for number in (1, 2, 3):
        assert story.send("RequestReturn", day.format(16 + number), reason="changed_mind", lines=one) == "accepted"
        assert story.send("ReturnReceived", day.format(16 + number), about=f"return-{number}") == "accepted"
    assert story.refunds == [1000, 334, 333, 333]
