"""What an SQLite file says of itself when it is opened, asked through SQLite alone.

Whoever opens the file beside SQLite and closes it again takes this process's locks on it away (POSIX: they go with the
first close of any handle). The next process that ends then believes to be the last, and deletes the WAL that this one
still writes to: what was acknowledged is gone.
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
"""Bytes free on a disk below which SQLite cannot so much as open a file."""
_WAL_HEADER: Final = 32
_FRAME_HEADER: Final = 24
_LOCKED: Final = 0x40000000
"""The page with this byte is never written, says SQLite's file format."""


def wrong_with(connection: sqlite3.Connection, path: Path, application_id: int) -> Wrong | None:
    """Why the file behind this connection, in no transaction, is not what is meant; None if it is.

    It is read and not changed, whatever it is. sqlite3.OperationalError if it cannot be read now.
    """
    if path.stat().st_size == 0:
        return "is no SQLite file"
    try:
        connection.execute("BEGIN")  # one snapshot: what it says of the WAL stays in it for so long
        try:
            (id,) = connection.execute("PRAGMA application_id").fetchone()
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            (size,) = connection.execute("PRAGMA page_size").fetchone()
            if id != application_id:
                return "is of another kind"
            missing = set(range(path.stat().st_size // size + 1, pages + 1)) - {_LOCKED // size + 1}
            return "was cut off" if missing and not missing <= _pages_in_wal(path, size) else None
        finally:
            if connection.in_transaction:  # else SQLite has ended it, and what it said of that is told
                connection.execute("COMMIT")
    except sqlite3.DatabaseError as error:
        code = error.sqlite_errorcode & 0xFF
        if code == sqlite3.SQLITE_NOTADB:
            return "is no SQLite file"
        if code == sqlite3.SQLITE_CORRUPT:  # its first page says that there are more
            return "was cut off"
        raise


def make_private(path: Path) -> None:
    """Make an empty file that only its owner may read and write, whatever the umask; one that is there stays as it is.
    The files that SQLite puts beside it get the same mode.

    It is opened only if it is made here: nobody has locks on it then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError):  # SQLite says why, when it opens it
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def checkpoint(connection: sqlite3.Connection) -> None:
    """Copy the WAL into the file and empty it, as far as that goes at once: other processes may be reading. For who
    is about to close the connection, which is in no transaction."""
    execute = sqlite3.Connection.execute  # a connection of ours may give errors another class
    with contextlib.suppress(sqlite3.Error):
        execute(connection, "PRAGMA busy_timeout=0")
        execute(connection, "PRAGMA wal_checkpoint(TRUNCATE)")


def why(error: sqlite3.Error, path: Path | None) -> str:
    """What SQLite said; of a file on a disk without room also that, for which it has several names."""
    said = str(error)
    if path is not None and "full" not in said:
        try:
            if shutil.disk_usage(path.parent).free < _ROOM:
                return f"{said} (the disk is full)"
        except OSError:
            pass
    return said


def _pages_in_wal(path: Path, size: int) -> set[int]:
    """The pages in the frames of the WAL that are of its latest beginning: those with the salt of its header."""
    found: set[int] = set()
    try:
        with path.with_name(f"{path.name}-wal").open("rb") as wal:  # no lock is ever on this file
            salt = wal.read(_WAL_HEADER)[16:24]
            while len(head := wal.read(_FRAME_HEADER)) == _FRAME_HEADER and head[8:16] == salt:
                found.add(struct.unpack_from(">I", head)[0])
                wal.seek(size, 1)
    except FileNotFoundError:
        pass
    return found
