"""The embedded journal: one SQLite file is one topic. WAL, ``synchronous=FULL``, group commit by one writer thread."""

from collections.abc import Callable
from pathlib import Path

from domain.instants import Instant


def open_sqlite_journal(
    path: Path,
    partitions: int | None = None,
    *,
    create: bool = True,
    synchronous: str = "FULL",
    clock: Callable[[], Instant] | None = None,
) -> "SqliteJournal":
    """The journal in this file, created with so many partitions if it is not there (``partitions`` None: it must be).

    JournalMismatch if it has another number of partitions or is another kind of file, JournalDamaged if it cannot be
    read, JournalUnavailable if it is not there and may not be created.
    """
    raise NotImplementedError


class SqliteJournal:
    """The Journal port over one SQLite file; several processes may have it open."""
