"""PostgreSQL's dialect: connections that read and write the tables' cells, placeholders, errors, and a snapshot."""

import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Final, cast

import psycopg
from psycopg import ServerCursor
from psycopg.adapt import Buffer, Loader
from psycopg.pq import Format
from psycopg.sql import SQL, Identifier
from psycopg.types.numeric import Int8Dumper, NumericBinaryLoader

from consumers.ports.views import RowsRefused, ViewsDamaged, ViewsUnavailable
from infra.addresses.postgresql import PostgresqlAt
from infra.postgresql.connecting import Db, classify, connect, first_line
from infra.views import sql
from projections.tables import Row as TableRow
from projections.tables import Table


class PostgresqlSnapshot:
    """The tables as of one moment."""

    def __init__(self, db: Db, generation: str) -> None:
        self._db = db
        self._generation = generation

    def rows(self, table: Table, size: int = 2_000) -> Iterator[list[TableRow]]:
        columns, key = (map(Identifier, names) for names in (table.names, table.names[: table.key]))
        query = SQL("SELECT {} FROM {} ORDER BY {}").format(
            SQL(", ").join(columns), Identifier(self._generation, table.name), SQL(", ").join(key)
        )
        with ServerCursor(self._db, f"rows of {table.name}") as cursor:
            cursor.execute(query, binary=True)
            while rows := cursor.fetchmany(size):
                yield cast(list[TableRow], rows)

    def count(self, table: Table) -> int:
        query = SQL("SELECT count(*) FROM {}").format(Identifier(self._generation, table.name))
        found = self._db.execute(query).fetchone()
        assert found is not None
        return int(cast(int, found[0]))


@cache
def placed(statement: str) -> bytes:
    """A statement with psycopg's placeholders instead of ``?``."""
    return statement.replace("%", "%%").replace("?", "%s").encode()


class _Instants(Loader):
    """Load a timestamptz as UTC text with ``Z``, as in the tables of every database."""

    format = Format.BINARY
    _unpack = struct.Struct("!q").unpack
    _SINCE_2000: Final = 946_684_800_000_000

    def load(self, data: Buffer) -> str:
        [gone] = self._unpack(data)
        return sql.instant_text(gone + self._SINCE_2000)


class _Json(Loader):
    """Load a jsonb as its text, as in the tables of every database."""

    format = Format.BINARY

    def load(self, data: Buffer) -> str:
        return bytes(data)[1:].decode()  # after the format's version byte


class _Sums(NumericBinaryLoader):
    """Load a sum of bigints, which is a numeric, as an int."""

    def load(self, data: Buffer) -> int:  # type: ignore[override]
        return int(super().load(data))


def connection(at: PostgresqlAt) -> Db:
    """A connection that reads and writes the tables' cells."""
    db = connect(at)
    db.adapters.register_loader("timestamptz", _Instants)
    db.adapters.register_loader("numeric", _Sums)
    db.adapters.register_loader("jsonb", _Json)
    db.adapters.register_dumper(int, Int8Dumper)  # one type for all numbers: one prepared statement
    return db


def cells(table: Table, rows: list[TableRow]) -> list[TableRow]:
    """Rows as PostgreSQL stores them. Its JSON has no zero character, so U+FFFD replaces it."""
    rows = sql.cells(table, rows)
    places = [place for place, column in enumerate(table.columns) if column.type == "json"]
    for place in places:
        if any(row[place] is not None and "\\u0000" in cast(str, row[place]) for row in rows):
            rows = [(*row[:place], _without_zeros(cast(str, row[place])), *row[place + 1 :]) for row in rows]
    return rows


def _without_zeros(text: str) -> str:
    """Replace every escaped zero character in JSON with U+FFFD. An escaped backslash begins no escape."""
    return _ESCAPE.sub(lambda found: "\\ufffd" if found[0] == "\\u0000" else found[0], text)


_ESCAPE: Final = re.compile(r"\\(u[0-9a-fA-F]{4}|.)")


@contextmanager
def explained(at: PostgresqlAt) -> Iterator[None]:
    """Translate PostgreSQL's errors to those of the port."""
    try:
        yield
    except psycopg.Error as wrong:
        match classify(wrong):
            case "unavailable":
                raise ViewsUnavailable(f"{at} cannot be used at the moment: {first_line(wrong)}") from wrong
            case "refused":
                raise RowsRefused(first_line(wrong)) from wrong
            case "wrong":
                raise ViewsDamaged(f"{first_line(wrong)}: restart, and the views are rebuilt from the log") from wrong
