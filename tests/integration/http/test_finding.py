"""Finding orders over HTTP and on pages: any case of a status, what people have in hand, and marketplaces that are."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.http import listing
from infra.http.authenticator import Principal
from infra.http.listing import unknown_marketplace
from tests.integration.http.client import SUPPORT, SYSTEM, Http, placing, served
from tests.integration.http.test_pages import words


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Http]:
    """A marketplace that orders name, and one that only the settings name."""
    with served(tmp_path_factory.mktemp("finding"), marketplaces={"garden": {"timezone": "UTC"}}) as http:
        for name, fields in (
            ("A-1", {"po_number": "PO-4711"}),
            ("A-2", {"po_number": "po-4712", "seller_id": "s-4"}),
            ("A-3", {"po_number": "PO-47110", "lines": [line("Lamp-Red")]}),
        ):
            body = {**placing(name, policy="seller-portal"), **fields}
            assert http.post("/v1/acme/orders", body, name).status_code == 201
        sent = {"actor": SYSTEM, "shipment_id": "asn-1", "carrier": "UPS", "tracking_number": "1Z999AA1"}
        assert http.post("/v1/acme/orders/A-2/shipments", sent, "ship").status_code == 200
        scanned = {"actor": SYSTEM, "carrier": "UPS", "tracking_number": "1Z999AA3"}
        assert http.post("/v1/acme/orders/A-3/tracking", scanned, "scan").status_code == 200
        assert http.app.views is not None
        assert http.app.views.catch_up(30)
        yield http


def line(sku: str) -> dict[str, Any]:
    return {"line": 1, "sku": sku, "quantity": 1, "unit_price": "10.00"}


def found(http: Http, query: str) -> list[str]:
    answer = http.get(f"/v1/acme/orders?{query}")
    assert answer.status_code == 200, answer.text
    return [order["order_id"] for order in answer.json()["orders"]]


# ---- status ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["open", "OPEN", "Open"])
def test_a_status_is_known_in_any_case(shop: Http, status: str) -> None:
    assert found(shop, f"status={status}") == ["A-3", "A-1"]
    assert 'aria-current="true">To ship 2</a>' in shop.get(f"/o/acme?status={status}").text


@pytest.mark.parametrize("path", ["/v1/acme/orders", "/o/acme"])
def test_a_status_that_there_is_not_is_named_with_those_there_are(shop: Http, path: str) -> None:
    answer = shop.get(f"{path}?status=opne")
    assert answer.status_code == 400
    assert "open, unpaid" in answer.text.replace("&#39;", "'") or "cancel_requested" in answer.text


# ---- search ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("po=PO-4711", ["A-1"]),
        ("po=po-4711", ["A-1"]),
        ("po=po-471", ["A-1", "A-3", "A-2"]),
        ("po=po-471&seller=s-4", ["A-2"]),
        ("po=4711", []),
        ("q=a-", ["A-1", "A-2", "A-3"]),
        ("q=PO-4711", ["A-1"]),
        ("q=1z999aa1", ["A-2"]),
        ("q=1z999aa3", ["A-3"]),
        ("q=ASN-1", ["A-2"]),
        ("q=LAMP-RED", ["A-3"]),
        ("q=lamp-red&status=shipped", []),
        ("q=%20A-1%20", ["A-1"]),
        ("q=", []),
        ("q=nothing", []),
        (f"q={'a' * 300}", []),
    ],
)
def test_the_numbers_that_people_have_find_orders(shop: Http, query: str, expected: list[str]) -> None:
    assert found(shop, query) == expected


@pytest.mark.parametrize(
    ("q", "orders"), [("po-471", ["A-1", "A-2", "A-3"]), ("1Z999AA3", ["A-3"]), ("lamp-red", ["A-3"]), ("s-4", ["A-2"])]
)
def test_the_search_of_the_page_finds_the_same_orders(shop: Http, q: str, orders: list[str]) -> None:
    text = shop.get(f"/o/acme?q={q}").text
    assert [name for name in ("A-1", "A-2", "A-3") if f'href="/o/acme/{name}"' in text] == orders


def test_the_beginnings_of_a_number_are_paged(shop: Http) -> None:
    path, seen = "/v1/acme/orders?po=po-471&limit=1", list[str]()
    for _ in range(5):
        page = shop.get(path)
        seen += [order["order_id"] for order in page.json()["orders"]]
        if page.json()["next"] is None:
            break
        path = page.headers["link"].partition(">")[0].removeprefix("<")
    assert seen == ["A-1", "A-3", "A-2"]


def test_a_search_that_finds_more_than_a_page_reports_that_more_orders_match(
    shop: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.web.list_page.PAGE", 2)
    assert "More orders match." in words(shop.get("/o/acme?q=a-").text)
    assert "More orders match." not in words(shop.get("/o/acme?q=lamp-red").text)


def test_a_search_cannot_be_combined_with_other_filters(shop: Http) -> None:
    for other in ("po=PO-1", "after=x"):
        assert shop.get(f"/v1/acme/orders?q=a&{other}").status_code == 400


# ---- marketplaces ----------------------------------------------------------------------------------------------------

READS = [
    "/v1/{}/orders",
    "/v1/{}/orders?seller=s-3&status=open",
    "/v1/{}/orders/A-1",
    "/v1/{}/orders/A-1/history",
    "/v1/{}/orders/A-1/receipt",
    "/v1/{}/sellers/s-3/dashboard",
]
PAGES = ["/o/{}", "/o/{}?q=A-1", "/o/{}/A-1", "/o/{}/A-1/receipt", "/d/{}/A-1/d1"]


@pytest.mark.parametrize("path", READS)
def test_a_read_of_an_unknown_marketplace_is_404_with_the_nearest_name(shop: Http, path: str) -> None:
    answer = shop.get(path.format("acne"))
    assert (answer.status_code, answer.json().get("rule")) == (404, "no-such-marketplace"), answer.text
    assert answer.json()["nearest"] == "acme"
    assert "Did you mean acme?" in answer.json()["detail"]
    assert "nearest" not in shop.get(path.format("zzzzzzzz")).json()


@pytest.mark.parametrize("path", PAGES)
def test_a_page_of_an_unknown_marketplace_names_the_nearest(shop: Http, path: str) -> None:
    answer = shop.get(path.format("Gardens"))
    assert answer.status_code == 404
    assert "Did you mean garden?" in words(answer.text)


@pytest.mark.parametrize("marketplace", ["acme", "garden"])
def test_a_marketplace_that_orders_or_settings_name_is_known(shop: Http, marketplace: str) -> None:
    answer = shop.get(f"/v1/{marketplace}/orders?buyer=nobody")
    assert (answer.status_code, answer.json()["orders"]) == (200, [])
    assert shop.get(f"/o/{marketplace}?q=nothing").status_code == 200
    assert shop.get(f"/v1/{marketplace}/sellers/s-9/dashboard").json()["rule"] == "no-such-seller"
    assert shop.get(f"/v1/{marketplace}/orders/never").json()["rule"] == "no-such-order"


def test_a_section_that_holds_for_all_names_no_marketplace(tmp_path: Path) -> None:
    with served(tmp_path, marketplaces={"default": {"timezone": "UTC"}}) as http:
        http.place()
        assert http.get("/v1/defaults/orders").json().get("nearest") != "default"
        assert http.get("/v1/default/orders").status_code == 404


def test_in_a_store_without_an_order_every_list_is_empty(tmp_path: Path) -> None:
    with served(tmp_path) as http:
        assert http.get("/v1/anything/orders").json()["orders"] == []
        assert http.get("/o/anything").status_code == 200
        assert http.get("/v1/anything/orders/A-1").json()["rule"] == "no-such-order"


@pytest.mark.parametrize("kind", ["buyer", "seller", "support", "system"])
def test_a_caller_bound_to_a_marketplace_learns_no_other_name(kind: str) -> None:
    problem = unknown_marketplace("acne", ["acme"], Principal(kind, "someone"))
    assert problem.status == 404
    assert "acme" not in str(problem.body())


def test_an_order_that_was_just_placed_names_its_marketplace(shop: Http) -> None:
    """The list is requested without a token, and the views may not have the order yet."""
    for number in range(5):
        name = f"new-{number}"
        assert shop.post(f"/v1/{name}/orders", placing("N-1"), "k1").status_code == 201
        answer = shop.get(f"/v1/{name}/orders")
        assert answer.status_code == 200, answer.text


def test_while_the_views_do_not_advance_nothing_is_called_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "TIMEOUT", 0.05)
    with served(tmp_path) as http:
        http.place()
        views = http.app.views
        assert views is not None
        assert views.catch_up(30)
        with monkeypatch.context() as still:
            full = property(lambda _: "the disk is full", lambda *_: None)
            still.setattr(type(views), "trouble", full, raising=False)
            answer = http.get("/v1/acne/orders")
            assert (answer.status_code, answer.json()["rule"]) == (503, "views-behind")
            assert http.get("/o/acne").status_code == 503
        with monkeypatch.context() as behind:
            behind.setattr(type(views), "positions", {0: 0})
            assert http.get("/v1/acne/orders").status_code == 503
        assert http.get("/v1/acne/orders").status_code == 404


def test_support_of_an_unknown_order_reads_no_sections(shop: Http) -> None:
    """A write makes a marketplace, so it is never refused for its name."""
    body = {**placing("S-1"), "actor": SUPPORT}
    assert shop.post("/v1/brand-new/orders", body, "k1").status_code == 201
