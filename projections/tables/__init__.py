"""The tables of the views. SQL, PostgreSQL comments and docs/tables.md are generated from these declarations.

A row is a tuple in the order of its table's columns, built by their names (``Table.row``). Cells are ``str``, ``int``
or ``None``: an ``instant`` is an int of UTC microseconds (an adapter stores it in its own way: UTC text with ``Z`` in
SQLite), a ``flag`` 0 or 1, a ``day`` an ISO date, ``json`` its text, ``minor`` an amount in minor units of the order's
currency.

The modules of this folder declare the tables by subject. This one lists all of them, and their version.
"""

from typing import Final

from projections.tables.after_delivery import CASES, DISPUTES, EVIDENCE, RETURNS
from projections.tables.bookkeeping import DEAD_LETTERS, POSITIONS
from projections.tables.canceling import CANCELLATIONS, REQUESTS
from projections.tables.history import AUDIT_TRAIL, MESSAGES, POLICIES
from projections.tables.money import CREDIT_MEMOS, FEES, OTHER_REFUNDS, PAYMENTS, REBILLS, REFUNDS
from projections.tables.notifications import NOTIFICATIONS
from projections.tables.orders import DEADLINES, ORDER_LINES, ORDERS, SHIPMENTS, TRACKING_NUMBERS
from projections.tables.shape import Cell, Column, Kind, Row, Table, Type
from projections.tables.standing import BUYER_STANDING, SELLER_DAILY

SCHEMA_VERSION: Final = 6
"""Raised with every change of a table; views of an earlier version are rebuilt from the log."""

TABLES: Final = (
    ORDERS,
    ORDER_LINES,
    FEES,
    PAYMENTS,
    REQUESTS,
    REFUNDS,
    OTHER_REFUNDS,
    REBILLS,
    CREDIT_MEMOS,
    SHIPMENTS,
    TRACKING_NUMBERS,
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
"""All tables that projections write."""

BOOKKEEPING: Final = (DEAD_LETTERS, POSITIONS)
"""The tables that the projector itself writes."""

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
    "FEES",
    "MESSAGES",
    "NOTIFICATIONS",
    "ORDERS",
    "ORDER_LINES",
    "OTHER_REFUNDS",
    "PAYMENTS",
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
    "TRACKING_NUMBERS",
    "Cell",
    "Column",
    "Kind",
    "Row",
    "Table",
    "Type",
]
