"""SQL generated from the description of the tables (``projections.tables``): one write statement per table, and the
schema and indexes for SQLite.

PostgreSQL uses the same write statements, and its tables are in ``infra.views.postgresql_tables``. In SQLite, instants
are UTC text with ``Z``. Such text sorts by time except for the ``Z`` (``…00Z`` would follow ``…00.5Z``), so indexes and
comparisons strip it with ``in_time``.
"""

from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from typing import Final

from domain.instants import Instant, format_instant
from projections.changes import Changes
from projections.tables import Cell, Column, Row, Table
from projections.tables.shape import column_of, index_name

_TYPES: Final = {
    "text": "TEXT",
    "integer": "INTEGER",
    "minor": "INTEGER",
    "instant": "TEXT",
    "day": "TEXT",
    "flag": "INTEGER",
    "json": "TEXT",
}


def create_table(table: Table) -> str:
    """Tables with a primary key that is looked up are stored in key order. Facts are stored in the order of arrival."""
    declared = [f"{_column(column)}" for column in table.columns]
    storage = "STRICT" if table.kind == "facts" else "STRICT, WITHOUT ROWID"
    return f"CREATE TABLE {_quoted(table.name)} ({', '.join(declared)}, PRIMARY KEY ({key(table)})) {storage}"


def create_indexes(table: Table) -> list[str]:
    types = {column.name: column.type for column in table.columns}
    made = []
    for index in table.indexes:
        parts = [in_time(part) if types[column_of(part)] == "instant" else _part(part) for part in index]
        name = index_name(table, index)
        made.append(f"CREATE INDEX {_quoted(name)} ON {_quoted(table.name)} ({', '.join(parts)})")
    return made


def _part(part: str) -> str:
    column = column_of(part)
    return _quoted(column) if column == part else f"lower({_quoted(column)})"


def in_time(column: str) -> str:
    """The SQL expression by which a column of instants is compared and sorted."""
    return f"rtrim({_quoted(column)}, 'Z')"


def _column(column: Column) -> str:
    return f"{_quoted(column.name)} {_TYPES[column.type]}{'' if column.empty else ' NOT NULL'}"


def _quoted(name: str) -> str:
    return f'"{name}"'


# ---- writing ---------------------------------------------------------------------------------------------------------


def insert(table: Table, rows: str | None = None) -> str:
    """The statement that writes a row according to the table's kind, or all ``rows`` of a SELECT. Fixed columns of
    existing rows are not updated, so their indexes are not either."""
    names = table.names
    rows = rows or f"VALUES ({', '.join('?' * len(names))})"
    statement = f"INSERT INTO {_quoted(table.name)} ({columns(table)}) {rows}"
    conflict = f"{statement} ON CONFLICT ({key(table)}) DO"
    match table.kind:
        case "facts":
            return f"{conflict} NOTHING"
        case "sums":
            sums = ", ".join(
                f"{_quoted(n)} = {_quoted(table.name)}.{_quoted(n)} + excluded.{_quoted(n)}"
                for n in names[table.lead :]
            )
            return f"{conflict} UPDATE SET {sums}"
        case "state":
            free = [column.name for column in table.columns[table.key :] if not column.fixed]
            if not free:
                return f"{conflict} NOTHING"
            return f"{conflict} UPDATE SET {', '.join(f'{_quoted(n)} = excluded.{_quoted(n)}' for n in free)}"


def delete_owned(table: Table) -> str:
    """The statement that deletes all rows of an owner."""
    names = table.names[: table.owner]
    return f"DELETE FROM {_quoted(table.name)} WHERE {' AND '.join(f'{_quoted(name)} = ?' for name in names)}"


def statements(changes: Changes) -> Iterator[tuple[str, list[Row]]]:
    """Everything that a batch writes: each statement, and the rows to execute it with."""
    for table, owners in changes.owners.items():
        yield delete_owned(table), owners
    for table, rows in changes.rows.items():
        yield insert(table), cells(table, rows)
    for table, rows in changes.facts.items():
        yield insert(table), cells(table, rows)
    for table, sums in changes.sums.items():
        yield insert(table), cells(table, [(*key, *amounts) for key, amounts in sums.items()])


def cells(table: Table, rows: list[Row]) -> list[Row]:
    """Rows as written: instants are text."""
    convert = _converter(table)
    return rows if convert is None else [convert(row) for row in rows]


@cache
def _converter(table: Table) -> Callable[[Row], Row] | None:
    """The function that converts a row's instants to text. None if it has none."""
    types = [column.type for column in table.columns]
    if "instant" not in types:
        return None
    empty = [column.empty for column in table.columns]
    parts = []
    for place, (of, may_be_none) in enumerate(zip(types, empty, strict=True)):
        value = f"row[{place}]"
        if of == "instant":
            value = f"None if {value} is None else text({value})" if may_be_none else f"text({value})"
        parts.append(value)
    made: Callable[[Row], Row] = eval(  # noqa: S307 - the text is made from our own description of the table
        f"lambda row: ({', '.join(parts)},)", {"text": instant_text}
    )
    return made


instant_text: Final[Callable[[Instant], str]] = lru_cache(maxsize=65_536)(format_instant)
"""An instant as stored in the tables. Cached, because a commit's instant occurs in many rows."""


def select_all(table: Table) -> str:
    """The query for every row, in key order."""
    return f"SELECT {columns(table)} FROM {_quoted(table.name)} ORDER BY {key(table)}"


def columns(table: Table) -> str:
    """The table's columns, separated by commas."""
    return ", ".join(map(_quoted, table.names))


def key(table: Table) -> str:
    """The columns of its key, separated by commas."""
    return ", ".join(map(_quoted, table.names[: table.key]))


def named(table: Table, row: Row) -> dict[str, Cell]:
    """A row as a dictionary by column name."""
    return dict(zip(table.names, row, strict=True))
