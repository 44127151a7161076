"""The vault in a PostgreSQL database. Several engines with the same key share its texts.

Its tables may be in the database of the views, or in one of their own. Commits are synchronous. The table of subjects'
keys is rewritten after an erasure, so that no page of it has the key any more. PostgreSQL's archived WAL, and copies of
the database, are up to the operator (docs/how-to/postgresql.md).
"""

import contextlib
import secrets
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Final, cast

import psycopg

from consumers.erasing.eraser import Erasure
from consumers.ports.vault import VaultUnavailable
from infra.addresses.postgresql import PostgresqlAt
from infra.postgresql.connecting import Db, Pool, connect, first_line
from infra.vault.base import FORMAT, DatabaseVault, StoredText, Unsaved, ownership_note

MAKING: Final = 0x72736376
"""First half of the advisory lock under which the tables are created."""
RETRY_AFTER: Final = 1.0
"""Seconds after a failed write before the next attempt. Longer if the failure took long, because the engine's thread
waits."""
SHARE: Final = 20.0
"""How many times as long as the failure took the engine leaves the server alone."""

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS vault_about (name text PRIMARY KEY, value bytea NOT NULL);
CREATE TABLE IF NOT EXISTS vault_subjects (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, marketplace text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL, erased boolean NOT NULL DEFAULT false);
CREATE UNIQUE INDEX IF NOT EXISTS vault_live_subject ON vault_subjects (marketplace, subject) WHERE NOT erased;
CREATE TABLE IF NOT EXISTS vault_keys (subject_id bigint PRIMARY KEY REFERENCES vault_subjects, wrapped bytea NOT NULL);
CREATE TABLE IF NOT EXISTS vault_texts (
    reference text COLLATE "C" PRIMARY KEY, subject_id bigint NOT NULL REFERENCES vault_subjects,
    sealed bytea NOT NULL);
CREATE INDEX IF NOT EXISTS vault_texts_of ON vault_texts (subject_id);
ALTER TABLE vault_texts ALTER COLUMN sealed SET STORAGE EXTERNAL;
"""
_ERASING: Final = """
CREATE TABLE IF NOT EXISTS vault_keys_made (
    subject_id bigint PRIMARY KEY REFERENCES vault_subjects, journal text NOT NULL, ordinal bigint NOT NULL);
CREATE TABLE IF NOT EXISTS vault_erasing (
    journal text NOT NULL, partition integer NOT NULL, ordinal bigint NOT NULL, PRIMARY KEY (journal, partition));
"""
"""When keys were made, and how far erasures are carried out, both in ordinals of a log."""
_MAKE_SUBJECTS: Final = """
WITH given AS (SELECT * FROM unnest(%s::text[], %s::text[], %s::bytea[], %s::text[], %s::bigint[])
               AS given (marketplace, subject, wrapped, journal, ordinal)),
     made AS (INSERT INTO vault_subjects (marketplace, subject) SELECT marketplace, subject FROM given
              ON CONFLICT (marketplace, subject) WHERE NOT erased DO NOTHING RETURNING id, marketplace, subject),
     keyed AS (INSERT INTO vault_keys SELECT made.id, given.wrapped FROM made JOIN given USING (marketplace, subject))
INSERT INTO vault_keys_made SELECT made.id, given.journal, given.ordinal
FROM made JOIN given USING (marketplace, subject) WHERE given.journal IS NOT NULL
"""
_DESTROY: Final = """
UPDATE vault_subjects SET erased = true WHERE marketplace = %s AND subject = %s AND NOT erased
AND NOT EXISTS (SELECT FROM vault_keys_made WHERE subject_id = id AND journal = %s AND ordinal > %s) RETURNING id
"""
_SCRUB_DUE: Final = """
INSERT INTO vault_about VALUES ('scrub', %s) ON CONFLICT (name) DO UPDATE SET value = %s
"""
_FIND_SUBJECTS: Final = """
SELECT marketplace, subject, id, wrapped FROM vault_subjects JOIN vault_keys ON subject_id = id
WHERE NOT erased AND (marketplace, subject) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
"""
_FIND: Final = """
SELECT sealed, wrapped, marketplace, subject FROM vault_texts JOIN vault_subjects ON id = subject_id
LEFT JOIN vault_keys USING (subject_id) WHERE reference = %s
"""
_FREE: Final = "DELETE FROM vault_texts USING vault_subjects WHERE reference = %s AND id = subject_id AND erased"
_INSERT: Final = "INSERT INTO vault_texts VALUES (%s, %s, %s)"

People = tuple[str, str]
"""A marketplace and a subject of it."""


def postgresql_vault_exists(at: PostgresqlAt) -> bool:
    """Whether there is a vault in this database. VaultUnavailable."""
    with _explained(at, "be opened"), connect(at) as db:
        return db.execute("SELECT to_regclass('vault_about')").fetchone() != (None,)


class PostgresqlVault(DatabaseVault):
    """A vault in one schema of a database."""

    def __init__(self, at: PostgresqlAt, key: bytes, *, synchronous: str = "full", open_later: bool = False) -> None:
        """VaultKeyWrong if the key is not the vault's, VaultUnavailable if it cannot be opened. ``open_later``: if the
        server is away, the vault is opened, and its key compared, later."""
        super().__init__(key)
        self.at = at
        self._waits = "on" if synchronous == "full" else "off"
        self._lock = threading.Lock()
        self._not_before = 0.0
        self._closed = False
        self._prepared = False
        self._preparing = threading.Lock()
        self._db: Db | None = None
        try:
            with _explained(at, "be opened"):
                self._db = self._connect()
        except VaultUnavailable as away:
            if not open_later or not isinstance(away.__cause__, psycopg.OperationalError):
                raise
            sys.stderr.write(f"rescind: started without the vault, which is opened when it can be reached: {away}\n")
        self._others = Pool(self._connect)
        """Connections for everything but the engine's own writes: files, reading, erasing. The engine never waits for
        an upload."""

    def _connect(self) -> Db:
        db = connect(self.at)
        try:
            db.execute("SELECT set_config('synchronous_commit', %s, false)", (self._waits,))
            with self._preparing:
                if not self._prepared:
                    self._prepare(db)
                    self._prepared = True
        except BaseException:
            db.close()
            raise
        return db

    def _prepare(self, db: Db) -> None:
        with db.transaction():
            db.execute("SELECT pg_advisory_xact_lock(%s::int, 0)", (MAKING,))
            if db.execute("SELECT to_regclass('vault_about')").fetchone() == (None,):
                self._agree_when_opened_late(False)
                db.execute(_TABLES)
                first = (FORMAT.encode(), self._keys.check)
                db.execute("INSERT INTO vault_about VALUES ('format', %s), ('key', %s)", first)
            if db.execute("SELECT to_regclass('vault_erasing')").fetchone() == (None,):
                db.execute(_ERASING)
            about = dict(cast(list[tuple[str, bytes]], db.execute("SELECT name, value FROM vault_about").fetchall()))
        self._agree(about["format"].decode(), about["key"])
        self._agree_when_opened_late(ownership_note(self.owner or "") in about)

    @property
    def opened(self) -> bool:
        return self._prepared

    # ---- writing -----------------------------------------------------------------------------------------------------

    def _write(self, texts: Sequence[Unsaved]) -> None:
        with self._lock:
            if time.monotonic() < self._not_before:
                raise VaultUnavailable(f"the vault {self.at} could not be written to a moment ago: try again")
            began = time.monotonic()
            try:
                with _explained(self.at, "write"):
                    if self._closed:
                        raise VaultUnavailable(f"the vault {self.at} was closed")
                    if self._db is None or self._db.closed:  # the server has started, or restarted
                        self._db = self._connect()
                    with self._db.transaction():
                        rows = self._sealed(self._db, texts)
                        self._db.cursor().executemany(_INSERT, rows)
            except VaultUnavailable:
                ended = time.monotonic()
                self._not_before = ended + max(RETRY_AFTER, SHARE * (ended - began))
                raise

    def _put(self, file: Unsaved) -> bool:
        with self._transaction("take a file") as db:
            db.execute(_FREE, (file.reference,))
            [row] = self._sealed(db, [file])
            return db.execute(f"{_INSERT} ON CONFLICT DO NOTHING", row).rowcount == 1

    def drop(self, reference: str) -> None:
        with self._transaction("let a file go") as db:
            db.execute("DELETE FROM vault_texts WHERE reference = %s", (reference,))

    def _sealed(self, db: Db, texts: Sequence[Unsaved]) -> list[tuple[str, int, bytes]]:
        """The rows of these texts. Subjects without a key get one."""
        people = sorted({(text.marketplace, text.subject) for text in texts})
        seen = {(text.marketplace, text.subject): text.seen for text in texts}
        for marketplace, subject in people:  # the last text of a subject knows most of the log
            last = seen[marketplace, subject]
            if last is not None and last.erased >= 0:
                self._destroy(db, last.journal, Erasure(marketplace, subject, last.erased))
        known = self._known(db, people)
        new = [who for who in people if who not in known]
        if new:  # in sorted order, so that two engines cannot deadlock
            wrapped = [self._keys.new(*who) for who in new]
            known_log = [seen[who] for who in new]
            journals, ordinals = [at and at.journal for at in known_log], [at and at.ordinal for at in known_log]
            db.execute(_MAKE_SUBJECTS, (*_columns(new), wrapped, journals, ordinals))
            known |= self._known(db, new)
        rows = []
        for marketplace, subject, reference, content, _ in texts:
            number, key = known[marketplace, subject]
            rows.append((reference, number, self._keys.seal(key, marketplace, subject, reference, content)))
        return rows

    @staticmethod
    def _known(db: Db, people: Sequence[People]) -> dict[People, tuple[int, bytes]]:
        found = cast(list[tuple[str, str, int, bytes]], db.execute(_FIND_SUBJECTS, _columns(people)).fetchall())
        return {(marketplace, subject): (number, wrapped) for marketplace, subject, number, wrapped in found}

    # ---- reading and erasing -----------------------------------------------------------------------------------------

    def _find(self, reference: str) -> StoredText | None:
        with _explained(self.at, "be read"):
            row = self._others.run(lambda db: db.cursor(binary=True).execute(_FIND, (reference,)).fetchone())
        return None if row is None else StoredText(*cast(StoredText, row))

    def has(self, references: Sequence[str]) -> int:
        query = "SELECT count(*) FROM vault_texts WHERE reference = ANY(%s)"
        with _explained(self.at, "be read"):
            row = self._others.run(lambda db: db.execute(query, (list(references),)).fetchone())
        return cast(tuple[int], row)[0]

    def _noted(self, name: str) -> bytes | None:
        query = "SELECT value FROM vault_about WHERE name = %s"
        with _explained(self.at, "be read"):
            row = self._others.run(lambda db: db.execute(query, (name,)).fetchone())
        return None if row is None else cast(tuple[bytes], row)[0]

    def _note(self, name: str, value: bytes) -> None:
        with self._transaction("write") as db:
            sql = "INSERT INTO vault_about VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
            db.execute(sql, (name, value))

    def _erase(self, marketplace: str, subject: str) -> bool:
        """Erase a subject's key. The table of keys is rewritten every time, even if the subject has no key, because an
        earlier call may have stopped before that."""
        with self._transaction("erase") as db:
            gone = db.execute(
                "UPDATE vault_subjects SET erased = true WHERE marketplace = %s AND subject = %s AND NOT erased "
                "RETURNING id",
                (marketplace, subject),
            ).fetchall()
            db.execute("DELETE FROM vault_keys WHERE subject_id = ANY(%s)", ([number for (number,) in gone],))
        with _explained(self.at, "erase"), self._other() as db:
            self._rewrite_key_table(db)
        return bool(gone)

    def erased_through(self, journal: str, partition: int) -> int:
        query = "SELECT ordinal FROM vault_erasing WHERE journal = %s AND partition = %s"
        with _explained(self.at, "be read"):
            row = self._others.run(lambda db: db.execute(query, (journal, partition)).fetchone())
        return 0 if row is None else cast(tuple[int], row)[0]

    def _carry_out(self, journal: str, partition: int, before: int, position: int, erasures: Sequence[Erasure]) -> bool:
        with self._transaction("erase") as db:
            db.execute("INSERT INTO vault_erasing VALUES (%s, %s, 0) ON CONFLICT DO NOTHING", (journal, partition))
            moved = db.execute(
                "UPDATE vault_erasing SET ordinal = %s WHERE journal = %s AND partition = %s AND ordinal = %s",
                (position, journal, partition, before),
            ).rowcount
            for erasure in erasures if moved else ():
                self._destroy(db, journal, erasure)
        return moved == 1

    @staticmethod
    def _destroy(db: Db, journal: str, erasure: Erasure) -> None:
        gone = db.execute(_DESTROY, (erasure.marketplace, erasure.subject, journal, erasure.ordinal)).fetchall()
        if gone:
            db.execute("DELETE FROM vault_keys WHERE subject_id = ANY(%s)", ([number for (number,) in gone],))
            db.execute(_SCRUB_DUE, (mark := secrets.token_bytes(8), mark))

    def scrub(self) -> None:
        """Remove deleted keys from the table's file by rewriting it."""
        with _explained(self.at, "erase"), self._other() as db:
            due = db.execute("SELECT value FROM vault_about WHERE name = 'scrub'").fetchone()
            if due is None:
                return
            self._rewrite_key_table(db)
            db.execute("DELETE FROM vault_about WHERE name = 'scrub' AND value = %s", due)

    @staticmethod
    def _rewrite_key_table(db: Db) -> None:
        db.execute("SET lock_timeout = '10s'")
        db.execute("VACUUM (FULL) vault_keys")
        db.execute("RESET lock_timeout")

    def counts(self) -> tuple[int, int]:
        with _explained(self.at, "be read"), self._other() as db:
            row = db.execute(
                "SELECT (SELECT count(*) FROM vault_keys), "
                "(SELECT count(*) FROM vault_texts JOIN vault_keys USING (subject_id))"
            ).fetchone()
        subjects, texts = cast(tuple[int, int], row)
        return subjects, texts

    def _close(self) -> None:
        with self._lock:
            self._closed = True
            if self._db is not None:
                self._db.close()
        self._others.close()

    @contextlib.contextmanager
    def _other(self) -> Iterator[Db]:
        db, _ = self._others.acquire()
        try:
            yield db
        finally:
            self._others.release(db)

    @contextlib.contextmanager
    def _transaction(self, what: str) -> Iterator[Db]:
        with _explained(self.at, what), self._other() as db, db.transaction():
            yield db


def _columns(people: Sequence[People]) -> tuple[list[str], list[str]]:
    return [marketplace for marketplace, _ in people], [subject for _, subject in people]


@contextlib.contextmanager
def _explained(at: PostgresqlAt, what: str) -> Iterator[None]:
    """Translate PostgreSQL's errors to VaultUnavailable."""
    try:
        yield
    except psycopg.Error as broken:
        raise VaultUnavailable(f"the vault {at} cannot {what}: {first_line(broken)}") from broken
