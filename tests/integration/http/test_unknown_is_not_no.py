"""While a process cannot know of an order, it does not deny the order: 503, or `stale` with what is known."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from consumers.engine.engine import Engine
from consumers.log.follower import Follower
from consumers.ports.journal import JournalUnavailable
from consumers.projection.projector import Projector
from domain.policy import PolicyBook
from tests.integration.http.client import SELLER, Http, placing, served
from tests.integration.kafka.waiting import wait_until

ABOUT_THE_ORDER = (
    "/v1/acme/orders/PO-1",
    "/v1/acme/orders/PO-1/history",
    "/v1/acme/orders/PO-1/eligibility",
    "/o/acme/PO-1",
)
LISTS = (
    "/v1/acme/orders",
    "/v1/acme/orders?po=PO-1",
    "/v1/acme/sellers/s-3/dashboard",
    "/",
    "/o/acme",
    "/o/acme?q=PO-1",
)
NOWHERE = ("/v1/acme/orders/PO-404", "/v1/acme/sellers/s-404/dashboard", "/o/acme/PO-404")

PARTS = (
    "/v1/acme/orders/PO-1/disputes/d-1",
    "/v1/acme/orders/PO-1/cases/c-1",
    "/v1/acme/orders/PO-1/evidence/e-1",
    "/d/acme/PO-1/d-1",
)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with one order."""
    with served(tmp_path) as http:
        assert http.post("/v1/acme/orders", placing("PO-1"), "p").status_code == 201
    return tmp_path


def test_eligibility_under_an_unknown_policy_is_unknown(store: Path) -> None:
    """Shipping was allowed by a policy without a name, while the command got 503."""
    ships = {"actor": SELLER, "shipment_id": "s-1"}
    with served(store) as http:
        book = http.app.engine.control.policies.book
        http.app.engine.control.policies.book = PolicyBook()
        try:
            for answer in (
                http.get("/v1/acme/orders/PO-1/eligibility"),
                http.post("/v1/acme/orders/PO-1/shipments/preview", ships),
                http.post("/v1/acme/orders/PO-1/shipments", ships, "s"),
            ):
                assert (answer.status_code, answer.json()["rule"]) == (503, "policy-unknown")
                assert "which is not known here yet" in answer.json()["detail"]
            page = http.get("/o/acme/PO-1")
            assert page.status_code == 200
            assert "This server has not read the order's policy yet" in page.text
            assert "may-cancel" not in page.text
        finally:
            http.app.engine.control.policies.book = book
        assert http.get("/v1/acme/orders/PO-1/eligibility").status_code == 200
        assert "may-cancel" in http.get("/o/acme/PO-1").text


@pytest.fixture
def hold_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., threading.Event]]:
    """Has ``advance`` of these objects of a class do nothing until the event is set."""
    made: list[threading.Event] = []

    def hold(of: Any, which: Callable[[Any], bool]) -> threading.Event:
        event = threading.Event()
        made.append(event)
        really = of.advance

        def advance(self: Any, *args: Any, **named: Any) -> int:
            moved: int = really(self, *args, **named) if event.is_set() or not which(self) else 0
            return moved

        monkeypatch.setattr(of, "advance", advance)
        return event

    yield hold
    for event in made:
        event.set()


def codes(http: Http, paths: tuple[str, ...]) -> dict[str, int]:
    return {path: http.get(path).status_code for path in paths}


def all_of(code: int, paths: tuple[str, ...]) -> dict[str, int]:
    return dict.fromkeys(paths, code)


def is_complete(http: Http) -> bool:
    answer = http.get("/v1/acme/orders")
    return answer.status_code == 200 and "stale" not in answer.json()


def test_while_the_log_is_not_yet_read_no_order_is_called_missing(store: Path, hold_up: Any) -> None:
    for path in (store / "journal" / "state").glob("*/journal-*"):
        path.unlink()
    go_on = hold_up(Follower, lambda follower: isinstance(follower._listener, Engine))
    with served(store, filled=False) as http:
        assert codes(http, ABOUT_THE_ORDER + NOWHERE) == all_of(503, ABOUT_THE_ORDER + NOWHERE)
        assert "not-caught-up" in http.get("/v1/acme/orders/PO-1").text
        go_on.set()
        wait_until(lambda: http.get("/readyz").status_code == 200)
        wait_until(lambda: codes(http, ABOUT_THE_ORDER) == all_of(200, ABOUT_THE_ORDER))
        wait_until(lambda: codes(http, NOWHERE) == all_of(404, NOWHERE))


def test_before_the_log_was_read_no_order_is_called_missing(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(store) as http:
        monkeypatch.setattr(http.app.engine, "follows", lambda _: False)
        assert codes(http, ABOUT_THE_ORDER) == all_of(503, ABOUT_THE_ORDER)
        assert "not-caught-up" in http.get("/v1/acme/orders/PO-1").text
        assert "not begun to read the log" in http.get("/o/acme/PO-1").text


def test_while_views_are_rebuilt_no_empty_list_is_returned(store: Path, hold_up: Any) -> None:
    for path in store.rglob("views.sqlite*"):
        path.unlink()
    go_on = hold_up(Projector, lambda projector: projector.log == "journal")
    with served(store, filled=False) as http:
        assert codes(http, LISTS) == all_of(503, LISTS)
        assert "views-behind" in http.get("/v1/acme/orders").text
        assert codes(http, ABOUT_THE_ORDER) == all_of(200, ABOUT_THE_ORDER), "orders are read from the log"
        go_on.set()
        wait_until(lambda: is_complete(http))
        assert codes(http, LISTS[:3]) == all_of(200, LISTS[:3])
        assert http.get("/v1/acme/orders?po=PO-404").json()["orders"] == []
        assert codes(http, NOWHERE) == all_of(404, NOWHERE)


def test_in_views_that_do_not_advance_known_orders_are_stale_and_others_are_503(store: Path) -> None:
    with served(store) as http:
        wait_until(lambda: is_complete(http))
        assert http.app.views is not None
        http.app.views._stop_for_good("they were built from another history")
        listed = http.get("/v1/acme/orders")
        assert (listed.status_code, listed.json()["stale"], listed.headers["Rescind-Stale"]) == (200, True, "true")
        assert http.get("/v1/acme/sellers/s-3/dashboard").json()["stale"] is True
        for path in ("/v1/acme/orders?po=PO-404", "/v1/acme/sellers/s-404/dashboard", "/o/acme?q=PO-404"):
            assert http.get(path).status_code == 503, path


def test_in_a_stopped_partition_known_orders_are_stale_and_others_are_503(store: Path) -> None:
    with served(store) as http:
        wait_until(lambda: is_complete(http))
        engine = http.app.engine
        http.app.ask(lambda engine: engine.stopped.update({0: ValueError("the log lost acknowledged records")}))
        assert engine.unknown(0) == ("partition-stopped", "the log lost acknowledged records")
        answer = http.get("/v1/acme/orders/PO-1")
        assert (answer.status_code, answer.json()["stale"], answer.headers["Rescind-Stale"]) == (200, True, "true")
        assert codes(http, NOWHERE) == all_of(503, NOWHERE)
        assert codes(http, PARTS) == all_of(503, PARTS), "what happened to the order since is not known"
        assert http.get("/v1/acme/orders").json()["stale"] is True
        assert http.get("/v1/acme/orders?po=PO-404").status_code == 503
        cancel = {"command": "CancelLines", "actor": SELLER, "lines": [1], "reason": "out_of_stock"}
        assert http.post("/v1/acme/orders/PO-404/cancellations/preview", cancel, "k").status_code == 503


def test_while_the_control_log_cannot_be_read_no_policy_is_called_missing(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> bool:
        raise JournalUnavailable("the control log cannot be read")

    with served(store) as http:
        assert http.get("/policies/never/1").status_code == 404
        monkeypatch.setattr(http.app.engine.control, "step", away)
        wait_until(lambda: http.get("/policies/never/1").status_code == 503)
        assert "the control log cannot be read" in http.get("/policies/never/1").text
