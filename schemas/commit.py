"""The commit: everything that one decision wrote, as Avro bytes (``journal/commit.avsc``, DESIGN 3).

``decode_commit`` accepts exactly the bytes that ``encode_commit`` gives: what is not canonical, out of range or over
a limit is Malformed. The hash of a commit is the SHA-256 of its bytes; ``parent`` of a chain stream is the hash of the
commit that last touched it. Bodies of events are opaque here.
"""

from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

from domain.instants import Instant

ZERO_HASH: Final = bytes(32)
StreamKind = Literal["chain", "unique", "watermark"]


@dataclass(slots=True)
class ActorEntry:
    kind: str
    id: str


@dataclass(slots=True)
class EventEntry:
    """One event: ``index`` is its place among all events of the commit, dense from 0."""

    index: int
    name: str
    schema_version: int
    occurred_at: Instant
    body: bytes


@dataclass(slots=True)
class StreamEntry:
    """A commit's part in one stream.

    chain: ``parent`` is the stream's head, ``first_event`` its event count. unique: ``first_event`` is the version of
    the first event, the others follow; at least one event; parent ZERO_HASH. watermark: ``first_event`` is the value;
    no events; parent ZERO_HASH.
    """

    stream: str
    kind: StreamKind
    parent: bytes
    first_event: int
    events: tuple[EventEntry, ...]


@dataclass(slots=True)
class Commit:
    commit_version: int
    commit_id: bytes
    command_id: str | None
    command_fingerprint: bytes | None
    actor: ActorEntry | None
    correlation_id: str | None
    causation_id: str | None
    recorded_at: Instant
    writer: str
    streams: tuple[StreamEntry, ...]


def encode_commit(commit: Commit) -> bytes:
    """The commit's bytes; Malformed if it is out of range or over a limit."""
    raise NotImplementedError


def decode_commit(data: bytes) -> Commit:
    """The commit whose bytes these are; Malformed if there is none."""
    raise NotImplementedError


def commit_hash(data: bytes) -> bytes:
    """SHA-256 of a commit's bytes."""
    raise NotImplementedError


def commit_id(stream: str, command_id: str, parent: bytes) -> bytes:
    """The id of the commit that answers ``command_id`` on the first stream at this head: a UUIDv5, 16 bytes."""
    raise NotImplementedError
