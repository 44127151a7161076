"""GET /sellers/{id}/dashboard, and the same on the command line: the rate of the table is that of the log."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from domain.instants import format_instant
from infra.documents.seller_dashboard import from_log
from infra.http.authenticator import Principal
from infra.settings import load_settings
from infra.store.reader import open_reader
from tests.integration.http.client import BUYER, SELLER, SUPPORT, Http, notice, served

LINES = [{"line": n, "sku": f"A-{n}", "quantity": 4, "unit_price": "10.00"} for n in (1, 2, 3)]


def dashboard(http: Http, seller: str = "s-3", **headers: str) -> dict[str, Any]:
    answer = http.get(f"/v1/acme/sellers/{seller}/dashboard", **headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def done(http: Http, path: str, body: dict[str, Any], key: str) -> dict[str, str]:
    """A write by support or system, and the session token that reads it."""
    answer = http.post(path, body, key)
    assert answer.status_code == 200, answer.text
    return {"Rescind_Position": answer.headers["rescind-position"]}


@pytest.fixture
def shop(tmp_path: Path) -> Any:
    with served(tmp_path) as http:
        yield http


def test_the_dashboard_counts_only_what_is_attributed_to_the_seller(shop: Http) -> None:
    order = shop.place(policy="everything-store", lines=LINES)
    other = shop.place(policy="seller-portal", lines=LINES)
    shop.place(policy="everything-store", lines=LINES)
    seller, support = {"actor": {"kind": "system", "id": "x"}}, {"actor": SUPPORT}
    done(shop, f"{order}/commands", {"command": "RequestCancel", "request_id": "r1", "reason": "other",
                                     "lines": [1], **seller}, "k1")  # fmt: skip
    done(shop, f"{order}/commands", {"command": "CancelLines", "lines": [2], "reason": "pricing_error",
                                     "rule": "standing", **support}, "k2")  # fmt: skip
    done(shop, f"{order}/commands", {"command": "CancelLines", "lines": [3], "reason": "suspected_fraud",
                                     "rule": "standing", **support}, "k3")  # fmt: skip
    token = done(shop, f"{other}/shipments", {**notice(3), "actor": {"kind": "system", "id": "x"}}, "k4")

    answer = dashboard(shop, **token)

    assert answer["counts"] == {
        "orders_placed": 3,
        "lines_placed": 9,
        "lines_canceled_by_request": 1,
        "lines_canceled_by_seller": 1,
        "lines_canceled_by_marketplace": 1,
        "lines_auto_canceled": 1,
        "refund_minor": 13000,
    }
    assert answer["rate"] == round(float(Fraction(2, 9)), 6)
    assert (answer["limit"], answer["within_limit"]) == (0.025, False)
    assert answer["window"]["length"] == "7 days"
    assert answer["policy"]["id"] == "everything-store"
    assert sum(answer["orders"].values()) == 3


def test_a_sellers_refunds_are_summed_by_currency_and_no_order_counts_twice(shop: Http, tmp_path: Path) -> None:
    cancel = {"command": "CancelLines", "reason": "pricing_error", "rule": "standing", "actor": SUPPORT}
    for currency, price in (("USD", "2.50"), ("JPY", "1500")):
        order = shop.place(currency=currency, lines=[{"line": 1, "sku": "A-1", "quantity": 1, "unit_price": price}])
        token = done(shop, f"{order}/commands", cancel, f"k-{currency}")

    answer = dashboard(shop, **token)

    assert answer["refunds"] == [
        {"currency": "JPY", "currency_exponent": 0, "amount_minor": 1500},
        {"currency": "USD", "currency_exponent": 2, "amount_minor": 250},
    ]
    counts = answer["counts"]
    assert (counts["orders_placed"], counts["lines_placed"], counts["lines_canceled_by_seller"]) == (2, 2, 2)
    assert len(answer["days"]) == 1
    with open_reader(load_settings(journal=f"sqlite:///{tmp_path}/journal")) as reader:
        folded = from_log(reader, "acme", "s-3", shop.app.clock())
    assert folded is not None
    assert {**folded, "as_of": None} == {**answer, "as_of": None}


def test_the_command_line_folds_the_log_to_an_identical_answer(shop: Http, tmp_path: Path) -> None:
    for number in range(4):
        order = shop.place(policy="everything-store" if number else "seller-portal", lines=LINES)
        body = {"command": "CancelLines", "lines": [1], "reason": "out_of_stock", "rule": "standing", "actor": SUPPORT}
        token = done(shop, f"{order}/commands", body, "k1")
    answer = dashboard(shop, **token)
    settings = load_settings(journal=f"sqlite:///{tmp_path}/journal")
    with open_reader(settings) as reader:
        now = shop.app.clock()
        folded = from_log(reader, "acme", "s-3", now)
        assert from_log(reader, "acme", "nobody", now) is None
    assert folded is not None
    assert {**folded, "as_of": None} == {**answer, "as_of": None}
    assert answer["as_of"] <= format_instant(now)


def test_a_seller_without_a_limit_has_a_rate_and_is_within_it(shop: Http) -> None:
    shop.place(policy="peer-to-peer")
    token = done(shop, f"{shop.place(policy='peer-to-peer')}/commands", {"command": "CancelLines",
                 "reason": "out_of_stock", "rule": "standing", "actor": SUPPORT}, "k1")  # fmt: skip
    answer = dashboard(shop, **token)
    assert (answer["rate"], answer["limit"], answer["within_limit"]) == (0.5, None, True)


def test_a_seller_that_is_not_there_is_404(shop: Http) -> None:
    assert shop.get("/v1/acme/sellers/nobody/dashboard").status_code == 404


@pytest.mark.parametrize(
    ("principal", "status"),
    [(SELLER, 200), ({"kind": "seller", "id": "s-4"}, 404), (BUYER, 404), (SUPPORT, 200)],
)
def test_a_dashboard_is_the_sellers_own_and_supports(
    shop: Http, principal: dict[str, str], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = shop.place()
    token = done(shop, f"{order}/shipments", {**notice(3), "actor": {"kind": "system", "id": "x"}}, "k")
    monkeypatch.setattr("infra.http.authenticator._TRUSTED", Principal(principal["kind"], principal["id"]))
    assert shop.get("/v1/acme/sellers/s-3/dashboard", **token).status_code == status
