"""The sentence of a refusal is true of its order, and suggests nothing that would be refused as well."""

from typing import Any

from tests.spec.domain.story import Story, policy

TWO = [{"line": n, "sku": f"A-{n}", "quantity": 1, "unit_price": "10.00"} for n in (1, 2)]
BOTH: dict[str, Any] = {"accepts_item": True, "accepts_rebilling": True}
UPS: dict[str, Any] = {"carrier": "UPS", "tracking_number": "1Z999"}
FEDEX: dict[str, Any] = {"carrier": "FedEx", "tracking_number": "777000"}
OFF = policy("""
id = "no-steps"
version = 1
rules = ["seller-has-final-say"]
cancelled-but-shipped = false
""")


def day(number: int, hour: int = 10) -> str:
    return f"2026-03-{number:02}T{hour}:00:00Z"


def refused(story: Story, name: str, at: str, **fields: Any) -> str:
    """The sentence with which it is refused."""
    outcome = story.send(name, at, **fields)
    assert outcome.startswith("refused:"), outcome
    return story.refusal.because


def instead(story: Story) -> list[str]:
    return [each.option for each in story.refusal.instead]


def canceled(preset: str = "seller-portal", *documents: Any) -> Story:
    story = Story(preset, documents=documents).placed(lines=TWO)
    assert story.send("CancelLines", day(2, 11), reason="out_of_stock") == "accepted"
    return story


def notified_of_line_1() -> Story:
    story = canceled("big-box")
    story.send("ReportShippedAfterCancel", day(2, 12), lines=[1], **UPS)
    assert story.send("NotifyCustomer", day(2, 13), text="It left with UPS, number 1Z999.") == "accepted"
    return story


def delivered(preset: str) -> Story:
    story = Story(preset).placed(lines=TWO)
    story.send("Ship", day(2, 11), shipment_id="asn-1")
    assert story.send("Deliver", day(3), shipment_id="asn-1") == "accepted"
    return story


# ---- cancelled but shipped -----------------------------------------------------------------------------------------


def test_missing_units_have_to_be_reported_before_anybody_is_notified() -> None:
    story = canceled()
    assert "Report them before" in refused(story, "NotifyCustomer", day(2, 12), text="UPS 1Z999")
    assert instead(story) == ["report_shipped"]


def test_a_second_notice_about_the_same_units_is_answered_as_already_notified() -> None:
    story = notified_of_line_1()
    because = "The customer was already notified of line 1, and has not answered yet."
    assert refused(story, "NotifyCustomer", day(2, 14), text="UPS 1Z999") == because
    story.send("Acknowledge", day(3), **BOTH)
    because = "The customer was notified of everything that was found: both were accepted."
    assert refused(story, "NotifyCustomer", day(3, 11), text="UPS 1Z999") == because


def test_an_answer_to_part_of_the_units_names_the_part_without_a_notice() -> None:
    story = notified_of_line_1()
    story.send("ReportShippedAfterCancel", day(3), lines=[2], **FEDEX)
    because = refused(story, "Acknowledge", day(3, 11), **BOTH)
    assert because.startswith("The customer was notified of line 1, but not yet of line 2, which was found later.")
    assert "notify-customer" in because


def test_a_second_answer_is_refused_with_the_result_of_the_first() -> None:
    story = notified_of_line_1()
    story.send("Acknowledge", day(3), **BOTH)
    assert refused(story, "Acknowledge", day(3, 11), **BOTH) == "There is nothing left to answer: both were accepted."
    story = notified_of_line_1()
    story.send("Acknowledge", day(3), accepts_item=True, accepts_rebilling=False)
    assert refused(story, "Acknowledge", day(3, 11), **BOTH) == "There is nothing left to answer: it was declined."
    assert "the time to answer is over" in refused(notified_of_line_1(), "Acknowledge", day(17), **BOTH)


def test_a_rebilled_line_is_not_described_as_unacknowledged() -> None:
    story = notified_of_line_1()
    story.send("Acknowledge", day(3), **BOTH)
    because = refused(story, "Rebill", day(3, 11), lines=[{"line": 1, "quantity": 2}])
    assert because == "1 of line 1 are acknowledged and not yet billed again, not 2."
    assert refused(story, "Rebill", day(3, 11), lines=[2]).startswith("Nothing of line 2 is acknowledged.")
    story.send("Rebill", day(3, 12))
    assert refused(story, "Rebill", day(3, 13)) == "All that was acknowledged has been billed again."
    because = refused(story, "Rebill", day(3, 13), lines=[1])
    assert because == "All of line 1 that was acknowledged has been billed again."
    because = refused(story, "IssueCreditMemo", day(3, 14), memo_id="m1", rebill_id="rebill-9")
    assert because.startswith("There is no rebilling rebill-9.")


def test_where_the_steps_are_off_nothing_leads_to_them() -> None:
    story = canceled("no-steps", OFF)
    assert "has no steps" in refused(story, "ReportShippedAfterCancel", day(2, 12), lines=[1], **UPS)
    assert story.send("Ship", day(2, 13), shipment_id="asn-1", lines=[1]) == "refused:cancel-is-final"
    refused(story, "StartTracking", day(2, 13), lines=[1], occurred_at=day(2, 10), **UPS)
    assert "report_shipped" not in instead(story)


# ---- disputes, requests --------------------------------------------------------------------------------------------


def test_an_appeal_of_an_undecided_or_final_matter_is_refused_as_such() -> None:
    story = Story("mutual-consent").placed(lines=TWO)
    story.send("RequestCancel", day(2, 11), request_id="r1", reason="other")
    story.send("DeclineCancel", day(2, 12), request_id="r1")
    story.send("OpenDispute", day(2, 13), dispute_id="d1", about="r1")
    assert "can be appealed once it is decided" in refused(story, "AppealDispute", day(3), dispute_id="d1")
    for at in (4, 6):
        story.send("DecideDispute", day(at), dispute_id="d1", outcome="deny", rule="seller-has-final-say")
        story.send("AppealDispute", day(at + 1), dispute_id="d1")
    assert "that is final" in story.refusal.because
    assert refused(story, "EscalateDispute", day(8), dispute_id="d1", ticket="T-1") == "Dispute d1 is denied."
    assert refused(story, "AppealDispute", day(8), dispute_id="d9") == "There is no dispute d9."


def test_a_closed_request_leads_to_a_dispute_only_where_there_is_one_to_be_had() -> None:
    for answer, option in (("ApproveCancel", "contact"), ("DeclineCancel", "dispute")):
        story = Story("mutual-consent").placed(lines=TWO)
        story.send("RequestCancel", day(2, 11), request_id="r1", reason="other")
        story.send(answer, day(2, 12), request_id="r1")
        refused(story, "ApproveCancel", day(2, 13), request_id="r1")
        assert instead(story) == [option]
        outcome = story.send("OpenDispute", day(2, 14), dispute_id="d1", about="r1")
        assert outcome == ("accepted" if option == "dispute" else "refused:nothing-to-dispute")


def test_more_than_the_shipped_units_is_not_called_open() -> None:
    story = delivered("mutual-consent")
    request: dict[str, Any] = {"request_id": "r1", "reason": "other", "lines": [{"line": 1, "quantity": 2}]}
    assert story.send("RequestCancel", day(4), **request) == "refused:more-than-open"
    assert story.refusal.because == "1 of line 1 is open or shipped, not 2."


def test_a_refusal_in_transit_mentions_what_both_sides_may_agree_to_after_delivery() -> None:
    story = Story("peer-to-peer").placed(lines=TWO)
    story.send("Ship", day(2, 14), shipment_id="asn-1", **UPS)
    assert story.send("RequestCancel", day(2, 15), request_id="r1", reason="other") == "accepted"
    story.send("StartTracking", day(2, 16), **UPS)
    assert "can be agreed to once it is delivered" in refused(story, "ApproveCancel", day(2, 17), request_id="r1")
    assert instead(story) == ["wait"]
    refused(story, "OpenCase", day(2, 17), case_id="k1", reason="wrong_item", lines=[1])
    assert instead(story) == ["open_case", "ask_seller", "contact"]
    story.send("Deliver", day(3), shipment_id="asn-1")
    assert story.send("ApproveCancel", day(3, 11), request_id="r1") == "accepted"


# ---- cases, returns ------------------------------------------------------------------------------------------------


def test_a_cancelled_line_has_nothing_to_send_back_and_nothing_to_cancel() -> None:
    story = canceled("mutual-consent")
    because = "Line 1 is canceled: nothing of it was delivered."
    assert refused(story, "RequestReturn", day(3), lines=[1], reason="changed_mind") == because
    assert refused(story, "OpenCase", day(3), case_id="k1", reason="wrong_item", lines=[1]) == because
    assert instead(story) == ["contact"]


def test_a_rebilled_amount_is_refunded_once_paid_and_only_once() -> None:
    story = notified_of_line_1()
    back: dict[str, Any] = {"lines": [1], "reason": "changed_mind"}
    story.send("Acknowledge", day(3), **BOTH)
    story.send("Rebill", day(3, 11))
    assert "is not confirmed" in refused(story, "RequestReturn", day(3, 12), **back)
    story.send("ConfirmRebill", day(3, 13), rebill_id="rebill-1")
    assert story.send("RequestReturn", day(3, 14), **back) == "accepted"
    assert "came back or are in a return" in refused(story, "RequestReturn", day(3, 15), **back)


def test_a_second_receipt_is_answered_as_already_received() -> None:
    story = delivered("general-store")
    story.send("RequestReturn", day(4), lines=[1], reason="changed_mind")
    story.send("ReturnReceived", day(5), about="return-1")
    for name in ("ReturnReceived", "StartReturn"):
        assert refused(story, name, day(5, 11), about="return-1") == "Return return-1 was received already."


def test_a_notice_whose_goods_are_coming_back_was_no_mistake() -> None:
    story = Story("mutual-consent").placed(lines=TWO)
    story.send("Ship", day(2, 11), shipment_id="asn-1")
    story.send("RequestCancel", day(2, 12), request_id="r1", reason="other")
    story.send("ApproveCancel", day(2, 13), request_id="r1")
    because = refused(story, "VoidShipment", day(2, 14), shipment_id="asn-1", note="a mistake")
    assert because == "Shipment asn-1 is in a return, or came back, in part or whole, so its notice was no mistake."


def test_too_late_for_a_case_leads_to_a_return_that_is_still_to_be_had() -> None:
    story = delivered("mutual-consent")
    assert story.send("OpenCase", day(8), case_id="k1", reason="wrong_item", lines=[1]) == "refused:case-window"
    assert instead(story) == ["return", "contact"]
    assert story.send("RequestReturn", day(8), lines=[1], reason="wrong_item") == "accepted"
