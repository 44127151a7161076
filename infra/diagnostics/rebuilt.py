"""Rebuild a partition from the bytes of its log, and compare local state with the result."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

from consumers.engine.deadline_index import DeadlineIndex
from consumers.engine.imports import LIST_STREAM, Imports
from consumers.engine.order_cache import OrderCache
from consumers.log.divergence import Mark, disagreement
from consumers.log.follower import Follower
from consumers.log.readmission import Readmission, records_of
from consumers.ports.journal import Journal
from consumers.ports.local_state import LocalState
from consumers.ports.log_values import Admitted, Rejected, Stop
from infra.diagnostics.findings import Progress
from infra.local_state import SqliteLocalState, open_local_state
from infra.sqlite.file import open_existing

_FLUSHED: Final = 2_000
"""Commits that are written to the rebuilt local state at once."""
_ORDERS: Final = 1_000
_TABLES: Final = {
    "streams": "SELECT id, name, hash, count, mark, last, commands FROM streams ORDER BY id",
    "parts": "SELECT * FROM parts ORDER BY ordinal, stream",
    "commands": "SELECT * FROM commands ORDER BY stream, key, ordinal",
    "versions": "SELECT * FROM versions ORDER BY stream, version",
    "parked": "SELECT * FROM parked ORDER BY offset, idx",
    "progress": "SELECT next_offset, next_index, next_ordinal, next_position, format, next_stream, duplicate, "
    "superseded, malformed FROM progress",
}
"""The part of local state that follows from the log alone, without the commits."""
_DUE: Final = "SELECT * FROM due ORDER BY stream, deadline_id"


class LocalStateDiverged(Exception):
    """Local state differs from what the log results in. The message says where."""


class Rebuilt:
    """A partition whose commits are admitted again, from the log's bytes, into a separate local state."""

    def __init__(self, journal: Journal, partition: int, path: Path, progress: Progress | None = None) -> None:
        """``path``: a file that does not exist yet."""
        self.partition = partition
        self.stopped: Stop | None = None
        """The place at which a newer format begins, if there is one."""
        self.rejected: list[Rejected] = []
        """Malformed commits and records."""
        self._journal = journal
        self._progress = progress
        self.state: SqliteLocalState = open_local_state(path, partition, journal.partitions, grouped=2 * _FLUSHED).state
        self.state.bind(journal.identity)
        self.readmission = Readmission(partition, journal.partitions, self.state)

    def advance(self, behind: int | None = None) -> None:
        """Admit further commits up to this offset (None: to the current end). Passes on the errors of reading the
        log."""
        state, unwritten, offset = self.state, 0, self.state.next_offset
        for record in records_of(self._journal, self.partition, behind, first=offset):
            for verdict in self.readmission.take(record):
                if isinstance(verdict, Stop):
                    self.stopped = verdict
                elif isinstance(verdict, Rejected):
                    state.reject(verdict)
            if self.stopped is not None:
                state.flush(self.stopped.offset, self.stopped.index)
                break
            offset = record.offset + 1
            state.flush(offset)
            unwritten += 1
            if unwritten >= _FLUSHED:
                state.write()
                unwritten = 0
                if self._progress is not None:
                    self._progress(offset, self._journal.end(self.partition))
        if self.stopped is None and behind is not None and offset < behind:
            state.flush(behind)  # a hole in the log
        state.write()

    def set_deadlines(self) -> None:
        """Set the deadlines that may fire, as an engine does."""
        follower = Follower(self._journal, self.partition, self.state)
        followers, imports = {self.partition: follower}, Imports()
        for admitted in self.state.commits_of(LIST_STREAM):
            imports.admitted(admitted)
        deadlines = DeadlineIndex(followers, OrderCache(followers, _ORDERS), imports)
        deadlines.start()
        while deadlines.catch_up():
            pass
        self.state.flush(self.state.next_offset, self.state.next_index)
        self.state.write()

    def hash_at(self, ordinal: int) -> bytes | None:
        """The hash of the commit with this ordinal."""
        found = self.state.commit_at(ordinal)
        return None if found is None else found.hash

    def compare_commits(self, state: LocalState, marks: Sequence[Mark]) -> None:
        """Compare each commit of a local state with the log's. LogChanged says which of two different commits the chain
        supports. LocalStateDiverged. LocalStateDamaged if a commit does not match its hash."""
        until = min(state.next_ordinal, self.state.next_ordinal)
        for actual, ours in zip(state.commits(0, until), self.state.commits(0, until), strict=True):
            if actual.data != ours.data:
                raise disagreement(self._journal, actual, marks)
            if _place(actual) != _place(ours):
                raise LocalStateDiverged(
                    f"partition {self.partition}: local state has commit {actual.ordinal:,} at {_place(actual)}, "
                    f"the log at {_place(ours)} (offset, index, position, appended at)"
                )

    def compare_tables(self, theirs: sqlite3.Connection) -> None:
        """Compare everything else of a local state, after advancing exactly as far as it has read.
        LocalStateDiverged."""
        offset, ordinal, due = theirs.execute("SELECT next_offset, next_ordinal, due_through FROM progress").fetchone()
        self.advance(offset)
        queries = dict(_TABLES)
        if due == ordinal:
            self.set_deadlines()
            queries["due"] = _DUE
        with snapshot(self.state.path) as ours:
            for table, sql in queries.items():
                for actual, rebuilt in zip_longest(theirs.execute(sql), ours.execute(sql)):
                    if actual != rebuilt:
                        raise LocalStateDiverged(
                            f"partition {self.partition}: table {table} of local state has {_row_text(actual)}, "
                            f"the log results in {_row_text(rebuilt)}"
                        )

    def close(self) -> None:
        """Close the rebuilt local state."""
        self.state.close()


def snapshot(path: Path) -> "closing[sqlite3.Connection]":
    """A local state file as of this moment, unaffected by writers."""
    database = open_existing(path, read_only=True)
    database.execute("BEGIN")
    database.execute("SELECT count(*) FROM progress").fetchone()  # the first read fixes the moment
    return closing(database)


def _place(admitted: Admitted) -> tuple[int, int, int, int]:
    return admitted.offset, admitted.index, admitted.position, admitted.appended_at


def _row_text(row: tuple[Any, ...] | None) -> str:
    if row is None:
        return "no such row"
    return "(" + ", ".join(cell.hex()[:16] if isinstance(cell, bytes) else str(cell)[:60] for cell in row) + ")"
