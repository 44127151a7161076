"""What if another policy had been in force: replays an order under it and reports each answer that differs.

The recorded commands are submitted again at the same instants (``domain.command_reconstruction``). The other policy's
answers take effect, so that units it cancels can no longer ship. Its deadlines are reached in place of those of the
recorded policy. Both lives run to the same end, so that an order under its own policy ends as it is recorded.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from domain import events as e
from domain.command_reconstruction import CommitEvents, NotReconstructible, stimulus
from domain.decide import decide, due, reach
from domain.errors import BadInput
from domain.folding import apply
from domain.instants import Instant
from domain.marketplace_settings import MarketSettings
from domain.order import Order, Stamp, fresh
from domain.order_json import status
from domain.policy import PolicyBook, PolicyDocument
from domain.rules import ACTS_BY

MOST_DEADLINES: Final = 100
"""Deadlines that one order may reach between two commands; far more than any policy sets."""

MOOT: Final = frozenset(
    {
        "request-closed",
        "no-such-request",
        "nothing-offered",
        "no-such-refund",
        "refund-closed",
        "no-such-payment",
        "no-such-chargeback",
        "more-than-authorized",
        "no-such-notice",
        "no-such-rebill",
        "rebill-closed",
        "delivered-already",
        "undelivered-already",
    }
)
"""Refusals of a command about something that is not open. Nobody would have submitted that command."""

OUTCOMES: Final = {"granted": "granted", "ask_seller": "asked", "offer_alternatives": "offered", "refused": "refused"}
"""Outcome of a verdict → its word in the report."""


class Answer(NamedTuple):
    """The result of a command or of a deadline.

    ``outcome``: granted, asked, offered, refused, accepted, ``shipped_rest_canceled`` (a notice, by fill-or-kill),
    moot, unchanged; of a deadline ``canceled``, ``declined``, ``returned``, ``lapsed``, and ``nothing`` if it
    was never reached or had no effect. ``rule``: the rule that decided, if any.
    """

    outcome: str
    rule: str | None


NOTHING: Final = Answer("nothing", None)


@dataclass(frozen=True, slots=True)
class Flip:
    """One answer that differs. ``what`` is the command or ``deadline:KIND``. ``ref`` is the id that it was about."""

    at: Instant
    what: str
    ref: str | None
    before: Answer
    after: Answer


@dataclass(slots=True)
class Life:
    """One order's two lives: as recorded, and under the other policy."""

    before: Order
    after: Order
    flips: list[Flip] = field(default_factory=list)
    stimuli: int = 0
    events: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    last: Instant = 0
    reached: dict[tuple[str, str], dict[bool, tuple[Instant, Answer]]] = field(default_factory=dict)
    """(kind, ref) → the effect of the deadline in the recorded life (False) and in the other (True)."""

    @property
    def refunds(self) -> tuple[int, int]:
        """Refunds instructed, in minor units: before and after."""
        return self.before.refunds_instructed, self.after.refunds_instructed

    @property
    def canceled(self) -> tuple[int, int]:
        """Units canceled: before and after."""
        return _canceled(self.before), _canceled(self.after)

    @property
    def statuses(self) -> tuple[str, str]:
        """``order show``'s status: before and after."""
        return status(self.before), status(self.after)

    @property
    def undecided(self) -> int:
        """Number of requests that are open only under the other policy, which waits for an answer not on record."""
        waiting = {r.request_id for r in self.before.open_requests()}
        return sum(r.request_id not in waiting for r in self.after.open_requests())

    @property
    def differs(self) -> bool:
        """Whether any answer, refund or cancellation differs."""
        return bool(self.flips) or self.refunds[0] != self.refunds[1] or self.canceled[0] != self.canceled[1]

    def note(self, other: bool, events: CommitEvents) -> None:
        """Record the effect of a deadline."""
        head, _ = events[0]
        assert isinstance(head, e.DeadlineReached)
        did = _did(head.kind, events)
        if did is not None:
            self.reached.setdefault((head.kind, head.ref), {})[other] = (head.due_at, did)


def _canceled(order: Order) -> int:
    return sum(line.canceled for line in order.lines.values())


def answer_of(events: CommitEvents) -> Answer:
    """The result of a command, from its events."""
    found: Answer | None = None
    for event, _ in events:
        if isinstance(event, e.CancelRefused | e.CommandRefused | e.ShipmentRefused | e.DisputeDismissed):
            rule = event.verdict.rule
            return Answer("moot" if rule in MOOT else "refused", rule)
        if found is not None:
            continue
        if isinstance(event, e.CancelRequested) or (isinstance(event, e.LinesCanceled) and event.verdict is not None):
            assert event.verdict is not None
            found = Answer(OUTCOMES[event.verdict.outcome], event.verdict.rule)
        elif isinstance(event, e.AutoCanceled):
            found = Answer("shipped_rest_canceled", "fill-or-kill")
    return found or Answer("accepted" if events else "unchanged", None)


def _did(kind: str, events: CommitEvents) -> Answer | None:
    """The result of a deadline; None if it had no effect that anybody would notice."""
    rule = ACTS_BY.get(kind, "seller-has-final-say")
    for event, _ in events:
        if isinstance(event, e.CancelRefused):
            return Answer("refused", event.verdict.rule)
        if isinstance(event, e.LinesCanceled):
            return Answer("canceled", rule)
        if isinstance(event, e.CancelDeclined):
            return Answer("declined", event.rule or rule)
        if isinstance(event, e.ReturnOpened | e.ReturnReceived):
            return Answer("returned", "return-not-confirmed" if kind == "return" else rule)
        if isinstance(event, e.ReturnWithdrawn):
            return Answer("lapsed", "store-return")
    return None


class OtherPolicy:
    """Replays orders with one policy in place of all others."""

    def __init__(self, document: PolicyDocument, recorded: PolicyBook, market: MarketSettings) -> None:
        policy = document.policy
        self._name = f"{policy.id}@{policy.version}"
        self._book = PolicyBook({(policy.id, policy.version): document}, {policy.id: policy.version})
        self._recorded = recorded
        self._market = market
        self._markets: dict[e.Calendar | str, MarketSettings] = {}

    def live(self, stream: str, commits: Iterable[tuple[CommitEvents, Stamp]]) -> Life | None:
        """Replay an order's commits. Returns None if they do not begin with its placing. Call ``end`` afterwards."""
        marketplace, _, order_id = stream.partition("/")
        life = Life(fresh(marketplace, order_id), fresh(marketplace, order_id))
        for events, stamp in commits:
            if not life.before.exists and not (events and isinstance(events[0][0], e.OrderPlaced)):
                return None
            self._commit(life, events, stamp)
        return life if life.before.exists else None

    def end(self, life: Life, end: Instant) -> Life:
        """Reach both lives' deadlines before ``end``, and add a flip for each deadline with another effect."""
        life.after = self._reach(life, life.after, end, other=True)
        if self._recorded.get(life.before.terms.policy) is not None:
            life.before = self._reach(life, life.before, end, other=False)
        for (kind, ref), did in sorted(life.reached.items()):
            before, after = did.get(False), did.get(True)
            was = NOTHING if before is None else before[1]
            would_be = NOTHING if after is None else after[1]
            if was != would_be:
                at = min(x[0] for x in (before, after) if x is not None)
                life.flips.append(Flip(at, f"deadline:{kind}", ref, was, would_be))
        life.flips.sort(key=lambda flip: flip.at)
        return life

    def _commit(self, life: Life, events: CommitEvents, stamp: Stamp) -> None:
        """Submit the command of one commit again, and apply the commit to the recorded life."""
        command = stimulus(life.before, events, stamp)
        for event, occurred_at in events:
            apply(life.before, event, occurred_at, stamp)
        life.events += len(events)
        life.last = max(life.last, stamp.recorded_at)
        if command is None:
            if events:
                life.note(False, events)
            return
        if isinstance(command, NotReconstructible):
            life.lost[command.command] += 1
            return
        life.stimuli += 1
        now = stamp.recorded_at
        life.after = self._reach(life, life.after, now, other=True)
        head = events[0][0]
        if isinstance(head, e.OrderPlaced):
            command.__dict__["policy"] = self._name
            market = self._calendar(head.calendar)
        else:
            market = self._market
        try:
            decided = decide(life.after, command, self._book, market, now)
        except BadInput:
            life.lost[command.command] += 1
            return
        life.after = decided.order
        before = answer_of(events)
        after = Answer("refused", decided.refused) if decided.answer else answer_of(decided.events)
        if before != after:
            life.flips.append(Flip(now, command.command, _about(head), before, after))

    def _reach(self, life: Life, order: Order, before: Instant, *, other: bool) -> Order:
        """Reach an order's deadlines before an instant, and record their effects."""
        if not order.deadlines:
            return order
        for _ in range(MOST_DEADLINES):
            waiting = due(order, before)
            if not waiting:
                break
            now = max(waiting[0].due_at, order.recorded_at)
            decided = reach(order, waiting[0], self._book if other else self._recorded, self._market, now)
            life.note(other, decided.events)
            order = decided.order
        return order

    def _calendar(self, pinned: e.Calendar) -> MarketSettings:
        """Return settings with the calendar that an order was placed with."""
        key = repr(pinned)
        found = self._markets.get(key)
        if found is None:
            found = self._markets[key] = MarketSettings(
                timezone=pinned.timezone,
                weekend=pinned.weekend,
                holidays=pinned.holidays,
                holiday_calendar=pinned.holiday_calendar,
                policy=self._name,
            )
        return found


def _about(head: e.Event) -> str | None:
    """The id that a commit is about."""
    for name in ("request_id", "shipment_id", "case_id", "dispute_id", "return_id", "ref"):
        found = getattr(head, name, None)
        if isinstance(found, str):
            return found
    return None
