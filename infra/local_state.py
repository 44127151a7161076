"""Local state in SQLite: one file per partition, in a slot that one process at a time has for itself.

``DIR/state/0``, ``DIR/state/1``, …: a process takes the first slot whose lock is free (``claim_slot``), so that several
processes on one directory each follow the log by themselves. A file that is missing, unreadable or of another version
is made anew, and said so.
"""

from dataclasses import dataclass
from pathlib import Path

from consumers.local_state import LocalState


@dataclass(slots=True)
class Slot:
    """A directory for local state files that is this process's own until released (or until it dies)."""

    path: Path
    number: int

    def release(self) -> None:
        raise NotImplementedError


def claim_slot(directory: Path) -> Slot:
    """The first free slot below ``directory``/state, made if need be."""
    raise NotImplementedError


@dataclass(slots=True)
class Opened:
    """Local state, and why it had to be made anew (None: it was there; ``missing`` the first time)."""

    state: LocalState
    rebuilt: str | None


def open_local_state(path: Path, partition: int, partitions: int, *, read_only: bool = False) -> Opened:
    """The local state in this file. Whether it fits the log is the follower's question (``Follower.start``)."""
    raise NotImplementedError


def memory_local_state(partition: int, partitions: int) -> LocalState:
    """Local state in dictionaries, for simulation."""
    raise NotImplementedError
