"""An order's events as JSON: the one form of ``order history --json`` and of HTTP (docs/reference/cli.md)."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from consumers.ports.local_state import LocalState
from domain.instants import Instant, format_instant
from schemas.codec import Undecodable, decode_event, event_data
from schemas.commit import EventEntry


class CommitFields(NamedTuple):
    """The fields that all events of a commit share."""

    partition: int
    ordinal: int
    recorded_at: Instant
    actor: tuple[str, str] | None
    """Kind and id."""
    hash: bytes


def event_json(commit: CommitFields, position: int, version: int, name: str, occurred_at: Instant) -> dict[str, Any]:
    """An event without its ``data``. ``version`` is the order's number of events up to and including this one."""
    return {
        "partition": commit.partition,
        "position": position,
        "ordinal": commit.ordinal,
        "version": version,
        "event": name,
        "occurred_at": format_instant(occurred_at),
        "recorded_at": format_instant(commit.recorded_at),
        "actor": None if commit.actor is None else {"kind": commit.actor[0], "id": commit.actor[1]},
        "commit": commit.hash.hex(),
    }


def history(state: LocalState, stream: str) -> Iterator[dict[str, Any]]:
    """Every event of a stream, in log order. One that this release cannot read has null ``data`` and a reason in
    ``unreadable``."""
    for admitted in state.commits_of(stream):
        commit = admitted.commit
        actor = None if commit.actor is None else (commit.actor.kind, commit.actor.id)
        fields = CommitFields(admitted.partition, admitted.ordinal, commit.recorded_at, actor, admitted.hash)
        chains = [part for part in commit.streams if part.kind == "chain"]
        places = {e.index: n for n, e in enumerate(sorted((e for part in chains for e in part.events), key=_index))}
        for part in chains:
            if part.stream != stream:
                continue
            for version, entry in enumerate(part.events, part.first_event + 1):
                position = admitted.position + places[entry.index]
                record = event_json(fields, position, version, entry.name, entry.occurred_at)
                try:
                    record["data"] = event_data(decode_event(entry.name, entry.schema_version, entry.body))
                except Undecodable as newer:
                    record |= {"data": None, "unreadable": str(newer)}
                yield record


def _index(entry: EventEntry) -> int:
    return entry.index
