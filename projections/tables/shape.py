"""What a table and a column are, and the columns that many tables share. No table is declared here."""

from dataclasses import dataclass
from typing import Final, Literal

Cell = str | int | None
Row = tuple[Cell, ...]
Type = Literal["text", "integer", "minor", "instant", "day", "flag", "json"]
Kind = Literal["state", "sums", "facts"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column. ``empty``: it may be null. ``fixed``: a row's first value stays, an update need not write it."""

    name: str
    type: Type
    doc: str
    empty: bool = False
    fixed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table; the first ``key`` columns identify a row.

    ``state``: a row is put whole, the last one counts; with ``owner`` (so many key columns) all rows of an owner are
    put at once and those not among them go. ``sums``: behind the key come integers that are added up. ``facts``: a row
    is written once. ``indexes`` are what the queries of pages need beside the key.
    """

    name: str
    kind: Kind
    key: int
    doc: str
    columns: tuple[Column, ...]
    indexes: tuple[tuple[str, ...], ...] = ()
    owner: int | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


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
ORDER_ID: Final = text("order_id", "The order, unique within its marketplace.", fixed=True)
SELLER_ID: Final = text("seller_id", "The order's seller.", fixed=True)
PARTITION: Final = Column("partition", "integer", "The journal's partition that the order lives in.", fixed=True)
