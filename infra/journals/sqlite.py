"""The embedded journal: one SQLite file is one topic. WAL, ``synchronous=FULL``, group commit.

Each partition is a table ``partition_N(offset, appended_at, crc, value)`` keyed by offset, dense from 0; the view
``record`` has them all with their partition. One thread of the process writes: everything that waits goes into one
transaction, so a hundred appends cost one flush of the disk. Several processes may have the same file open; each takes
its turn. Whoever waits for new records is woken at once by this process's own appends, and finds others' by looking
every few milliseconds.
"""

import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final, Literal
from zlib import crc32

from consumers.ports.journal import (
    RECORD_LIMIT,
    Appended,
    AppendRefused,
    AppendUnknown,
    JournalDamaged,
    JournalError,
    JournalMismatch,
    JournalRecord,
    JournalUnavailable,
    LogChanged,
    LogLost,
    front_cut,
)
from domain.instants import Instant
from domain.wording import counted
from infra.sqlite.file import Wrong, checkpoint, make_private, why, wrong_with

APPLICATION_ID: Final = 0x52534A31
"""In the file's header: this is a rescind journal, layout 1."""
MAX_PARTITIONS: Final = 400
"""As many as the view over all partitions can join."""
Synchronous = Literal["FULL", "NORMAL", "OFF"]

_TURN: Final = 10.0
"""Seconds to wait for other processes' transactions before an append is refused."""
_CLOSING: Final = 5.0
"""Seconds to wait for the writing thread to end."""
_SHORTEST_LOOK: Final = 0.001
_LONGEST_LOOK: Final = 0.02
_CACHE: Final = "PRAGMA cache_size=-8192"
_BATCH_BYTES: Final = 16 * 1024 * 1024
"""A read gives no more than about so much at once, a transaction takes no more."""


def open_sqlite_journal(
    path: Path,
    partitions: int | None = None,
    *,
    create: bool = True,
    synchronous: Synchronous = "FULL",
    clock: Callable[[], Instant] | None = None,
) -> "SqliteJournal":
    """The journal in this file, made with so many partitions if it is not there (``partitions`` None: it must be).

    JournalMismatch if it has another number of partitions or is another kind of file, JournalDamaged if it cannot be
    what was written, JournalUnavailable if it is not there and may not be made, or cannot be opened now.
    """
    return SqliteJournal(path, partitions if create or path.exists() else None, synchronous, clock or _now)


def _now() -> Instant:
    return time.time_ns() // 1000


@dataclass(eq=False, slots=True)
class _Append:
    partition: int
    record: bytes
    future: Future[Appended]


class SqliteJournal:
    """The Journal port over one SQLite file. Any thread may call; readers take turns."""

    silence: Final = 0.0

    def __init__(self, path: Path, partitions: int | None, synchronous: Synchronous, clock: Callable[[], int]) -> None:
        self.record_limit = RECORD_LIMIT
        self.path = path
        self._synchronous = synchronous
        self._clock = clock
        self._waiting: SimpleQueue[_Append | None] = SimpleQueue()
        self._closed = False
        self._reading = threading.Lock()
        self._grown = threading.Condition()
        self._appends = 0
        if not path.exists():
            if partitions is None:
                raise JournalUnavailable(f"there is no journal at {path}; say where it is, or make one")
            if path.with_name(f"{path.name}-wal").exists() and not path.exists():
                raise JournalDamaged(
                    f"{path} is gone, but its {path.name}-wal is there: bring back the file that belongs to it"
                )
            _create(path, partitions)
        self._reader, self.identity, self.partitions = _open(path, partitions)
        self._inode = path.stat().st_ino
        self._thread = threading.Thread(target=self._write, name=f"journal {path.name}", daemon=True)
        self._thread.start()

    def append(self, partition: int, key: bytes, record: bytes) -> Future[Appended]:
        self._check(partition)
        future: Future[Appended] = Future()
        if len(record) > self.record_limit:
            refused = AppendRefused(f"the record has more than {self.record_limit} bytes", retriable=False)
            future.set_exception(refused)
        elif self._closed:
            future.set_exception(_closed())
        else:
            self._waiting.put(_Append(partition, record, future))
            if not self._thread.is_alive():
                self._refuse_all()
        return future

    def read(self, partition: int, offset: int, limit: int) -> list[JournalRecord]:
        self._check(partition)
        sql = f"SELECT offset, appended_at, crc, value FROM partition_{partition} WHERE offset >= ? ORDER BY 1 LIMIT ?"
        found: list[JournalRecord] = []
        size = 0
        with self._reading:
            try:
                with closing(self._reader.execute(sql, (offset, limit))) as rows:
                    for at, appended_at, crc, value in rows:
                        if at != offset + len(found):
                            break
                        if crc32(value) != crc:
                            what = f"the record at offset {at} of partition {partition} has a wrong checksum"
                            raise self._damaged(what)
                        found.append(JournalRecord(partition, at, appended_at, value))
                        size += len(value)
                        if size > _BATCH_BYTES:
                            break
                if not found:
                    self._explain(partition, offset)
            except sqlite3.Error as error:
                raise self._told(error) from error
        return found

    def ready(self, partition: int, offset: int, limit: int) -> list[JournalRecord]:
        return self.read(partition, offset, limit)  # nothing is ever on its way

    def behind_hole(self, partition: int, offset: int) -> int:
        return offset  # every offset has a record

    def begin(self, partition: int) -> int:
        self._check(partition)
        with self._reading:
            try:
                return self._first(self._reader, partition)
            except sqlite3.Error as error:
                raise self._told(error) from error

    def end(self, partition: int) -> int:
        self._check(partition)
        with self._reading:
            try:
                return self._end(self._reader, partition)
            except sqlite3.Error as error:
                raise self._told(error) from error

    def check_file(self, most: int) -> bool:
        """Read the whole file, if it has no more than ``most`` bytes: SQLite's own check, each record's checksum, and
        no gap. Whether it was read. JournalDamaged, JournalUnavailable."""
        if self.path.stat().st_size > most:
            return False
        with self._reading:
            try:
                (found,) = self._reader.execute("PRAGMA quick_check(1)").fetchone()
            except sqlite3.Error as error:
                raise self._told(error) from error
        if found != "ok":
            raise self._damaged(str(found))
        for partition in range(self.partitions):
            offset, end = 0, self.end(partition)
            while offset < end:
                offset = self.read(partition, offset, 10_000)[-1].offset + 1
        return True

    def wait(self, partition: int, offset: int, timeout: float) -> bool:
        until = time.monotonic() + timeout
        pause = _SHORTEST_LOOK
        while True:
            appends = self._appends
            if self.end(partition) > offset:
                return True
            left = until - time.monotonic()
            if left <= 0 or self._closed:
                return False
            with self._grown:
                if self._appends == appends:
                    self._grown.wait(min(left, pause))
            pause = min(pause * 1.5, _LONGEST_LOOK)

    def close(self) -> None:
        """Let go: what waits is written or refused, then the WAL is copied into the file. Waits for that a few seconds
        at most."""
        self._closed = True
        self._waiting.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join(_CLOSING)

    # ---- reading -----------------------------------------------------------------------------------------------------

    def _check(self, partition: int) -> None:
        if not 0 <= partition < self.partitions:
            raise ValueError(f"there is no partition {partition} of {self.partitions}")

    @staticmethod
    def _end(connection: sqlite3.Connection, partition: int) -> int:
        (last,) = connection.execute(f"SELECT max(offset) FROM partition_{partition}").fetchone()
        return 0 if last is None else int(last) + 1

    @staticmethod
    def _first(connection: sqlite3.Connection, partition: int) -> int:
        (first,) = connection.execute(f"SELECT min(offset) FROM partition_{partition}").fetchone()
        return 0 if first is None else int(first)

    def _explain(self, partition: int, offset: int) -> None:
        """Nothing was found at this offset: that is the end, or something is wrong."""
        end = self._end(self._reader, partition)
        if offset > end or offset < 0:
            raise LogLost(f"{self.path}: partition {partition} ends at offset {end}, there is no offset {offset}")
        sql = f"SELECT 1 FROM partition_{partition} WHERE offset = ?"
        if offset < end and self._reader.execute(sql, (offset,)).fetchone() is None:  # it may have come just now
            if (first := self._first(self._reader, partition)) > offset:
                raise front_cut(partition, first)
            raise self._damaged(f"partition {partition} has no record at offset {offset}, but later ones")

    def _damaged(self, what: str) -> JournalDamaged:
        return JournalDamaged(
            f"{self.path}: {what}: the file is damaged. Stop every engine, copy it aside, and bring it back from a copy"
        )

    def _told(self, error: sqlite3.Error) -> JournalError:
        """SQLite's error as one of the port's."""
        if self._closed:
            return JournalUnavailable(f"{self.path} was closed")
        if isinstance(error, sqlite3.OperationalError):
            return JournalUnavailable(f"{self.path} cannot be read now: {why(error, self.path)}")
        return self._damaged(str(error))

    # ---- the writing thread ------------------------------------------------------------------------------------------

    def _write(self) -> None:
        try:
            connection = _connect(self.path)
            connection.execute(f"PRAGMA synchronous={self._synchronous}")
            connection.execute(_CACHE)
            connection.execute("PRAGMA busy_timeout=0")
        except sqlite3.Error:
            connection = None
        going = True
        while going:
            batch, going = self._next_batch()
            if batch:
                if connection is None:
                    self._answer(batch, AppendRefused(f"{self.path} cannot be opened for writing", retriable=False))
                else:
                    self._write_batch(connection, batch)
        self._refuse_all()
        if connection is not None:
            if self._appends:
                checkpoint(connection)
            connection.close()
        with self._reading:
            self._reader.close()

    def _next_batch(self) -> tuple[list[_Append], bool]:
        """Everything that waits, at least one; and whether to go on afterwards."""
        batch: list[_Append] = []
        size = 0
        item = self._waiting.get()
        while item is not None:
            batch.append(item)
            size += len(item.record)
            if size > _BATCH_BYTES:
                return batch, True
            try:
                item = self._waiting.get_nowait()
            except Empty:
                return batch, True
        return batch, False

    def _write_batch(self, connection: sqlite3.Connection, batch: list[_Append]) -> None:
        """One transaction. Before COMMIT a failure is a certain no; a failure of COMMIT itself is unknown."""
        try:
            self._begin(connection)
            appended = self._insert(connection, batch)
        except (sqlite3.Error, OSError, JournalError) as error:
            if connection.in_transaction:
                connection.rollback()
            retriable = isinstance(error, sqlite3.OperationalError | JournalUnavailable)
            self._answer(batch, AppendRefused(f"{self.path}: {error}", retriable=retriable))
            return
        try:
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.rollback()
            self._answer(batch, AppendUnknown(f"{self.path}: {error}"))
            return
        with self._grown:
            self._appends += 1
            self._grown.notify_all()
        for item, where in zip(batch, appended, strict=True):
            item.future.set_result(where)

    def _begin(self, connection: sqlite3.Connection) -> None:
        """Take the turn among processes. SQLite's own waiting is coarse, so we ask again and again."""
        until = time.monotonic() + _TURN
        pause = 0.0002
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
                break
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
            time.sleep(pause)
            pause = min(pause * 2, 0.004)
        if os.stat(self.path).st_ino != self._inode:
            raise LogChanged("the file was taken away or replaced while it was in use; stop, and bring it back")

    def _insert(self, connection: sqlite3.Connection, batch: list[_Append]) -> list[Appended]:
        now = self._clock()
        ends: dict[int, int] = {}
        rows: dict[int, list[tuple[int, Instant, int, bytes]]] = {}
        appended = []
        for item in batch:
            offset = ends.get(item.partition)
            if offset is None:
                offset = self._end(connection, item.partition)
            ends[item.partition] = offset + 1
            rows.setdefault(item.partition, []).append((offset, now, crc32(item.record), item.record))
            appended.append(Appended(offset, now))
        for partition, new in rows.items():
            connection.executemany(f"INSERT INTO partition_{partition} VALUES (?, ?, ?, ?)", new)
        return appended

    def _answer(self, batch: list[_Append], error: JournalError) -> None:
        for item in batch:
            item.future.set_exception(error)

    def _refuse_all(self) -> None:
        """Answer what came after the close."""
        try:
            while True:
                item = self._waiting.get_nowait()
                if item is not None:
                    item.future.set_exception(_closed())
        except Empty:
            return


def _closed() -> AppendRefused:
    return AppendRefused("the journal is closed", retriable=False)


# ---- the file --------------------------------------------------------------------------------------------------------


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_TURN)


def _create(path: Path, partitions: int) -> None:
    """Make the file whole beside its place, then put it there: nobody sees half a journal, and the first one wins."""
    if not 1 <= partitions <= MAX_PARTITIONS:
        raise JournalMismatch(f"{partitions} partitions are not in 1..{MAX_PARTITIONS}")
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    make_private(draft)
    connection = sqlite3.connect(draft, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("BEGIN")
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute("CREATE TABLE topic (identity TEXT NOT NULL, partitions INTEGER NOT NULL)")
        connection.execute("INSERT INTO topic VALUES (?, ?)", (uuid.uuid4().hex, partitions))
        for partition in range(partitions):
            connection.execute(
                f"CREATE TABLE partition_{partition} (offset INTEGER PRIMARY KEY, appended_at INTEGER NOT NULL, "
                "crc INTEGER NOT NULL, value BLOB NOT NULL)"
            )
        parts = (f"SELECT {n} AS partition, offset, appended_at, value FROM partition_{n}" for n in range(partitions))
        connection.execute("CREATE VIEW record AS " + " UNION ALL ".join(parts))
        connection.execute("COMMIT")
    finally:
        connection.close()
    try:
        os.link(draft, path)
        _sync(path.parent)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _sync(folder: Path) -> None:
    """A new name in a folder is there for good only after this."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _open(path: Path, partitions: int | None) -> tuple[sqlite3.Connection, str, int]:
    """The reading connection, the identity and the partitions of the file."""
    connection: sqlite3.Connection | None = None
    try:
        connection = _connect(path)
        wrong = wrong_with(connection, path, APPLICATION_ID)
        if wrong is not None:
            connection.close()
            raise _not_a_journal(path, wrong)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(_CACHE)
        row = connection.execute("SELECT identity, partitions FROM topic").fetchone()
    except sqlite3.DatabaseError as error:
        if connection is not None:
            connection.close()
        if isinstance(error, sqlite3.OperationalError):
            raise JournalUnavailable(f"{path} cannot be opened: {why(error, path)}") from error
        raise JournalDamaged(f"{path} cannot be read: {error}. Restore it from a copy") from error
    identity, has = row
    if partitions is not None and has != partitions:
        connection.close()
        raise JournalMismatch(
            f"{path} has {counted(has, 'partition')}, not {partitions}: their number was fixed when it was "
            f"made. Ask for {has}, "
            "or for another file"
        )
    return connection, identity, has


def _not_a_journal(path: Path, wrong: Wrong) -> JournalError:
    if wrong == "is of another kind":
        return JournalMismatch(f"{path} is an SQLite file, but not of the kind that is needed here")
    if wrong == "is no SQLite file":
        return JournalDamaged(f"{path} is no SQLite file: it is damaged, or something else. Restore it from a copy")
    return JournalDamaged(f"{path} is shorter than it says itself: it was cut off. Restore it from a copy")
