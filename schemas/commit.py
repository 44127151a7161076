"""The commit: all events of one decision, as Avro bytes (``journal/commit.avsc``).

See docs/reference/journal-format.md.

``decode_commit`` accepts exactly the bytes that ``encode_commit`` returns. Bytes that are not canonical, out of range
or over a limit raise Malformed. The limits are part of the format: no setting or release changes them. The hash of a
commit is the SHA-256 of its bytes. The ``parent`` of a chain stream is the hash of its previous commit. Bodies of
events are opaque here.
"""

import json
from dataclasses import dataclass
from hashlib import sha1, sha256
from importlib.resources import files
from itertools import pairwise
from typing import Final, Literal
from uuid import UUID

from domain.instants import Instant
from schemas.wire import Malformed, compile_schema

COMMIT_VERSION: Final = 1
"""The newest format that this release reads and writes; ``Record.format`` is the same number."""
MAX_COMMIT_BYTES: Final = 1_000_000
MAX_EVENTS: Final = 65_536
"""The most events of a commit, in all streams together. Indexes are dense, and the schema allows none above 65,535."""
ZERO_HASH: Final = bytes(32)
"""The parent of a chain stream's first commit, and of all parts of other kinds."""

StreamKind = Literal["chain", "unique", "watermark"]


@dataclass(slots=True)
class ActorEntry:
    """The actor of a commit: its kind (buyer, seller, support, system, …) and its id within that kind."""

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

    chain: ``parent`` is the stream's head, ``first_event`` its event count; no events is allowed (a fence). unique:
    ``first_event`` is the version of the first event, the others follow; at least one event; parent ZERO_HASH.
    watermark: ``first_event`` is the value; no events; parent ZERO_HASH.
    """

    stream: str
    kind: StreamKind
    parent: bytes
    first_event: int
    events: tuple[EventEntry, ...]


@dataclass(slots=True)
class Commit:
    """The envelope, field by field as in ``commit.avsc``. The command id belongs to the first stream."""

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
    """Encode a commit. Raises Malformed if a value is out of range or over a limit."""
    data = _CODEC.encode(commit)
    _judge(commit, data)
    return data


def decode_commit(data: bytes) -> Commit:
    """Decode a commit. Raises Malformed if these are not the bytes of one."""
    if len(data) > MAX_COMMIT_BYTES:
        raise Malformed(f"the commit has more than {MAX_COMMIT_BYTES} bytes")
    commit: Commit = _CODEC.decode(data)
    _judge(commit, data)
    return commit


def commit_hash(data: bytes) -> bytes:
    """Return the SHA-256 of a commit's bytes."""
    return sha256(data).digest()


def commit_id(stream: str, command_id: str, parent: bytes) -> bytes:
    """Compute the id of the commit for ``command_id`` on its first stream at this head: a UUIDv5, 16 bytes.

    The UUID's name consists of the three arguments, with the parent in lower-case hex and zero bytes between them. The
    same history therefore has the same bytes, no matter which writer wrote it.
    """
    name = f"{stream}\0{command_id}\0{parent.hex()}"
    made = bytearray(sha1(_NAMESPACE + name.encode(), usedforsecurity=False).digest()[:16])
    made[6] = made[6] & 0x0F | 0x50
    made[8] = made[8] & 0x3F | 0x80
    return bytes(made)


def _judge(commit: Commit, data: bytes) -> None:
    """Check what the schema cannot express: size, one part for each stream, the fields of each kind, dense indexes."""
    if len(data) > MAX_COMMIT_BYTES:
        raise Malformed(f"the commit has more than {MAX_COMMIT_BYTES} bytes")
    streams = commit.streams
    for part in streams:
        if part.kind == "chain":
            continue
        if part.parent != ZERO_HASH:
            raise Malformed(f"a {part.kind} stream has a parent")
        if part.kind == "unique":
            if not part.events:
                raise Malformed("a unique stream has no event")
        elif part.events:
            raise Malformed("a watermark stream has events")
    if len(streams) == 1:
        for expected, event in enumerate(streams[0].events):
            if event.index != expected:
                raise Malformed("the events' indexes are not dense from 0")
    else:
        _judge_several(streams)


def _judge_several(streams: tuple[StreamEntry, ...]) -> None:
    if len({part.stream for part in streams}) != len(streams):
        raise Malformed("a stream occurs twice")
    indexes: list[int] = []
    for part in streams:
        own = [event.index for event in part.events]
        if any(later <= earlier for earlier, later in pairwise(own)):
            raise Malformed("the events' indexes do not rise within a stream")
        indexes += own
    indexes.sort()
    if indexes != list(range(len(indexes))):
        raise Malformed("the events' indexes are not dense from 0")


_NAMESPACE: Final = UUID("6f2d1f2e-6a0b-5c1e-9d47-3f0f5f8f2b61").bytes
_CODEC: Final = compile_schema(
    json.loads(files("schemas").joinpath("journal/commit.avsc").read_text(encoding="utf-8")),
    {"Commit": Commit, "Actor": ActorEntry, "StreamPart": StreamEntry, "Event": EventEntry},
)
