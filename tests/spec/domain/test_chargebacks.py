"""Chargebacks: what waits while one is open, and what happens when it is closed (docs/reference/money.md)."""

from domain.events import ChargebackClosed, ReleasedPart
from tests.spec.domain.counter import TENS, Counter

HUNDRED = [{**TENS[0], "unit_price": "100.00"}]
P1 = {"payment_id": "payment-1"}


def two_payments() -> Counter:
    """Two lines of 50.00, of which p1 paid 70.00 and p2 30.00."""
    story = Counter(paid=False, lines=[{**line, "unit_price": "50.00"} for line in TENS])
    story.does("ConfirmPayment", amount="70.00", payment_id="p1", method="card")
    story.does("ConfirmPayment", amount="30.00", payment_id="p2", method="gift_card")
    return story


def closed(story: Counter) -> ChargebackClosed:
    return next(event for event, _ in story.commits[-1][0] if isinstance(event, ChargebackClosed))


def test_while_a_chargeback_is_open_parts_of_its_payment_wait_and_others_go_out() -> None:
    story = two_payments()
    assert story.does("OpenChargeback", payment_id="p1", amount="70.00", chargeback_id="cb-1") == "accepted"
    assert story.shown["attention"] == ["chargeback_open"]
    story.cancels(1)
    shown = story.shown["refunds"][0]
    assert [(x["payment_id"], x["amount_minor"], x["waiting"]) for x in shown["parts"]] == [
        ("p2", 3000, False),
        ("p1", 2000, True),
    ]
    assert (shown["waiting"], shown["status"], story.money["refund_due"]) == (True, "due", 5000)


def test_one_that_is_won_releases_what_waits_once() -> None:
    story = Counter(lines=HUNDRED)
    story.does("OpenChargeback", **P1, amount="100.00")
    story.cancels()
    assert story.does("CloseChargeback", **P1, outcome="won") == "accepted"
    assert closed(story).released == (ReleasedPart("refund-1", "payment-1", "other", 10000, "refund"),)
    assert (story.refunds, story.money["refund_due"], story.money["kept"]) == ([10000], 10000, 0)
    assert (story.shown["refunds"][0]["waiting"], story.shown["attention"]) == (False, [])
    assert story.does("CloseChargeback", **P1, outcome="won") == "refused:no-such-chargeback"


def test_one_that_is_lost_settles_what_waits() -> None:
    story = Counter(lines=HUNDRED)
    story.does("OpenChargeback", **P1, amount="100.00")
    story.cancels()
    story.does("CloseChargeback", **P1, outcome="lost")
    assert story.events(-1) == ["ChargebackClosed", "OtherRefundSettled"]
    assert closed(story).released == ()
    assert (story.statuses(), story.money["other_refunds"], story.money["kept"]) == (["settled_elsewhere"], 10000, 0)


def test_a_smaller_amount_settles_the_oldest_and_the_last_one_in_part_and_the_rest_goes_out() -> None:
    story = Counter(lines=[{**line, "unit_price": "50.00"} for line in TENS])
    story.does("OpenChargeback", **P1, amount="100.00")
    story.cancels(1)
    story.cancels(2)
    story.does("CloseChargeback", **P1, outcome="lost", amount="70.00")
    assert closed(story).amount == 7000
    assert closed(story).released == (ReleasedPart("refund-2", "payment-1", "other", 3000, "refund"),)
    assert story.statuses() == ["settled_elsewhere", "due"]
    assert (story.money["refund_due"], story.money["other_refunds"], story.money["kept"]) == (3000, 7000, 0)
    story.does("ConfirmRefund", refund_id="refund-2")
    assert story.statuses() == ["settled_elsewhere", "confirmed"]
    assert (story.money["refunded"], story.money["other_refunds"], story.money["kept"]) == (3000, 7000, 0)


def test_what_nothing_waits_for_is_an_unassigned_other_refund_of_the_payment() -> None:
    story = two_payments()
    story.does("OpenChargeback", payment_id="p1", amount="70.00")
    assert story.does("CloseChargeback", payment_id="p1", outcome="lost", chargeback_id="cb-9") == "accepted"
    assert story.events(-1) == ["ChargebackClosed", "OtherRefundRecorded"]
    assert closed(story).chargeback_id == "cb-9"
    assert story.here.payments["p1"].elsewhere == 7000
    story.cancels()
    assert (story.parts(), story.money["kept"]) == ([("p2", "refund", 3000)], 0)


def test_what_was_due_before_does_not_wait() -> None:
    story = Counter(lines=HUNDRED)
    story.cancels()
    story.does("OpenChargeback", **P1, amount="100.00")
    assert not story.shown["refunds"][0]["waiting"]
    story.does("ConfirmRefund", refund_id="refund-1")
    story.does("CloseChargeback", **P1, outcome="lost")
    assert story.shown["attention"] == ["paid_twice"]
    assert (story.money["refunded"], story.money["other_refunds"], story.money["kept"]) == (10000, 10000, -10000)


def test_a_waiting_refund_may_be_withdrawn_or_turn_out_to_be_made() -> None:
    story = Counter(lines=[{**line, "unit_price": "50.00"} for line in TENS])
    story.does("OpenChargeback", **P1, amount="50.00")
    story.cancels(1)
    story.cancels(2)
    story.does("WithdrawRefund", by="system", refund_id="refund-1", note="by mistake")
    story.does("ConfirmRefund", refund_id="refund-2")
    assert [refund["waiting"] for refund in story.shown["refunds"]] == [False, False]
    story.does("CloseChargeback", **P1, outcome="lost")
    assert (story.statuses(), story.money["other_refunds"]) == (["withdrawn", "confirmed"], 5000)
    assert (story.money["kept"], story.shown["attention"]) == (0, [])


def test_a_chargeback_is_refused_where_it_cannot_be() -> None:
    story = Counter()
    assert story.does("OpenChargeback", payment_id="p9", amount="1.00") == "refused:no-such-payment"
    assert story.does("OpenChargeback", by="seller", **P1, amount="1.00") == "refused:not-yours"
    assert story.does("CloseChargeback", **P1, outcome="won") == "refused:no-such-chargeback"
    story.does("OpenChargeback", **P1, amount="10.00", chargeback_id="cb-1")
    assert story.does("OpenChargeback", **P1, amount="5.00") == "refused:chargeback-open"
    assert story.does("CloseChargeback", **P1, outcome="drawn") == "bad:/outcome"
    assert story.does("CloseChargeback", **P1, outcome="lost", amount="10.01") == "bad:/amount"
    assert story.does("CloseChargeback", **P1, outcome="won", chargeback_id="cb-2") == "refused:no-such-chargeback"
    assert story.does("CloseChargeback", **P1, outcome="won", chargeback_id="cb-1") == "accepted"
    assert story.does("OpenChargeback", **P1, amount="5.00") == "accepted"
