"""Money that was given back elsewhere: what it covers, what it settles (docs/reference/money.md)."""

from typing import Any

import pytest

from tests.spec.domain.counter import TENS, Counter

FIFTIES = [{**line, "unit_price": "50.00"} for line in TENS]
FEE = {"fee_id": "f1", "amount": "3.00", "tax": "0.24", "refundable": "with-order"}


def test_what_an_other_refund_covers_is_not_refunded_again() -> None:
    story = Counter()
    story.does("RecordOtherRefund", amount="10.00", covers=[{"line": 1, "amount": "10.00"}])
    story.cancels(1)
    assert (story.refunds, story.money["kept"], story.money["other_refunds"]) == ([], 1000, 1000)
    story.cancels(2)
    assert (story.refunds, story.money["kept"]) == ([1000], 0)


def test_without_covers_it_lowers_only_what_can_still_be_refunded() -> None:
    story = Counter()
    story.does("RecordOtherRefund", amount="10.00")
    story.cancels(1)
    assert (story.refunds, story.money["kept"]) == ([1000], 0)
    story.cancels(2)
    assert story.refunds == [1000]


def test_without_covers_it_is_taken_first_from_fees_that_are_never_refunded() -> None:
    story = Counter(fees=[{"fee_id": "f1", "amount": "3.00"}])
    story.does("RecordOtherRefund", amount="3.00")
    story.cancels()
    assert (story.refunds, story.money["kept"]) == ([2000], 0)


def test_shipping_and_a_fee_are_covered_in_part_and_the_rest_goes_back_with_the_order() -> None:
    story = Counter(shipping="5.00", fees=[FEE])
    covers = [{"shipping": "5.00"}, {"fee_id": "f1", "amount": "2.00"}]
    assert story.does("RecordOtherRefund", amount="7.00", covers=covers) == "accepted"
    story.cancels()
    assert (story.refunds, story.money["kept"]) == ([2124], 0)


def test_a_cover_may_be_more_than_the_thing_is_worth() -> None:
    story = Counter()
    assert story.does("RecordOtherRefund", amount="15.00", covers=[{"line": 1, "amount": "15.00"}]) == "accepted"
    story.cancels(1)
    assert story.refunds == []
    story.cancels(2)
    assert story.refunds == [500], "min(D − U, paid − other refunds)"


def test_what_was_canceled_before_it_was_paid_can_be_covered_too() -> None:
    story = Counter(paid=False)
    story.cancels(1)
    story.does("ConfirmPayment", amount="10.00")
    story.does("RecordOtherRefund", amount="10.00", covers=[{"line": 1, "amount": "10.00"}])
    assert (story.refunds, story.here.value_owed, story.here.owed) == ([], 0, [])
    story.does("ConfirmPayment", amount="10.00")
    assert story.refunds == []


BAD = {
    "more than the amount": [{"line": 1, "amount": "10.01"}],
    "more in all": [{"line": 1, "amount": "6.00"}, {"line": 2, "amount": "4.01"}],
    "an unknown fee": [{"fee_id": "f9", "amount": "1.00"}],
    "a line twice": [{"line": 1, "amount": "1.00"}, {"line": 1, "amount": "1.00"}],
    "shipping twice": [{"shipping": "1.00"}, {"shipping": "2.00"}],
    "nothing": [{"amount": "1.00"}],
    "a line without an amount": [{"line": 1}],
    "two things in one": [{"line": 1, "fee_id": "f1", "amount": "1.00"}],
    "shipping with an amount": [{"shipping": "1.00", "amount": "1.00"}],
    "too many decimals": [{"line": 1, "amount": "1.001"}],
}


@pytest.mark.parametrize("covers", BAD.values(), ids=BAD.keys())
def test_covers_that_cannot_be_are_bad(covers: Any) -> None:
    story = Counter(fees=[FEE])
    assert story.does("RecordOtherRefund", amount="10.00", covers=covers).startswith("bad:/covers")


def test_an_unknown_line_is_refused_and_covers_beside_a_refund_are_bad() -> None:
    story = Counter()
    covers = [{"line": 9, "amount": "1.00"}]
    assert story.does("RecordOtherRefund", amount="1.00", covers=covers) == "refused:no-such-line"
    story.cancels(1)
    covers = [{"line": 1, "amount": "10.00"}]
    said = story.does("RecordOtherRefund", amount="10.00", covers=covers, refund_id="refund-1")
    assert said == "bad:/covers"


# ---- settling a refund elsewhere (K) -----------------------------------------------------------------------------


def test_a_due_refund_that_was_charged_back_is_settled_elsewhere() -> None:
    story = Counter(lines=[{**TENS[0], "unit_price": "100.00"}])
    story.cancels()
    story.does("FailRefund", refund_id="refund-1")
    assert story.shown["attention"] == ["refund_failed"]
    assert story.does("RecordOtherRefund", amount="100.00", refund_id="refund-1", note="charged back") == "accepted"
    assert (story.statuses(), story.shown["attention"]) == (["settled_elsewhere"], [])
    assert story.money == {
        "total": 10000, "paid": 10000, "refund_due": 0, "refunded": 0, "other_refunds": 10000, "kept": 0,
    }  # fmt: skip
    for name in ("ConfirmRefund", "FailRefund"):
        assert story.does(name, refund_id="refund-1") == "refused:refund-closed"
    assert story.does("RecordOtherRefund", amount="100.00", refund_id="refund-1") == "refused:refund-closed"


def test_a_settled_refund_still_counts_as_instructed_and_is_no_other_refund() -> None:
    story = Counter(lines=FIFTIES)
    story.cancels(1)
    story.does("RecordOtherRefund", amount="50.00", refund_id="refund-1")
    story.cancels(2)
    assert story.refunds == [5000, 5000]
    assert (story.money["refund_due"], story.money["other_refunds"], story.money["kept"]) == (5000, 5000, 0)


def test_another_amount_than_the_refund_is_bad() -> None:
    story = Counter()
    story.cancels(1)
    assert story.does("RecordOtherRefund", amount="9.99", refund_id="refund-1") == "bad:/amount"
    assert story.does("RecordOtherRefund", amount="10.00", refund_id="refund-2") == "refused:no-such-refund"
    assert story.does("RecordOtherRefund", by="seller", amount="10.00", refund_id="refund-1") == "refused:not-yours"
    story.does("ConfirmRefund", refund_id="refund-1")
    assert story.does("RecordOtherRefund", amount="10.00", refund_id="refund-1") == "refused:refund-closed"


# ---- J: ids ------------------------------------------------------------------------------------------------------


def test_an_other_refund_told_twice_with_its_id_is_recorded_once() -> None:
    story = Counter()
    for _ in range(2):
        assert story.does("RecordOtherRefund", amount="2.00", other_refund_id="o1") == "accepted"
    assert story.money["other_refunds"] == 200
    assert story.does("RecordOtherRefund", amount="2.01", other_refund_id="o1") == "refused:id-exists"
    covers = [{"line": 1, "amount": "1.00"}]
    assert story.does("RecordOtherRefund", amount="2.00", other_refund_id="o1", covers=covers) == "refused:id-exists"
    assert story.does("RecordOtherRefund", amount="2.00") == "accepted"
    assert story.money["other_refunds"] == 400


def test_it_is_drawn_from_its_payment_or_in_the_order_of_refunds() -> None:
    story = Counter(paid=False)
    story.does("ConfirmPayment", amount="12.00", payment_id="p1", method="card")
    story.does("ConfirmPayment", amount="8.00", payment_id="p2", method="card")
    assert story.does("RecordOtherRefund", amount="9.00", payment_id="p2") == "refused:more-than-paid"
    assert story.does("RecordOtherRefund", amount="9.00", payment_id="p9") == "refused:no-such-payment"
    story.does("RecordOtherRefund", amount="9.00")
    assert [story.here.payments[name].elsewhere for name in ("p1", "p2")] == [100, 800]
    story.cancels()
    assert story.parts() == [("p1", "refund", 1100)]


def test_captured_money_is_drawn_before_authorized_money_of_a_payment() -> None:
    story = Counter(paid=False)
    story.does("ConfirmPayment", amount="20.00", payment_id="p1", state="authorized")
    story.does("CapturePayment", payment_id="p1", amount="5.00")
    story.does("RecordOtherRefund", amount="6.00")
    payment = story.here.payments["p1"]
    assert (payment.free_captured, payment.free_authorized) == (0, 1400)
