"""The rule by which the seller decides."""

from typing import Annotated

from domain.policy_terms import SILENCE_KEY, LengthField, Silence, Table, answer_within
from domain.rules.registry import Binds, Kind, Rule, RuleInput, register
from domain.verdict import Ruling, ask


class SellerHasFinalSay(Table):
    """Parameters of ``seller-has-final-say``."""

    deadline: Annotated[LengthField | None, answer_within("The seller")] = None
    silence: Annotated[Silence, SILENCE_KEY] = "stays"


@register(
    Rule(
        "seller-has-final-say",
        "Outside the windows a buyer's request needs the seller's decision.",
        Kind.CONSENT,
        {
            "en": "The seller has decided.",
            "de": "Der Verkäufer hat entschieden.",
        },
        binds=Binds.REQUESTS,
        terms=SellerHasFinalSay,
        allows=True,
        always_speaks=True,
    )
)
def seller_has_final_say(_: RuleInput, __: SellerHasFinalSay) -> Ruling | None:
    """Outside the windows a buyer's request needs the seller's decision."""
    return ask("seller-has-final-say", "The seller has to agree.")
