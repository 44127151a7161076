"""Policies: named, versioned documents that list the rules in force and their parameters.

A policy is read from TOML, kept as canonical JSON (RFC 8785), and named on each order by id, version and the SHA-256
of that JSON. Every key is checked here; whatever is unknown is refused by name.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    ValidationError,
    model_validator,
)

from domain.calendar import Length, parse_length
from domain.errors import BadInput
from domain.events import PolicyPublished, PolicyRef
from domain.reasons import CANCEL_REASONS, FAULTS, RETURN_REASONS

LISTED_RULES: Final = (
    "stalled-tracking",
    "shipped-lock",
    "tracking-lock",
    "mutual-consent-after-shipment",
    "whole-lines-only",
    "reason-required",
    "alternatives-first",
    "not-shipped-in-time",
    "accepted-offer-final",
    "grace-window",
    "request-window",
    "window-of-the-store",
    "seller-has-final-say",
    "unpaid-auto-cancel",
    "late-ship-auto-cancel",
)
"""The rules that a policy's list may name; the two automatic ones may also just have their table."""

_NAMED: Final = re.compile(r"([a-z0-9][a-z0-9\-]{0,63})(?:@([1-9][0-9]{0,8}))?", re.ASCII)
"""The name of a policy, as commands, settings and pages say it."""

Silence = Literal["stays", "cancels", "closes", "cancels-if-unpaid"]


def _length(value: object) -> object:
    if isinstance(value, Length):
        return value
    if not isinstance(value, str):
        raise ValueError('must be a string like "3 hours"')
    return parse_length(value)


def _among(known: tuple[str, ...]) -> BeforeValidator:
    def check(value: object) -> object:
        if value not in known:
            raise ValueError(f"{value!r} is not known; there are {', '.join(known)}")
        return value

    return BeforeValidator(check)


LengthField = Annotated[Length, BeforeValidator(_length)]
RuleId = Annotated[str, _among(LISTED_RULES)]
CancelReason = Annotated[str, _among(CANCEL_REASONS)]
ReturnReason = Annotated[str, _among(RETURN_REASONS)]


def _kebab(name: str) -> str:
    return name.replace("_", "-")


class _Table(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, alias_generator=_kebab, populate_by_name=False
    )


class GraceWindow(_Table):
    length: LengthField = Length(3, "hours")


class RequestWindow(_Table):
    length: LengthField = Length(60, "minutes")


class WindowOfTheStore(_Table):
    length: LengthField | None = None
    stage: Literal["until-fulfilment"] | None = None


class NotShippedInTime(_Table):
    after: LengthField = Length(7, "days")
    from_: Literal["purchase", "ship-by"] = Field(default="purchase", alias="from")


class AcceptedOfferFinal(_Table):
    formats: tuple[Literal["fixed", "offer", "auction"], ...] = ("offer",)


class StalledTracking(_Table):
    after: LengthField = Length(7, "days")


class UnpaidAutoCancel(_Table):
    after: LengthField = Length(4, "days")


class LateShipAutoCancel(_Table):
    after_ship_by: LengthField = Length(4, "days")


class AlternativesFirst(_Table):
    offers: Annotated[tuple[Literal["wait", "address", "exchange", "credit"], ...], Field(min_length=1)] = (
        "wait",
        "address",
        "exchange",
        "credit",
    )
    deadline: LengthField = Length(24, "hours")


class SellerHasFinalSay(_Table):
    deadline: LengthField | None = None
    silence: Silence = "stays"


class MutualConsent(_Table):
    deadline: LengthField | None = None
    silence: Silence = "stays"


class Cases(_Table):
    days: Annotated[int, Field(strict=True, ge=1, le=3660)] = 3
    reasons: tuple[ReturnReason, ...] = FAULTS


class Disputes(_Table):
    request: LengthField = Length(60, "days")
    evidence: LengthField = Length(10, "days")
    appeal: LengthField = Length(14, "days")


class Returns(_Table):
    days: Annotated[int, Field(strict=True, ge=1, le=3660)] = 30
    reasons: tuple[ReturnReason, ...] = RETURN_REASONS
    postage: Literal["buyer", "seller", "platform", "buyer-unless-at-fault"] = "buyer-unless-at-fault"


class BothTold(_Table):
    confirmed_within: LengthField | None = None
    """By when the delivery of a confirmation is to be confirmed; else it is followed up."""


class Standing(_Table):
    limit: Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9]{1,3}(\.[0-9]{1,3})? ?%$")] = "2.5 %"
    window: LengthField = Length(7, "days")


class Policy(_Table):
    """A policy in force: its rules in the order in which they are judged, and their parameters."""

    id: Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z0-9][a-z0-9\-]{0,63}$")]
    version: Annotated[int, Field(strict=True, ge=1, le=999_999_999)]
    rules: Annotated[tuple[RuleId, ...], Field(min_length=1)]
    title: Annotated[str, StringConstraints(strict=True, max_length=200)] | None = None
    reasons: Annotated[tuple[CancelReason, ...], Field(min_length=1)] = CANCEL_REASONS
    fill_or_kill: StrictBool = False
    cancelled_but_shipped: StrictBool = True
    grace_window: GraceWindow = GraceWindow()
    request_window: RequestWindow = RequestWindow()
    window_of_the_store: WindowOfTheStore = WindowOfTheStore()
    not_shipped_in_time: NotShippedInTime = NotShippedInTime()
    accepted_offer_final: AcceptedOfferFinal = AcceptedOfferFinal()
    stalled_tracking: StalledTracking | None = None
    unpaid_auto_cancel: UnpaidAutoCancel | None = None
    late_ship_auto_cancel: LateShipAutoCancel | None = None
    alternatives_first: AlternativesFirst = AlternativesFirst()
    seller_has_final_say: SellerHasFinalSay = SellerHasFinalSay()
    mutual_consent_after_shipment: MutualConsent = MutualConsent()
    cases: Cases | None = None
    disputes: Disputes | None = None
    returns: Returns | None = None
    standing: Standing | None = None
    both_told: BothTold = BothTold()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.rules)) < len(self.rules):
            twice = next(rule for rule in self.rules if self.rules.count(rule) > 1)
            raise ValueError(f"rules: {twice} is listed twice")
        for rule, table in TABLE_IS_ENOUGH.items():
            key = rule.replace("-", "_")
            if rule in self.rules and getattr(self, key) is None:
                object.__setattr__(self, key, table())
        return self

    def lists(self, rule: str) -> bool:
        """Whether the list names the rule."""
        return rule in self.rules

    @property
    def mutual_consent(self) -> bool:
        """Whether mutual consent is in force after shipment."""
        return "mutual-consent-after-shipment" in self.rules


TABLE_IS_ENOUGH: Final[Mapping[str, type[Any]]] = {
    "stalled-tracking": StalledTracking,
    "unpaid-auto-cancel": UnpaidAutoCancel,
    "late-ship-auto-cancel": LateShipAutoCancel,
}
"""Rules that their table alone puts in force, with that table; listed without it, they have its defaults."""


@dataclass(frozen=True, slots=True)
class PolicyDocument:
    """A policy as it is published: what it says, its canonical JSON, and the SHA-256 of that."""

    policy: Policy
    document: str
    sha256: bytes

    @property
    def ref(self) -> PolicyRef:
        """What an order is pinned to."""
        return PolicyRef(self.policy.id, self.policy.version, self.sha256)

    @property
    def published(self) -> PolicyPublished:
        """The event that puts it in force."""
        return PolicyPublished(self.policy.id, self.policy.version, self.sha256, self.document)


PLAINLY: Final[Mapping[str, str]] = {
    "tuple_type": 'write a list, like ["one", "two"]',
    "too_short": "name at least one",
    "bool_type": "write true or false",
    "int_type": "write a whole number, without quotes",
    "string_type": "write a text, in quotes",
    "model_type": "this is a table: write it as [NAME], with its keys below",
}
"""What pydantic says of a wrong form → what to do instead."""


def read_policy(document: Mapping[str, Any]) -> PolicyDocument:
    """Check a policy document (as TOML or JSON gave it); ``BadInput`` names the key, rule or value."""
    try:
        policy = Policy.model_validate(dict(document))
    except ValidationError as invalid:
        error = invalid.errors(include_url=False)[0]
        key = ".".join(str(step) for step in error["loc"])
        message = error["msg"].removeprefix("Value error, ")
        if error["type"] not in ("value_error", "missing", "extra_forbidden"):
            message = f"{error['input']!r}: {message}"
        if error["type"] in PLAINLY:
            message = f"{error['input']!r}: {PLAINLY[error['type']]}"
        if error["type"] == "string_pattern_mismatch":
            form = 'a share like "2.5 %"' if key == "standing.limit" else "1 to 64 of a-z, 0-9 and -"
            message = f"{error['input']!r}: write {form}"
        if error["type"] == "extra_forbidden":
            message = "there is no such key"
        if error["type"] == "missing":
            message = "the key is required"
        raise BadInput("/" + key.replace(".", "/") if key else "", "policy", message) from None
    text = json.dumps(dict(document), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return PolicyDocument(policy, text, hashlib.sha256(text.encode("utf-8")).digest())


def read_policy_toml(text: str) -> PolicyDocument:
    """Read a policy file."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as broken:
        raise BadInput("", "policy", f"not TOML: {broken}") from None
    return read_policy(document)


@dataclass(frozen=True, slots=True)
class PolicyBook:
    """All policies published so far, in the order of the control log."""

    documents: Mapping[tuple[str, int], PolicyDocument] = field(default_factory=dict)
    latest: Mapping[str, int] = field(default_factory=dict)
    """The version published last, by id: "newest" is by the log, never by time."""

    def with_published(self, event: PolicyPublished) -> "PolicyBook":
        """The book after one more publication; a first document of an id@version stays."""
        key = (event.id, event.version)
        if key in self.documents:
            return self
        document = read_policy(json.loads(event.document))
        return PolicyBook({**self.documents, key: document}, {**self.latest, event.id: event.version})

    def newest(self, policy_id: str) -> PolicyDocument | None:
        """The newest of an id, or None."""
        version = self.latest.get(policy_id)
        return None if version is None else self.documents[policy_id, version]

    def named(self, name: str) -> PolicyDocument | None:
        """By ``id`` (newest) or ``id@version``; None for what is no name of a policy."""
        found = _NAMED.fullmatch(name)
        if found is None:
            return None
        policy_id, version = found.groups()
        return self.newest(policy_id) if version is None else self.documents.get((policy_id, int(version)))

    def get(self, ref: PolicyRef) -> PolicyDocument | None:
        """The very document an order is pinned to, or None while it is not known here."""
        found = self.documents.get((ref.id, ref.version))
        return found if found is not None and found.sha256 == ref.sha256 else None
