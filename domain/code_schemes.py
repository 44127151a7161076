"""Mappings between the canonical reasons and the codes of five other schemes, in both directions.

A mapping that loses meaning names what is lost. A code or reason without a counterpart names why. Codes are never
stored: events hold canonical reasons only, and codes are translated on input and output.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from domain.reasons import ONLY_BUYERS_REASONS


@dataclass(frozen=True, slots=True)
class Step:
    """One mapping. ``to`` is None if there is no counterpart.

    ``loses`` is the lost meaning, or why there is no counterpart; None if nothing is lost.
    """

    of: str
    to: str | None
    loses: str | None = None


@dataclass(frozen=True, slots=True)
class CodeScheme:
    """Another party's list of reasons: its codes with their meanings, in its own order, and the mappings both ways."""

    id: str
    name: str
    codes: Mapping[str, str]
    inward: Mapping[str, Step]
    """Code → canonical reason."""
    outward: Mapping[str, Step]
    """Canonical reason → code."""
    inward_folded: Mapping[str, Step]
    """``inward`` by code in lower case, because the parties themselves are not consistent about case."""

    def canonical(self, code: str) -> Step | None:
        """Map a code, in whatever case, to a canonical reason. Returns None if the scheme has no such code."""
        return self.inward_folded.get(code.casefold())

    def code(self, reason: str) -> Step | None:
        """Map a canonical reason to a code. Returns None if there is no such canonical reason."""
        return self.outward.get(reason)


def _scheme(
    id: str, name: str, codes: dict[str, str], inward: tuple[Step, ...], outward: tuple[Step, ...]
) -> CodeScheme:
    return CodeScheme(
        id,
        name,
        MappingProxyType(codes),
        MappingProxyType({step.of: step for step in inward}),
        MappingProxyType({step.of: step for step in outward}),
        MappingProxyType({step.of.casefold(): step for step in inward}),
    )


WHY: Final = "why the buyer asked"
"""The meaning that is lost when a code says only that the buyer asked."""

EBAY: Final = _scheme(
    "ebay",
    "eBay",
    {
        "ADDRESS_ISSUES": "Something is wrong with the shipping address.",
        "BUYER_ASKED_CANCEL": "The buyer asked.",
        "FOUND_CHEAPER_PRICE": "The buyer found it cheaper.",
        "ORDER_MISTAKE": "The buyer ordered by mistake.",
        "ORDER_UNPAID": "It was not paid for.",
        "OTHER": "Another reason.",
        "OUT_OF_STOCK_OR_CANNOT_FULFILL": "It is out of stock, or the seller cannot fulfil it.",
        "PRICE_TOO_HIGH": "The price is too high.",
        "WONT_ARRIVE_IN_TIME": "It will not arrive in time.",
        "WRONG_PAYMENT_METHOD": "The wrong way of paying was chosen.",
        "WRONG_SHIPPING_ADDRESS": "It was ordered to the wrong address.",
        "WRONG_SHIPPING_METHOD": "The wrong way of shipping was chosen.",
    },
    (
        Step("ADDRESS_ISSUES", "cannot_ship_there", "what is wrong with the address"),
        Step("BUYER_ASKED_CANCEL", "buyer_asked"),
        Step("FOUND_CHEAPER_PRICE", "found_cheaper"),
        Step("ORDER_MISTAKE", "ordered_by_mistake"),
        Step("ORDER_UNPAID", "unpaid"),
        Step("OTHER", "other"),
        Step(
            "OUT_OF_STOCK_OR_CANNOT_FULFILL",
            "out_of_stock",
            "that it may be in stock although it cannot be fulfilled",
        ),
        Step("PRICE_TOO_HIGH", "price_too_high"),
        Step("WONT_ARRIVE_IN_TIME", "arrives_too_late"),
        Step("WRONG_PAYMENT_METHOD", "wrong_payment_method"),
        Step("WRONG_SHIPPING_ADDRESS", "wrong_address"),
        Step("WRONG_SHIPPING_METHOD", "wrong_shipping_method"),
    ),
    (
        Step("ordered_by_mistake", "ORDER_MISTAKE"),
        Step("changed_mind", "BUYER_ASKED_CANCEL", WHY),
        Step("found_cheaper", "FOUND_CHEAPER_PRICE"),
        Step("price_too_high", "PRICE_TOO_HIGH"),
        Step("wrong_address", "WRONG_SHIPPING_ADDRESS"),
        Step("wrong_shipping_method", "WRONG_SHIPPING_METHOD"),
        Step("wrong_payment_method", "WRONG_PAYMENT_METHOD"),
        Step("arrives_too_late", "WONT_ARRIVE_IN_TIME"),
        Step("duplicate_order", "ORDER_MISTAKE", "that it was ordered twice"),
        Step("out_of_stock", "OUT_OF_STOCK_OR_CANNOT_FULFILL", "that it is the stock"),
        Step("cannot_ship_there", "ADDRESS_ISSUES", "that nothing ships there"),
        Step("pricing_error", "OTHER", "that the price was wrong"),
        Step("suspected_fraud", "OTHER", "that fraud is suspected"),
        Step("unpaid", "ORDER_UNPAID"),
        Step("buyer_asked", "BUYER_ASKED_CANCEL"),
        Step("shipped_too_late", "WONT_ARRIVE_IN_TIME", "that the seller was late"),
        Step("exchange", "OTHER", "that something else is sent for it"),
        Step("other", "OTHER"),
    ),
)

WALMART: Final = _scheme(
    "walmart",
    "Walmart US",
    {
        "CUSTOMER_REQUESTED_SELLER_TO_CANCEL": "The customer asked the seller to cancel.",
        "SELLER_CANCEL_OUT_OF_STOCK": "It is out of stock.",
        "SELLER_CANCEL_PRICING_ERROR": "The price was wrong.",
        "SELLER_CANCEL_FRAUD_STOP_SHIPMENT": "Fraud is suspected: the shipment is stopped.",
        "SELLER_CANCEL_ADDRESS_NOT_SERVICEABLE": "Nothing ships to the address.",
        "SELLER_CANCEL_CUSTOMER_DUPLICATE_ORDER": "The customer ordered it twice.",
        "SELLER_CANCEL_CUSTOMER_CHANGE_ORDER": "The customer wants to change the order.",
        "SELLER_CANCEL_CUSTOMER_INCORRECT_ADDRESS": "The customer gave a wrong address.",
    },
    (
        Step("CUSTOMER_REQUESTED_SELLER_TO_CANCEL", "buyer_asked"),
        Step("SELLER_CANCEL_OUT_OF_STOCK", "out_of_stock"),
        Step("SELLER_CANCEL_PRICING_ERROR", "pricing_error"),
        Step("SELLER_CANCEL_FRAUD_STOP_SHIPMENT", "suspected_fraud"),
        Step("SELLER_CANCEL_ADDRESS_NOT_SERVICEABLE", "cannot_ship_there"),
        Step("SELLER_CANCEL_CUSTOMER_DUPLICATE_ORDER", "duplicate_order"),
        Step("SELLER_CANCEL_CUSTOMER_CHANGE_ORDER", "changed_mind", "that the customer wants a changed order"),
        Step("SELLER_CANCEL_CUSTOMER_INCORRECT_ADDRESS", "wrong_address"),
    ),
    (
        *(
            Step(reason, "CUSTOMER_REQUESTED_SELLER_TO_CANCEL", WHY)
            for reason in ONLY_BUYERS_REASONS
            if reason not in ("duplicate_order", "wrong_address")
        ),
        Step("duplicate_order", "SELLER_CANCEL_CUSTOMER_DUPLICATE_ORDER"),
        Step("wrong_address", "SELLER_CANCEL_CUSTOMER_INCORRECT_ADDRESS"),
        Step("out_of_stock", "SELLER_CANCEL_OUT_OF_STOCK"),
        Step("cannot_ship_there", "SELLER_CANCEL_ADDRESS_NOT_SERVICEABLE"),
        Step("pricing_error", "SELLER_CANCEL_PRICING_ERROR"),
        Step("suspected_fraud", "SELLER_CANCEL_FRAUD_STOP_SHIPMENT"),
        Step("unpaid", None, "no code says that it was not paid for"),
        Step("buyer_asked", "CUSTOMER_REQUESTED_SELLER_TO_CANCEL"),
        Step("shipped_too_late", None, "no code says that the seller was late"),
        Step("exchange", "CUSTOMER_REQUESTED_SELLER_TO_CANCEL", "that something else is sent for it"),
        Step("other", None, "no code means another reason"),
    ),
)

AMAZON: Final = _scheme(
    "amazon",
    "Amazon",
    {
        "NoInventory": "It is out of stock.",
        "ShippingAddressUndeliverable": "The address cannot be delivered to.",
        "CustomerExchange": "The customer gets something else for it.",
        "BuyerCanceled": "The buyer canceled.",
        "GeneralAdjustment": "An amount is adjusted, for whatever reason.",
        "CarrierCreditDecision": "The carrier decided to give credit.",
        "RiskAssessmentInformationNotValid": "The buyer's statements did not hold in the risk assessment.",
        "CarrierCoverageFailure": "The carrier does not go there.",
        "CustomerReturn": "The customer sent it back.",
        "MerchandiseNotReceived": "It never arrived.",
    },
    (
        Step("NoInventory", "out_of_stock"),
        Step("ShippingAddressUndeliverable", "cannot_ship_there"),
        Step("CustomerExchange", "exchange"),
        Step("BuyerCanceled", "buyer_asked"),
        Step("GeneralAdjustment", "other", "that an amount is adjusted"),
        Step("CarrierCreditDecision", "other", "that the carrier gives credit"),
        Step("RiskAssessmentInformationNotValid", "suspected_fraud", "that the buyer's statements did not hold"),
        Step("CarrierCoverageFailure", "cannot_ship_there", "that another carrier might"),
        Step("CustomerReturn", "other", "that it was delivered and came back: that is a return, not a cancellation"),
        Step("MerchandiseNotReceived", "arrives_too_late", "that it never arrived"),
    ),
    (
        *(Step(reason, "BuyerCanceled", WHY) for reason in ONLY_BUYERS_REASONS),
        Step("out_of_stock", "NoInventory"),
        Step("cannot_ship_there", "ShippingAddressUndeliverable"),
        Step("pricing_error", "GeneralAdjustment", "that the price was wrong"),
        Step("suspected_fraud", "RiskAssessmentInformationNotValid", "that fraud is suspected"),
        Step("unpaid", "GeneralAdjustment", "that it was not paid for"),
        Step("buyer_asked", "BuyerCanceled"),
        Step("shipped_too_late", "GeneralAdjustment", "that the seller was late"),
        Step("exchange", "CustomerExchange"),
        Step("other", "GeneralAdjustment", "that no amount need be adjusted"),
    ),
)

SHOPIFY: Final = _scheme(
    "shopify",
    "Shopify",
    {
        "CUSTOMER": "The customer wanted it canceled.",
        "DECLINED": "The payment was declined.",
        "FRAUD": "Fraud is suspected.",
        "INVENTORY": "It is out of stock.",
        "STAFF": "The staff made a mistake.",
        "OTHER": "Another reason.",
    },
    (
        Step("CUSTOMER", "buyer_asked"),
        Step("DECLINED", "unpaid", "that a payment was tried and declined"),
        Step("FRAUD", "suspected_fraud"),
        Step("INVENTORY", "out_of_stock"),
        Step("STAFF", "other", "that it was a mistake of the staff's"),
        Step("OTHER", "other"),
    ),
    (
        *(Step(reason, "CUSTOMER", WHY) for reason in ONLY_BUYERS_REASONS),
        Step("out_of_stock", "INVENTORY"),
        Step("cannot_ship_there", "OTHER", "that nothing ships there"),
        Step("pricing_error", "STAFF", "that the mistake was the price"),
        Step("suspected_fraud", "FRAUD"),
        Step("unpaid", "DECLINED", "that no payment need have been tried"),
        Step("buyer_asked", "CUSTOMER"),
        Step("shipped_too_late", "OTHER", "that the seller was late"),
        Step("exchange", "OTHER", "that something else is sent for it"),
        Step("other", "OTHER"),
    ),
)

_DELETED: Final = ("ID", "all but that the line is deleted: who wanted it, and why")
_REJECTED: Final = ("IR", "all but that the seller rejects the line")

X12: Final = _scheme(
    "x12",
    "X12 855, ACK01",
    {
        "IA": "The line is accepted.",
        "IB": "The line is back-ordered.",
        "ID": "The line is deleted.",
        "IQ": "The line is accepted with its quantity changed.",
        "IR": "The line is rejected.",
        "BP": "Part of it ships, the balance is back-ordered.",
    },
    (
        Step("IA", None, "it cancels nothing: the line is accepted"),
        Step("IB", None, "it cancels nothing: the line comes later"),
        Step("ID", "other", "that the line was deleted, but no reason is given"),
        Step("IQ", "other", "that the rest of the line is accepted, but no reason is given"),
        Step("IR", "other", "that the seller rejects the line, but no reason is given"),
        Step("BP", None, "it cancels nothing: the balance comes later"),
    ),
    (
        *(Step(reason, *_DELETED) for reason in (*ONLY_BUYERS_REASONS, "buyer_asked", "exchange", "unpaid")),
        *(
            Step(reason, *_REJECTED)
            for reason in ("out_of_stock", "cannot_ship_there", "pricing_error", "suspected_fraud", "shipped_too_late")
        ),
        Step("other", "ID", "that no reason is given"),
    ),
)

CODE_SCHEMES: Final = MappingProxyType({scheme.id: scheme for scheme in (EBAY, WALMART, AMAZON, SHOPIFY, X12)})
"""Scheme id → scheme."""


def lossless(scheme: CodeScheme, reason: str) -> bool:
    """Whether a canonical reason stays the same when it is mapped to a code and back."""
    out = scheme.outward[reason]
    back = None if out.to is None else scheme.inward[out.to]
    return out.loses is None and back is not None and back.loses is None and back.to == reason
