"""Worked numbers, by rule id."""

from typing import Any

import pytest

from domain.events import Calendar
from domain.instants import format_instant, parse_instant
from domain.marketplace_settings import MarketSettings
from tests.spec.domain.story import Story, policy
from tests.steps import counting

GRACE_ONLY = policy('id = "grace-only"\nversion = 1\nrules = ["grace-window"]\n')


# ---- grace-window ---------------------------------------------------------------------------------


@pytest.mark.rule("grace-window")
def test_grace_window_is_open_at_its_last_instant() -> None:
    story = Story("peer-to-peer").placed()
    assert story.send("RequestCancel", "2026-03-02T13:00:00Z", request_id="r1") == "accepted"
    assert (story.line(), story.refunds, story.request()) == ((0, 0, 1), [2500], "approved")


@pytest.mark.rule("seller-has-final-say")
def test_grace_window_is_closed_a_microsecond_later_and_the_seller_decides() -> None:
    story = Story("peer-to-peer").placed()
    assert story.send("RequestCancel", "2026-03-02T13:00:00.000001Z", request_id="r1") == "accepted"
    assert (story.line(), story.refunds, story.request()) == ((1, 0, 0), [], "open")
    assert story.here.requests["r1"].rule == "seller-has-final-say"


def test_grace_window_at_the_end_of_a_list_refuses_once_it_is_closed() -> None:
    story = Story("grace-only", documents=(GRACE_ONLY,)).placed()
    outcome = story.send("RequestCancel", "2026-03-02T13:00:00.000001Z", request_id="r1")
    assert (outcome, story.request()) == ("refused:grace-window", "refused")


@pytest.mark.parametrize(
    ("placed", "last", "late"),
    [
        ("2026-03-29T00:30:00Z", "2026-03-29T03:30:00Z", "2026-03-29T03:30:00.000001Z"),
        ("2026-10-25T00:30:00+02:00", "2026-10-25T01:30:00Z", "2026-10-25T01:30:00.000001Z"),
    ],
)
def test_grace_window_counts_elapsed_hours_across_a_clock_change(placed: str, last: str, late: str) -> None:
    for at, then in ((last, "approved"), (late, "open")):
        story = Story("peer-to-peer").placed(placed, timezone="Europe/Berlin")
        story.send("RequestCancel", at, request_id="r1")
        assert story.request() == then


# ---- accepted-offer-final, not-shipped-in-time, tracking-lock -------------------------------------


@pytest.mark.rule("accepted-offer-final")
def test_accepted_offer_is_final_a_minute_after_purchase() -> None:
    story = Story("peer-to-peer").placed(sale_format="offer")
    assert story.send("RequestCancel", "2026-03-02T10:01:00Z", request_id="r1") == "refused:accepted-offer-final"


def test_accepted_offer_still_unshipped_on_the_8th_day_is_granted() -> None:
    story = Story("peer-to-peer").placed(sale_format="offer")
    assert story.send("RequestCancel", "2026-03-09T10:00:00Z", request_id="r1") == "accepted"
    assert story.line() == (0, 0, 1)


@pytest.mark.rule("not-shipped-in-time")
def test_not_shipped_in_time_begins_with_the_8th_day_at_the_purchases_own_clock_time() -> None:
    before = Story("peer-to-peer").placed()
    assert before.send("RequestCancel", "2026-03-09T09:59:59Z", request_id="r1") == "accepted"
    assert before.request() == "open"
    then = Story("peer-to-peer").placed()
    assert then.send("RequestCancel", "2026-03-09T10:00:00Z", request_id="r1") == "accepted"
    assert then.here.requests["r1"].rule == "not-shipped-in-time"


@pytest.mark.rule("tracking-lock")
def test_tracking_a_minute_before_the_8th_day_locks() -> None:
    story = Story("peer-to-peer").placed()
    story.send("StartTracking", "2026-03-09T09:59:00Z", carrier="UPS", tracking_number="1Z")
    assert story.send("RequestCancel", "2026-03-09T10:00:00Z", request_id="r1") == "refused:tracking-lock"


# ---- fill-or-kill, auto-canceled-is-final ---------------------------------------------------------


@pytest.mark.rule("fill-or-kill")
def test_fill_or_kill_ships_3_of_10_and_cancels_7_in_the_same_commit() -> None:
    story = Story().placed(lines=[{"line": 1, "sku": "A", "quantity": 10, "unit_price": "10.00"}])
    assert (
        story.send("Ship", "2026-03-03T10:00:00Z", shipment_id="asn-1", lines=[{"line": 1, "quantity": 3}])
        == "accepted"
    )
    assert (story.line(), story.here.lines[1].auto_canceled, story.refunds) == ((0, 3, 7), 7, [7000])
    assert story.events(-1) == ["LinePartiallyShipped", "AutoCanceled", "RefundDue"]


@pytest.mark.rule("auto-canceled-is-final")
def test_auto_canceled_is_final_for_a_second_notice_and_offers_a_new_order() -> None:
    story = Story().placed(lines=[{"line": 1, "sku": "A", "quantity": 10, "unit_price": "10.00"}])
    story.send("Ship", "2026-03-03T10:00:00Z", shipment_id="asn-1", lines=[{"line": 1, "quantity": 3}])
    outcome = story.send("Ship", "2026-03-04T10:00:00Z", shipment_id="asn-2", lines=[{"line": 1, "quantity": 1}])
    assert outcome == "refused:auto-canceled-is-final"
    assert story.last is not None and story.last.verdict is not None
    assert "new_order" in [instead.option for instead in story.last.verdict.instead]


# ---- money-adds-up, full-refund -------------------------------------------------------------------

FOUR = [{"line": n, "sku": "A", "quantity": 1, "unit_price": "10.00", "tax": "0.90"} for n in (1, 2, 3, 4)]


@pytest.mark.rule("full-refund")
@pytest.mark.parametrize("order", [[1, 2, 3, 4], [4, 3, 2, 1], [2, 4, 1, 3]])
def test_any_split_of_the_lines_sums_to_everything_paid(order: list[int]) -> None:
    story = Story().placed(lines=FOUR, discount="3.99", shipping="10.00", shipping_tax="1.50")
    for hour, line in enumerate(order):
        story.send("CancelLines", f"2026-03-02T{11 + hour}:00:00Z", lines=[line], reason="out_of_stock")
    assert sum(story.refunds) == story.here.paid == 4000 + 360 - 399 + 1150


def test_a_line_of_three_for_ten_is_3_34_and_3_33_and_3_33() -> None:
    line = {"line": 1, "sku": "A", "quantity": 3, "unit_price": "4.00", "discount": "2.00"}
    story = Story("big-box").placed(lines=[line])
    for hour in (11, 12, 13):
        story.send(
            "CancelLines", f"2026-03-02T{hour}:00:00Z", lines=[{"line": 1, "quantity": 1}], reason="out_of_stock"
        )
    assert story.refunds == [334, 333, 333]


def test_tax_included_of_three_rates_is_40_00_and_6_50() -> None:
    lines = [
        {"line": 1, "sku": "A", "quantity": 1, "unit_price": "11.00", "tax": "1.00"},
        {"line": 2, "sku": "B", "quantity": 1, "unit_price": "24.00", "tax": "4.00"},
    ]
    story = Story().placed(lines=lines, shipping="11.50", shipping_tax="1.50", tax_included=True, total="46.50")
    taxes = sum(line.tax for line in story.here.terms.lines) + story.here.terms.shipping_tax
    assert (story.here.terms.total - taxes, taxes) == (4000, 650)
    story.send("CancelLines", "2026-03-02T11:00:00Z", reason="out_of_stock")
    assert story.refunds == [4650]


def test_rounding_is_refunded_with_the_rest() -> None:
    line = {"line": 1, "sku": "A", "quantity": 1, "unit_price": "113.63", "tax": "11.36"}
    story = Story().placed(lines=[line], rounding="0.01", total="125.00")
    story.send("CancelLines", "2026-03-02T11:00:00Z", reason="out_of_stock")
    assert story.refunds == [12500]


def test_an_amount_refunded_elsewhere_is_not_refunded_again() -> None:
    story = Story().placed(lines=[{"line": 1, "sku": "A", "quantity": 1, "unit_price": "12.72"}])
    story.send("RecordOtherRefund", "2026-03-02T10:30:00Z", amount="5.00")
    story.send("CancelLines", "2026-03-02T11:00:00Z", reason="out_of_stock")
    assert (story.refunds, story.shown["money"]["kept_minor"]) == ([772], 0)


# ---- mutual-consent-after-shipment ----------------------------------------------------------------


@pytest.mark.rule("mutual-consent-after-shipment")
def test_a_willing_seller_after_shipment_gets_the_parcel_back_and_refunds_once_on_receipt() -> None:
    story = Story("mutual-consent").placed()
    story.send("Ship", "2026-03-03T10:00:00Z", shipment_id="asn-1")
    story.send("RequestCancel", "2026-03-04T10:00:00Z", request_id="r1")
    assert story.send("ApproveCancel", "2026-03-05T10:00:00Z", request_id="r1") == "accepted"
    assert (story.line(), story.refunds, [*story.here.returns]) == ((0, 1, 0), [], ["return-1"])
    assert story.send("ReturnReceived", "2026-03-10T10:00:00Z", about="return-1", condition="sellable") == "accepted"
    assert (story.line(), story.here.lines[1].returned, story.refunds) == ((0, 1, 0), 1, [2500])
    assert story.send("ReturnReceived", "2026-03-11T10:00:00Z", about="return-1") == "refused:step-out-of-order"


def test_an_unwilling_seller_after_shipment_changes_nothing() -> None:
    story = Story("mutual-consent").placed()
    story.send("Ship", "2026-03-03T10:00:00Z", shipment_id="asn-1")
    story.send("RequestCancel", "2026-03-04T10:00:00Z", request_id="r1")
    assert story.send("DeclineCancel", "2026-03-05T10:00:00Z", request_id="r1") == "accepted"
    assert (story.line(), story.refunds, story.here.returns, story.request()) == ((0, 1, 0), [], {}, "declined")


# ---- cancelled but shipped ------------------------------------------------------------------------

NOTICE = "It was canceled but shipped with UPS, tracking number 1Z999AA10123456784. You will be billed again."
STEPS: list[tuple[str, dict[str, Any]]] = [
    ("NotifyCustomer", {"text": NOTICE}),
    ("Acknowledge", {"accepts_item": True, "accepts_rebilling": True}),
    ("Rebill", {}),
    ("ConfirmRebill", {"rebill_id": "rebill-1"}),
    ("IssueCreditMemo", {"memo_id": "m1", "rebill_id": "rebill-1"}),
]


@pytest.mark.rule("notify-customer", "acknowledge-both")
@pytest.mark.parametrize(
    ("left_out", "refused"),
    [
        (0, "step-out-of-order"),
        (1, "memo-needs-acknowledgment"),
        (2, "no-such-rebill"),
        (3, "step-out-of-order"),
    ],
)
def test_each_step_of_rebilling_left_out_refuses_the_next(left_out: int, refused: str) -> None:
    story = Story().placed()
    story.send("CancelLines", "2026-03-02T11:00:00Z", reason="out_of_stock")
    found: dict[str, Any] = {"carrier": "UPS", "tracking_number": "1Z999AA10123456784", "lines": [1]}
    story.send("ReportShippedAfterCancel", "2026-03-02T12:00:00Z", **found)
    for hour, (name, fields) in enumerate(STEPS[:left_out]):
        assert story.send(name, f"2026-03-02T{13 + hour}:00:00Z", **fields) == "accepted"
    name, fields = STEPS[left_out + 1]
    assert story.send(name, "2026-03-03T10:00:00Z", **fields) == f"refused:{refused}"


@pytest.mark.rule("rebill")
def test_all_steps_of_rebilling_end_in_a_memo_of_what_was_refunded() -> None:
    story = Story().placed()
    story.send("CancelLines", "2026-03-02T11:00:00Z", reason="out_of_stock")
    found: dict[str, Any] = {"carrier": "UPS", "tracking_number": "1Z999AA10123456784", "lines": [1]}
    story.send("ReportShippedAfterCancel", "2026-03-02T12:00:00Z", **found)
    for hour, (name, fields) in enumerate(STEPS):
        assert story.send(name, f"2026-03-02T{13 + hour}:00:00Z", **fields) == "accepted"
    assert story.here.rebills["rebill-1"].amount == 2500 and story.here.rebills["rebill-1"].memo_id == "m1"
    assert story.shown["money"]["kept_minor"] == 2500


# ---- case-decision-time ---------------------------------------------------------------------------


@pytest.mark.rule("case-decision-time")
@pytest.mark.parametrize(("holidays", "due"), [((), "2026-03-10T15:00:00Z"), (("2026-03-09",), "2026-03-11T15:00:00Z")])
def test_a_case_opened_friday_15_00_is_due_two_business_days_later(holidays: tuple[str, ...], due: str) -> None:
    story = Story("peer-to-peer", market=MarketSettings(holidays=holidays)).placed()
    story.send("Ship", "2026-03-03T10:00:00Z", shipment_id="asn-1")
    story.send("Deliver", "2026-03-05T10:00:00Z")
    story.send("OpenCase", "2026-03-06T15:00:00Z", case_id="k1", reason="wrong_item", lines=[1])
    assert [format_instant(d.due_at) for d in story.here.deadlines.values() if d.kind == "case"] == [due]


@pytest.mark.rule("case-evidence")
def test_photographs_requested_on_monday_and_given_on_tuesday_move_the_due_time_by_that_day() -> None:
    story = Story("peer-to-peer").placed()
    story.send("Ship", "2026-03-03T10:00:00Z", shipment_id="asn-1")
    story.send("Deliver", "2026-03-05T15:00:00Z")
    story.send("OpenCase", "2026-03-06T15:00:00Z", case_id="k1", reason="wrong_item", lines=[1])
    story.send("RequestEvidence", "2026-03-09T10:00:00Z", about="k1", kinds=["photo"], until="2026-03-12T10:00:00Z")
    assert not [d for d in story.shown["deadlines"] if d["kind"] == "case"]
    photo: dict[str, Any] = {
        "evidence_id": "e1",
        "about": "k1",
        "kind": "photo",
        "sha256": "ab" * 32,
        "media_type": "image/png",
        "size": 9,
    }
    story.send("AttachEvidence", "2026-03-10T10:00:00Z", by="buyer", **photo)
    assert [d["due_at"] for d in story.shown["deadlines"] if d["kind"] == "case"] == ["2026-03-11T15:00:00Z"]


def test_a_clock_time_in_a_gap_is_the_first_instant_after_it() -> None:
    from domain.calendar import after, parse_length

    berlin = Calendar("Europe/Berlin", ("sat", "sun"), (), None)
    start = parse_instant("2026-03-28T01:30:00Z")  # 02:30 local; the next day has no 02:30
    assert format_instant(after(start, parse_length("1 day"), berlin)) == "2026-03-29T01:00:00Z"
    start = parse_instant("2026-10-24T00:30:00Z")  # 02:30 local; the next day has two of them
    assert format_instant(after(start, parse_length("1 day"), berlin)) == "2026-10-25T00:30:00Z"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("100000 days", "longer than 3660 days"),
        ("9999999 days", "longer than any length may be"),
        ("9999999 minutes", "longer than any length may be"),
        ("0 days", "is not a length"),
        ("ten days", "is not a length"),
    ],
)
def test_an_invalid_length_is_reported_with_its_error(text: str, message: str) -> None:
    from domain.calendar import parse_length

    with pytest.raises(ValueError, match=message):
        parse_length(text)


def test_a_billion_units_are_rebilled_without_counting_to_a_billion() -> None:
    line = {"line": 1, "sku": "A-1", "quantity": 1_000_000_000, "unit_price": "0.01", "tax": "0.07"}
    story = Story().placed(lines=[line])
    found: dict[str, Any] = {"carrier": "UPS", "tracking_number": "1Z999AA10123456784", "lines": [1]}
    with counting() as counter:

        def follow() -> None:
            story.send("CancelLines", "2026-03-02T11:00:00Z", reason="out_of_stock")
            story.send("ReportShippedAfterCancel", "2026-03-02T12:00:00Z", **found)
            for hour, (name, fields) in enumerate(STEPS):
                assert story.send(name, f"2026-03-02T{13 + hour}:00:00Z", **fields) == "accepted"

        steps = counter.of(follow)
    assert story.here.rebills["rebill-1"].amount == 1_000_000_007
    assert steps.total() < 1_000_000
