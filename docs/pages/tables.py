"""The page of tables: every table that people may query, column by column, from ``projections.tables``."""

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

The views are tables in a database of their own, by default `views.sqlite` in the journal's directory, or in
[PostgreSQL](how-to/postgresql.md) (`--views`). You can query them while the engine runs. Readers do not block it. Rows
and position are written together, so one query sees the history up to one point of each partition. The views are a
cache: `rescind replay --check` finds manual changes, and `rescind replay` removes them.

```
sqlite3 views.sqlite "SELECT day, sum(lines_placed) AS placed,
                             sum(lines_canceled_by_seller + lines_auto_canceled) AS against
                      FROM seller_daily WHERE seller_id = 's-3' GROUP BY day ORDER BY day DESC LIMIT 7"
```

[Query the tables](how-to/ask-the-tables.md) has worked queries for ten questions of operators.

| type | SQLite | PostgreSQL | |
|---|---|---|---|
| text | `TEXT` | `text`, collation `C` | Sorted by its bytes. |
| integer | `INTEGER` | `bigint` | |
| minor units | `INTEGER` | `bigint` | An amount: 1234 with `currency_exponent` 2 is 12.34 of `currency`. |
| instant | `TEXT` | `timestamptz` | In SQLite UTC text like `2026-03-02T10:00:00Z`. |
| day | `TEXT` | `text` | Like `2026-03-02`. |
| 0 or 1 | `INTEGER` | `bigint` | |
| JSON | `TEXT` | `jsonb` | In PostgreSQL U+FFFD replaces a zero character. |

In SQLite an instant has a fraction only if it is not zero. Compare and sort by `rtrim(placed_at, 'Z')`, which the
indexes use too. Columns that may be empty say so, and the columns of a table's key are in bold. Later releases may add
columns, but never rename or drop them, so name the columns that you read.
"""


def tables_page() -> str:
    """Write docs/tables.md."""
    lines = [BEGINNING]
    for table in TABLES:
        lines += section(table)
    lines += ["## How far the tables are", "", "The engine updates these two tables together with the others.", ""]
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
