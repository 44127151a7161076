"""An engine whose views are in PostgreSQL: the command line, lists and pages show what they show with SQLite."""

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from infra.addresses.postgresql import in_schema, postgresql_at
from infra.app import open_app
from infra.settings import load_settings, views_at
from tests.integration.cli.driving import Store, lives
from tests.integration.http.client import placing, served
from tests.integration.publishing.test_an_engine_that_publishes import Shop
from tests.integration.publishing.test_dead_letters import PARKED, teleporting, unreadable

pytestmark = pytest.mark.postgresql


@pytest.fixture
def store(tmp_path: Path, postgresql: str) -> Store:
    return Store(tmp_path, partitions=2, more={"RESCIND_VIEWS": postgresql})


def findings(store: Store, check: int = 0) -> dict[str, list[str]]:
    report = store.rescind("doctor", "--json", check=check).json
    return {finding["part"]: [finding["state"], finding["said"], finding["do"] or ""] for finding in report}


def test_every_query_of_the_views_finds_the_same_as_in_sqlite(store: Store, tmp_path: Path, postgresql: str) -> None:
    assert findings(store, check=1)["journal"][0] == "wrong"
    store.take(lives(0, 20), check=0)
    (tmp_path / "sqlite").mkdir()
    other = Store(tmp_path / "sqlite", partitions=2)
    other.take(lives(0, 20))

    assert store.everything() == other.everything()
    assert not (tmp_path / "views.sqlite").exists()
    command = ("order", "show", "--po", "PO-000007", "--json")
    assert store.rescind(*command).json == other.rescind(*command).json
    assert findings(store)["views"] == ["ok", "at the log's end", ""]
    with psycopg.connect(postgresql) as db:
        [found] = db.execute("SELECT status FROM orders WHERE order_id = 'PO-000007'")
    assert found[0] == store.show("acme/PO-000007")["status"]


def test_views_that_were_changed_by_hand_are_found_and_rebuilt(store: Store, postgresql: str) -> None:
    store.take(lives(0, 6))
    with psycopg.connect(postgresql) as db:
        db.execute("UPDATE orders SET total_minor = 1 WHERE order_id = 'PO-000001'")
        db.execute("DELETE FROM order_lines WHERE order_id = 'PO-000002'")
    differs = store.rescind("replay", "--check", "--json", check=1).json
    assert any("PO-000001" in line and "total_minor" in line for line in differs["differences"])
    assert differs["differing"] == 2
    assert "rebuilt" in store.rescind("replay").out
    assert store.rescind("replay", "--check", "--json").json["clean"]


def test_views_of_another_log_and_unreachable_views_are_reported(store: Store, tmp_path: Path) -> None:
    store.take(lives(0, 6))
    (tmp_path / "other").mkdir()
    other = Store(tmp_path / "other", partitions=2, more=store.more)
    other.more = {}
    other.take(lives(50, 9))
    other.more = store.more
    assert "another history" in findings(other, check=1)["views"][1]
    store.more = {"RESCIND_VIEWS": "postgresql://me:open-sesame@127.0.0.1:9/views"}
    state, urls, do = findings(store, check=1)["views"]
    assert (state, "can be reached" in do, "open-sesame" in urls) == ("wrong", True, False)
    refused = store.rescind("replay", check=3)
    assert "me@127.0.0.1:9/views cannot be used at the moment" in refused.err
    assert store.rescind("order", "show", "--po", "PO-000001", "--json").json["po_number"] == "PO-000001"


def test_lists_and_pages_are_served_from_it(tmp_path: Path, postgresql: str) -> None:
    with served(tmp_path, views=postgresql) as http:
        token = ""
        for number in range(3):
            answer = http.post(
                "/v1/acme/orders", placing(f"LAMP-{number}", po_number=f"4711-{number}"), f"key-{number}"
            )
            token = answer.headers["Rescind-Position"]
        listed = http.get("/v1/acme/orders?limit=2", Rescind_Position=token).json()
        assert [row["order_id"] for row in listed["orders"]] == ["LAMP-2", "LAMP-1"]
        rest = http.get(f"/v1/acme/orders?limit=2&after={listed['next']}").json()
        assert [row["order_id"] for row in rest["orders"]] == ["LAMP-0"]
        [found] = http.get("/v1/acme/orders?po=4711-1").json()["orders"]
        shown = http.get("/v1/acme/orders/LAMP-1").json()
        assert {key: found[key] for key in ("placed_at", "status", "total_minor")} == {
            key: shown["money"][key] if key == "total_minor" else shown[key]
            for key in ("placed_at", "status", "total_minor")
        }
        page = http.get("/o/acme")
        assert "4711-2" in page.text


def test_two_engines_share_the_same_views(tmp_path: Path, postgresql: str) -> None:
    """Both follow one journal; the quicker one writes, and each reads what the other wrote."""
    with served(tmp_path, views=postgresql) as one, served(tmp_path, views=postgresql) as other:
        for number in range(8):
            answering, _ = (one, other) if number % 2 else (other, one)
            answer = answering.post("/v1/acme/orders", placing(f"PO-{number}"), f"key-{number}")
        token = answer.headers["Rescind-Position"]
        lists = [http.get("/v1/acme/orders", Rescind_Position=token).json() for http in (one, other)]
        assert len(lists[0]["orders"]) == 8
        assert lists[0] == lists[1]
    store = Store(tmp_path, more={"RESCIND_VIEWS": postgresql})
    assert store.rescind("replay", "--check", "--json").json["clean"]


def test_dead_letters_are_listed_and_retried(tmp_path: Path, postgresql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings(journal=f"sqlite:///{tmp_path}/journal", views=postgresql)
    with open_app(settings) as app:
        Shop(settings, "", "").order(app, "PO-1")
        unreadable(app, "PO-1")
        app.catch_up()
        assert app.views is not None
        assert app.views.catch_up(10)
    store = Store(tmp_path, more={"RESCIND_VIEWS": postgresql})

    def listed() -> list[Any]:
        return [json.loads(line)["id"] for line in store.rescind("dead-letters", "list", "--json").out.splitlines()]

    assert listed() == [PARKED]
    assert "parked" in findings(store)["views"][1]
    store.rescind("dead-letters", "retry", PARKED, check=1)
    teleporting(monkeypatch)
    store.rescind("dead-letters", "retry", PARKED)
    assert listed() == []


def test_a_url_is_shown_without_its_password() -> None:
    urls = {
        "postgresql://me:open@db/x": "postgresql://me@db/x",
        "postgresql://me@db:5/x?password=open&sslmode=require": "postgresql://me@db:5/x?password=…&sslmode=require",
        "postgresql:///x": "postgresql:///x",
    }
    for url, shown in urls.items():
        assert str(views_at(url)) == shown
        assert "open" not in repr(views_at(url))
    at = postgresql_at("postgresql:///x?sslmode=require&options=-cgeqo%3Doff")
    assert in_schema(at, "s").url == "postgresql:///x?sslmode=require&options=-cgeqo%3Doff%20-csearch_path%3Ds"
    with pytest.raises(ValueError, match="names no database"):
        views_at("postgresql://me:open@db")
