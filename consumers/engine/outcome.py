"""What became of a command: the one answer that everybody gets, over HTTP, from a file, in a test.

An outcome is built from what the log says. The same function tells accepted from refused when a commit was written
just now and when the first outcome is given again years later, so a retry cannot read anything else.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from consumers.log.commit_codec import DecodedEvents
from consumers.log.writer import Settled
from domain.events import (
    CancelRefused,
    CancelRequested,
    CommandRefused,
    DisputeDismissed,
    Event,
    LinesCanceled,
    ShipmentRefused,
    Verdict,
)
from domain.instants import Instant
from domain.order import Order

Kind = Literal["accepted", "refused", "duplicate", "bad", "version-conflict", "unknown", "unavailable"]


@dataclass(slots=True)
class CommitPosition:
    """Where in the log the commit stands that answers a command: the session token and the proof start here.

    ``position`` is the dense position of its first event (the next one's, if it has none), ``version`` the order's
    number of events after it, ``hash`` the commit's own, the order's head after it.
    """

    partition: int
    ordinal: int
    position: int
    version: int
    hash: bytes
    recorded_at: Instant


@dataclass(slots=True)
class Outcome:
    """The answer to one command.

    ==================  ==========================================================================================
    accepted            a commit without a refusal (it may be empty: nothing changed)
    refused             a commit that records a refusal by ``rule``; or no commit at all (``standing`` None), for
                        no-such-order, not-yours, a placing that is refused, a confirmation that is missing or stale
    duplicate           this command id was answered before: ``first`` is that answer. Without ``first`` it is a
                        deadline that no longer applies
    bad                 it never reached the journal: ``pointer`` and ``message`` say what is wrong, ``rule`` its name
    version-conflict    If-Match: the order is not at the expected version, nothing was written
    unknown             it may or may not come to stand in the log: ask again with the same command id
    unavailable         nothing was written: ``rule`` says why (order-stuck, import-open, clock-off, contended, busy,
                        journal-unavailable, not-followed, partition-stopped, policy-unknown, closing), ``message`` in a
                        sentence
    ==================  ==========================================================================================

    ``order`` is the state after the commit (for answers without one: as it is now), never to be changed.
    """

    kind: Kind
    rule: str | None = None
    message: str = ""
    pointer: str | None = None
    events: DecodedEvents = ()
    verdict: Verdict | None = None
    order: Order | None = None
    standing: CommitPosition | None = None
    first: "Outcome | None" = None

    @property
    def told(self) -> "Outcome":
        """The answer itself: for a duplicate the first one, else this."""
        return self if self.first is None else self.first


TOO_LATE: Final = Outcome("unknown", "unknown", "the answer did not come in time; ask again with the same command id")
"""Nobody knows yet what will become of it."""

_REFUSALS: Final = frozenset({CancelRefused, CommandRefused, DisputeDismissed, ShipmentRefused})
_ANSWERED: Final = frozenset({CancelRequested, LinesCanceled})


def committed(events: DecodedEvents, order: Order, standing: CommitPosition) -> Outcome:
    """The outcome that a commit with these events stands for; ``order`` is the state after it."""
    told = [event for event, _ in events]
    refusal = refusal_of(told)
    if refusal is not None:
        return Outcome("refused", refusal.rule, refusal.because, None, events, refusal, order, standing)
    return Outcome("accepted", None, "", None, events, verdict_of(told), order, standing)


def refusal_of(events: Iterable[Event]) -> Verdict | None:
    """The verdict of the refusal that these events record, None if they record none."""
    for event in events:
        if event.__class__ in _REFUSALS:
            return event.verdict  # type: ignore[union-attr]
    return None


def verdict_of(events: Iterable[Event]) -> Verdict | None:
    """What the rules said to the request or cancellation that these events record, None if they record none."""
    for event in events:
        if event.__class__ in _ANSWERED:
            return event.verdict  # type: ignore[union-attr]
    return None


def refused(rule: str, verdict: Verdict | None = None, order: Order | None = None, message: str = "") -> Outcome:
    """A refusal that no commit backs."""
    because = message or (verdict.because if verdict is not None else "")
    return Outcome("refused", rule, because, verdict=verdict, order=order)


def bad(pointer: str, rule: str, message: str, order: Order | None = None) -> Outcome:
    """Malformed, in itself or in the light of its order."""
    return Outcome("bad", rule, message, pointer, order=order)


def unavailable(why: str, message: str) -> Outcome:
    """Not now; nothing was written, and the same command may be sent again."""
    return Outcome("unavailable", why, message)


def not_followed(partition: int) -> Outcome:
    """Another process decides the orders of this partition."""
    return unavailable("not-followed", f"partition {partition} is followed by another process")


def not_written(settled: Settled) -> Outcome:
    """Why a commit that was proposed does not stand in the log, or may not."""
    match settled.kind:
        case "unknown":
            message = "the log has not said whether it took this; ask again with the same command id"
            return Outcome("unknown", "unknown", message)
        case "superseded" | "duplicate":
            return unavailable("contended", "others got on each time; nothing was written, try again")
        case "malformed":
            return unavailable("malformed", f"the log would not have it: {settled.reason}")
        case _:
            return unavailable("journal-unavailable", settled.reason or "the log did not take it; try again")
