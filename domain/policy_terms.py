"""The tables and keys of a policy, with defaults, forms, and a sentence for each value.

A rule that a policy's list can name declares its table next to its function (``domain.rules``). Keys that belong to no
such rule are declared here.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, StrictBool, StringConstraints

from domain.calendar import Length, parse_length
from domain.reasons import CANCEL_REASONS, FAULTS, RETURN_REASONS
from domain.wording import counted

T = TypeVar("T", bound="Table")

# ---- how a key is declared -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Key:
    """The form and meaning of a policy key, as an annotation of its field. The field has the type and default."""

    form: str
    """The permitted values, for the reference."""
    means: Callable[[Any], str]
    """The value in a sentence, for ``rescind policy explain``."""


class Table(BaseModel):
    """A table of a policy file. Keys are written with hyphens; an unknown key is refused by name."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        arbitrary_types_allowed=True,
        alias_generator=lambda name: name.replace("_", "-"),
        populate_by_name=False,
    )


def keys(table: type[Table]) -> Iterator[tuple[str, str, Key, Any]]:
    """The keys of a table: as written, name of the field, declaration, default. Tables within it are left out."""
    for name, field in table.model_fields.items():
        for declared in field.metadata:
            if isinstance(declared, Key):
                yield field.alias or name, name, declared, field.default


def tables(of: type[Table]) -> Iterator[tuple[str, type[Table]]]:
    """The tables within a table, by their key."""
    for name, field in of.model_fields.items():
        for kind in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(kind, type) and issubclass(kind, Table):
                yield field.alias or name, kind


def explain(table: Table) -> dict[str, str]:
    """Key → its value in a sentence, for the values in force."""
    return {key: declared.means(getattr(table, name)) for key, name, declared, _ in keys(type(table))}


def _length(value: object) -> object:
    if isinstance(value, Length):
        return value
    if not isinstance(value, str):
        raise ValueError('must be a string like "3 hours"')
    return parse_length(value)


def one_of(known: tuple[str, ...]) -> BeforeValidator:
    """Refuse a value that is not among ``known``. The error lists the known ones."""

    def check(value: object) -> object:
        if value not in known:
            raise ValueError(f"{value!r} is not known; there are {', '.join(known)}")
        return value

    return BeforeValidator(check)


LengthField = Annotated[Length, BeforeValidator(_length)]
CancelReason = Annotated[str, one_of(CANCEL_REASONS)]
ReturnReason = Annotated[str, one_of(RETURN_REASONS)]
Days = Annotated[int, Field(strict=True, ge=1, le=3660)]
Silence = Literal["stays", "cancels", "closes", "cancels-if-unpaid"]

SILENCE: Final[Mapping[str, str]] = {
    "stays": "the request stays open; if the policy has disputes, it can be disputed",
    "cancels": "the request is granted",
    "closes": "the request is closed and nothing is canceled",
    "cancels-if-unpaid": "the request is granted if the order is unpaid, and closed if it is paid",
}
POSTAGE: Final[Mapping[str, str]] = {
    "buyer": "The buyer pays the postage of a return.",
    "seller": "The seller pays the postage of a return.",
    "platform": "The platform pays the postage of a return.",
    "buyer-unless-at-fault": "The buyer pays the postage of a return; the seller pays it if the goods are at fault.",
}


PAYMENTS_REFUNDED: Final[Mapping[str, str]] = {
    "last-in-first-out": "The payment that was recorded last is refunded first.",
    "first-in-first-out": "The payment that was recorded first is refunded first.",
    "gift-card-last": "Gift cards are refunded last, and of other payments the one that was recorded last first.",
}
"""Order of payments → its sentence."""


def listed(values: Any, word: str = "and") -> str:
    """Return the values as a list in a sentence: "a, b and c"."""
    parts = [str(value) for value in values]
    return f" {word} ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def answer_within(who: str) -> Key:
    """The key ``deadline`` of a rule that asks a side."""
    return Key(
        "length; absent: none",
        lambda v: f"{who} can answer at any time." if v is None else f"{who} has {v} to answer.",
    )


SILENCE_KEY: Final = Key(
    "`stays`, `cancels`, `closes` or `cancels-if-unpaid`", lambda v: f"Without an answer by then {SILENCE[v]}."
)
"""The key ``silence`` of a rule that asks a side."""


# ---- what every policy can have -------------------------------------------------------------------------------------


class Cases(Table):
    """Cases after delivery."""

    days: Annotated[
        Days, Key("days after delivery", lambda v: f"A case can be opened within {counted(v, 'day')} of delivery.")
    ] = 3
    reasons: Annotated[
        tuple[ReturnReason, ...],
        Key("reasons that a case may carry", lambda v: f"The reason of a case must be {listed(v, 'or')}."),
    ] = FAULTS


class Disputes(Table):
    """Disputes about a request that was not granted."""

    request: Annotated[
        LengthField, Key("length, from the purchase", lambda v: f"A dispute can be opened within {v} of the purchase.")
    ] = Length(60, "days")
    evidence: Annotated[
        LengthField, Key("length, from the opening", lambda v: f"Evidence is accepted for {v} after the opening.")
    ] = Length(10, "days")
    appeal: Annotated[
        LengthField, Key("length, from the decision", lambda v: f"A decision can be appealed for {v}.")
    ] = Length(14, "days")


class Returns(Table):
    """Returns after delivery."""

    days: Annotated[
        Days, Key("days after delivery", lambda v: f"A return can be requested within {counted(v, 'day')} of delivery.")
    ] = 30
    reasons: Annotated[
        tuple[ReturnReason, ...],
        Key(
            "reasons that a return may carry",
            lambda v: f"The reason of a return must be {listed(v, 'or')}." if v else "Returns cannot be requested.",
        ),
    ] = RETURN_REASONS
    postage: Annotated[
        Literal["buyer", "seller", "platform", "buyer-unless-at-fault"],
        Key("who pays: `buyer`, `seller`, `platform` or `buyer-unless-at-fault`", lambda v: POSTAGE[v]),
    ] = "buyer-unless-at-fault"
    ship_within: Annotated[
        LengthField | None,
        Key(
            "length, from the acceptance; absent: none",
            lambda v: (
                "A return stays open until it is sent, withdrawn or closed."
                if v is None
                else f"A return that is not sent within {v} of its acceptance lapses; its items can be returned again."
            ),
        ),
    ] = None


class Refunds(Table):
    """Refunds to several payments."""

    order: Annotated[
        Literal["last-in-first-out", "first-in-first-out", "gift-card-last"],
        Key(
            "`last-in-first-out`, `first-in-first-out` or `gift-card-last`",
            lambda v: PAYMENTS_REFUNDED[v],
        ),
    ] = "last-in-first-out"


class BothTold(Table):
    """Confirmations to buyer and seller (rule ``both-told``)."""

    confirmed_within: Annotated[
        LengthField | None,
        Key(
            "length: a confirmation whose delivery is not confirmed by then is followed up; absent: the setting "
            "`confirmed_within`",
            lambda v: (
                "A confirmation whose delivery is not confirmed is sent again after the time in the settings."
                if v is None
                else f"A confirmation whose delivery is not confirmed within {v} is sent again."
            ),
        ),
    ] = None


class Standing(Table):
    """The rate of cancellations that a seller has to stay below (rule ``standing``)."""

    limit: Annotated[
        str,
        StringConstraints(strict=True, pattern=r"^[0-9]{1,3}(\.[0-9]{1,3})? ?%$"),
        Key("share of orders", lambda v: f"A seller's cancellation rate must stay below {v}."),
    ] = "2.5 %"
    window: Annotated[LengthField, Key("length", lambda v: f"The rate covers the last {v}.")] = Length(7, "days")
    lost: Annotated[
        StrictBool,
        Key(
            "true: units lost or damaged in transit count as canceled by the seller",
            lambda v: (
                "Items that were lost or damaged on their way count as canceled by the seller."
                if v
                else "Items that were lost or damaged on their way count for nobody."
            ),
        ),
    ] = False


class Policy(Table):
    """A policy in force: its rules in the order in which they are judged, and its parameters.

    ``read_policy`` creates one, with the table of every listed rule. ``terms`` returns the table of a rule.
    """

    id: Annotated[
        str,
        StringConstraints(strict=True, pattern=r"^[a-z0-9][a-z0-9\-]{0,63}$"),
        Key("1–64 of `a–z 0–9 -`; required", lambda v: f"Orders refer to it as {v}."),
    ]
    version: Annotated[
        int,
        Field(strict=True, ge=1, le=999_999_999),
        Key("integer from 1; required", lambda v: f"This is version {v}. A published version never changes."),
    ]
    rules: Annotated[
        tuple[str, ...],
        Field(min_length=1),
        Key(
            "ids of rules, judged in this order; required",
            lambda v: f"{len(v)} rules are checked in this order. The first rule that applies decides.",
        ),
    ]
    title: Annotated[
        Annotated[str, StringConstraints(strict=True, max_length=200)] | None,
        Key("what people call it", lambda v: "It has no title." if v is None else f"Its title is {v}."),
    ] = None
    reasons: Annotated[
        tuple[CancelReason, ...],
        Field(min_length=1),
        Key(
            "reasons that a cancellation may carry; absent: all of them",
            lambda v: f"The reason of a cancellation must be {listed(v, 'or')}.",
        ),
    ] = CANCEL_REASONS
    fill_or_kill: Annotated[
        StrictBool,
        Key(
            "true: a notice for part of a line cancels the line's rest at once",
            lambda v: (
                "A shipping notice for part of a line cancels its rest immediately and permanently."
                if v
                else "Units that a shipping notice does not ship stay open."
            ),
        ),
    ] = False
    cancelled_but_shipped: Annotated[
        StrictBool,
        Key(
            "true: the steps after a parcel left although it was canceled",
            lambda v: (
                "Canceled items that shipped anyway can be billed again in five steps."
                if v
                else "Canceled items that shipped anyway are not billed again."
            ),
        ),
    ] = True
    cases: Cases | None = None
    disputes: Disputes | None = None
    returns: Returns | None = None
    standing: Standing | None = None
    refunds: Refunds = Refunds()
    both_told: BothTold = BothTold()
    _terms: dict[type[Table], Table] = PrivateAttr(default_factory=dict)

    def lists(self, rule: str) -> bool:
        """Whether the list names the rule."""
        return rule in self.rules

    def terms(self, of: type[T]) -> T:
        """Return the parameters of a rule. Raises KeyError if the rule is off."""
        return cast(T, self._terms[of])

    def terms_if_on(self, of: type[T]) -> T | None:
        """Return the parameters of a rule that is in force by its table; None if it is off."""
        return cast("T | None", self._terms.get(of))

    @property
    def mutual_consent(self) -> bool:
        """Whether mutual consent is in force after shipment."""
        return "mutual-consent-after-shipment" in self.rules
