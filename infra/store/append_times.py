"""Checks the append times of the newest records, which show a wrong clock or a changed journal."""

from typing import Final

from consumers.ports.journal import Journal, JournalError, JournalRecord
from domain.instants import Instant, format_instant

NEWEST: Final = 500
"""Records of each partition that a start looks at."""


def odd_times(journal: Journal, now: Instant, tolerance: int) -> dict[str, str]:
    """Return by partition what is odd about the append times of a journal's newest records.

    ``tolerance``: microseconds by which clocks may differ. Partitions that cannot be read are left out.
    """
    found = {}
    for partition in range(journal.partitions):
        newest: Instant | None = None
        for record in _newest(journal, partition):
            if newest is not None and record.appended_at < newest - tolerance:
                found[f"partition {partition}"] = (
                    f"the record at offset {record.offset} was appended at {format_instant(record.appended_at)}, "
                    f"earlier than one before it ({format_instant(newest)}): a clock was set back, records were moved, "
                    "or a time was changed. `rescind doctor --deep` judges every record"
                )
                break
            newest = record.appended_at if newest is None else max(newest, record.appended_at)
        if newest is not None and newest > now + tolerance:
            found[f"partition {partition}"] = (
                f"a record was appended at {format_instant(newest)}, and this machine's clock is at "
                f"{format_instant(now)}: set it right, or compare the journal with a copy: the time was changed"
            )
    return found


def _newest(journal: Journal, partition: int) -> list[JournalRecord]:
    try:
        first = max(journal.end(partition) - NEWEST, journal.begin(partition))
        return journal.read(partition, first, NEWEST)
    except JournalError:
        return []
