"""Amounts: shares of a unit, prices with more decimals, shipping of a line, fees (docs/reference/money.md)."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.money import share_of_units
from tests.spec.domain.counter import TENS, Counter

LINE = {"line": 1, "sku": "sku-1", "quantity": 1, "unit_price": "10.00"}


def placing(**fields: Any) -> str:
    """What comes of placing an order beside another one's: ``bad:POINTER`` or ``refused:order-exists``."""
    return Counter().does(
        "PlaceOrder",
        by="system",
        **{"buyer_id": "b-1", "seller_id": "s-1", "currency": "USD", "policy": "big-box", "lines": [LINE], **fields},
    )


# ---- E: shares of a unit -----------------------------------------------------------------------------------------


def test_a_line_of_ten_in_three_units_gives_3_34_and_twice_3_33() -> None:
    for steps in ([1, 1, 1], [1, 2], [2, 1], [3]):
        story = Counter(lines=[{**LINE, "quantity": 3, "amount": "10.00"}])
        for units in steps:
            story.cancels({"line": 1, "quantity": units})
        shares, taken = [334, 333, 333], 0
        for refund, units in zip(story.refunds, steps, strict=True):
            assert refund == sum(shares[taken : taken + units])
            taken += units


def test_half_of_ten_thousand_units_at_a_cent_less_fifty_gives_25_00() -> None:
    story = Counter(lines=[{**LINE, "quantity": 10_000, "unit_price": "0.01", "discount": "50.00"}])
    story.cancels({"line": 1, "quantity": 5_000})
    assert story.refunds == [2500]


def test_half_of_144_units_with_discount_and_tax_gives_24_19() -> None:
    line = {**LINE, "quantity": 144, "unit_price": "0.35", "discount": "5.04", "tax": "3.02"}
    story = Counter(lines=[line])
    story.cancels({"line": 1, "quantity": 72})
    assert story.refunds == [2419]


def test_each_of_the_four_amounts_is_shared_by_itself() -> None:
    line = {**LINE, "quantity": 3, "amount": "0.01", "tax": "0.01", "shipping": "0.01", "shipping_tax": "0.01"}
    story = Counter(lines=[line])
    story.cancels({"line": 1, "quantity": 1})
    assert story.refunds == [4]
    story.cancels()
    assert story.refunds == [4], "the first unit carries a cent of each"


@given(st.integers(0, 10**6), st.integers(1, 10**4))
def test_shares_of_units_never_fall_and_come_to_the_whole(amount: int, units: int) -> None:
    shares = [share_of_units(amount, units, k) for k in range(0, units + 1, max(1, units // 7))]
    assert all(a <= b for a, b in pairwise(shares))
    assert (share_of_units(amount, units, 0), share_of_units(amount, units, units)) == (0, amount)


# ---- prices with more decimals -----------------------------------------------------------------------------------


def test_the_amount_of_a_line_counts_and_its_unit_price_is_only_information() -> None:
    line = {**LINE, "quantity": 1_000, "unit_price": "0.012345", "amount": "12.35"}
    story = Counter(lines=[line], total="12.35")
    placed = story.here.terms.lines[0]
    assert (placed.amount, placed.price, placed.unit_price, placed.goods) == (1235, "0.012345", 1, 1235)
    story.cancels({"line": 1, "quantity": 333})
    story.cancels()
    assert story.refunds == [412, 823]


def test_a_unit_price_without_an_amount_has_the_decimals_of_the_currency() -> None:
    assert placing(lines=[{**LINE, "unit_price": "0.015"}]) == "bad:/lines/0/unit_price"
    assert placing(lines=[{**LINE, "unit_price": "0.015", "amount": "0.02"}]) == "refused:order-exists"
    assert placing(lines=[{**LINE, "unit_price": "0.0123456", "amount": "0.02"}]) == "bad:/lines/0/unit_price"
    assert placing(lines=[{"line": 1, "sku": "k", "quantity": 1}]) == "bad:/lines/0/unit_price"
    assert placing(lines=[{**LINE, "amount": "1.234"}]) == "bad:/lines/0/amount"
    assert placing(lines=[{**LINE, "amount": "-1.00"}]) == "bad:/lines/0/amount"
    assert placing(lines=[{**LINE, "amount": "1.00", "discount": "1.01"}]) == "bad:/lines/0/discount"


def test_without_a_unit_price_the_event_has_the_amount_by_the_quantity_rounded_down() -> None:
    story = Counter(lines=[{"line": 1, "sku": "k", "quantity": 3, "amount": "10.00"}])
    placed = story.here.terms.lines[0]
    assert (placed.unit_price, placed.price) == (333, None)


def test_a_line_without_a_sku_needs_a_title() -> None:
    without = {"line": 1, "quantity": 1, "unit_price": "10.00"}
    assert placing(lines=[without]) == "bad:/lines/0/sku"
    assert placing(lines=[{**without, "sku": ""}]) == "bad:/lines/0/sku"
    for line in ({**without, "title": "A gift"}, {**without, "title": "A gift", "sku": ""}):
        assert Counter(lines=[line]).shown["lines"][0]["sku"] == ""


def test_a_line_is_part_of_another_that_is_itself_no_part() -> None:
    second = {**TENS[1], "part_of": 1}
    assert Counter(lines=[TENS[0], second]).here.lines[2].part_of == 1
    for part_of in (7, 2):
        assert placing(lines=[TENS[0], {**second, "part_of": part_of}]) == "bad:/lines/1/part_of"
    nested = {"line": 3, "sku": "k", "quantity": 1, "unit_price": "1.00", "part_of": 2}
    assert placing(lines=[TENS[0], second, nested]) == "bad:/lines/2/part_of"


# ---- G: shipping of a line ---------------------------------------------------------------------------------------

SHIPPED_LINES = [
    {**LINE, "tax": "0.80", "shipping": "5.00", "shipping_tax": "0.40"},
    {**TENS[1], "unit_price": "20.00", "tax": "1.60", "shipping": "5.00", "shipping_tax": "0.40"},
]


def test_a_canceled_line_gives_its_shipping_back_16_20() -> None:
    story = Counter(lines=SHIPPED_LINES, total="43.20")
    story.cancels(1)
    assert (story.refunds, story.money["kept"]) == ([1620], 2700)


def test_with_tax_included_the_tax_of_shipping_is_information() -> None:
    story = Counter(lines=SHIPPED_LINES, tax_included=True, total="40.00")
    story.cancels(1)
    assert story.refunds == [1500]


@pytest.mark.parametrize(
    ("reason", "refund"),
    [
        *((fault, 2700) for fault in ("not_as_described", "missing_item", "not_authentic", "wrong_item")),
        *((reason, 2160) for reason in ("does_not_fit", "changed_mind", "other")),
    ],
)
def test_units_that_come_back_get_the_shipping_of_their_line_only_for_a_fault(reason: str, refund: int) -> None:
    story = Counter(lines=SHIPPED_LINES)
    story.does("Ship", shipment_id="s1")
    story.does("Deliver")
    story.does("RequestReturn", reason=reason, lines=[2])
    story.does("ReturnReceived", about="return-1", condition="sellable")
    assert story.refunds == [refund]
    assert story.causes() == [("return", refund)]


def test_units_of_a_line_share_its_shipping_by_the_units_whose_shipping_is_due() -> None:
    line = {**LINE, "quantity": 3, "shipping": "1.00"}
    story = Counter(lines=[line])
    story.does("Ship", shipment_id="s1", lines=[{"line": 1, "quantity": 2}])
    story.does("Deliver")
    story.does("RequestReturn", reason="changed_mind", lines=[{"line": 1, "quantity": 1}])
    story.does("ReturnReceived", about="return-1", condition="sellable")
    story.does("RequestReturn", reason="wrong_item", lines=[{"line": 1, "quantity": 1}])
    story.does("ReturnReceived", about="return-2", condition="sellable")
    assert story.refunds == [1000, 1000 + 34]


# ---- N: fees -----------------------------------------------------------------------------------------------------

FEES = [
    {"fee_id": "f1", "title": "Gift wrap", "amount": "3.00", "tax": "0.24", "refundable": "with-order"},
    {"fee_id": "f2", "title": "Deposit handling", "amount": "1.50"},
]


def test_a_fee_with_the_order_goes_back_with_its_shipping_and_another_stays() -> None:
    story = Counter(shipping="5.00", fees=FEES, total="29.74")
    story.cancels(1)
    assert story.refunds == [1000]
    story.cancels(2)
    assert (story.refunds, story.money["kept"]) == ([1000, 1824], 150)
    purposes = story.here.refunds["refund-2"].purposes
    assert [(x.kind, x.line, x.fee_id, x.amount) for x in purposes] == [
        ("line", 2, None, 1000),
        ("shipping", None, None, 500),
        ("fee", None, "f1", 324),
    ]


def test_a_fee_stays_once_anything_shipped() -> None:
    story = Counter(shipping="5.00", fees=FEES)
    story.does("Ship", shipment_id="s1", lines=[1])
    story.cancels()
    assert story.refunds == [1000]


def test_fees_are_shown_and_never_listed_as_lines() -> None:
    story = Counter(fees=FEES)
    assert story.shown["fees"] == [
        {"fee_id": "f1", "title": "Gift wrap", "amount_minor": 300, "tax_minor": 24, "refundable": "with-order"},
        {"fee_id": "f2", "title": "Deposit handling", "amount_minor": 150, "tax_minor": 0, "refundable": "never"},
    ]
    assert len(story.shown["lines"]) == 2
    story.does("Ship", shipment_id="s1")
    assert story.status == "shipped"


def test_a_fee_is_bad_twice_below_nothing_and_refundable_in_no_known_way() -> None:
    fee = {"fee_id": "f1", "amount": "1.00"}
    assert placing(fees=[fee, fee]) == "bad:/fees"
    assert placing(fees=[{**fee, "amount": "-1.00"}]) == "bad:/fees/0/amount"
    assert placing(fees=[{**fee, "refundable": "sometimes"}]) == "bad:/fees/0/refundable"
    assert placing(fees=[fee], total="10.00") == "bad:/total"
    assert placing(fees=[fee], total="11.00") == "refused:order-exists"
