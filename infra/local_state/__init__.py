"""Local state (the port is ``consumers.ports.local_state``): SQLite files in slots, and dictionaries for simulation.

A process takes the first slot whose lock is free among ``DIR/state/0``, ``DIR/state/1``, … (``claim_slot``), so several
processes on one directory each follow the log on their own. A slot has one file per partition (``open_local_state``).
"""

from infra.local_state.file import discard
from infra.local_state.memory import MemoryLocalState, memory_local_state
from infra.local_state.slots import Slot, claim_slot
from infra.local_state.sqlite import Opened, SqliteLocalState, open_local_state

__all__ = [
    "MemoryLocalState",
    "Opened",
    "Slot",
    "SqliteLocalState",
    "claim_slot",
    "discard",
    "memory_local_state",
    "open_local_state",
]
