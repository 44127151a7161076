"""The record: the 1..n commits that waited for one partition at the same moment (``journal/record.avsc``).

A record joins nothing but the trip to the log: each commit is judged, hashed and proven by itself. A record that is not
canonical is malformed whole. What its commits say is not looked at here.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from schemas.commit import COMMIT_VERSION
from schemas.wire import Malformed, compile_schema

MAX_RECORD_BYTES: Final = 1_040_000
"""Room for one commit of the largest size, and below Kafka's default ``max.message.bytes``."""
MAX_RECORD_COMMITS: Final = 16_384
RECORD_OVERHEAD: Final = 272
"""Bytes that a record takes at most besides its commits and their lengths (5 bytes each at most)."""


@dataclass(slots=True)
class Record:
    """``commits`` are the commits' exact bytes, in the order in which they are judged."""

    format: int
    writer: str
    commits: tuple[bytes, ...]


def encode_record(writer: str, commits: Sequence[bytes]) -> bytes:
    """The record of these commits' bytes; Malformed if there is none or it is over a limit."""
    value = _CODEC.encode(Record(COMMIT_VERSION, writer, tuple(commits)))
    if len(value) > MAX_RECORD_BYTES:
        raise Malformed(f"the record has more than {MAX_RECORD_BYTES} bytes")
    return value


def decode_record(value: bytes) -> Record:
    """The record whose bytes these are; Malformed if there is none."""
    if len(value) > MAX_RECORD_BYTES:
        raise Malformed(f"the record has more than {MAX_RECORD_BYTES} bytes")
    record: Record = _CODEC.decode(value)
    return record


_CODEC: Final = compile_schema(
    json.loads(files("schemas").joinpath("journal/record.avsc").read_text(encoding="utf-8")), {"Record": Record}
)
