"""The sentence of a refusal is true of the order it is said of, and leads to nothing that would be refused as well."""

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
    said = story.say(name, at, **fields)
    assert said.startswith("refused:"), said
    return story.refusal.because


def instead(story: Story) -> list[str]:
    return [each.option for each in story.refusal.instead]


def canceled(preset: str = "seller-portal", *documents: Any) -> Story:
    story = Story(preset, documents=documents).placed(lines=TWO)
    assert story.say("CancelLines", day(2, 11), reason="out_of_stock") == "accepted"
    return story


def told_of_line_1() -> Story:
    story = canceled("big-box")
    story.say("ReportShippedAfterCancel", day(2, 12), lines=[1], **UPS)
    assert story.say("NotifyCustomer", day(2, 13), text="It left with UPS, number 1Z999.") == "accepted"
    return story


def delivered(preset: str) -> Story:
    story = Story(preset).placed(lines=TWO)
    story.say("Ship", day(2, 11), shipment_id="asn-1")
    assert story.say("Deliver", day(3), shipment_id="asn-1") == "accepted"
    return story


# ---- cancelled but shipped -----------------------------------------------------------------------------------------


def test_what_was_not_found_has_to_be_reported_before_anybody_is_told() -> None:
    story = canceled()
    assert "has to be reported first" in refused(story, "NotifyCustomer", day(2, 12), text="UPS 1Z999")
    assert instead(story) == ["report_shipped"]


def test_a_second_notice_about_the_same_says_that_they_were_told() -> None:
    story = told_of_line_1()
    because = "The customer has been told of line 1 already, and has not answered yet."
    assert refused(story, "NotifyCustomer", day(2, 14), text="UPS 1Z999") == because
    story.say("Acknowledge", day(3), **BOTH)
    because = "The customer has been told of all that was found: both were accepted."
    assert refused(story, "NotifyCustomer", day(3, 11), text="UPS 1Z999") == because


def test_an_answer_to_part_of_what_was_found_says_which_part_they_were_not_told_of() -> None:
    story = told_of_line_1()
    story.say("ReportShippedAfterCancel", day(3), lines=[2], **FEDEX)
    because = refused(story, "Acknowledge", day(3, 11), **BOTH)
    assert because.startswith("The customer has been told of line 1, and not yet of line 2, which was found since.")
    assert "notify-customer" in because


def test_a_second_answer_says_how_the_first_one_went() -> None:
    story = told_of_line_1()
    story.say("Acknowledge", day(3), **BOTH)
    assert refused(story, "Acknowledge", day(3, 11), **BOTH) == "There is nothing left to answer: both were accepted."
    story = told_of_line_1()
    story.say("Acknowledge", day(3), accepts_item=True, accepts_rebilling=False)
    assert refused(story, "Acknowledge", day(3, 11), **BOTH) == "There is nothing left to answer: it was declined."
    assert "the time to answer is over" in refused(told_of_line_1(), "Acknowledge", day(17), **BOTH)


def test_what_was_billed_again_is_not_said_to_lack_the_acknowledgment() -> None:
    story = told_of_line_1()
    story.say("Acknowledge", day(3), **BOTH)
    because = refused(story, "Rebill", day(3, 11), lines=[{"line": 1, "quantity": 2}])
    assert because == "1 of line 1 are acknowledged and not yet billed again, not 2."
    assert refused(story, "Rebill", day(3, 11), lines=[2]).startswith("Nothing of line 2 is acknowledged.")
    story.say("Rebill", day(3, 12))
    assert refused(story, "Rebill", day(3, 13)) == "All that was acknowledged has been billed again."
    because = refused(story, "Rebill", day(3, 13), lines=[1])
    assert because == "All of line 1 that was acknowledged has been billed again."
    because = refused(story, "IssueCreditMemo", day(3, 14), memo_id="m1", rebill_id="rebill-9")
    assert because.startswith("There is no rebilling rebill-9.")


def test_where_the_steps_are_off_nothing_leads_to_them() -> None:
    story = canceled("no-steps", OFF)
    assert "has no steps" in refused(story, "ReportShippedAfterCancel", day(2, 12), lines=[1], **UPS)
    assert story.say("Ship", day(2, 13), shipment_id="asn-1", lines=[1]) == "refused:cancel-is-final"
    refused(story, "StartTracking", day(2, 13), lines=[1], occurred_at=day(2, 10), **UPS)
    assert "report_shipped" not in instead(story)


# ---- disputes, requests --------------------------------------------------------------------------------------------


def test_an_appeal_of_what_is_not_decided_and_of_what_is_final_says_so() -> None:
    story = Story("mutual-consent").placed(lines=TWO)
    story.say("RequestCancel", day(2, 11), request_id="r1", reason="other")
    story.say("DeclineCancel", day(2, 12), request_id="r1")
    story.say("OpenDispute", day(2, 13), dispute_id="d1", about="r1")
    assert "can be appealed once it is decided" in refused(story, "AppealDispute", day(3), dispute_id="d1")
    for at in (4, 6):
        story.say("DecideDispute", day(at), dispute_id="d1", outcome="deny", rule="seller-has-final-say")
        story.say("AppealDispute", day(at + 1), dispute_id="d1")
    assert "that is final" in story.refusal.because
    assert refused(story, "EscalateDispute", day(8), dispute_id="d1", ticket="T-1") == "Dispute d1 is denied."
    assert refused(story, "AppealDispute", day(8), dispute_id="d9") == "There is no dispute d9."


def test_a_closed_request_leads_to_a_dispute_only_where_there_is_one_to_be_had() -> None:
    for answer, option in (("ApproveCancel", "contact"), ("DeclineCancel", "dispute")):
        story = Story("mutual-consent").placed(lines=TWO)
        story.say("RequestCancel", day(2, 11), request_id="r1", reason="other")
        story.say(answer, day(2, 12), request_id="r1")
        refused(story, "ApproveCancel", day(2, 13), request_id="r1")
        assert instead(story) == [option]
        said = story.say("OpenDispute", day(2, 14), dispute_id="d1", about="r1")
        assert said == ("accepted" if option == "dispute" else "refused:nothing-to-dispute")


def test_more_than_there_is_of_what_shipped_is_not_called_open() -> None:
    story = delivered("mutual-consent")
    asked: dict[str, Any] = {"request_id": "r1", "reason": "other", "lines": [{"line": 1, "quantity": 2}]}
    assert story.say("RequestCancel", day(4), **asked) == "refused:more-than-open"
    assert story.refusal.because == "1 of line 1 is open or shipped, not 2."


def test_what_both_may_agree_to_after_delivery_is_said_to_be_so_while_it_is_on_its_way() -> None:
    story = Story("peer-to-peer").placed(lines=TWO)
    story.say("Ship", day(2, 14), shipment_id="asn-1", **UPS)
    assert story.say("RequestCancel", day(2, 15), request_id="r1", reason="other") == "accepted"
    story.say("StartTracking", day(2, 16), **UPS)
    assert "can be agreed to once it is delivered" in refused(story, "ApproveCancel", day(2, 17), request_id="r1")
    assert instead(story) == ["wait"]
    refused(story, "OpenCase", day(2, 17), case_id="k1", reason="wrong_item", lines=[1])
    assert instead(story) == ["open_case", "ask_seller", "contact"]
    story.say("Deliver", day(3), shipment_id="asn-1")
    assert story.say("ApproveCancel", day(3, 11), request_id="r1") == "accepted"


# ---- cases, returns ------------------------------------------------------------------------------------------------


def test_a_cancelled_line_has_nothing_to_send_back_and_nothing_to_cancel() -> None:
    story = canceled("mutual-consent")
    because = "Line 1 is cancelled: nothing of it was delivered."
    assert refused(story, "RequestReturn", day(3), lines=[1], reason="changed_mind") == because
    assert refused(story, "OpenCase", day(3), case_id="k1", reason="wrong_item", lines=[1]) == because
    assert instead(story) == ["contact"]


def test_what_was_billed_again_comes_back_once_it_is_paid_and_once() -> None:
    story = told_of_line_1()
    back: dict[str, Any] = {"lines": [1], "reason": "changed_mind"}
    story.say("Acknowledge", day(3), **BOTH)
    story.say("Rebill", day(3, 11))
    assert "is not confirmed" in refused(story, "RequestReturn", day(3, 12), **back)
    story.say("ConfirmRebill", day(3, 13), rebill_id="rebill-1")
    assert story.say("RequestReturn", day(3, 14), **back) == "accepted"
    assert "came back, or is in a return" in refused(story, "RequestReturn", day(3, 15), **back)


def test_a_second_receipt_says_that_it_was_received() -> None:
    story = delivered("general-store")
    story.say("RequestReturn", day(4), lines=[1], reason="changed_mind")
    story.say("ReturnReceived", day(5), about="return-1")
    for name in ("ReturnReceived", "StartReturn"):
        assert refused(story, name, day(5, 11), about="return-1") == "Return return-1 was received already."


def test_a_notice_whose_goods_are_coming_back_was_no_mistake() -> None:
    story = Story("mutual-consent").placed(lines=TWO)
    story.say("Ship", day(2, 11), shipment_id="asn-1")
    story.say("RequestCancel", day(2, 12), request_id="r1", reason="other")
    story.say("ApproveCancel", day(2, 13), request_id="r1")
    because = refused(story, "VoidShipment", day(2, 14), shipment_id="asn-1", note="a mistake")
    assert because == "Shipment asn-1 is in a return, or came back, in part or whole, so its notice was no mistake."


def test_too_late_for_a_case_leads_to_a_return_that_is_still_to_be_had() -> None:
    story = delivered("mutual-consent")
    assert story.say("OpenCase", day(8), case_id="k1", reason="wrong_item", lines=[1]) == "refused:case-window"
    assert instead(story) == ["return", "contact"]
    assert story.say("RequestReturn", day(8), lines=[1], reason="wrong_item") == "accepted"
