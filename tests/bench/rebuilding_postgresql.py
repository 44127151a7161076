"""B3 on PostgreSQL: the part of ``tests.bench.rebuilding`` that needs its client."""

import secrets
from collections.abc import Sequence
from contextlib import closing
from time import perf_counter

from consumers.projection.projector import Part
from infra.addresses.postgresql import PostgresqlAt, in_schema
from infra.postgresql.connecting import Db, connect
from infra.settings import ViewsAt
from infra.views import postgresql_tables as tables
from infra.views import sql
from infra.views.postgresql import open_postgresql_views
from infra.views.postgresql_dialect import connection
from projections.tables import SCHEMA_VERSION, Row, Table
from tests.bench.figures import Figure
from tests.bench.rebuilding import Statements, figure, rebuilt


def measure(server: PostgresqlAt, parts: Sequence[Part], batches: Sequence[Statements]) -> Figure:
    """In a schema of its own, which is taken away again."""
    schema = f"rescind_bench_{secrets.token_hex(4)}"
    at = in_schema(server, schema)
    with connect(server) as db:
        db.execute(f"CREATE SCHEMA {schema}".encode())
        try:
            seconds, events, rows = rebuilt(ViewsAt(None, at), parts)
            baselines = {
                "executemany of the same statements": postgresql_alone(at, schema, batches),
                "COPY of the final rows": copied(at, schema),
            }
            [(fsync, version)] = db.execute("SELECT current_setting('fsync'), current_setting('server_version')")
        finally:
            for name in (*tables.generations(db, schema), schema):
                db.execute(f'DROP SCHEMA "{name}" CASCADE'.encode())
    mode = f"filled unlogged, then logged; server {version}, fsync {fsync}"
    return figure("PostgreSQL", seconds, events, baselines, rows, mode)


def postgresql_alone(at: PostgresqlAt, schema: str, batches: Sequence[Statements]) -> float:
    """Seconds that the same statements take, a row at a time, in a pipeline as psycopg sends them."""
    with connection(at) as db:
        generation = _new_tables(db, schema)
        began = perf_counter()
        for batch in batches:
            with db.transaction():
                for statement, rows in batch:
                    db.cursor().executemany(statement.replace("?", "%s").encode(), rows)
        tables.make_durable(db, generation)
        return perf_counter() - began


def copied(at: PostgresqlAt, schema: str) -> float:
    """Seconds that it takes to COPY the final rows of the views there."""
    with closing(open_postgresql_views(at).views) as views, views.snapshot() as snapshot:
        final: dict[Table, list[Row]] = {t: [row for rows in snapshot.rows(t) for row in rows] for t in tables.EVERY}
    with connection(at) as db:
        generation = _new_tables(db, schema)
        began = perf_counter()
        with db.transaction():
            for table, rows in final.items():
                with db.cursor().copy(f"COPY {table.name} ({sql.columns(table)}) FROM STDIN".encode()) as copy:
                    for row in rows:
                        copy.write_row(row)
        tables.make_durable(db, generation)
        return perf_counter() - began


def _new_tables(db: Db, schema: str) -> str:
    """Empty tables, and the connection pointed at them."""
    generation = tables.new_name(schema)
    tables.new_generation(db, generation, unlogged=True)
    db.execute(f'SET search_path = "{generation}"'.encode())
    db.execute(f"SET {tables.VERSION_SETTING} = '{SCHEMA_VERSION}'".encode())
    db.execute("SET synchronous_commit = off")
    db.execute("SET maintenance_work_mem = '128MB'")
    return generation
