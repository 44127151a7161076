"""The databases that a vault can live in: every test of test_storing.py runs on each."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import psycopg
import pytest

from infra.addresses.postgresql import postgresql_at
from infra.vault.base import DatabaseVault
from infra.vault.postgresql import PostgresqlVault
from infra.vault.sqlite import SqliteVault
from tests.postgresql.fixtures import new_schema
from tests.postgresql.server import Server

KEY = bytes(range(32))


class Place(Protocol):
    """The place of one vault, as tests see it from outside."""

    setting: str
    keys: str
    """The table that has wrapped keys."""
    texts: str
    """The table that has what is sealed."""

    def open(self, key: bytes = KEY) -> DatabaseVault:
        """The vault, as one more process would open it."""
        ...

    def rows(self, statement: str, *parameters: Any) -> list[Any]:
        """Run a statement on another connection."""
        ...

    def files(self) -> list[Path]:
        """Every file that has something of it."""
        ...


class SqlitePlace:
    keys, texts = "subjects", "texts"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.setting = str(path)

    def open(self, key: bytes = KEY) -> SqliteVault:
        return SqliteVault(self.path, key)

    def rows(self, statement: str, *parameters: Any) -> list[Any]:
        with closing(sqlite3.connect(self.path)) as database, database:
            return database.execute(statement, parameters).fetchall()

    def files(self) -> list[Path]:
        return [file for file in self.path.parent.iterdir() if file.is_file()]


class PostgresqlPlace:
    keys, texts = "vault_keys", "vault_texts"

    def __init__(self, server: Server) -> None:
        self.server = server
        self.setting = new_schema(server)

    def open(self, key: bytes = KEY) -> PostgresqlVault:
        return PostgresqlVault(postgresql_at(self.setting), key)

    def rows(self, statement: str, *parameters: Any) -> list[Any]:
        with psycopg.connect(self.setting) as database:
            found = database.execute(statement.replace("?", "%s").encode(), parameters)
            return found.fetchall() if found.description else []

    def files(self) -> list[Path]:
        """The tables on the disk. The log that PostgreSQL writes before them is not ours to clean."""
        with psycopg.connect(self.server.url, autocommit=True) as database:
            database.execute("CHECKPOINT")
            query = "SELECT oid FROM pg_database WHERE datname = current_database()"
            [(number,)] = database.execute(query).fetchall()
        return [file for file in (self.server.data / "base" / str(number)).iterdir() if file.is_file()]


EVERY = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]


@pytest.fixture(params=EVERY)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A place without a vault."""
    if request.param == "postgresql":
        return PostgresqlPlace(request.getfixturevalue("postgresql_server"))
    return SqlitePlace(tmp_path / "vault.sqlite")


@pytest.fixture
def vault(place: Place) -> Iterator[DatabaseVault]:
    with closing(place.open()) as opened:
        yield opened
