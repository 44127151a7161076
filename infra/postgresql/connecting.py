"""Connections to PostgreSQL, and what its errors mean to whoever asked.

A server that restarts, fails over or is slow to answer is *unavailable*: the same call may succeed later. Rows that it
cannot store are *refused*, and would be again. What is left is *wrong*: tables that are not as this release made them.
"""

from collections.abc import Callable
from threading import Lock
from typing import Final, Literal, TypeAlias, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict

from infra.addresses.postgresql import PostgresqlAt

Db: TypeAlias = "psycopg.Connection[tuple[object, ...]]"
T = TypeVar("T")

TIMEOUT: Final = {"connect_timeout": "5", "tcp_user_timeout": "10000", "keepalives_idle": "30"}
"""Seconds to connect, milliseconds that what was sent may stay unanswered, seconds of silence before the other side is
asked whether it is still there; the URL may name others."""
READERS: Final = 8
"""Reading connections that are kept open."""

Trouble = Literal["unavailable", "refused", "wrong"]
_REFUSED: Final = ("22", "23", "21", "54")
"""SQLSTATE classes: data, constraints, cardinality, a row that is too large for an index."""
_WRONG: Final = ("42", "3F", "0A")
"""SQLSTATE classes: names that are not there or not so, schemas, what a table cannot do."""
_FORBIDDEN: Final = "42501"


def connect(at: PostgresqlAt) -> Db:
    """A connection in which every statement is its own transaction. psycopg.OperationalError, ProgrammingError."""
    given = conninfo_to_dict(at.url)
    chosen = {"fallback_application_name": "rescind", **TIMEOUT, **given}
    return psycopg.connect(autocommit=True, **chosen)  # type: ignore[arg-type]


def trouble(error: psycopg.Error) -> Trouble:
    """What an error means for the caller."""
    state = error.sqlstate
    if state is None:
        return "refused" if isinstance(error, psycopg.DataError) else "unavailable"
    if state == _FORBIDDEN or not state.startswith((*_REFUSED, *_WRONG)):
        return "unavailable"
    return "refused" if state.startswith(_REFUSED) else "wrong"


def said(error: Exception) -> str:
    """The first line of what the server said: the others quote statements and rows."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


class Pool:
    """Connections for reading, some of them kept; a question on a connection that has died is asked again on a new
    one."""

    def __init__(self, opened: Callable[[], Db]) -> None:
        self._open = opened
        self._kept: list[Db] = []
        self._lock = Lock()
        self._closed = False

    def ask(self, question: Callable[[Db], T]) -> T:
        """Run a question that changes nothing."""
        db, kept = self.take()
        try:
            try:
                return question(db)
            except psycopg.OperationalError:
                if not kept or not db.broken:
                    raise
                db = self._open()  # the server was started again since
                return question(db)
        finally:
            self.give(db)

    def take(self) -> tuple[Db, bool]:
        """A connection, and whether it is one that was kept."""
        with self._lock:
            if self._kept:
                return self._kept.pop(), True
        return self._open(), False

    def give(self, db: Db) -> None:
        """Take it back, if it can be used again."""
        idle = not db.closed and db.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        with self._lock:
            if idle and not self._closed and len(self._kept) < READERS:
                self._kept.append(db)
                return
        db.close()

    def close(self) -> None:
        """Close those that are kept, and from now on every one that comes back."""
        with self._lock:
            self._closed = True
            kept, self._kept = self._kept, []
        for db in kept:
            db.close()
