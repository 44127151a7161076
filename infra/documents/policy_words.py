"""What every key of a policy file means, in a sentence, with the value in force: for ``policy explain``.

One entry a key; a test compares them with the keys that ``domain.policy`` knows. Nothing is decided here.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from domain.wording import counted

Say = Callable[[Any], str]

FORMATS: Final = {"fixed": "at a fixed price", "offer": "from an accepted offer", "auction": "by auction"}
SILENCE: Final = {
    "stays": "the request stays open, and where disputes are on it may be disputed",
    "cancels": "the request is granted",
    "closes": "the request is closed and the order stands",
    "cancels-if-unpaid": "the request is granted if the order is unpaid, and closed if it is paid",
}
POSTAGE: Final = {
    "buyer": "The buyer pays the postage of a return.",
    "seller": "The seller pays the postage of a return.",
    "platform": "The platform pays the postage of a return.",
    "buyer-unless-at-fault": "The buyer pays the postage of a return, the seller where the goods are at fault.",
}


def _listed(values: Any, word: str = "and") -> str:
    said = [str(value) for value in values]
    return f" {word} ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said)


def _deadline(who: str) -> Say:
    return lambda length: f"{who} may answer at any time." if length is None else f"{who} has {length} to answer."


def _silence(value: str) -> str:
    return f"Without an answer by then {SILENCE[value]}."


MEANS: Final[Mapping[tuple[str, str], Say]] = {
    ("", "id"): lambda v: f"Orders name it as {v}.",
    ("", "version"): lambda v: f"This is version {v}; a published version never changes.",
    ("", "title"): lambda v: "It has no title." if v is None else f"People call it {v}.",
    ("", "rules"): lambda v: f"{len(v)} rules are judged in this order; the first that speaks decides.",
    ("", "reasons"): lambda v: f"A cancellation's reason is one of {_listed(v, 'or')}.",
    ("", "fill-or-kill"): lambda v: (
        "A notice for part of a line cancels the line's rest at once, for good."
        if v
        else "What a notice does not ship stays open."
    ),
    ("", "cancelled-but-shipped"): lambda v: (
        "What shipped although it was cancelled may be billed again, in five steps."
        if v
        else "What shipped although it was cancelled is not billed again here."
    ),
    ("grace-window", "length"): lambda v: f"Until {v} after placing, that instant included.",
    ("request-window", "length"): lambda v: f"Until {v} after placing, that instant included.",
    ("window-of-the-store", "length"): lambda v: (
        "No time ends the window." if v is None else f"Until {v} after placing, that instant included."
    ),
    ("window-of-the-store", "stage"): lambda v: (
        "No stage ends the window." if v is None else "Until fulfilment of a named line has begun."
    ),
    ("not-shipped-in-time", "after"): lambda v: f"From {v} on, that instant included.",
    ("not-shipped-in-time", "from"): lambda v: f"Counted from the {v}.",
    ("accepted-offer-final", "formats"): lambda v: f"Final is what was sold {_listed((FORMATS[f] for f in v), 'or')}.",
    ("stalled-tracking", "after"): lambda v: f"A parcel that the carrier has not seen for {v} counts as lost.",
    ("unpaid-auto-cancel", "after"): lambda v: (
        f"What is open is cancelled if it is not paid for {v} after placing, or by the order's own pay_by."
    ),
    ("late-ship-auto-cancel", "after-ship-by"): lambda v: f"What is open is cancelled {v} after the order's ship_by.",
    ("alternatives-first", "offers"): lambda v: f"Offered instead: {_listed(v, 'or')}.",
    ("alternatives-first", "deadline"): lambda v: f"The buyer has {v} to take one; silence declines.",
    ("seller-has-final-say", "deadline"): _deadline("The seller"),
    ("seller-has-final-say", "silence"): _silence,
    ("mutual-consent-after-shipment", "deadline"): _deadline("The other side"),
    ("mutual-consent-after-shipment", "silence"): _silence,
    ("cases", "days"): lambda v: f"A case is opened within {counted(v, 'day')} of delivery.",
    ("cases", "reasons"): lambda v: f"A case is opened because of {_listed(v, 'or')}.",
    ("disputes", "request"): lambda v: f"A dispute is opened within {v} of the purchase.",
    ("disputes", "evidence"): lambda v: f"Evidence is taken for {v} from the opening.",
    ("disputes", "appeal"): lambda v: f"A decision may be appealed for {v}.",
    ("returns", "days"): lambda v: f"A return is asked for within {counted(v, 'day')} of delivery.",
    ("returns", "reasons"): lambda v: (
        f"A return is asked for because of {_listed(v, 'or')}." if v else "A return is not to be asked for."
    ),
    ("returns", "postage"): lambda v: POSTAGE[v],
    ("standing", "limit"): lambda v: f"A seller's rate is to stay below {v}.",
    ("standing", "window"): lambda v: f"The rate is that of the last {v}.",
    ("both-told", "confirmed-within"): lambda v: (
        "A confirmation whose delivery is not confirmed is followed up after the setting's time."
        if v is None
        else f"A confirmation whose delivery is not confirmed within {v} is followed up."
    ),
}
"""(table, key) → what its value means; a key outside of any table has an empty one."""


def means(table: str, values: Mapping[str, Any]) -> dict[str, str]:
    """Key → sentence, for the keys of one table with the values in force."""
    return {key: MEANS[table, key](value) for key, value in values.items()}
