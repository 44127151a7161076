"""Local state in dictionaries: for simulation, and for logs that are small or read once.

It stores the bytes of each commit and a few numbers, and decodes a commit again when it is read. ``rollback`` drops
what was not flushed, as the end of a process does for a file.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import NamedTuple

from consumers.log.admission import MemoryHeads, in_sequence
from consumers.ports.local_state import Due, LocalState, Parked, Place, Version
from consumers.ports.log_values import Admitted, Rejected
from domain.instants import Instant
from schemas.commit import commit_hash, decode_commit


class _Stored(NamedTuple):
    offset: int
    number: int
    position: int
    appended_at: Instant
    data: bytes


def memory_local_state(partition: int, partitions: int) -> LocalState:
    """Local state of one partition that lives as long as this object."""
    return MemoryLocalState(partition, partitions)


class MemoryLocalState(MemoryHeads):
    """The LocalState port on dictionaries."""

    def __init__(self, partition: int, partitions: int) -> None:
        super().__init__()
        self.partition = partition
        self.partitions = partitions
        self.identity: str | None = None
        self.next_offset = 0
        self.next_index = 0
        self.due_through = 0
        self._stored: list[_Stored] = []
        self._of: dict[str, list[int]] = {}
        self._brought: dict[str, dict[int, int]] = {}
        self._due: dict[str, Sequence[tuple[str, Instant]]] = {}
        self._parked: list[Parked] = []
        self._rejected = {"duplicate": 0, "superseded": 0, "malformed": 0}
        self._flushed = (0, 0, dict(self._rejected))

    @property
    def last(self) -> Place | None:
        if not self._stored:
            return None
        stored = self._stored[-1]
        return Place(stored.offset, stored.number, commit_hash(stored.data))

    def bind(self, identity: str) -> None:
        self.identity = identity

    def admit(self, admitted: Admitted) -> None:
        super().admit(admitted)
        at = (admitted.offset, admitted.index, admitted.position, admitted.appended_at, admitted.data)
        self._stored.append(_Stored(*at))
        for part in admitted.commit.streams:
            self._of.setdefault(part.stream, []).append(admitted.ordinal)
            if part.kind == "unique":
                brought = self._brought.setdefault(part.stream, {})
                brought.update((part.first_event + n, admitted.ordinal) for n in range(len(part.events)))

    def reject(self, rejected: Rejected) -> None:
        self._rejected[rejected.kind] += 1
        if rejected.kind == "malformed":
            self._parked.append(Parked(rejected.offset, rejected.index, rejected.reason))

    def flush(self, next_offset: int, next_index: int = 0) -> None:
        self.next_offset, self.next_index = next_offset, next_index
        self._flushed = (len(self._stored), len(self._parked), dict(self._rejected))

    def write(self) -> None:
        """Do nothing: memory has no file behind it."""

    @property
    def stored_offset(self) -> int:
        return self.next_offset

    @property
    def stored_ordinal(self) -> int:
        return self._flushed[0]

    def rollback(self) -> None:
        commits, parked, rejected = self._flushed
        stored = self._stored[:commits]
        del self._parked[parked:]
        self._rejected = dict(rejected)
        self._stored, self._of, self._brought = [], {}, {}
        self.clear()
        for each in stored:
            admitted = self._admitted(self.next_ordinal, each)
            self.next_ordinal += 1
            self.next_position += in_sequence(admitted.commit)
            self.admit(admitted)

    def refresh(self) -> None:
        """Do nothing: no other connection writes to this memory."""

    def commit_at(self, ordinal: int) -> Admitted | None:
        return self._admitted(ordinal, self._stored[ordinal]) if 0 <= ordinal < len(self._stored) else None

    def commits(self, first: int = 0, behind: int | None = None) -> Iterator[Admitted]:
        ordinal = first
        while ordinal < min(len(self._stored), len(self._stored) if behind is None else behind):
            yield self._admitted(ordinal, self._stored[ordinal])
            ordinal += 1

    def commits_of(self, stream: str, first: int = 0, after: int = -1) -> Iterator[Admitted]:
        found: list[Admitted] = []
        for ordinal in reversed(self._of.get(stream, ())):
            if ordinal <= after:
                break
            admitted = self._admitted(ordinal, self._stored[ordinal])
            part = next(part for part in admitted.commit.streams if part.stream == stream)
            if first and part.first_event + len(part.events) <= first:
                break
            found.append(admitted)
        yield from reversed(found)

    def ordinal_at(self, position: int) -> int:
        if position >= self.next_position:
            return len(self._stored)
        return max(bisect_right(self._stored, position, key=attrgetter("position")) - 1, 0)

    def versions(
        self,
        stream: str,
        first: int | None = None,
        last: int | None = None,
        *,
        newest_first: bool = False,
        limit: int | None = None,
    ) -> list[Version]:
        found = sorted(
            Version(version, ordinal)
            for version, ordinal in self._brought.get(stream, {}).items()
            if (first is None or version >= first) and (last is None or version <= last)
        )
        if newest_first:
            found.reverse()
        return found[:limit]

    def streams(self, after: str | None = None, limit: int = 1000) -> list[str]:
        names = [name for name in self._of if self.head(name) is not None]
        start = 0 if after is None else names.index(after) + 1
        return names[start : start + limit]

    def set_due(self, stream: str, deadlines: Sequence[tuple[str, Instant]]) -> None:
        if stream not in self._of:
            raise ValueError(f"there is no stream {stream}")
        self._due[stream] = deadlines

    def mark_due(self, through: int) -> None:
        self.due_through = through

    def due_before(self, instant: Instant, limit: int) -> list[Due]:
        number = {name: at for at, name in enumerate(self._of)}
        found = [
            (due_at, number[stream], deadline_id, stream)
            for stream, deadlines in self._due.items()
            for deadline_id, due_at in deadlines
            if due_at < instant
        ]
        found.sort()
        return [Due(due_at, stream, deadline_id) for due_at, _, deadline_id, stream in found[:limit]]

    def parked(self, limit: int = 1000, first: int = 0) -> list[Parked]:
        return [parked for parked in self._parked if parked.offset >= first][:limit]

    def rejections(self) -> dict[str, int]:
        return dict(self._rejected)

    def close(self) -> None:
        self.rollback()

    def _admitted(self, ordinal: int, stored: _Stored) -> Admitted:
        offset, index, position, appended_at, data = stored
        commit = decode_commit(data)
        return Admitted(self.partition, offset, index, ordinal, position, appended_at, commit_hash(data), commit, data)
