"""Judges a policy's list of rules. The first that speaks decides."""

from collections.abc import Iterator
from functools import lru_cache

from domain.instants import Instant
from domain.policy_terms import Policy
from domain.rules.registry import RULES, Binds, Kind, Rule, RuleInput
from domain.rules.requests import off_the_list
from domain.verdict import ASK_THE_SELLER, CONTACT, REFUSED, Ruling, granted, refused, wait_until


def judge(q: RuleInput) -> Ruling:
    """Judge the policy's list in its order. The first rule that speaks decides."""
    ruling = _judge_from(q, _judged(_in_force(q.policy), q.own), 0)
    if ruling.outcome != REFUSED and (wrong := off_the_list(q)) is not None:
        return wrong
    return ruling


def _in_force(policy: Policy) -> tuple[str, ...]:
    """Return the ids of the rules in force: those that their table puts in force, then the others in listed order."""
    on = tuple(rule.id for rule in _by_table() if rule.terms is not None and policy.terms_if_on(rule.terms) is not None)
    return on + tuple(rule for rule in policy.rules if rule not in on) if on else policy.rules


@lru_cache
def _by_table() -> tuple[Rule, ...]:
    return tuple(rule for rule in RULES.values() if rule.table_is_enough)


@lru_cache(1024)
def _judged(ids: tuple[str, ...], own: bool) -> tuple[Rule, ...]:
    """Return the rules in force that are judged for a request, or for the seller's own cancellation."""
    rules = [RULES[each] for each in ids]
    return tuple(
        rule for rule in rules if rule.kind is not Kind.AUTOMATIC and not (own and rule.binds is Binds.REQUESTS)
    )


def _judge_from(q: RuleInput, rules: tuple[Rule, ...], start: int) -> Ruling:
    for i in range(start, len(rules)):
        if rules[i].kind is Kind.OFFER:
            if q.requested_at is not None or q.by == "seller":
                continue
            ruling = rules[i].speak(q, _judge_from(q, rules, i + 1))
        else:
            ruling = rules[i].speak(q)
        if ruling is not None:
            return ruling
    if q.own:
        return granted("seller-has-final-say", "The seller cancels it.")
    return _none_allows(q, rules)


def _none_allows(q: RuleInput, rules: tuple[Rule, ...]) -> Ruling:
    """Refuse a request that no rule of the list allows. The last window of the list is named for it."""
    last = next((rule.id for rule in reversed(rules) if rule.kind is Kind.WINDOW), "seller-has-final-say")
    opens = min((at for rule in rules if (at := rule.opens_at(q)) is not None), default=None)
    if any(rule.allows and rule.closes is not None for rule in rules):
        because = "No rule of this order's policy allows it any more."
    elif opens is not None:
        because = "No rule of this order's policy allows it now."
    else:
        because = "The policy of this order does not allow it."
    later = (wait_until(opens),) if opens is not None and opens > q.now else ()
    ask_first = (ASK_THE_SELLER,) if q.policy.lists("seller-has-final-say") else ()
    return refused(last, because, instead=(*later, *ask_first, CONTACT))


def locks(q: RuleInput) -> Ruling | None:
    """Judge only the policy's locks, as of now: for an approval, for silence, or after declined alternatives."""
    for rule_id in q.policy.rules:
        rule = RULES[rule_id]
        if rule.kind is Kind.LOCK and (ruling := rule.speak(q)) is not None:
            return ruling
    return None


def turning_points(q: RuleInput) -> Iterator[Instant]:
    """Yield the instants at which the answer of a rule in force changes with time."""
    for rule_id in _in_force(q.policy):
        yield from RULES[rule_id].turning_points(q)
