"""Previews of commands: the effects, the confirmation string, and who must confirm (rule ``cancel-is-final``).
There is one preview for HTTP, pages and the command line, so that all of them give the same answer in the same
situation. ``preview`` reaches the deadlines that are due, decides the command on a copy of the order, and writes
nothing. The ``confirmation`` of a preview is the hash of what it shows: order, version, command, quantities and money.
Nothing is stored for it, so it survives restarts and is the same on every engine. It becomes stale as soon as the order
changes or the same command would do something else.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from domain import commands as c
from domain import events as e
from domain.deadlines import has_lapsed
from domain.decide import DeadlineRun, Decided, decide
from domain.eligibility_queries import may
from domain.instants import EARLIEST, Instant
from domain.marketplace_settings import MarketSettings
from domain.notification_rules import is_without_request
from domain.order import Order, Request
from domain.policy import PolicyBook
from domain.standing import touched

PEOPLE: Final = frozenset({"buyer", "seller"})
"""The kinds of actor that confirm; systems and support need no confirmation."""
ALWAYS: Final = (c.RequestCancel, c.CancelLines, c.ApproveCancel, c.Ship)
"""The commands that a person always confirms. Any other command is confirmed only if it cancels units."""
NOT_STORED: Final = e.Sealed(bytes(32), "")
"""The reference for a text in a preview, because a preview stores nothing in the vault."""


class Stop(NamedTuple):
    """An open request to cancel over units that would ship, and those units by line (rule ``shipment-answers``)."""

    request: Request
    lines: dict[int, int]


@dataclass(slots=True)
class Preview:
    """The effects of a command on an order at a version. Quantities are by line, money is in minor units."""

    order: Order
    """The order after the deadlines that are due, before the command."""
    command: str
    outcome: str
    """granted, offer_alternatives, ask_seller or refused; accepted if the command has no verdict."""
    verdict: e.Verdict | None
    refused: str | None
    """The rule that refuses the command."""
    confirmed_by: str | None = None
    """Whose confirmation the command needs: buyer or seller; None if it needs none."""
    asks: dict[int, int] = field(default_factory=dict)
    cancels: dict[int, int] = field(default_factory=dict)
    ships: dict[int, int] = field(default_factory=dict)
    kills: dict[int, int] = field(default_factory=dict)
    returns: dict[int, int] = field(default_factory=dict)
    """Units for which a return opens."""
    frees: dict[int, int] = field(default_factory=dict)
    """Units whose return is withdrawn."""
    loses: dict[int, int] = field(default_factory=dict)
    """Units that are reported as undelivered."""
    refund: int = 0
    standing: list[str] = field(default_factory=list)
    """Whose standing it affects (rule ``standing``): seller, buyer. For a request: once it is granted."""
    without_request: bool = False
    """Whether the seller gives the reason ``buyer_asked`` and no request is on record."""
    events: Sequence[e.Event] = ()
    """The events that would be recorded."""
    after: Order | None = None
    """The order after these events."""

    @property
    def changes(self) -> bool:
        """Whether any event would be recorded."""
        return bool(self.events)

    @property
    def lines(self) -> dict[int, int]:
        """The units that the command is about: those that it ships, else cancels, else reports, returns or requests."""
        return self.ships or self.cancels or self.loses or self.returns or self.frees or self.asks

    @property
    def confirmation(self) -> str | None:
        """The string that confirms exactly this preview; None if a rule refuses the command."""
        if self.refused is not None:
            return None
        shown = [
            "rescind confirmation 3",
            self.order.marketplace,
            self.order.order_id,
            self.order.version,
            self.command,
            self.outcome,
            *(sorted(part.items()) for part in (self.asks, self.cancels, self.ships, self.kills, self.returns)),
            *(sorted(part.items()) for part in (self.frees, self.loses)),
            self.refund,
        ]
        digest = hashlib.sha256(json.dumps(shown, separators=(",", ":")).encode()).digest()
        return base64.urlsafe_b64encode(digest[:24]).decode("ascii")

    @property
    def stop(self) -> list[Stop]:
        """The open requests for units that would ship. The person who packs sees them first."""
        found = []
        for request in filter(self.order.awaits, self.order.open_requests()):
            units = {n: self.order.still_open(request, n) for n in request.requested if n in self.ships}
            if waiting := {n: quantity for n, quantity in units.items() if quantity}:
                found.append(Stop(request, waiting))
        return found

    def sentence(self) -> str:
        """Describe the effects for the person who is about to confirm them."""
        return " ".join(part for part in (self._does(), self._counts()) if part)

    def _counts(self) -> str:
        """Describe whose standing it affects."""
        if self.without_request:
            return "No request of the buyer's is on record: it counts toward the seller's standing; the buyer is asked."
        sides = " and the ".join(f"{side}'s" for side in self.standing)
        when = "" if self.cancels or self.kills else "If it is carried out, it "
        return f"{when or 'It '}counts toward the {sides} standing." if sides else ""

    def _does(self) -> str:
        if self.refused is not None:
            return self.verdict.because if self.verdict is not None else "It would be refused."
        if self.command == "Ship":
            return self._ships()
        sentences = []
        if self.cancels:
            sentences.append(f"Cancels {_units(self.cancels)}; it cannot be undone.")
        if self.loses:
            sentences.append(f"Reports {_units(self.loses)} as not delivered; the quantity stays shipped.")
        if self.frees:
            sentences.append(f"Withdraws the return of {_units(self.frees)}; nothing is refunded for it.")
        if self.returns:
            sentences.append(f"A return opens for {_units(self.returns)}.")
        if self.asks and not sentences:
            behind = (
                "the other side decides" if self.outcome != "offer_alternatives" else "something else is offered first"
            )
            sentences.append(f"Asks to cancel {_units(self.asks)}; {behind}.")
        if sentences:
            return " ".join(sentences)
        return "Cancels nothing." if self.changes else "Nothing changes: it is so already."

    def _ships(self) -> str:
        if not self.ships:
            return "Nothing changes: it is so already."
        text = f"Ships {_units(self.ships)}."
        for request, _ in self.stop:
            waits = f"request {request.request_id} waits"
            if self.order.awaits(request) == "support":
                waits = f"a dispute about request {request.request_id} is open"
            text = f"Stop: the {request.by} asks to cancel, and {waits}. {text}"
        if self.kills:
            text += f" {_units(self.kills).capitalize()} will be canceled now and cannot be re-opened."
        return text


def preview(
    order: Order,
    command: c.Command,
    policies: PolicyBook,
    market: MarketSettings,
    now: Instant,
    closed_at: Instant = EARLIEST,
) -> Preview:
    """Preview a command at ``now``, after the due deadlines are reached. Raises ``BadInput`` as ``decide`` does.
    ``closed_at``: when an import of the marketplace was last closed. Deadlines that were set and due before it never
    fire live.
    """
    instant = max(now, order.recorded_at)
    order = _with_due(order, policies, market, instant, closed_at)
    return preview_of(
        order, command, decide(order, _sealed(command), policies, market, instant), policies, market, instant
    )


def preview_of(
    order: Order, command: c.Command, decided: Decided, policies: PolicyBook, market: MarketSettings, now: Instant
) -> Preview:
    """Preview a decision made at ``now``. Deadlines that it sets in the past take effect at once."""
    verdict = decided.verdict
    outcome = "accepted" if verdict is None else verdict.outcome
    found = Preview(order, command.command, outcome, verdict, decided.refused)
    if decided.refused is not None:
        return found
    after, events = _with_effects(order, decided, policies, market, now)
    found.events, found.after = events, after
    for event in events:
        _count(found, event)
        if isinstance(event, e.ReturnWithdrawn):
            _add(found.frees, (e.LineQuantity(n, units) for n, units in order.returns[event.return_id].left.items()))
    if isinstance(command, c.DeclineAlternatives) and command.request_id is not None and not found.cancels:
        request = after.requests[command.request_id]
        found.asks = {n: units for n in request.requested if (units := after.still_open(request, n))}
    found.standing = list(touched(after, events))
    if found.asks and not found.cancels and command.actor.kind == "buyer":
        found.standing = ["buyer"]
    found.without_request = any(is_without_request(event) for event in events if isinstance(event, e.LinesCanceled))
    if events and command.actor.kind in PEOPLE and (_always(command) or found.cancels or found.kills):
        found.confirmed_by = command.actor.kind
    if verdict is None and isinstance(command, c.Ship):
        found.verdict = may("ship", order, policies, market, now)
    return found


def _always(command: c.Command) -> bool:
    """Whether a person always confirms this command. Declining offers counts, because the request then continues."""
    offers_declined = isinstance(command, c.DeclineAlternatives) and command.request_id is not None
    return offers_declined or isinstance(command, ALWAYS)


def _with_due(
    order: Order, policies: PolicyBook, market: MarketSettings, instant: Instant, closed_at: Instant
) -> Order:
    """Return the order after all deadlines that would fire before a command at ``instant``."""
    fire = [deadline for deadline in order.deadlines.values() if not has_lapsed(order, deadline, closed_at)]
    run = DeadlineRun(order, policies, market, fire)
    run.reach_before(instant)
    return run.order


def _with_effects(
    before: Order, decided: Decided, policies: PolicyBook, market: MarketSettings, now: Instant
) -> tuple[Order, Sequence[e.Event]]:
    """Return state and events after a decision and after the deadlines that it sets in the past.

    For example, a ship-by in the past sets a late-ship deadline that fires right after the command.
    """
    order, events = decided.order, [event for event, _ in decided.events]
    if order.deadlines_set.keys() == before.deadlines_set.keys():
        return order, events
    new = [d for d in order.deadlines.values() if d.deadline_id not in before.deadlines_set]
    run = DeadlineRun(order, policies, market, new)
    run.reach_before(now + 1)
    return run.order, [*events, *run.events]


def _sealed(command: c.Command) -> c.Command:
    """Copy the command with placeholder references for its texts, so that nothing is stored in the vault."""
    texts: dict[str, c.Text] = {}
    for name in command.TEXTS:
        text: c.Text | None = getattr(command, name)
        if text is not None:
            texts[name] = c.Text(text.content, text.sealed or NOT_STORED)
    return command.model_copy(update=texts) if texts else command


def _count(found: Preview, event: e.Event) -> None:
    match event:
        case e.CancelRequested():
            _add(found.asks, event.lines)
        case e.LinesCanceled():
            for part in event.lines:
                found.cancels[part.line] = found.cancels.get(part.line, 0) + part.quantity
        case e.LineShipped() | e.LinePartiallyShipped():
            found.ships[event.line] = found.ships.get(event.line, 0) + event.quantity
        case e.AutoCanceled():
            found.kills[event.line] = found.kills.get(event.line, 0) + event.quantity
        case e.ReturnOpened():
            _add(found.returns, event.lines)
        case e.ParcelUndelivered():
            _add(found.loses, event.lines)
        case e.RefundDue():
            found.refund += event.amount
        case _:
            pass


def _add(to: dict[int, int], lines: Iterable[e.LineQuantity]) -> None:
    for part in lines:
        to[part.line] = to.get(part.line, 0) + part.quantity


def _units(lines: dict[int, int]) -> str:
    return ", ".join(f"{quantity} of line {line}" for line, quantity in sorted(lines.items())) or "nothing"


class Confirmation:
    """Checks each decision of a command before it is committed, and explains a missing confirmation.

    ``given`` is the confirmation that came with the command. After a refusal, ``fresh`` is the preview to show.
    ``everybody`` is set if the preview was shown to every kind of actor, as at the command line. Then support confirms
    it too.
    """

    def __init__(
        self,
        given: str | None,
        policies: Callable[[], PolicyBook],
        market: MarketSettings,
        *,
        everybody: bool = False,
    ) -> None:
        self._given = given
        self._policies = policies
        self._market = market
        self._everybody = everybody
        self.fresh: Preview | None = None

    def __call__(self, order: Order | None, command: c.Command, decided: Decided) -> str | None:
        if order is None or not order.exists:
            return None
        now = decided.order.recorded_at
        found = preview_of(order, command, decided, self._policies(), self._market, now)
        needed = found.confirmed_by is not None or (self._everybody and found.changes)
        if not needed or (self._given is not None and self._given == found.confirmation):
            return None
        self.fresh = found
        if self._given is None:
            final = found.cancels or found.kills or found.ships or found.returns
            return f"{'it cannot be undone: ' if final else ''}look at the preview and send its confirmation along"
        return "the preview that was confirmed has gone stale: look at the fresh one and confirm that"
