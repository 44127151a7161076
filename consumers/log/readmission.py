"""Readmission: runs admission again over the bytes of a journal's partition, without local state.

``rescind doctor --deep`` and ``rescind replay --check`` use it. It also finds what an unchanged log never has: a commit
whose parent is nowhere before it (an *orphan*), and append times that go back.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from consumers.log.admission import Admission, MemoryHeads
from consumers.ports.journal import Journal, JournalRecord
from consumers.ports.log_values import AdmissionResult, Admitted, Heads, Rejected, Stop
from domain.instants import Instant
from schemas.commit import ZERO_HASH
from schemas.record import decode_record
from schemas.wire import Malformed

_PAGE: Final = 500
"""Records read at once."""


@dataclass(frozen=True, slots=True)
class Orphan:
    """A commit whose parent is not before it in the log.

    Every writer proposes a commit on a parent that it has read from the log. So the parent was changed, removed or
    moved, or this commit was written by something that never read the log.
    """

    offset: int
    index: int
    stream: str
    parent: bytes


class Readmission:
    """Admits the records of one partition again, from the first one on. Stores 8 bytes of each commit's hash."""

    def __init__(self, partition: int, partitions: int, heads: Heads | None = None) -> None:
        self.orphans: list[Orphan] = []
        """The orphans found, in log order."""
        self.back_at: int | None = None
        """Offset of the first record whose append time is earlier than that of the record before it."""
        self.newest: Instant | None = None
        """The greatest append time."""
        self._admission = Admission(partition, partitions, MemoryHeads() if heads is None else heads)
        self._hashes: set[bytes] = set()

    def take(self, record: JournalRecord) -> list[AdmissionResult]:
        """Return the result for each of the record's commits. A ``Stop`` is the last one."""
        if self.newest is not None and record.appended_at < self.newest and self.back_at is None:
            self.back_at = record.offset
        self.newest = record.appended_at if self.newest is None else max(self.newest, record.appended_at)
        results = self._admission.take(record)
        for result in results:
            if isinstance(result, Admitted):
                self._hashes.add(result.hash[:8])
            elif isinstance(result, Rejected) and result.kind != "malformed":
                self._check_parents(result)
        return results

    def _check_parents(self, rejected: Rejected) -> None:
        if rejected.commit is None:
            return
        for part in rejected.commit.streams:
            if part.kind == "chain" and part.parent != ZERO_HASH and part.parent[:8] not in self._hashes:
                self.orphans.append(Orphan(rejected.offset, rejected.index, part.stream, part.parent))


def records_of(
    journal: Journal, partition: int, behind: int | None = None, *, first: int = 0
) -> Iterator[JournalRecord]:
    """Yield the records of a partition from offset ``first`` on and below ``behind`` (None: the current end).

    Raises LogLost if the front was cut off, and other errors of reading the log.
    """
    end = journal.end(partition) if behind is None else behind
    offset = first
    while offset < end:
        records = journal.read(partition, offset, _PAGE)
        if not records:
            if (beyond := journal.behind_hole(partition, offset)) <= offset:
                return
            offset = beyond
            continue
        for record in records:
            if record.offset >= end:
                return
            yield record
        offset = records[-1].offset + 1


def commits_in(record: JournalRecord) -> Sequence[bytes]:
    """Return the bytes of the record's commits, or none if the record is malformed."""
    try:
        return decode_record(record.value).commits
    except Malformed:
        return ()


def readmit(readmission: Readmission, records: Iterator[JournalRecord]) -> Iterator[AdmissionResult]:
    """Yield the result for each commit of the records, in log order. A ``Stop`` is the last one."""
    for record in records:
        for result in readmission.take(record):
            yield result
            if isinstance(result, Stop):
                return
