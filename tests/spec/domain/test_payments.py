"""Payments: beyond the total, ids, methods and states, and the parts of refunds (docs/reference/money.md)."""

import pytest

from tests.spec.domain.counter import TENS, Counter
from tests.spec.domain.story import policy

HUNDRED = [{**TENS[0], "unit_price": "100.00"}]


def shop(order: str) -> Counter:
    """Two lines of 50.00, paid by a gift card and two cards, in a shop that refunds payments in this order."""
    rules = 'rules = ["seller-has-final-say"]\n'
    document = policy(f'id = "shop"\nversion = 1\n{rules}[refunds]\norder = "{order}"\n')
    story = Counter("shop", (document,), paid=False, lines=[{**line, "unit_price": "50.00"} for line in TENS])
    story.does("ConfirmPayment", amount="30.00", payment_id="p1", method="card")
    story.does("ConfirmPayment", amount="30.00", payment_id="p2", method="card")
    story.does("ConfirmPayment", amount="40.00", payment_id="p3", method="gift_card")
    return story


# ---- I: more than the total --------------------------------------------------------------------------------------


def test_60_and_60_of_100_give_20_back_at_once_and_100_when_canceled() -> None:
    story = Counter(paid=False, lines=HUNDRED)
    story.does("ConfirmPayment", amount="60.00")
    assert story.does("ConfirmPayment", amount="60.00") == "accepted"
    assert story.events(-1) == ["PaymentReceived", "RefundDue"]
    assert (story.refunds, story.causes()) == ([2000], [("overpaid", 2000)])
    story.cancels()
    assert (story.refunds, story.causes(2)) == ([2000, 10000], [("seller", 10000)])
    assert (story.money["paid"], story.money["kept"]) == (12000, 0)


def test_a_later_payment_makes_due_what_was_canceled_before_with_its_cause() -> None:
    story = Counter(paid=False, lines=[TENS[0], {**TENS[1], "unit_price": "20.00"}])
    story.cancels(1)
    story.does("ConfirmPayment", amount="20.00")
    assert story.refunds == []
    story.does("ConfirmPayment", amount="15.00")
    assert story.refunds == [1500]
    assert sorted(story.causes()) == [("overpaid", 500), ("seller", 1000)]


def test_a_refund_names_each_of_its_causes() -> None:
    story = Counter(paid=False)
    story.does("RequestCancel", request_id="r1", reason="changed_mind", lines=[1])
    story.does("ApproveCancel", request_id="r1")
    story.cancels(2)
    story.does("ConfirmPayment", amount="20.00")
    assert story.causes() == [("request", 1000), ("seller", 1000)]


# ---- J: ids ------------------------------------------------------------------------------------------------------


def test_a_payment_told_twice_with_its_id_is_recorded_once() -> None:
    story = Counter(paid=False, lines=HUNDRED)
    for _ in range(2):
        assert story.does("ConfirmPayment", amount="50.00", payment_id="pp-1") == "accepted"
    assert story.money["paid"] == 5000
    story.cancels()
    assert story.refunds == [5000]


def test_the_same_id_with_other_content_is_refused() -> None:
    story = Counter(paid=False, lines=HUNDRED)
    story.does("ConfirmPayment", amount="50.00", payment_id="pp-1", method="card")
    for other in ({"amount": "60.00"}, {"method": "cash"}, {"state": "authorized"}):
        content = {"amount": "50.00", "payment_id": "pp-1", "method": "card", **other}
        assert story.does("ConfirmPayment", **content) == "refused:id-exists"
    assert story.money["paid"] == 5000


def test_a_payment_has_a_namespace_of_its_own_and_the_id_of_its_command() -> None:
    story = Counter(paid=False)
    story.does("SendMessage", message_id="m1", to="seller", text="Hello?")
    assert story.does("ConfirmPayment", amount="1.00", payment_id="m1") == "accepted"
    story.does("ConfirmPayment", amount="1.00")
    assert list(story.here.payments) == ["m1", f"c{story.count}"]


def test_engine_ids_of_payments_are_bad_and_a_command_id_of_that_form_takes_the_next_one() -> None:
    story = Counter()
    assert list(story.here.payments) == ["payment-1"]
    assert story.payment("payment-1") == (0, 2000, 0)
    assert story.here.payments["payment-1"].method == "other"
    assert story.does("ConfirmPayment", amount="1.00", payment_id="payment-7") == "bad:/payment_id"
    for _ in range(2):
        story.does("ConfirmPayment", amount="20.00", command_id="payment-1")
    assert list(story.here.payments) == ["payment-1", "payment-2", "payment-3"]


# ---- tenders -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "parts"),
    [
        ("last-in-first-out", [("p3", "refund", 4000), ("p2", "refund", 1000)]),
        ("first-in-first-out", [("p1", "refund", 3000), ("p2", "refund", 2000)]),
        ("gift-card-last", [("p2", "refund", 3000), ("p1", "refund", 2000)]),
    ],
)
def test_the_policy_says_which_payment_is_refunded_first(order: str, parts: list[tuple[str, str, int]]) -> None:
    story = shop(order)
    story.cancels(1)
    assert story.parts() == parts
    story.cancels(2)
    assert sum(amount for _, _, amount in story.parts(2)) == 5000


def test_authorized_money_counts_as_paid_and_is_voided_first() -> None:
    story = Counter(paid=False)
    story.does("ConfirmPayment", amount="20.00", payment_id="p1", method="card", state="authorized")
    assert (story.status, story.money["paid"], story.payment("p1")) == ("open", 2000, (2000, 0, 0))
    story.does("CapturePayment", payment_id="p1", amount="15.00")
    assert story.payment("p1") == (500, 1500, 0)
    story.cancels(1)
    assert story.parts() == [("p1", "void", 500), ("p1", "refund", 500)]


def test_what_a_void_waits_for_cannot_be_captured() -> None:
    story = Counter(paid=False)
    story.does("ConfirmPayment", amount="20.00", payment_id="p1", state="authorized")
    story.cancels(1)
    assert story.does("CapturePayment", payment_id="p1", amount="10.01") == "refused:more-than-authorized"
    assert "A refund waits for 10.00 USD to be voided." in story.refusal.because
    assert story.does("CapturePayment", payment_id="p1") == "accepted"
    assert story.payment("p1") == (1000, 1000, 0)
    assert story.does("CapturePayment", payment_id="p1") == "refused:more-than-authorized"
    assert story.does("CapturePayment", payment_id="p9") == "refused:no-such-payment"


def test_a_lapsed_authorization_confirms_voids_first_and_the_rest_leaves_paid() -> None:
    story = Counter(paid=False)
    story.does("ConfirmPayment", amount="20.00", payment_id="p1", state="authorized")
    story.cancels(1)
    assert story.does("ReleasePayment", payment_id="p1") == "accepted"
    assert story.events(-1) == ["PaymentReleased", "RefundConfirmed"]
    assert (story.statuses(), story.payment("p1")) == (["confirmed"], (1000, 0, 1000))
    assert (story.money["paid"], story.money["refunded"], story.money["kept"]) == (1000, 1000, 0)
    assert story.status == "partly_canceled"
    assert story.does("ReleasePayment", payment_id="p1") == "refused:more-than-authorized"
    assert story.does("ReleasePayment", payment_id="p9") == "refused:no-such-payment"


def test_less_than_a_void_confirms_it_in_part() -> None:
    story = Counter(paid=False)
    story.does("ConfirmPayment", amount="20.00", payment_id="p1", state="authorized")
    story.cancels(1)
    assert story.does("ReleasePayment", payment_id="p1", amount="20.01") == "refused:more-than-authorized"
    story.does("ReleasePayment", payment_id="p1", amount="4.00")
    assert (story.statuses(), story.payment("p1"), story.money["paid"]) == (["due"], (2000, 0, 400), 2000)
    assert (story.money["refund_due"], story.money["refunded"]) == (1000, 0)
    story.does("ReleasePayment", payment_id="p1", amount="6.00")
    assert (story.statuses(), story.payment("p1"), story.money["paid"]) == (["confirmed"], (2000, 0, 1000), 2000)


def test_an_order_whose_authorization_lapsed_is_unpaid_again() -> None:
    story = Counter(paid=False)
    story.does("ConfirmPayment", amount="20.00", payment_id="p1", state="authorized")
    story.does("ReleasePayment", payment_id="p1")
    assert (story.status, story.money["paid"]) == ("unpaid", 0)
    story.cancels()
    assert story.refunds == []


def test_each_part_is_confirmed_or_fails_by_itself() -> None:
    story = shop("last-in-first-out")
    story.cancels(1)
    assert story.does("ConfirmRefund", refund_id="refund-1", payment_id="p1") == "refused:no-such-payment"
    assert story.does("ConfirmRefund", refund_id="refund-1", payment_id="p3", provider_ref="re_1") == "accepted"
    assert (story.statuses(), story.payment("p3"), story.payment("p2")) == (["due"], (0, 4000, 4000), (0, 3000, 0))
    assert (story.money["refund_due"], story.money["refunded"]) == (5000, 0), "due as a whole until the last part"
    assert story.does("ConfirmRefund", refund_id="refund-1", payment_id="p3") == "refused:refund-closed"
    story.does("FailRefund", refund_id="refund-1", payment_id="p2")
    assert (story.shown["refunds"][0]["failed"], story.shown["attention"]) == (True, ["refund_failed"])
    story.does("ConfirmRefund", refund_id="refund-1")
    assert (story.statuses(), story.money["refunded"], story.shown["attention"]) == (["confirmed"], 5000, [])
    story.does("FailRefund", refund_id="refund-1", payment_id="p3")
    assert (story.statuses(), story.payment("p3"), story.payment("p2")) == (["due"], (0, 4000, 0), (0, 3000, 1000))


def test_no_part_is_more_than_its_payment_still_holds() -> None:
    story = shop("last-in-first-out")
    story.does("RecordOtherRefund", amount="35.00", payment_id="p3")
    story.cancels(1)
    assert story.parts() == [("p3", "refund", 500), ("p2", "refund", 3000), ("p1", "refund", 1500)]
