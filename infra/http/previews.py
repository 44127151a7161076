"""People confirm (COMMANDS.md 3): what a command would do now, and the string that says it was seen.

A preview decides the command on the state as followed and writes nothing. Its ``confirmation`` is the hash of what it
showed: order, version, command, quantities and money. Nothing is kept, so it holds over restarts and on every engine;
it goes stale as soon as the order moves on or the same command would do something else.
"""

import base64
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from domain import events as e
from domain.asking import may
from domain.commands import CancelLines, Command, RequestCancel, Ship
from domain.decide import Decided
from domain.events import Event, LineQuantity, Verdict
from domain.instants import Instant, format_instant
from domain.market import MarketSettings
from domain.order import Order
from domain.policy import PolicyBook
from domain.standing import touched
from domain.told import is_as_asked
from schemas.codec import verdict_data

CONFIRMED: Final = (RequestCancel, CancelLines, Ship)
"""The commands that a person confirms."""
PEOPLE: Final = frozenset({"buyer", "seller"})


def needs_confirmation(command: Command) -> bool:
    """Whether it is a person's own call to cancel or to ship; systems and support need none."""
    return command.actor.kind in PEOPLE and isinstance(command, CONFIRMED)


@dataclass(slots=True)
class Preview:
    """What a command would do to an order at a version. Quantities by line; money in minor units."""

    order: Order
    command: str
    asks: dict[int, int]
    cancels: dict[int, int]
    ships: dict[int, int]
    kills: dict[int, int]
    refund: int
    outcome: str
    """granted, offer_alternatives, ask_seller or refused; accepted where no verdict speaks."""
    verdict: Verdict | None
    refused: str | None
    standing: list[str]
    """Whose standing it touches (rule ``standing``): seller, buyer; of what is asked for, once it is granted."""
    unasked: bool
    """The seller says that the buyer asked, and no request is on record."""

    @property
    def lines(self) -> dict[int, int]:
        """What the command is about: what it ships, else what it cancels, else what it asks for."""
        return self.ships or self.cancels or self.asks

    @property
    def confirmation(self) -> str | None:
        """The string that confirms exactly this; None where a rule refuses it and there is nothing to confirm."""
        if self.refused is not None:
            return None
        shown = [
            "rescind confirmation 1",
            self.order.marketplace,
            self.order.order_id,
            self.order.version,
            self.command,
            self.outcome,
            *(sorted(part.items()) for part in (self.asks, self.cancels, self.ships, self.kills)),
            self.refund,
        ]
        digest = hashlib.sha256(json.dumps(shown, separators=(",", ":")).encode()).digest()
        return base64.urlsafe_b64encode(digest[:24]).decode("ascii")

    def body(self) -> dict[str, Any]:
        """The preview as JSON (DESIGN.md 6); a notice says what it ships and what it will kill."""
        told: dict[str, Any] = {
            "confirmation": self.confirmation,
            "version": self.order.version,
            "lines": _listed(self.lines),
            "refund_minor": self.refund,
            "currency": self.order.terms.currency,
            "verdict": None if self.verdict is None else verdict_data(self.verdict),
            "standing": self.standing,
        }
        if self.command == "Ship":
            told |= {"ships": _listed(self.ships), "kills": _listed(self.kills), "stop": self.stop()}
        else:
            told |= {"cancels": _listed(self.cancels), "asks": _listed(self.asks)}
        return {**told, "sentence": self.sentence()}

    def stop(self) -> list[dict[str, Any]]:
        """Requests to cancel that wait for an answer over what would ship: whoever packs is told before (rule
        ``shipment-answers``)."""
        return [
            {
                "rule": "shipment-answers",
                "request_id": request.request_id,
                "by": request.by,
                "reason": request.reason,
                "lines": _listed(waiting),
                "decide_by": None if request.decide_by is None else format_instant(request.decide_by),
            }
            for request in self.order.open_requests()
            if (
                waiting := {n: q for n in request.asked if n in self.ships and (q := self.order.still_open(request, n))}
            )
        ]

    def sentence(self) -> str:
        """What will happen, for the person who is about to do it."""
        return " ".join(part for part in (self._does(), self._counts()) if part)

    def _counts(self) -> str:
        """Whose standing it touches, in words."""
        if self.unasked:
            return "No request of the buyer's is on record: it counts toward the seller's standing; the buyer is asked."
        sides = " and the ".join(f"{side}'s" for side in self.standing)
        when = "" if self.cancels or self.kills else "If it is carried out, it "
        return f"{when or 'It '}counts toward the {sides} standing." if sides else ""

    def _does(self) -> str:
        if self.refused is not None:
            return self.verdict.because if self.verdict is not None else "It would be refused."
        if self.command == "Ship":
            said = f"Ships {_units(self.ships)}."
            for each in self.stop():
                said = f"Stop: the {each['by']} asks to cancel, and request {each['request_id']} waits. {said}"
            if self.kills:
                said += f" {_units(self.kills).capitalize()} will be cancelled now and cannot be re-opened."
            return said
        if self.cancels:
            return f"Cancels {_units(self.cancels)}; it cannot be undone."
        if self.outcome == "offer_alternatives":
            return f"Asks to cancel {_units(self.asks)}; something else is offered first."
        return f"Asks to cancel {_units(self.asks)}; the other side decides."


def preview_of(order: Order, command: Command, decided: Decided) -> Preview:
    """What a decision on ``order`` comes to."""
    found = Preview(
        order=order,
        command=command.command,
        asks={},
        cancels={},
        ships={},
        kills={},
        refund=0,
        outcome="accepted" if decided.verdict is None else decided.verdict.outcome,
        verdict=decided.verdict,
        refused=decided.refused,
        standing=[],
        unasked=False,
    )
    if decided.refused is None:
        events = [event for event, _ in decided.events]
        for event in events:
            _count(found, event)
        found.standing = list(touched(decided.order, events))
        if found.asks and not found.cancels and command.actor.kind == "buyer":
            found.standing = ["buyer"]
        found.unasked = any(is_as_asked(event) for event in events if isinstance(event, e.LinesCanceled))
    return found


def explained(preview: Preview | None, book: PolicyBook, market: MarketSettings, now: Instant) -> Preview | None:
    """A preview with a verdict: a notice that may go out has none of its own, so the order's is told."""
    if preview is not None and preview.verdict is None and preview.command == "Ship":
        preview.verdict = may("ship", preview.order, book, market, max(now, preview.order.recorded_at))
    return preview


def _count(found: Preview, event: Event) -> None:
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
        case e.RefundDue():
            found.refund += event.amount
        case _:
            pass


def _add(to: dict[int, int], lines: Iterable[LineQuantity]) -> None:
    for part in lines:
        to[part.line] = to.get(part.line, 0) + part.quantity


class Confirmation:
    """Asked by the engine about each decision before it is committed; keeps the fresh preview of one that must wait."""

    def __init__(self, said: str | None) -> None:
        self._said = said
        self.fresh: Preview | None = None

    def __call__(self, order: Order | None, command: Command, decided: Decided) -> str | None:
        if order is None:
            return None
        preview = preview_of(order, command, decided)
        if self._said is not None and self._said == preview.confirmation:
            return None
        self.fresh = preview
        if self._said is None:
            return "it cannot be undone: look at the preview and send its confirmation along"
        return "the preview that was confirmed has gone stale: look at the fresh one and confirm that"


def _listed(lines: dict[int, int]) -> list[dict[str, int]]:
    return [{"line": line, "quantity": quantity} for line, quantity in sorted(lines.items())]


def _units(lines: dict[int, int]) -> str:
    return ", ".join(f"{quantity} of line {line}" for line, quantity in sorted(lines.items())) or "nothing"
