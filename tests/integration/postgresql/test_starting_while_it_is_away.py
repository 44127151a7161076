"""An engine that starts while its PostgreSQL is away: the log decides, and what needs the database comes when it is
back, without a start of the engine."""

import base64
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from consumers.ports.vault import VaultUnavailable
from infra.app import AppOptions, open_app
from infra.settings import load_settings
from infra.vault.keys import VaultKeyWrong
from tests.integration.cli.driving import TERM, Store, ended, placed
from tests.integration.http.client import BUYER, Http, notice, placing, served
from tests.integration.kafka.waiting import wait_until
from tests.postgresql.server import Server

pytestmark = pytest.mark.postgresql

KEY = base64.b64encode(bytes(32)).decode()
Make = Callable[..., Server]


@contextmanager
def started(directory: Path, **settings: Any) -> Iterator[Http]:
    """As `rescind serve` opens it."""
    made = load_settings(journal=f"sqlite:///{directory}/journal", synchronous="normal", answer_within=5.0, **settings)
    with open_app(made, AppOptions(open_later=True)) as app:
        http = Http(app)
        try:
            yield http
        finally:
            http.close()


def trouble(http: Http) -> dict[str, str]:
    """The parts that `/readyz` reports as missing while the engine is ready."""
    answer = http.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
    found: dict[str, str] = answer.json().get("trouble", {})
    return found


def message_status(http: Http, order: str, key: str) -> int:
    body = {"actor": BUYER, "message_id": key, "to": "seller", "text": "It is the blue one."}
    return http.post(f"/v1/acme/orders/{order}/messages", body, key).status_code


def listed(http: Http) -> set[str]:
    return {order["order_id"] for order in http.get("/v1/acme/orders").json()["orders"]}


def place(http: Http, *orders: str) -> None:
    for order in orders:
        assert http.post("/v1/acme/orders", placing(order), f"place-{order}").status_code == 201


def test_without_the_views_commands_are_decided_and_lists_return_with_the_views(
    tmp_path: Path, postgresql_of_its_own: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    server = postgresql_of_its_own()
    with served(tmp_path, views=server.url) as http:
        place(http, "PO-1")
        assert http.app.views is not None and http.app.views.catch_up(60)
    server.stop()
    with started(tmp_path, views=server.url) as http:
        assert "rescind: started without the views, which come up when they can be reached" in capsys.readouterr().err
        place(http, "PO-2", "PO-3")
        ship = http.post("/v1/acme/orders/PO-1/commands", {"command": "Ship", "command_id": "s", **notice(3)})
        assert ship.status_code == 409, "a seller confirms, as ever"
        assert message_status(http, "PO-1", "m1") == 200
        assert http.get("/v1/acme/orders/PO-2").json()["status"] == "open"
        away = http.get("/v1/acme/orders")
        assert (away.status_code, away.json()["rule"]) == (503, "views-unavailable")
        assert http.get("/o/acme").status_code == 503
        wait_until(lambda: "views" in trouble(http))
        server.start()
        assert http.app.views is not None and http.app.views.catch_up(60)
        assert listed(http) == {"PO-1", "PO-2", "PO-3"}
        wait_until(lambda: trouble(http) == {})
    assert Store(tmp_path, more={"RESCIND_VIEWS": server.url}).rescind("replay", "--check", "--json").json["clean"]


def test_views_that_nobody_has_made_yet_are_made_when_the_database_is_there(
    tmp_path: Path, postgresql_of_its_own: Make
) -> None:
    server = postgresql_of_its_own()
    server.stop()
    with started(tmp_path, views=server.url) as http:
        place(http, "PO-1")
        assert http.app.views is not None and not http.app.views.catch_up(0.2)
        server.start()
        assert http.app.views.catch_up(60)
        assert listed(http) == {"PO-1"}
        server.stop()
        assert http.get("/v1/acme/orders").status_code == 503
        server.start()
        wait_until(lambda: http.get("/v1/acme/orders").status_code == 200)


def test_an_engine_ends_that_never_saw_its_views(tmp_path: Path, postgresql_of_its_own: Make) -> None:
    server = postgresql_of_its_own()
    server.stop()
    began = time.monotonic()
    with started(tmp_path, views=server.url) as http:
        place(http, "PO-1")
    assert time.monotonic() - began < 30
    with started(tmp_path, views=server.url) as http:
        assert http.get("/v1/acme/orders/PO-1").status_code == 200


def test_taken_names_are_reported_when_the_database_is_back_and_the_engine_continues(
    tmp_path: Path, postgresql_of_its_own: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    server = postgresql_of_its_own()
    with psycopg.connect(server.url, autocommit=True) as db:
        db.execute("CREATE TABLE orders (somebody_elses text)")
    server.stop()
    with started(tmp_path, views=server.url) as http:
        place(http, "PO-1")
        server.start()
        wait_until(lambda: "rescind: the views have stopped" in capsys.readouterr().err)
        assert "orders" in trouble(http)["views"]
        place(http, "PO-2")
        assert http.app.broken is None


def test_without_the_vault_texts_are_not_taken_until_it_is_back(
    tmp_path: Path, postgresql_of_its_own: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RESCIND_VAULT_KEY", KEY)
    server = postgresql_of_its_own()
    server.stop()
    with started(tmp_path, vault=server.url) as http:
        assert "rescind: started without the vault, which is opened when it can be reached" in capsys.readouterr().err
        place(http, "PO-1")
        assert message_status(http, "PO-1", "m1") == 503
        wait_until(lambda: "erasing" in trouble(http))
        server.start()
        wait_until(lambda: message_status(http, "PO-1", "m1") == 200)
        history = http.get("/v1/acme/orders/PO-1/history").json()
        [sent] = [event["data"] for event in history if event["event"] == "MessageSent"]
        assert http.app.vault.open(sent["text"]["reference"]) == "It is the blue one."
        wait_until(lambda: trouble(http) == {})


def test_a_key_that_is_not_the_vaults_seals_nothing_when_it_is_back(
    tmp_path: Path, postgresql_of_its_own: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESCIND_VAULT_KEY", KEY)
    server = postgresql_of_its_own()
    with served(tmp_path, vault=server.url) as http:
        place(http, "PO-1")
        assert message_status(http, "PO-1", "m1") == 200
    server.stop()
    monkeypatch.setenv("RESCIND_VAULT_KEY", base64.b64encode(bytes(range(32))).decode())
    with started(tmp_path, vault=server.url) as http:
        server.start()
        wait_until(lambda: "another key" in trouble(http).get("erasing", ""))
        assert message_status(http, "PO-1", "m2") == 503
    with pytest.raises(VaultKeyWrong), started(tmp_path, vault=server.url):
        raise AssertionError("with the vault there it is refused at once")
    with psycopg.connect(server.url) as db:
        assert db.execute("SELECT count(*) FROM vault_texts").fetchone() == (1,)


def test_an_emptied_vault_stores_no_text(
    tmp_path: Path, postgresql_of_its_own: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESCIND_VAULT_KEY", KEY)
    server = postgresql_of_its_own()
    with served(tmp_path, vault=server.url) as http:
        place(http, "PO-1")
        assert message_status(http, "PO-1", "m1") == 200
    with psycopg.connect(server.url, autocommit=True) as db:
        db.execute("DROP SCHEMA public CASCADE")
        db.execute("CREATE SCHEMA public")
    server.stop()
    with started(tmp_path, vault=server.url) as http:
        server.start()
        wait_until(lambda: "it may be another one" in trouble(http).get("erasing", ""))
        assert message_status(http, "PO-1", "m2") == 503
        place(http, "PO-2")
    with pytest.raises(VaultUnavailable, match="refer to 1 text"), started(tmp_path, vault=server.url):
        raise AssertionError("with the server there it is refused at once")
    with psycopg.connect(server.url) as db:
        assert db.execute("SELECT to_regclass('vault_about')").fetchone() == (None,), "nothing was made"


def test_no_key_is_created_for_a_vault_that_cannot_be_reached(tmp_path: Path, postgresql_of_its_own: Make) -> None:
    server = postgresql_of_its_own()
    server.stop()
    with pytest.raises(VaultUnavailable), started(tmp_path, vault=server.url):
        raise AssertionError("there may be a vault already, under a key that is elsewhere")
    assert not (tmp_path / "journal" / "vault.key").exists()
    server.start()
    with started(tmp_path, vault=server.url) as http:
        place(http, "PO-1")
        assert message_status(http, "PO-1", "m1") == 200
    server.stop()
    with started(tmp_path, vault=server.url) as http:
        place(http, "PO-2")
        server.start()
        wait_until(lambda: message_status(http, "PO-1", "m2") == 200)


def test_serve_starts_while_commands_that_need_the_views_do_not(tmp_path: Path, postgresql_of_its_own: Make) -> None:
    server = postgresql_of_its_own()
    server.stop()
    store = Store(tmp_path, more={"RESCIND_VIEWS": server.url})
    refused = store.rescind("import", store.file([placed("PO-1")]), check=3).err
    assert server.url.partition("@")[2].partition("/")[0].partition(":")[0] in refused
    serving = store.begin("serve", "--port", "0")
    assert serving.stdout is not None
    assert serving.stdout.readline().startswith(b"rescind: listening on http://127.0.0.1:")
    done = ended(serving, TERM)
    assert done.code == 0
    assert "started without the views" in done.err
