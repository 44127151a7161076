"""The type of a rule, and the register of all rules that a policy can list.

The registration of a rule has everything about it: sentence, kind, whom it binds, parameters, the instants at which its
answer changes, and its texts for buyers and sellers. Pages, ``policy explain``, the reading of policies, mails and
what-if read it from there.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, TypeVar

from domain.instants import Instant
from domain.order import Line, Order
from domain.policy_terms import Policy, Table
from domain.verdict import Ruling

F = TypeVar("F", bound=Callable[..., Ruling | None])


@dataclass(slots=True)
class LineSelection:
    """The selected units of one line: the open ones and the shipped ones."""

    line: Line
    open: int
    shipped: int

    @property
    def units(self) -> int:
        """The number of units selected."""
        return self.open + self.shipped


@dataclass(slots=True)
class RuleInput:
    """The input of a rule, which asks: can these units be canceled, at this instant, for this party?"""

    order: Order
    policy: Policy
    now: Instant
    by: str
    """The party: buyer, seller or support."""
    own: bool
    """Whether it is the seller's own cancellation, not a request."""
    named: bool
    """Whether the command names lines; otherwise it is about the whole order."""
    targets: list[LineSelection]
    reason: str | None
    covered: frozenset[int] = frozenset()
    """Lines that need no reason, because the reason of a buyer's open request applies."""
    requested_at: Instant | None = None
    """When the request was submitted, if it continues after alternatives. Windows are judged as of then."""

    @property
    def window_at(self) -> Instant:
        """The instant by which windows are judged."""
        return self.now if self.requested_at is None else self.requested_at


class Kind(Enum):
    """The role of a rule in judging."""

    LOCK = "lock"
    """Refuses. It is judged again when a request is approved, granted by silence, or continues after alternatives."""
    WINDOW = "window"
    """Opens or closes with time. If no rule of a list allows a request, the refusal names its last window."""
    CONDITION = "condition"
    """Depends on the lines, the reason, the parcel or the sale."""
    CONSENT = "consent"
    """Asks the other side."""
    OFFER = "offer"
    """Offers alternatives first. Its last argument is the ruling of the rules after it."""
    AUTOMATIC = "automatic"
    """Acts by a deadline. It is not judged, and has no function."""


class Binds(Enum):
    """The cancellations that a rule is judged for."""

    EVERYBODY = "everybody"
    """Requests, and the seller's own cancellations."""
    REQUESTS = "requests"
    """Requests alone."""


@dataclass(slots=True)
class Rule:
    """A rule that a policy can list, with its texts, parameters and functions.

    The functions take a ``RuleInput`` and, if the rule has terms, the table with the parameters in force.
    """

    id: str
    """Its name in policies, refusals, tables and pages. It never changes."""
    sentence: str
    """The rule in a sentence."""
    kind: Kind
    words: Mapping[str, str]
    """Language → the text for a buyer or seller after a refusal by the rule. A test requires every language."""
    binds: Binds = Binds.EVERYBODY
    terms: type[Table] | None = None
    """Its table in a policy file: the keys with their defaults."""
    key: str | None = None
    """The policy key that holds its parameters, if it has no table."""
    table_is_enough: bool = False
    """Whether its table alone puts it in force. Such a rule is judged before the list, and is off without its table."""
    allows: bool = False
    """Whether it can grant a request or ask the other side."""
    always_speaks: bool = False
    """Whether it answers every request that reaches it, so that the rules after it are never judged."""
    deadline: str | None = None
    """For an automatic rule: the kind of the deadline by which it acts."""
    opens: Callable[..., Instant | None] | None = None
    """Returns the first instant at which it allows a request; None if there is none."""
    closes: Callable[..., Instant | None] | None = None
    """Returns the last instant before its answer changes; None if there is none."""
    changes: Callable[..., Iterator[Instant]] | None = None
    """Yields further instants at which its answer changes."""
    function: Callable[..., Ruling | None] | None = field(default=None, repr=False)
    """The rule itself: it speaks (a ``Ruling``) or keeps silent (None)."""

    def speak(self, q: RuleInput, *behind: Ruling) -> Ruling | None:
        """Return the rule's ruling, or None. An offer takes the ruling of the rules after it."""
        assert self.function is not None
        return self.function(q, *self._terms(q), *behind)

    def opens_at(self, q: RuleInput) -> Instant | None:
        """Return the first instant at which it allows a request; None if it never opens."""
        return None if self.opens is None else self.opens(q, *self._terms(q))

    def turning_points(self, q: RuleInput) -> Iterator[Instant]:
        """Yield the instants at which its answer changes. For a window that closes, a microsecond after its end."""
        terms = self._terms(q)
        if self.opens is not None and (opens := self.opens(q, *terms)) is not None:
            yield opens
        if self.closes is not None and (closes := self.closes(q, *terms)) is not None:
            yield closes + 1
        if self.changes is not None:
            yield from self.changes(q, *terms)

    def _terms(self, q: RuleInput) -> tuple[Any, ...]:
        return () if self.terms is None else (q.policy.terms(self.terms),)


RULES: Final[dict[str, Rule]] = {}
"""Every rule that a policy can list, by id, in the order of registration."""


ACTS_BY: Final[dict[str, str]] = {}
"""Kind of deadline → the automatic rule that acts by it."""


def register(rule: Rule) -> Callable[[F], F]:
    """Register a rule. The returned decorator adds its function. An automatic rule has none."""
    if rule.id in RULES:
        raise ValueError(f"the rule {rule.id} is registered twice")
    RULES[rule.id] = rule
    if rule.deadline is not None:
        ACTS_BY[rule.deadline] = rule.id

    def judged_by(function: F) -> F:
        rule.function = function
        return function

    return judged_by
