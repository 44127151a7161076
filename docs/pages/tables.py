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
| JSON | `TEXT` | `jsonb` | In PostgreSQL U+FFFD stands for a zero character. |

In SQLite an instant has a fraction only where it is not zero: compare and sort by `rtrim(placed_at, 'Z')`, which the
indexes have too. A column that may be empty says so; the columns of a table's key are in bold. Columns are added by
later releases, never renamed or dropped: name the columns that you read.
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
