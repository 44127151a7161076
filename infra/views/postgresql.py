"""Views in a PostgreSQL database (``postgresql://…``). Several engines may project into it and read from it.

``infra.views.postgresql_tables`` creates the tables. The database is a cache of the log, so commits are not waited for
(``synchronous_commit`` off). Rows and position are written together, so the projector repeats what a crash of the
server loses. A batch with many rows of a table is copied through a temporary table. One with few rows uses pipelined
single statements. Both are one transaction.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from threading import RLock
from typing import Any, Final

import psycopg

from consumers.ports.views import (
    START,
    Batch,
    PositionMoved,
    ViewsDamaged,
    ViewsUnavailable,
)
from domain.instants import Instant
from infra.addresses.postgresql import PostgresqlAt
from infra.postgresql.connecting import Db, Pool, connect
from infra.views import postgresql_tables as tables
from infra.views import sql
from infra.views.base import DatabaseViews, Opened, ViewsOfAnotherRelease, dead_letter_rows
from infra.views.postgresql_dialect import PostgresqlSnapshot, cells, connection, explained, placed
from infra.views.reading import Row
from projections.changes import Changes
from projections.tables import DEAD_LETTERS, POSITIONS, SCHEMA_VERSION, Cell, Table
from projections.tables import Row as TableRow

FEW: Final = 24
"""The most rows of a table that are written one by one. COPY needs more statements."""
PROMOTE_TRIES: Final = 60
"""How often ``promote`` waits half a second for transactions that block it."""


def open_postgresql_views(at: PostgresqlAt) -> Opened["PostgresqlViews"]:
    """Open the views in this database, and create them if they do not exist.

    ViewsError if the names are taken, or the tables are of a newer release. ViewsUnavailable if the server cannot be
    reached.
    """
    with explained(at):
        with connect(at) as db:
            schema = tables.schema_of(db)
            rebuilt = tables.make(db, schema)
            if rebuilt is not None:
                tables.drop_unused(db, schema)
        return Opened(PostgresqlViews(at), rebuilt)


def existing_postgresql_views(at: PostgresqlAt) -> "PostgresqlViews | None":
    """Open the views in this database if they exist. Nothing is created. ViewsError if they are of another release."""
    with explained(at):
        views = PostgresqlViews(at)
        try:
            there = tables.live(views._db, views._schema)
        except BaseException:
            views.close()
            raise
    if there is not None and there.version == SCHEMA_VERSION:
        return views
    views.close()
    if there is None:
        return None
    raise ViewsOfAnotherRelease(there.version)


class PostgresqlViews(DatabaseViews):
    """The Views port and the queries of Reading, on one schema of a database."""

    def __init__(self, at: PostgresqlAt, shadow: str | None = None) -> None:
        """``shadow``: the name of a generation that is being filled. It is written and read through one connection."""
        self.at = at
        self._shadow = shadow
        self._promoted = False
        self._write_lock = RLock()
        self._closed = False
        self._staged: set[str] = set()
        with explained(at):
            self._db = self._connect_to_write()
            self._schema = tables.schema_of(self._db)
        self._readers = Pool(self._connect_to_read)

    def _connect_to_write(self) -> Db:
        db = connection(self.at)
        db.execute("SET synchronous_commit = off")
        db.execute("SELECT set_config(%s, %s, false)", (tables.VERSION_SETTING, str(SCHEMA_VERSION)))
        if self._shadow is not None:
            tables.claim(db, self._shadow)
            with db.transaction():
                tables.new_generation(db, self._shadow, unlogged=True)
            db.execute("SELECT set_config('search_path', quote_ident(%s), false)", (self._shadow,))
            db.execute("SET maintenance_work_mem = '128MB'")
        self._staged.clear()
        return db

    def _live_connection(self) -> Db:
        """The writing connection. A new one if the server was restarted. A shadow copy has only one connection."""
        if self._closed:
            raise ViewsUnavailable(f"{self.at} was closed")
        if self._db.closed and self._shadow is None:
            self._db = self._connect_to_write()
        return self._db

    def _connect_to_read(self) -> Db:
        db = connection(self.at)
        db.execute("SET default_transaction_read_only = on")
        return db

    # ---- the port ----------------------------------------------------------------------------------------------------

    def apply(self, batch: Batch) -> None:
        letters = dead_letter_rows(batch)
        changes = batch.changes
        with self._transaction() as db:
            self._move(db, batch)
            with db.pipeline():
                few = [*self._owners(changes), *self._few(batch)]
                if batch.freed:
                    free = "DELETE FROM dead_letters WHERE log = ? AND partition = ? AND stream = ?"
                    few.append((placed(free), [(batch.log, batch.partition, stream) for stream in batch.freed]))
                if letters:
                    few.append((placed(sql.insert(DEAD_LETTERS)), letters))
                for statement, rows in few:
                    db.cursor().executemany(statement, rows)
            for table, rows in self._rows(batch):
                if len(rows) > FEW:
                    self._copy(db, table, rows)

    def _move(self, db: Db, batch: Batch) -> None:
        """Compare and update the position, before anything else."""
        before, after = batch.before, batch.after
        new = (after.ordinal, after.position, after.last.hex(), after.letters)
        with db.pipeline():
            if self._shadow is None:
                tables.lock_projecting(db, self._schema, shared=True)
            if before == START:
                put = f"INSERT INTO positions ({sql.columns(POSITIONS)}) VALUES (?, ?, ?, ?, ?, ?)"
                moved = db.execute(placed(f"{put} ON CONFLICT DO NOTHING"), (batch.log, batch.partition, *new))
            else:
                promote = (
                    "UPDATE positions SET next_ordinal = ?, next_position = ?, last_commit = ?, letters = ? "
                    "WHERE log = ? AND partition = ? AND next_ordinal = ? AND last_commit = ? AND letters = ?"
                )
                known = (batch.log, batch.partition, before.ordinal, before.last.hex(), before.letters)
                moved = db.execute(placed(promote), (*new, *known))
        if moved.rowcount != 1:
            raise PositionMoved(f"partition {batch.partition} of the {batch.log} log was projected by another process")

    @staticmethod
    def _rows(batch: Batch) -> Iterator[tuple[Table, list[TableRow]]]:
        """The rows to write to each table. Sums are shared by several partitions, so they are sorted: two projectors
        cannot deadlock."""
        changes = batch.changes
        yield from chain(changes.rows.items(), changes.facts.items())
        for table, sums in sorted(changes.sums.items(), key=lambda each: each[0].name):
            yield table, sorted((*key, *amounts) for key, amounts in sums.items())

    def _few(self, batch: Batch) -> Iterator[tuple[bytes, Sequence[Sequence[Any]]]]:
        for table, rows in self._rows(batch):
            if 0 < len(rows) <= FEW:
                yield placed(sql.insert(table)), cells(table, rows)

    @staticmethod
    def _owners(changes: Changes) -> Iterator[tuple[bytes, Sequence[Sequence[Any]]]]:
        """Delete all rows of the changed owners, with one statement per table."""
        for table, keys in changes.owners.items():
            names = ", ".join(f'"{name}"' for name in table.names[: table.owner])
            types = [tables.TYPES[column.type].split()[0] for column in table.columns[: table.owner]]
            given = ", ".join(f"?::{type}[]" for type in types)
            gone = f'DELETE FROM "{table.name}" WHERE ({names}) IN (SELECT * FROM unnest({given}))'
            yield placed(gone), [tuple(list(cells) for cells in zip(*keys, strict=True))]

    def _copy(self, db: Db, table: Table, rows: list[TableRow]) -> None:
        """Write many rows of one table through a temporary table, which is emptied at the end of the transaction."""
        staged = f'"staged_{table.name}"'
        if staged not in self._staged:
            db.execute(placed(f'CREATE TEMP TABLE {staged} (LIKE "{table.name}") ON COMMIT DELETE ROWS'))
            self._staged.add(staged)
        with db.cursor().copy(placed(f"COPY {staged} ({sql.columns(table)}) FROM STDIN")) as copy:
            for row in cells(table, rows):
                copy.write_row(row)
        order = f" ORDER BY {sql.key(table)}" if table.kind == "sums" else ""
        db.execute(placed(sql.insert(table, f"SELECT {sql.columns(table)} FROM {staged}{order}")))

    def clear(self) -> None:
        with self._transaction() as db:
            for table in tables.EVERY:
                db.execute(placed(f'DELETE FROM "{table.name}"'))

    @contextmanager
    def _transaction(self) -> Iterator[Db]:
        with self._write_lock, explained(self.at):
            db = self._live_connection()
            staged = set(self._staged)
            try:
                with db.transaction():
                    yield db
            except BaseException:
                self._staged &= staged  # tables created in the transaction are gone
                raise

    # ---- reading -----------------------------------------------------------------------------------------------------

    def query(self, statement: str, parameters: Sequence[Cell]) -> list[Row]:
        if any(isinstance(each, str) and "\0" in each for each in parameters):
            return []  # no text in a table has one, and the server accepts none
        query = placed(statement)
        # PostgreSQL accepts no zero character, so it is replaced by one that no order's name has either.
        given = [cell.replace("\0", "\ufffd") if isinstance(cell, str) else cell for cell in parameters]

        def answered(db: Db) -> list[Row]:
            cursor = db.cursor(binary=True).execute(query, given)
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor]

        with explained(self.at):
            if self._shadow is not None:
                with self._write_lock:
                    return answered(self._db)
            return self._readers.run(answered)

    def in_time(self, column: str) -> str:
        return f'"{column}"'

    def instant(self, at: Instant) -> Cell:
        return sql.instant_text(at)

    def without_index(self, column: str) -> str:
        return column

    # ---- rebuilding --------------------------------------------------------------------------------------------------

    def shadow(self) -> "PostgresqlViews":
        """Create a shadow generation of the tables, without a WAL: it is discarded if it is not finished."""
        with self._write_lock, explained(self.at):
            tables.drop_unused(self._live_connection(), self._schema)
        return PostgresqlViews(self.at, tables.new_name(self._schema))

    def promote(self, shadow: "PostgresqlViews") -> None:
        assert shadow._shadow is not None
        with self._write_lock, explained(self.at):
            tables.make_durable(shadow._db, shadow._shadow)
            for _ in range(PROMOTE_TRIES):
                db = self._live_connection()
                try:
                    with db.transaction():
                        db.execute("SET LOCAL lock_timeout = '500ms'")
                        tables.lock_projecting(db, self._schema, shared=False)
                        tables.promote(db, self._schema, shadow._shadow)
                except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
                    continue  # let the transactions that queued behind this one go first
                shadow._promoted = True
                tables.drop_unused(db, self._schema)
                return
        raise ViewsUnavailable(f"a transaction that does not end reads the tables of {self.at}: end it, then try again")

    def discard(self) -> None:
        """Close a shadow copy. Its tables are dropped unless they were promoted."""
        if self._shadow is not None and not self._promoted and not self._db.closed:
            with suppress(psycopg.Error):  # the next rebuild drops what is left
                tables.drop(self._db, self._shadow)
        self.close()

    @contextmanager
    def snapshot(self) -> Iterator["PostgresqlSnapshot"]:
        if self._shadow is not None:
            with self._write_lock, explained(self.at), self._db.transaction():
                yield PostgresqlSnapshot(self._db, self._shadow)
            return
        with explained(self.at):
            db, _ = self._readers.acquire()
            try:
                generation = self._begin(db)
                yield PostgresqlSnapshot(db, generation)
            finally:
                if not db.closed:
                    db.rollback()
                self._readers.release(db)

    def _begin(self, db: Db) -> str:
        """Begin a transaction that sees one moment, and lock the tables of that moment. Returns their generation."""
        while True:
            db.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            there = tables.live(db, self._schema)
            if there is None:
                raise ViewsDamaged(f"there are no tables at {self.at}: restart, and they are rebuilt")
            try:
                tables.hold(db, there.generation)
            except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
                db.rollback()  # replaced at this moment
            else:
                return there.generation

    def close(self) -> None:
        self._closed = True
        with self._write_lock:
            self._db.close()
        self._readers.close()
