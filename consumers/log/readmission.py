"""Re-admission: judges a partition again from the bytes of its journal, and trusts no local state.

``rescind doctor --deep`` and ``rescind replay --check`` stand on it. Beside admission's verdicts it notices what an
unchanged log never has: a commit whose parent is nowhere before it (an *orphan*), and append times that go back.
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
"""Records that are read at once."""


@dataclass(frozen=True, slots=True)
class Orphan:
    """A commit that was written behind another one, which is not before it in the log.

    Every writer proposes a commit on a parent that it has read from the log. So the parent was changed, removed or
    moved, or somebody wrote this commit who never read the log.
    """

    offset: int
    index: int
    stream: str
    parent: bytes


class Readmission:
    """Judges the records of one partition again, from its first record on. Remembers 8 bytes of each commit's hash."""

    def __init__(self, partition: int, partitions: int, heads: Heads | None = None) -> None:
        self.orphans: list[Orphan] = []
        """Commits whose parent is not before them, in log order."""
        self.back_at: int | None = None
        """Offset of the first record that was appended earlier than the one before it, by the log's own times."""
        self.newest: Instant | None = None
        """The greatest append time."""
        self._admission = Admission(partition, partitions, MemoryHeads() if heads is None else heads)
        self._hashes: set[bytes] = set()

    def take(self, record: JournalRecord) -> list[AdmissionResult]:
        """Judge the record's commits, in order. A ``Stop`` is the last of the list: this release reads no further."""
        if self.newest is not None and record.appended_at < self.newest and self.back_at is None:
            self.back_at = record.offset
        self.newest = record.appended_at if self.newest is None else max(self.newest, record.appended_at)
        verdicts = self._admission.take(record)
        for verdict in verdicts:
            if isinstance(verdict, Admitted):
                self._hashes.add(verdict.hash[:8])
            elif isinstance(verdict, Rejected) and verdict.kind != "malformed":
                self._look_for_parents(verdict)
        return verdicts

    def _look_for_parents(self, rejected: Rejected) -> None:
        if rejected.commit is None:
            return
        for part in rejected.commit.streams:
            if part.kind == "chain" and part.parent != ZERO_HASH and part.parent[:8] not in self._hashes:
                self.orphans.append(Orphan(rejected.offset, rejected.index, part.stream, part.parent))


def records_of(
    journal: Journal, partition: int, behind: int | None = None, *, first: int = 0
) -> Iterator[JournalRecord]:
    """Every record of a partition from offset ``first`` on, those at ``behind`` and after left out (None: up to the end
    as it is now).

    LogLost where the front was cut off; what else reading the log raises.
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
    """The bytes of the record's commits; none if the record is malformed."""
    try:
        return decode_record(record.value).commits
    except Malformed:
        return ()


def readmit(readmission: Readmission, records: Iterator[JournalRecord]) -> Iterator[AdmissionResult]:
    """The verdict about every commit of the records, in log order; a ``Stop`` is the last one."""
    for record in records:
        for verdict in readmission.take(record):
            yield verdict
            if isinstance(verdict, Stop):
                return
