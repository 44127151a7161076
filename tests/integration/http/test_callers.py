"""The interface where users and tokens plug in: an authenticator names the principal, and everything else uses the
principal."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.requests import HTTPConnection

from infra.api.problems import Problem
from infra.http.authenticator import Principal, is_local_name, is_loopback
from infra.server.server import create
from tests.integration.http.client import HERE, Http, placing

TOKENS = {
    "buyer": Principal("buyer", "b-7"),
    "stranger": Principal("buyer", "b-8"),
    "seller": Principal("seller", "s-3"),
    "system": Principal("system", "checkout"),
    "support": Principal("support", "agent-4"),
}


class Tokens:
    """A doorkeeper as a later one may be: by bearer token."""

    def identify(self, request: HTTPConnection, marketplace: str | None) -> Principal:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in TOKENS:
            raise Problem(401, "unauthenticated", "send a token", headers={"WWW-Authenticate": "Bearer"})
        return TOKENS[token]


class Tokened(Http):
    """A client of the same app behind the token authenticator."""

    def __init__(self, http: Http) -> None:
        self.app = http.app
        self._runner = asyncio.Runner()
        transport = httpx.ASGITransport(create(http.app, Tokens()), raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url=HERE)

    def status(self, token: str, path: str, body: dict[str, Any] | None = None, key: str = "k1") -> int:
        headers = {"authorization": f"Bearer {token}"}
        answer = self.get(path, **headers) if body is None else self.post(path, body, key, **headers)
        return answer.status_code


@pytest.fixture
def tokened(http: Http) -> Iterator[Tokened]:
    here = Tokened(http)
    yield here
    here.close()


def test_nobody_gets_in_without_a_token(http: Http, tokened: Tokened) -> None:
    order = http.place()
    for path in (order, f"{order}/history", "/v1/acme/orders", "/o/acme", f"/o{order.removeprefix('/v1')}", "/rules"):
        assert tokened.status("nobody", path) in (401, 404), path
    assert tokened.status("nobody", f"{order}/messages", {"to": "seller", "text": "Hello"}) == 401


def test_the_actor_is_whose_token_it_is(http: Http, tokened: Tokened) -> None:
    order = http.place()
    message = {"to": "seller", "text": "Hello"}
    assert tokened.status("buyer", f"{order}/messages", message) == 200
    assert http.get(f"{order}/history").json()[-1]["actor"] == {"kind": "buyer", "id": "b-7"}


def test_a_buyer_or_seller_may_name_nobody_else_and_a_system_may(http: Http, tokened: Tokened) -> None:
    order = http.place()
    message = {"to": "support", "text": "Hello", "actor": {"kind": "seller", "id": "s-3"}}
    assert tokened.status("buyer", f"{order}/messages", message) == 422
    assert tokened.status("seller", f"{order}/messages", message, "k2") == 200
    assert tokened.status("support", f"{order}/messages", {**message, "text": "Again"}, "k3") == 200


def test_a_buyers_cancellation_is_a_request_by_the_token_alone(http: Http, tokened: Tokened) -> None:
    order = http.place()
    answer = tokened.post(f"{order}/cancellations/preview", {"reason": "other"}, authorization="Bearer buyer")
    assert answer.json()["asks"] == [{"line": 1, "quantity": 10}]


def test_orders_of_others_are_404(http: Http, tokened: Tokened) -> None:
    order = http.place()
    assert tokened.status("buyer", order) == tokened.status("seller", order) == 200
    for path in (order, f"{order}/history", f"{order}/eligibility", f"/o/acme/{order.rpartition('/')[2]}", "/o/acme"):
        assert tokened.status("stranger", path) == 404, path
    assert tokened.status("stranger", f"{order}/cancellations/preview", {"reason": "other"}) == 404
    assert tokened.status("stranger", f"{order}/cancellations", {"reason": "other"}) == 404


def test_lists_show_their_own_only(http: Http, tokened: Tokened) -> None:
    for number, buyer in enumerate(("b-7", "b-8")):
        written = http.post("/v1/mine/orders", placing(f"mine-{number}", buyer_id=buyer), "k1")
    http.get("/v1/mine/orders", rescind_position=written.headers["rescind-position"])
    headers = {"authorization": "Bearer buyer"}
    found = tokened.get("/v1/mine/orders", **headers).json()["orders"]
    assert [order["order_id"] for order in found] == ["mine-0"]
    assert tokened.get("/v1/mine/orders?buyer=b-8", **headers).status_code == 404
    assert len(tokened.get("/v1/mine/orders", authorization="Bearer seller").json()["orders"]) == 2


def test_addresses_of_this_machine_are_recognized() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.8.9.1", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.7", "rescind.example", "")))
    assert all(map(is_local_name, ("127.0.0.1", "localhost:80", "[::1]", "[::1]:8080", "127.0.0.2:8080", "LOCALHOST")))
    strangers = ("", "localhost.example", "::1", "127.0.0.1.example", "10.0.0.7", "[::]", "127.0.0.1:80x", "[::1", "0")
    assert not any(map(is_local_name, strangers))
