"""A process that follows a share of the partitions, while others follow the rest."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from consumers.engine.engine import Engine
from consumers.ports.local_state import LocalState
from infra.cluster.membership import Membership
from infra.cluster.partition_assignment import PartitionAssignment
from infra.cluster.remote_commands import RemoteCommandClient
from infra.local_state import open_local_state
from infra.local_state.slots import state_file
from infra.runtime.partition_runner import PartitionListener


@dataclass(frozen=True, slots=True)
class ClusterMember:
    """A process that follows a share, as HTTP needs it."""

    url: str
    """URL at which the other processes reach this one."""
    assignment: PartitionAssignment
    """The partitions that are followed here."""
    membership: Membership
    """Which process follows the others."""
    remote_commands: RemoteCommandClient
    """Commands for these."""


def open_assignment(
    slot: Path,
    engine: Engine,
    listeners: Sequence[PartitionListener],
    *,
    grouped: int,
    on_defect: Callable[[], None] = lambda: None,
) -> PartitionAssignment:
    """The partitions of this process, none at first; not started. ``slot``: where local state is; ``grouped``: how many
    commits it keeps in memory before it writes them."""
    partitions = engine.partitions

    def state(partition: int) -> LocalState:
        opened = open_local_state(state_file(slot, partition), partition, partitions, grouped=grouped)
        opened.report_rebuild(partition, 1, first=True)
        return opened.state

    def reader(partition: int) -> LocalState:
        return open_local_state(state_file(slot, partition), partition, partitions, read_only=True).state

    return PartitionAssignment(engine, listeners, state, reader, on_defect=on_defect)
