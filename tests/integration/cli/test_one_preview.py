"""HTTP and the command line show the same preview in the same situation, and the command does what the preview
shows."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from domain.commands import parse_command
from domain.instants import DAY, SECOND, format_instant
from infra.api.previews import body
from infra.cli.order_command import previewed
from infra.runtime.clock import clock
from infra.settings import load_settings
from infra.store.order_search import all_orders
from infra.store.reader import open_reader
from tests.integration.cli.driving import Store
from tests.integration.http.client import Http, served
from tests.spec.acceptance.test_cases import CASES, HERE

Commands = list[tuple[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store in which every acceptance case has happened."""
    place = tmp_path_factory.mktemp("cases")
    store = Store(place, more={"RESCIND_CONFIG": str(HERE / "settings.toml")})
    for path in sorted((HERE / "policies").glob("[!_]*.toml")):
        store.rescind("policy", "publish", path, check=None)
    rows = [row for case in CASES for row in case["commands"] if "raw" not in row]
    assert store.take(rows, check=None)["accepted"] > 1000
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RESCIND_CONFIG", str(HERE / "settings.toml"))
        yield store


def attempts(buyer: str, seller: str, request: str | None = None) -> Commands:
    """The attempts of a buyer and a seller on an order and its request, each with the path of its preview."""
    them, us = {"kind": "buyer", "id": buyer}, {"kind": "seller", "id": seller}
    of_request: Commands = [
        (f"cancellations/{request}/approve", {"command": "ApproveCancel", "actor": us, "request_id": request}),
        (
            f"cancellations/{request}/decline-alternatives",
            {"command": "DeclineAlternatives", "actor": them, "request_id": request},
        ),
    ]
    return [
        ("cancellations", {"command": "RequestCancel", "actor": them, "request_id": "new-request", "reason": "other"}),
        ("cancellations", {"command": "CancelLines", "actor": us, "reason": "other"}),
        ("shipments", {"command": "Ship", "actor": us, "shipment_id": "new-notice"}),
        *(of_request if request is not None else ()),
    ]


def previews_of_the_command_line(store: Store) -> dict[tuple[str, str, str], dict[str, Any]]:
    """The preview of every attempt with every order, as ``rescind order cancel`` makes it."""
    found = {}
    with open_reader(load_settings(journal=f"sqlite:///{store.journal}")) as reader:
        for stream, folded in all_orders(reader):
            order = folded.order
            if order is None or not order.exists:
                continue
            request = next(iter(order.requests), None)
            for path, document in attempts(order.terms.buyer_id, order.terms.seller_id, request):
                names = {"command_id": "look", "marketplace": order.marketplace, "order_id": order.order_id}
                shown = previewed(reader, folded, parse_command({**document, **names}), clock())
                if shown.refused not in ("no-such-order", "not-yours"):
                    found[stream, path, document["command"] + document["actor"]["kind"]] = {
                        "sent": document,
                        **body(shown),
                    }
    return found


def test_http_and_the_command_line_show_equal_previews_in_every_case(cases: Store) -> None:
    expected = previews_of_the_command_line(cases)
    assert len({stream for stream, _, _ in expected}) > 380
    confirmable = [shown for shown in expected.values() if shown["confirmation"] is not None]
    assert len(confirmable) > 300
    with served(cases.place) as http:
        for (stream, path, _), shown in expected.items():
            sent = shown.pop("sent")
            marketplace, _, order_id = stream.partition("/")
            answer = http.post(f"/v1/{marketplace}/orders/{order_id}/{path}/preview", sent)
            assert answer.status_code == 200, (stream, path, answer.text)
            assert answer.json() == shown, (stream, path, sent)


# ---- a deadline that is due and not fired ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def overdue_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that nobody runs, with an order whose late-ship deadline passed after its server had stopped."""
    folder = tmp_path_factory.mktemp("overdue")
    with served(folder) as http:
        due = http.app.clock() + 2 * SECOND
        assert place(http, ship_by=format_instant(due - 4 * DAY)).status_code == 201
    while clock() <= due:
        time.sleep(0.02)
    return folder


@pytest.fixture
def overdue(overdue_store: Path, tmp_path: Path) -> Store:
    """A copy of the overdue store, which the test may change."""
    return Store(shutil.copytree(overdue_store, tmp_path / "store"))


def place(http: Http, **fields: Any) -> Any:
    lines = [{"line": 1, "sku": "A-1", "quantity": 10, "unit_price": "10.00"}]
    sold = {"order_id": "PO-1", "buyer_id": "b-7", "seller_id": "s-3", "currency": "USD", "policy": "big-box"}
    actor = {"kind": "system", "id": "shop"}
    return http.post("/v1/acme/orders", {**sold, "actor": actor, "lines": lines, **fields}, "place")


@pytest.mark.parametrize("who", ["buyer", "seller", "support:desk"])
def test_a_deadline_that_is_due_answers_the_command_line_as_it_answers_http(overdue: Store, who: str) -> None:
    rule = ("--rule", "shipped-lock") if who.startswith("support") else ()
    cancel = ("order", "cancel", "acme/PO-1", "--as", who, "--reason", "other", *rule, "--yes")
    done = overdue.rescind(*cancel, check=1)
    assert "already-canceled" in done.err
    for wrong in ("asks to cancel", "Cancels 10", "has changed in the meantime"):
        assert wrong not in done.err, "the order was canceled by its deadline before"
    history = [event["event"] for event in overdue.history("acme/PO-1")]
    assert history[-1] in ("CancelRefused", "CommandRefused"), "the refusal is on record, as over HTTP"
    assert history.count("LinesCanceled") == 1


def test_the_preview_of_what_a_due_deadline_canceled_has_nothing_to_confirm(overdue: Store) -> None:
    with open_reader(load_settings(journal=f"sqlite:///{overdue.journal}")) as reader:
        folded = reader.folded("acme/PO-1")
        names = {"command_id": "look", "marketplace": "acme", "order_id": "PO-1"}
        for _, document in attempts("b-7", "s-3")[:2]:
            shown = previewed(reader, folded, parse_command({**document, **names}), clock())
            assert (shown.refused, shown.confirmation) == ("already-canceled", None)


def test_a_cancellation_is_not_carried_out_if_the_order_changed_after_the_preview(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(tmp_path) as http:
        assert place(http).status_code == 201
    store = Store(tmp_path)
    from infra.cli import order_command

    shown = order_command._print_preview

    def somebody_ships(stream: str, preview: Any) -> None:
        shown(stream, preview)
        with served(tmp_path) as http:
            actor = {"kind": "system", "id": "shop"}
            body = {"actor": actor, "shipment_id": "asn-1", "lines": [{"line": 1, "quantity": 4}]}
            assert http.post("/v1/acme/orders/PO-1/shipments", body, "ship").status_code == 200

    monkeypatch.setattr(order_command, "_print_preview", somebody_ships)
    done = store.rescind("order", "cancel", "acme/PO-1", "--reason", "other", "--yes", check=1)
    assert "Cancels 10 of line 1" in done.err
    assert "acme/PO-1 has changed in the meantime, so nothing was canceled" in done.err
    assert store.show("acme/PO-1")["status"] == "partly_shipped"
