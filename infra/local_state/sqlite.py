"""Local state in one SQLite file per partition. Integer keys in log order keep its cost flat as history grows.

Commits are rows by ordinal. Each row links to the previous commit on its stream, so a stream is read backwards through
these links and needs no index. Names and ids are found by compact hashes, and the full value behind a hash is compared.

Flushed batches may wait in memory and be written together (``grouped``), because a transaction costs as much as a dozen
commits. A method that reads the tables writes the waiting batches first, so only other connections can see the
difference.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from consumers.ports.local_state import Due, LocalStateDamaged, Parked, Place, Version
from consumers.ports.log_values import Admitted, Head, Rejected
from domain.instants import Instant
from infra.local_state.file import OTHER_LAYOUT, connect, create, discard, set_aside, what_is_wrong
from infra.local_state.streams import Stream, find, is_full, pack, packed
from infra.local_state.swept_index import WINDOW, SweptIndex, key_of_id, key_of_text
from infra.sqlite.file import OpenFile, checkpoint
from schemas.commit import Commit, StreamEntry, commit_hash, decode_commit

_COMMIT: Final = "SELECT ordinal, offset, idx, position, appended_at, hash, data FROM commits"
_PAGE: Final = 500
_REFRESHED: Final = 8 * WINDOW
"""New streams after which a reader drops the indexes' entries in memory and loads them again."""


@dataclass(slots=True)
class Opened:
    """Local state, and why it is rebuilt. None: it existed. ``missing``: the first time."""

    state: "SqliteLocalState"
    rebuilt: str | None

    def report_rebuild(self, partition: int, end: int, *, first: bool = False) -> None:
        """Report on standard error that local state is rebuilt from a log that is not empty (``end``). ``first``: this
        may be the first time, so a missing file is normal."""
        if self.rebuilt is not None and end and not (first and self.rebuilt == "missing"):
            why = "is missing" if self.rebuilt == "missing" else self.rebuilt
            sys.stderr.write(f"rescind: local state of partition {partition} {why}: it is rebuilt from the log\n")


def open_local_state(
    path: Path,
    partition: int,
    partitions: int,
    *,
    read_only: bool = False,
    streams_in_memory: int = 10_000,
    grouped: int = 0,
) -> Opened:
    """Open the local state in this file. It is empty, to be rebuilt, if it was missing, damaged or of another layout. A
    damaged file is renamed (``file.aside``).

    ``Follower.start`` checks whether it matches the log. ``read_only``: nothing is created or written;
    FileNotFoundError if the file is missing, LocalStateDamaged if it cannot be read. ``grouped``: the number of flushed
    commits that may wait for ``write``.
    """
    wrong = what_is_wrong(path, read_only=read_only)
    if wrong is not None and read_only:
        if wrong == "missing":
            raise FileNotFoundError(f"there is no local state at {path}")
        raise LocalStateDamaged(f"{path} {wrong}")
    if wrong is not None:
        if wrong in ("missing", OTHER_LAYOUT):
            discard(path)
        else:
            set_aside(path)
        create(path, partition, partitions)
    state = SqliteLocalState(path, read_only=read_only, streams_in_memory=streams_in_memory, grouped=grouped)
    return Opened(state, wrong)


class SqliteLocalState:
    """The LocalState port on one file."""

    def __init__(self, path: Path, *, read_only: bool, streams_in_memory: int, grouped: int = 0) -> None:
        self.path = path
        self._grouped = grouped
        self._read_only = read_only
        self._capacity = streams_in_memory
        self._connection = connect(path, read_only=read_only)
        self._names = SweptIndex(self._connection, "names")
        self._ids = SweptIndex(self._connection, "ids")
        self._due: dict[str, Sequence[tuple[str, Instant]]] = {}
        self.due_through = 0
        self._reset()
        self.file = OpenFile(path)

    # ---- heads, for admission ----------------------------------------------------------------------------------------

    def head(self, stream: str) -> Head | None:
        found = self._streams.get(stream) or self._load(stream)
        return None if found is None else found.head

    def watermark(self, stream: str) -> int | None:
        found = self._streams.get(stream) or self._load(stream)
        return None if found is None else found.mark

    def has_version(self, stream: str, version: int) -> bool:
        found = self._streams.get(stream) or self._load(stream)
        if found is None:
            return False
        if (found.id, version) in self._new_versions:
            return True
        sql = "SELECT 1 FROM versions WHERE stream = ? AND version = ?"
        row = self._connection.execute(sql, (found.id, version)).fetchone()
        return row is not None

    def ordinal_of_commit(self, commit_id: bytes) -> int | None:
        if not self._warm:
            self._warm_up()
        for ordinal in self._ids.find(key_of_id(commit_id)):
            if self._commit(ordinal).commit_id == commit_id:
                return ordinal
        return None

    def ordinal_of_command(self, stream: str, command_id: str) -> int | None:
        found = self._streams.get(stream) or self._load(stream)
        if found is None:
            return None
        key = key_of_text(command_id)
        if found.commands is not None:
            ordinals = find(found.commands, key)
        else:
            sql = "SELECT ordinal FROM commands WHERE stream = ? AND key = ?"
            ordinals = [ordinal for (ordinal,) in self._connection.rows(sql, (found.id, key))]
            ordinals += self._new_commands.get((found.id, key), ())
        for ordinal in ordinals:
            commit = self._commit(ordinal)
            if commit.command_id == command_id and commit.streams[0].stream == stream:
                return ordinal
        return None

    def admit(self, admitted: Admitted) -> None:
        commit = admitted.commit
        ordinal = admitted.ordinal
        first, *others = commit.streams
        stream, previous = self._touch(first, admitted)
        key = key_of_id(commit.commit_id)
        if not self._warm:
            self._warm_up()
        self._ids.add(key, ordinal)
        self._staged[ordinal] = admitted
        self._new_commits.append(
            (
                ordinal,
                admitted.offset,
                admitted.index,
                admitted.position,
                admitted.appended_at,
                admitted.hash,
                key,
                stream.id,
                previous,
                admitted.data,
            )
        )
        if commit.command_id is not None:
            self._remember_command(stream, key_of_text(commit.command_id), ordinal)
        for part in others:
            other, previous = self._touch(part, admitted)
            self._new_parts.append((ordinal, other.id, previous))

    # ---- progress ----------------------------------------------------------------------------------------------------

    @property
    def last(self) -> Place | None:
        self.write()
        sql = "SELECT offset, idx, hash FROM commits WHERE ordinal = ?"
        row = self._connection.execute(sql, (self.next_ordinal - 1,)).fetchone()
        return None if row is None else Place(*row)

    def bind(self, identity: str) -> None:
        self.identity: str | None = identity

    def reject(self, rejected: Rejected) -> None:
        self._rejected[rejected.kind] += 1
        if rejected.kind == "malformed":
            self._new_parked.append((rejected.offset, rejected.index, rejected.reason))

    def flush(self, next_offset: int, next_index: int = 0) -> None:
        self.next_offset, self.next_index = next_offset, next_index
        self._flushed = self.next_ordinal
        self._waits = True
        if len(self._new_commits) >= self._grouped:
            self.write()

    def write(self) -> None:
        if not self._waits or self._flushed != self.next_ordinal:  # never part of a batch
            return
        self._transact()
        self._waits = False
        self._staged.clear()
        self._clear_rows()
        while len(self._streams) > self._capacity:
            del self._streams[next(iter(self._streams))]

    def rollback(self) -> None:
        self._reset()

    @property
    def stored_offset(self) -> int:
        return self._stored[0]

    @property
    def stored_ordinal(self) -> int:
        return self._stored[1]

    def refresh(self) -> None:
        if self._next_stream - self._read_from > _REFRESHED:
            self._reset()
            return
        streams, ordinals = self._next_stream, self.next_ordinal
        self._read_progress()
        self._forget_streams()
        self._names.unfilter()
        self._ids.unfilter()
        if self._warm:
            self._load_indexes(streams, ordinals)

    def close(self) -> None:
        if not self._read_only:
            checkpoint(self._connection)
        self._connection.close()

    def rejections(self) -> dict[str, int]:
        return dict(self._rejected)

    def parked(self, limit: int = 1000, first: int = 0) -> list[Parked]:
        self.write()
        sql = "SELECT offset, idx, reason FROM parked WHERE offset >= ? ORDER BY offset, idx LIMIT ?"
        return [Parked(*row) for row in self._connection.rows(sql, (first, limit))]

    # ---- reading -----------------------------------------------------------------------------------------------------

    def commit_at(self, ordinal: int) -> Admitted | None:
        self.write()
        row = self._connection.execute(f"{_COMMIT} WHERE ordinal = ?", (ordinal,)).fetchone()
        return None if row is None else self._admitted(row)

    def commits(self, first: int = 0, behind: int | None = None) -> Iterator[Admitted]:
        while True:
            self.write()
            sql = f"{_COMMIT} WHERE ordinal >= ? AND ordinal < ? ORDER BY ordinal LIMIT ?"
            end = self.next_ordinal if behind is None else behind
            page = self._connection.rows(sql, (first, end, _PAGE))
            yield from map(self._admitted, page)
            if len(page) < _PAGE:
                return
            first = page[-1][0] + 1

    def commits_of(self, stream: str, first: int = 0, after: int = -1) -> Iterator[Admitted]:
        self.write()
        row = self._row_of(stream)
        if row is None:
            return
        id, ordinal = row
        found: list[Admitted] = []
        sql = f"{_COMMIT.replace(' FROM', ', stream, previous FROM')} WHERE ordinal = ?"
        link = "SELECT previous FROM parts WHERE ordinal = ? AND stream = ?"
        while ordinal is not None and ordinal > after:
            *fields, of, previous = self._connection.row(sql, (ordinal,))
            admitted = self._admitted(fields)
            if first and _ends(admitted, stream) <= first:
                break
            found.append(admitted)
            if of != id:
                (previous,) = self._connection.row(link, (ordinal, id))
            ordinal = previous
        yield from reversed(found)

    def ordinal_at(self, position: int) -> int:
        low, high = -1, self.next_ordinal
        if position >= self.next_position:
            return high
        self.write()
        sql = "SELECT position FROM commits WHERE ordinal = ?"
        while high - low > 1:
            middle = (low + high) // 2
            if self._connection.row(sql, (middle,))[0] <= position:
                low = middle
            else:
                high = middle
        return max(low, 0)

    def versions(
        self,
        stream: str,
        first: int | None = None,
        last: int | None = None,
        *,
        newest_first: bool = False,
        limit: int | None = None,
    ) -> list[Version]:
        self.write()
        row = self._row_of(stream)
        if row is None:
            return []
        sql = (
            "SELECT version, ordinal FROM versions WHERE stream = ? AND version BETWEEN ? AND ? ORDER BY version "
            f"{'DESC' if newest_first else 'ASC'} LIMIT ?"
        )
        low = 0 if first is None else first
        high = 2**63 - 1 if last is None else last
        rows = self._connection.rows(sql, (row[0], low, high, -1 if limit is None else limit))
        return [Version(*found) for found in rows]

    def streams(self, after: str | None = None, limit: int = 1000) -> list[str]:
        self.write()
        row = None if after is None else self._row_of(after)
        sql = "SELECT name FROM streams WHERE id > ? AND hash IS NOT NULL ORDER BY id LIMIT ?"
        return [name for (name,) in self._connection.rows(sql, (0 if row is None else row[0], limit))]

    # ---- deadlines ---------------------------------------------------------------------------------------------------

    def set_due(self, stream: str, deadlines: Sequence[tuple[str, Instant]]) -> None:
        if self._row_of(stream) is None:
            raise ValueError(f"there is no stream {stream}")
        self._due[stream] = deadlines

    def mark_due(self, through: int) -> None:
        self.due_through = through

    def due_before(self, instant: Instant, limit: int) -> list[Due]:
        if self._due and not self._read_only:
            self._waits = True
            self.write()
        sql = (
            "SELECT due.due_at, streams.name, due.deadline_id FROM due JOIN streams ON streams.id = due.stream "
            "WHERE due.due_at < ? ORDER BY due.due_at, due.stream, due.deadline_id LIMIT ?"
        )
        return [Due(*row) for row in self._connection.rows(sql, (instant, limit))]

    # ---- memory ------------------------------------------------------------------------------------------------------

    def _reset(self) -> None:
        """Drop everything in memory and read the file again. Deadlines that were set stay, because their commits may be
        read again."""
        self._waits = False
        self._read_progress()
        self._read_from = self._next_stream
        self._forget_streams()
        self._staged: dict[int, Admitted] = {}
        self._warm = False
        self._names.clear()
        self._ids.clear()
        self._changed: dict[int, Stream] = {}
        self._new_commits: list[tuple[Any, ...]] = []
        self._new_parts: list[tuple[int, int, int | None]] = []
        self._new_commands: dict[tuple[int, int], list[int]] = {}
        self._new_versions: dict[tuple[int, int], int] = {}
        self._new_parked: list[tuple[int, int, str]] = []

    def _forget_streams(self) -> None:
        self._streams: dict[str, Stream] = {}
        self._absent: tuple[str, int] = ("", 0)

    def _read_progress(self) -> None:
        row = self._connection.row("SELECT * FROM progress")
        numbers: list[int]
        self.identity, self.partition, self.partitions, *numbers = row
        self.next_offset, self.next_index, self.next_ordinal, self.next_position, self.format, *numbers = numbers
        self._next_stream, due_through, duplicate, superseded, malformed = numbers
        self._swept = (self._next_stream, self.next_ordinal)
        self._stored = (self.next_offset, self.next_ordinal)
        self._flushed = self.next_ordinal
        self.due_through = max(self.due_through, due_through)
        self._rejected = {"duplicate": duplicate, "superseded": superseded, "malformed": malformed}

    def _clear_rows(self) -> None:
        for stream in self._changed.values():
            stream.new = False
        self._changed.clear()
        self._new_commits.clear()
        self._new_parts.clear()
        self._new_commands.clear()
        self._new_versions.clear()
        self._new_parked.clear()

    def _warm_up(self) -> None:
        """Load the newest entries of the two indexes, which may not be in their tables yet."""
        self._load_indexes(self._next_stream - WINDOW - 1, self.next_ordinal - WINDOW - 1)
        self._warm = True

    def _load_indexes(self, stream: int, ordinal: int) -> None:
        """Load the entries from these numbers on."""
        sql = "SELECT key, id FROM streams WHERE id >= ?"
        self._names.load(self._connection.rows(sql, (stream,)))
        sql = "SELECT key, ordinal FROM commits WHERE ordinal >= ?"
        self._ids.load(self._connection.rows(sql, (ordinal,)))

    def _load(self, name: str) -> Stream | None:
        """Load a stream from the file into memory."""
        if name == self._absent[0]:
            return None
        if not self._warm:
            self._warm_up()
        key = key_of_text(name)
        sql = "SELECT name, hash, count, mark, last, commands FROM streams WHERE id = ?"
        for id in self._names.find(key):
            row = self._connection.execute(sql, (id,)).fetchone()
            if row is not None and row[0] == name:
                _, hash, count, mark, last, commands = row
                head = None if hash is None else Head(hash, count)
                found = self._streams[name] = Stream(id, key, name, head, mark, last, commands)
                return found
        self._absent = (name, key)
        return None

    def _remember_command(self, stream: Stream, key: int, ordinal: int) -> None:
        if stream.commands is not None and not is_full(stream.commands):
            stream.commands = pack(stream.commands, key, ordinal)
            return
        new = [(key, ordinal)]
        if stream.commands is not None:
            new += packed(stream.commands)
            stream.commands = None
        for at, number in new:
            self._new_commands.setdefault((stream.id, at), []).append(number)

    def _touch(self, part: StreamEntry, admitted: Admitted) -> tuple[Stream, int | None]:
        """Add this part of a commit to its stream. Returns the stream and the ordinal of its previous commit."""
        name = part.stream
        found = self._streams.get(name) or self._load(name)
        previous: int | None
        if found is None:
            found = Stream(self._next_stream, self._absent[1], name, None, None, 0, b"", new=True)
            self._next_stream += 1
            self._names.add(found.key, found.id)
            self._absent = ("", 0)
            previous = None
        else:
            previous = found.last
            self._streams.pop(name)
        self._streams[name] = found
        self._changed[found.id] = found
        found.last = admitted.ordinal
        if part.kind == "chain":
            found.head = Head(admitted.hash, part.first_event + len(part.events))
        elif part.kind == "watermark":
            found.mark = part.first_event
        else:
            for version in range(part.first_event, part.first_event + len(part.events)):
                self._new_versions[found.id, version] = admitted.ordinal
        return found, previous

    def _commit(self, ordinal: int) -> Commit:
        """The commit with this ordinal, staged or stored."""
        staged = self._staged.get(ordinal)
        if staged is not None:
            return staged.commit
        hash, data = self._connection.row("SELECT hash, data FROM commits WHERE ordinal = ?", (ordinal,))
        return self._decoded(ordinal, hash, data)

    def _admitted(self, row: Sequence[Any]) -> Admitted:
        ordinal, offset, index, position, appended_at, hash, data = row
        commit = self._decoded(ordinal, hash, data)
        return Admitted(self.partition, offset, index, ordinal, position, appended_at, hash, commit, data)

    def _decoded(self, ordinal: int, hash: bytes, data: bytes) -> Commit:
        """Decode a commit whose bytes must match the stored hash. LocalStateDamaged."""
        if commit_hash(data) != hash:
            raise self._connection.damaged(f"commit {ordinal} does not match its hash")
        return decode_commit(data)

    def _row_of(self, name: str) -> tuple[int, int] | None:
        """The (id, ordinal of the latest commit) of a stream, as stored."""
        found = self._streams.get(name) or self._load(name)
        return None if found is None else (found.id, found.last)

    # ---- writing -----------------------------------------------------------------------------------------------------

    def _transact(self) -> None:
        execute, many = self._connection.execute, self._connection.executemany
        try:
            execute("BEGIN IMMEDIATE")
            if self._new_commits:
                self._write_commits()
            if self._new_parked:
                many("INSERT OR REPLACE INTO parked VALUES (?, ?, ?)", self._new_parked)
            known = [name for name in self._due if self._row_of(name) is not None]
            for name in known:
                self._write_due(name, self._due[name])
            execute(
                "UPDATE progress SET identity = ?, next_offset = ?, next_index = ?, next_ordinal = ?, "
                "next_position = ?, format = ?, next_stream = ?, due_through = ?, duplicate = ?, superseded = ?, "
                "malformed = ?",
                (
                    self.identity,
                    self.next_offset,
                    self.next_index,
                    self.next_ordinal,
                    self.next_position,
                    self.format,
                    self._next_stream,
                    min(self.due_through, self.next_ordinal),
                    *self._rejected.values(),
                ),
            )
            execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.rollback()
            self._reset()
            raise
        for name in known:  # the others belong to commits of a failed transaction, which are read again
            del self._due[name]
        self._swept = (self._next_stream, self.next_ordinal)
        self._stored = (self.next_offset, self.next_ordinal)

    def _write_commits(self) -> None:
        many = self._connection.executemany
        many("INSERT INTO commits VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", self._new_commits)
        if self._new_parts:
            many("INSERT INTO parts VALUES (?, ?, ?)", self._new_parts)
        many(
            "INSERT INTO streams VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (s.id, s.key, s.name, *_head(s.head), s.mark, s.last, s.commands)
                for s in self._changed.values()
                if s.new
            ],
        )
        many(
            "UPDATE streams SET hash = ?, count = ?, mark = ?, last = ?, commands = ? WHERE id = ?",
            [(*_head(s.head), s.mark, s.last, s.commands, s.id) for s in self._changed.values() if not s.new],
        )
        if self._new_commands:
            rows = [(stream, key, ordinal) for (stream, key), found in self._new_commands.items() for ordinal in found]
            many("INSERT INTO commands VALUES (?, ?, ?)", rows)
        if self._new_versions:
            rows = [(stream, version, ordinal) for (stream, version), ordinal in self._new_versions.items()]
            many("INSERT INTO versions VALUES (?, ?, ?)", rows)
        self._names.sweep(self._swept[0], self._next_stream)
        self._ids.sweep(self._swept[1], self.next_ordinal)

    def _write_due(self, name: str, deadlines: Sequence[tuple[str, Instant]]) -> None:
        row = self._row_of(name)
        assert row is not None  # set_due has checked this
        self._connection.execute("DELETE FROM due WHERE stream = ?", (row[0],))
        rows = [(row[0], deadline_id, due_at) for deadline_id, due_at in deadlines]
        self._connection.executemany("INSERT INTO due VALUES (?, ?, ?)", rows)


def _head(head: Head | None) -> tuple[bytes | None, int | None]:
    return (None, None) if head is None else (head.hash, head.count)


def _ends(admitted: Admitted, stream: str) -> int:
    """The number after the last event of the commit's part in this stream."""
    part = next(part for part in admitted.commit.streams if part.stream == stream)
    return part.first_event + len(part.events)
