"""Finds settings of a policy that have no effect. None of them is refused, but each is likely a mistake."""

from collections.abc import Iterator
from decimal import Decimal

from domain.policy_terms import Policy
from domain.rules import RULES, Binds
from domain.rules.consent import SellerHasFinalSay
from domain.rules.parcels import MutualConsent
from domain.rules.windows import WindowOfTheStore


def notes(policy: Policy) -> list[str]:
    """A sentence for each setting without effect, in the order of the rules."""
    return [*_tables(policy), *_order(policy), *_values(policy)]


def _tables(policy: Policy) -> Iterator[str]:
    written = {type(policy).model_fields[name].alias or name for name in policy.model_fields_set}
    for rule in RULES.values():
        if rule.id in written and rule.id not in policy.rules and not rule.table_is_enough:
            yield f"{rule.id} has a table and is not listed in rules: it is not in force"


def _order(policy: Policy) -> Iterator[str]:
    rules = [RULES[rule] for rule in policy.rules]
    by_table = (r.terms for r in RULES.values() if r.table_is_enough and r.allows and r.terms is not None)
    if not any(rule.allows for rule in rules) and all(policy.terms_if_on(terms) is None for terms in by_table):
        yield "no rule of the list allows a buyer's request or asks the seller: every one is refused"
    first = next((i for i, rule in enumerate(rules) if rule.always_speaks), len(rules))
    for rule in rules[first + 1 :]:
        if rule.table_is_enough:
            continue
        behind = f"{rule.id} is listed behind {rules[first].id}, which always speaks"
        if rule.binds is Binds.REQUESTS:
            yield f"{behind}: it is never judged"
        else:
            yield f"{behind}: it is judged for the seller's own cancellations alone"


def _values(policy: Policy) -> Iterator[str]:
    consent_rules: tuple[tuple[str, SellerHasFinalSay | MutualConsent], ...] = (
        ("mutual-consent-after-shipment", policy.terms(MutualConsent)),
        ("seller-has-final-say", policy.terms(SellerHasFinalSay)),
    )
    for rule, terms in consent_rules:
        if rule in policy.rules and terms.deadline is None and terms.silence != "stays":
            yield f"{rule}.silence is {terms.silence} and there is no {rule}.deadline: nothing falls due"
    store = policy.terms(WindowOfTheStore)
    if policy.lists("window-of-the-store") and store.length is None and store.stage is None:
        yield "window-of-the-store has neither length nor stage: it never closes"
    if policy.standing is not None and Decimal(policy.standing.limit.rstrip(" %")) > 100:
        yield f"standing.limit is {policy.standing.limit} and no rate is above 100 %: every seller keeps it"
