"""The outcome of a command: one answer for all callers, whether HTTP, a file or a test.

An outcome is built from the commit in the log. One function distinguishes accepted from refused, both when a commit was
just written and when the original outcome is repeated years later. So a retry gets the same answer.
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
    """The place in the log of the commit that answers a command. The session token and the proof are made from it.

    ``position`` is the dense position of its first event (or of the next event, if it has none). ``version`` is the
    order's number of events after it. ``hash`` is the commit's own, which is the order's head after it.
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
    refused             a commit that records a refusal by ``rule``; or no commit (``commit_position`` None), for
                        no-such-order, not-yours, a placing that is refused, a confirmation that is missing or stale
    duplicate           this command id was answered before, with ``original``. Without ``original`` it is a deadline
                        that no longer applies, or the caller did not want it rebuilt
    bad                 it never reached the journal: ``pointer`` and ``message`` say what is wrong, ``rule`` its name
    version-conflict    If-Match: the order is not at the expected version, nothing was written
    unknown             it may or may not be written to the log: send it again with the same command id
    unavailable         nothing was written: ``rule`` says why (order-stuck, import-open, clock-off, contended, busy,
                        journal-unavailable, not-followed, partition-stopped, policy-unknown, closing), ``message`` in a
                        sentence
    ==================  ==========================================================================================

    ``order`` is the state after the commit, or the current state for an answer without one. It must not be changed.
    """

    kind: Kind
    rule: str | None = None
    message: str = ""
    pointer: str | None = None
    events: DecodedEvents = ()
    verdict: Verdict | None = None
    order: Order | None = None
    commit_position: CommitPosition | None = None
    original: "Outcome | None" = None

    @property
    def effective(self) -> "Outcome":
        """The outcome that counts: the original one of a duplicate, otherwise this one."""
        return self if self.original is None else self.original


TOO_LATE: Final = Outcome("unknown", "unknown", "the answer did not come in time; ask again with the same command id")
"""The outcome of a command whose time is over and which may still be written."""

_REFUSALS: Final = frozenset({CancelRefused, CommandRefused, DisputeDismissed, ShipmentRefused})
_ANSWERED: Final = frozenset({CancelRequested, LinesCanceled})


def committed(events: DecodedEvents, order: Order, position: CommitPosition) -> Outcome:
    """Return the outcome of a commit with these events. ``order`` is the state after it."""
    recorded = [event for event, _ in events]
    refusal = refusal_of(recorded)
    if refusal is not None:
        return Outcome("refused", refusal.rule, refusal.because, None, events, refusal, order, position)
    return Outcome("accepted", None, "", None, events, verdict_of(recorded), order, position)


def refusal_of(events: Iterable[Event]) -> Verdict | None:
    """Return the verdict of the refusal that these events record, or None."""
    for event in events:
        if event.__class__ in _REFUSALS:
            return event.verdict  # type: ignore[union-attr]
    return None


def verdict_of(events: Iterable[Event]) -> Verdict | None:
    """Return the rules' verdict on the request or cancellation that these events record, or None."""
    for event in events:
        if event.__class__ in _ANSWERED:
            return event.verdict  # type: ignore[union-attr]
    return None


def refused(rule: str, verdict: Verdict | None = None, order: Order | None = None, message: str = "") -> Outcome:
    """Return a refusal without a commit."""
    because = message or (verdict.because if verdict is not None else "")
    return Outcome("refused", rule, because, verdict=verdict, order=order)


def bad(pointer: str, rule: str, message: str, order: Order | None = None) -> Outcome:
    """Return the outcome of a command that is malformed, in itself or for its order."""
    return Outcome("bad", rule, message, pointer, order=order)


def unavailable(why: str, message: str) -> Outcome:
    """Return the outcome of a command that cannot be decided now. Nothing was written; it may be sent again."""
    return Outcome("unavailable", why, message)


def not_followed(partition: int) -> Outcome:
    """Return the outcome of a command whose partition another process follows."""
    return unavailable("not-followed", f"partition {partition} is followed by another process")


def not_written(settled: Settled) -> Outcome:
    """Return the outcome of a command whose commit was not written, or perhaps not."""
    match settled.kind:
        case "unknown":
            message = "it is unknown whether the log took this; ask again with the same command id"
            return Outcome("unknown", "unknown", message)
        case "superseded" | "duplicate":
            return unavailable("contended", "other commits came first each time; nothing was written, try again")
        case "malformed":
            return unavailable("malformed", f"the log does not take it: {settled.reason}")
        case _:
            return unavailable("journal-unavailable", settled.reason or "the log did not take it; try again")
