"""While a page of a big order is made, other requests are answered: what takes long is not done on the event loop."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from infra.api import answers
from infra.http import case_files, reads, receipts
from infra.http.worker_threads import AT_ONCE
from infra.web import pages
from tests.integration.http.client import BUYER, SYSTEM, Http, placing

LINES = 300
TIMEOUT = 60


class Held:
    """Replaces a function: its caller waits until it is released."""

    def __init__(self, whole: Callable[..., Any]) -> None:
        self._whole = whole
        self.entered = threading.Event()
        self.released = threading.Event()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.entered.set()
        assert self.released.wait(TIMEOUT), "nobody let it go: what should have, waits for it"
        return self._whole(*args, **kwargs)


@pytest.fixture(scope="module")
def big(http: Http) -> str:
    """A delivered order of many lines with a case."""
    lines = [{"line": n, "sku": "A", "quantity": 1, "unit_price": "1.00"} for n in range(1, LINES + 1)]
    body = {**placing("big", policy="peer-to-peer"), "lines": lines}
    order = "/v1/acme/orders/big"
    case = {"actor": BUYER, "reason": "wrong_item", "lines": [1], "case_id": "k1"}
    for path, fields in (("/shipments", {"shipment_id": "asn-1"}), ("/deliveries", {}), ("/cases", case)):
        if path == "/shipments":
            assert http.post("/v1/acme/orders", body, "place").status_code == 201
        assert http.post(f"{order}{path}", {"actor": SYSTEM, **fields}, path[1:]).is_success
    return order


def answered_during(http: Http, held: Held, *requests: Any) -> httpx.Response:
    """The answer to the first request, which is held until others have been answered."""

    async def others() -> list[int]:
        assert await asyncio.to_thread(held.entered.wait, TIMEOUT)
        statuses = [(await http.client.get(path)).status_code for path in ("/healthz", "/readyz", "/v1/acme/orders")]
        held.released.set()
        return statuses

    answer, *_, statuses = http.together(*requests, others())
    assert statuses == [200, 200, 200]
    found: httpx.Response = answer
    return found


@pytest.mark.parametrize("path", ["/o/acme/big", "/o/acme/big/receipt", "/d/acme/big/k1"])
def test_a_page_that_takes_long_holds_up_nobody(
    http: Http, big: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(pages._css_path)
    monkeypatch.setattr(pages, "_css_path", held)
    assert answered_during(http, held, http.client.get(path)).status_code == 200


def test_more_long_pages_than_threads_hold_up_nobody(http: Http, big: str, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(pages._css_path)
    monkeypatch.setattr(pages, "_css_path", held)
    requests = [http.client.get("/o/acme/big") for _ in range(8 * AT_ONCE)]
    assert answered_during(http, held, *requests).status_code == 200


@pytest.mark.parametrize(
    ("path", "where", "name"),
    [
        ("", answers, "_encode"),
        ("/history", answers, "_encode"),
        ("/receipt", receipts, "receipt_of"),
        ("/cases/k1", case_files, "case_file"),
        ("/eligibility", reads, "eligibility"),
    ],
)
def test_a_long_answer_holds_up_nobody(
    http: Http, big: str, path: str, where: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(getattr(where, name))
    monkeypatch.setattr(where, name, held)

    async def others() -> int:
        assert await asyncio.to_thread(held.entered.wait, TIMEOUT)
        statuses = (await http.client.get("/rules")).status_code
        held.released.set()
        return statuses

    answer, status = http.together(http.client.get(f"{big}{path}"), others())
    assert (answer.status_code, status) == (200, 200)
