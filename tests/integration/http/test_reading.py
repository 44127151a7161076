"""Reads over HTTP: an order now and then, its history, what may be done, lists, session tokens, health, OpenAPI."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from consumers.ports.journal import JournalUnavailable
from consumers.ports.local_state import LocalStateUnavailable
from consumers.ports.notifications import DeliveryStoreUnavailable
from consumers.ports.vault import VaultUnavailable
from consumers.ports.views import ViewsUnavailable
from infra.http import listing, reads
from tests.integration.http.client import BUYER, SUPPORT, SYSTEM, Http, notice, placing


@pytest.fixture
def shipped(http: Http) -> str:
    """An order of ten of which a notice shipped three."""
    order = http.place()
    assert http.post(f"{order}/shipments", {**notice(3), "actor": SYSTEM}, "k1").status_code == 200
    return order


def test_an_order_is_answered_with_its_version_as_etag(http: Http, shipped: str) -> None:
    answer = http.get(shipped)
    document = answer.json()
    assert answer.headers["etag"] == f'"{document["version"]}"'
    assert document["money"] == {
        "total_minor": 10000,
        "paid_minor": 10000,
        "refund_due_minor": 7000,
        "refunded_minor": 0,
        "other_refunds_minor": 0,
        "kept_minor": 3000,
    }
    assert answer.headers["cache-control"] == "no-store"


def test_an_order_as_of_an_instant_is_what_it_was_then(http: Http, shipped: str) -> None:
    placed_at = http.get(shipped).json()["placed_at"]
    then = http.get(f"{shipped}?as_of={placed_at}").json()
    assert (then["version"], then["lines"][0]["open"], then["at"]) == (2, 10, placed_at)
    history = http.get(f"{shipped}/history?as_of={placed_at}").json()
    assert [event["event"] for event in history] == ["OrderPlaced", "PaymentReceived"]


def test_before_it_was_placed_there_was_no_order(http: Http, shipped: str) -> None:
    page = "/o/" + shipped.removeprefix("/v1/").replace("/orders/", "/")
    for path in (
        shipped,
        f"{shipped}/history",
        f"{shipped}/eligibility",
        f"{shipped}/receipt",
        page,
        f"{page}/receipt",
    ):
        assert http.get(f"{path}?as_of=2020-01-01T00:00:00Z").status_code == 404, path


@pytest.mark.parametrize("text", ["yesterday", "2026-03-02", "2026-03-02T10:00:00"])
def test_an_instant_that_is_none_is_400(http: Http, shipped: str, text: str) -> None:
    assert http.get(f"{shipped}?as_of={text}").status_code == 400


@pytest.mark.parametrize(
    ("below", "key"),
    [
        ("?asof=2026-03-02T10:00:00Z", "asof"),
        ("?AS_OF=2026-03-02T10:00:00Z", "AS_OF"),
        ("/history?until=2026-03-02T10:00:00Z", "until"),
        ("/eligibility?at=2026-03-02T10:00:00Z", "at"),
        ("/receipt?asof=2026-03-02T10:00:00Z", "asof"),
        ("?as_of=2026-03-02T10:00:00Z&as_of=2099-03-02T10:00:00Z", "as_of"),
        ("?as_of=&asof", "asof"),
    ],
)
def test_an_unknown_or_repeated_query_parameter_is_400_and_named(
    http: Http, shipped: str, below: str, key: str
) -> None:
    answer = http.get(shipped + below)
    assert (answer.status_code, answer.json()["rule"]) == (400, "query")
    assert key in answer.json()["detail"]


def test_lists_writes_and_pages_look_at_the_keys_of_their_query_too(http: Http, shipped: str) -> None:
    page = "/o/" + shipped.removeprefix("/v1/").replace("/orders/", "/")
    for path in ("/v1/acme/orders?sellers=s-3", "/v1/acme/orders?po=a&po=b", "/v1/acme/sellers/s-3/dashboard?days=7"):
        assert (http.get(path).status_code, http.get(path).json()["rule"]) == (400, "query")
    assert http.post(f"{shipped}/payments?as_of=now", {"actor": SYSTEM, "amount": "1"}, "k").status_code == 400
    assert http.get(f"{page}?as_of=2099-01-01T00:00:00Z&as_of=2098-01-01T00:00:00Z").status_code == 400
    assert http.get(f"{page}?from=mail").status_code == 200, "a page is still one where somebody adds to its address"


def test_an_instant_with_an_offset_may_have_its_plus_unescaped(http: Http, shipped: str) -> None:
    assert http.get(f"{shipped}?as_of=2999-03-02T10:00:00+01:00").status_code == 200
    assert http.get(f"{shipped}?as_of={quote('2999-03-02T10:00:00+01:00')}").status_code == 200


def test_the_history_has_every_event_with_its_position(http: Http, shipped: str) -> None:
    verdicts = http.get(f"{shipped}/history").json()
    assert [event["version"] for event in verdicts] == [1, 2, 3, 4, 5]
    assert verdicts[3]["event"] == "AutoCanceled"
    assert verdicts[3]["data"] == {"line": 1, "quantity": 7, "shipment_id": "asn-1"}
    assert set(verdicts[0]) == {
        "partition", "position", "ordinal", "version", "event", "occurred_at", "recorded_at", "actor", "commit", "data",
    }  # fmt: skip


def test_eligibility_lists_each_action_and_when_the_answer_changes(http: Http) -> None:
    order = http.place(policy="peer-to-peer")
    verdicts = {verdict["action"]: verdict for verdict in http.get(f"{order}/eligibility").json()}
    assert set(verdicts) == {"cancel", "ship", "return", "open_case", "open_dispute"}
    cancel = verdicts["cancel"]
    assert (cancel["allowed"], cancel["rule"]) == (True, "grace-window")
    later = http.get(f"{order}/eligibility?as_of={cancel['next_change_at']}").json()[0]
    assert (later["outcome"], later["rule"]) == ("ask_seller", "seller-has-final-say")


def test_an_unknown_order_is_404_for_every_read(http: Http) -> None:
    for path in ("", "/history", "/eligibility"):
        answer = http.get(f"/v1/acme/orders/never{path}")
        assert (answer.status_code, answer.json()["rule"]) == (404, "no-such-order")


# ---- lists ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def listed(http: Http) -> Http:
    """A marketplace of five orders, of two sellers and buyers; two share a PO number, one is cancelled."""
    token = None
    for number in range(5):
        body = placing(f"L-{number}", seller_id=f"s-{number % 2}", buyer_id=f"b-{number % 2}")
        if number >= 3:
            body["po_number"] = "4711"
        token = http.post("/v1/lists/orders", body, "k1").headers["rescind-position"]
    canceled = http.post("/v1/lists/orders/L-0/cancellations", {"actor": SYSTEM, "reason": "other"}, "k2")
    token = canceled.headers["rescind-position"]
    assert "stale" not in http.get("/v1/lists/orders", rescind_position=token).json()
    return http


def ids(answer: Any) -> list[str]:
    return [order["order_id"] for order in answer.json()["orders"]]


def test_orders_are_listed_newest_first(listed: Http) -> None:
    assert ids(listed.get("/v1/lists/orders")) == ["L-4", "L-3", "L-2", "L-1", "L-0"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("po=4711", ["L-4", "L-3"]),
        ("po=L-2", ["L-2"]),
        ("seller=s-0", ["L-4", "L-2", "L-0"]),
        ("buyer=b-1", ["L-3", "L-1"]),
        ("status=canceled", ["L-0"]),
        ("seller=s-0&status=open", ["L-4", "L-2"]),
        ("po=4711&seller=s-1", ["L-3"]),
        ("seller=nobody", []),
    ],
)
def test_orders_are_found_by_po_seller_buyer_and_status(listed: Http, query: str, found: list[str]) -> None:
    assert ids(listed.get(f"/v1/lists/orders?{query}")) == found


def test_a_list_goes_on_where_its_page_ended(listed: Http) -> None:
    found, path = [], "/v1/lists/orders?seller=s-0&limit=2"
    while path:
        answer = listed.get(path)
        found.append(ids(answer))
        path = answer.links["next"]["url"] if "next" in answer.links else ""
    assert found == [["L-4", "L-2"], ["L-0"]]


@pytest.mark.parametrize("query", ["status=gone", "limit=0", "limit=201", "limit=x", "after=nonsense"])
def test_a_list_with_an_invalid_query_is_400(listed: Http, query: str) -> None:
    assert listed.get(f"/v1/lists/orders?{query}").status_code == 400


def test_a_row_of_a_list_agrees_with_the_order(listed: Http) -> None:
    row = listed.get("/v1/lists/orders?status=canceled").json()["orders"][0]
    order = listed.get("/v1/lists/orders/L-0").json()
    for name in ("order_id", "po_number", "seller_id", "buyer_id", "status", "version", "placed_at", "currency"):
        assert row[name] == order[name]
    assert (row["canceled"], row["open"], row["refund_due_minor"]) == (10, 0, 10000)


# ---- session tokens -------------------------------------------------------------------------------------------------


def test_a_reader_reads_its_own_writes_in_lists_too(http: Http) -> None:
    for number in range(20):
        written = http.post("/v1/own/orders", placing(f"own-{number}"), "k1")
        answer = http.get("/v1/own/orders?limit=1", rescind_position=written.headers["rescind-position"])
        assert ids(answer) == [f"own-{number}"]
        assert "rescind-stale" not in answer.headers


def test_an_answer_behind_the_callers_position_is_marked_stale(
    http: Http, shipped: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reads, "TIMEOUT", 0.01)
    monkeypatch.setattr(listing, "TIMEOUT", 0.01)
    ahead = {"rescind_position": "0:999999"}
    answer = http.get(shipped, **ahead)
    assert (answer.json()["stale"], answer.headers["rescind-stale"]) == (True, "true")
    assert http.get("/v1/acme/orders", **ahead).json()["stale"] is True
    assert http.get(f"{shipped}/history", **ahead).headers["rescind-stale"] == "true"
    assert http.get(shipped, rescind_position="7:0").json()["stale"] is True


def test_a_token_that_is_none_is_400(http: Http, shipped: str) -> None:
    for token in ("17", "0:x", "0:1;1:2", "-1:4"):
        assert http.get(shipped, rescind_position=token).status_code == 400


# ---- the server itself ----------------------------------------------------------------------------------------------


def test_it_is_alive_and_ready(http: Http) -> None:
    assert http.get("/healthz").json() == {"status": "ok"}
    assert http.get("/readyz").json() == {"status": "ready"}


def test_an_engine_that_has_ended_is_neither(http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(http.app), "broken", RuntimeError("planted"))
    assert http.get("/healthz").status_code == http.get("/readyz").status_code == 503


def test_a_log_that_is_not_read_to_its_end_is_not_ready(http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(http.app.engine), "caught_up", False)
    answer = http.get("/readyz")
    assert (answer.status_code, answer.json()["rule"]) == (503, "not-caught-up")


@pytest.mark.parametrize(
    ("away", "rule"),
    [
        (JournalUnavailable("the brokers are gone"), "journal-unavailable"),
        (LocalStateUnavailable("the disk is full"), "local-state-unavailable"),
        (ViewsUnavailable("the database is gone"), "views-unavailable"),
        (VaultUnavailable("the vault is gone"), "vault"),
        (DeliveryStoreUnavailable("the file is gone"), "book-unavailable"),
    ],
)
def test_a_read_while_any_part_is_unavailable_is_503_with_the_reason(
    http: Http, shipped: str, monkeypatch: pytest.MonkeyPatch, away: Exception, rule: str
) -> None:
    def fails(*_: object) -> None:
        raise away

    monkeypatch.setattr(type(http.app.engine.orders), "get", fails)
    monkeypatch.setattr(type(http.app.engine), "caught_up", property(fails))
    answer = http.get(shipped)
    assert (answer.status_code, answer.json()["rule"]) == (503, rule)
    assert answer.json()["detail"] == str(away)
    assert int(answer.headers["retry-after"]) >= 1
    page = http.get(f"/o/acme/{shipped.rpartition('/')[2]}")
    assert (page.status_code, str(away) in page.text) == (503, True)
    assert http.get("/readyz").status_code == 503


def test_only_this_machine_is_answered_while_there_are_no_users(http: Http) -> None:
    for host in ("rescind.example", "127.0.0.1.rescind.example", "10.0.0.7:8080", ""):
        assert http.get("/v1/acme/orders/x", host=host).status_code == 421
    for host in ("localhost:8080", "127.0.0.1:1", "[::1]:8080", "LOCALHOST"):
        assert http.get("/v1/acme/orders/x", host=host).status_code == 404


def test_every_answer_carries_the_security_headers(http: Http) -> None:
    for path in ("/v1/acme/orders/x", "/healthz", "/o/acme", "/static/icon.svg"):
        headers = http.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]


def test_openapi_describes_every_path_and_every_reference_leads_somewhere(http: Http) -> None:
    document = http.get("/openapi.json").json()
    order = "/v1/{marketplace}/orders/{order_id}"
    for path in (
        "/v1/{marketplace}/orders",
        *(
            order + below
            for below in (
                "",
                "/history",
                "/eligibility",
                "/cancellations/preview",
                "/cancellations",
                "/cancellations/{request_id}/approve",
                "/cancellations/{request_id}/decline",
                "/cancellations/{request_id}/withdraw",
                "/shipments/preview",
                "/shipments",
                "/tracking",
                "/payments",
                "/refunds",
                "/messages",
                "/contacts",
                "/returns",
                "/commands",
            )
        ),
        "/healthz",
        "/readyz",
    ):
        assert path in document["paths"], path
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(references(document)) <= known
    ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids))
    for path, operations in document["paths"].items():
        for method, operation in operations.items() if path.startswith("/v1/") else ():
            assert {"400", *(() if method == "get" else ("403",))} <= operation["responses"].keys(), (method, path)
    placed = document["components"]["schemas"]["PlaceOrderBody"]
    assert "marketplace" not in placed["properties"]
    assert {"order_id", "lines", "actor"} <= set(placed["required"])
    assert "command_id" not in placed["required"]
    assert "o/{marketplace}" not in json.dumps(list(document["paths"]))


def references(part: Any) -> list[str]:
    if isinstance(part, list):
        return [found for each in part for found in references(each)]
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [found for each in part.values() for found in references(each)]
    return []


def test_support_and_buyers_see_equal_refusals_in_the_history(http: Http) -> None:
    order = http.place()
    http.post(f"{order}/refunds", {"actor": SUPPORT, "amount": "100.01"}, "k1")
    last = http.get(f"{order}/history").json()[-1]
    assert (last["event"], last["actor"], last["data"]["verdict"]["rule"]) == (
        "CommandRefused",
        SUPPORT,
        "more-than-paid",
    )
    assert http.get(order).json()["buyer_id"] == BUYER["id"]
