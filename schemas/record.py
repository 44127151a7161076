"""The record: the 1..n commits that waited for one partition at the same moment (``journal/record.avsc``, DESIGN 3).

A record joins nothing but the trip to the log: each commit is judged, hashed and proven by itself. A record that is
not canonical is malformed whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(slots=True)
class Record:
    format: int
    writer: str
    commits: tuple[bytes, ...]


def encode_record(writer: str, commits: Sequence[bytes]) -> bytes:
    """The record of these commits' bytes; Malformed if it is over a limit."""
    raise NotImplementedError


def decode_record(value: bytes) -> Record:
    """The record whose bytes these are; Malformed if there is none."""
    raise NotImplementedError
