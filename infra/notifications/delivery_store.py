"""The delivery store in one SQLite file: the state of each notification, and where the vault has contacts.

It is no cache of the log: only this file records that a message was handed over. A file that belongs to another journal
is refused. Several threads and processes may have it open. Every change is one transaction, durable when it returns.
"""

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any, Final

from consumers.ports.notifications import DeliveryReport, DeliveryStoreUnavailable, Message, Notification, State
from domain.instants import Instant
from infra.notifications.handover_mark import LOCK_FILE, HandoverMark
from infra.runtime.clock import clock
from infra.sqlite.file import OpenFile, checkpoint, make_private, why

FORMAT: Final = 1
BRING_BACK: Final = (
    "bring it back from a copy. If there is none, move it away and start `rescind serve`: it begins a new one, sends "
    "nothing again that may have gone out, and finds the addresses in the vault"
)
"""What to do about a delivery store that is gone or damaged."""
_LOST: Final = "the book that knew was lost: it may have gone out"
_FOLLOWED_UP: Final = "the book that knew was lost: it may have been sent a second time"
_BUSY: Final = 10.0
"""Seconds to wait for another process's write."""
_APPLICATION: Final = 0x7273636E
_COLUMNS: Final = tuple(field.name for field in fields(Notification))
_NAMES: Final = ", ".join(_COLUMNS)

_TABLES: Final = """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE positions (partition INTEGER PRIMARY KEY, ordinal INTEGER NOT NULL) STRICT;
CREATE TABLE notices (
    partition INTEGER NOT NULL, stream TEXT NOT NULL, notice_id TEXT NOT NULL, letter TEXT NOT NULL,
    audience TEXT NOT NULL, recipient_id TEXT NOT NULL, template TEXT NOT NULL, ordinal INTEGER NOT NULL,
    version INTEGER NOT NULL, told_at INTEGER NOT NULL, state TEXT NOT NULL, sequence INTEGER NOT NULL,
    attempts INTEGER NOT NULL, not_before INTEGER NOT NULL, message_id TEXT, carrier TEXT, error TEXT,
    handed_at INTEGER, follow_up_at INTEGER, delivered_at INTEGER, failed_at INTEGER, seen_at INTEGER,
    PRIMARY KEY (stream, notice_id)) STRICT;
CREATE INDEX notices_to_try ON notices (not_before, told_at, stream, version) WHERE state = 'waiting';
CREATE INDEX notices_under_way ON notices (stream) WHERE state = 'handing';
CREATE INDEX notices_to_follow_up ON notices (follow_up_at)
    WHERE state = 'handed' AND follow_up_at IS NOT NULL AND delivered_at IS NULL AND seen_at IS NULL;
CREATE INDEX notices_by_state ON notices (state, told_at);
CREATE TABLE asked (stream TEXT NOT NULL, letter TEXT NOT NULL, key TEXT NOT NULL,
    PRIMARY KEY (stream, letter, key)) STRICT, WITHOUT ROWID;
CREATE TABLE contacts (marketplace TEXT NOT NULL, audience TEXT NOT NULL, id TEXT NOT NULL, reference TEXT NOT NULL,
    PRIMARY KEY (marketplace, audience, id)) STRICT, WITHOUT ROWID;
"""


class AnotherJournals(Exception):
    """The delivery store belongs to another journal. The message says what to do."""


class SqliteDeliveryStore:
    """The ``DeliveryStore`` port over one file; in memory without a path."""

    def __init__(self, path: Path | None, identity: str, lost: Mapping[int, int] | None = None) -> None:
        """``identity``: the journal's. ``lost``: if the store is created in place of one that is gone, the ordinal of
        each partition before which notifications may have been sent: they are *unknown*. AnotherJournals,
        DeliveryStoreUnavailable."""
        self.path = path
        self.file: OpenFile | None = None
        self._lock = threading.Lock()
        if path is not None:
            make_private(path)
        with self._explained():
            self._db = sqlite3.connect(path or ":memory:", isolation_level=None, timeout=_BUSY, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._prepare(identity, lost or {})
            self.file = None if path is None else OpenFile(path)

    def _prepare(self, identity: str, lost: Mapping[int, int]) -> None:
        with self._transaction() as db:
            if db.execute("PRAGMA user_version").fetchone() == (0,):
                for statement in _TABLES.split(";\n"):
                    if statement.strip():
                        db.execute(statement)
                db.execute(f"PRAGMA application_id = {_APPLICATION}")
                db.execute(f"PRAGMA user_version = {FORMAT}")
                first = [("journal", identity), *((f"lost {n}", str(ordinal)) for n, ordinal in lost.items())]
                db.executemany("INSERT INTO about VALUES (?, ?)", first)
            [version] = db.execute("PRAGMA user_version").fetchone()
            if version != FORMAT:
                raise AnotherJournals(
                    f"{self.path} has format {version}, this release reads {FORMAT}: use the one that wrote it"
                )
            [(known,)] = db.execute("SELECT value FROM about WHERE name = 'journal'").fetchall()
            if known != identity:
                raise AnotherJournals(
                    f"{self.path} belongs to journal {known}, this one is {identity}: bring that journal back. If "
                    "this one is meant, name another directory for it. Delete neither before you know which is right"
                )
            rows = db.execute("SELECT substr(name, 6), value FROM about WHERE name GLOB 'lost *'").fetchall()
            self.lost = {int(partition): int(ordinal) for partition, ordinal in rows}
            """By partition the ordinal before which an earlier store, which is gone, may have sent notifications."""
        self._identity = identity

    # ---- the port ----------------------------------------------------------------------------------------------------

    def position(self, partition: int) -> int:
        row = self._one("SELECT ordinal FROM positions WHERE partition = ?", (partition,))
        return 0 if row is None else int(row[0])

    def take(
        self, partition: int, position: int, notices: Sequence[Notification], reports: Sequence[DeliveryReport] = ()
    ) -> None:
        marks = ", ".join("?" * len(_COLUMNS))
        with self._transaction() as db:
            for notice in notices:
                if notice.state == "waiting" and notice.ordinal < self.lost.get(partition, 0):
                    notice.state, notice.error = "unknown", _LOST
            if notices:
                rows = [astuple(notice) for notice in notices]
                db.executemany(f"INSERT OR IGNORE INTO notices ({_NAMES}) VALUES ({marks})", rows)
            for report in reports:
                column = "delivered_at" if report.step == "delivered" else "failed_at"
                db.execute(
                    f"UPDATE notices SET {column} = coalesce({column}, ?) WHERE stream = ? AND notice_id = ?",
                    (report.at, report.stream, report.notice_id),
                )
            db.execute(
                "INSERT INTO positions VALUES (?, ?) ON CONFLICT (partition) DO UPDATE SET ordinal = "
                "max(ordinal, excluded.ordinal)",
                (partition, position),
            )

    def find(self, stream: str, notice_id: str) -> Notification | None:
        found = self._notices("WHERE stream = ? AND notice_id = ?", (stream, notice_id))
        return found[0] if found else None

    def of(self, stream: str) -> list[Notification]:
        return self._notices("WHERE stream = ? ORDER BY version, audience, notice_id", (stream,))

    def due(self, now: Instant, limit: int) -> list[Message]:
        rows = self._all(
            "SELECT DISTINCT stream, letter FROM (SELECT stream, letter FROM notices WHERE state = 'waiting' AND "
            "not_before <= ? ORDER BY not_before, told_at, stream, version LIMIT ?)",
            (now, 8 * limit),
        )
        return [message for key in rows[:limit] if (message := self._message(key, "waiting")) is not None]

    def interrupted(self) -> list[Message]:
        rows = self._all("SELECT DISTINCT stream, letter FROM notices WHERE state = 'handing'", ())
        return [message for key in rows if (message := self._message(key, "handing")) is not None]

    def intend(self, message: Message, message_id: str, carrier: str) -> None:
        with self._transaction() as db:
            self._change(
                db,
                message,
                "state = 'handing', message_id = ?, carrier = ?, attempts = attempts + 1, error = NULL",
                (message_id, carrier),
            )
            [(messages,)] = db.execute(
                "INSERT INTO about VALUES ('messages', '1') ON CONFLICT (name) DO UPDATE SET value = value + 1 "
                "RETURNING value"
            ).fetchall()
            positions = dict(db.execute("SELECT partition, ordinal FROM positions").fetchall())
        if self.path is None:
            return
        try:
            HandoverMark(self._identity, int(messages), clock(), positions).write(self.path.parent)
        except OSError as wrong:
            self.settle(message, "waiting")
            raise DeliveryStoreUnavailable(f"{self.path.with_name(LOCK_FILE)} cannot be written: {wrong}") from wrong

    @property
    def messages(self) -> int:
        """How many messages were handed over, or were about to be."""
        row = self._one("SELECT value FROM about WHERE name = 'messages'", ())
        return 0 if row is None else int(row[0])

    def is_older_than(self, mark: HandoverMark | None) -> bool:
        """Whether messages were handed over that this store, an older copy then, does not know of."""
        return mark is not None and self.messages < mark.messages

    def make_unknown(self, mark: HandoverMark, ends: Mapping[int, int]) -> None:
        """Make what may have been sent up to the mark *unknown*: what waits, and what is taken later from commits
        before the mark. Confirmations that were due to be sent again by then are not sent again. ``ends``: commits per
        partition."""
        with self._transaction() as db:
            for partition, position in mark.positions.items():
                ordinal = max(self.lost.get(partition, 0), min(position, ends.get(partition, 0)))
                self.lost[partition] = ordinal
                db.execute("INSERT OR REPLACE INTO about VALUES (?, ?)", (f"lost {partition}", str(ordinal)))
                db.execute(
                    "UPDATE notices SET state = 'unknown', error = ? WHERE state = 'waiting' AND partition = ? AND "
                    "ordinal < ?",
                    (_LOST, partition, ordinal),
                )
            db.execute(
                "UPDATE notices SET follow_up_at = NULL, error = ? WHERE state = 'handed' AND follow_up_at <= ? AND "
                "delivered_at IS NULL AND seen_at IS NULL AND sequence = 1",
                (_FOLLOWED_UP, mark.at),
            )
            db.execute("INSERT OR REPLACE INTO about VALUES ('messages', ?)", (str(mark.messages),))

    def settle(
        self,
        message: Message,
        state: State,
        *,
        at: Instant | None = None,
        error: str | None = None,
        not_before: Instant = 0,
        follow_up_at: Instant | None = None,
    ) -> None:
        with self._transaction() as db:
            self._change(
                db,
                message,
                "state = ?, handed_at = coalesce(?, handed_at), error = ?, not_before = ?, "
                "follow_up_at = coalesce(?, follow_up_at)",
                (state, at, error, not_before, follow_up_at),
            )

    def unconfirmed(self, now: Instant, limit: int) -> list[Message]:
        rows = self._all(
            "SELECT DISTINCT stream, letter FROM notices WHERE state = 'handed' AND follow_up_at IS NOT NULL AND "
            "delivered_at IS NULL AND seen_at IS NULL AND follow_up_at <= ? AND sequence = 1 "
            "ORDER BY follow_up_at LIMIT ?",
            (now, 8 * limit),
        )
        found = [message for key in rows if (message := self._message(key, "handed")) is not None]
        return [message for message in found if not _is_confirmed(message)][:limit]

    def again(self, message: Message, *, key: str | None = None) -> bool:
        with self._transaction() as db:
            if key is not None:
                inserted = db.execute("INSERT OR IGNORE INTO asked VALUES (?, ?, ?)", (*message.key, key))
                if inserted.rowcount == 0:
                    return False
            db.execute(
                "UPDATE notices SET state = 'waiting', attempts = 0, not_before = 0, error = NULL, "
                "sequence = CASE WHEN message_id IS NULL THEN sequence ELSE sequence + 1 END, message_id = NULL "
                "WHERE stream = ? AND letter = ? AND state NOT IN ('waiting', 'handing')",
                message.key,
            )
        return True

    # ---- for people --------------------------------------------------------------------------------------------------

    def newest(self, state: State | None, limit: int, *, marketplace: str | None = None) -> list[Notification]:
        """Return the newest notifications, of one state or of all states but those that need no attention."""
        where = "state = ?" if state is not None else "state NOT IN ('handed', 'moot')"
        given: tuple[Any, ...] = () if state is None else (state,)
        if marketplace is not None:
            where += " AND stream >= ? AND stream < ?"
            given += (f"{marketplace}/", f"{marketplace}0")  # 0 is the character after the slash
        return self._notices(f"WHERE {where} ORDER BY told_at DESC, stream, version LIMIT ?", (*given, limit))

    def counts(self) -> dict[str, int]:
        """Return the number of notifications in each state."""
        return dict(self._all("SELECT state, count(*) FROM notices GROUP BY state", ()))

    def bounced(self) -> int:
        """Return the number of notifications whose delivery the log records as failed."""
        sql = "SELECT count(*) FROM notices WHERE failed_at IS NOT NULL AND delivered_at IS NULL"
        row = self._one(sql, ())
        return 0 if row is None else int(row[0])

    def overdue(self, now: Instant) -> int:
        """Return the number of confirmations whose delivery was not confirmed in time, followed up or not."""
        sql = (
            "SELECT count(*) FROM notices WHERE state = 'handed' AND delivered_at IS NULL AND seen_at IS NULL AND "
            "follow_up_at <= ?"
        )
        row = self._one(sql, (now,))
        return 0 if row is None else int(row[0])

    def message_of(self, stream: str, notice_id: str) -> Message | None:
        """Return the message that has this notification, whatever its state."""
        notice = self.find(stream, notice_id)
        return None if notice is None else self._message((stream, notice.letter), None)

    def see(self, stream: str, audience: str, at: Instant) -> None:
        """Record that one side has seen the notifications of an order; only the first time is recorded."""
        with self._transaction() as db:
            db.execute(
                "UPDATE notices SET seen_at = ? WHERE stream = ? AND audience = ? AND seen_at IS NULL "
                "AND template IN ('canceled', 'auto-canceled')",
                (at, stream, audience),
            )

    # ---- where the vault has contacts --------------------------------------------------------------------------

    def contact(self, marketplace: str, audience: str, id: str) -> str | None:
        """Return the vault's reference of a contact."""
        row = self._one(
            "SELECT reference FROM contacts WHERE marketplace = ? AND audience = ? AND id = ?",
            (marketplace, audience, id),
        )
        return None if row is None else str(row[0])

    def set_contact(self, marketplace: str, audience: str, id: str, reference: str | None) -> bool:
        """Record a contact's reference, or remove it (None); whether anything changed."""
        with self._transaction() as db:
            if reference is None:
                sql = "DELETE FROM contacts WHERE marketplace = ? AND audience = ? AND id = ?"
                return db.execute(sql, (marketplace, audience, id)).rowcount > 0
            sql = (
                "INSERT INTO contacts VALUES (?, ?, ?, ?) ON CONFLICT (marketplace, audience, id) "
                "DO UPDATE SET reference = excluded.reference"
            )
            db.execute(sql, (marketplace, audience, id, reference))
        return True

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            checkpoint(self._db)
            self._db.close()

    # ---- inside -------------------------------------------------------------------------------------------------

    def _message(self, key: tuple[Any, ...], state: str | None) -> Message | None:
        where = "WHERE stream = ? AND letter = ?" + ("" if state is None else " AND state = ?")
        given = key if state is None else (*key, state)
        found = self._notices(f"{where} ORDER BY version, notice_id", given)
        return Message(found) if found else None

    @staticmethod
    def _change(db: sqlite3.Connection, message: Message, what: str, given: tuple[Any, ...]) -> None:
        ids = [notice.notice_id for notice in message.notifications]
        db.executemany(
            f"UPDATE notices SET {what} WHERE stream = ? AND notice_id = ?",
            [(*given, message.first.stream, id) for id in ids],
        )

    def _notices(self, rest: str, given: Sequence[Any]) -> list[Notification]:
        return [Notification(*row) for row in self._all(f"SELECT {_NAMES} FROM notices {rest}", given)]

    def _all(self, sql: str, given: Sequence[Any]) -> list[tuple[Any, ...]]:
        with self._lock, self._explained():
            return self._db.execute(sql, given).fetchall()

    def _one(self, sql: str, given: Sequence[Any]) -> tuple[Any, ...] | None:
        found = self._all(sql, given)
        return found[0] if found else None

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._explained():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                if self.file is not None and (replaced := self.file.replaced()) is not None:
                    raise DeliveryStoreUnavailable(replaced)
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as wrong:
            if getattr(wrong, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise DeliveryStoreUnavailable(f"{self.path} is damaged ({wrong}): {BRING_BACK}") from wrong
            cause = why(wrong, self.path)
            place = self.path or "the delivery store in memory"
            raise DeliveryStoreUnavailable(f"{place} cannot be used now: {cause}") from wrong


def _is_confirmed(message: Message) -> bool:
    """Whether delivery is reported of one notification of the message, which holds for all of them."""
    return any(notice.delivered_at is not None or notice.seen_at is not None for notice in message.notifications)
