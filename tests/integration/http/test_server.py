"""The real server on a free port: it serves, it ends on a signal, and it does not listen where strangers are."""

import threading
from pathlib import Path
from queue import SimpleQueue

import httpx
import pytest

from infra.app import AppOptions, open_app
from infra.server.binding import NotHere, bind
from infra.server.server import Server, create
from infra.settings import load_settings
from tests.integration.http.client import placing
from tests.integration.http.running import running


def test_it_answers_over_the_network(tmp_path: Path) -> None:
    with running(tmp_path) as (_, address), httpx.Client(base_url=address) as client:
        placed = client.post("v1/acme/orders", json=placing("net-1"), headers={"Idempotency-Key": "k1"})
        assert placed.status_code == 201
        assert client.get("v1/acme/orders/net-1").json()["order_id"] == "net-1"
        assert client.get("healthz").status_code == 200
        assert "server" not in client.get("healthz").headers


def test_a_body_that_is_too_long_is_refused_before_it_is_read_to_its_end(tmp_path: Path) -> None:
    with running(tmp_path) as (_, address), httpx.Client(base_url=address) as client:
        headers = {"Idempotency-Key": "k1", "Content-Type": "application/json"}
        answer = client.post("v1/acme/orders", content=(b" " * 65536 for _ in range(8)), headers=headers)
        assert answer.status_code == 413


def test_it_refuses_to_listen_where_it_can_be_reached_from_elsewhere() -> None:
    for host in ("0.0.0.0", "192.0.2.7", "rescind.example"):
        with pytest.raises(NotHere, match=r"127\.0\.0\.1"):
            bind(host, 0)


def test_the_server_prints_its_address_once_it_listens(tmp_path: Path) -> None:
    addresses: SimpleQueue[str] = SimpleQueue()
    with open_app(load_settings(journal="memory:"), AppOptions(views=False)) as app:
        server = Server(create(app), app.settings, addresses.put)
        thread = threading.Thread(target=server.run)
        thread.start()
        address = addresses.get(timeout=30)
        assert httpx.get(f"{address}readyz").status_code == 200
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()
