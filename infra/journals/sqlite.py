"""The embedded journal: one SQLite file is one topic. WAL, ``synchronous=FULL``, group commit.

Each partition is a table ``partition_N(offset, appended_at, crc, value)`` keyed by offset, dense from 0. The view
``record`` joins all of them and adds the partition. One thread of the process writes. It puts all waiting appends into
one transaction, so a hundred appends cost one flush of the disk. Several processes may have the same file open and take
turns writing. ``wait`` returns at once for appends of this process. It finds appends of other processes by polling
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
from infra.sqlite.file import OpenFile, Wrong, checkpoint, make_private, open_existing, why, wrong_with

APPLICATION_ID: Final = 0x52534A31
"""In the file's header: a rescind journal, layout 1."""
MAX_PARTITIONS: Final = 400
"""The most that the view over all partitions can join."""
Synchronous = Literal["FULL", "NORMAL", "OFF"]

_LOCK_TIMEOUT: Final = 10.0
"""Seconds to wait for the transactions of other processes before an append is refused."""
_CLOSE_TIMEOUT: Final = 5.0
"""Seconds to wait for the writing thread to end."""
_MIN_POLL: Final = 0.001
_MAX_POLL: Final = 0.02
_CACHE: Final = "PRAGMA cache_size=-8192"
_BATCH_BYTES: Final = 16 * 1024 * 1024
"""Approximate limit on the bytes that one read returns and one transaction writes."""


def open_sqlite_journal(
    path: Path,
    partitions: int | None = None,
    *,
    create: bool = True,
    synchronous: Synchronous = "FULL",
    clock: Callable[[], Instant] | None = None,
) -> "SqliteJournal":
    """Open the journal in this file, and create it with ``partitions`` partitions if it is missing (``partitions``
    None: it must exist).

    JournalMismatch: the file has another number of partitions or is another kind of file. JournalDamaged: its content
    cannot be what was written. JournalUnavailable: it is missing and may not be created, or it cannot be opened now.
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
    """The Journal port on one SQLite file. Any thread may call. Readers take turns."""

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
                raise JournalUnavailable(f"there is no journal at {path}: name the directory it is in, or create one")
            if path.with_name(f"{path.name}-wal").exists() and not path.exists():
                raise JournalDamaged(
                    f"{path} is missing, but its {path.name}-wal exists: restore the file that belongs to it"
                )
            _create(path, partitions)
        self._reader, self.identity, self.partitions = _open(path, partitions)
        self.file = OpenFile(path)
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
                raise self._translated(error) from error
        return found

    def ready(self, partition: int, offset: int, limit: int) -> list[JournalRecord]:
        return self.read(partition, offset, limit)  # no record is ever in transit

    def behind_hole(self, partition: int, offset: int) -> int:
        return offset  # every offset has a record

    def begin(self, partition: int) -> int:
        self._check(partition)
        with self._reading:
            try:
                return self._first(self._reader, partition)
            except sqlite3.Error as error:
                raise self._translated(error) from error

    def end(self, partition: int) -> int:
        self._check(partition)
        with self._reading:
            try:
                return self._end(self._reader, partition)
            except sqlite3.Error as error:
                raise self._translated(error) from error

    def check_file(self, most: int) -> bool:
        """Check the whole file unless it has more than ``most`` bytes: SQLite's own check, each record's checksum, and
        gaps. Returns whether it was checked. JournalDamaged, JournalUnavailable."""
        if self.path.stat().st_size > most:
            return False
        with self._reading:
            try:
                (found,) = self._reader.execute("PRAGMA quick_check(1)").fetchone()
            except sqlite3.Error as error:
                raise self._translated(error) from error
        if found != "ok":
            raise self._damaged(str(found))
        for partition in range(self.partitions):
            offset, end = 0, self.end(partition)
            while offset < end:
                offset = self.read(partition, offset, 10_000)[-1].offset + 1
        return True

    def wait(self, partition: int, offset: int, timeout: float) -> bool:
        until = time.monotonic() + timeout
        pause = _MIN_POLL
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
            pause = min(pause * 1.5, _MAX_POLL)

    def close(self) -> None:
        """Write or refuse the waiting appends, then copy the WAL into the file. Takes a few seconds at most."""
        self._closed = True
        self._waiting.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join(_CLOSE_TIMEOUT)

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
        """Explain why no record was found at this offset. Returns if it is the log's end."""
        end = self._end(self._reader, partition)
        if offset > end or offset < 0:
            raise LogLost(f"{self.path}: partition {partition} ends at offset {end}, there is no offset {offset}")
        sql = f"SELECT 1 FROM partition_{partition} WHERE offset = ?"
        if offset < end and self._reader.execute(sql, (offset,)).fetchone() is None:  # it may have been appended since
            if (first := self._first(self._reader, partition)) > offset:
                raise front_cut(partition, first)
            raise self._damaged(f"partition {partition} has no record at offset {offset}, but later ones")

    def _damaged(self, what: str) -> JournalDamaged:
        return JournalDamaged(
            f"{self.path}: {what}: the file is damaged. Stop every engine, copy it aside, and restore it from a copy"
        )

    def _translated(self, error: sqlite3.Error) -> JournalError:
        """Translate an error of SQLite to one of the port."""
        if self._closed:
            return JournalUnavailable(f"{self.path} was closed")
        if isinstance(error, sqlite3.OperationalError):
            return JournalUnavailable(f"{self.path} cannot be read now: {why(error, self.path)}")
        return self._damaged(str(error))

    # ---- the writing thread ------------------------------------------------------------------------------------------

    def _write(self) -> None:
        try:
            connection = open_existing(self.path, timeout=_LOCK_TIMEOUT)
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
                    self._fail(batch, AppendRefused(f"{self.path} cannot be opened for writing", retriable=False))
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
        """Return all waiting appends, at least one, and whether to continue afterwards."""
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
        """Write one transaction. A failure before COMMIT is certain: nothing was written. A failure of COMMIT itself is
        unknown."""
        try:
            self._begin(connection)
            appended = self._insert(connection, batch)
        except (sqlite3.Error, OSError, JournalError) as error:
            if connection.in_transaction:
                connection.rollback()
            retriable = isinstance(error, sqlite3.OperationalError | JournalUnavailable)
            self._fail(batch, AppendRefused(f"{self.path}: {error}", retriable=retriable))
            return
        try:
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.rollback()
            self._fail(batch, AppendUnknown(f"{self.path}: {error}"))
            return
        with self._grown:
            self._appends += 1
            self._grown.notify_all()
        for item, where in zip(batch, appended, strict=True):
            item.future.set_result(where)

    def _begin(self, connection: sqlite3.Connection) -> None:
        """Wait for the write lock. SQLite's own waiting is coarse, so this method retries in short intervals."""
        until = time.monotonic() + _LOCK_TIMEOUT
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
        if (replaced := self.file.replaced()) is not None:
            raise LogChanged(replaced)

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

    def _fail(self, batch: list[_Append], error: JournalError) -> None:
        for item in batch:
            item.future.set_exception(error)

    def _refuse_all(self) -> None:
        """Refuse appends that arrived after the close."""
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


def _create(path: Path, partitions: int) -> None:
    """Write the whole file under another name, then link it into place. No process sees a partial file, and the first
    one to link wins."""
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
    """Flush a directory, so that a new name in it survives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _open(path: Path, partitions: int | None) -> tuple[sqlite3.Connection, str, int]:
    """Return the reading connection, and the file's identity and number of partitions."""
    connection: sqlite3.Connection | None = None
    try:
        connection = open_existing(path, timeout=_LOCK_TIMEOUT)
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
            f"{path} has {counted(has, 'partition')}, not {partitions}. The number was fixed when the journal was "
            f"created: use ?partitions={has}, or name another journal"
        )
    return connection, identity, has


def _not_a_journal(path: Path, wrong: Wrong) -> JournalError:
    if wrong == "is of another kind":
        return JournalMismatch(f"{path} is an SQLite file, but not a rescind journal: name another journal")
    if wrong == "is no SQLite file":
        return JournalDamaged(
            f"{path} is not an SQLite file: it is damaged, or it is something else. Restore it from a copy"
        )
    return JournalDamaged(f"{path} is shorter than its header says: it was truncated. Restore it from a copy")
