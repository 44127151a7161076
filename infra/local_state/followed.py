"""Connections for reading the local state of followed partitions."""

from collections.abc import Mapping
from pathlib import Path

from consumers.log.follower import Follower
from infra.local_state.slots import state_file
from infra.local_state.sqlite import open_local_state
from infra.runtime.partition_runner import FollowedPartition


def open_followed(slot: Path, followers: Mapping[int, Follower], partitions: int) -> dict[int, FollowedPartition]:
    """Open one more connection to the local state of each follower, whose files are in ``slot``."""
    return {
        partition: FollowedPartition(
            open_local_state(state_file(slot, partition), partition, partitions, read_only=True).state, follower
        )
        for partition, follower in followers.items()
    }
