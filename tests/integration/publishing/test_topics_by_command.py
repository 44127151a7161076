"""`rescind topics` on the public topics: created, checked, and the answers to the questions of publishing."""

import json
from pathlib import Path

import pytest

from infra.cli.main import run
from tests.broker.fixtures import SECOND_GROUP, Kafka
from tests.broker.topics import admin
from tests.integration.publishing.stage import wait_until
from tests.integration.publishing.test_an_engine_that_publishes import Shop, shop

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group(SECOND_GROUP)]

__all__ = ["shop"]


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch, shop: Shop) -> None:
    monkeypatch.setenv("RESCIND_PUBLISH", shop.settings.publish)
    monkeypatch.setenv("RESCIND_JOURNAL", shop.settings.journal)


def test_all_public_topics_are_made_as_they_must_be(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    with shop.open():
        pass
    assert run(["topics", "create", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["made"] == []
    assert run(["topics", "check", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    topics = {finding["topic"].removeprefix(f"{shop.prefix}.") for finding in found}
    kinds = {"order-events", "refunds", "rebills", "credit-memos", "restock", "notifications", "dead-letters"}
    assert topics == kinds | {"published"}
    partitions = {finding["found"] for finding in found if finding["what"] == "partitions"}
    assert partitions == {"2"}
    with admin(shop.servers) as admin_client:
        admin_client.delete_topics([f"{shop.prefix}.refunds"])
    wait_until(lambda: run(["topics", "check"]) == 1)
    assert "refunds" in capsys.readouterr().out


def test_an_emptied_event_topic_is_published_again_and_an_instruction_topic_continues_onwards(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    with shop.open() as app:
        shop.order(app, "PO-1")
        wait_until(lambda: shop.keys("refunds") == ["acme/PO-1"])
    lost = [f"{shop.prefix}.{kind}" for kind in ("order-events", "refunds")]
    with admin(shop.servers) as admin_client:
        admin_client.delete_topics(lost)
    wait_until(lambda: run(["topics", "create"]) == 0 and shop.keys("refunds") == [])
    with shop.open() as app:
        publishing = app.publishing
        assert publishing is not None
        wait_until(lambda: len(publishing.trouble) == 4)
        assert all("rescind topics answer" in message for message in publishing.trouble.values())
    assert run(["topics", "answer", "refunds"]) == 2
    assert run(["topics", "answer", "refunds", "--again"]) == 1
    assert "published twice" in capsys.readouterr().err
    assert run(["topics", "answer", "refunds", "--onwards"]) == 0
    assert run(["topics", "answer", "order-events", "--again"]) == 0
    with shop.open() as app:
        shop.order(app, "PO-2")
        wait_until(lambda: shop.keys("refunds") == ["acme/PO-2"])
        wait_until(lambda: len(shop.keys("order-events")) == 10)
    assert shop.keys("restock") == ["acme/PO-1", "acme/PO-2"]


def test_the_doctor_reports_how_far_is_published_and_what_was_lost(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    def findings() -> dict[str, tuple[str, str]]:
        capsys.readouterr()
        run(["doctor", "--json"])
        found = json.loads(capsys.readouterr().out)
        return {each["part"]: (each["state"], each["said"]) for each in found}

    with shop.open() as app:
        shop.order(app, "PO-1")
        wait_until(lambda: shop.keys("refunds") == ["acme/PO-1"])
        publishing = app.publishing
        assert publishing is not None
        wait_until(lambda: findings()["publishing"] == ("ok", "at the journal's end"))
        assert publishing.trouble == {}
    name = f"{shop.prefix}.order-events"
    with admin(shop.servers) as admin_client:
        admin_client.delete_topics([name])
    wait_until(lambda: findings().get(name, ("", ""))[0] == "wrong")
    assert run(["topics", "create"]) == 0
    state, why = findings()[name]
    assert (state, "order-events" in why) == ("wrong", True)


def test_where_nothing_is_published_there_is_nothing_to_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kafka: Kafka, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RESCIND_PUBLISH", "off")
    assert run(["topics", "answer", "order-events", "--again"]) == 2
    assert "setting publish" in capsys.readouterr().err
