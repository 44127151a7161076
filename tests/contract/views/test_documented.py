"""docs/tables.md says what is really in the database: every table, every column, what may be empty, the key."""

import re
from pathlib import Path

from infra.views.base import DatabaseViews
from tests.contract.views.places import Place

PAGE = Path(__file__).parents[3] / "docs" / "tables.md"


def documented() -> dict[str, list[tuple[str, str, bool, bool]]]:
    """Table → its columns: name, type as it is called there, whether it may be empty, whether it is in the key."""
    tables: dict[str, list[tuple[str, str, bool, bool]]] = {}
    name = ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if heading := re.fullmatch(r"###? ([a-z_]+)", line):
            name = heading[1]
            tables[name] = []
        elif column := re.fullmatch(r"\| (\*\*)?`(\w+)`(?:\*\*)? \| ([\w ]+?)(, or empty)? \| \S.* \|", line):
            tables[name].append((column[2], column[3], column[4] is not None, column[1] is not None))
    return tables


def test_the_page_of_tables_matches_the_database(place: Place, views: DatabaseViews) -> None:
    meant = {
        table: [(name, place.types[type], empty, key) for name, type, empty, key in columns]
        for table, columns in documented().items()
    }
    assert meant == place.described()


def test_the_tables_of_the_contract_have_their_columns() -> None:
    """Other programs read these columns (docs/tables.md)."""
    contract = {
        "orders": "marketplace order_id status total_minor",
        "order_lines": "marketplace order_id line sku ordered open shipped canceled auto_canceled",
        "refunds": "marketplace order_id refund_id currency amount_minor status due_at",
        "payments": (
            "marketplace order_id payment_id method state authorized_minor captured_minor refunded_minor currency "
            "paid_at"
        ),
        "fees": "marketplace order_id fee_id title amount_minor tax_minor refundable",
        "other_refunds": "marketplace order_id other_refund_id refund_id payment_id amount_minor covers at",
        "cancellations": "marketplace order_id seller_id cause line quantity canceled_at",
        "audit_trail": "marketplace order_id partition position event",
        "seller_daily": (
            "marketplace seller_id day orders_placed lines_placed lines_canceled_by_request lines_canceled_by_seller "
            "lines_auto_canceled refund_minor"
        ),
    }
    known = documented()
    for table, columns in contract.items():
        assert set(columns.split()) <= {column for column, *_ in known[table]}
