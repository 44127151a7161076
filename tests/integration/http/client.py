"""A client for tests: a real app on a store of its own behind the real ASGI application, without a network."""

import asyncio
import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from infra.app import App, open_app
from infra.server.server import create
from infra.settings import load_settings
from tests.presets import pinned

HERE = "http://127.0.0.1"
SYSTEM = {"kind": "system", "id": "checkout"}
SUPPORT = {"kind": "support", "id": "agent-4"}
BUYER = {"kind": "buyer", "id": "b-7"}
SELLER = {"kind": "seller", "id": "s-3"}

_numbers = itertools.count(1001)


class Http:
    """Requests to one app, one after the other or (``together``) at once."""

    def __init__(self, app: App) -> None:
        self.app = app
        self._runner = asyncio.Runner()
        self.asgi = create(app)
        transport = httpx.ASGITransport(self.asgi, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url=HERE)

    def close(self) -> None:
        self._runner.run(self._client.aclose())
        self._runner.close()

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self._runner.run(self._client.get(path, headers=_named(headers)))

    def post(self, path: str, body: Any, key: str | None = None, **headers: str) -> httpx.Response:
        return self._runner.run(self.posting(path, body, key, **headers))

    async def posting(self, path: str, body: Any, key: str | None = None, **headers: str) -> httpx.Response:
        named = _named(headers)
        if key is not None:
            named["Idempotency-Key"] = key
        return await self._client.post(path, json=body, headers=named)

    def raw(self, path: str, content: bytes, key: str = "raw", media_type: str = "application/json") -> httpx.Response:
        headers = {"Idempotency-Key": key, "Content-Type": media_type}
        return self._runner.run(self._client.post(path, content=content, headers=headers))

    def send(
        self, method: str, path: str, headers: list[tuple[str, str]] | list[tuple[bytes, bytes]], content: bytes = b""
    ) -> httpx.Response:
        """A request as it is: any method, headers in this order, none added."""
        return self._runner.run(self._client.request(method, path, headers=headers, content=content or None))

    def sent(self, request: httpx.Request) -> httpx.Response:
        """The answer to a request that was built elsewhere."""
        return self._runner.run(self._client.send(request))

    @property
    def client(self) -> httpx.AsyncClient:
        """The client for requests that run next to others (``together``)."""
        return self._client

    def together(self, *requests: Any) -> list[Any]:
        async def all_of_them() -> list[Any]:
            return list(await asyncio.gather(*requests))

        return self._runner.run(all_of_them())

    def confirmed(self, path: str, body: dict[str, Any], key: str | None = None) -> httpx.Response:
        """A person's own call: what its preview shows is confirmed."""
        shown = self.post(f"{path}/preview", body)
        assert shown.status_code == 200, shown.text
        confirmation = shown.json()["confirmation"]
        return self.post(path, body if confirmation is None else {**body, "confirmation": confirmation}, key)

    # ---- what most tests begin with -------------------------------------------------------------------------------

    def place(self, *, policy: str = "seller-portal", quantity: int = 10, **fields: Any) -> str:
        """An order of one line is placed; the path of it."""
        order_id = f"PO-{next(_numbers)}"
        answer = self.post("/v1/acme/orders", placing(order_id, policy=policy, quantity=quantity, **fields), "place")
        assert answer.status_code == 201, answer.text
        return f"/v1/acme/orders/{order_id}"


def placing(order_id: str, *, policy: str = "seller-portal", quantity: int = 10, **fields: Any) -> dict[str, Any]:
    """The body that places an order of one line."""
    return {
        "order_id": order_id,
        "actor": SYSTEM,
        "buyer_id": "b-7",
        "seller_id": "s-3",
        "currency": "USD",
        "policy": pinned(policy),
        "lines": [{"line": 1, "sku": "A-1", "title": "Lamp", "quantity": quantity, "unit_price": "10.00"}],
        **fields,
    }


def notice(quantity: int, shipment_id: str = "asn-1", **fields: Any) -> dict[str, Any]:
    """The body of a shipping notice for units of line 1."""
    return {"actor": SELLER, "shipment_id": shipment_id, "lines": [{"line": 1, "quantity": quantity}], **fields}


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def _filled(app: App) -> None:
    """Wait until the views have what the log had at the start: until then lists answer 503."""
    until, waiting, views = time.monotonic() + 30, threading.Event(), app.views
    while views is not None and views.lacking and views.trouble is None and time.monotonic() < until:
        waiting.wait(0.005)


@contextmanager
def served(directory: Path, *, filled: bool = True, **settings: Any) -> Iterator[Http]:
    """Open an app on the store in ``directory``, for as long as the block lasts. ``filled``: wait for its views."""
    with open_app(load_settings(journal=f"sqlite:///{directory}/journal", synchronous="normal", **settings)) as app:
        if filled:
            _filled(app)
        http = Http(app)
        try:
            yield http
        finally:
            http.close()
