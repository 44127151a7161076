"""The views' tables in PostgreSQL: create, promote and drop them.

People query database views in the first schema of the search path. Behind them is a *generation*: a schema of its own
with the actual tables. A rebuild fills a new generation, a shadow copy of the live one. Promoting it points the
database views at it in one transaction, and readers of the old one finish undisturbed. The comment on the view
``positions`` marks the views as rescind's, and names their version and the live generation.
"""

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, LiteralString

import psycopg
from psycopg import sql

from consumers.ports.views import ViewsError
from infra.postgresql.connecting import Db
from projections.tables import BOOKKEEPING, SCHEMA_VERSION, TABLES, Column, Table
from projections.tables.shape import column_of, index_name

EVERY: Final = (*TABLES, *BOOKKEEPING)
TYPES: Final[dict[str, LiteralString]] = {
    "text": 'text COLLATE "C"',
    "integer": "bigint",
    "minor": "bigint",
    "instant": "timestamptz",
    "day": 'text COLLATE "C"',
    "flag": "bigint",
    "json": "jsonb",
}
"""Text is sorted by its bytes, as in SQLite, because pages and comparisons depend on it."""

PROJECTING: Final = 0x72736376
"""First half of the advisory lock that projectors share, and that is exclusive while tables are promoted."""
SHADOWS: Final = 0x72736373
"""First half of the advisory lock on the name of a shadow generation that is being filled."""

VERSION_SETTING: Final = "rescind.tables"
"""The setting with which a projecting connection names the version of the tables that it writes."""

_LIVE: Final = re.compile(r"rescind views, version (\d+), in (\S+)")


@dataclass(frozen=True, slots=True)
class Live:
    """The content of the comment: the tables' version, and their schema."""

    version: int
    generation: str


def schema_of(db: Db) -> str:
    """The schema in which unqualified names are looked up. ViewsError if there is none."""
    found = db.execute("SELECT current_schema()").fetchone()
    if found is None or found[0] is None:
        raise ViewsError("no schema of the connection's search path is there: create one, or name another")
    return str(found[0])


def live(db: Db, schema: str) -> Live | None:
    """The live generation of this schema. None if there are no views of rescind."""
    found = db.execute(
        "SELECT d.description FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "JOIN pg_description d ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0 "
        "WHERE n.nspname = %s AND c.relname = 'positions' AND c.relkind = 'v'",
        (schema,),
    ).fetchone()
    found_version = None if found is None else _LIVE.match(str(found[0]))
    return None if found_version is None else Live(int(found_version[1]), found_version[2])


def names_there(db: Db, schema: str) -> set[str]:
    """Which of our tables' names are taken in this schema."""
    rows = db.execute(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relname = ANY(%s)",
        (schema, [table.name for table in EVERY]),
    )
    return {str(name) for (name,) in rows}


# ---- creating --------------------------------------------------------------------------------------------------------


def make(db: Db, schema: str) -> str | None:
    """Make sure that tables of this release are live. Returns why they are empty, or None if they existed.

    ViewsError if the names belong to somebody else, or the tables to a newer release. One process at a time runs this.
    """
    with db.transaction():
        lock_projecting(db, schema, shared=False)
        there = live(db, schema)
        taken = names_there(db, schema)
        if there is None:
            if taken:
                raise ViewsError(
                    f"the schema {schema} has a table {min(taken)} that is not rescind's: name another database with "
                    "--views, or another schema behind it (?options=-csearch_path%3DNAME)"
                )
            why = "there were no tables"
        elif there.version > SCHEMA_VERSION:
            raise ViewsError(
                f"the tables in the schema {schema} were made by a newer release (version {there.version}, this one "
                f"knows {SCHEMA_VERSION}): install that release, or name another database with --views"
            )
        elif there.version < SCHEMA_VERSION:
            why = f"the tables were of version {there.version}, and this release's are {SCHEMA_VERSION}"
        elif len(taken) < len(EVERY):
            why = "tables were missing"
        else:
            return None
        generation = new_name(schema)
        new_generation(db, generation)
        for statement in indexes(generation):
            db.execute(statement)
        promote(db, schema, generation, recreate=True)
    return why


def new_name(schema: str) -> str:
    """A unique name for a generation."""
    return f"{schema[:40]}_views_{secrets.token_hex(4)}"


def new_generation(db: Db, name: str, *, unlogged: bool = False) -> None:
    """Create a schema of this name with every table, empty, with primary keys but no other indexes."""
    db.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
    for table in EVERY:
        columns = [sql.SQL("{} {}").format(sql.Identifier(c.name), _type(c)) for c in table.columns]
        key = sql.SQL(", ").join(sql.Identifier(column) for column in table.names[: table.key])
        db.execute(
            sql.SQL("CREATE {} TABLE {} ({}, PRIMARY KEY ({}))").format(
                sql.SQL("UNLOGGED" if unlogged else ""),
                sql.Identifier(name, table.name),
                sql.SQL(", ").join(columns),
                key,
            )
        )
    _keep_other_releases_out(db, name)


def _keep_other_releases_out(db: Db, generation: str) -> None:
    """Let only connections that write this release's tables move ``positions``.

    Otherwise a running engine of another release would take rows with a missing column for rows that cannot be stored,
    and park their orders. The engine treats the error as an unavailable server.
    """
    guard = sql.Identifier(generation, "only_this_release")
    why = (
        f"the tables are of version {SCHEMA_VERSION}, made by another release of rescind: this engine projects again "
        "once it runs that release"
    )
    body = (
        f"BEGIN IF current_setting('{VERSION_SETTING}', true) IS DISTINCT FROM '{SCHEMA_VERSION}' "
        f"THEN RAISE EXCEPTION '{why}' USING ERRCODE = 'cannot_connect_now'; END IF; RETURN NULL; END"
    )
    db.execute(sql.SQL("CREATE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql AS {}").format(guard, sql.Literal(body)))
    db.execute(
        sql.SQL(
            "CREATE TRIGGER only_this_release BEFORE INSERT OR UPDATE ON {} FOR EACH STATEMENT EXECUTE FUNCTION {}()"
        ).format(sql.Identifier(generation, "positions"), guard)
    )


def _type(column: Column) -> sql.Composed:
    return sql.SQL("{} {}").format(sql.SQL(TYPES[column.type]), sql.SQL("" if column.empty else "NOT NULL"))


def indexes(generation: str) -> Iterator[sql.Composed]:
    """The indexes that queries need in addition to the keys."""
    for table in TABLES:
        for index in table.indexes:
            yield sql.SQL("CREATE INDEX {} ON {} ({})").format(
                sql.Identifier(index_name(table, index)[:63]),
                sql.Identifier(generation, table.name),
                sql.SQL(", ").join(map(_part, index)),
            )


def _part(part: str) -> sql.Composable:
    column = sql.Identifier(column_of(part))
    return column if column_of(part) == part else sql.SQL("lower({})").format(column)


def make_durable(db: Db, generation: str) -> None:
    """Make a generation that was filled without a WAL survive a crash, and add its indexes and statistics."""
    for table in EVERY:
        db.execute(sql.SQL("ALTER TABLE {} SET LOGGED").format(sql.Identifier(generation, table.name)))
    for statement in indexes(generation):
        db.execute(statement)
    for table in EVERY:
        db.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(generation, table.name)))


# ---- promoting -------------------------------------------------------------------------------------------------------


def lock_projecting(db: Db, schema: str, *, shared: bool) -> None:
    """Until the end of the transaction, keep tables from being promoted (``shared``), or keep all projectors out."""
    how: LiteralString = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
    db.execute(sql.SQL("SELECT {}(%s::int, hashtext(%s))").format(sql.SQL(how)), (PROJECTING, schema))


def promote(db: Db, schema: str, generation: str, *, recreate: bool = False) -> None:
    """Point the database views at a generation. ``recreate``: the columns may have changed, so the database views are
    recreated."""
    if recreate:
        for table in EVERY:
            db.execute(sql.SQL("DROP VIEW IF EXISTS {}").format(sql.Identifier(schema, table.name)))
    for table in EVERY:
        db.execute(
            sql.SQL("CREATE OR REPLACE VIEW {} AS SELECT {} FROM {}").format(
                sql.Identifier(schema, table.name),
                sql.SQL(", ").join(map(sql.Identifier, table.names)),
                sql.Identifier(generation, table.name),
            )
        )
        if recreate:
            _explain(db, schema, table)
    [positions] = [table for table in BOOKKEEPING if table.name == "positions"]
    comment = f"rescind views, version {SCHEMA_VERSION}, in {generation} . {positions.doc}"
    db.execute(sql.SQL("COMMENT ON VIEW {} IS {}").format(sql.Identifier(schema, positions.name), sql.Literal(comment)))


def _explain(db: Db, schema: str, table: Table) -> None:
    """Add the descriptions of docs/tables.md as comments."""
    comment = sql.SQL("COMMENT ON VIEW {} IS {}").format(sql.Identifier(schema, table.name), sql.Literal(table.doc))
    comments: list[sql.Composable] = [comment]
    for column in table.columns:
        place = sql.Identifier(schema, table.name, column.name)
        comments.append(sql.SQL("COMMENT ON COLUMN {} IS {}").format(place, sql.Literal(column.doc)))
    db.execute(sql.SQL("; ").join(comments))


def hold(db: Db, generation: str) -> None:
    """Keep this generation from being dropped until the transaction ends. psycopg's UndefinedTable if it is gone
    already."""
    every = [sql.Identifier(generation, table.name) for table in EVERY]
    db.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(sql.SQL(", ").join(every)))


# ---- dropping --------------------------------------------------------------------------------------------------------


def claim(db: Db, generation: str) -> bool:
    """Lock a generation for filling or dropping it. Returns whether this connection got the lock."""
    found = db.execute("SELECT pg_try_advisory_lock(%s::int, hashtext(%s))", (SHADOWS, generation)).fetchone()
    return bool(found and found[0])


def release(db: Db, generation: str) -> None:
    """Undo ``claim``."""
    db.execute("SELECT pg_advisory_unlock(%s::int, hashtext(%s))", (SHADOWS, generation))


def generations(db: Db, schema: str) -> list[str]:
    """Every generation of this schema, live or not."""
    rows = db.execute("SELECT nspname FROM pg_namespace WHERE nspname ~ %s ORDER BY nspname", (_pattern(schema),))
    return [str(name) for (name,) in rows]


def _pattern(schema: str) -> str:
    return f"^{re.escape(schema[:40])}_views_[0-9a-f]{{8}}$"


def drop(db: Db, generation: str) -> bool:
    """Drop a generation. False if somebody still reads it: try again later."""
    try:
        with db.transaction():
            db.execute("SET LOCAL lock_timeout = '500ms'")
            db.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(generation)))
    except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
        return False
    return True


def drop_unused(db: Db, schema: str) -> None:
    """Drop generations that are neither live nor being filled: replaced ones, and those of a killed process."""
    for generation in generations(db, schema):
        if not claim(db, generation):
            continue
        try:
            there = live(db, schema)  # queried under the lock: its last owner may have promoted it
            if there is not None and there.generation != generation:
                drop(db, generation)
        finally:
            release(db, generation)
