"""The tables that people look at: every column with its meaning, once. Schemas, SQL and docs/tables.md follow.

A row is a tuple in the order of its table's columns, built by their names (``Table.row``). Cells are ``str``, ``int``
or ``None``: an ``instant`` is an int of UTC microseconds (an adapter stores it in its own way: UTC text with ``Z`` in
SQLite), a ``flag`` 0 or 1, a ``day`` an ISO date, ``json`` its text, ``minor`` an amount in minor units of the order's
currency.

The tables are declared by subject in the modules of this folder; here stands which there are, and in which version.
"""

from typing import Final

from projections.tables.after_delivery import CASES, DISPUTES, EVIDENCE, RETURNS
from projections.tables.bookkeeping import DEAD_LETTERS, POSITIONS
from projections.tables.canceling import CANCELLATIONS, REQUESTS
from projections.tables.history import AUDIT_TRAIL, MESSAGES, POLICIES
from projections.tables.money import CREDIT_MEMOS, REBILLS, REFUNDS
from projections.tables.orders import DEADLINES, ORDER_LINES, ORDERS, SHIPMENTS
from projections.tables.shape import Cell, Column, Kind, Row, Table, Type
from projections.tables.standing import BUYER_STANDING, SELLER_DAILY
from projections.tables.telling import NOTIFICATIONS

SCHEMA_VERSION: Final = 6
"""Raised with every change of a table; views of an earlier version are rebuilt from the log."""

TABLES: Final = (
    ORDERS,
    ORDER_LINES,
    REQUESTS,
    REFUNDS,
    REBILLS,
    CREDIT_MEMOS,
    SHIPMENTS,
    RETURNS,
    CASES,
    DISPUTES,
    EVIDENCE,
    DEADLINES,
    CANCELLATIONS,
    MESSAGES,
    NOTIFICATIONS,
    SELLER_DAILY,
    BUYER_STANDING,
    AUDIT_TRAIL,
    POLICIES,
)
"""Everything that projections write."""

BOOKKEEPING: Final = (DEAD_LETTERS, POSITIONS)
"""What the projector itself writes."""

__all__ = [
    "AUDIT_TRAIL",
    "BOOKKEEPING",
    "BUYER_STANDING",
    "CANCELLATIONS",
    "CASES",
    "CREDIT_MEMOS",
    "DEADLINES",
    "DEAD_LETTERS",
    "DISPUTES",
    "EVIDENCE",
    "MESSAGES",
    "NOTIFICATIONS",
    "ORDERS",
    "ORDER_LINES",
    "POLICIES",
    "POSITIONS",
    "REBILLS",
    "REFUNDS",
    "REQUESTS",
    "RETURNS",
    "SCHEMA_VERSION",
    "SELLER_DAILY",
    "SHIPMENTS",
    "TABLES",
    "Cell",
    "Column",
    "Kind",
    "Row",
    "Table",
    "Type",
]
