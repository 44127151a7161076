"""The databases that views can live in, as tests look at them from outside: past the adapter, by their own SQL."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import ClassVar, Protocol

import psycopg

from infra.settings import views_at
from infra.views import postgresql_tables
from infra.views.base import DatabaseViews
from infra.views.opening import open_views

Described = dict[str, list[tuple[str, str, bool, bool]]]
"""Table → its columns: name, stored type, whether it may be empty, whether it is in the key."""


class Place(Protocol):
    """The place of one set of views."""

    url: str
    types: ClassVar[dict[str, str]]
    """The types that docs/tables.md names, and those of this database."""

    def execute(self, statement: str) -> None:
        """Write into the live tables, which nobody should do."""
        ...

    def side_tables(self) -> list[str]:
        """List the tables that a replay left behind."""
        ...

    def described(self) -> Described: ...

    explain: str
    """The prefix that asks the database for a query's plan, and the words of such plans."""
    goes_over_all: str
    sorts: str

    def watched(self) -> DatabaseViews:
        """Views of which these are asked."""
        ...


def opened(place: Place) -> DatabaseViews:
    """The views there, as one more process would open them."""
    return open_views(views_at(place.url)).views


class SqlitePlace:
    types: ClassVar[dict[str, str]] = {
        "text": "TEXT",
        "integer": "INTEGER",
        "minor units": "INTEGER",
        "instant": "TEXT",
        "day": "TEXT",
        "0 or 1": "INTEGER",
        "JSON": "TEXT",
    }
    explain, goes_over_all, sorts = "EXPLAIN QUERY PLAN", "SCAN", "B-TREE"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"sqlite:///{path}"

    def execute(self, statement: str) -> None:
        with closing(sqlite3.connect(self.path)) as db, db:
            db.execute(statement)

    def watched(self) -> DatabaseViews:
        return opened(self)

    def side_tables(self) -> list[str]:
        return [path.name for path in self.path.parent.iterdir() if ".side-" in path.name]

    def described(self) -> Described:
        with closing(sqlite3.connect(self.path)) as db:
            names = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
            return {
                name: [
                    (column, type, not notnull, pk > 0)
                    for _, column, type, notnull, _, pk in db.execute(f"PRAGMA table_info({name})")
                ]
                for name in names
                if not name.startswith("sqlite_")
            }


class PostgresqlPlace:
    types: ClassVar[dict[str, str]] = {
        "text": "text",
        "integer": "bigint",
        "minor units": "bigint",
        "instant": "timestamp with time zone",
        "day": "text",
        "0 or 1": "bigint",
        "JSON": "jsonb",
    }
    explain, goes_over_all, sorts = "EXPLAIN (COSTS OFF)", "Seq Scan", "Sort"

    def __init__(self, url: str) -> None:
        self.url = url

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.url) as db:
            db.execute(statement.encode())

    def watched(self) -> DatabaseViews:
        """Open views whose planner avoids scans of a whole table, although the tables are nearly empty."""
        rather_not = "%20".join(f"-cenable_{way}%3Doff" for way in ("seqscan", "bitmapscan", "sort"))
        return open_views(views_at(f"{self.url}%20{rather_not}")).views

    def side_tables(self) -> list[str]:
        with psycopg.connect(self.url) as db:
            schema = postgresql_tables.schema_of(db)
            live = postgresql_tables.live(db, schema)
            return [n for n in postgresql_tables.generations(db, schema) if live is None or n != live.generation]

    def described(self) -> Described:
        """Names and types of the views that people see; keys and nullability of the tables behind them."""
        with psycopg.connect(self.url) as db:
            schema = postgresql_tables.schema_of(db)
            live = postgresql_tables.live(db, schema)
            assert live is not None
            rows = db.execute(
                "SELECT seen.table_name, seen.column_name, seen.data_type, behind.is_nullable = 'YES', EXISTS ("
                "  SELECT FROM information_schema.key_column_usage k WHERE k.table_schema = behind.table_schema"
                "  AND k.table_name = behind.table_name AND k.column_name = behind.column_name) "
                "FROM information_schema.columns seen LEFT JOIN information_schema.columns behind "
                "ON behind.table_schema = %s AND behind.table_name = seen.table_name "
                "AND behind.column_name = seen.column_name AND behind.data_type = seen.data_type "
                "WHERE seen.table_schema = %s ORDER BY seen.table_name, seen.ordinal_position",
                (live.generation, schema),
            )
            found: Described = {}
            for table, *column in rows:
                found.setdefault(table, []).append(tuple(column))
            return found
