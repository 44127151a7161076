"""The page of tables: every one that people may query, column by column, from ``projections.tables``."""

from projections.tables import BOOKKEEPING, TABLES, Column, Table

TYPES = {
    "text": "text",
    "integer": "integer",
    "minor": "minor units",
    "instant": "instant",
    "day": "day",
    "flag": "0 or 1",
    "json": "JSON",
}
BEGINNING = """# Tables

This page is written by `make docs` from `projections/tables/`; do not edit it here.

The views are tables in a database of their own, by default `views.sqlite` beside the journal, or in
[PostgreSQL](how-to/postgresql.md) (`--views`). They are safe
to query while the engine runs: nobody who reads is in its way, and rows and position are written together, so that what
one query sees is the history up to one point of each partition. They are a cache: whatever is written into them by hand
is found by `rescind replay --check` and gone after `rescind replay`.

```
sqlite3 views.sqlite "SELECT day, lines_placed, lines_canceled_by_seller + lines_auto_canceled AS against
                      FROM seller_daily WHERE seller_id = 's-3' ORDER BY day DESC LIMIT 7"
```

In SQLite an *instant* is UTC text like `2026-03-02T10:00:00Z`, with a fraction only where it is not zero: compare and
sort by `rtrim(placed_at, 'Z')`, which the indexes have too. In PostgreSQL it is a `timestamptz`. A *day* is text like
`2026-03-02`. Amounts are integers in *minor units* of the order's currency. A column that may be empty says so; the
columns of a table's key are in bold.
"""


def tables_page() -> str:
    """docs/tables.md."""
    lines = [BEGINNING]
    for table in TABLES:
        lines += section(table)
    lines += ["## How far the tables are", "", "These two are kept by what fills the others.", ""]
    for table in BOOKKEEPING:
        lines += section(table, "###")
    return "\n".join(lines).rstrip() + "\n"


def section(table: Table, level: str = "##") -> list[str]:
    rows = [row(column, place < table.key) for place, column in enumerate(table.columns)]
    indexes = [", ".join(f"`{name}`" for name in index) for index in table.indexes]
    found = ["", f"Also found by index: {'; '.join(indexes)}."] if indexes else []
    return [f"{level} {table.name}", "", table.doc, "", "| column | type | |", "|---|---|---|", *rows, *found, ""]


def row(column: Column, is_key: bool) -> str:
    name = f"**`{column.name}`**" if is_key else f"`{column.name}`"
    empty = ", or empty" if column.empty else ""
    return f"| {name} | {TYPES[column.type]}{empty} | {column.doc} |"
