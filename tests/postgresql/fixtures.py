"""The PostgreSQL server that a test run shares; each test has a schema of its own there."""

import itertools
from collections.abc import Callable, Iterator

import psycopg
import pytest

from tests.needs import require
from tests.postgresql.server import Server

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """A server that stays as it is: nobody stops it."""
    require("postgresql")
    server = Server()
    yield server
    server.close()


def new_schema(server: Server) -> str:
    """The URL of an empty schema: quicker made than a database, and as well apart."""
    name = f"test_{next(_NUMBERS)}"
    with psycopg.connect(server.url, autocommit=True) as db:
        db.execute(f"CREATE SCHEMA {name}".encode())
    return f"{server.url}?options=-csearch_path%3D{name}"


@pytest.fixture
def postgresql(postgresql_server: Server) -> str:
    """The URL of a schema of the test's own."""
    return new_schema(postgresql_server)


@pytest.fixture
def postgresql_of_its_own() -> Iterator[Callable[..., Server]]:
    """Makes servers that a test may stop, kill and start again. They end with the test."""
    require("postgresql")
    made: list[Server] = []

    def make(*settings: str) -> Server:
        made.append(Server(*settings))
        return made[-1]

    yield make
    for server in made:
        server.close()
