"""The Olist history: the mapping of docs/how-to/import.md, branch by branch on made-up files, and the real folder."""

import csv
import json
import os
import pathlib
import sqlite3
from contextlib import closing
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from domain.instants import to_datetime
from infra.importing.items import NotThere
from infra.importing.olist import ITEMS, ORDERS, PAYMENTS, ZONE, open_olist
from tests.integration.cli.driving import Store

ROOT = pathlib.Path(__file__).resolve().parents[3]
SHARED = pathlib.Path(os.environ.get("RESCIND_SHARED") or "../shared")
REAL = (SHARED if SHARED.is_absolute() else ROOT / SHARED).resolve() / "data" / "olist"

ORDER = {
    "order_id": "o1",
    "customer_id": "c1",
    "order_status": "delivered",
    "order_purchase_timestamp": "2018-01-10 10:00:00",
    "order_approved_at": "2018-01-10 11:00:00",
    "order_delivered_carrier_date": "2018-01-12 09:00:00",
    "order_delivered_customer_date": "2018-01-15 18:30:00",
    "order_estimated_delivery_date": "2018-02-01 00:00:00",
}
ITEM = {
    "order_id": "o1",
    "order_item_id": "1",
    "product_id": "p1",
    "seller_id": "s1",
    "shipping_limit_date": "2018-01-14 11:00:00",
    "price": "99.9",
    "freight_value": "7.65",
}
PAYMENT = {"order_id": "o1", "payment_type": "boleto", "payment_value": "107.55"}

Rows = list[dict[str, str]]


def folder(place: pathlib.Path, orders: Rows, items: Rows, payments: Rows) -> pathlib.Path:
    for name, rows, example in ((ORDERS, orders, ORDER), (ITEMS, items, ITEM), (PAYMENTS, payments, PAYMENT)):
        with (place / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(example))
            writer.writeheader()
            writer.writerows(rows)
    return place


def made(place: pathlib.Path, orders: Rows, items: Rows | None = None, policy: str | None = None) -> list[Any]:
    """The commands made of these orders, or the errors."""
    source = open_olist(str(folder(place, orders, [ITEM] if items is None else items, [PAYMENT])), policy)
    return [item.error if item.command is None else item.command for item in source.items()]


def times_of(commands: list[Any]) -> list[tuple[str, str]]:
    """(command, at) in local time of day."""
    return [(c.command, to_datetime(c.at).astimezone(ZoneInfo(ZONE)).strftime("%d %H:%M:%S")) for c in commands]


def test_a_delivered_order_is_placed_paid_tracked_shipped_and_delivered(tmp_path: pathlib.Path) -> None:
    commands = made(tmp_path, [ORDER])
    assert times_of(commands) == [
        ("PlaceOrder", "10 10:00:00"),
        ("ConfirmPayment", "10 11:00:00"),
        ("StartTracking", "12 09:00:00"),
        ("Ship", "12 09:00:00"),
        ("Deliver", "15 18:30:00"),
    ]
    placing, paying, tracking, shipping, _ = commands
    assert (placing.marketplace, placing.order_id, placing.checkout_id) == ("olist", "o1", "o1")
    assert (placing.buyer_id, placing.seller_id, placing.policy, placing.currency) == (
        "c1",
        "s1",
        "seller-portal",
        "BRL",
    )
    assert (placing.paid, placing.timezone, placing.shipping) == (False, "America/Sao_Paulo", "7.65")
    assert [(x.line, x.sku, x.quantity, x.unit_price) for x in placing.lines] == [(1, "p1", 1, "99.9")]
    assert placing.model_dump()["ship_by"] == 1515934800 * 10**6, "14 January 11:00 in Sao Paulo, then two hours behind"
    assert paying.amount == "107.55"
    assert (tracking.carrier, tracking.tracking_number) == ("olist", "o1")
    assert (shipping.shipment_id, shipping.carrier, shipping.tracking_number) == ("olist-1", "olist", "o1")
    assert [(c.actor.kind, c.actor.id) for c in commands] == [
        ("system", "olist"),
        ("system", "olist"),
        ("seller", "s1"),
        ("seller", "s1"),
        ("seller", "s1"),
    ]


def test_each_seller_has_an_order_of_its_own_numbered_by_first_item(tmp_path: pathlib.Path) -> None:
    items = [
        ITEM | {"order_item_id": "3", "seller_id": "s1", "price": "1.00", "freight_value": "0.50"},
        ITEM | {"order_item_id": "2", "seller_id": "s1", "shipping_limit_date": "2018-01-20 00:00:00"},
        ITEM | {"order_item_id": "1", "seller_id": "s2", "price": "5.00", "freight_value": "0.00"},
    ]
    placings = [c for c in made(tmp_path, [ORDER], items) if c.command == "PlaceOrder"]
    assert [(p.order_id, p.seller_id, p.checkout_id) for p in placings] == [("o1.1", "s2", "o1"), ("o1.2", "s1", "o1")]
    assert [x.line for x in placings[1].lines] == [2, 3]
    assert placings[1].shipping == "8.15"
    assert placings[1].ship_by == 1516413600 * 10**6, "the latest limit of the two"


def test_a_canceled_order_is_imported_as_a_request_and_an_approval_a_second_apart(tmp_path: pathlib.Path) -> None:
    order = ORDER | {
        "order_status": "canceled",
        "order_delivered_carrier_date": "",
        "order_delivered_customer_date": "",
    }
    commands = made(tmp_path, [order])
    assert times_of(commands)[2:] == [("RequestCancel", "10 11:00:01"), ("ApproveCancel", "10 11:00:02")]
    admin_client, approving = commands[2:]
    assert (admin_client.reason, admin_client.lines, admin_client.actor.kind, admin_client.actor.id) == (
        "other",
        None,
        "buyer",
        "c1",
    )
    assert (approving.request_id, approving.actor.kind) == (admin_client.request_id, "seller")


def test_a_canceled_order_that_was_never_approved_counts_from_its_purchase(tmp_path: pathlib.Path) -> None:
    order = ORDER | dict.fromkeys(
        ("order_approved_at", "order_delivered_carrier_date", "order_delivered_customer_date"), ""
    )
    assert times_of(made(tmp_path, [order | {"order_status": "canceled"}]))[1:] == [
        ("RequestCancel", "10 10:00:01"),
        ("ApproveCancel", "10 10:00:02"),
    ]


def test_a_canceled_order_that_shipped_is_requested_before_delivery_and_not_approved(
    tmp_path: pathlib.Path,
) -> None:
    assert times_of(made(tmp_path, [ORDER | {"order_status": "canceled"}]))[2:] == [
        ("StartTracking", "12 09:00:00"),
        ("Ship", "12 09:00:00"),
        ("RequestCancel", "12 09:00:01"),
        ("Deliver", "15 18:30:00"),
    ]


def test_an_unavailable_order_is_cancelled_by_its_seller(tmp_path: pathlib.Path) -> None:
    order = ORDER | {
        "order_status": "unavailable",
        "order_delivered_carrier_date": "",
        "order_delivered_customer_date": "",
    }
    commands = made(tmp_path, [order])
    assert times_of(commands)[2:] == [("CancelLines", "10 11:00:01")]
    assert (commands[2].reason, commands[2].lines, commands[2].actor.kind) == ("out_of_stock", None, "seller")


@pytest.mark.parametrize("status", ["shipped", "invoiced", "processing", "created", "approved", "delivered"])
def test_a_missing_date_makes_no_command_whatever_the_status(tmp_path: pathlib.Path, status: str) -> None:
    order = ORDER | {"order_status": status, "order_approved_at": "", "order_delivered_carrier_date": ""}
    assert [c.command for c in made(tmp_path, [order])] == ["PlaceOrder", "Deliver"]


def test_a_fact_older_than_the_previous_one_has_its_own_time_as_the_time_it_occurred(tmp_path: pathlib.Path) -> None:
    order = ORDER | {
        "order_delivered_carrier_date": "2018-01-10 10:30:00",
        "order_delivered_customer_date": "2018-01-09 00:00:00",
    }
    commands = made(tmp_path, [order])
    assert {c.at for c in commands[1:]} == {commands[1].at}
    hour = 3_600 * 10**6
    assert [c.at - c.occurred_at for c in commands[2:]] == [hour // 2, hour // 2, 35 * hour]
    assert commands[1].occurred_at is None, "the payment is not late"


def test_an_ambiguous_local_time_is_the_first_of_the_two_and_a_missing_one_the_first_after_it(
    tmp_path: pathlib.Path,
) -> None:
    twice = ORDER | {"order_purchase_timestamp": "2018-02-17 23:30:00", "order_approved_at": ""}
    never = ORDER | {"order_purchase_timestamp": "2017-10-15 00:30:00", "order_approved_at": ""}
    assert made(tmp_path, [twice])[0].at == 1518917400 * 10**6, "01:30 UTC, still summer time"
    assert made(tmp_path, [never])[0].at == 1508036400 * 10**6, "03:00 UTC, when the clock shows 01:00"


def test_an_order_without_items_is_bad_by_its_id(tmp_path: pathlib.Path) -> None:
    found = made(tmp_path, [ORDER | {"order_id": "empty"}, ORDER])
    assert "order empty has no items" in found[0]
    assert len(found) == 6


@pytest.mark.parametrize(
    ("order", "item", "word"),
    [
        ({"order_purchase_timestamp": ""}, {}, "order_purchase_timestamp is missing"),
        ({"order_approved_at": "yesterday"}, {}, "order_approved_at is not a time"),
        ({}, {"price": "cheap"}, "price is not an amount"),
        ({}, {"price": "NaN"}, "price is not an amount"),
        ({}, {"price": "1e999999999999"}, "price is not an amount"),
        ({}, {"price": "１０"}, "price is not an amount"),
        ({}, {"order_item_id": "first"}, "order_item_id is not a whole number"),
        ({}, {"order_item_id": "1" * 5_000}, "order_item_id is not a whole number"),
    ],
)
def test_dirt_costs_the_order_that_it_belongs_to_and_no_other(
    tmp_path: pathlib.Path, order: dict[str, str], item: dict[str, str], word: str
) -> None:
    good = ORDER | {"order_id": "good"}
    found = made(tmp_path, [ORDER | order, good], [ITEM | item, ITEM | {"order_id": "good"}])
    assert f"order o1: {word}" in found[0]
    assert len(found) == 6


def test_items_of_an_unknown_order_are_reported(tmp_path: pathlib.Path) -> None:
    found = made(tmp_path, [ORDER], [ITEM, ITEM | {"order_id": "lost"}])
    assert "order lost has items" in found[-1]


def test_payments_that_differ_from_the_total_are_reported(store: Store) -> None:
    place = store.place / "olist"
    place.mkdir()
    second = [ORDER | {"order_id": "o2"}, ITEM | {"order_id": "o2"}, PAYMENT | {"order_id": "o2", "payment_value": "1"}]
    folder(place, [ORDER, second[0]], [ITEM, second[1]], [PAYMENT, second[2]])
    totals = store.rescind("import", "--format", "olist", place, "--json").json
    assert totals["payments_differ"] == {"count": 1, "orders": [{"order_id": "o2", "total": "107.55", "paid": "1"}]}
    assert "1 order was paid differently" in store.rescind("import", "--format", "olist", place).out


def test_a_folder_that_is_not_olists_is_named(tmp_path: pathlib.Path, store: Store) -> None:
    assert ORDERS in store.rescind("import", "--format", "olist", tmp_path, check=2).err
    folder(tmp_path, [ORDER], [ITEM], [PAYMENT])
    (tmp_path / ITEMS).write_text("order_id,price\no1,1\n", encoding="utf-8")
    with pytest.raises(NotThere, match="no column order_item_id"):
        list(open_olist(str(tmp_path), None).items())


def test_the_policy_of_the_orders_may_be_another(store: Store) -> None:
    place = store.place / "olist"
    place.mkdir()
    folder(place, [ORDER], [ITEM], [PAYMENT])
    store.rescind("import", "--format", "olist", place, "--policy", "big-box")
    assert store.show("olist/o1")["policy"]["id"] == "big-box"
    repeated = store.rescind("import", "--format", "olist", place, "--json", check=1).json
    assert "command-id-reused" in repeated["bad_lines"][0]["error"], "the same orders under another policy are others"


@pytest.fixture(scope="module")
def real() -> pathlib.Path:
    if not (REAL / ORDERS).is_file():
        reason = f"the Olist folder is missing: {REAL}; RESCIND_SHARED names the folder that has data/olist"
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return REAL


@pytest.mark.slow
@pytest.mark.xdist_group("cases")
def test_the_real_folder_is_accounted_for_order_by_order(store: Store, real: pathlib.Path) -> None:
    report = store.place / "report.jsonl"
    totals = store.rescind("import", "--format", "olist", real, "--report", report, "--json", check=1).json

    assert totals["read"] == totals["accepted"] + sum(totals["refused"].values()) + totals["bad"] == 34_583
    assert (totals["bad"], totals["duplicate"], totals["refused"]) == (775, 0, {"shipped-lock": 75})
    bad = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
    named = {b["error"].split()[1] for b in bad if b["outcome"] == "bad"}
    assert len(named) == 775, "one each, by id"
    assert totals["payments_differ"]["count"] == 42

    with closing(sqlite3.connect(store.views)) as database:
        (placed,) = database.execute("SELECT count(*) FROM orders").fetchone()
        wrong = database.execute(
            "SELECT order_id FROM orders WHERE paid_minor <> kept_minor + refund_due_minor + refunded_minor"
        ).fetchall()
        by_status = dict(database.execute("SELECT status, count(*) FROM orders GROUP BY status"))
    assert placed == 7_433
    assert wrong == [], "money adds up on every order"
    assert by_status["canceled"] == 393

    repeated = store.rescind("import", "--format", "olist", real, "--json", check=1).json
    assert (repeated["accepted"], repeated["duplicate"], repeated["bad"]) == (0, 33_808, 775)
    assert store.rescind("replay", "--check", "--json").json["clean"]
