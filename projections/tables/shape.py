"""The classes of tables and columns, and the columns that many tables share. No table is declared here."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Cell = str | int | None
Row = tuple[Cell, ...]
Type = Literal["text", "integer", "minor", "instant", "day", "flag", "json"]
Kind = Literal["state", "sums", "facts"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column. ``empty``: it may be null. ``fixed``: a row's first value never changes, so an update may omit it."""

    name: str
    type: Type
    doc: str
    empty: bool = False
    fixed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table; the first ``key`` columns identify a row.

    ``state``: a row is written whole and replaces the earlier one. With ``owner`` (a number of key columns), all rows
    of an owner are written at once, and its other rows are deleted. ``sums``: the key and the fixed columns are
    followed by integers that are added up. ``facts``: a row is written once. ``indexes`` are those that queries need
    in addition to the key. ``lower(column)`` is the column's text with ASCII letters in lower case.

    ``row`` builds a row from its cells by name: ``ORDERS.row(marketplace="acme", …)``. A cell that is missing, or that
    the table has no column for, is a TypeError.
    """

    name: str
    kind: Kind
    key: int
    doc: str
    columns: tuple[Column, ...]
    indexes: tuple[tuple[str, ...], ...] = ()
    owner: int | None = None
    row: Callable[..., Row] = field(init=False, repr=False)
    lead: int = field(init=False)
    """Number of columns before the first that is added up, which are the key and the fixed columns."""

    def __post_init__(self) -> None:
        scope: dict[str, Any] = {}
        cells = ", ".join(self.names)
        exec(f"def row(*, {cells}): return ({cells},)", scope)  # noqa: S102 - the names are our own
        object.__setattr__(self, "row", scope["row"])
        rest = self.columns[self.key :]
        summed = next((place for place, column in enumerate(rest) if not column.fixed), len(rest))
        object.__setattr__(self, "lead", self.key + summed)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


def folded(column: str) -> str:
    """Return the part of an index that finds a column without regard to the case of ASCII letters."""
    return f"lower({column})"


def column_of(part: str) -> str:
    """Return the column of a part of an index."""
    return part.removeprefix("lower(").removesuffix(")")


def index_name(table: Table, index: tuple[str, ...]) -> str:
    """Return the name of an index, from its table and its columns."""
    parts = (column_of(part) if column_of(part) == part else f"lower_{column_of(part)}" for part in index)
    return f"{table.name}_by_{'_'.join(parts)}"


def text(name: str, doc: str, *, empty: bool = False, fixed: bool = False) -> Column:
    return Column(name, "text", doc, empty, fixed)


def number(name: str, doc: str) -> Column:
    return Column(name, "integer", doc)


def flag(name: str, doc: str) -> Column:
    return Column(name, "flag", doc)


def minor(name: str, doc: str, *, fixed: bool = False) -> Column:
    return Column(name, "minor", doc, fixed=fixed)


def instant(name: str, doc: str, *, empty: bool = False, fixed: bool = False) -> Column:
    return Column(name, "instant", doc, empty, fixed)


MARKETPLACE: Final = text("marketplace", "The marketplace.", fixed=True)
ORDER_ID: Final = text("order_id", "The order's id, unique within its marketplace.", fixed=True)
SELLER_ID: Final = text("seller_id", "The id of the order's seller.", fixed=True)
CURRENCY: Final = text("currency", "ISO 4217 code of the currency.", fixed=True)
CURRENCY_EXPONENT: Final = Column(
    "currency_exponent",
    "integer",
    "Number of decimals of the currency in ISO 4217. An amount is its minor units divided by 10 to this "
    "power. Empty if ISO 4217 has none for this code.",
    empty=True,
    fixed=True,
)
PARTITION: Final = Column("partition", "integer", "The journal's partition that has the order.", fixed=True)
