"""The record of an order: its events in the log's order, each with its time, the time of recording, and the actor.

Checklist, chronology and recommendation read it. Nothing is corrected. Nothing is left out, except support's internal
notes for a buyer or seller.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from domain import events as e
from domain.instants import Instant


@dataclass(frozen=True, slots=True)
class Entry:
    """An event of the log. ``version`` is its number in the order's history, from 1."""

    version: int
    event: e.Event
    occurred_at: Instant
    recorded_at: Instant
    actor_kind: str
    actor_id: str


Record = Sequence[Entry]


def is_internal(entry: Entry) -> bool:
    """Whether the entry is an internal note of support, which neither side sees (rule ``case-thread``)."""
    event = entry.event
    return isinstance(event, e.MessageSent) and event.to == "support" and entry.actor_kind in ("support", "system")


def seen_by(record: Iterable[Entry], viewer: str | None) -> list[Entry]:
    """Return the entries that a viewer may read. Only buyers and sellers do not see all of them."""
    sides = viewer in ("buyer", "seller")
    return [entry for entry in record if not (sides and is_internal(entry))]


def thread(record: Record, about: str) -> list[Entry]:
    """Return the messages about one matter as a single thread, no matter whom they are addressed to."""
    return [entry for entry in record if isinstance(entry.event, e.MessageSent) and entry.event.about == about]


def evidence_of(record: Record, *about: str) -> list[Entry]:
    """Return the evidence that was attached to these cases, requests or disputes."""
    return [entry for entry in record if isinstance(entry.event, e.EvidenceAdded) and entry.event.about in about]
