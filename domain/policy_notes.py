"""What a policy says without effect: for whoever publishes or explains it. None of this is refused; it is likely meant
otherwise."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from domain.policy import LISTED_RULES, TABLE_IS_ENOUGH, MutualConsent, Policy, SellerHasFinalSay
from domain.rules import NOT_FOR_SELLERS_OWN

ALWAYS_SPEAK: Final = ("seller-has-final-say", "window-of-the-store")
"""A buyer's request that reaches one of these goes no further."""
ALLOWING: Final = frozenset(
    {
        "grace-window",
        "not-shipped-in-time",
        "window-of-the-store",
        "seller-has-final-say",
        "mutual-consent-after-shipment",
        "stalled-tracking",
    }
)
"""The rules that can grant a buyer's request, or ask the seller."""


def notes(policy: Policy) -> list[str]:
    """A sentence for each setting without effect, in the order of the rules."""
    return [*_tables(policy), *_order(policy), *_values(policy)]


def _tables(policy: Policy) -> Iterator[str]:
    said = {type(policy).model_fields[name].alias or name for name in policy.model_fields_set}
    for rule in LISTED_RULES:
        if rule in said and rule not in policy.rules and rule not in TABLE_IS_ENOUGH:
            yield f"{rule} has a table and does not stand in rules: it is not in force"


def _order(policy: Policy) -> Iterator[str]:
    if not ALLOWING.intersection(policy.rules) and policy.stalled_tracking is None:
        yield "no rule of the list allows a buyer's request or asks the seller: every one is refused"
    first = next((i for i, rule in enumerate(policy.rules) if rule in ALWAYS_SPEAK), len(policy.rules))
    for rule in policy.rules[first + 1 :]:
        if rule in NOT_FOR_SELLERS_OWN:
            yield f"{rule} stands behind {policy.rules[first]}, which always speaks: it is never judged"
        elif rule not in TABLE_IS_ENOUGH:
            yield (
                f"{rule} stands behind {policy.rules[first]}, which always speaks: it is judged for the seller's own "
                "cancellations alone"
            )


def _values(policy: Policy) -> Iterator[str]:
    asking: tuple[tuple[str, SellerHasFinalSay | MutualConsent], ...] = (
        ("mutual-consent-after-shipment", policy.mutual_consent_after_shipment),
        ("seller-has-final-say", policy.seller_has_final_say),
    )
    for rule, terms in asking:
        if rule in policy.rules and terms.deadline is None and terms.silence != "stays":
            yield f"{rule}.silence is {terms.silence} and there is no {rule}.deadline: nothing falls due"
    store = policy.window_of_the_store
    if policy.lists("window-of-the-store") and store.length is None and store.stage is None:
        yield "window-of-the-store has neither length nor stage: it never closes"
    if policy.standing is not None and Decimal(policy.standing.limit.rstrip(" %")) > 100:
        yield f"standing.limit is {policy.standing.limit} and no rate is above 100 %: it is always kept"
