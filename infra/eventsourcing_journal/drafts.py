"""A draft: what a recorder wants to save, before its place in its streams is known."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from eventsourcing.persistence import IntegrityError, StoredEvent, Tracking

from consumers.ports.log_values import Admitted
from domain.instants import Instant
from infra.eventsourcing_journal.naming import snapshots_of, tracking_of
from schemas.commit import ActorEntry, StreamKind


class Envelope(NamedTuple):
    """The fields of a commit other than its events. None is filled in at the time of writing: the clock, or the store's
    name.

    With a ``command_id``, the commit's id is derived from the command and the first stream, so the same history has the
    same bytes whoever writes it (docs/reference/journal-format.md).
    """

    command_id: str | None = None
    command_fingerprint: bytes | None = None
    actor: ActorEntry | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    recorded_at: Instant | None = None
    writer: str | None = None


class Fact(NamedTuple):
    """One event of a draft: its index in the commit (dense from 0), its name, its body in this version of its schema,
    and when it occurred, if the application gives it."""

    place: int
    name: str
    schema_version: int
    occurred_at: Instant | None
    body: bytes


@dataclass(slots=True)
class Part:
    """The draft's part in one stream. ``first`` is the version of its first event, or the value of the watermark."""

    stream: str
    kind: StreamKind
    first: int
    facts: list[Fact] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Draft:
    """A commit to be written. ``future`` returns the admitted commit, or raises an error of
    ``eventsourcing.persistence``."""

    parts: Sequence[Part]
    envelope: Envelope
    future: Future[Admitted]


def parts_of(
    events: Iterable[StoredEvent],
    stream_of: Callable[[UUID | str], str],
    *,
    tracking: Tracking | None = None,
    purpose: str | None = None,
) -> list[Part]:
    """The parts of these events by stream, in the order in which the streams first occur, and the tracking's watermark.

    ``stream_of`` names the chain stream of an aggregate. ``purpose``: the events are not an aggregate's own, but
    additional ones (snapshots). IntegrityError if the versions in one stream do not follow one another.
    """
    parts: dict[UUID | str, Part] = {}
    for index, event in enumerate(events):
        part = parts.get(event.originator_id)
        if part is None:
            stream = stream_of(event.originator_id)
            kind: StreamKind = "chain" if purpose is None else "unique"
            name = stream if purpose is None else snapshots_of(purpose, stream)
            part = parts[event.originator_id] = Part(name, kind, event.originator_version)
        elif event.originator_version != part.first + len(part.facts):
            raise IntegrityError(
                f"version {event.originator_version} of {event.originator_id} does not follow "
                f"{part.first + len(part.facts) - 1}: save the events of an aggregate in their order"
            )
        part.facts.append(_fact(index, event))
    found = list(parts.values())
    if tracking is not None:
        found.append(Part(tracking_of(tracking.application_name), "watermark", tracking.notification_id))
    return found


def _fact(index: int, event: StoredEvent) -> Fact:
    """The library's stored events have no schema version and no time of occurrence. Rescind's have both
    (``RecordedEvent``)."""
    return Fact(
        index, event.topic, getattr(event, "schema_version", 1), getattr(event, "occurred_at", None), event.state
    )
