"""The views' tables in PostgreSQL: how they are made, put in place, and taken away again.

The names that people query are views in the first schema of the search path. Behind them stands a *generation*: a
schema of its own with the tables proper. What is made anew becomes a new generation beside the live one; putting it in
place is pointing the views at it, in one transaction, and who is still reading the old one reads on. The comment on the
view ``positions`` says that these are ours, of which version, and which generation is live.
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
"""Text is sorted by its bytes, as in SQLite: pages and comparisons go by it."""

WRITING: Final = 0x72736376
"""First half of the advisory lock that projectors share, and that nobody else has while tables are put in place."""
SIDES: Final = 0x72736373
"""First half of the advisory lock that who fills a generation has on its name."""

VERSION_SETTING: Final = "rescind.tables"
"""The setting by which a connection that projects says which version of the tables it writes."""

_LIVE: Final = re.compile(r"rescind views, version (\d+), in (\S+)")


@dataclass(frozen=True, slots=True)
class Live:
    """What the comment says: the tables' version, and the schema that they are in."""

    version: int
    generation: str


def schema_of(db: Db) -> str:
    """The schema that names without one are looked for in. ViewsError if there is none."""
    found = db.execute("SELECT current_schema()").fetchone()
    if found is None or found[0] is None:
        raise ViewsError("no schema of the connection's search path is there: create one, or name another")
    return str(found[0])


def live(db: Db, schema: str) -> Live | None:
    """What is in place in this schema; None if nothing of ours is."""
    found = db.execute(
        "SELECT d.description FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "JOIN pg_description d ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0 "
        "WHERE n.nspname = %s AND c.relname = 'positions' AND c.relkind = 'v'",
        (schema,),
    ).fetchone()
    told = None if found is None else _LIVE.match(str(found[0]))
    return None if told is None else Live(int(told[1]), told[2])


def names_there(db: Db, schema: str) -> set[str]:
    """Which of our tables' names are taken in this schema."""
    rows = db.execute(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relname = ANY(%s)",
        (schema, [table.name for table in EVERY]),
    )
    return {str(name) for (name,) in rows}


# ---- making ---------------------------------------------------------------------------------------------------------


def make(db: Db, schema: str) -> str | None:
    """See to it that tables of this release are in place; why they are empty, None if they were there.

    ViewsError if the names are somebody else's, or the tables of a newer release. For one process at a time.
    """
    with db.transaction():
        lock_writing(db, schema, shared=False)
        there = live(db, schema)
        taken = names_there(db, schema)
        if there is None:
            if taken:
                raise ViewsError(
                    f"the schema {schema} has a table {min(taken)} that is not ours: name another database with "
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
        promote(db, schema, generation, anew=True)
    return why


def new_name(schema: str) -> str:
    """A name for a generation that nobody else has."""
    return f"{schema[:40]}_views_{secrets.token_hex(4)}"


def new_generation(db: Db, name: str, *, unlogged: bool = False) -> None:
    """A schema of this name with every table, empty and without the indexes beside the keys."""
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
    """Let only connections move ``positions`` that write this release's tables.

    An engine of another release that is still running would otherwise take rows that miss a column for rows that
    nobody can store, and park their orders here. The error is one of those that it takes for a server that is away.
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
    """What the questions of pages need beside the keys."""
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


def keep(db: Db, generation: str) -> None:
    """Make a generation that was filled without a log one that survives a crash, with its indexes and statistics."""
    for table in EVERY:
        db.execute(sql.SQL("ALTER TABLE {} SET LOGGED").format(sql.Identifier(generation, table.name)))
    for statement in indexes(generation):
        db.execute(statement)
    for table in EVERY:
        db.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(generation, table.name)))


# ---- in place -------------------------------------------------------------------------------------------------------


def lock_writing(db: Db, schema: str, *, shared: bool) -> None:
    """Until the transaction ends: no tables are put in place (``shared``), or nobody projects into them."""
    how: LiteralString = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
    db.execute(sql.SQL("SELECT {}(%s::int, hashtext(%s))").format(sql.SQL(how)), (WRITING, schema))


def promote(db: Db, schema: str, generation: str, *, anew: bool = False) -> None:
    """Point the views at a generation. ``anew``: their columns may be others than before, so they are made anew."""
    if anew:
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
        if anew:
            _explain(db, schema, table)
    [positions] = [table for table in BOOKKEEPING if table.name == "positions"]
    said = f"rescind views, version {SCHEMA_VERSION}, in {generation} . {positions.doc}"
    db.execute(sql.SQL("COMMENT ON VIEW {} IS {}").format(sql.Identifier(schema, positions.name), sql.Literal(said)))


def _explain(db: Db, schema: str, table: Table) -> None:
    """What docs/tables.md says stands beside the tables, too."""
    comment = sql.SQL("COMMENT ON VIEW {} IS {}").format(sql.Identifier(schema, table.name), sql.Literal(table.doc))
    comments: list[sql.Composable] = [comment]
    for column in table.columns:
        place = sql.Identifier(schema, table.name, column.name)
        comments.append(sql.SQL("COMMENT ON COLUMN {} IS {}").format(place, sql.Literal(column.doc)))
    db.execute(sql.SQL("; ").join(comments))


def hold(db: Db, generation: str) -> None:
    """Until the transaction ends nobody takes this generation away. psycopg's UndefinedTable if it is gone already."""
    every = [sql.Identifier(generation, table.name) for table in EVERY]
    db.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(sql.SQL(", ").join(every)))


# ---- taking away ----------------------------------------------------------------------------------------------------


def claim(db: Db, generation: str) -> bool:
    """Whether this connection may fill or take away a generation: nobody else's does."""
    found = db.execute("SELECT pg_try_advisory_lock(%s::int, hashtext(%s))", (SIDES, generation)).fetchone()
    return bool(found and found[0])


def release(db: Db, generation: str) -> None:
    """The opposite of ``claim``."""
    db.execute("SELECT pg_advisory_unlock(%s::int, hashtext(%s))", (SIDES, generation))


def generations(db: Db, schema: str) -> list[str]:
    """Every generation beside this schema, in place or not."""
    rows = db.execute("SELECT nspname FROM pg_namespace WHERE nspname ~ %s ORDER BY nspname", (_pattern(schema),))
    return [str(name) for (name,) in rows]


def _pattern(schema: str) -> str:
    return f"^{re.escape(schema[:40])}_views_[0-9a-f]{{8}}$"


def drop(db: Db, generation: str) -> bool:
    """Take a generation away; False if somebody reads it still: then another time."""
    try:
        with db.transaction():
            db.execute("SET LOCAL lock_timeout = '500ms'")
            db.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(generation)))
    except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
        return False
    return True


def drop_unused(db: Db, schema: str) -> None:
    """Take away generations that are not in place and that nobody fills: replaced ones, and what a killed process
    left."""
    for generation in generations(db, schema):
        if not claim(db, generation):
            continue
        try:
            there = live(db, schema)  # asked now: who had it until now may have put it in place
            if there is not None and there.generation != generation:
                drop(db, generation)
        finally:
            release(db, generation)
