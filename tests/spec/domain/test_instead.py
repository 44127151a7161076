"""The alternatives that a refusal offers are accepted, and its sentence is readable."""

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
    assert story.send("Ship", "2026-03-02T11:00:00Z", shipment_id="asn-1", lines=[1]) == "accepted"
    return story


def delivered() -> Story:
    story = shipped()
    assert story.send("Deliver", "2026-03-03T11:00:00Z", shipment_id="asn-1") == "accepted"
    return story


def instead(story: Story) -> list[str]:
    return [each.option for each in story.refusal.instead]


def test_a_case_about_open_units_leads_to_canceling_them() -> None:
    story = Story("shop", documents=(SHOP,)).placed()
    assert story.send("OpenCase", "2026-03-02T12:00:00Z", **CASE) == "refused:cancel-is-not-case"
    assert instead(story) == ["cancel"]
    asked: dict[str, Any] = {"request_id": "r1", "reason": "other"}
    assert story.send("RequestCancel", "2026-03-02T12:00:00Z", **asked) == "accepted"


def test_a_case_about_units_on_their_way_leads_to_one_after_delivery() -> None:
    story = shipped()
    assert story.send("OpenCase", "2026-03-02T12:00:00Z", **CASE) == "refused:cancel-is-not-case"
    assert instead(story) == ["open_case", "ask_seller"]
    assert (
        story.send("RequestCancel", "2026-03-02T12:00:00Z", request_id="r1", reason="other") == "refused:shipped-lock"
    )
    story.send("Deliver", "2026-03-03T11:00:00Z", shipment_id="asn-1")
    assert story.send("OpenCase", "2026-03-03T12:00:00Z", **CASE) == "accepted"


def test_a_return_of_units_not_arrived_leads_to_canceling_open_ones_and_waiting_for_the_rest() -> None:
    back: dict[str, Any] = {"lines": [1], "reason": "does_not_fit"}
    story = Story("shop", documents=(SHOP,)).placed()
    assert story.send("RequestReturn", "2026-03-02T12:00:00Z", **back) == "refused:cancel-is-not-case"
    assert instead(story) == ["cancel"]
    story = shipped()
    assert story.send("RequestReturn", "2026-03-02T12:00:00Z", **back) == "refused:cancel-is-not-case"
    assert instead(story) == ["return", "ask_seller"]
    story.send("Deliver", "2026-03-03T11:00:00Z", shipment_id="asn-1")
    assert story.send("RequestReturn", "2026-03-03T12:00:00Z", **back) == "accepted"


def test_a_case_without_a_fault_leads_to_a_return_where_the_store_accepts_one() -> None:
    story = delivered()
    unfit: dict[str, Any] = {**CASE, "reason": "does_not_fit"}
    assert story.send("OpenCase", "2026-03-03T12:00:00Z", **unfit) == "refused:case-reasons"
    assert instead(story) == ["return", "contact"]
    back: dict[str, Any] = {"lines": [1], "reason": "does_not_fit"}
    assert story.send("RequestReturn", "2026-03-03T12:00:00Z", **back) == "accepted"
    none_back = policy('id = "shop"\nversion = 1\nrules = ["seller-has-final-say"]\n[cases]')
    story = Story("shop", documents=(none_back,)).placed()
    story.send("OpenCase", "2026-03-03T12:00:00Z", **unfit)
    assert instead(story) == ["contact"]


def test_evidence_for_an_unknown_matter_leads_to_the_existing_ones() -> None:
    story = delivered()
    photograph: dict[str, Any] = {
        "evidence_id": "e1",
        "kind": "photo",
        "sha256": "ab" * 32,
        "media_type": "image/png",
        "size": 10,
    }
    outcome = story.send("AttachEvidence", "2026-03-03T12:00:00Z", by="buyer", about="k9", **photograph)
    assert outcome == "refused:nothing-to-dispute"
    assert instead(story) == ["again", "contact"]
    story.send("OpenCase", "2026-03-03T12:00:00Z", **CASE)
    assert story.send("AttachEvidence", "2026-03-03T12:00:00Z", by="buyer", about="k1", **photograph) == "accepted"


def test_amounts_are_shown_in_their_currency() -> None:
    story = Story("shop", documents=(SHOP,)).placed(paid=False)
    story.send("ConfirmPayment", "2026-03-02T11:00:00Z", amount="20.00")
    assert story.send("RecordOtherRefund", "2026-03-02T11:00:00Z", amount="20.01") == "refused:more-than-paid"
    assert story.refusal.because == "Of what was paid, 20.00 USD are not refunded yet; 20.01 USD would be more."
    story = Story("shop", documents=(SHOP,)).placed(
        paid=False, currency="JPY", lines=[{"line": 1, "sku": "A-1", "quantity": 1, "unit_price": "2500"}]
    )
    story.send("ConfirmPayment", "2026-03-02T11:00:00Z", amount="2500")
    assert story.send("RecordOtherRefund", "2026-03-02T11:00:00Z", amount="2501") == "refused:more-than-paid"
    assert story.refusal.because == "Of what was paid, 2500 JPY are not refunded yet; 2501 JPY would be more."


def test_a_later_ship_by_concerns_units_that_can_still_ship() -> None:
    for answer in ("TakeAlternative", "DeclineAlternatives"):
        story = Story("big-box").placed(ship_by="2026-03-05T00:00:00Z")
        assert story.send("ReviseShipBy", "2026-03-04T10:00:00Z", ship_by="2026-03-08T00:00:00Z") == "accepted"
        assert story.send("TakeAlternative", "2026-03-04T11:00:00Z", kind="credit") == "refused:nothing-offered"
        assert story.refusal.because == "What is proposed is to wait, until 2026-03-08T00:00:00Z."
        assert story.send(answer, "2026-03-10T10:00:00Z") == "refused:nothing-offered"
        assert story.status == "canceled"
        assert story.refusal.because == "Nothing of the order is open, so no ship-by is left to agree on."
        assert instead(story) == ["contact"]
    story = Story("big-box").placed(ship_by="2026-03-05T00:00:00Z")
    story.send("ReviseShipBy", "2026-03-04T10:00:00Z", ship_by="2026-03-08T00:00:00Z")
    assert story.send("TakeAlternative", "2026-03-09T00:00:00Z", kind="wait") == "accepted"
    assert story.send("TakeAlternative", "2026-03-09T00:00:01Z", kind="wait") == "refused:nothing-offered"
    assert (story.refusal.because, instead(story)) == ("No later ship-by is proposed.", ["contact"])


def test_without_an_offer_no_repeated_answer_is_suggested() -> None:
    story = Story("offers", documents=(OFFERS,)).placed()
    assert story.send("RequestCancel", "2026-03-02T12:00:00Z", request_id="r1", reason="other") == "accepted"
    offered = {"request_id": "r1", "kind": "wait"}
    assert story.send("TakeAlternative", "2026-03-02T12:00:01Z", **offered) == "refused:nothing-offered"
    assert (story.refusal.because, instead(story)) == ("What was offered for request r1: credit.", ["again"])
    assert story.send("DeclineAlternatives", "2026-03-02T12:00:02Z", request_id="r1") == "accepted"
    for answer in ("TakeAlternative", "DeclineAlternatives"):
        assert story.send(answer, "2026-03-02T12:00:03Z", **offered) == "refused:nothing-offered"
        assert story.refusal.because == "Nothing is offered for request r1: it waits for an answer."
        assert instead(story) == ["wait", "contact"]


def test_without_money_left_no_smaller_amount_is_suggested() -> None:
    story = Story("shop", documents=(SHOP,)).placed()
    assert story.send("RecordOtherRefund", "2026-03-02T11:00:00Z", amount="25.00") == "accepted"
    assert story.send("RecordOtherRefund", "2026-03-02T11:00:00Z", amount="0.01") == "refused:more-than-paid"
    assert story.refusal.because == "Everything that was paid is already refunded; 0.01 USD would be more."
    assert instead(story) == ["check"]


def test_support_and_systems_are_not_advised_to_contact_the_marketplace() -> None:
    story = Story("seller-portal").placed()
    assert story.send("Deliver", "2026-03-02T11:00:00Z") == "refused:nothing-shipped"
    assert [each.text for each in story.refusal.instead] == [
        "Compare it with the order's history; a person has to look into it."
    ]
    note: dict[str, Any] = {"shipment_id": "asn-1", "note": "not packed"}
    story.send("Ship", "2026-03-02T11:00:00Z", shipment_id="asn-1", lines=[1])
    story.send("Deliver", "2026-03-02T12:00:00Z", shipment_id="asn-1")
    assert story.send("VoidShipment", "2026-03-02T13:00:00Z", by="support", **note) == "refused:tracking-lock"
    assert instead(story) == ["check"]
    assert story.send("RequestCancel", "2026-03-02T13:00:00Z", request_id="r1", reason="other").startswith("refused")
    assert "contact" in instead(story), "a buyer contacts it"


def test_a_seller_is_not_advised_to_ask_the_seller() -> None:
    story = Story("mutual-consent").placed()
    disputed: dict[str, Any] = {"dispute_id": "d1", "about": "r1", "text": "x"}
    assert story.send("OpenDispute", "2026-03-02T11:00:00Z", by="seller", **disputed) == "refused:nothing-to-dispute"
    assert instead(story) == ["contact"]
    assert story.send("OpenDispute", "2026-03-02T11:00:00Z", **disputed) == "refused:nothing-to-dispute"
    assert instead(story) == ["ask_seller"]


def test_fill_or_kill_whole_lines_only_advises_a_shipping_notice_for_units_that_can_ship() -> None:
    story = Story("seller-portal").placed(lines=[{"line": 1, "sku": "a", "quantity": 10, "unit_price": "1.00"}])
    part: dict[str, Any] = {"lines": [{"line": 1, "quantity": 7}]}
    own = {**part, "reason": "out_of_stock"}
    assert story.send("CancelLines", "2026-03-02T11:00:00Z", by="seller", **own) == "refused:whole-lines-only"
    assert instead(story) == ["ship", "again"]
    asked = {**part, "request_id": "r1", "reason": "changed_mind"}
    assert story.send("RequestCancel", "2026-03-02T11:00:00Z", **asked) == "refused:whole-lines-only"
    assert instead(story) == ["again", "ask_seller"]
    notice: dict[str, Any] = {"shipment_id": "asn-1", "lines": [{"line": 1, "quantity": 3}]}
    assert story.send("Ship", "2026-03-02T12:00:00Z", by="seller", **notice) == "accepted"
    line = story.here.lines[1]
    assert (line.shipped, line.canceled) == (3, 7), "what was advised does it"


def test_without_fill_or_kill_only_the_whole_line_can_be_cancelled() -> None:
    whole = policy('id = "w"\nversion = 1\nrules = ["whole-lines-only", "seller-has-final-say"]')
    story = Story("w", documents=(whole,)).placed(lines=[{"line": 1, "sku": "a", "quantity": 2, "unit_price": "1.00"}])
    own: dict[str, Any] = {"lines": [{"line": 1, "quantity": 1}], "reason": "out_of_stock"}
    assert story.send("CancelLines", "2026-03-02T11:00:00Z", by="seller", **own) == "refused:whole-lines-only"
    assert instead(story) == ["again"]


def test_reason_required_a_buyer_is_offered_a_buyers_reasons_and_refused_for_no_canonical_one() -> None:
    few = policy(
        'id = "few"\nversion = 1\nrules = ["reason-required", "seller-has-final-say"]\n'
        'reasons = ["changed_mind", "out_of_stock", "other"]'
    )
    story = Story("few", documents=(few,)).placed()
    request: dict[str, Any] = {"request_id": "r1", "reason": "found_cheaper"}
    assert story.send("RequestCancel", "2026-03-02T11:00:00Z", **request) == "refused:reason-required"
    assert story.refusal.because.endswith("takes: changed_mind, other.")
    own = {"reason": "pricing_error"}
    assert story.send("CancelLines", "2026-03-02T11:00:00Z", by="seller", **own) == "refused:reason-required"
    assert story.refusal.because.endswith("takes: changed_mind, out_of_stock, other.")
    request = {"request_id": "r1", "reason": "out_of_stock"}
    assert story.send("RequestCancel", "2026-03-02T11:00:00Z", **request) == "accepted"


def test_a_reason_that_is_none_is_answered_with_a_buyers_reasons_first() -> None:
    actor = {"kind": "buyer", "id": "b-1"}
    asked = {"command": "RequestCancel", "command_id": "c1", "marketplace": "acme", "order_id": "PO-1", "actor": actor}
    with pytest.raises(BadInput) as bad:
        parse_command({**asked, "request_id": "r1", "reason": "no-such"})
    offered, _, others = str(bad.value).partition(" (for a seller also ")
    assert "changed_mind" in offered and "out_of_stock" not in offered
    assert "out_of_stock" in others


def test_a_prohibition_is_explained_by_the_orders_own_policy() -> None:
    story = Story("general-store").placed()
    opened: dict[str, Any] = {"dispute_id": "d1", "about": "r1", "text": "x"}
    assert story.send("OpenDispute", "2026-03-02T11:00:00Z", **opened) == "refused:disputes-off"
    assert story.refusal.because == "The policy of this order has no disputes."


def test_an_order_whose_canceled_parcel_left_is_not_described_as_unshipped() -> None:
    story = Story("seller-portal").placed()
    story.send("CancelLines", "2026-03-02T11:00:00Z", by="seller", reason="out_of_stock")
    story.send("ReportShippedAfterCancel", "2026-03-02T12:00:00Z", lines=[1], carrier="UPS", tracking_number="1Z9")
    assert story.send("Deliver", "2026-03-03T12:00:00Z") == "refused:nothing-shipped"
    assert story.refusal.because.startswith("The units that left were canceled before")


def test_one_open_request_with_offers_waits_for_the_buyer_to_choose() -> None:
    story = Story("offers", documents=(OFFERS,)).placed()
    request: dict[str, Any] = {"request_id": "r1", "reason": "other"}
    assert story.send("RequestCancel", "2026-03-02T11:00:00Z", **request) == "accepted"
    again = {**request, "request_id": "r2"}
    assert story.send("RequestCancel", "2026-03-02T11:10:00Z", **again) == "refused:one-open-request"
    assert story.refusal.because == "Request r1 is open already and the buyer has to choose among the offers."
    assert instead(story) == ["choose", "contact"]
    story.send("DeclineAlternatives", "2026-03-02T11:20:00Z", request_id="r1")
    assert story.send("RequestCancel", "2026-03-02T11:30:00Z", **again) == "refused:one-open-request"
    assert story.refusal.because == "Request r1 is open already and waits for an answer."
