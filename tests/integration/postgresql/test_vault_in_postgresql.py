"""Engines whose vault is in PostgreSQL: they share it, and report when it is away; commands without text continue."""

import base64
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.settings import load_settings
from infra.vault.opening import open_vault
from tests.integration.cli.driving import Store
from tests.integration.http.client import BUYER, Http, placing, served
from tests.postgresql.server import Server

pytestmark = pytest.mark.postgresql


def message_status(http: Http, order: str, text: str, key: str) -> int:
    body = {"actor": BUYER, "message_id": key, "to": "seller", "text": text}
    return http.post(f"/v1/acme/orders/{order}/messages", body, key).status_code


def text_of(http: Http, vault_url: str, order: str, directory: Path) -> list[str]:
    """The texts of an order's messages, from the vault."""
    recorded = [line["data"] for line in http.get(f"/v1/acme/orders/{order}/history").json()]
    settings = load_settings(journal=f"sqlite:///{directory}/journal", vault=vault_url)
    vault = open_vault(settings)
    found = [vault.open(data["text"]["reference"]) for data in recorded if "text" in data]
    vault.close()
    return found


def test_two_engines_share_one_vault(tmp_path: Path, postgresql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESCIND_VAULT_KEY", base64.b64encode(bytes(32)).decode())
    with served(tmp_path, vault=postgresql) as one, served(tmp_path, vault=postgresql) as other:
        one.post("/v1/acme/orders", placing("PO-1"), "place")
        assert message_status(one, "PO-1", "It is the blue one.", "m1") == 200
        assert message_status(other, "PO-1", "No, the red one.", "m2") == 200
        assert text_of(other, postgresql, "PO-1", tmp_path) == ["It is the blue one.", "No, the red one."]
    store = Store(
        tmp_path, more={"RESCIND_VAULT": postgresql, "RESCIND_VAULT_KEY": base64.b64encode(bytes(32)).decode()}
    )
    findings = {finding["part"]: finding for finding in store.rescind("doctor", "--json").json}
    assert findings["vault"]["said"] == "2 texts of 1 person, and the key matches"
    store.more["RESCIND_VAULT_KEY"] = base64.b64encode(bytes(range(32))).decode()
    findings = {finding["part"]: finding for finding in store.rescind("doctor", "--json", check=1).json}
    assert "another key" in findings["vault"]["said"]
    assert "the key is the one" in findings["vault"]["do"]


def test_while_the_vault_is_away_texts_are_not_taken_and_everything_else_goes_on(
    tmp_path: Path, postgresql_of_its_own: Callable[..., Server]
) -> None:
    server = postgresql_of_its_own("fsync=on")
    with served(tmp_path, vault=server.url, views=server.url, answer_within=5.0) as http:
        assert http.post("/v1/acme/orders", placing("PO-1"), "place-1").status_code == 201
        assert message_status(http, "PO-1", "before", "m1") == 200
        server.stop()
        assert message_status(http, "PO-1", "during", "m2") == 503
        assert http.post("/v1/acme/orders", placing("PO-2"), "place-2").status_code == 201
        assert http.get("/v1/acme/orders/PO-2").json()["status"] == "open"
        assert http.get("/v1/acme/orders").status_code == 503
        server.start()
        until = time.monotonic() + 60
        while (answered := message_status(http, "PO-1", "during", "m2")) == 503 and time.monotonic() < until:
            continue
        assert answered == 200
        assert text_of(http, server.url, "PO-1", tmp_path) == ["before", "during"]
        assert http.app.views is not None
        assert http.app.views.catch_up(30)
        assert len(http.get("/v1/acme/orders").json()["orders"]) == 2
