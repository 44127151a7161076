"""The canonical reasons; the crosswalk to other houses' codes is in ``domain.code_schemes``."""

from typing import Final

CANCEL_REASONS: Final = (
    "ordered_by_mistake",
    "changed_mind",
    "found_cheaper",
    "price_too_high",
    "wrong_address",
    "wrong_shipping_method",
    "wrong_payment_method",
    "arrives_too_late",
    "duplicate_order",
    "out_of_stock",
    "cannot_ship_there",
    "pricing_error",
    "suspected_fraud",
    "unpaid",
    "buyer_asked",
    "shipped_too_late",
    "exchange",
    "other",
)
"""Why a cancellation is asked for or done."""

BUYERS_REASONS: Final = (
    "ordered_by_mistake",
    "changed_mind",
    "found_cheaper",
    "price_too_high",
    "wrong_address",
    "wrong_shipping_method",
    "wrong_payment_method",
    "arrives_too_late",
    "duplicate_order",
    "exchange",
    "other",
)
"""What a buyer is offered as a reason. A buyer who gives another one of CANCEL_REASONS is not refused for it."""

SELLERS_REASONS: Final = frozenset({"out_of_stock", "cannot_ship_there", "pricing_error", "shipped_too_late"})
"""With one of these a cancellation by support counts as the seller's."""

RETURN_REASONS: Final = (
    "not_as_described",
    "missing_item",
    "not_authentic",
    "wrong_item",
    "does_not_fit",
    "changed_mind",
    "other",
)
"""Why a case is opened or a return asked for."""

FAULTS: Final = ("not_as_described", "missing_item", "not_authentic", "wrong_item")
"""The four reasons that open a case (rule ``case-reasons``) and make the platform or seller pay the postage."""
