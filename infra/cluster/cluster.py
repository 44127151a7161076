"""A process that follows its share, as the rest of it knows that: one object, opened from settings."""

from collections.abc import Callable, Sequence
from pathlib import Path

from consumers.engine.engine import Engine
from consumers.ports.local_state import LocalState
from infra.cluster.membership import Group, Membership
from infra.cluster.partition_assignment import Listening, PartitionAssignment
from infra.cluster.remote_commands import RemoteCommandClient
from infra.local_state import open_local_state
from infra.local_state.slots import state_file
from infra.settings import Settings
from infra.vault.base import DatabaseVault


class ClusterMember:
    """``assignment``: the partitions that are here; ``whereabouts``: who has the others; ``asking``: commands for them;
    ``url``: where this process says that it is reached."""

    def __init__(self, url: str, assignment: PartitionAssignment, group: Group, asking: RemoteCommandClient) -> None:
        self.url = url
        self.assignment = assignment
        self.whereabouts = Membership(group)
        self.asking = asking
        self._group = group

    def start(self, on_broken: Callable[[], None]) -> None:
        """Start the threads; before partitions are given to this process."""
        self.asking.start()
        self.assignment.start(on_broken)

    def close(self) -> None:
        """Ask nobody any more. ``assignment`` is stopped before, and closed after the engine."""
        self.asking.close()
        self._group.close()


def open_sharing(
    settings: Settings,
    url: str,
    slot: Path,
    engine: Engine,
    vault: DatabaseVault,
    listeners: Callable[[], Sequence[Listening]],
    grouped: int,
) -> ClusterMember:
    """See ``ClusterMember``; not started yet. ``grouped``: commits that local state keeps in memory at most."""
    at, partitions = settings.commands_at, engine.partitions
    assert at is not None

    def state(partition: int) -> LocalState:
        opened = open_local_state(state_file(slot, partition), partition, partitions, grouped=grouped)
        opened.report_rebuild(partition, 1, first=True)
        return opened.state

    def beside(partition: int) -> LocalState:
        return open_local_state(state_file(slot, partition), partition, partitions, read_only=True).state

    assignment = PartitionAssignment(engine, listeners, state, beside)
    return ClusterMember(
        url, assignment, Group(at, settings.security), RemoteCommandClient(at, partitions, settings.security, vault)
    )
