"""What `rescind whatif --resume FILE` keeps: the question, how far it was asked, and what each order came to.

One SQLite file. A page of orders is written in one transaction, so that a run that ends anywhere goes on behind the
last page that was written. What the journal held when the run began is all that is asked about, however long it takes.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from infra.cli.exits import Unavailable, Wrong
from infra.cli.whatif_report import Told

APPLICATION_ID: Final = 0x5253574E
"""In the file's header: kept by a what-if of rescind, layout 1."""
_TABLES: Final = """
CREATE TABLE asked (question TEXT NOT NULL, last INTEGER NOT NULL, done INTEGER NOT NULL);
CREATE TABLE partitions (partition INTEGER PRIMARY KEY, behind INTEGER NOT NULL, after TEXT, seen INTEGER NOT NULL);
CREATE TABLE orders (stream TEXT PRIMARY KEY, told TEXT) WITHOUT ROWID;
CREATE TABLE unreadable (stream TEXT PRIMARY KEY) WITHOUT ROWID;
"""


class Kept:
    """A run that can be gone on with."""

    def __init__(self, path: Path, question: Mapping[str, Any], behind: Mapping[int, int]) -> None:
        """``question``: what makes it this run and no other. ``behind``: per partition the ordinal behind the last
        commit there is, for a run that begins. Wrong: the file is of another question; Unavailable: it cannot be used.
        """
        self.path = path
        try:
            self._connection = sqlite3.connect(path, isolation_level=None)
            (made_by,) = self._connection.execute("PRAGMA application_id").fetchone()
            if made_by != APPLICATION_ID:
                if self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() != (0,):
                    raise Wrong(f"{path} is not a file that `whatif --resume` keeps: name another one")
                self._begin(dict(question), behind)
            (asked, self.last, done) = self._connection.execute("SELECT question, last, done FROM asked").fetchone()
            rows = self._connection.execute("SELECT partition, behind, after, seen FROM partitions").fetchall()
        except sqlite3.Error as error:
            raise Unavailable(f"{path} cannot be used to go on: {error}") from error
        self.done = bool(done)
        """Whether the run came to its end."""
        self.behind: dict[int, int] = {partition: end for partition, end, _, _ in rows}
        self.after: dict[int, str | None] = {partition: after for partition, _, after, _ in rows}
        self.seen: int = sum(seen for _, _, _, seen in rows)
        for key, value in json.loads(asked).items():
            if question[key] != value:
                raise Wrong(
                    f"{path} keeps a run with another {key} ({value}): ask the same again, or name another file"
                )

    def _begin(self, question: dict[str, Any], behind: Mapping[int, int]) -> None:
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        execute(f"PRAGMA application_id={APPLICATION_ID}")
        for statement in _TABLES.split(";"):
            execute(statement)
        execute("INSERT INTO asked VALUES (?, 0, 0)", (json.dumps(question),))
        rows = [(partition, end, None, 0) for partition, end in behind.items()]
        self._connection.executemany("INSERT INTO partitions VALUES (?, ?, ?, ?)", rows)
        execute("COMMIT")

    def told(self) -> Iterator[Told]:
        """What the orders came to that need not be asked about again."""
        for (text,) in self._connection.execute("SELECT told FROM orders WHERE told IS NOT NULL ORDER BY stream"):
            yield Told.from_json(json.loads(text))

    def waiting(self) -> list[str]:
        """Orders whose end depends on the last instant of all."""
        rows = self._connection.execute("SELECT stream FROM orders WHERE told IS NULL ORDER BY stream")
        return [stream for (stream,) in rows]

    def unreadable(self) -> list[str]:
        """Orders that were left out."""
        return [stream for (stream,) in self._connection.execute("SELECT stream FROM unreadable ORDER BY stream")]

    def keep(
        self, partition: int, after: str, seen: int, told: Mapping[str, Told | None], unreadable: list[str], last: int
    ) -> None:
        """One page of a partition's orders; None: an order that waits for the end. ``seen``: commits of the page."""
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        self._write(told)
        self._connection.executemany("INSERT OR IGNORE INTO unreadable VALUES (?)", [(name,) for name in unreadable])
        execute("UPDATE partitions SET after = ?, seen = seen + ? WHERE partition = ?", (after, seen, partition))
        execute("UPDATE asked SET last = ?", (last,))
        execute("COMMIT")

    def finish(self, told: Mapping[str, Told | None]) -> None:
        """The run has come to its end; ``told``: what those that waited came to."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._write(told)
        self._connection.execute("UPDATE asked SET done = 1")
        self._connection.execute("COMMIT")
        self.done = True

    def _write(self, told: Mapping[str, Told | None]) -> None:
        rows = [(stream, None if each is None else json.dumps(each.json())) for stream, each in told.items()]
        self._connection.executemany("INSERT OR REPLACE INTO orders VALUES (?, ?)", rows)

    def close(self) -> None:
        self._connection.close()
