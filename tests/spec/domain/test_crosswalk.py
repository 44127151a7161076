"""The crosswalk of reasons: every code of the five lists is mapped, both ways, and what is lost is said."""

import pytest

from domain.code_schemes import HOUSES, CodeScheme, lossless
from domain.reasons import CANCEL_REASONS

LISTS = {
    "ebay": (
        "ADDRESS_ISSUES BUYER_ASKED_CANCEL FOUND_CHEAPER_PRICE ORDER_MISTAKE ORDER_UNPAID OTHER "
        "OUT_OF_STOCK_OR_CANNOT_FULFILL PRICE_TOO_HIGH WONT_ARRIVE_IN_TIME WRONG_PAYMENT_METHOD "
        "WRONG_SHIPPING_ADDRESS WRONG_SHIPPING_METHOD"
    ),
    "walmart": (
        "CUSTOMER_REQUESTED_SELLER_TO_CANCEL SELLER_CANCEL_OUT_OF_STOCK SELLER_CANCEL_PRICING_ERROR "
        "SELLER_CANCEL_FRAUD_STOP_SHIPMENT SELLER_CANCEL_ADDRESS_NOT_SERVICEABLE "
        "SELLER_CANCEL_CUSTOMER_DUPLICATE_ORDER SELLER_CANCEL_CUSTOMER_CHANGE_ORDER "
        "SELLER_CANCEL_CUSTOMER_INCORRECT_ADDRESS"
    ),
    "amazon": (
        "NoInventory ShippingAddressUndeliverable CustomerExchange BuyerCanceled GeneralAdjustment "
        "CarrierCreditDecision RiskAssessmentInformationNotValid CarrierCoverageFailure CustomerReturn "
        "MerchandiseNotReceived"
    ),
    "shopify": "CUSTOMER DECLINED FRAUD INVENTORY STAFF OTHER",
    "x12": "IA IB ID IQ IR BP",
}
"""The published code lists, word for word."""
houses = pytest.mark.parametrize("house", HOUSES.values(), ids=list(HOUSES))


def test_the_five_houses_have_the_codes_of_the_rule_book_and_no_others() -> None:
    assert {id: " ".join(house.codes) for id, house in HOUSES.items()} == LISTS


@houses
def test_every_code_and_every_canonical_reason_is_mapped_once(house: CodeScheme) -> None:
    assert list(house.inward) == list(house.codes)
    assert sorted(house.outward) == sorted(CANCEL_REASONS)
    assert {step.to for step in house.inward.values()} <= {*CANCEL_REASONS, None}
    assert {step.to for step in house.outward.values()} <= {*house.codes, None}


@houses
def test_what_loses_nothing_comes_back_as_what_it_was(house: CodeScheme) -> None:
    for code, step in house.inward.items():
        if step.loses is None:
            assert step.to is not None
            back = house.outward[step.to]
            assert (back.to, back.loses) == (code, None), f"{code} → {step.to} → {back.to}, lost {back.loses}"
    for reason, step in house.outward.items():
        if step.loses is None:
            assert lossless(house, reason), reason


@houses
def test_what_does_not_come_back_as_what_it_was_says_what_is_lost(house: CodeScheme) -> None:
    for there, back in ((house.inward, house.outward), (house.outward, house.inward)):
        for name, step in there.items():
            returned = None if step.to is None else back[step.to].to
            assert returned == name or step.loses, name


@houses
def test_a_house_that_says_the_buyer_asked_does_not_say_why(house: CodeScheme) -> None:
    assert house.outward["changed_mind"].loses


@houses
def test_a_code_is_read_without_regard_to_case(house: CodeScheme) -> None:
    for code, step in house.inward.items():
        assert {house.canonical(code), house.canonical(code.lower()), house.canonical(code.upper())} == {step}


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("SELLER_CANCEL_CUSTOMER_DUPLICATE_ORDER", "duplicate_order"),
        ("SELLER_CANCEL_CUSTOMER_CHANGE_ORDER", "changed_mind"),
        ("seller_cancel_customer_incorrect_address", "wrong_address"),
    ],
)
def test_walmarts_codes_for_a_customers_reason_say_which_it_was(code: str, reason: str) -> None:
    step = HOUSES["walmart"].canonical(code)
    assert step is not None
    assert step.to == reason


def test_a_code_that_cancels_nothing_has_no_canonical_reason() -> None:
    assert [code for code, step in HOUSES["x12"].inward.items() if step.to is None] == ["IA", "IB", "BP"]
    assert all(step.to for id, house in HOUSES.items() if id != "x12" for step in house.inward.values())
