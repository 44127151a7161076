"""Rules about the request itself: its lines, its reason, and the alternatives that the store offers first."""

from typing import Annotated, Literal

from pydantic import Field

from domain.calendar import Length
from domain.events import Instead
from domain.policy_terms import Key, LengthField, Table, listed
from domain.reasons import BUYERS_REASONS
from domain.rules.registry import Binds, Kind, Rule, RuleInput, register
from domain.verdict import (
    OFFER_ALTERNATIVES,
    REFUSED,
    SHIP_LESS,
    SHIP_THE_REST,
    WHOLE_LINE,
    Ruling,
    fact,
    refused,
)


@register(
    Rule(
        "whole-lines-only",
        "Lines can be selected for cancellation; part of a line's quantity cannot.",
        Kind.CONDITION,
        {"en": "Items can only be canceled in full.", "de": "Artikel können nur vollständig storniert werden."},
    )
)
def whole_lines_only(q: RuleInput) -> Ruling | None:
    """Lines can be selected; part of a line's open quantity cannot."""
    for target in q.targets:
        if target.open and target.open < target.line.open:
            return refused(
                "whole-lines-only",
                f"Line {target.line.number} can be canceled whole ({target.line.open}), not {target.open} of it.",
                fact("line", target.line.number),
                fact("asked", target.open),
                fact("open", target.line.open),
                instead=_part_of_a_line(q),
            )
    return None


def _part_of_a_line(q: RuleInput) -> tuple[Instead, ...]:
    """Return the options instead of canceling a part of a line.

    Under fill-or-kill, a shipping notice for the other part cancels the rest, so that nothing else is lost.
    """
    if not q.policy.fill_or_kill:
        return (WHOLE_LINE,)
    return (WHOLE_LINE, SHIP_LESS) if q.by == "buyer" else (SHIP_THE_REST, WHOLE_LINE)


@register(
    Rule(
        "reason-required",
        "A cancellation carries a reason from the policy's list.",
        Kind.CONDITION,
        {
            "en": "Choose a reason from this policy's list.",
            "de": "Wählen Sie einen Grund aus der Liste dieser Richtlinie.",
        },
        key="reasons",
    )
)
def reason_required(q: RuleInput) -> Ruling | None:
    """A cancellation needs a reason from the policy's list. Requested units have the reason of the buyer's request."""
    if q.reason is not None:
        return off_the_list(q)
    bare = next((t.line.number for t in q.targets if t.line.number not in q.covered), None)
    if bare is None:
        return None
    return refused("reason-required", f"Line {bare} needs a reason to be canceled.", fact("line", bare))


def off_the_list(q: RuleInput) -> Ruling | None:
    """Refuse a reason that the policy does not list. This holds under every policy."""
    if q.reason is None or q.reason in q.policy.reasons:
        return None
    known = [each for each in q.policy.reasons if q.by != "buyer" or each in BUYERS_REASONS]
    return refused(
        "reason-required",
        f"{q.reason} is not among the reasons that the policy of this order takes: {', '.join(known)}."
        if known
        else f"{q.reason} is not among the reasons that the policy of this order takes.",
        fact("reason", q.reason),
    )


class AlternativesFirst(Table):
    """Parameters of ``alternatives-first``."""

    offers: Annotated[
        tuple[Literal["wait", "address", "exchange", "credit"], ...],
        Field(min_length=1),
        Key(
            "some of `wait`, `address`, `exchange`, `credit`", lambda v: f"The store offers {listed(v, 'or')} instead."
        ),
    ] = ("wait", "address", "exchange", "credit")
    deadline: Annotated[
        LengthField, Key("length", lambda v: f"The buyer has {v} to accept one. No answer declines.")
    ] = Length(24, "hours")


@register(
    Rule(
        "alternatives-first",
        "Before a request is carried out the store may offer alternatives.",
        Kind.OFFER,
        {"en": "The store offers an alternative first.", "de": "Der Händler bietet zuerst eine Alternative an."},
        binds=Binds.REQUESTS,
        terms=AlternativesFirst,
    )
)
def alternatives_first(_: RuleInput, terms: AlternativesFirst, behind: Ruling) -> Ruling | None:
    """The store may offer alternatives to a request that the remaining rules would grant or submit to the seller."""
    if behind.outcome == REFUSED:
        return None
    offers = ", ".join(terms.offers)
    return Ruling(
        OFFER_ALTERNATIVES,
        "alternatives-first",
        f"Before it is canceled the store offers: {offers}.",
        (fact("offers", offers), *behind.inputs),
        (),
        behind,
    )
