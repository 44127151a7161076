"""Converts the Olist data set to commands (docs/how-to/import.md).

There is one order per source order and seller. Command ids depend on the data alone, so importing the folder twice is
the same input. Times in the files are local to America/Sao_Paulo.
"""

import csv
import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from domain.calendar import instant_of_local as instant_of
from domain.commands import parse_command
from domain.errors import BadInput
from domain.instants import SECOND, Instant, format_instant
from infra.importing.items import Item, NotThere, because, error_of

MARKETPLACE: Final = "olist"
ZONE: Final = "America/Sao_Paulo"
POLICY: Final = "seller-portal"
CURRENCY: Final = "BRL"
CARRIER: Final = "olist"
SHIPMENT: Final = "olist-1"
REQUEST: Final = "olist-cancel"
SYSTEM: Final = {"kind": "system", "id": "olist"}
_PLAIN_AMOUNT: Final = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,9})?", re.ASCII)
_PLAIN_NUMBER: Final = re.compile(r"[0-9]{1,18}", re.ASCII)

ORDERS: Final = "olist_orders_dataset.csv"
ITEMS: Final = "olist_order_items_dataset.csv"
PAYMENTS: Final = "olist_order_payments_dataset.csv"
COLUMNS: Final = {
    ORDERS: (
        "order_id",
        "customer_id",
        "order_status",
        "order_purchase_timestamp",
        "order_approved_at",
        "order_delivered_carrier_date",
        "order_delivered_customer_date",
    ),
    ITEMS: ("order_id", "order_item_id", "product_id", "seller_id", "shipping_limit_date", "price", "freight_value"),
    PAYMENTS: ("order_id", "payment_value"),
}

Row = dict[str, str]
Body = dict[str, Any]


class BadRow(ValueError):
    """A row cannot be read, so its order cannot be placed."""


@dataclass(slots=True)
class Difference:
    """A source order whose payments differ from the total of its sellers' orders."""

    order_id: str
    total: Decimal
    paid: Decimal


@dataclass(slots=True)
class OlistFolder:
    """The Olist folder; its three files (orders, items, payments) are read with its items."""

    folder: Path
    policy: str
    sha256: bytes
    size: int
    differences: list[Difference] = field(default_factory=list)
    """Filled in while the items are read."""
    _done: int = 0

    @property
    def done(self) -> int:
        return self._done

    def items(self) -> Iterator[Item]:
        lines: dict[str, list[Row]] = defaultdict(list)
        for _, row in _rows(self.folder / ITEMS):
            lines[row["order_id"]].append(row)
        paid: dict[str, Decimal] = defaultdict(Decimal)
        for number, row in _rows(self.folder / PAYMENTS):
            try:
                paid[row["order_id"]] += _amount(row, "payment_value")
            except BadRow as wrong:
                raise NotThere(
                    f"{self.folder / PAYMENTS}, line {number}: {wrong}; correct it and import the folder again"
                ) from None
        rows = list(_rows(self.folder / ORDERS))
        known = {row["order_id"] for _, row in rows}
        for index, (number, row) in enumerate(rows, 1):
            self._done = self.size * index // len(rows)
            items = lines.get(row["order_id"])
            if not items:
                yield Item(number, None, f"order {row['order_id']} has no items and cannot be placed")
                continue
            try:
                bodies = commands_of(row, items, self.policy)
                self._compare(row["order_id"], items, paid)
            except BadRow as wrong:
                yield Item(number, None, f"order {row['order_id']}: {wrong}")
                continue
            for body in bodies:
                yield _item(number, body)
        for order_id in lines.keys() - known:
            yield Item(len(rows) + 2, None, f"order {order_id} has items, but is not in {ORDERS}")

    def close(self) -> None:
        """Do nothing; no file stays open."""

    def _compare(self, order_id: str, items: list[Row], paid: dict[str, Decimal]) -> None:
        total = sum((_amount(item, "price") + _amount(item, "freight_value") for item in items), Decimal())
        if paid[order_id] != total:
            self.differences.append(Difference(order_id, total, paid[order_id]))


def open_olist(name: str, policy: str | None) -> OlistFolder:
    """Open the Olist folder of this name; NotThere names a missing file."""
    folder = Path(name)
    policy = policy or POLICY
    digest = hashlib.sha256(f"olist\0{policy}".encode())
    size = 0
    for file in COLUMNS:
        try:
            content = (folder / file).read_bytes()
        except OSError as wrong:
            raise because(wrong, folder / file) from None
        digest.update(hashlib.sha256(content).digest())
        size += len(content)
    return OlistFolder(folder, policy, digest.digest(), size)


# ---- one source order ------------------------------------------------------------------------------------------------


def commands_of(row: Row, items: list[Row], policy: str) -> list[Body]:
    """Return all commands of one source order, seller by seller."""
    items = sorted(items, key=lambda item: _number(item, "order_item_id"))
    by_seller: dict[str, list[Row]] = {}
    for item in items:
        by_seller.setdefault(item["seller_id"], []).append(item)
    found: list[Body] = []
    for number, (seller, theirs) in enumerate(by_seller.items(), 1):
        order_id = row["order_id"] if len(by_seller) == 1 else f"{row['order_id']}.{number}"
        found += _SellersOrder(row, order_id, seller, theirs, policy).commands()
    return found


class _SellersOrder:
    """One seller's part of a source order."""

    def __init__(self, row: Row, order_id: str, seller: str, items: list[Row], policy: str) -> None:
        self.row = row
        self.order_id = order_id
        self.items = items
        self.policy = policy
        self.seller = {"kind": "seller", "id": seller}
        self.buyer = {"kind": "buyer", "id": row["customer_id"]}
        self.at: Instant = 0
        self.made: list[Body] = []

    def commands(self) -> list[Body]:
        placed = _when(self.row, "order_purchase_timestamp")
        if placed is None:
            raise BadRow("order_purchase_timestamp is missing")
        self._fact(self._placing(), placed, dated=False)
        self._fact(
            {"command": "ConfirmPayment", "command_id": "pay", "actor": SYSTEM, "amount": str(self._total())},
            _when(self.row, "order_approved_at"),
        )
        shipped = _when(self.row, "order_delivered_carrier_date")
        parcel = {"actor": self.seller, "carrier": CARRIER, "tracking_number": self.row["order_id"]}
        self._fact({"command": "StartTracking", "command_id": "track", **parcel}, shipped)
        self._fact({"command": "Ship", "command_id": "ship", "shipment_id": SHIPMENT, **parcel}, shipped)
        self._ending(shipped is not None)
        self._fact(
            {"command": "Deliver", "command_id": "deliver", "actor": self.seller},
            _when(self.row, "order_delivered_customer_date"),
        )
        return self.made

    def _placing(self) -> Body:
        limits = [limit for item in self.items if (limit := _when(item, "shipping_limit_date")) is not None]
        return {
            "command": "PlaceOrder",
            "command_id": "place",
            "actor": SYSTEM,
            "checkout_id": self.row["order_id"],
            "buyer_id": self.buyer["id"],
            "seller_id": self.seller["id"],
            "currency": CURRENCY,
            "policy": self.policy,
            "timezone": ZONE,
            "paid": False,
            "shipping": str(sum((_amount(item, "freight_value") for item in self.items), Decimal())),
            **({"ship_by": format_instant(max(limits))} if limits else {}),
            "lines": [
                {
                    "line": _number(item, "order_item_id"),
                    "sku": item["product_id"],
                    "quantity": 1,
                    "unit_price": str(_amount(item, "price")),
                }
                for item in self.items
            ],
        }

    def _ending(self, shipped: bool) -> None:
        """Add the commands that end a canceled or unavailable order, a second after the last event before delivery."""
        after = self.at + SECOND
        status = self.row["order_status"]
        if status == "canceled":
            request = {"command": "RequestCancel", "command_id": "cancel", "request_id": REQUEST, "reason": "other"}
            self._fact({**request, "actor": self.buyer}, after, dated=False)
            if not shipped:
                approval = {"command": "ApproveCancel", "command_id": "approve", "request_id": REQUEST}
                self._fact({**approval, "actor": self.seller}, after + SECOND, dated=False)
        elif status == "unavailable":
            own = {"command": "CancelLines", "command_id": "cancel", "reason": "out_of_stock", "actor": self.seller}
            self._fact(own, after, dated=False)

    def _fact(self, body: Body, happened: Instant | None, *, dated: bool = True) -> None:
        """Add a command, unless it has no time. If it is older than the one before, it is recorded with that one."""
        if happened is None:
            return
        recorded = max(happened, self.at)
        self.at = recorded
        body = {**body, "marketplace": MARKETPLACE, "order_id": self.order_id, "at": format_instant(recorded)}
        if dated and happened < recorded:
            body["occurred_at"] = format_instant(happened)
        self.made.append(body)

    def _total(self) -> Decimal:
        return sum((_amount(item, "price") + _amount(item, "freight_value") for item in self.items), Decimal())


# ---- fields ----------------------------------------------------------------------------------------------------------


def _item(number: int, body: Body) -> Item:
    try:
        return Item(number, parse_command(body))
    except BadInput as wrong:
        return Item(number, None, f"order {body['order_id']}, {body['command']}: {error_of(wrong)}")


def _rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Yield rows with their line numbers; NotThere if it is not the expected file."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS[path.name] if name not in (reader.fieldnames or ())]
            if missing:
                raise NotThere(f"{path} has no column {missing[0]}; it is not the Olist file of this name")
            for row in reader:
                yield reader.line_num, {name: (row[name] or "").strip() for name in COLUMNS[path.name]}
    except OSError as wrong:
        raise because(wrong, path) from None
    except (UnicodeDecodeError, csv.Error) as wrong:
        raise NotThere(f"{path} is not a CSV file in UTF-8: {wrong}") from None


def _when(row: Row, name: str) -> Instant | None:
    """Return a local time as an instant; None if it is missing."""
    text = row[name]
    if not text:
        return None
    try:
        return instant_of(datetime.strptime(text, "%Y-%m-%d %H:%M:%S"), ZONE)  # noqa: DTZ007 - the zone comes with it
    except ValueError:
        raise BadRow(f"{name} is not a time: {text!r}") from None


def _amount(row: Row, name: str) -> Decimal:
    if _PLAIN_AMOUNT.fullmatch(row[name]) is None:
        raise BadRow(f"{name} is not an amount: {row[name][:100]!r}")
    return Decimal(row[name])


def _number(row: Row, name: str) -> int:
    if _PLAIN_NUMBER.fullmatch(row[name]) is None:
        raise BadRow(f"{name} is not a whole number: {row[name][:100]!r}")
    return int(row[name])
