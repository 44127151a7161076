"""The log of one order's commits, as every reader admits it: and the fate of a commit decided on an older head."""

from collections.abc import Sequence

from consumers.engine.control_log import entries
from consumers.log.admission import Admission, MemoryHeads
from consumers.ports.journal import JournalRecord
from domain.events import Event
from domain.instants import Instant
from schemas.commit import COMMIT_VERSION, ZERO_HASH, Commit, StreamEntry, commit_hash, commit_id, encode_commit
from schemas.record import encode_record

Written = tuple[str, tuple[tuple[Event, Instant], ...], Instant]
"""A commit of an order: its command id, its events, when it was recorded."""


class Log:
    """One partition, with the order's commits in it. ``heads[n]``: the stream's head after n of them."""

    def __init__(self, stream: str, history: Sequence[Written]) -> None:
        self.stream = stream
        self.heads = [(ZERO_HASH, 0)]
        self._admission = Admission(0, 1, MemoryHeads())
        self._next = 0
        for written in history:
            assert self.append(written, len(self.heads) - 1) == "Admitted"

    def append(self, written: Written, behind: int) -> str:
        """Append a commit that was decided after so many others; how every reader judges it."""
        command_id, events, at = written
        parent, count = self.heads[behind]
        part = StreamEntry(self.stream, "chain", parent, count, entries(events))
        id = commit_id(self.stream, command_id, parent)
        data = encode_commit(Commit(COMMIT_VERSION, id, command_id, bytes(32), None, None, None, at, "test", (part,)))
        record = JournalRecord(0, self._next, at, encode_record("test", [data]))
        [verdict] = self._admission.take(record)
        self._next += 1
        kind = str(getattr(verdict, "kind", type(verdict).__name__))
        if kind == "Admitted":
            self.heads.append((commit_hash(data), count + len(events)))
        return kind
