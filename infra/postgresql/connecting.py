"""Connections to PostgreSQL, and the classification of its errors.

A server that restarts, fails over or is slow is *unavailable*: the same call may succeed later. Rows that it cannot
store are *refused*, and would be refused again. Everything else is *wrong*: the tables are not as this release made
them.
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
"""Seconds to connect, milliseconds that sent data may stay unacknowledged, and seconds of silence before a keepalive
probe. The URL may set others."""
READERS: Final = 8
"""Reading connections that stay open."""

ErrorKind = Literal["unavailable", "refused", "wrong"]
_REFUSED: Final = ("22", "23", "21", "54")
"""SQLSTATE classes: data, constraints, cardinality, a row too large for an index."""
_WRONG: Final = ("42", "3F", "0A")
"""SQLSTATE classes: missing or wrong names, schemas, unsupported operations."""
_FORBIDDEN: Final = "42501"


def connect(at: PostgresqlAt) -> Db:
    """Open a connection in which every statement is its own transaction. psycopg.OperationalError, ProgrammingError."""
    given = conninfo_to_dict(at.url)
    chosen = {"fallback_application_name": "rescind", **TIMEOUT, **given}
    return psycopg.connect(autocommit=True, **chosen)  # type: ignore[arg-type]


def classify(error: psycopg.Error) -> ErrorKind:
    """The meaning of an error for the caller."""
    state = error.sqlstate
    if state is None:
        return "refused" if isinstance(error, psycopg.DataError) else "unavailable"
    if state == _FORBIDDEN or not state.startswith((*_REFUSED, *_WRONG)):
        return "unavailable"
    return "refused" if state.startswith(_REFUSED) else "wrong"


def first_line(error: Exception) -> str:
    """The first line of the server's message. The other lines quote statements and rows."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


class Pool:
    """Reading connections. A query on a connection that has died is repeated on a new one."""

    def __init__(self, opened: Callable[[], Db]) -> None:
        self._open = opened
        self._idle: list[Db] = []
        self._lock = Lock()
        self._closed = False

    def run(self, question: Callable[[Db], T]) -> T:
        """Run a query that changes nothing."""
        db, reused = self.acquire()
        try:
            try:
                return question(db)
            except psycopg.OperationalError:
                if not reused or not db.broken:
                    raise
                db = self._open()  # the server was restarted
                return question(db)
        finally:
            self.release(db)

    def acquire(self) -> tuple[Db, bool]:
        """A connection, and whether it was idle in the pool."""
        with self._lock:
            if self._idle:
                return self._idle.pop(), True
        return self._open(), False

    def release(self, db: Db) -> None:
        """Return a connection to the pool if it is usable."""
        idle = not db.closed and db.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        with self._lock:
            if idle and not self._closed and len(self._idle) < READERS:
                self._idle.append(db)
                return
        db.close()

    def close(self) -> None:
        """Close the idle connections, and later every connection that is released."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for db in idle:
            db.close()
