"""What a refusal says can be done instead does work, and its sentence is one that a person reads."""

from typing import Any

import pytest

from domain.commands import parse_command
from domain.errors import BadInput
from tests.spec.domain.story import Story, policy

SHOP = policy("""
id = "shop"
version = 1
rules = ["shipped-lock", "seller-has-final-say"]
[cases]
[returns]
""")
OFFERS = policy("""
id = "offers"
version = 1
rules = ["alternatives-first", "seller-has-final-say"]
[alternatives-first]
offers = ["credit"]
""")
CASE: dict[str, Any] = {"case_id": "k1", "reason": "wrong_item", "lines": [1]}


def shipped() -> Story:
    story = Story("shop", documents=(SHOP,)).placed()
    assert story.say("Ship", "2026-03-02T11:00:00Z", shipment_id="asn-1", lines=[1]) == "accepted"
    return story


def delivered() -> Story:
    story = shipped()
    assert story.say("Deliver", "2026-03-03T11:00:00Z", shipment_id="asn-1") == "accepted"
    return story


def instead(story: Story) -> list[str]:
    return [each.option for each in story.refusal.instead]


def test_a_case_about_what_is_open_leads_to_cancelling_it() -> None:
    story = Story("shop", documents=(SHOP,)).placed()
    assert story.say("OpenCase", "2026-03-02T12:00:00Z", **CASE) == "refused:cancel-is-not-case"
    assert instead(story) == ["cancel"]
    asked: dict[str, Any] = {"request_id": "r1", "reason": "other"}
    assert story.say("RequestCancel", "2026-03-02T12:00:00Z", **asked) == "accepted"


def test_a_case_about_what_is_on_its_way_leads_to_one_after_delivery() -> None:
    story = shipped()
    assert story.say("OpenCase", "2026-03-02T12:00:00Z", **CASE) == "refused:cancel-is-not-case"
    assert instead(story) == ["open_case", "ask_seller"]
    assert story.say("RequestCancel", "2026-03-02T12:00:00Z", request_id="r1", reason="other") == "refused:shipped-lock"
    story.say("Deliver", "2026-03-03T11:00:00Z", shipment_id="asn-1")
    assert story.say("OpenCase", "2026-03-03T12:00:00Z", **CASE) == "accepted"


def test_a_return_of_what_has_not_arrived_leads_to_cancelling_what_is_open_and_to_waiting_for_the_rest() -> None:
    back: dict[str, Any] = {"lines": [1], "reason": "does_not_fit"}
    story = Story("shop", documents=(SHOP,)).placed()
    assert story.say("RequestReturn", "2026-03-02T12:00:00Z", **back) == "refused:cancel-is-not-case"
    assert instead(story) == ["cancel"]
    story = shipped()
    assert story.say("RequestReturn", "2026-03-02T12:00:00Z", **back) == "refused:cancel-is-not-case"
    assert instead(story) == ["return", "ask_seller"]
    story.say("Deliver", "2026-03-03T11:00:00Z", shipment_id="asn-1")
    assert story.say("RequestReturn", "2026-03-03T12:00:00Z", **back) == "accepted"


def test_what_is_no_fault_leads_to_a_return_where_the_store_takes_it_back() -> None:
    story = delivered()
    unfit: dict[str, Any] = {**CASE, "reason": "does_not_fit"}
    assert story.say("OpenCase", "2026-03-03T12:00:00Z", **unfit) == "refused:case-reasons"
    assert instead(story) == ["return", "contact"]
    back: dict[str, Any] = {"lines": [1], "reason": "does_not_fit"}
    assert story.say("RequestReturn", "2026-03-03T12:00:00Z", **back) == "accepted"
    none_back = policy('id = "shop"\nversion = 1\nrules = ["seller-has-final-say"]\n[cases]')
    story = Story("shop", documents=(none_back,)).placed()
    story.say("OpenCase", "2026-03-03T12:00:00Z", **unfit)
    assert instead(story) == ["contact"]


def test_evidence_for_what_there_is_not_leads_to_what_there_is() -> None:
    story = delivered()
    photograph: dict[str, Any] = {
        "evidence_id": "e1",
        "kind": "photo",
        "sha256": "ab" * 32,
        "media_type": "image/png",
        "size": 10,
    }
    said = story.say("AttachEvidence", "2026-03-03T12:00:00Z", by="buyer", about="k9", **photograph)
    assert said == "refused:nothing-to-dispute"
    assert instead(story) == ["again", "contact"]
    story.say("OpenCase", "2026-03-03T12:00:00Z", **CASE)
    assert story.say("AttachEvidence", "2026-03-03T12:00:00Z", by="buyer", about="k1", **photograph) == "accepted"


def test_amounts_are_told_in_their_currency() -> None:
    story = Story("shop", documents=(SHOP,)).placed(paid=False)
    story.say("ConfirmPayment", "2026-03-02T11:00:00Z", amount="20.00")
    assert story.say("RecordOtherRefund", "2026-03-02T11:00:00Z", amount="20.01") == "refused:more-than-paid"
    assert story.refusal.because == "Of what was paid, 20.00 USD are not refunded yet; 20.01 USD would be more."
    story = Story("shop", documents=(SHOP,)).placed(
        paid=False, currency="JPY", lines=[{"line": 1, "sku": "A-1", "quantity": 1, "unit_price": "2500"}]
    )
    story.say("ConfirmPayment", "2026-03-02T11:00:00Z", amount="2500")
    assert story.say("RecordOtherRefund", "2026-03-02T11:00:00Z", amount="2501") == "refused:more-than-paid"
    assert story.refusal.because == "Of what was paid, 2500 JPY are not refunded yet; 2501 JPY would be more."


def test_a_later_ship_by_is_about_what_can_still_ship() -> None:
    for answer in ("TakeAlternative", "DeclineAlternatives"):
        story = Story("big-box").placed(ship_by="2026-03-05T00:00:00Z")
        assert story.say("ReviseShipBy", "2026-03-04T10:00:00Z", ship_by="2026-03-08T00:00:00Z") == "accepted"
        assert story.say("TakeAlternative", "2026-03-04T11:00:00Z", kind="credit") == "refused:nothing-offered"
        assert story.refusal.because == "What is proposed is to wait, until 2026-03-08T00:00:00Z."
        assert story.say(answer, "2026-03-10T10:00:00Z") == "refused:nothing-offered"
        assert story.status == "canceled"
        assert story.refusal.because == "Nothing of the order is open, so no ship-by is left to agree on."
        assert instead(story) == ["contact"]
    story = Story("big-box").placed(ship_by="2026-03-05T00:00:00Z")
    story.say("ReviseShipBy", "2026-03-04T10:00:00Z", ship_by="2026-03-08T00:00:00Z")
    assert story.say("TakeAlternative", "2026-03-09T00:00:00Z", kind="wait") == "accepted"
    assert story.say("TakeAlternative", "2026-03-09T00:00:01Z", kind="wait") == "refused:nothing-offered"
    assert (story.refusal.because, instead(story)) == ("No later ship-by is proposed.", ["contact"])


def test_where_nothing_is_offered_nothing_is_to_be_said_again() -> None:
    story = Story("offers", documents=(OFFERS,)).placed()
    assert story.say("RequestCancel", "2026-03-02T12:00:00Z", request_id="r1", reason="other") == "accepted"
    offered = {"request_id": "r1", "kind": "wait"}
    assert story.say("TakeAlternative", "2026-03-02T12:00:01Z", **offered) == "refused:nothing-offered"
    assert (story.refusal.because, instead(story)) == ("What was offered for request r1: credit.", ["again"])
    assert story.say("DeclineAlternatives", "2026-03-02T12:00:02Z", request_id="r1") == "accepted"
    for answer in ("TakeAlternative", "DeclineAlternatives"):
        assert story.say(answer, "2026-03-02T12:00:03Z", **offered) == "refused:nothing-offered"
        assert story.refusal.because == "Nothing is offered for request r1: it waits for an answer."
        assert instead(story) == ["wait", "contact"]


def test_where_no_money_is_left_no_smaller_amount_is_to_be_said() -> None:
    story = Story("shop", documents=(SHOP,)).placed()
    assert story.say("RecordOtherRefund", "2026-03-02T11:00:00Z", amount="25.00") == "accepted"
    assert story.say("RecordOtherRefund", "2026-03-02T11:00:00Z", amount="0.01") == "refused:more-than-paid"
    assert story.refusal.because == "Of what was paid, nothing is left to be given back; 0.01 USD would be more."
    assert instead(story) == ["check"]


def test_support_and_systems_are_not_told_to_contact_the_marketplace() -> None:
    story = Story("seller-portal").placed()
    assert story.say("Deliver", "2026-03-02T11:00:00Z") == "refused:nothing-shipped"
    assert [each.text for each in story.refusal.instead] == [
        "Compare it with the order's history; a person has to look into it."
    ]
    note: dict[str, Any] = {"shipment_id": "asn-1", "note": "not packed"}
    story.say("Ship", "2026-03-02T11:00:00Z", shipment_id="asn-1", lines=[1])
    story.say("Deliver", "2026-03-02T12:00:00Z", shipment_id="asn-1")
    assert story.say("VoidShipment", "2026-03-02T13:00:00Z", by="support", **note) == "refused:tracking-lock"
    assert instead(story) == ["check"]
    assert story.say("RequestCancel", "2026-03-02T13:00:00Z", request_id="r1", reason="other").startswith("refused")
    assert "contact" in instead(story), "a buyer contacts it"


def test_a_seller_is_not_told_to_ask_the_seller() -> None:
    story = Story("mutual-consent").placed()
    disputed: dict[str, Any] = {"dispute_id": "d1", "about": "r1", "text": "x"}
    assert story.say("OpenDispute", "2026-03-02T11:00:00Z", by="seller", **disputed) == "refused:nothing-to-dispute"
    assert instead(story) == ["contact"]
    assert story.say("OpenDispute", "2026-03-02T11:00:00Z", **disputed) == "refused:nothing-to-dispute"
    assert instead(story) == ["ask_seller"]


def test_fill_or_kill_whole_lines_only_says_that_a_shipping_notice_keeps_what_can_ship() -> None:
    story = Story("seller-portal").placed(lines=[{"line": 1, "sku": "a", "quantity": 10, "unit_price": "1.00"}])
    part: dict[str, Any] = {"lines": [{"line": 1, "quantity": 7}]}
    own = {**part, "reason": "out_of_stock"}
    assert story.say("CancelLines", "2026-03-02T11:00:00Z", by="seller", **own) == "refused:whole-lines-only"
    assert instead(story) == ["ship", "again"]
    asked = {**part, "request_id": "r1", "reason": "changed_mind"}
    assert story.say("RequestCancel", "2026-03-02T11:00:00Z", **asked) == "refused:whole-lines-only"
    assert instead(story) == ["again", "ask_seller"]
    kept: dict[str, Any] = {"shipment_id": "asn-1", "lines": [{"line": 1, "quantity": 3}]}
    assert story.say("Ship", "2026-03-02T12:00:00Z", by="seller", **kept) == "accepted"
    line = story.here.lines[1]
    assert (line.shipped, line.canceled) == (3, 7), "what was advised does it"


def test_without_fill_or_kill_only_the_whole_line_can_be_cancelled() -> None:
    whole = policy('id = "w"\nversion = 1\nrules = ["whole-lines-only", "seller-has-final-say"]')
    story = Story("w", documents=(whole,)).placed(lines=[{"line": 1, "sku": "a", "quantity": 2, "unit_price": "1.00"}])
    own: dict[str, Any] = {"lines": [{"line": 1, "quantity": 1}], "reason": "out_of_stock"}
    assert story.say("CancelLines", "2026-03-02T11:00:00Z", by="seller", **own) == "refused:whole-lines-only"
    assert instead(story) == ["again"]


def test_reason_required_a_buyer_is_offered_a_buyers_reasons_and_refused_for_no_canonical_one() -> None:
    few = policy(
        'id = "few"\nversion = 1\nrules = ["reason-required", "seller-has-final-say"]\n'
        'reasons = ["changed_mind", "out_of_stock", "other"]'
    )
    story = Story("few", documents=(few,)).placed()
    asks: dict[str, Any] = {"request_id": "r1", "reason": "found_cheaper"}
    assert story.say("RequestCancel", "2026-03-02T11:00:00Z", **asks) == "refused:reason-required"
    assert story.refusal.because.endswith("takes: changed_mind, other.")
    own = {"reason": "pricing_error"}
    assert story.say("CancelLines", "2026-03-02T11:00:00Z", by="seller", **own) == "refused:reason-required"
    assert story.refusal.because.endswith("takes: changed_mind, out_of_stock, other.")
    asks = {"request_id": "r1", "reason": "out_of_stock"}
    assert story.say("RequestCancel", "2026-03-02T11:00:00Z", **asks) == "accepted"


def test_a_reason_that_is_none_is_answered_with_a_buyers_reasons_first() -> None:
    actor = {"kind": "buyer", "id": "b-1"}
    asked = {"command": "RequestCancel", "command_id": "c1", "marketplace": "acme", "order_id": "PO-1", "actor": actor}
    with pytest.raises(BadInput) as bad:
        parse_command({**asked, "request_id": "r1", "reason": "no-such"})
    offered, _, others = str(bad.value).partition(" (for a seller also ")
    assert "changed_mind" in offered and "out_of_stock" not in offered
    assert "out_of_stock" in others


def test_what_an_order_may_not_is_said_of_its_own_policy() -> None:
    story = Story("general-store").placed()
    opened: dict[str, Any] = {"dispute_id": "d1", "about": "r1", "text": "x"}
    assert story.say("OpenDispute", "2026-03-02T11:00:00Z", **opened) == "refused:disputes-off"
    assert story.refusal.because == "The policy of this order has no disputes."


def test_nothing_has_shipped_is_not_said_of_an_order_whose_cancelled_parcel_left() -> None:
    story = Story("seller-portal").placed()
    story.say("CancelLines", "2026-03-02T11:00:00Z", by="seller", reason="out_of_stock")
    story.say("ReportShippedAfterCancel", "2026-03-02T12:00:00Z", lines=[1], carrier="UPS", tracking_number="1Z9")
    assert story.say("Deliver", "2026-03-03T12:00:00Z") == "refused:nothing-shipped"
    assert story.refusal.because.startswith("What has left was cancelled before")


def test_one_open_request_with_offers_waits_for_the_buyer_to_choose() -> None:
    story = Story("offers", documents=(OFFERS,)).placed()
    asks: dict[str, Any] = {"request_id": "r1", "reason": "other"}
    assert story.say("RequestCancel", "2026-03-02T11:00:00Z", **asks) == "accepted"
    again = {**asks, "request_id": "r2"}
    assert story.say("RequestCancel", "2026-03-02T11:10:00Z", **again) == "refused:one-open-request"
    assert story.refusal.because == "Request r1 is open already and the buyer has to choose among the offers."
    assert instead(story) == ["choose", "contact"]
    story.say("DeclineAlternatives", "2026-03-02T11:20:00Z", request_id="r1")
    assert story.say("RequestCancel", "2026-03-02T11:30:00Z", **again) == "refused:one-open-request"
    assert story.refusal.because == "Request r1 is open already and waits for an answer."
