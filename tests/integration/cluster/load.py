"""Clients that place, ship and cancel through whichever process they like, under the same keys until there is an
answer; and what must be true of everything that was answered (oracles O1 and O2)."""

import itertools
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx

from tests.integration.cluster.serving import Serving
from tests.integration.http.client import SUPPORT, SYSTEM, placing

LONGEST = 120.0
"""Seconds in which each command must have its answer, whichever process is killed."""
QUANTITY = 5

Step = tuple[str, str, dict[str, Any]]
"""Key, path below the order (empty: the placing itself) and body."""


def steps(order: str) -> list[Step]:
    """The commands of each order: placed, two of five shipped and three canceled by that, then refused once."""
    notice = {"actor": SYSTEM, "shipment_id": "asn-1", "lines": [{"line": 1, "quantity": 2}]}
    cancel = {"actor": SUPPORT, "reason": "out_of_stock", "rule": "seller-has-final-say", "lines": [1]}
    text = {"actor": SYSTEM, "message_id": "m1", "to": "buyer", "text": f"What becomes of {order}?"}
    return [
        ("place", "", placing(order, quantity=QUANTITY)),
        ("say", "/messages", text),
        ("ship", "/shipments", notice),
        ("cancel", "/cancellations", cancel),
    ]


EVENTS = [
    "OrderPlaced", "PaymentReceived", "MessageSent", "LinePartiallyShipped", "AutoCanceled", "RefundDue",
    "CommandRefused",
]  # fmt: skip
"""The events in the history of each order, in this order, once."""


class Load:
    """Some clients at work, until ``stop``."""

    def __init__(self, alive: Callable[[], list[Serving]], clients: int = 3) -> None:
        self.answers: dict[tuple[str, str], httpx.Response] = {}
        """By order and key, the first final answer."""
        self.requested = 0
        self.turned_away = 0
        self.slowest = 0.0
        self._alive = alive
        self._numbers = itertools.count()
        self._stopping = threading.Event()
        self._wrong: list[BaseException] = []
        self._threads = [threading.Thread(target=self._work, args=(n,), daemon=True) for n in range(clients)]
        for thread in self._threads:
            thread.start()

    @property
    def orders(self) -> list[str]:
        return sorted({order for order, _ in self.answers})

    def stop(self) -> None:
        """End after the orders that are under way."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(2 * LONGEST)
            assert not thread.is_alive()
        if self._wrong:
            raise self._wrong[0]

    def _work(self, number: int) -> None:
        rng = random.Random(number)
        try:
            with httpx.Client(timeout=30, trust_env=False) as client:
                while not self._stopping.is_set():
                    order = f"L-{next(self._numbers)}"
                    for key, path, body in steps(order):
                        self.answers[order, key] = self._answer(client, rng, order, key, path, body)
        except BaseException as wrong:  # noqa: BLE001 - raised where somebody waits
            self._wrong.append(wrong)

    def _answer(
        self, client: httpx.Client, rng: random.Random, order: str, key: str, path: str, body: Any
    ) -> httpx.Response:
        """Send a command to any process, until there is a final answer."""
        began = time.monotonic()
        while True:
            assert time.monotonic() - began < LONGEST, f"nobody answered {order} {key}"
            where = rng.choice(self._alive()).url
            url = f"{where}/v1/load/orders" + (f"/{order}{path}" if path else "")
            self.requested += 1
            try:
                answer = client.post(url, json=body, headers={"Idempotency-Key": key})
            except httpx.TransportError:
                self.turned_away += 1
                continue
            if answer.status_code not in (503, 500) and answer.json().get("rule") != "in-flight":
                self.slowest = max(self.slowest, time.monotonic() - began)
                return answer
            assert answer.status_code != 500, answer.text
            self.turned_away += 1
            time.sleep(0.05)


def check(load: Load, serving: list[Serving]) -> None:
    """Nothing acknowledged is lost, nothing happened twice, and a retry at any process gets the same answer."""
    rng = random.Random(1)
    wanted = {"place": 201, "say": 200, "ship": 200, "cancel": 409}
    for (order, key), answer in load.answers.items():
        assert answer.status_code == wanted[key], (order, key, answer.text)
    for order in load.orders:
        path = f"/v1/load/orders/{order}"
        histories = [each.get(f"{path}/history") for each in serving]
        assert all(each.content == histories[0].content for each in histories)
        assert [event["event"] for event in histories[0].json()] == EVENTS, order
    for order, key in rng.sample(sorted(load.answers), min(60, len(load.answers))):
        path, body = next((path, body) for name, path, body in steps(order) if name == key)
        repeated = rng.choice(serving).post(f"/v1/load/orders{f'/{order}{path}' if path else ''}", body, key)
        first = load.answers[order, key]
        assert (repeated.status_code, repeated.content) == (first.status_code, first.content)
        assert repeated.headers["rescind-replayed"] == "true"
