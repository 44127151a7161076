"""Session tokens: how far the log must be read for a response to include the caller's own writes.

A token is a list of positions by partition: ``0:17,1:4`` means the event at position 17 of partition 0 and the one at
position 4 of partition 1. A write answers with it as ``Rescind-Position``, and the client sends it along with reads.
"""

import re
from collections.abc import Mapping
from typing import Final

from consumers.engine.outcome import Outcome
from infra.api.problems import malformed

HEADER: Final = "Rescind-Position"
_FORM = re.compile(r"\s*([0-9]{1,4}):([0-9]{1,18})\s*", re.ASCII)
MOST: Final = 1024
"""Partitions that a token may name at most."""


def read_token(header: str | None) -> dict[int, int]:
    """Return the positions of a token by partition; Problem 400 if it is malformed."""
    if header is None or not header.strip():
        return {}
    found: dict[int, int] = {}
    parts = header.split(",")
    if len(parts) > MOST:
        raise malformed("Rescind-Position names too many partitions", rule="rescind-position", status=400)
    for part in parts:
        match = _FORM.fullmatch(part)
        if match is None:
            raise malformed("Rescind-Position is a list like 0:17,1:4", rule="rescind-position", status=400)
        partition, position = int(match[1]), int(match[2])
        found[partition] = max(position, found.get(partition, 0))
    return found


def write_token(positions: Mapping[int, int]) -> str:
    """Return the token of these positions."""
    return ",".join(f"{partition}:{position}" for partition, position in sorted(positions.items()))


def token_of(outcome: Outcome) -> str | None:
    """Return the token of a write: the position of its last event; None if the answer has no commit.

    For a commit without events it is the position of the event before it.
    """
    standing = outcome.commit_position
    if standing is None:
        return None
    last = standing.position + len(outcome.events) - 1
    return None if last < 0 else write_token({standing.partition: last})
