"""Parcels that do not reach the buyer: lost, damaged in transit, returned to the sender, refused."""

from typing import Any

import pytest

from domain.standing import touched
from tests.spec.domain.story import Story, policy

MONDAY = "2026-03-02T10:00:00Z"
UPS = {"carrier": "UPS", "tracking_number": "T-1"}
TWO = [{"line": n, "sku": f"A-{n}", "quantity": 2, "unit_price": "10.00"} for n in (1, 2)]
LOST = {"shipment_id": "p1", "outcome": "lost"}
BACK = {"shipment_id": "p1", "outcome": "returned_to_sender"}
REPORT = "ask the seller to report the parcel as lost"


def day(number: int, hour: int = 10) -> str:
    return f"2026-03-{number:02}T{hour:02}:00:00Z"


def shipped(preset: str = "big-box", **fields: Any) -> Story:
    """Given one unit at 10.00 with 5.00 of shipping, which left in parcel p1."""
    fields.setdefault("lines", [{"line": 1, "sku": "A-1", "quantity": 1, "unit_price": "10.00"}])
    fields.setdefault("shipping", "5.00")
    documents = fields.pop("documents", ())
    story = Story(preset, documents=documents).placed(MONDAY, **fields)
    assert story.send("Ship", day(2, 11), shipment_id="p1", **UPS) == "accepted"
    return story


def parcels(story: Story) -> dict[str, str]:
    return {each["shipment_id"]: each["status"] for each in story.shown["shipments"]}


def counts(story: Story, number: int = 1) -> tuple[int, int, int]:
    """(shipped, undelivered, returned) of a line."""
    line = story.here.lines[number]
    return line.shipped, line.undelivered, line.returned


# ---- lost and damaged ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("outcome", "status"), [("lost", "lost"), ("damaged_in_transit", "damaged")])
def test_what_was_lost_or_damaged_is_refunded_at_once_with_the_orders_shipping(outcome: str, status: str) -> None:
    story = shipped()
    assert story.send("ReportUndelivered", day(12), shipment_id="p1", outcome=outcome) == "accepted"
    assert story.events(-1) == ["ParcelUndelivered", "RefundDue"]
    assert (story.refunds, counts(story), story.status) == ([1500], (1, 1, 0), "undelivered")
    assert (parcels(story), story.shown["attention"]) == ({"p1": status}, [])
    assert story.shown["lines"][0]["undelivered"] == 1


def test_a_second_report_is_refused() -> None:
    story = shipped()
    story.send("ReportUndelivered", day(12), **LOST)
    assert story.send("ReportUndelivered", day(13), **LOST) == "refused:undelivered-already"
    assert story.refusal.because == "Shipment p1 is reported as lost already."
    assert story.refunds == [1500]


def test_a_line_that_is_not_in_the_parcel_is_refused_as_such_even_if_all_of_it_was_reported() -> None:
    story = Story("big-box").placed(MONDAY, lines=TWO)
    story.send("Ship", day(2, 11), shipment_id="p1", lines=[1])
    story.send("ReportUndelivered", day(9), **LOST)
    assert story.send("ReportUndelivered", day(10), lines=[2], **LOST) == "refused:more-than-open"
    assert story.refusal.because == "None of line 2 is on the way in shipment p1."


def test_a_part_of_a_parcel_can_be_lost_and_the_rest_be_delivered() -> None:
    story = shipped(lines=TWO)
    part = [{"line": 1, "quantity": 1}]
    assert story.send("ReportUndelivered", day(12), **LOST, lines=part) == "accepted"
    assert (story.refunds, parcels(story), story.status) == ([1000], {"p1": "announced"}, "shipped")
    assert story.send("ReportUndelivered", day(12), **LOST, lines=[{"line": 1, "quantity": 2}]) == (
        "refused:more-than-open"
    )
    assert story.send("Deliver", day(13), shipment_id="p1") == "accepted"
    assert [story.here.lines[n].delivered for n in (1, 2)] == [1, 2]
    assert (parcels(story), story.status, story.refunds) == ({"p1": "delivered"}, "delivered", [1000])
    assert story.send("ReportUndelivered", day(14), **LOST) == "refused:delivered-already"


def test_it_is_refused_by_what_is_known_of_the_parcel() -> None:
    story = shipped(lines=TWO)
    assert story.send("ReportUndelivered", day(12), shipment_id="p9", outcome="lost") == "refused:no-such-shipment"
    assert story.send("ReportUndelivered", day(12), by="buyer", **LOST) == "refused:not-yours"
    assert story.send("ReportUndelivered", day(12), **LOST, lines=[7]) == "refused:no-such-line"
    assert story.send("ReportUndelivered", day(12), shipment_id="p1", outcome="eaten") == "bad:/outcome"
    assert story.send("ReportUndelivered", day(12), **LOST, lines=[1]) == "accepted"
    assert story.send("ReportUndelivered", day(12), **LOST, lines=[1]) == "refused:undelivered-already"
    assert story.send("VoidShipment", day(12), shipment_id="p1", note="no") == "refused:tracking-lock"
    story = shipped()
    assert story.send("VoidShipment", day(12), shipment_id="p1", note="a mistake") == "accepted"
    assert story.send("ReportUndelivered", day(12), **LOST) == "refused:no-such-shipment"


def test_the_orders_shipping_goes_back_once_the_rest_is_canceled() -> None:
    story = Story("big-box").placed(MONDAY, lines=TWO, shipping="5.00")
    story.send("Ship", day(2, 11), shipment_id="p1", lines=[1])
    story.send("ReportUndelivered", day(12), **LOST)
    assert (story.refunds, story.status) == ([2000], "partly_shipped")
    assert story.send("CancelLines", day(13), reason="out_of_stock") == "accepted"
    assert (story.refunds, story.status) == ([2000, 2500], "undelivered")


def test_the_orders_shipping_stays_where_something_was_delivered() -> None:
    story = Story("big-box").placed(MONDAY, lines=TWO, shipping="5.00")
    story.send("Ship", day(2, 11), shipment_id="p1", lines=[1])
    story.send("Ship", day(2, 12), shipment_id="p2", lines=[2])
    story.send("Deliver", day(5), shipment_id="p2")
    story.send("ReportUndelivered", day(12), **LOST)
    assert (story.refunds, story.status) == ([2000], "delivered")


def test_a_parcel_that_counts_as_lost_without_a_report_keeps_the_orders_shipping() -> None:
    stalled = policy(
        'id = "shop"\nversion = 1\nrules = ["stalled-tracking", "shipped-lock"]\n[stalled-tracking]\nafter = "7 days"'
    )
    story = shipped("shop", documents=(stalled,))
    assert story.send("RequestCancel", day(12), request_id="r1", reason="other") == "accepted"
    assert story.refunds == [1000]
    assert story.send("ReportUndelivered", day(13), **LOST) == "refused:one-open-request"
    assert "return return-1" in story.refusal.because
    assert story.send("CloseReturn", day(13), about="r1", outcome="refund") == "accepted"
    assert (story.refunds, story.shown["attention"]) == ([1000], [])


def test_an_open_request_over_lost_units_alone_closes_as_granted() -> None:
    story = shipped("peer-to-peer", lines=TWO)
    story.send("RequestCancel", day(3), request_id="r1", reason="other", lines=[1])
    story.send("RequestCancel", day(3), request_id="r2", reason="other", lines=[{"line": 2, "quantity": 1}])
    assert story.send("ReportUndelivered", day(4), **LOST, lines=[1, {"line": 2, "quantity": 1}]) == "accepted"
    assert (story.request("r1"), story.request("r2")) == ("approved", "open"), "one unit of line 2 is still to come"
    assert story.events(-1) == ["ParcelUndelivered", "CancelApproved", "RefundDue"]
    assert story.refunds == [3000]


def test_units_in_a_return_are_left_out_of_a_report() -> None:
    story = shipped("peer-to-peer", lines=TWO)
    story.send("RequestCancel", day(3), request_id="r1", reason="other", lines=[1])
    assert story.send("ApproveCancel", day(4), request_id="r1") == "accepted"
    assert story.send("ReportUndelivered", day(5), **LOST) == "accepted"
    assert (counts(story, 1), counts(story, 2), story.refunds) == ((2, 0, 0), (2, 2, 0), [2000])


# ---- what comes back -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("outcome", "amount"), [("returned_to_sender", 1500), ("refused", 1000)])
def test_what_goes_back_to_the_sender_is_a_return_under_way_and_refunded_on_receipt(outcome: str, amount: int) -> None:
    story = shipped()
    assert story.send("ReportUndelivered", day(11), shipment_id="p1", outcome=outcome) == "accepted"
    assert story.events(-1) == ["ParcelUndelivered", "ReturnOpened", "ReturnAccepted"]
    shown = story.shown["returns"][0]
    assert (shown["status"], shown["about"], shown["ship_by"], story.refunds) == ("started", "p1", None, [])
    assert (parcels(story), story.status, counts(story)) == ({"p1": "returning"}, "shipped", (1, 0, 0))
    assert story.shown["attention"] == ["return_open"]
    assert story.send("ReturnReceived", day(14), about="return-1", condition="sellable") == "accepted"
    assert (story.refunds, counts(story), story.shown["attention"]) == ([amount], (1, 0, 1), [])


def test_a_refund_at_once_leaves_the_orders_shipping_to_the_receipt() -> None:
    story = shipped()
    assert story.send("ReportUndelivered", day(11), **BACK, refund_now=True) == "accepted"
    assert story.refunds == [1000]
    assert story.send("ReturnReceived", day(14), about="p1") == "accepted"
    assert story.refunds == [1000, 500]


def test_a_report_of_a_return_that_was_a_mistake_is_taken_back_by_support() -> None:
    story = shipped()
    story.send("ReportUndelivered", day(11), **BACK)
    assert story.send("WithdrawReturn", day(12), by="buyer", about="return-1") == "refused:step-out-of-order"
    support = {"by": "support", "rule": "full-refund", "about": "return-1"}
    assert story.send("CloseReturn", day(12), outcome="no_refund", **support) == "accepted"
    assert (parcels(story), story.refunds) == ({"p1": "announced"}, [])
    assert story.send("Deliver", day(13)) == "accepted"
    assert (story.status, parcels(story)) == ("delivered", {"p1": "delivered"})


def test_a_scan_of_a_parcel_that_goes_back_changes_nothing() -> None:
    story = shipped(lines=TWO)
    story.send("ReportUndelivered", day(11), **BACK)
    assert story.send("TrackingMoved", day(12), **UPS) == "accepted"
    assert (parcels(story), story.here.parcels) == ({"p1": "returning"}, [])
    assert story.send("Deliver", day(13), shipment_id="p1") == "refused:undelivered-already"


# ---- the buyer's way -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", ["big-box", "general-store", "auction-house"])
def test_a_buyer_without_the_parcel_is_told_to_ask_the_seller(preset: str) -> None:
    story = shipped(preset)
    story.send("TrackingMoved", day(2, 12), **UPS)
    for ask in (
        {"name": "RequestReturn", "reason": "missing_item", "lines": [1]},
        {"name": "RequestCancel", "request_id": "r1", "reason": "arrives_too_late"},
    ):
        assert story.send(at=day(30), **ask).startswith("refused:")
        assert [x.option for x in story.refusal.instead if REPORT in x.text] == ["ask_seller"]
        assert "cancelled, not" not in story.refusal.because


def test_nobody_is_told_so_where_no_parcel_is_on_its_way() -> None:
    story = Story("big-box").placed(MONDAY)
    assert story.send("RequestReturn", day(3), reason="missing_item", lines=[1]) == "refused:cancel-is-not-case"
    assert all(REPORT not in x.text for x in story.refusal.instead)
    story = shipped()
    story.send("ReportUndelivered", day(12), **LOST)
    for ask in (
        {"name": "RequestReturn", "reason": "missing_item", "lines": [1]},
        {"name": "RequestCancel", "request_id": "r1", "reason": "other"},
        {"name": "RequestCancel", "request_id": "r2", "reason": "other", "lines": [1]},
    ):
        assert story.send(at=day(30), **ask) == "refused:undelivered-already"
        assert all(REPORT not in x.text for x in story.refusal.instead)


# ---- what arrives after all ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", [{"shipment_id": "p1"}, {}])
def test_a_lost_parcel_that_is_delivered_counts_as_canceled_but_shipped(named: dict[str, str]) -> None:
    story = shipped()
    story.send("ReportUndelivered", day(12), **LOST)
    assert story.send("Deliver", day(20), **named) == "accepted"
    assert (story.events(-1), story.shown["attention"]) == (["ShippedAfterCancelFound"], ["shipped_after_cancel"])
    assert story.send("Deliver", day(20), shipment_id="p1") == "accepted"
    assert story.events(-1) == [], "it is found once"
    assert story.send("NotifyCustomer", day(21), text="It arrived with UPS, number T-1.") == "accepted"
    assert story.send("Acknowledge", day(22), accepts_item=True, accepts_rebilling=True) == "accepted"
    assert story.send("Rebill", day(23)) == "accepted"
    assert story.here.rebills["rebill-1"].amount == 1000, "what was refunded for the unit"
    assert story.send("ConfirmRebill", day(24), rebill_id="rebill-1") == "accepted"
    assert story.send("IssueCreditMemo", day(25), memo_id="m1", rebill_id="rebill-1") == "accepted"
    assert (story.shown["attention"], story.here.lines[1].rebilled, counts(story)) == ([], 1, (1, 1, 0))
    assert story.send("RequestReturn", day(26), reason="changed_mind", lines=[1]) == "accepted"
    assert story.send("ReturnReceived", day(27), about="return-1") == "accepted"
    assert story.refunds == [1500, 1000]


def test_what_was_damaged_and_is_delivered_is_refused() -> None:
    story = shipped()
    story.send("ReportUndelivered", day(12), shipment_id="p1", outcome="damaged_in_transit")
    assert story.send("Deliver", day(20)) == "refused:undelivered-already"


def test_a_delivery_of_everything_is_of_the_parcels_that_were_not_reported() -> None:
    story = Story("big-box").placed(MONDAY, lines=TWO)
    story.send("Ship", day(2, 11), shipment_id="p1", lines=[1])
    story.send("Ship", day(2, 12), shipment_id="p2", lines=[2])
    story.send("ReportUndelivered", day(12), **LOST)
    assert story.send("Deliver", day(13)) == "accepted"
    assert (parcels(story), story.status) == ({"p1": "lost", "p2": "delivered"}, "delivered")
    assert story.send("Deliver", day(14)) == "accepted"
    assert (story.events(-1), story.shown["attention"]) == ([], [])


# ---- standing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "outcome", "sides"),
    [
        ("", "lost", []),
        ("[standing]\nlost = true", "lost", ["seller"]),
        ("[standing]\nlost = true", "damaged_in_transit", ["seller"]),
        ("[standing]\nlost = true", "refused", []),
        ("[standing]\nlost = false", "lost", []),
    ],
)
def test_lost_units_count_against_the_seller_only_where_the_policy_says_so(
    terms: str, outcome: str, sides: list[str]
) -> None:
    document = policy(f'id = "shop"\nversion = 1\nrules = ["shipped-lock", "seller-has-final-say"]\n{terms}')
    story = shipped("shop", documents=(document,), lines=TWO)
    one = [{"line": 1, "quantity": 1}]
    assert story.send("ReportUndelivered", day(12), shipment_id="p1", outcome=outcome, lines=one) == "accepted"
    assert touched(story.here, [event for event, _ in story.commits[-1][0]]) == sides
    assert story.send("ReportUndelivered", day(13), shipment_id="p1", outcome=outcome, lines=one) == "accepted"
    assert touched(story.here, [event for event, _ in story.commits[-1][0]]) == [], "a line counts once"


# ---- the shipping of lines -------------------------------------------------------------------------------------------

WITH_SHIPPING = [
    {"line": 1, "sku": "A-1", "quantity": 2, "unit_price": "10.00", "shipping": "3.01", "shipping_tax": "0.30"},
    {"line": 2, "sku": "A-2", "quantity": 1, "unit_price": "20.00", "shipping": "5.00", "shipping_tax": "0.40"},
]
ONE = [{"line": 1, "quantity": 1}]


@pytest.mark.parametrize(
    ("outcome", "at_once", "refunds"),
    [
        ("lost", False, [1166, 1165 + 2540 + 500]),
        ("damaged_in_transit", False, [1166, 1165 + 2540 + 500]),
        ("returned_to_sender", False, [1166, 1165 + 2540 + 500]),
        ("returned_to_sender", True, [1000, 166, 3000, 165 + 540 + 500]),
        ("refused", False, [1000, 3000]),
        ("refused", True, [1000, 3000]),
    ],
)
def test_each_unit_carries_its_share_of_the_lines_shipping_back(
    outcome: str, at_once: bool, refunds: list[int]
) -> None:
    """Of 3.01 and 0.30 of two units, the first carries 1.51 + 0.15; the order's 5.00 follow with the last."""
    story = shipped(lines=WITH_SHIPPING)
    for number, units in enumerate((ONE, None), 1):
        said = {} if units is None else {"lines": units}
        report: dict[str, Any] = {"shipment_id": "p1", "outcome": outcome, "refund_now": at_once, **said}
        assert story.send("ReportUndelivered", day(10 + number), **report) == "accepted"
        if outcome in ("returned_to_sender", "refused"):
            assert story.send("ReturnReceived", day(10 + number, 12), about=f"return-{number}") == "accepted"
    assert story.refunds == refunds


def test_the_causes_of_refunds_name_undelivered_units_and_returns() -> None:
    story = shipped(lines=TWO)
    story.send("ReportUndelivered", day(12), **LOST, lines=[1])
    story.send("ReportUndelivered", day(12), **BACK)
    story.send("ReturnReceived", day(13), about="return-1")
    causes = [[(x.cause, x.amount) for x in refund.causes] for refund in story.here.refunds.values()]
    assert causes == [[("undelivered", 2000)], [("return", 2500)]]
