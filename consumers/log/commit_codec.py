"""Read the events of admitted commits: decode them, apply them to an order, number them. Pure."""

from collections.abc import Sequence
from typing import Final

from consumers.ports.log_values import Admitted
from domain import events as e
from domain.events import Event
from domain.folding import apply
from domain.instants import Instant
from domain.order import Order, Stamp, fresh
from schemas.codec import Undecodable, decode_event
from schemas.commit import Commit, EventEntry, StreamEntry
from schemas.wire import Malformed

ENGINE: Final = ("system", "engine")
"""The actor of commits that answer no command: deadlines, ticks, fences."""
HISTORY: Final = "import"
"""The ``writer`` of imported commits. They are history, and have no effects outside."""
UNREADABLE: Final = (
    Undecodable,
    Malformed,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)
"""Errors that reading an admitted commit may raise, because anyone may append to the log and releases have bugs."""

DecodedEvents = tuple[tuple[Event, Instant], ...]
"""The events of one commit with their ``occurred_at``."""


def events_of(part: StreamEntry) -> DecodedEvents:
    """Decode a stream's events in one commit. Raises Undecodable."""
    return tuple([(decode_event(e.name, e.schema_version, e.body), e.occurred_at) for e in part.events])


def stamp_of(commit: Commit) -> Stamp:
    """Build the stamp that a commit's envelope puts on all its events."""
    kind, name = ENGINE if commit.actor is None else (commit.actor.kind, commit.actor.id)
    return Stamp(commit.recorded_at, kind, name, commit.command_fingerprint, commit.correlation_id)


def unwritten(stream: str) -> Order:
    """Return the empty state that a stream's first event is applied to. A subject's stream has no order id."""
    marketplace, _, rest = stream.partition("/")
    return fresh(marketplace, "" if "/" in rest else rest)


def part_of(commit: Commit, stream: str) -> StreamEntry | None:
    """Return a commit's entry for a chain stream, or None."""
    for part in commit.streams:
        if part.stream == stream and part.kind == "chain":
            return part
    return None


def apply_all(order: Order, part: StreamEntry, commit: Commit) -> str | None:
    """Apply a commit's events in place. Returns why that cannot be done, or None.

    The log takes what anyone appends. Events that do not fit the order's history make the order unreadable.
    """
    try:
        events = events_of(part)
    except Undecodable as newer:
        return str(newer)
    stamp = stamp_of(commit)
    event: Event | None = None
    try:
        for event, occurred_at in events:
            apply(order, event, occurred_at, stamp)
    except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError) as misfit:
        return f"{type(event).__name__} does not fit the order's history: {misfit!r}"
    return None


def positions_of(admitted: Admitted, part: StreamEntry) -> Sequence[int]:
    """Return the dense positions of an entry's events, in the order of their index in the commit."""
    commit: Commit = admitted.commit
    first = admitted.position
    if len(commit.streams) == 1:
        return range(first, first + len(part.events))
    indexes = sorted(event.index for other in commit.streams if other.kind == "chain" for event in other.events)
    place = {index: first + rank for rank, index in enumerate(indexes)}
    return [place[event.index] for event in part.events] or [first]


def decoded(entry: EventEntry) -> e.Event | None:
    """Decode an event. Returns None where this release cannot read it."""
    try:
        return decode_event(entry.name, entry.schema_version, entry.body)
    except UNREADABLE:
        return None


def is_order(stream: str) -> bool:
    """Whether a stream is an order's, ``marketplace/order_id``. Others are control streams, subjects, or another
    program's streams."""
    marketplace, slash, order_id = stream.partition("/")
    return bool(slash) and marketplace[:1] != "$" and "/" not in order_id
