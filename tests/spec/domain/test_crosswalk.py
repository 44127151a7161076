"""The crosswalk of reasons: every code of the five lists is mapped, both ways, and losses are listed."""

import pytest

from domain.code_schemes import CODE_SCHEMES, CodeScheme, lossless
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
schemes = pytest.mark.parametrize("scheme", CODE_SCHEMES.values(), ids=list(CODE_SCHEMES))


def test_the_five_houses_have_the_codes_of_the_rule_book_and_no_others() -> None:
    assert {id: " ".join(scheme.codes) for id, scheme in CODE_SCHEMES.items()} == LISTS


@schemes
def test_every_code_and_every_canonical_reason_is_mapped_once(scheme: CodeScheme) -> None:
    assert list(scheme.inward) == list(scheme.codes)
    assert sorted(scheme.outward) == sorted(CANCEL_REASONS)
    assert {step.to for step in scheme.inward.values()} <= {*CANCEL_REASONS, None}
    assert {step.to for step in scheme.outward.values()} <= {*scheme.codes, None}


@schemes
def test_a_lossless_code_is_mapped_back_unchanged(scheme: CodeScheme) -> None:
    for code, step in scheme.inward.items():
        if step.loses is None:
            assert step.to is not None
            back = scheme.outward[step.to]
            assert (back.to, back.loses) == (code, None), f"{code} → {step.to} → {back.to}, lost {back.loses}"
    for reason, step in scheme.outward.items():
        if step.loses is None:
            assert lossless(scheme, reason), reason


@schemes
def test_a_lossy_code_lists_what_is_lost(scheme: CodeScheme) -> None:
    for there, back in ((scheme.inward, scheme.outward), (scheme.outward, scheme.inward)):
        for name, step in there.items():
            returned = None if step.to is None else back[step.to].to
            assert returned == name or step.loses, name


@schemes
def test_a_scheme_whose_code_names_the_buyer_gives_no_reason(scheme: CodeScheme) -> None:
    assert scheme.outward["changed_mind"].loses


@schemes
def test_a_code_is_read_without_regard_to_case(scheme: CodeScheme) -> None:
    for code, step in scheme.inward.items():
        assert {scheme.canonical(code), scheme.canonical(code.lower()), scheme.canonical(code.upper())} == {step}


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("SELLER_CANCEL_CUSTOMER_DUPLICATE_ORDER", "duplicate_order"),
        ("SELLER_CANCEL_CUSTOMER_CHANGE_ORDER", "changed_mind"),
        ("seller_cancel_customer_incorrect_address", "wrong_address"),
    ],
)
def test_walmarts_codes_for_a_customers_reason_say_which_it_was(code: str, reason: str) -> None:
    step = CODE_SCHEMES["walmart"].canonical(code)
    assert step is not None
    assert step.to == reason


def test_a_code_that_cancels_nothing_has_no_canonical_reason() -> None:
    assert [code for code, step in CODE_SCHEMES["x12"].inward.items() if step.to is None] == ["IA", "IB", "BP"]
    assert all(step.to for id, scheme in CODE_SCHEMES.items() if id != "x12" for step in scheme.inward.values())
