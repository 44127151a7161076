"""Session tokens: how far the log must have been read for an answer to contain what the caller wrote.

A token is a vector of positions, one per partition that matters: ``0:17,1:4`` means "the event with position 17 of
partition 0, and 4 of partition 1". It travels as ``Rescind-Position`` on answers to writes and comes back on reads.
"""

import re
from collections.abc import Mapping
from typing import Final

from consumers.engine.outcome import Outcome
from infra.api.problems import malformed

HEADER: Final = "Rescind-Position"
_FORM = re.compile(r"\s*([0-9]{1,4}):([0-9]{1,18})\s*", re.ASCII)
MOST: Final = 1024
"""Partitions that a token may name."""


def read_token(header: str | None) -> dict[int, int]:
    """The positions that a token names, by partition; 400 where it is not one."""
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
    """The token of these positions."""
    return ",".join(f"{partition}:{position}" for partition, position in sorted(positions.items()))


def token_of(outcome: Outcome) -> str | None:
    """The token of what a write left behind: its last event's position; None if no commit backs the answer.

    An empty commit points to the event before it: whoever has read that has read all there is of the order.
    """
    standing = outcome.commit_position
    if standing is None:
        return None
    last = standing.position + len(outcome.events) - 1
    return None if last < 0 else write_token({standing.partition: last})
