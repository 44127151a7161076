"""Views in one SQLite file (``sqlite:///path``): WAL, one writer, and readers that never block it.

The file is a cache of the log. ``synchronous=NORMAL`` is enough, because rows and position are written together: the
projector repeats what a power cut loses. A file that is missing, damaged or of an earlier release is rebuilt, and
standard error says so. A file that has no views is never changed.
"""

import os
import sqlite3
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from threading import Lock
from typing import Final

from consumers.ports.views import (
    START,
    Batch,
    PositionMoved,
    RowsRefused,
    ViewsDamaged,
    ViewsError,
    ViewsUnavailable,
)
from domain.instants import Instant, format_instant
from infra.sqlite.file import OpenFile, checkpoint, make_private, open_existing
from infra.views import sql
from infra.views.base import DatabaseViews, Opened, ViewsOfAnotherRelease, dead_letter_rows
from infra.views.reading import Row
from projections.tables import BOOKKEEPING, DEAD_LETTERS, POSITIONS, SCHEMA_VERSION, TABLES, Cell, Table
from projections.tables import Row as TableRow

_APPLICATION: Final = 0x72736376
"""``PRAGMA application_id`` of a file of views."""
_BUSY: Final = 10.0
"""Seconds to wait for another process's write."""
_REBUILD: Final = ": rebuild them with `rescind replay`"
_READERS: Final = 8
"""Reading connections that stay open."""


def open_sqlite_views(path: Path, *, own: bool = False) -> Opened["SqliteViews"]:
    """Open the views in this file, and create them if they do not exist. ``own``: the path is the default one, so
    whatever is there was ours.

    ViewsError if the file is something else, or of a newer release. ViewsUnavailable if it cannot be opened.
    """
    make_private(path)
    rebuilt = None if path.exists() and path.stat().st_size else "there was no file"
    if rebuilt is None:
        try:
            version = _version(path, own)
        except ViewsDamaged as wrong:
            moved = _move_aside(path)
            damage = str(wrong).removesuffix(_REBUILD)
            rebuilt = f"the file was damaged ({damage}); it was renamed to {moved.name}"
            _marker(path).unlink(missing_ok=True)
        else:
            if 0 < version < SCHEMA_VERSION:
                _move_aside(path)
                rebuilt = f"its tables were of version {version}, and this release's are {SCHEMA_VERSION}"
            elif not version:
                rebuilt = "the file was empty"
    make_private(path)  # it may have been moved aside
    return Opened(SqliteViews(path), rebuilt)


def existing_sqlite_views(path: Path, *, own: bool = False) -> "SqliteViews | None":
    """Open the views in this file if they exist. Nothing is created, moved or marked.

    ViewsDamaged. ViewsOfAnotherRelease. ViewsError if the file is something else.
    """
    if not path.exists() or not path.stat().st_size:
        return None
    try:
        version = _version(path, own)
    except ViewsDamaged as wrong:
        damage = str(wrong).removesuffix(_REBUILD)
        raise ViewsDamaged(f"the views in {path} are damaged ({damage}){_REBUILD}") from None
    if 0 < version < SCHEMA_VERSION:
        raise ViewsOfAnotherRelease(version)
    return SqliteViews(path, only_there=True) if version else None


def _version(path: Path, own: bool) -> int:
    """The version of the tables in a file, this release's or an earlier one. 0 for an empty database. The file is not
    changed. ViewsDamaged. ViewsError if it is not a file of views, or of a newer release."""
    if _marker(path).exists():
        raise ViewsDamaged("found while it was in use")
    application = 0
    with _explained(path, remember=False):
        db = open_existing(path, timeout=_BUSY)
        try:
            [application] = db.execute("PRAGMA application_id").fetchone()
            [version] = db.execute("PRAGMA user_version").fetchone()
            known = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        except sqlite3.DatabaseError as wrong:
            if wrong.sqlite_errorcode & 0xFF not in _DAMAGE or own or _APPLICATION in (application, _id_in(path)):
                raise
            raise ViewsError(f"{path} is not a file of views: name another one with --views") from None
        finally:
            db.close()
    if application == _APPLICATION:
        if not version or (
            version == SCHEMA_VERSION and not known >= {table.name for table in (*TABLES, *BOOKKEEPING)}
        ):
            raise ViewsDamaged("tables are missing")
        if version > SCHEMA_VERSION:
            raise ViewsError(
                f"{path} was written by a newer release (tables of version {version}, this one knows "
                f"{SCHEMA_VERSION}): install that release, or name another file with --views"
            )
        return int(version)
    if known or application or version:
        raise ViewsError(f"{path} is another kind of database: name another file with --views")
    return 0


def _id_in(path: Path) -> int:
    """The application id in a file that SQLite cannot read. No process has locks on such a file."""
    with path.open("rb") as file:
        return int.from_bytes(file.read(72)[68:], "big")


def _marker(path: Path) -> Path:
    """The file that marks the views as damaged. The next start rebuilds them."""
    return Path(f"{path}.damaged")


def _move_aside(path: Path) -> Path:
    """Rename a file and SQLite's additional files. Nothing is deleted. Returns the new path."""
    number = 1
    while (aside := path.with_name(f"{path.name}.old-{number}")).exists():
        number += 1
    for suffix in ("-wal", "-shm", ""):
        companion = Path(f"{path}{suffix}")
        if companion.exists():
            companion.rename(f"{aside}{suffix}")
    return aside


def _use_wal(db: sqlite3.Connection) -> None:
    """Switch to WAL. SQLite does not wait for another process that does the same, so this retries."""
    until = time.monotonic() + _BUSY
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as wrong:
            if wrong.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


class SqliteViews(DatabaseViews):
    """The Views port and the queries of Reading, on one file. Several processes may have it open."""

    def __init__(self, path: Path, *, shadow: bool = False, only_there: bool = False) -> None:
        """``shadow``: a file that is deleted if it is not finished, and written without durability. ``only_there``: the
        caller does not rebuild views, so damage is not marked."""
        self.path = path
        self._remember = not only_there
        self._shadow = shadow
        self._write_lock = Lock()
        self._readers: deque[sqlite3.Connection] = deque()
        self._closed = False
        self.file: OpenFile | None = None
        with self._explained():
            self._db = sqlite3.connect(path, isolation_level=None, timeout=_BUSY, check_same_thread=False)
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise
        if not shadow:
            self.file = OpenFile(path)

    def _explained(self) -> AbstractContextManager[None]:
        return _explained(self.path, self._remember)

    def _prepare(self) -> None:
        db = self._db
        if self._shadow:
            db.execute("PRAGMA journal_mode = MEMORY")
            db.execute("PRAGMA synchronous = OFF")
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("PRAGMA cache_size = -262144")
        else:
            _use_wal(db)
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA cache_size = -65536")
            db.execute("PRAGMA journal_size_limit = 67108864")
            db.execute("PRAGMA wal_autocheckpoint = 8000")
        db.execute("BEGIN IMMEDIATE")
        if db.execute("PRAGMA user_version").fetchone() == (0,):
            for table in (*TABLES, *BOOKKEEPING):
                db.execute(sql.create_table(table))
            if not self._shadow:
                self._create_indexes()
            db.execute(f"PRAGMA application_id = {_APPLICATION}")
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        db.execute("COMMIT")

    def _create_indexes(self) -> None:
        for table in TABLES:
            for statement in sql.create_indexes(table):
                self._db.execute(statement)

    # ---- the port ----------------------------------------------------------------------------------------------------

    def apply(self, batch: Batch) -> None:
        letters = dead_letter_rows(batch)
        with self._transaction() as db:
            self._move(db, batch)
            for statement, rows in sql.statements(batch.changes):
                db.executemany(statement, rows)
            if batch.freed:
                free = "DELETE FROM dead_letters WHERE log = ? AND partition = ? AND stream = ?"
                db.executemany(free, [(batch.log, batch.partition, stream) for stream in batch.freed])
            if letters:
                db.executemany(sql.insert(DEAD_LETTERS), letters)

    def _move(self, db: sqlite3.Connection, batch: Batch) -> None:
        """Compare and update the position, before anything else."""
        before, after = batch.before, batch.after
        new = (after.ordinal, after.position, after.last.hex(), after.letters)
        if before == START:
            names = ", ".join(POSITIONS.names)
            put = f"INSERT OR IGNORE INTO positions ({names}) VALUES (?, ?, ?, ?, ?, ?)"
            moved = db.execute(put, (batch.log, batch.partition, *new)).rowcount == 1
        else:
            promote = (
                "UPDATE positions SET next_ordinal = ?, next_position = ?, last_commit = ?, letters = ? "
                "WHERE log = ? AND partition = ? AND next_ordinal = ? AND last_commit = ? AND letters = ?"
            )
            known = (batch.log, batch.partition, before.ordinal, before.last.hex(), before.letters)
            moved = db.execute(promote, (*new, *known)).rowcount == 1
        if not moved:
            raise PositionMoved(f"partition {batch.partition} of the {batch.log} log was projected by another process")

    def clear(self) -> None:
        with self._transaction() as db:
            for table in (*TABLES, *BOOKKEEPING):
                db.execute(f"DELETE FROM {table.name}")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._write_lock, self._explained():
            if self._closed:
                raise ViewsUnavailable(f"{self.path} was closed")
            self._look_at_file()
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def _look_at_file(self) -> None:
        """Raise ViewsUnavailable where the file was taken away or replaced: what is written to it would be lost."""
        if self.file is not None and (replaced := self.file.replaced()) is not None:
            raise ViewsUnavailable(replaced)

    # ---- reading -----------------------------------------------------------------------------------------------------

    def query(self, statement: str, parameters: Sequence[Cell]) -> list[Row]:
        with self._reader() as db:
            cursor = db.execute(statement, parameters)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor]

    def in_time(self, column: str) -> str:
        return sql.in_time(column)

    def instant(self, at: Instant) -> Cell:
        return format_instant(at).rstrip("Z")

    def without_index(self, column: str) -> str:
        return f"+{column}"

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        """A connection for one query. A shadow file has only one connection."""
        with self._explained():
            if self._shadow:
                yield self._db
                return
            self._look_at_file()
            try:
                db = self._readers.pop()
            except IndexError:
                db = open_existing(self.path, timeout=_BUSY)
                db.execute("PRAGMA query_only = ON")
            try:
                yield db
            finally:
                if self._closed or len(self._readers) >= _READERS:
                    db.close()
                else:
                    self._readers.append(db)

    # ---- rebuilding --------------------------------------------------------------------------------------------------

    def shadow(self) -> "SqliteViews":
        """Create empty views in a shadow file. ``promote`` or ``discard`` it."""
        self._remove_abandoned_shadows()
        handle, name = tempfile.mkstemp(prefix=f"{self.path.name}.side-", dir=self.path.parent)
        os.close(handle)
        return SqliteViews(Path(name), shadow=True)

    def _remove_abandoned_shadows(self) -> None:
        """Delete shadow files that no process has open."""
        for path in self.path.parent.glob(f"{self.path.name}.side-*"):
            try:
                with closing(open_existing(path, timeout=0)) as db:
                    db.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError:
                continue  # another process is filling it, or has deleted it
            except sqlite3.DatabaseError:
                pass  # half written
            path.unlink(missing_ok=True)

    def finish(self) -> None:
        """Add the indexes of a shadow file, which come last."""
        if self._shadow:
            with self._transaction():
                self._create_indexes()

    def promote(self, shadow: "SqliteViews") -> None:
        """Replace this file's content with the shadow file's in one transaction: readers see the old rows or the new
        ones. A projector that is running finds that the position has moved, and continues from the new one."""
        shadow.finish()
        with self._write_lock, self._explained():
            self._look_at_file()
            shadow._db.backup(self._db)
            self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def discard(self) -> None:
        """Close a shadow file and delete it."""
        self.close()
        if self._shadow:
            for suffix in ("-journal", "-wal", "-shm", ""):
                Path(f"{self.path}{suffix}").unlink(missing_ok=True)

    @contextmanager
    def snapshot(self) -> Iterator["SqliteSnapshot"]:
        """All tables as of one moment, unaffected by writers."""
        with self._reader() as db:
            if self._shadow:
                yield SqliteSnapshot(db)
                return
            db.execute("BEGIN")
            db.execute("SELECT count(*) FROM positions").fetchone()  # the first read fixes the moment
            try:
                yield SqliteSnapshot(db)
            finally:
                db.execute("ROLLBACK")

    def close(self) -> None:
        """Answer the running queries, then close."""
        self._closed = True
        with self._write_lock:
            if not self._shadow:
                checkpoint(self._db)
            self._db.close()
        while self._readers:
            self._readers.pop().close()


class SqliteSnapshot:
    """The tables as of one moment."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def rows(self, table: Table, size: int = 2_000) -> Iterator[list[TableRow]]:
        """Every row as stored, in batches, in key order."""
        cursor = self._db.execute(sql.select_all(table))
        while rows := cursor.fetchmany(size):
            yield rows

    def count(self, table: Table) -> int:
        """The number of rows."""
        [number] = self._db.execute(f"SELECT count(*) FROM {table.name}").fetchone()
        return int(number)


_UNAVAILABLE: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_INTERRUPT,
    }
)
_REFUSED: Final = frozenset({sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG})


_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


@contextmanager
def _explained(path: Path, remember: bool) -> Iterator[None]:
    """Translate SQLite's errors to those of the port. ``remember``: mark damage, so that the next start rebuilds the
    views."""
    try:
        yield
    except OverflowError as wrong:
        raise RowsRefused(f"a number is too large for the database: {wrong}") from wrong
    except sqlite3.Error as wrong:
        code = getattr(wrong, "sqlite_errorcode", 0) & 0xFF
        if code in _UNAVAILABLE:
            raise ViewsUnavailable(f"{path} cannot be used at the moment: {wrong}") from wrong
        if code in _REFUSED or isinstance(wrong, (sqlite3.InterfaceError, sqlite3.ProgrammingError)):
            raise RowsRefused(str(wrong)) from wrong
        if not remember:
            raise ViewsDamaged(f"{wrong}{_REBUILD}") from wrong
        if code in _DAMAGE:
            _marker(path).touch()
        raise ViewsDamaged(f"{wrong}: restart, and the views are rebuilt from the log") from wrong
