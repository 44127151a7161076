"""Twice the lines of an order take at most twice the work: each step of an order's life is taken at two sizes, and the
executed lines of code are counted, in every thread. Seconds are not measured."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.http.client import BUYER, SELLER, SUPPORT, SYSTEM, Http, placing, served
from tests.steps import Counting, Steps, counting, too_many

SIZE = 250
"""Lines of the smaller order."""
FIRST = 10_001
"""The number of the first line: all numbers are as long as each other."""


class Shop:
    """An app whose steps are counted."""

    def __init__(self, http: Http, counter: Counting) -> None:
        self.http = http
        self.counter = counter
        self.idle = self.steps(lambda: None)

    def steps(self, act: Callable[[], object]) -> Steps:
        """The steps of a request, and of what follows from it in the engine and the views."""

        def whole() -> None:
            act()
            self._settle()

        self._settle()
        return self.counter.of(whole)

    def _settle(self) -> None:
        self.http.app.ask(lambda engine: None)
        assert self.http.app.views is not None
        assert self.http.app.views.catch_up(60)


class Life:
    """The life of one order of so many lines; ``steps`` has what each request took, by its name."""

    def __init__(self, shop: Shop, name: str, size: int, **fields: Any) -> None:
        self.shop = shop
        self.order_id = f"{name}-{size}"
        self.path = f"/v1/acme/orders/{self.order_id}"
        self.steps: dict[str, Steps] = {}
        self.numbers = range(FIRST, FIRST + size)
        lines = [{"line": n, "sku": "A", "quantity": 3, "unit_price": "1.00"} for n in self.numbers]
        self._take("place", "/v1/acme/orders", {**placing(self.order_id), "lines": lines, **fields})

    @property
    def one_of_each(self) -> list[dict[str, int]]:
        return [{"line": n, "quantity": 1} for n in self.numbers]

    def post(self, path: str, actor: dict[str, str], **body: Any) -> dict[str, Any]:
        """A write; people confirm what its preview showed."""
        fields = {"actor": actor, **body}
        name = f"{path} {len(self.steps)}"
        if path in ("cancellations", "shipments") and actor in (BUYER, SELLER):
            fields["confirmation"] = self._take(f"{name} preview", f"{self.path}/{path}/preview", fields)[
                "confirmation"
            ]
            assert fields["confirmation"] is not None, name
        return self._take(name, f"{self.path}/{path}", fields)

    def look(self) -> None:
        """Every read of the order."""
        for path in ("", "/history", "/eligibility", "/receipt", "?as_of=2099-01-01T00:00:00Z"):
            self.get(f"{self.path}{path}")
        for path in ("", "/receipt"):
            self.get(f"/o/acme/{self.order_id}{path}")

    def get(self, path: str) -> None:
        name = f"GET {path.replace(self.order_id, 'ID')} {len(self.steps)}"
        self._counted(name, lambda: self.shop.http.get(path))

    def _take(self, name: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self._counted(name, lambda: self.shop.http.post(path, body, f"k{len(self.steps)}"))
        document: dict[str, Any] = answer.json()
        return document

    def _counted(self, name: str, ask: Callable[[], httpx.Response]) -> httpx.Response:
        answers: list[httpx.Response] = []
        self.steps[name] = self.shop.steps(lambda: answers.append(ask()))
        assert answers[0].is_success, (name, answers[0].text[:1000])
        return answers[0]


def canceled_and_shipped(life: Life) -> None:
    """A request for half of the lines, a cancellation of others, a notice of units of the rest, and its void."""
    half = len(life.numbers) // 2
    requested, own = list(life.numbers[:half]), list(life.numbers[half : half + half // 2])
    life.look()
    life.post("cancellations", BUYER, request_id="r1", reason="ordered_by_mistake", lines=requested)
    life.look()
    life.post("cancellations", SELLER, reason="out_of_stock", lines=own)
    life.post("shipments", SELLER, shipment_id="asn-1", lines=life.one_of_each[half + half // 2 :])
    life.look()
    life.get("/v1/acme/sellers/s-3/dashboard")
    life.post("shipments/asn-1/void", SUPPORT, note="a mistake")
    life.look()


def refunded(life: Life) -> None:
    """Everything ships and arrives; a case over a unit of every line, decided, and a return of the others."""
    life.post("shipments", SYSTEM, shipment_id="asn-1")
    life.post("tracking", SYSTEM, shipment_id="asn-1", carrier="UPS", tracking_number="1Z999")
    life.post("deliveries", SYSTEM, shipment_id="asn-1")
    life.look()
    life.post("cases", BUYER, case_id="k1", reason="not_as_described", lines=life.one_of_each)
    photo = {"sha256": "0" * 64, "media_type": "image/png", "size": 1, "origin": "own_photo"}
    life.post("evidence", BUYER, about="k1", kind="photo", evidence_id="e1", **photo)
    life.get(f"{life.path}/cases/k1")
    life.get(f"/d/acme/{life.order_id}/k1")
    life.post("cases/k1/decide", SUPPORT, outcome="return", rule="case-reasons")
    life.post("returns/k1/receive", SELLER, condition="sellable")
    life.look()


def disputed(life: Life) -> None:
    """A request is declined and disputed, and granted after all."""
    life.post("cancellations", BUYER, request_id="r1", reason="changed_mind", lines=life.one_of_each)
    life.post("cancellations/r1/decline", SELLER)
    life.post("disputes", BUYER, dispute_id="d1", about="r1")
    life.get(f"{life.path}/disputes/d1")
    life.get(f"/d/acme/{life.order_id}/d1")
    life.post("disputes/d1/decide", SUPPORT, outcome="grant", rule="seller-has-final-say")
    life.look()


def rebilled(life: Life) -> None:
    """Everything is canceled but ships anyway; it is billed again, and returned."""
    both = {"accepts_item": True, "accepts_rebilling": True}
    life.post("cancellations", SUPPORT, reason="out_of_stock", rule="seller-has-final-say")
    life.post("shipped-after-cancel", SELLER, lines=list(life.numbers), carrier="UPS", tracking_number="1Z999")
    life.post("shipped-after-cancel/notify", SELLER, text="It left with UPS, number 1Z999; you would be billed again.")
    life.post("shipped-after-cancel/acknowledge", BUYER, **both)
    life.post("shipped-after-cancel/rebill", SUPPORT)
    life.post("shipped-after-cancel/rebills/rebill-1/confirm", SYSTEM)
    life.post("shipped-after-cancel/credit-memo", SUPPORT, memo_id="m1", rebill_id="rebill-1")
    life.look()


LIVES: dict[str, tuple[str, Callable[[Life], None]]] = {
    "canceled": ("seller-portal", canceled_and_shipped),
    "refunded": ("peer-to-peer", refunded),
    "disputed": ("mutual-consent", disputed),
    "rebilled": ("seller-portal", rebilled),
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    directory: Path = tmp_path_factory.mktemp("store")
    with counting() as counter, served(directory) as http:
        yield Shop(http, counter)


@pytest.mark.parametrize("name", LIVES)
def test_twice_the_lines_take_twice_the_steps(shop: Shop, name: str) -> None:
    policy, lead = LIVES[name]
    lives = [Life(shop, name, size, policy=policy) for size in (SIZE, 2 * SIZE)]
    for life in lives:
        lead(life)
    once, twice = (life.steps for life in lives)
    assert list(once) == list(twice)
    found = {step: too_many(once[step], twice[step], SIZE, shop.idle) for step in once}
    assert not {step: code for step, code in found.items() if code}
