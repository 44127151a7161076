"""The record of an order: its events in the log's order, each with its time, the time of recording, and the actor.

What checklist, chronology and recommendation read. Nothing is corrected here, and nothing left out but
support's internal notes, where a side reads.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from domain import events as e
from domain.instants import Instant


@dataclass(frozen=True, slots=True)
class Entry:
    """An event as the log has it. ``version``: its number in the order's history, from 1."""

    version: int
    event: e.Event
    occurred_at: Instant
    recorded_at: Instant
    actor_kind: str
    actor_id: str


Record = Sequence[Entry]


def is_internal(entry: Entry) -> bool:
    """A note of support to itself: never shown to either side (rule ``case-thread``)."""
    event = entry.event
    return isinstance(event, e.MessageSent) and event.to == "support" and entry.actor_kind in ("support", "system")


def seen_by(record: Iterable[Entry], viewer: str | None) -> list[Entry]:
    """The record as a buyer or seller may read it; support, auditors and the system (or None) read all of it."""
    sides = viewer in ("buyer", "seller")
    return [entry for entry in record if not (sides and is_internal(entry))]


def thread(record: Record, about: str) -> list[Entry]:
    """The messages of one matter: one thread, whoever each of them names."""
    return [entry for entry in record if isinstance(entry.event, e.MessageSent) and entry.event.about == about]


def evidence_of(record: Record, *about: str) -> list[Entry]:
    """The evidence that was attached to these cases, requests or disputes."""
    return [entry for entry in record if isinstance(entry.event, e.EvidenceAdded) and entry.event.about in about]
