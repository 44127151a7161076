"""The record: one or more commits that are appended to a partition together (``journal/record.avsc``).

Commits of a record share only the append: each is admitted, hashed and proven by itself. A record that is not
canonical is malformed as a whole. The content of its commits is not checked here.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from schemas.commit import COMMIT_VERSION
from schemas.wire import Malformed, compile_schema

MAX_RECORD_BYTES: Final = 1_040_000
"""Enough for one commit of the largest size, and below Kafka's default ``max.message.bytes``."""
MAX_RECORD_COMMITS: Final = 16_384
RECORD_OVERHEAD: Final = 272
"""The most bytes of a record, not counting its commits and their lengths (at most 5 bytes each)."""


@dataclass(slots=True)
class Record:
    """A record. ``commits`` are the exact bytes of its commits, in the order in which they are admitted."""

    format: int
    writer: str
    commits: tuple[bytes, ...]


def encode_record(writer: str, commits: Sequence[bytes]) -> bytes:
    """Encode a record of commits. Raises Malformed without commits, or if it is over a limit."""
    value = _CODEC.encode(Record(COMMIT_VERSION, writer, tuple(commits)))
    if len(value) > MAX_RECORD_BYTES:
        raise Malformed(f"the record has more than {MAX_RECORD_BYTES} bytes")
    return value


def decode_record(value: bytes) -> Record:
    """Decode a record. Raises Malformed if these are not the bytes of one."""
    if len(value) > MAX_RECORD_BYTES:
        raise Malformed(f"the record has more than {MAX_RECORD_BYTES} bytes")
    record: Record = _CODEC.decode(value)
    return record


_CODEC: Final = compile_schema(
    json.loads(files("schemas").joinpath("journal/record.avsc").read_text(encoding="utf-8")), {"Record": Record}
)
