"""Policies: named, versioned documents that list the rules in force and their parameters.

A policy is read from TOML and stored as canonical JSON (RFC 8785). Each order refers to it by id, version and the
SHA-256 of that JSON. Every key is checked here. An unknown key is refused by name.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Annotated, Any, Final, Self

from pydantic import Field, ValidationError, create_model, model_validator

from domain.errors import BadInput
from domain.events import PolicyPublished, PolicyRef
from domain.malformed import check_shape
from domain.policy_terms import Policy, Table, keys, one_of
from domain.rules import RULES

__all__ = ["Policy", "PolicyBook", "PolicyDocument", "read_policy", "read_policy_toml"]

_NAMED: Final = re.compile(r"([a-z0-9][a-z0-9\-]{0,63})(?:@([1-9][0-9]{0,8}))?", re.ASCII)
"""The form of a policy's name in commands, settings and pages: ``id`` or ``id@version``."""

_TABLES: Final[Mapping[str, type[Table]]] = {
    rule.id.replace("-", "_"): rule.terms for rule in RULES.values() if rule.terms is not None
}
"""Field → table of the rule of that name."""
_OPTIONAL: Final = frozenset(rule.id.replace("-", "_") for rule in RULES.values() if rule.table_is_enough)
"""Fields of the rules that are in force as soon as they have a table."""


class _Checked(Policy):
    @model_validator(mode="after")
    def _rules_have_terms(self) -> Self:
        if len(set(self.rules)) < len(self.rules):
            twice = next(rule for rule in self.rules if self.rules.count(rule) > 1)
            raise ValueError(f"rules: {twice} is listed twice")
        for name, table in _TABLES.items():
            terms = getattr(self, name)
            if terms is None and name.replace("_", "-") in self.rules:
                terms = table()
                object.__setattr__(self, name, terms)
            if terms is not None:
                self._terms[table] = terms
        return self


_RULES_KEY: Final = next(declared for key, _, declared, _ in keys(Policy) if key == "rules")
_FIELDS: Final[dict[str, Any]] = {
    "rules": (Annotated[tuple[Annotated[str, one_of(tuple(RULES))], ...], Field(min_length=1), _RULES_KEY], ...),
    **{name: (table | None, None) if name in _OPTIONAL else (table, table()) for name, table in _TABLES.items()},
}
PolicyFile: Final[type[Policy]] = create_model("Policy", __base__=_Checked, **_FIELDS)
"""A policy with a table for every rule that a list may name. The tables come from the rules' declarations."""


@dataclass(frozen=True, slots=True)
class PolicyDocument:
    """A policy as it is published: the parsed policy, its canonical JSON, and the SHA-256 of the JSON."""

    policy: Policy
    document: str
    sha256: bytes

    @property
    def ref(self) -> PolicyRef:
        """The reference that an order is pinned to."""
        return PolicyRef(self.policy.id, self.policy.version, self.sha256)

    @property
    def published(self) -> PolicyPublished:
        """The event that publishes it."""
        return PolicyPublished(self.policy.id, self.policy.version, self.sha256, self.document)


PLAINLY: Final[Mapping[str, str]] = {
    "tuple_type": 'write a list, like ["one", "two"]',
    "too_short": "name at least one",
    "bool_type": "write true or false",
    "int_type": "write a whole number, without quotes",
    "string_type": "write a text, in quotes",
    "model_type": "this is a table: write it as [NAME], with its keys below",
}
"""pydantic's type of an error → the advice for it."""


def read_policy(document: Mapping[str, Any]) -> PolicyDocument:
    """Check a policy document (parsed TOML or JSON). Raises ``BadInput``, which names the key, rule or value."""
    check_shape(document)
    try:
        policy = PolicyFile.model_validate(dict(document))
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
    """Read and check the text of a policy file."""
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
    """Policy id → the version that was published last, by the log's order and not by time."""

    def with_published(self, event: PolicyPublished) -> "PolicyBook":
        """Return the book after one more publication. The first document of an ``id@version`` is never replaced."""
        key = (event.id, event.version)
        if key in self.documents:
            return self
        document = read_policy(json.loads(event.document))
        return PolicyBook({**self.documents, key: document}, {**self.latest, event.id: event.version})

    def newest(self, policy_id: str) -> PolicyDocument | None:
        """Return the newest document of an id, or None."""
        version = self.latest.get(policy_id)
        return None if version is None else self.documents[policy_id, version]

    def named(self, name: str) -> PolicyDocument | None:
        """Find a document by ``id`` (the newest) or ``id@version``. Returns None if there is none of this name."""
        found = _NAMED.fullmatch(name)
        if found is None:
            return None
        policy_id, version = found.groups()
        return self.newest(policy_id) if version is None else self.documents.get((policy_id, int(version)))

    def nearest(self, name: str) -> str | None:
        """Return the published id that is spelled most like a name; for a version that is missing, the newest one."""
        policy_id = name.partition("@")[0]
        if policy_id in self.latest:
            return f"{policy_id}@{self.latest[policy_id]}"
        return next(iter(get_close_matches(policy_id, self.latest, 1)), None)

    def get(self, ref: PolicyRef) -> PolicyDocument | None:
        """Return the document that an order is pinned to, or None while it is not known here."""
        found = self.documents.get((ref.id, ref.version))
        return found if found is not None and found.sha256 == ref.sha256 else None
