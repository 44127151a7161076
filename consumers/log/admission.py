"""Admission: a pure, total function that turns a partition of the log into its history.

Every reader runs it over the same records in log order and gets the same result for each commit: admitted, duplicate,
superseded or malformed. It reads the envelopes of records and commits, never event names or bodies. No bytes make it
raise. Its state is behind the ``Heads`` port, so that it runs on dictionaries (replay, simulation, audit) and on SQLite
(the engine's local state). See docs/reference/journal-format.md, Admission.
"""

import re
from collections.abc import Callable
from typing import Final

from consumers.ports.journal import JournalRecord
from consumers.ports.log_values import WHOLE_RECORD, AdmissionResult, Admitted, Head, Heads, Rejected, Stop
from domain.instants import Instant
from schemas.commit import COMMIT_VERSION, ZERO_HASH, Commit, StreamEntry, commit_hash, decode_commit
from schemas.partitioning import partition_of
from schemas.record import decode_record
from schemas.wire import Malformed


class Admission:
    """Admission of one partition: ``take`` records in log order."""

    def __init__(
        self,
        partition: int,
        partitions: int,
        heads: Heads,
        known: Callable[[bytes], Commit | None] | None = None,
    ) -> None:
        """``known`` returns the commit that this process encoded to exactly these bytes, or None. A known commit is not
        decoded again."""
        self.partition = partition
        self.partitions = partitions
        self.heads = heads
        self._known = known

    def take(self, record: JournalRecord, first: int = 0) -> list[AdmissionResult]:
        """Return the result for each of the record's commits from index ``first`` on. A Stop is the last one."""
        _, offset, appended_at, value = record
        try:
            commits = decode_record(value).commits
        except Malformed as wrong:
            return [Rejected(self.partition, offset, WHOLE_RECORD, "malformed", wrong.reason, value)]
        results: list[AdmissionResult] = []
        for index in range(first, len(commits)):
            result = self._take_commit(offset, index, appended_at, commits[index])
            results.append(result)
            if result.__class__ is Stop:
                break
        return results

    # Longer than sixty lines: the order of the checks is the contract, and it runs once per commit of the log, where
    # calls count.
    def _take_commit(self, offset: int, index: int, appended_at: Instant, data: bytes) -> AdmissionResult:
        heads = self.heads
        commit = self._known(data) if self._known is not None else None
        if commit is None:
            try:
                commit = decode_commit(data)
            except Malformed as wrong:
                return Rejected(self.partition, offset, index, "malformed", wrong.reason, data)
        streams = commit.streams
        events = 0
        unfit: str | None = None
        for part in streams:
            if part.kind == "chain":
                stream = part.stream
                head = heads.head(stream)
                if head is None:
                    if not self._belongs(stream):
                        reason = f"the stream {stream} belongs to another partition"
                        return Rejected(self.partition, offset, index, "malformed", reason, data, commit)
                    if part.parent != ZERO_HASH:
                        unfit = unfit or f"the stream {stream} has no commit yet"
                elif part.parent != head.hash or part.first_event != head.count:
                    unfit = unfit or f"the head of the stream {stream} is another"
                events += len(part.events)
            else:
                unfit = unfit or _unfit(heads, part)
        ordinal = heads.ordinal_of_commit(commit.commit_id)
        if ordinal is not None:
            reason = "its commit id was admitted before"
            return Rejected(self.partition, offset, index, "duplicate", reason, data, commit, ordinal)
        if commit.command_id is not None:
            ordinal = heads.ordinal_of_command(streams[0].stream, commit.command_id)
            if ordinal is not None:
                reason = "its command was answered before"
                return Rejected(self.partition, offset, index, "duplicate", reason, data, commit, ordinal)
        if unfit is not None:
            return Rejected(self.partition, offset, index, "superseded", unfit, data, commit)
        if streams[0].stream.startswith("$format/"):
            raised = raised_format(commit)
            if raised > COMMIT_VERSION:
                reason = (
                    f"from here on the partition is written in format {raised}, and this release reads formats up to "
                    f"{COMMIT_VERSION}: install a release that reads format {raised}"
                )
                return Stop(self.partition, offset, index, raised, reason)
            heads.format = max(heads.format, raised)
        admitted = Admitted(
            self.partition,
            offset,
            index,
            heads.next_ordinal,
            heads.next_position,
            appended_at,
            commit_hash(data),
            commit,
            data,
        )
        heads.next_ordinal += 1
        heads.next_position += events
        heads.admit(admitted)
        return admitted

    def _belongs(self, stream: str) -> bool:
        """Whether a chain stream may begin in this partition."""
        return self.partitions == 1 or stream[0] == "$" or partition_of(stream, self.partitions) == self.partition


def raised_format(commit: Commit) -> int:
    """Return the N of a commit whose only stream is the chain ``$format/N``; 0 for every other commit."""
    first = commit.streams[0]
    found = _FORMAT.fullmatch(first.stream)
    if found is None or len(commit.streams) > 1 or first.kind != "chain":
        return 0
    return int(found[1])


def in_sequence(commit: Commit) -> int:
    """Return how many of a commit's events are in the partition's event sequence: those of chain streams."""
    return sum(len(part.events) for part in commit.streams if part.kind == "chain")


class MemoryHeads:
    """Heads in dictionaries, for replay and audit. They store no commits."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Reset to the start of the log."""
        self.next_ordinal = 0
        self.next_position = 0
        self.format = 1
        self._heads: dict[str, Head] = {}
        self._marks: dict[str, int] = {}
        self._versions: set[tuple[str, int]] = set()
        self._commits: dict[bytes, int] = {}
        self._commands: dict[tuple[str, str], int] = {}
        self.head = self._heads.get
        self.watermark = self._marks.get
        self.ordinal_of_commit = self._commits.get

    def has_version(self, stream: str, version: int) -> bool:
        return (stream, version) in self._versions

    def ordinal_of_command(self, stream: str, command_id: str) -> int | None:
        return self._commands.get((stream, command_id))

    def admit(self, admitted: Admitted) -> None:
        commit = admitted.commit
        ordinal = admitted.ordinal
        self._commits[commit.commit_id] = ordinal
        if commit.command_id is not None:
            self._commands[commit.streams[0].stream, commit.command_id] = ordinal
        for part in commit.streams:
            if part.kind == "chain":
                self._heads[part.stream] = Head(admitted.hash, part.first_event + len(part.events))
            elif part.kind == "unique":
                self._versions.update((part.stream, part.first_event + n) for n in range(len(part.events)))
            else:
                self._marks[part.stream] = part.first_event


def _unfit(heads: Heads, part: StreamEntry) -> str | None:
    """Return why an entry of a unique or watermark stream does not fit, or None if it does."""
    if part.kind == "unique":
        for version in range(part.first_event, part.first_event + len(part.events)):
            if heads.has_version(part.stream, version):
                return f"version {version} of the stream {part.stream} is there already"
        return None
    last = heads.watermark(part.stream)
    if last is not None and part.first_event <= last:
        return f"the watermark {part.stream} is at {last} already"
    return None


_FORMAT: Final = re.compile(r"\$format/([1-9][0-9]{0,8})")
