"""The SQLite file of local state: its tables, and how it is created, opened, checked and discarded.

The file is a cache of the log, so ``synchronous=NORMAL`` is enough. With WAL, a power cut may lose the newest batches,
which are read from the log again. OFF would be faster, but after a power cut the file could differ from the log without
any error.
"""

import contextlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from consumers.ports.local_state import LocalStateDamaged, LocalStateUnavailable
from infra.sqlite.file import make_private, open_existing, why, wrong_with

CHECKPOINT: Final = 8_000
"""Pages of the WAL at which it is copied into the file and synced. The process that writes does this, in the engine's
loop."""
APPLICATION_ID: Final = 0x52534C31
"""In the file's header: rescind local state, layout 1."""

TABLES: Final = """
CREATE TABLE progress (identity TEXT, partition INTEGER NOT NULL, partitions INTEGER NOT NULL,
    next_offset INTEGER NOT NULL, next_index INTEGER NOT NULL, next_ordinal INTEGER NOT NULL,
    next_position INTEGER NOT NULL, format INTEGER NOT NULL, next_stream INTEGER NOT NULL,
    due_through INTEGER NOT NULL, duplicate INTEGER NOT NULL, superseded INTEGER NOT NULL, malformed INTEGER NOT NULL);
CREATE TABLE commits (ordinal INTEGER PRIMARY KEY, offset INTEGER NOT NULL, idx INTEGER NOT NULL,
    position INTEGER NOT NULL, appended_at INTEGER NOT NULL, hash BLOB NOT NULL, key INTEGER NOT NULL,
    stream INTEGER NOT NULL, previous INTEGER, data BLOB NOT NULL);
CREATE TABLE parts (ordinal INTEGER, stream INTEGER, previous INTEGER,
    PRIMARY KEY (ordinal, stream)) WITHOUT ROWID;
CREATE TABLE streams (id INTEGER PRIMARY KEY, key INTEGER NOT NULL, name TEXT NOT NULL, hash BLOB, count INTEGER,
    mark INTEGER, last INTEGER NOT NULL, commands BLOB);
CREATE TABLE commands (stream INTEGER, key INTEGER, ordinal INTEGER,
    PRIMARY KEY (stream, key, ordinal)) WITHOUT ROWID;
CREATE TABLE versions (stream INTEGER, version INTEGER, ordinal INTEGER NOT NULL,
    PRIMARY KEY (stream, version)) WITHOUT ROWID;
CREATE TABLE due (stream INTEGER, deadline_id TEXT, due_at INTEGER NOT NULL,
    PRIMARY KEY (stream, deadline_id)) WITHOUT ROWID;
CREATE INDEX due_by ON due (due_at, stream, deadline_id);
CREATE TABLE parked (offset INTEGER, idx INTEGER, reason TEXT NOT NULL,
    PRIMARY KEY (offset, idx)) WITHOUT ROWID;
CREATE TABLE names (key INTEGER, number INTEGER, PRIMARY KEY (key, number)) WITHOUT ROWID;
CREATE TABLE ids (key INTEGER, number INTEGER, PRIMARY KEY (key, number)) WITHOUT ROWID;
"""
OTHER_LAYOUT: Final = "is of another layout"
"""The finding for a file of another release. The file is not damaged."""
_BESIDE: Final = ("", "-wal", "-shm", "-journal")
"""The files that belong to an SQLite database, by suffix."""
_STATEMENTS: Final = [statement.strip() for statement in TABLES.split(";") if statement.strip()]


class Connection(sqlite3.Connection):
    """A connection that raises the port's errors. It marks a corrupt file, so that the next start rebuilds it."""

    path: Path
    read_only = False

    def execute(self, *args: Any) -> sqlite3.Cursor:
        try:
            return super().execute(*args)
        except sqlite3.Error as error:
            raise self._translated(error) from error

    def rows(self, *args: Any) -> list[Any]:
        """Execute a statement, and return all its rows."""
        try:
            return super().execute(*args).fetchall()
        except sqlite3.Error as error:
            raise self._translated(error) from error

    def row(self, *args: Any) -> Any:
        """Execute a statement, and return its first row, which must exist."""
        found = self.rows(*args)
        if not found:
            raise self.damaged("a row is missing")
        return found[0]

    def executemany(self, *args: Any) -> sqlite3.Cursor:
        try:
            return super().executemany(*args)
        except sqlite3.Error as error:
            raise self._translated(error) from error

    def _translated(self, error: sqlite3.Error) -> Exception:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return self.damaged(str(error))
        if isinstance(error, sqlite3.OperationalError):
            return LocalStateUnavailable(f"{self.path}: {why(error, self.path)}")
        return error

    def damaged(self, what: str) -> LocalStateDamaged:
        """The error for a file that can no longer be used. The next start rebuilds the file."""
        if self.read_only:  # a reader changes nothing
            return LocalStateDamaged(
                f"{self.path} is damaged: {what}. Move it aside while no engine runs, with its -wal and -shm: the next "
                "start rebuilds it from the log"
            )
        with contextlib.suppress(OSError):
            _marker(self.path).touch()
        return LocalStateDamaged(
            f"{self.path} is damaged: {what}. The next start rebuilds it from the log, and renames this file to "
            f"{aside(self.path).name}"
        )


def connect(path: Path, *, read_only: bool) -> Connection:
    """Open a connection to an existing file."""
    mode = "ro" if read_only else "rw"
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, factory=Connection)
    connection.path = path
    connection.read_only = read_only
    connection.execute("PRAGMA cache_size=-16384")
    if not read_only:
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT}")
    return connection


def create(path: Path, partition: int, partitions: int) -> None:
    """Create an empty file."""
    make_private(path)
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=OFF")  # if a power cut breaks an empty file, it is created again
        connection.execute("BEGIN")
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        for statement in _STATEMENTS:
            connection.execute(statement)
        counts = (None, partition, partitions, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0)
        connection.execute("INSERT INTO progress VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", counts)
        connection.execute("COMMIT")
    finally:
        connection.close()


def discard(path: Path) -> None:
    """Delete a local state file and its SQLite files. It is rebuilt from the log."""
    for suffix in (*_BESIDE, ".damaged"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def set_aside(path: Path) -> None:
    """Rename a damaged local state file and its SQLite files, as evidence. Only the latest one is stored."""
    target = aside(path)
    for suffix in _BESIDE:
        target.with_name(target.name + suffix).unlink(missing_ok=True)
    for suffix in reversed(_BESIDE):
        file = path.with_name(path.name + suffix)
        if file.exists():
            file.rename(target.with_name(target.name + suffix))
    _marker(path).unlink(missing_ok=True)


def aside(path: Path) -> Path:
    """The path to which a damaged local state file is renamed."""
    return path.with_name(f"{path.name}.aside")


def what_is_wrong(path: Path, *, read_only: bool) -> str | None:
    """Why the file cannot be used, as far as a quick check shows. None if it can."""
    if not path.exists():
        return "missing"
    if _marker(path).exists():
        return "was found damaged while it was in use"
    try:
        with closing(open_existing(path, read_only=read_only)) as connection:
            wrong = wrong_with(connection, path, APPLICATION_ID)
            if wrong is not None:
                return OTHER_LAYOUT if wrong == "is of another kind" else wrong
            connection.execute("BEGIN")  # one snapshot: its owner may be writing
            (ordinals,) = connection.execute("SELECT next_ordinal FROM progress").fetchone()
            (last,) = connection.execute("SELECT max(ordinal) FROM commits").fetchone()
            tables = connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
    except (sqlite3.DatabaseError, TypeError) as error:
        return f"cannot be read: {error}"
    if {statement for (statement,) in tables} != set(_STATEMENTS):
        return OTHER_LAYOUT
    return None if ordinals == (0 if last is None else last + 1) else "contradicts itself"


def _marker(path: Path) -> Path:
    """The path of the file that marks local state as damaged."""
    return path.with_name(f"{path.name}.damaged")
