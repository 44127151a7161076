"""Where an embedded store keeps what, and this process's clock: the few words that reading and writing share."""

import time
from pathlib import Path
from typing import Final

from domain.instants import Instant

JOURNAL_FILE: Final = "journal.sqlite"
CONTROL_FILE: Final = "control.sqlite"
BOOK_FILE: Final = "notices.sqlite"
"""The notifier's book."""


def clock() -> Instant:
    """The clock of this process: microseconds since 1970, UTC."""
    return time.time_ns() // 1000


def state_file(slot: Path, partition: int) -> Path:
    """The local state of a partition in a slot."""
    return slot / f"journal-{partition}.sqlite"
