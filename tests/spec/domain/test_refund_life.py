"""A refund's life: failed after it was confirmed, withdrawn (docs/reference/money.md, A refund's life)."""

import pytest

from domain.notification_rules import BUYER, notification_rule
from tests.spec.domain.counter import TENS, Counter

HUNDRED = [{**TENS[0], "unit_price": "100.00"}]


def test_a_refund_that_fails_after_it_was_confirmed_is_due_again_under_its_id() -> None:
    story = Counter(lines=HUNDRED)
    story.cancels()
    story.does("ConfirmRefund", refund_id="refund-1")
    assert story.does("FailRefund", refund_id="refund-1", note="bank sent it back") == "accepted"
    assert (story.money["refund_due"], story.money["refunded"]) == (10000, 0)
    assert (story.refunds, story.statuses(), story.shown["attention"]) == ([10000], ["due"], ["refund_failed"])
    failed = next(event for event, _ in story.commits[-1][0])
    told = notification_rule(failed)
    assert told is not None
    assert (told.template, told.audiences) == ("refund-failed", BUYER)
    story.does("ConfirmRefund", refund_id="refund-1")
    assert (story.money["refunded"], story.shown["attention"]) == (10000, [])
    assert story.does("ConfirmRefund", refund_id="refund-1") == "refused:refund-closed"


def test_a_withdrawn_refund_is_not_owed_and_is_not_instructed_again() -> None:
    story = Counter()
    story.cancels(1)
    story.does("FailRefund", refund_id="refund-1")
    said = story.does("WithdrawRefund", refund_id="refund-1", rule="full-refund", note="by mistake")
    assert said == "accepted"
    assert (story.statuses(), story.shown["attention"]) == (["withdrawn"], [])
    assert (story.money["refund_due"], story.money["kept"]) == (0, 2000)
    withdrawn = notification_rule(story.commits[-1][0][0][0])
    assert withdrawn is not None
    assert withdrawn.audiences == BUYER
    story.does("SendMessage", message_id="m1", to="seller", text="Hello?")
    assert story.refunds == [1000]
    story.cancels(2)
    assert (story.refunds, story.money["kept"]) == ([1000, 1000], 1000)


def test_the_payment_holds_the_money_of_a_withdrawn_refund_again() -> None:
    story = Counter()
    story.cancels(1)
    assert story.does("RecordOtherRefund", amount="10.01") == "refused:more-than-paid"
    story.does("WithdrawRefund", by="system", refund_id="refund-1", note="by mistake")
    assert story.does("RecordOtherRefund", amount="20.01") == "refused:more-than-paid"
    assert story.does("RecordOtherRefund", amount="20.00") == "accepted"
    assert story.money["kept"] == 0


def test_only_support_and_systems_withdraw_a_due_refund_and_support_names_a_rule() -> None:
    story = Counter()
    story.cancels(1)
    rule, note = "full-refund", "by mistake"
    assert story.does("WithdrawRefund", refund_id="refund-1", rule=rule) == "bad:/note"
    assert story.does("WithdrawRefund", refund_id="refund-1", note=note) == "bad:/rule"
    assert story.does("WithdrawRefund", refund_id="refund-1", rule="because", note=note) == "bad:/rule"
    assert story.does("WithdrawRefund", by="seller", refund_id="refund-1", note=note) == "refused:not-yours"
    assert story.does("WithdrawRefund", refund_id="refund-2", rule=rule, note=note) == "refused:no-such-refund"
    story.does("ConfirmRefund", refund_id="refund-1")
    assert story.does("WithdrawRefund", refund_id="refund-1", rule=rule, note=note) == "refused:refund-closed"


@pytest.mark.parametrize("name", ["ConfirmRefund", "FailRefund", "WithdrawRefund", "RecordOtherRefund"])
def test_a_withdrawn_refund_is_final(name: str) -> None:
    story = Counter()
    story.cancels(1)
    story.does("WithdrawRefund", by="system", refund_id="refund-1", note="by mistake")
    fields = {"WithdrawRefund": {"note": "again", "rule": "full-refund"}, "RecordOtherRefund": {"amount": "10.00"}}
    assert story.does(name, refund_id="refund-1", **fields.get(name, {})) == "refused:refund-closed"
    assert story.refusal.because == "refund-1 was withdrawn already."


def test_what_a_withdrawn_refund_was_for_is_not_billed_again() -> None:
    story = Counter()
    story.cancels(1)
    story.cancels(2)
    story.does("WithdrawRefund", by="system", refund_id="refund-1", note="by mistake")
    story.does("ReportShippedAfterCancel", lines=[1, 2], carrier="UPS", tracking_number="1Z9")
    story.does("NotifyCustomer", text="It was canceled but shipped with UPS, tracking number 1Z9.")
    story.does("Acknowledge", accepts_item=True, accepts_rebilling=True)
    story.does("Rebill")
    assert [x.amount for x in story.here.rebills.values()] == [1000]


def test_the_shipping_of_a_line_is_billed_again_with_it_and_goes_back_to_the_rebilling() -> None:
    line = {**TENS[0], "quantity": 3, "shipping": "1.00", "tax": "0.80"}
    story = Counter(lines=[line, TENS[1]])
    story.cancels({"line": 1, "quantity": 2})
    assert story.refunds == [2000 + 54 + 67]
    story.does("ReportShippedAfterCancel", lines=[1], carrier="UPS", tracking_number="1Z9")
    story.does("NotifyCustomer", text="It was canceled but shipped with UPS, tracking number 1Z9.")
    story.does("Acknowledge", accepts_item=True, accepts_rebilling=True)
    story.does("Rebill", lines=[{"line": 1, "quantity": 1}])
    story.does("Rebill")
    assert [x.amount for x in story.here.rebills.values()] == [1000 + 27 + 34, 1000 + 27 + 33]
    for rebill_id in ("rebill-1", "rebill-2"):
        story.does("ConfirmRebill", rebill_id=rebill_id)
    story.does("RequestReturn", reason="changed_mind", lines=[1])
    story.does("ReturnReceived", about="return-1", condition="sellable")
    assert (story.refunds[1], story.causes(2)) == (2121, [("rebill", 2121)])
    assert story.parts(2) == [("rebill-1", "refund", 1061), ("rebill-2", "refund", 1060)]
