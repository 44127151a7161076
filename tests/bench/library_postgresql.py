"""Baseline of K1 on Kafka: the same orders through the `eventsourcing` library's own PostgreSQL recorder.

As in ``tests.bench.library``: by its recorder alone, and as an application of it does. Its recorder locks the table for
each transaction, so that notification ids have no holes: one writes at a time, whatever number of connections.
All of it is in a schema of its own, which is taken away again.
"""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg.conninfo import conninfo_to_dict

from infra.addresses.postgresql import PostgresqlAt
from tests.bench.library import TIMEOUT, Purchases, Save, Written, measured, through, write_purchases

CONNECTIONS: Final = 32
"""At most; more only wait for one another's lock."""


@contextmanager
def place(server: PostgresqlAt) -> Iterator[dict[str, str]]:
    """A schema on this server, as the library's settings name it."""
    schema = f"rescind_bench_{secrets.token_hex(4)}"
    named: dict[str, Any] = conninfo_to_dict(server.url)
    with psycopg.connect(server.url, autocommit=True) as db:
        db.execute(f"CREATE SCHEMA {schema}".encode())
        try:
            yield {
                "POSTGRES_DBNAME": str(named["dbname"]),
                "POSTGRES_HOST": str(named.get("host", "127.0.0.1")),
                "POSTGRES_PORT": str(named.get("port", 5432)),
                "POSTGRES_USER": str(named.get("user", "postgres")),
                "POSTGRES_PASSWORD": str(named.get("password", "none")),
                "POSTGRES_SCHEMA": schema,
            }
        finally:
            db.execute(f"DROP SCHEMA {schema} CASCADE".encode())


def durability(server: PostgresqlAt) -> str:
    """Describe which failures a commit on this server survives."""
    with psycopg.connect(server.url, autocommit=True) as db:
        settings = ("server_version", "fsync", "synchronous_commit", "full_page_writes")
        found = [db.execute("SELECT current_setting(%s)", (name,)).fetchone() for name in settings]
    values = [row[0] for row in found if row is not None]
    return f"postgresql {values[0]}, " + ", ".join(
        f"{name}={value}" for name, value in zip(settings[1:], values[1:], strict=True)
    )


def write(server: PostgresqlAt, orders: Sequence[Sequence[Save]], in_flight: int) -> Written:
    """Write the orders through the library's application recorder, ``in_flight`` of them at a time."""
    with place(server) as at:
        datastore = PostgresDatastore(
            at["POSTGRES_DBNAME"],
            at["POSTGRES_HOST"],
            at["POSTGRES_PORT"],
            at["POSTGRES_USER"],
            at["POSTGRES_PASSWORD"],
            schema=at["POSTGRES_SCHEMA"],
            connect_timeout=TIMEOUT,
            pool_size=min(in_flight, CONNECTIONS),
            originator_id_type="text",
        )
        try:
            recorder = PostgresApplicationRecorder(datastore)
            recorder.create_table()
            return measured(orders, in_flight, through(recorder), durability(server))
        finally:
            datastore.close()


def write_as_application(server: PostgresqlAt, orders: Sequence[Sequence[Save]], in_flight: int) -> Written:
    """Write as many aggregates with as many saves through the library's Application."""
    with place(server) as at:
        pool = {"POSTGRES_POOL_SIZE": str(min(in_flight, CONNECTIONS)), "POSTGRES_CONNECT_TIMEOUT": str(TIMEOUT)}
        with Purchases({"PERSISTENCE_MODULE": "eventsourcing.postgres", **at, **pool}) as app:
            return measured(orders, in_flight, write_purchases(app), durability(server))
