"""What `rescind whatif --resume FILE` keeps: the question, how far it was asked, and what each order came to.

One SQLite file, one run at a time. A page of orders is written in one transaction, so that a run that ends anywhere
goes on behind the last page that was written. What the journal held when the run began is all that is asked about,
however long it takes. An error of the file is told as a sentence with what to do; no page that was kept is lost by it.
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
"""In the file's header: kept by a what-if of rescind, layout 2."""
TIMEOUT: Final = 5.0
"""Seconds to wait for another program that has the file locked."""
_TABLES: Final = """
CREATE TABLE asked (question TEXT NOT NULL, last INTEGER NOT NULL, done INTEGER NOT NULL);
CREATE TABLE partitions (partition INTEGER PRIMARY KEY, behind INTEGER NOT NULL, after TEXT, seen INTEGER NOT NULL);
CREATE TABLE orders (stream TEXT PRIMARY KEY, told TEXT) WITHOUT ROWID;
CREATE TABLE unreadable (stream TEXT PRIMARY KEY) WITHOUT ROWID;
"""


class WhatIfQuestion(NamedTuple):
    """What makes it this run and no other."""

    policy: str
    """``id@version``."""
    sha256: str
    """Of the policy, hex."""
    since: Instant | None
    until: Instant | None
    journal: str
    """Its identity."""
    address: str
    """Where the journal was found; it may be found elsewhere the next time."""

    def differs(self, now: "WhatIfQuestion") -> str | None:
        """What this one was about that ``now`` is not about, in words; None: they ask the same."""
        if self.sha256 != now.sha256:
            if self.policy == now.policy:
                return f"the policy {self.policy} with other content than it has now"
            return f"the policy {self.policy}, not {now.policy}"
        if self.since != now.since:
            return f"orders placed {_since(self.since)}, not {_since(now.since)}"
        if self.until != now.until:
            return f"what was said {_until(self.until)}, not {_until(now.until)}"
        if self.journal != now.journal:
            return f"the journal {self.address} with the id {self.journal}, not {now.address} with the id {now.journal}"
        return None


def _since(instant: Instant | None) -> str:
    return "at any time" if instant is None else f"at {format_instant(instant)} or later"


def _until(instant: Instant | None) -> str:
    return "at any time" if instant is None else f"before {format_instant(instant)}"


class ResumeFile:
    """A run that can be gone on with. Unavailable, from every method: the file cannot be used (any more)."""

    def __init__(self, path: Path, question: WhatIfQuestion, behind: Mapping[int, int]) -> None:
        """``behind``: per partition the ordinal behind the last commit there is, for a run that begins.

        Wrong: the file is of another question, or no such file at all; Unavailable: another run has it, too.
        """
        self.path = path
        make_private(path)
        with ExitStack() as opened:
            lock = opened.enter_context(FileIO(path, "a"))
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Unavailable(
                    f"{path} is in use: another `rescind whatif --resume` goes on with it at this moment. Wait until "
                    "it ends, or name another file"
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
                raise UsageError(f"{self.path} is not a file that `whatif --resume` keeps: name another one")
            self._begin(question, behind)
        elif execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("its pages do not fit together")
        asked, self.last, done = execute("SELECT question, last, done FROM asked").fetchone()
        self.done = bool(done)
        """Whether the run came to its end."""
        rows = execute("SELECT partition, behind, after, seen FROM partitions").fetchall()
        self.behind: dict[int, int] = {partition: end for partition, end, _, _ in rows}
        self.after: dict[int, str | None] = {partition: after for partition, _, after, _ in rows}
        self.seen: int = sum(seen for _, _, _, seen in rows)
        """Commits that were looked at before this run."""
        differs = WhatIfQuestion(**json.loads(asked)).differs(question)
        if differs is not None:
            raise UsageError(f"{self.path} keeps a run about {differs}: ask the same again, or name another file")

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

    def told(self) -> Iterator[OrderComparison]:
        """What the orders came to that need not be asked about again."""
        with self._in_words():
            for (text,) in self._connection.execute("SELECT told FROM orders WHERE told IS NOT NULL ORDER BY stream"):
                yield OrderComparison.from_json(json.loads(text))

    def waiting(self) -> list[str]:
        """Orders whose end depends on the last instant of all."""
        with self._in_words():
            rows = self._connection.execute("SELECT stream FROM orders WHERE told IS NULL ORDER BY stream").fetchall()
        return [stream for (stream,) in rows]

    def unreadable(self) -> list[str]:
        """Orders that were left out."""
        with self._in_words():
            rows = self._connection.execute("SELECT stream FROM unreadable ORDER BY stream").fetchall()
        return [stream for (stream,) in rows]

    def keep(
        self,
        partition: int,
        after: str,
        seen: int,
        told: Mapping[str, OrderComparison | None],
        unreadable: list[str],
        last: int,
    ) -> None:
        """One page of a partition's orders; None: an order that waits for the end. ``seen``: commits of the page."""
        execute = self._connection.execute
        with self._in_words():
            execute("BEGIN IMMEDIATE")
            self._write(told)
            self._connection.executemany(
                "INSERT OR IGNORE INTO unreadable VALUES (?)", [(name,) for name in unreadable]
            )
            execute("UPDATE partitions SET after = ?, seen = seen + ? WHERE partition = ?", (after, seen, partition))
            execute("UPDATE asked SET last = ?", (last,))
            execute("COMMIT")

    def finish(self, told: Mapping[str, OrderComparison | None]) -> None:
        """The run has come to its end; ``told``: what those that waited came to."""
        with self._in_words():
            self._connection.execute("BEGIN IMMEDIATE")
            self._write(told)
            self._connection.execute("UPDATE asked SET done = 1")
            self._connection.execute("COMMIT")
        self.done = True

    def _write(self, told: Mapping[str, OrderComparison | None]) -> None:
        rows = [(stream, None if each is None else json.dumps(each.json())) for stream, each in told.items()]
        self._connection.executemany("INSERT OR REPLACE INTO orders VALUES (?, ?)", rows)

    def close(self) -> None:
        """Let go of the file, as it was after the last page."""
        self._opened.close()

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        """What SQLite says, as what to do; and what is kept in a form that nobody wrote is damaged."""
        again = f"the same question with --resume {self.path} then goes on behind the last page that was kept"
        try:
            yield
        except sqlite3.Error as error:
            match getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF:
                case sqlite3.SQLITE_FULL:
                    said = f"there is no room left for {self.path}: make some; {again}"
                case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                    said = f"{self.path} is locked by another program ({error}): end that one; {again}"
                case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
                    said = self._damaged(error)
                case _:
                    said = f"{self.path} cannot be used ({error}): see to its device and rights; {again}"
            raise Unavailable(said) from error
        except (ValueError, TypeError, KeyError) as error:
            raise Unavailable(self._damaged(error)) from error

    def _damaged(self, error: Exception) -> str:
        return (
            f"{self.path} is damaged and cannot be used to go on ({error}): put back a copy of it, or delete it, and "
            "the question begins anew"
        )
