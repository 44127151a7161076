"""Queries of pages and the command line. The adapter of each database has its dialect, and this module the queries.

Rows are dictionaries with the columns of ``projections.tables`` (docs/tables.md), and instants are RFC 3339 text. Every
query that can have many rows is limited, and pages continue after a key instead of counting rows.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from domain.instants import Instant, parse_instant
from domain.references import read_reference
from projections.tables import (
    CANCELLATIONS,
    CASES,
    CREDIT_MEMOS,
    DEADLINES,
    DISPUTES,
    EVIDENCE,
    FEES,
    MESSAGES,
    NOTIFICATIONS,
    ORDER_LINES,
    OTHER_REFUNDS,
    PAYMENTS,
    REBILLS,
    REFUNDS,
    REQUESTS,
    RETURNS,
    SHIPMENTS,
    Cell,
    Table,
)
from projections.tables.shape import folded

Row = dict[str, Any]


class BadCursor(ValueError):
    """The text is not a cursor that a page returned."""


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders of a marketplace to list. None matches any value. The case of a PO number's letters never
    matters."""

    marketplace: str
    po: str | None = None
    seller: str | None = None
    buyer: str | None = None
    status: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, and the cursor of the next page (None: there is none)."""

    rows: list[Row]
    next: str | None


SORTED_BY: Final[dict[Table, str]] = {
    ORDER_LINES: "line",
    REQUESTS: "asked_at",
    FEES: "fee_id",
    PAYMENTS: "paid_at",
    REFUNDS: "due_at",
    OTHER_REFUNDS: "number",
    REBILLS: "due_at",
    CREDIT_MEMOS: "issued_at",
    SHIPMENTS: "occurred_at",
    RETURNS: "opened_at",
    CASES: "opened_at",
    DISPUTES: "opened_at",
    EVIDENCE: "attached_at",
    DEADLINES: "due_at",
    CANCELLATIONS: "position",
    MESSAGES: "position",
    NOTIFICATIONS: "position",
}
"""Tables with rows of an order, and the column by which those rows are sorted."""


class Reading(ABC):
    """The queries. Any thread may call."""

    @abstractmethod
    def query(self, sql: str, parameters: Sequence[Cell]) -> list[Row]:
        """Run one SELECT with ``?`` for parameters. ViewsUnavailable, ViewsDamaged."""

    @abstractmethod
    def in_time(self, column: str) -> str:
        """The SQL expression by which a column of instants is compared and sorted."""

    @abstractmethod
    def instant(self, at: Instant) -> Cell:
        """The parameter to compare with ``in_time``."""

    @abstractmethod
    def without_index(self, column: str) -> str:
        """The column, in a condition that shall not use an index."""

    # ---- orders ------------------------------------------------------------------------------------------------------

    def marketplaces(self, limit: int | None = None) -> list[str]:
        """Marketplaces that have orders, by name, all or the first few. One index lookup for each."""
        found: list[str] = []
        while limit is None or len(found) < limit:
            after = found[-1] if found else ""
            rows = self.query(
                "SELECT marketplace FROM orders WHERE marketplace > ? ORDER BY marketplace LIMIT 1", (after,)
            )
            if not rows:
                break
            found.append(rows[0]["marketplace"])
        return found

    def has_orders(self, marketplace: str) -> bool:
        """Whether an order names this marketplace."""
        return bool(self.query("SELECT 1 AS yes FROM orders WHERE marketplace = ? LIMIT 1", (marketplace,)))

    def order_with_reference(self, marketplace: str, reference: str) -> Row | None:
        """The order with the cancellation of this reference. The newest, if two have it."""
        found = self.query(
            "SELECT order_id FROM cancellations WHERE marketplace = ? AND reference = ? "
            "ORDER BY partition, position DESC LIMIT 1",
            (marketplace, reference),
        )
        return self.order(marketplace, found[0]["order_id"]) if found else None

    def order(self, marketplace: str, order_id: str) -> Row | None:
        """One order's row."""
        found = self.query("SELECT * FROM orders WHERE marketplace = ? AND order_id = ?", (marketplace, order_id))
        return found[0] if found else None

    def orders_with_po(self, po: str, marketplace: str | None = None, limit: int = 100) -> list[Row]:
        """Orders with this PO number, of one marketplace or of all, newest first."""
        where, parameters = f"{folded('po_number')} = ?", [fold(po)]
        if marketplace is not None:
            where += " AND marketplace = ?"
            parameters.append(marketplace)
        newest = f"{self.in_time('placed_at')} DESC, marketplace, order_id"
        return self.query(f"SELECT * FROM orders WHERE {where} ORDER BY {newest} LIMIT ?", (*parameters, limit))

    def orders_beginning(self, of: OrderFilter, begins: str, after: str | None = None, limit: int = 50) -> Page:
        """A page of orders whose PO number begins with ``begins``, sorted by PO number. BadCursor."""
        where, parameters = self._beginning("po_number", of, begins)
        by = folded("po_number")
        if after is not None:
            po, order_id = _read_po_cursor(after)
            where += f" AND {by} >= ? AND ({by} > ? OR order_id > ?)"
            parameters += [po, po, order_id]
        rows = self.query(
            f"SELECT * FROM orders WHERE {where} ORDER BY {by}, order_id LIMIT ?", (*parameters, limit + 1)
        )
        more = len(rows) > limit
        rows = rows[:limit]
        return Page(rows, f"{_BY_PO}{fold(rows[-1]['po_number'])}~{rows[-1]['order_id']}" if more else None)

    def named(self, of: OrderFilter, q: str, limit: int = 100) -> list[Row]:
        """Orders with exactly this PO number, order id or cancellation reference, tried in this order."""
        rows = self.orders(replace(of, po=q), None, limit).rows
        by_id = self.order(of.marketplace, q)
        if by_id is not None and all(row["order_id"] != q for row in rows):
            rows.insert(0, by_id)
        reference = read_reference(q)
        if not rows and reference is not None:
            canceled = self.order_with_reference(of.marketplace, reference)
            rows = [] if canceled is None else [canceled]
        return [row for row in rows if _is_of(row, of)]

    def matching(self, of: OrderFilter, q: str, limit: int = 100) -> list[Row]:
        """Orders whose PO number or order id begins with ``q``. If there are too few, also orders with exactly this
        tracking number, SKU, checkout, shipping notice, case or support ticket. The case of ASCII letters does not
        matter."""
        found: dict[str, Row] = {}
        for look in (
            partial(self._pos_beginning, of, q, limit),
            partial(self._ids_beginning, of, q, limit),
            partial(self._having, "tracking_numbers", "tracking_number", of, q, limit),
            partial(self._having, "order_lines", "sku", of, q, limit),
            partial(self._of_checkout, of, q, limit),
            partial(self._having, "shipments", "shipment_id", of, q, limit),
            partial(self._having, "cases", "case_id", of, q, limit),
            partial(self._having, "disputes", "ticket", of, q, limit),
        ):
            if len(found) < limit:
                found |= {row["order_id"]: row for row in look() if row["order_id"] not in found}
        return list(found.values())[:limit]

    def _pos_beginning(self, of: OrderFilter, begins: str, limit: int) -> list[Row]:
        return self.orders_beginning(of, begins, None, limit).rows

    def _ids_beginning(self, of: OrderFilter, begins: str, limit: int) -> list[Row]:
        where, parameters = self._beginning("order_id", of, begins)
        by = folded("order_id")
        return self.query(f"SELECT * FROM orders WHERE {where} ORDER BY {by} LIMIT ?", (*parameters, limit))

    def _beginning(self, column: str, of: OrderFilter, begins: str) -> tuple[str, list[Cell]]:
        by, low = folded(column), fold(begins)
        narrow, parameters = self._narrowed(of)
        return f"marketplace = ? AND {by} >= ? AND {by} < ?{narrow}", [of.marketplace, low, low + _LAST, *parameters]

    def _having(self, table: str, column: str, of: OrderFilter, value: str, limit: int) -> list[Row]:
        """Orders with a row in another table that has this text."""
        narrow, parameters = self._narrowed(of)
        return self.query(
            "SELECT * FROM orders WHERE marketplace = ? AND order_id IN "
            f"(SELECT order_id FROM {table} WHERE marketplace = ? AND {folded(column)} = ?){narrow} "
            "ORDER BY order_id LIMIT ?",
            (of.marketplace, of.marketplace, fold(value), *parameters, limit),
        )

    def _of_checkout(self, of: OrderFilter, checkout: str, limit: int) -> list[Row]:
        narrow, parameters = self._narrowed(of)
        return self.query(
            f"SELECT * FROM orders WHERE marketplace = ? AND {folded('checkout_id')} = ?{narrow} "
            "ORDER BY order_id LIMIT ?",
            (of.marketplace, fold(checkout), *parameters, limit),
        )

    def _narrowed(self, of: OrderFilter) -> tuple[str, list[Cell]]:
        """Further conditions, which use no index."""
        given = {"seller_id": of.seller, "buyer_id": of.buyer, "status": of.status}
        wanted = {name: value for name, value in given.items() if value is not None}
        return "".join(f" AND {self.without_index(name)} = ?" for name in wanted), [*wanted.values()]

    def orders(self, of: OrderFilter, after: str | None = None, limit: int = 50) -> Page:
        """A page of orders, newest first. ``after`` is the ``next`` of the previous page. BadCursor."""
        where, parameters = self._where(of)
        placed = self.in_time("placed_at")
        if after is not None:
            at, order_id = _read_cursor(after)
            instant = self.instant(at)
            where += f" AND {placed} <= ? AND ({placed} < ? OR order_id < ?)"
            parameters += [instant, instant, order_id]
        rows = self.query(
            f"SELECT * FROM orders WHERE {where} ORDER BY {placed} DESC, order_id DESC LIMIT ?",
            (*parameters, limit + 1),
        )
        more = len(rows) > limit
        rows = rows[:limit]
        return Page(rows, f"{rows[-1]['placed_at']}~{rows[-1]['order_id']}" if more else None)

    def _where(self, of: OrderFilter) -> tuple[str, list[Cell]]:
        """The most selective condition uses its index, the others use none. With a seller, the status uses one too."""
        narrow = (folded("po_number"), "buyer_id", "seller_id", "status")
        po = None if of.po is None else fold(of.po)
        given = dict(zip(narrow, (po, of.buyer, of.seller, of.status), strict=True))
        wanted = [name for name in narrow if given[name] is not None]
        led = {wanted[0]} if wanted else set()
        if led == {"seller_id"}:
            led.add("status")
        conditions = ["marketplace = ?", *(f"{n if n in led else self.without_index(n)} = ?" for n in wanted)]
        return " AND ".join(conditions), [of.marketplace, *(given[name] for name in wanted)]

    def counts(self, marketplace: str, seller: str | None = None) -> dict[str, int]:
        """Number of orders by status, of a marketplace or of one seller."""
        where, parameters = "marketplace = ?", [marketplace]
        if seller is not None:
            where += " AND seller_id = ?"
            parameters.append(seller)
        rows = self.query(f"SELECT status, count(*) AS orders FROM orders WHERE {where} GROUP BY status", parameters)
        return {row["status"]: row["orders"] for row in rows}

    def of_order(self, table: Table, marketplace: str, order_id: str) -> list[Row]:
        """An order's rows in one of the tables of SORTED_BY."""
        column = SORTED_BY[table]
        types = {c.name: c.type for c in table.columns}
        by = self.in_time(column) if types[column] == "instant" else column
        key = ", ".join(table.names[: table.key])
        return self.query(
            f"SELECT * FROM {table.name} WHERE marketplace = ? AND order_id = ? ORDER BY {by}, {key}",
            (marketplace, order_id),
        )

    # ---- sellers and operators ---------------------------------------------------------------------------------------

    def seller_daily(self, marketplace: str, seller: str, first: str, last: str) -> list[Row]:
        """The seller's days from ``first`` to ``last`` (ISO dates, both included), in order, one row per currency. A
        day without a row had no activity."""
        return self.query(
            "SELECT * FROM seller_daily WHERE marketplace = ? AND seller_id = ? AND day >= ? AND day <= ? "
            "ORDER BY day, currency",
            (marketplace, seller, first, last),
        )

    def buyer_standing(self, marketplace: str, buyer: str, first: str, last: str) -> list[Row]:
        """The buyer's days from ``first`` to ``last`` (ISO dates, both included), in order."""
        return self.query(
            "SELECT * FROM buyer_standing WHERE marketplace = ? AND buyer_id = ? AND day >= ? AND day <= ? "
            "ORDER BY day",
            (marketplace, buyer, first, last),
        )

    def newest_order_of_seller(self, marketplace: str, seller: str) -> Row | None:
        """The seller's newest order."""
        placed = self.in_time("placed_at")
        rows = self.query(
            f"SELECT * FROM orders WHERE marketplace = ? AND seller_id = ? ORDER BY {placed} DESC, order_id DESC "
            "LIMIT 1",
            (marketplace, seller),
        )
        return rows[0] if rows else None

    def waiting_requests(
        self, marketplace: str, seller: str | None = None, limit: int = 100, *, awaits: str = "seller"
    ) -> list[Row]:
        """Requests that wait for the sellers, or for ``awaits``, to act. The earliest due come first, so overdue ones
        lead. Requests without a due date come last."""
        where, parameters = "marketplace = ? AND awaits = ?", [marketplace, awaits]
        if seller is not None:
            where += " AND seller_id = ?"
            parameters.append(seller)
        return self._requests(where, parameters, limit)

    def waiting_requests_of(
        self, marketplace: str, orders: Sequence[str], limit: int = 100, *, awaits: str = "seller"
    ) -> list[Row]:
        """The waiting requests of these orders only, at most 1,000 orders."""
        named = ", ".join("?" * len(orders))
        where = f"marketplace = ? AND order_id IN ({named}) AND {self.without_index('awaits')} = ?"
        return self._requests(where, [marketplace, *orders, awaits], limit) if orders else []

    def _requests(self, where: str, parameters: Sequence[Cell], limit: int) -> list[Row]:
        by = self.in_time("decide_by")
        return self.query(
            f"SELECT * FROM requests WHERE {where} ORDER BY decide_by IS NULL, {by}, order_id, request_id LIMIT ?",
            (*parameters, limit),
        )

    def deadlines(self, before: Instant | None = None, marketplace: str | None = None, limit: int = 100) -> list[Row]:
        """Deadlines that apply, the earliest first. ``before``: only those due earlier than this."""
        by = self.in_time("due_at")
        conditions: list[str] = []
        parameters: list[Cell] = []
        if before is not None:
            conditions.append(f"{by} < ?")
            parameters.append(self.instant(before))
        if marketplace is not None:
            conditions.append(f"{self.without_index('marketplace')} = ?")
            parameters.append(marketplace)
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return self.query(
            f"SELECT * FROM deadlines{where} ORDER BY {by}, marketplace, order_id, deadline_id LIMIT ?",
            (*parameters, limit),
        )

    def decided_disputes(self, marketplace: str, limit: int = 10_000) -> list[Row]:
        """A marketplace's decided disputes, newest first: status, opened_at, decided_at."""
        opened = self.in_time("opened_at")
        return self.query(
            "SELECT status, opened_at, decided_at FROM disputes WHERE marketplace = ? "
            "AND status IN ('granted', 'denied', 'returned') AND decided_at IS NOT NULL "
            f"ORDER BY {opened} DESC LIMIT ?",
            (marketplace, limit),
        )

    def policies(self) -> list[Row]:
        """Every published policy version, in the order of publication."""
        return self.query("SELECT * FROM policies ORDER BY position", ())

    def dead_letters(self) -> list[Row]:
        """Orders that are parked, and why."""
        return self.query("SELECT * FROM dead_letters ORDER BY log, partition, ordinal", ())

    # ---- events ------------------------------------------------------------------------------------------------------

    def audit_trail(self, marketplace: str, order_id: str, after: int = 0, limit: int = 10_000) -> list[Row]:
        """An order's events with versions above ``after``, in order."""
        return self.query(
            "SELECT * FROM audit_trail WHERE marketplace = ? AND order_id = ? AND version > ? ORDER BY version LIMIT ?",
            (marketplace, order_id, after, limit),
        )

    def events(self, partition: int, position: int, limit: int = 1_000) -> list[Row]:
        """A partition's events from ``position`` on, in log order."""
        return self.query(
            "SELECT * FROM audit_trail WHERE partition = ? AND position >= ? ORDER BY position LIMIT ?",
            (partition, position, limit),
        )

    def positions(self) -> dict[int, int]:
        """By partition of the journal, the position of the first event that is not in the tables yet."""
        rows = self.query("SELECT partition, next_position FROM positions WHERE log = 'journal'", ())
        return {row["partition"]: row["next_position"] for row in rows}

    def has(self, partition: int, position: int) -> bool:
        """Whether the tables have the event at this position. A client with a session token reads its own writes this
        way."""
        rows = self.query(
            "SELECT 1 AS yes FROM positions WHERE log = 'journal' AND partition = ? AND next_position > ?",
            (partition, position),
        )
        return bool(rows)


def attention_of(row: Row, at: Instant) -> list[str]:
    """The attention of an order's row at an instant, including ``late``, in the order of ``order show``."""
    words = [word for word in row["attention"].split(",") if word]
    if row["late_from"] is not None and parse_instant(row["late_from"]) < at:
        behind = [word for word in words if word in ("refund_failed", "stuck")]
        words = [*(word for word in words if word not in behind), "late", *behind]
    return words


def fold(text: str) -> str:
    """The text with ASCII letters in lower case, like ``lower`` in both databases."""
    return text.translate(_FOLDED)


_FOLDED: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_LAST: Final = "\U0010ffff"
"""Sorts after every continuation of a text."""
_BY_PO: Final = "po~"
"""Prefix of the cursor of a page sorted by PO number."""


def _is_of(row: Row, of: OrderFilter) -> bool:
    given = {"seller_id": of.seller, "buyer_id": of.buyer, "status": of.status}
    return all(value is None or row[name] == value for name, value in given.items())


def _read_po_cursor(cursor: str) -> tuple[str, str]:
    po, tilde, order_id = cursor.removeprefix(_BY_PO).rpartition("~")
    if not (cursor.startswith(_BY_PO) and tilde):
        raise BadCursor(f"{cursor[:100]!r} is not a cursor: take the one that the page before gave")
    return po, order_id


def _read_cursor(cursor: str) -> tuple[Instant, str]:
    at, tilde, order_id = cursor.partition("~")
    if not tilde:
        raise BadCursor(f"{cursor!r} is not a cursor: take the one that the page before gave")
    try:
        return parse_instant(at), order_id
    except ValueError:
        raise BadCursor(f"{cursor!r} is not a cursor: take the one that the page before gave") from None
