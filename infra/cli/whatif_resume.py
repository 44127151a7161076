"""The file of `rescind whatif --resume FILE`: the question, the progress, and the result of each order.

It is an SQLite file, used by one run at a time. A page of orders is written in one transaction, so an interrupted run
continues after the last written page. A run covers what the journal contained when it began. An error of the file
becomes a message with what to do; no written page is lost.
"""

import fcntl
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from io import FileIO
from pathlib import Path
from typing import Final, NamedTuple

from domain.instants import Instant, format_instant
from infra.cli.exits import Unavailable, UsageError
from infra.cli.whatif_report import OrderComparison
from infra.sqlite.file import make_private

APPLICATION_ID: Final = 0x5253574F
"""In the file's header: a resume file of rescind, layout 2."""
TIMEOUT: Final = 5.0
"""Seconds to wait while another program has the file locked."""
_TABLES: Final = """
CREATE TABLE asked (question TEXT NOT NULL, last INTEGER NOT NULL, done INTEGER NOT NULL);
CREATE TABLE partitions (partition INTEGER PRIMARY KEY, behind INTEGER NOT NULL, after TEXT, seen INTEGER NOT NULL);
CREATE TABLE orders (stream TEXT PRIMARY KEY, told TEXT) WITHOUT ROWID;
CREATE TABLE unreadable (stream TEXT PRIMARY KEY) WITHOUT ROWID;
"""


class WhatIfQuestion(NamedTuple):
    """The parameters that identify a run."""

    policy: str
    """``id@version``."""
    sha256: str
    """SHA-256 of the policy, as hex."""
    since: Instant | None
    until: Instant | None
    journal: str
    """Identity of the journal."""
    address: str
    """Address of the journal; it may differ the next time."""

    def differs(self, now: "WhatIfQuestion") -> str | None:
        """Return in words what this question is about and ``now`` is not; None if both are equal."""
        if self.sha256 != now.sha256:
            if self.policy == now.policy:
                return f"the policy {self.policy} with different content"
            return f"the policy {self.policy}, not {now.policy}"
        if self.since != now.since:
            return f"orders placed {_since(self.since)}, not {_since(now.since)}"
        if self.until != now.until:
            return f"commands {_until(self.until)}, not {_until(now.until)}"
        if self.journal != now.journal:
            return f"the journal {self.address} with the id {self.journal}, not {now.address} with the id {now.journal}"
        return None


def _since(instant: Instant | None) -> str:
    return "at any time" if instant is None else f"at {format_instant(instant)} or later"


def _until(instant: Instant | None) -> str:
    return "at any time" if instant is None else f"before {format_instant(instant)}"


class ResumeFile:
    """A run that can be continued. Every method raises Unavailable if the file cannot be used."""

    def __init__(self, path: Path, question: WhatIfQuestion, behind: Mapping[int, int]) -> None:
        """``behind``: for a new run, by partition, the ordinal after the last commit.

        UsageError: the file is of another question or not a resume file. Unavailable: another run uses it.
        """
        self.path = path
        make_private(path)
        with ExitStack() as opened:
            lock = opened.enter_context(FileIO(path, "a"))
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Unavailable(
                    f"{path} is in use by another `rescind whatif --resume`. Wait until it ends, or name another file."
                ) from None
            with self._in_words():
                self._connection = opened.enter_context(closing(sqlite3.connect(path, TIMEOUT, isolation_level=None)))
                self._open(question, behind)
            self._opened = opened.pop_all()

    def _open(self, question: WhatIfQuestion, behind: Mapping[int, int]) -> None:
        execute = self._connection.execute
        (made_by,) = execute("PRAGMA application_id").fetchone()
        if made_by != APPLICATION_ID:
            if execute("SELECT count(*) FROM sqlite_schema").fetchone() != (0,):
                raise UsageError(f"{self.path} is not a file of `whatif --resume`; name another one")
            self._begin(question, behind)
        elif execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("its pages do not fit together")
        asked, self.last, done = execute("SELECT question, last, done FROM asked").fetchone()
        self.done = bool(done)
        """True if the run has finished."""
        rows = execute("SELECT partition, behind, after, seen FROM partitions").fetchall()
        self.behind: dict[int, int] = {partition: end for partition, end, _, _ in rows}
        self.after: dict[int, str | None] = {partition: after for partition, _, after, _ in rows}
        self.seen: int = sum(seen for _, _, _, seen in rows)
        """Commits that earlier runs have read."""
        differs = WhatIfQuestion(**json.loads(asked)).differs(question)
        if differs is not None:
            raise UsageError(f"{self.path} has a run about {differs}. Repeat the same command, or name another file.")

    def _begin(self, question: WhatIfQuestion, behind: Mapping[int, int]) -> None:
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        execute(f"PRAGMA application_id={APPLICATION_ID}")
        for statement in _TABLES.split(";"):
            execute(statement)
        execute("INSERT INTO asked VALUES (?, 0, 0)", (json.dumps(question._asdict()),))
        rows = [(partition, end, None, 0) for partition, end in behind.items()]
        self._connection.executemany("INSERT INTO partitions VALUES (?, ?, ?, ?)", rows)
        execute("COMMIT")

    def finished(self) -> Iterator[OrderComparison]:
        """Yield the results of the orders that are finished."""
        with self._in_words():
            for (text,) in self._connection.execute("SELECT told FROM orders WHERE told IS NOT NULL ORDER BY stream"):
                yield OrderComparison.from_json(json.loads(text))

    def waiting(self) -> list[str]:
        """Return the orders whose end depends on the last recorded instant."""
        with self._in_words():
            rows = self._connection.execute("SELECT stream FROM orders WHERE told IS NULL ORDER BY stream").fetchall()
        return [stream for (stream,) in rows]

    def unreadable(self) -> list[str]:
        """Return the orders that cannot be read."""
        with self._in_words():
            rows = self._connection.execute("SELECT stream FROM unreadable ORDER BY stream").fetchall()
        return [stream for (stream,) in rows]

    def keep(
        self,
        partition: int,
        after: str,
        seen: int,
        results: Mapping[str, OrderComparison | None],
        unreadable: list[str],
        last: int,
    ) -> None:
        """Write a page of orders of a partition; None: one that waits for the end. ``seen``: commits of the page."""
        execute = self._connection.execute
        with self._in_words():
            execute("BEGIN IMMEDIATE")
            self._write(results)
            self._connection.executemany(
                "INSERT OR IGNORE INTO unreadable VALUES (?)", [(name,) for name in unreadable]
            )
            execute("UPDATE partitions SET after = ?, seen = seen + ? WHERE partition = ?", (after, seen, partition))
            execute("UPDATE asked SET last = ?", (last,))
            execute("COMMIT")

    def finish(self, results: Mapping[str, OrderComparison | None]) -> None:
        """Mark the run as finished; ``results``: those of the orders that waited."""
        with self._in_words():
            self._connection.execute("BEGIN IMMEDIATE")
            self._write(results)
            self._connection.execute("UPDATE asked SET done = 1")
            self._connection.execute("COMMIT")
        self.done = True

    def _write(self, results: Mapping[str, OrderComparison | None]) -> None:
        rows = [(stream, None if each is None else json.dumps(each.json())) for stream, each in results.items()]
        self._connection.executemany("INSERT OR REPLACE INTO orders VALUES (?, ?)", rows)

    def close(self) -> None:
        """Close the file."""
        self._opened.close()

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        """Turn errors of SQLite and malformed contents into Unavailable with what to do."""
        again = f"The same command with --resume {self.path} then continues after the last written page."
        try:
            yield
        except sqlite3.Error as error:
            match getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF:
                case sqlite3.SQLITE_FULL:
                    text = f"there is no space left for {self.path}. Free some. {again}"
                case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                    text = f"{self.path} is locked by another program ({error}). End that program. {again}"
                case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
                    text = self._damaged(error)
                case _:
                    text = f"{self.path} cannot be used ({error}). Check its device and permissions. {again}"
            raise Unavailable(text) from error
        except (ValueError, TypeError, KeyError) as error:
            raise Unavailable(self._damaged(error)) from error

    def _damaged(self, error: Exception) -> str:
        return f"{self.path} is damaged ({error}). Restore a copy of it, or delete it to start from the beginning."
