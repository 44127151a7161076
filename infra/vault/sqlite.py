"""The vault in one SQLite file: the embedded default. Several processes of a machine may share it."""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from consumers.erasing.eraser import Erasure
from consumers.ports.vault import VaultUnavailable
from infra.sqlite.file import OpenFile, checkpoint, why
from infra.vault.base import FORMAT, DatabaseVault, StoredText, Unsaved

BUSY: Final = 5.0
"""Seconds to wait for another process's transaction."""

_TABLES: Final = """
create table if not exists about (name text primary key, value blob not null) without rowid;
create table if not exists subjects (
    id integer primary key, marketplace text not null, subject text not null, wrapped blob);
create unique index if not exists live_subject on subjects (marketplace, subject) where wrapped is not null;
create table if not exists texts (
    reference text primary key, subject_id integer not null references subjects, sealed blob not null) without rowid;
create index if not exists texts_of on texts (subject_id);
"""
_ERASING: Final = """
create table if not exists keys_made (
    subject_id integer primary key references subjects, journal text not null, ordinal integer not null);
create table if not exists erasing (
    journal text not null, partition integer not null, ordinal integer not null,
    primary key (journal, partition)) without rowid;
"""
"""When keys were made, and how far erasures are carried out, both in ordinals of a log."""


class SqliteVault(DatabaseVault):
    """A vault in one SQLite file (None: in memory)."""

    def __init__(self, path: Path | None, key: bytes, *, synchronous: str = "full") -> None:
        """VaultKeyWrong if the key is not the vault's, VaultUnavailable if it cannot be opened."""
        super().__init__(key)
        self._lock = threading.Lock()
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(OSError):  # before it is opened: SQLite gives its other files the same mode
                path.touch(0o600)
                path.chmod(0o600)
        try:
            self._database = sqlite3.connect(
                ":memory:" if path is None else path, timeout=BUSY, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as broken:
            raise VaultUnavailable(f"the vault {path} cannot be opened: {why(broken, path)}") from broken
        try:
            self._database.execute("pragma journal_mode=wal")
            self._database.execute(f"pragma synchronous={synchronous}")
            self._database.execute("pragma secure_delete=on")
            self._prepare()
            self.file = None if path is None else OpenFile(path)
        except sqlite3.Error as broken:
            self._database.close()
            where = path or "in memory"
            raise VaultUnavailable(f"the vault {where} cannot be opened: {why(broken, path)}") from broken
        except BaseException:
            self._database.close()
            raise

    def _prepare(self) -> None:
        try:
            about = dict(self._database.execute("select name, value from about"))
        except sqlite3.OperationalError:
            about = {}
        if not about:
            self._database.executescript("begin immediate;" + _TABLES)
            first = (FORMAT, self._keys.check)
            self._database.execute("insert or ignore into about values ('format', ?), ('key', ?)", first)
            self._database.execute("commit")
            about = dict(self._database.execute("select name, value from about"))
        self._agree(about["format"], about["key"])
        if not self._database.execute("select 1 from sqlite_master where name = 'erasing'").fetchone():
            self._database.executescript(f"begin immediate; {_ERASING} commit")

    @contextlib.contextmanager
    def _transaction(self, what: str) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._database.execute("begin immediate")
                if self.file is not None and (replaced := self.file.replaced()) is not None:
                    raise VaultUnavailable(f"the vault cannot {what}: {replaced}")
                yield self._database
                self._database.execute("commit")
            except BaseException as broken:
                if self._database.in_transaction:
                    with contextlib.suppress(sqlite3.Error):
                        self._database.execute("rollback")
                if isinstance(broken, sqlite3.Error):
                    raise VaultUnavailable(f"the vault cannot {what}: {broken}") from broken
                raise

    def _write(self, texts: Sequence[Unsaved]) -> None:
        with self._transaction("write") as database:
            for text in texts:
                self._save(database, text)

    def _put(self, file: Unsaved) -> bool:
        with self._transaction("take a file") as database:
            there = database.execute(
                "select wrapped is null from texts join subjects on subjects.id = subject_id where reference = ?",
                (file.reference,),
            ).fetchone()
            if there is not None and not there[0]:
                return False
            database.execute("delete from texts where reference = ?", (file.reference,))
            self._save(database, file)
        return True

    def drop(self, reference: str) -> None:
        with self._transaction("let a file go") as database:
            database.execute("delete from texts where reference = ?", (reference,))

    def _save(self, database: sqlite3.Connection, text: Unsaved) -> None:
        marketplace, subject, reference, content, seen = text
        if seen is not None and seen.erased >= 0:
            self._destroy(database, seen.journal, Erasure(marketplace, subject, seen.erased))
        row = database.execute(
            "select id, wrapped from subjects where marketplace = ? and subject = ? and wrapped is not null",
            (marketplace, subject),
        ).fetchone()
        if row is None:
            row = database.execute(
                "insert into subjects (marketplace, subject, wrapped) values (?, ?, ?) returning id, wrapped",
                (marketplace, subject, self._keys.new(marketplace, subject)),
            ).fetchone()
            if seen is not None:
                database.execute("insert into keys_made values (?, ?, ?)", (row[0], seen.journal, seen.ordinal))
        number, wrapped = row
        sealed = self._keys.seal(wrapped, marketplace, subject, reference, content)
        database.execute("insert into texts values (?, ?, ?)", (reference, number, sealed))

    def _find(self, reference: str) -> StoredText | None:
        with self._lock:
            row = self._database.execute(
                "select sealed, wrapped, marketplace, subject from texts join subjects on subjects.id = subject_id "
                "where reference = ?",
                (reference,),
            ).fetchone()
        return None if row is None else StoredText(*row)

    def has(self, references: Sequence[str]) -> int:
        with self._transaction("be read") as database:
            marks = ", ".join("?" * len(references))
            query = f"select count(*) from texts where reference in ({marks})"
            return int(database.execute(query, tuple(references)).fetchone()[0])

    def _noted(self, name: str) -> bytes | None:
        with self._transaction("be read") as database:
            row = database.execute("select value from about where name = ?", (name,)).fetchone()
        return None if row is None else bytes(row[0])

    def _note(self, name: str, value: bytes) -> None:
        with self._transaction("write") as database:
            database.execute("insert or replace into about values (?, ?)", (name, value))

    def _erase(self, marketplace: str, subject: str) -> bool:
        with self._transaction("erase") as database:
            gone = database.execute(
                "update subjects set wrapped = null where marketplace = ? and subject = ? and wrapped is not null",
                (marketplace, subject),
            ).rowcount
        with self._lock:
            try:
                self._database.execute("pragma wal_checkpoint(truncate)")
            except sqlite3.Error as broken:
                raise VaultUnavailable(f"the vault cannot erase: {broken}") from broken
        return gone > 0

    def erased_through(self, journal: str, partition: int) -> int:
        with self._transaction("be read") as database:
            return self._erased_through(database, journal, partition)

    @staticmethod
    def _erased_through(database: sqlite3.Connection, journal: str, partition: int) -> int:
        query = "select ordinal from erasing where journal = ? and partition = ?"
        row = database.execute(query, (journal, partition)).fetchone()
        return 0 if row is None else int(row[0])

    def _carry_out(self, journal: str, partition: int, before: int, position: int, erasures: Sequence[Erasure]) -> bool:
        with self._transaction("erase") as database:
            if self._erased_through(database, journal, partition) != before:
                return False
            for erasure in erasures:
                self._destroy(database, journal, erasure)
            database.execute("insert or replace into erasing values (?, ?, ?)", (journal, partition, position))
        return True

    @staticmethod
    def _destroy(database: sqlite3.Connection, journal: str, erasure: Erasure) -> None:
        gone = database.execute(
            "update subjects set wrapped = null where marketplace = ? and subject = ? and wrapped is not null "
            "and not exists (select 1 from keys_made where subject_id = subjects.id and journal = ? and ordinal > ?)",
            (erasure.marketplace, erasure.subject, journal, erasure.ordinal),
        ).rowcount
        if gone:
            database.execute(
                "insert into about values ('scrub', '1') on conflict (name) do update set value = value + 1"
            )

    def scrub(self) -> None:
        with self._transaction("be read") as database:
            due = database.execute("select value from about where name = 'scrub'").fetchone()
        if due is None:
            return
        with self._lock:
            try:
                busy = self._database.execute("pragma wal_checkpoint(truncate)").fetchone()[0]
            except sqlite3.Error as broken:
                raise VaultUnavailable(f"the vault cannot erase: {broken}") from broken
        if busy:
            raise VaultUnavailable("the vault cannot empty its WAL yet: another process is reading it")
        with self._transaction("erase") as database:
            database.execute("delete from about where name = 'scrub' and value = ?", due)

    def counts(self) -> tuple[int, int]:
        with self._lock:
            subjects, texts = self._database.execute(
                "select (select count(*) from subjects where wrapped is not null), (select count(*) from texts "
                "join subjects on subjects.id = subject_id where wrapped is not null)"
            ).fetchone()
        return int(subjects), int(texts)

    def _close(self) -> None:
        with self._lock:
            checkpoint(self._database)
            self._database.close()
