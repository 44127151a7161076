"""The canonical reasons. ``domain.code_schemes`` maps them to codes of other schemes."""

from typing import Final

ONLY_BUYERS_REASONS: Final = (
    "ordered_by_mistake",
    "changed_mind",
    "found_cheaper",
    "price_too_high",
    "wrong_address",
    "wrong_shipping_method",
    "wrong_payment_method",
    "arrives_too_late",
    "duplicate_order",
)
"""Reasons that only a buyer has."""

CANCEL_REASONS: Final = (
    *ONLY_BUYERS_REASONS,
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
"""Reasons of cancellation requests and cancellations."""

BUYERS_REASONS: Final = (*ONLY_BUYERS_REASONS, "exchange", "other")
"""The reasons that are offered to a buyer. Other CANCEL_REASONS are accepted from a buyer too."""

SELLERS_REASONS: Final = frozenset({"out_of_stock", "cannot_ship_there", "pricing_error", "shipped_too_late"})
"""Reasons with which a cancellation by the marketplace counts as the seller's."""

MARKETPLACE_CAUSES: Final = ("support", "system")
"""Causes of cancellations by the marketplace: its support or one of its systems decided."""

RETURN_REASONS: Final = (
    "not_as_described",
    "missing_item",
    "not_authentic",
    "wrong_item",
    "does_not_fit",
    "changed_mind",
    "other",
)
"""Reasons of cases and returns."""

FAULTS: Final = ("not_as_described", "missing_item", "not_authentic", "wrong_item")
"""The four reasons that open a case (rule ``case-reasons``) and make the platform or seller pay the postage."""
