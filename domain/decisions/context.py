"""The context of a decision: the order, the policy, the instant and the actor. Also the refusals that all share."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from domain import events as e
from domain.calendar import Length, after
from domain.commands import Actor, Command, Pick, ReachDeadline, Text
from domain.errors import BadInput
from domain.instants import Instant
from domain.marketplace_settings import MarketSettings
from domain.order import Order
from domain.policy import Policy, PolicyBook
from domain.verdict import REFUSED, Ruling, for_actor, refused

Events = Iterator[e.Event]


@dataclass(slots=True)
class DecisionContext:
    """Everything that a decision may use. Each yielded event changes ``order`` at once."""

    order: Order
    policy: Policy
    ref: e.PolicyRef
    policies: PolicyBook
    market: MarketSettings
    now: Instant
    actor: Actor
    command: Command
    foresee: Callable[["DecisionContext", Callable[["DecisionContext"], Ruling], Iterator[Instant]], Instant | None]
    """When an answer would change if nothing else happened (``eligibility``)."""
    open_ways: Callable[["DecisionContext", str, tuple[e.Instead, ...]], tuple[e.Instead, ...]]
    """The remaining options after a refused action (``ways_out``)."""

    @property
    def calendar(self) -> e.Calendar:
        return self.order.terms.calendar

    def deadline(
        self, kind: str, length: Length | None, ref: str, start: Instant | None = None
    ) -> tuple[e.Deadline, ...]:
        """A deadline ``length`` after ``start`` (default: now), or none if the policy sets no length."""
        if length is None:
            return ()
        due_at = after(self.now if start is None else start, length, self.calendar)
        return (e.Deadline(self.order.next_deadline_id(kind), kind, due_at, ref),)

    def verdict(self, action: str, ruling: Ruling, next_change_at: Instant | None = None) -> e.Verdict:
        found = ruling.verdict(action, self.ref, next_change_at)
        if ruling.outcome != REFUSED:
            return found
        found = replace(found, instead=self.open_ways(self, action, found.instead))
        if isinstance(self.command, ReachDeadline):
            return found  # Both the buyer and the seller read the effect of a deadline.
        return replace(found, instead=for_actor(self.actor.kind, found.instead))

    def refuse(self, ruling: Ruling, ref: str | None = None) -> Events:
        """Record that the command was refused."""
        name = self.command.command
        yield e.CommandRefused(name, ref, self.verdict(ACTIONS.get(name, "answer"), ruling))

    def no(
        self, rule: str, because: str, *inputs: e.Input, instead: tuple[e.Instead, ...] = (), ref: str | None = None
    ) -> Events:
        """Refuse by a rule, with a sentence."""
        return self.refuse(refused(rule, because, *inputs, instead=instead), ref)

    def no_such_line(self, picks: tuple[Pick, ...] | None) -> Ruling | None:
        """Refuse by ``no-such-line`` if a selection names a line that the order does not have."""
        for pick in picks or ():
            if pick.line not in self.order.lines:
                known = ", ".join(map(str, self.order.lines))
                return refused(
                    "no-such-line",
                    f"The order has no line {pick.line}; it has {known}.",
                    e.Input("line", str(pick.line)),
                )
        return None


ACTIONS = {
    "RequestCancel": "cancel",
    "CancelLines": "cancel",
    "ApproveCancel": "cancel",
    "Ship": "ship",
    "RequestReturn": "return",
    "OpenCase": "open_case",
    "OpenDispute": "open_dispute",
}
"""Command → the action of its verdict. All other commands have the action ``answer``."""


def sealed(text: Text | None) -> e.Sealed | None:
    """Return the reference that an event holds in place of a free text."""
    if text is None:
        return None
    if text.sealed is None:
        raise BadInput("/text", "form", "the text was not sealed in the vault before the decision")
    return text.sealed


def sealed_text(text: Text) -> e.Sealed:
    """Return the reference that an event holds in place of a required free text."""
    found = sealed(text)
    assert found is not None
    return found


def quantities(lines: dict[int, int]) -> tuple[e.LineQuantity, ...]:
    """Convert quantities by line to the records that events hold."""
    return tuple(e.LineQuantity(line, quantity) for line, quantity in lines.items())
