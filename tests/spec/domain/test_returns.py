"""Returns: receipts in parts, withdrawing, closing, and the time to send a return."""

from typing import Any

import pytest

from domain import events as e
from tests.spec.domain.story import Story, policy

MONDAY = "2026-03-02T10:00:00Z"
TERMS = """
id = "shop"
version = 1
rules = ["shipped-lock", "seller-has-final-say"]
[cases]
days = 30
[returns]
days = 30
ship-within = "14 days"
"""
SHOP = policy(TERMS)
UNTIMED = policy(TERMS.replace('ship-within = "14 days"\n', ""))
MUTUAL = policy(
    TERMS.replace('["shipped-lock", ', '["mutual-consent-after-shipment", ').replace("[cases]", "[disputes]\n[cases]")
)


def day(number: int, hour: int = 10) -> str:
    return f"2026-03-{number:02}T{hour:02}:00:00Z"


def delivered(document: Any = UNTIMED, **fields: Any) -> Story:
    """Given three units at 89.99 that were delivered on the third of March."""
    fields.setdefault("lines", [{"line": 1, "sku": "A-1", "quantity": 3, "unit_price": "89.99"}])
    story = Story("shop", documents=(document,)).placed(MONDAY, **fields)
    assert story.say("Ship", day(2, 11), shipment_id="asn-1") == "accepted"
    assert story.say("Deliver", day(3)) == "accepted"
    return story


def returning(document: Any = UNTIMED, quantity: int = 3, **fields: Any) -> Story:
    """Given a return of these units, requested on the fourth of March."""
    story = delivered(document, **fields)
    lines = [{"line": 1, "quantity": quantity}]
    assert story.say("RequestReturn", day(4), reason="changed_mind", lines=lines) == "accepted"
    return story


def receive(story: Story, at: str, *parts: tuple[int, int, str | None], **fields: Any) -> str:
    lines = [
        {"line": line, "quantity": quantity, **({"condition": condition} if condition else {})}
        for line, quantity, condition in parts
    ]
    return story.say("ReturnReceived", at, **{"about": "return-1", "lines": lines, **fields})


def back(story: Story, number: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = story.shown["returns"][number]
    return found


def ask_again(story: Story, at: str) -> str:
    return story.say("RequestReturn", at, reason="changed_mind", lines=[1])


# ---- A: receipts -----------------------------------------------------------------------------------------------------


def test_two_of_three_units_that_arrive_are_refunded_and_the_return_stays_open_for_one() -> None:
    story = returning()
    assert receive(story, day(6), (1, 2, "sellable")) == "accepted"
    assert (story.refunds, story.here.lines[1].returned, story.shown["attention"]) == ([17998], 2, ["return_open"])
    assert (back(story)["status"], back(story)["received"]) == ("open", [{"line": 1, "quantity": 2}])
    assert receive(story, day(7), (1, 1, "damaged")) == "accepted"
    assert (story.refunds, story.here.lines[1].returned, story.shown["attention"]) == ([17998, 8999], 3, [])
    assert back(story)["status"] == "received"


def test_a_receipt_without_lines_is_of_all_that_is_left() -> None:
    story = returning()
    receive(story, day(6), (1, 1, "sellable"))
    assert story.say("ReturnReceived", day(7), about="return-1", condition="damaged") == "accepted"
    assert (story.refunds, back(story)["status"]) == ([8999, 17998], "received")
    event = story.commits[-1][0][0][0]
    assert event == e.ReturnReceived("return-1", "damaged", "received", (e.ReceivedLine(1, 2, "damaged"),))


def test_a_line_stands_once_for_each_condition() -> None:
    story = returning()
    assert receive(story, day(6), (1, 1, "sellable"), (1, 2, "damaged")) == "accepted"
    assert (story.refunds, story.here.lines[1].returned) == ([26997], 3)
    assert story.here.returns["return-1"].condition is None
    story = returning()
    assert receive(story, day(6), (1, 1, "sellable"), (1, 1, "sellable")) == "bad:/lines"
    lines: list[Any] = [{"line": 1, "condition": "sellable"}, {"line": 1, "quantity": 1, "condition": "damaged"}]
    assert story.say("ReturnReceived", day(6), about="return-1", lines=lines) == "bad:/lines"
    lines = [{"line": 1, "condition": "sellable"}]
    assert story.say("ReturnReceived", day(6), about="return-1", lines=lines) == "accepted"
    assert story.refunds == [26997]


def test_lines_and_a_condition_of_all_are_bad_together() -> None:
    story = returning()
    assert receive(story, day(6), (1, 1, "sellable"), condition="sellable") == "bad:/condition"
    assert story.say("ReturnReceived", day(6), about="return-1", lines=[]) == "bad:/lines"


def test_more_than_is_left_is_refused_as_a_whole() -> None:
    two = [{"line": n, "sku": f"A-{n}", "quantity": 3, "unit_price": "10.00"} for n in (1, 2)]
    story = returning(lines=two)
    assert receive(story, day(6), (1, 2, None)) == "accepted"
    assert receive(story, day(7), (1, 2, None)) == "refused:more-than-open"
    assert story.refusal.because == "1 of line 1 is left of return return-1, not 2."
    assert receive(story, day(7), (1, 1, "sellable"), (1, 1, "damaged")) == "refused:more-than-open"
    assert receive(story, day(7), (1, 1, None), (2, 1, None)) == "refused:more-than-open"
    assert story.refusal.because == "None of line 2 is in return return-1, not 1."
    assert receive(story, day(7), (3, 1, None)) == "refused:no-such-line"
    assert story.refunds == [2000]
    assert receive(story, day(7), (1, 1, None)) == "accepted"
    assert receive(story, day(7), (1, 1, None)) == "refused:step-out-of-order"


def test_a_refund_at_once_is_for_what_has_not_arrived() -> None:
    story = returning()
    receive(story, day(6), (1, 1, None))
    assert story.say("AcceptReturn", day(7), about="return-1", refund_now=True) == "accepted"
    assert story.refunds == [8999, 17998]
    assert receive(story, day(8), (1, 2, None)) == "accepted"
    assert (story.refunds, story.here.lines[1].returned) == ([8999, 17998], 3)


def test_a_receipt_of_a_part_confirms_the_delivery_and_a_later_delivery_is_of_the_rest() -> None:
    story = returning()
    assert story.say("Deliver", day(6), shipment_id="return-1") == "accepted"
    receive(story, day(7), (1, 1, None))
    story.reach_until(2**60)
    assert (story.refunds, back(story)["status"]) == ([8999], "started")
    assert story.say("Deliver", day(8), shipment_id="return-1") == "accepted"
    story.reach_until(2**60)
    assert (story.refunds, back(story)["status"]) == ([8999, 17998], "closed")
    assert story.here.lines[1].returned == 1
    assert receive(story, day(20), (1, 1, None)) == "accepted"
    assert (story.here.lines[1].returned, back(story)["status"]) == (2, "closed")
    assert receive(story, day(20), (1, 2, None)) == "refused:more-than-open"
    assert receive(story, day(20), (1, 1, None)) == "accepted"
    assert (story.refunds, back(story)["status"]) == ([8999, 17998], "received")


# ---- B: withdrawing --------------------------------------------------------------------------------------------------


def test_a_withdrawn_return_refunds_nothing_and_its_units_can_be_returned_again() -> None:
    story = returning()
    assert ask_again(story, day(5)) == "refused:one-open-request"
    assert "return return-1" in story.refusal.because
    assert [x.option for x in story.refusal.instead] == ["withdraw_return", "contact"]
    assert story.say("WithdrawReturn", day(5), by="buyer", about="return-1") == "accepted"
    assert (back(story)["status"], story.shown["attention"], story.refunds) == ("withdrawn", [], [])
    assert story.events(-1) == ["ReturnWithdrawn"]
    assert ask_again(story, day(6)) == "accepted"
    assert receive(story, day(7), (1, 3, None), about="return-2") == "accepted"
    assert story.refunds == [26997]
    assert story.say("WithdrawReturn", day(8), by="buyer", about="return-1") == "refused:step-out-of-order"
    assert story.say("ReturnReceived", day(8), about="return-1") == "refused:step-out-of-order"
    assert story.refusal.because == "Return return-1 was withdrawn already."


@pytest.mark.parametrize(
    ("name", "fields", "why"),
    [
        ("StartReturn", {"about": "return-1"}, "Return return-1 is under way"),
        ("Deliver", {"shipment_id": "return-1"}, "Return return-1 is under way"),
        ("ReturnReceived", {"about": "return-1", "lines": [{"line": 1, "quantity": 1}]}, "A part of return return-1"),
        ("AcceptReturn", {"about": "return-1", "refund_now": True}, "Return return-1 is refunded"),
    ],
)
def test_what_was_sent_received_or_refunded_is_not_withdrawn(name: str, fields: dict[str, Any], why: str) -> None:
    story = returning()
    assert story.say(name, day(5), **fields) == "accepted"
    assert story.say("WithdrawReturn", day(6), by="buyer", about="return-1") == "refused:step-out-of-order"
    assert story.refusal.because.startswith(why)
    assert ask_again(story, day(6)) == "refused:one-open-request"
    assert [x.option for x in story.refusal.instead] == ["wait", "contact"]


def test_a_seller_withdraws_nothing() -> None:
    story = returning()
    assert story.say("WithdrawReturn", day(5), by="seller", about="return-1") == "refused:not-yours"
    assert story.say("WithdrawReturn", day(5), by="support", about="return-1") == "accepted"


def test_a_return_after_a_declined_rebilling_is_not_withdrawn_but_closed() -> None:
    story = Story("shop", documents=(SHOP,)).placed(MONDAY)
    parcel = {"carrier": "UPS", "tracking_number": "1Z"}
    story.say("CancelLines", day(2, 11), reason="out_of_stock")
    story.say("ReportShippedAfterCancel", day(3), **parcel, lines=[1])
    story.say("NotifyCustomer", day(4), text="It left with UPS, number 1Z.")
    assert story.say("Acknowledge", day(5), accepts_item=False, accepts_rebilling=False) == "accepted"
    assert back(story)["ship_by"] is None, "its money went back before"
    assert story.say("WithdrawReturn", day(6), by="buyer", about="return-1") == "refused:step-out-of-order"
    assert story.say("CloseReturn", day(7), about="return-1", outcome="refund") == "accepted"
    assert (story.refunds, story.shown["attention"]) == ([2500], [])


# ---- B: closing ------------------------------------------------------------------------------------------------------


def test_a_return_closed_with_refund_pays_what_is_left_and_restocks_it_only_if_it_arrives() -> None:
    story = returning()
    receive(story, day(5), (1, 1, None))
    assert story.say("CloseReturn", day(6), about="return-1", outcome="refund") == "accepted"
    assert (story.refunds, story.here.lines[1].returned, back(story)["status"]) == ([8999, 17998], 1, "closed")
    assert story.say("CloseReturn", day(7), about="return-1", outcome="refund") == "refused:step-out-of-order"
    assert ask_again(story, day(7)) == "refused:more-than-open"
    assert story.say("ReturnReceived", day(8), about="return-1", condition="sellable") == "accepted"
    assert (story.refunds, story.here.lines[1].returned, back(story)["status"]) == ([8999, 17998], 3, "received")


def test_only_support_closes_without_a_refund_and_names_a_rule() -> None:
    story = returning()
    none = {"about": "return-1", "outcome": "no_refund"}
    assert story.say("CloseReturn", day(5), **none) == "refused:step-out-of-order"
    assert story.refusal.because == "Only support closes a return without a refund."
    assert story.say("CloseReturn", day(5), by="buyer", **none) == "refused:not-yours"
    assert story.say("CloseReturn", day(5), by="support", **none) == "bad:/rule"
    assert story.say("CloseReturn", day(5), by="support", rule="store-return", **none) == "accepted"
    assert (story.refunds, back(story)["status"], story.shown["attention"]) == ([], "closed", [])
    assert story.say("ReturnReceived", day(6), about="return-1") == "refused:step-out-of-order"
    assert story.refusal.because == "Return return-1 was closed without a refund already."
    assert ask_again(story, day(6)) == "accepted"


def test_a_refunded_return_is_closed_as_refunded_only() -> None:
    story = returning()
    story.say("AcceptReturn", day(5), about="return-1", refund_now=True)
    support = {"by": "support", "rule": "store-return", "about": "return-1"}
    assert story.say("CloseReturn", day(6), outcome="no_refund", **support) == "refused:step-out-of-order"
    assert [x.option for x in story.refusal.instead] == ["close_return"]
    assert story.say("CloseReturn", day(6), outcome="refund", **support) == "accepted"
    assert (story.refunds, back(story)["status"]) == ([26997], "closed")


# ---- B: the time to send it ------------------------------------------------------------------------------------------


def test_a_return_that_is_not_sent_within_the_time_lapses_and_can_be_requested_again() -> None:
    story = returning(SHOP)
    assert back(story)["ship_by"] == day(18)
    assert [(d["kind"], d["ref"], d["due_at"]) for d in story.shown["deadlines"]] == [
        ("return-ship", "return-1", day(18))
    ]
    assert ask_again(story, day(18)) == "refused:one-open-request", "the last instant is still in time"
    assert story.refusal.instead[0].option == "withdraw_return"
    assert ask_again(story, "2026-03-18T10:00:00.000001Z") == "accepted"
    assert [x["status"] for x in story.shown["returns"]] == ["lapsed", "open"]
    assert story.events(-2) == ["DeadlineReached", "ReturnWithdrawn"]
    assert story.refunds == []


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("StartReturn", {"about": "return-1"}),
        ("Deliver", {"shipment_id": "return-1"}),
        ("ReturnReceived", {"about": "return-1", "lines": [{"line": 1, "quantity": 1}]}),
        ("AcceptReturn", {"about": "return-1", "refund_now": True}),
    ],
)
def test_what_was_sent_received_or_refunded_in_time_does_not_lapse(name: str, fields: dict[str, Any]) -> None:
    story = returning(SHOP)
    assert story.say(name, day(18), **fields) == "accepted"
    assert all(d["kind"] != "return-ship" for d in story.shown["deadlines"])
    story.reach_until(2**60)
    assert back(story)["status"] != "lapsed"


def test_the_return_of_a_case_lapses_too_and_both_sides_are_notified() -> None:
    story = delivered(SHOP)
    assert story.say("OpenCase", day(4), case_id="k1", reason="wrong_item", lines=[1]) == "accepted"
    assert story.say("DecideCase", day(5), case_id="k1", outcome="return", rule="case-reasons") == "accepted"
    assert back(story)["ship_by"] == day(19)
    story.reach_until(2**60)
    assert (back(story)["status"], story.refunds) == ("lapsed", [])
    version = story.here.version
    assert story.here.told >> (2 * version) & 3 == 3
    assert story.here.lines[1].returnable == 3


def test_a_return_with_its_refund_at_once_has_no_time() -> None:
    story = Story("shop", documents=(MUTUAL,)).placed(MONDAY)
    story.say("Ship", day(2, 11), shipment_id="asn-1")
    story.say("RequestCancel", day(3), request_id="r1", reason="other")
    assert story.say("ApproveCancel", day(4), request_id="r1", refund_now=True) == "accepted"
    assert back(story)["ship_by"] is None
    assert story.refunds == [2500]


# ---- G: the shipping of lines ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "amounts"), [("wrong_item", [1540, 1540]), ("changed_mind", [1000, 1000]), ("other", [1000, 1000])]
)
def test_units_that_come_back_carry_their_lines_shipping_for_a_fault_only(reason: str, amounts: list[int]) -> None:
    line = {"line": 1, "sku": "A-1", "quantity": 2, "unit_price": "10.00", "shipping": "10.00", "shipping_tax": "0.80"}
    story = delivered(lines=[line], shipping="7.00")
    assert story.say("RequestReturn", day(4), reason=reason, lines=[1]) == "accepted"
    receive(story, day(5), (1, 1, None))
    assert story.say("CloseReturn", day(6), about="return-1", outcome="refund") == "accepted"
    assert story.refunds == amounts
