"""Check an SQLite file when it is opened, through SQLite alone.

Opening and closing the file directly, while SQLite has it open, would drop this process's locks on it (POSIX releases
them at the first close of any handle). The next process to finish would then take itself for the last one, and delete
the WAL that this process still writes to: acknowledged records would be lost.
"""

import contextlib
import os
import shutil
import sqlite3
import struct
from pathlib import Path
from typing import Final, Literal

Wrong = Literal["is no SQLite file", "is of another kind", "was cut off"]

_ROOM: Final = 65_536
"""Free bytes on a disk below which SQLite cannot even open a file."""
_WAL_HEADER: Final = 32
_FRAME_HEADER: Final = 24
_LOCKED: Final = 0x40000000
"""The page with this byte is never written, according to SQLite's file format."""


def wrong_with(connection: sqlite3.Connection, path: Path, application_id: int) -> Wrong | None:
    """Why the file behind this connection is not the expected one. None if it is. The connection must have no
    transaction.

    The file is read and never changed. sqlite3.OperationalError if it cannot be read now.
    """
    if path.stat().st_size == 0:
        return "is no SQLite file"
    try:
        connection.execute("BEGIN")  # one snapshot: the WAL's frames stay until it ends
        try:
            (id,) = connection.execute("PRAGMA application_id").fetchone()
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            (size,) = connection.execute("PRAGMA page_size").fetchone()
            if id != application_id:
                return "is of another kind"
            missing = set(range(path.stat().st_size // size + 1, pages + 1)) - {_LOCKED // size + 1}
            return "was cut off" if missing and not missing <= _pages_in_wal(path, size) else None
        finally:
            if connection.in_transaction:  # otherwise SQLite has ended it, and its error is reported
                connection.execute("COMMIT")
    except sqlite3.DatabaseError as error:
        code = error.sqlite_errorcode & 0xFF
        if code == sqlite3.SQLITE_NOTADB:
            return "is no SQLite file"
        if code == sqlite3.SQLITE_CORRUPT:  # the first page names more pages than there are
            return "was cut off"
        raise


class OpenFile:
    """A database file that SQLite has open here, and its WAL: shows when one of them was taken away or replaced.

    SQLite continues with the file that it has opened, even if the path now names another one. Its writes to it are
    lost when the process ends. A file that was overwritten in place is still the same file, and is not noticed.
    """

    def __init__(self, path: Path) -> None:
        """``path``: of a file that a connection has read from, so that its WAL is there."""
        self.path = path
        self._wal = path.with_name(f"{path.name}-wal")
        self._opened = _identity(path), _identity(self._wal)

    def replaced(self) -> str | None:
        """Why the path does not name the open file any more, and what to do; None while it does. Two looks at the file
        system, from any thread."""
        file, wal = self._opened
        if file != _identity(self.path):
            return (
                f"{self.path} was moved or replaced while it was in use: stop every process that uses it, and "
                "bring it back"
            )
        if wal is not None and wal != _identity(self._wal):
            return (
                f"{self._wal} was moved or replaced while it was in use: stop every process that uses it with "
                f"SIGTERM, so that its content is copied into {self.path.name}"
            )
        return None


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode of the file that the path names now; None if it names none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def make_private(path: Path) -> None:
    """Create an empty file that only its owner may read and write, whatever the umask. An existing file is left as it
    is. SQLite gives its additional files the same mode.

    The file is opened only if it is created here, when no process can have locks on it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError):  # SQLite reports the error when it opens the file
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def open_existing(path: Path, *, read_only: bool = False, timeout: float = 5.0) -> sqlite3.Connection:
    """Connect to a file that must be there; any thread may use the connection. It has no transaction of its own.

    A file that was removed a moment ago is not created again, because an empty file would pass for the data.
    ``timeout``: seconds to wait for another process's lock. sqlite3.OperationalError without the file.
    """
    uri = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rw'}"
    return sqlite3.connect(uri, timeout, uri=True, isolation_level=None, check_same_thread=False)


def checkpoint(connection: sqlite3.Connection) -> None:
    """Copy the WAL into the file and empty it as far as possible, since other processes may be reading. Call it before
    closing the connection, outside a transaction."""
    execute = sqlite3.Connection.execute  # our Connection translates errors
    with contextlib.suppress(sqlite3.Error):
        execute(connection, "PRAGMA busy_timeout=0")
        execute(connection, "PRAGMA wal_checkpoint(TRUNCATE)")


def why(error: sqlite3.Error, path: Path | None) -> str:
    """SQLite's message. For a full disk, for which SQLite has several messages, it adds that."""
    message = str(error)
    if path is not None and "full" not in message:
        try:
            if shutil.disk_usage(path.parent).free < _ROOM:
                return f"{message} (the disk is full)"
        except OSError:
            pass
    return message


def _pages_in_wal(path: Path, size: int) -> set[int]:
    """The pages in the valid frames of the WAL: those with the salt of its header."""
    found: set[int] = set()
    try:
        with path.with_name(f"{path.name}-wal").open("rb") as wal:  # this file never has locks
            salt = wal.read(_WAL_HEADER)[16:24]
            while len(head := wal.read(_FRAME_HEADER)) == _FRAME_HEADER and head[8:16] == salt:
                found.add(struct.unpack_from(">I", head)[0])
                wal.seek(size, 1)
    except FileNotFoundError:
        pass
    return found
