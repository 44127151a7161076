"""A journal is published under one prefix, then under another: no instruction is on neither, and none is on both."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from kafka import TopicPartition

from consumers.ports.journal import JournalError
from infra.app import open_app
from infra.cli.main import run
from infra.publishing.earlier_prefixes import FILE
from infra.publishing.topics import PublicTopics
from infra.settings import load_settings
from tests.broker.fixtures import SECOND_GROUP, Kafka
from tests.broker.topics import admin
from tests.integration.publishing.stage import wait_until
from tests.integration.publishing.test_an_engine_that_publishes import Shop

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group(SECOND_GROUP)]

Under = Callable[[str], Shop]


@pytest.fixture
def under(kafka: Kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Under:
    """A shop on one journal, published under another prefix each time, whose topics are created."""
    first = kafka.prefix()
    monkeypatch.setenv("RESCIND_JOURNAL", f"sqlite:///{tmp_path}/journal?partitions=2")

    def shop(name: str) -> Shop:
        prefix = f"{first}{name}"
        monkeypatch.setenv("RESCIND_PUBLISH", f"kafka://{kafka.servers}/{prefix}")
        settings = load_settings()
        at = settings.public_topics_at
        assert at is not None
        topics = PublicTopics(at, settings.security)
        topics.create(2)
        topics.close()
        made = Shop(settings, kafka.servers, prefix)
        made.commands = 1000 * len(name) + ord(name[-1])
        return made

    return shop


def published(shop: Shop, order: str) -> None:
    with shop.open() as app:
        shop.order(app, order)
        wait_until(lambda: order in "".join(shop.keys("refunds")))
        publishing = app.publishing
        assert publishing is not None
        wait_until(lambda: publishing.behind == 0)
        assert app.views is not None and app.views.catch_up(30)


def unpublished(shop: Shop, *orders: str) -> None:
    """Decided while nothing is published."""
    with open_app(shop.settings) as app:
        for order in orders:
            shop.order(app, order)
        assert app.views is not None and app.views.catch_up(30)


def test_a_new_prefix_begins_its_instructions_where_the_old_one_ended(under: Under) -> None:
    old = under("a")
    published(old, "PO-1")
    unpublished(old, "PO-2", "PO-3")
    new = under("b")
    with new.open() as app:
        new.order(app, "PO-4")
        wait_until(lambda: len(new.keys("refunds")) == 3)
        publishing = app.publishing
        assert publishing is not None
        wait_until(lambda: publishing.behind == 0)
    assert old.keys("refunds") == ["acme/PO-1"]
    assert new.keys("refunds") == new.keys("restock") == ["acme/PO-2", "acme/PO-3", "acme/PO-4"]
    assert len(new.seen("order-events")) == 20, "events begin at the journal's start"
    third = under("c")
    published(third, "PO-5")
    assert third.keys("refunds") == ["acme/PO-5"]


def test_if_the_end_of_the_old_prefix_is_unknown_the_operator_chooses_where_to_begin(
    under: Under, capsys: pytest.CaptureFixture[str]
) -> None:
    old = under("a")
    published(old, "PO-1")
    ends = {}
    with open_app(old.settings) as app:
        ends = {partition: app.journal.end(partition) for partition in range(2)}
    unpublished(old, "PO-2")
    with admin(old.servers) as admin_client:
        admin_client.delete_topics([f"{old.prefix}.published"])
        wait_until(lambda: admin_client.describe_topics([f"{old.prefix}.published"])[0]["error_code"] == 3)
    new = under("b")
    with pytest.raises(JournalError, match=r"was published to .*a before") as raised:
        new.open()
    assert "`rescind topics answer instructions --from PARTITION:OFFSET`" in str(raised.value)
    assert run(["topics", "answer", "instructions"]) == 2
    assert run(["topics", "answer", "instructions", "--onwards", "--from", "0:0"]) == 2
    assert run(["topics", "answer", "instructions", "--from", "2:0"]) == 2
    assert run(["topics", "answer", "instructions", "--from", old.prefix]) == 1
    assert run(["topics", "answer", "instructions", "--from", f"0:{ends[0] + 1000}"]) == 1
    assert "ends at offset" in capsys.readouterr().err
    places = [f"--from={partition}:{end}" for partition, end in ends.items()]
    assert run(["topics", "answer", "instructions", *places]) == 0
    published(new, "PO-3")
    assert new.keys("refunds") == ["acme/PO-2", "acme/PO-3"]
    assert len(new.seen("order-events")) == 15
    assert run(["topics", "answer", "refunds", "--from", "0:0", "--from", "1:0"]) == 1
    assert "published twice" in capsys.readouterr().err
    published(new, "PO-4")
    assert new.keys("refunds") == ["acme/PO-2", "acme/PO-3", "acme/PO-4"]


def test_a_former_prefix_on_a_missing_cluster_must_be_answered_for_and_may_be_skipped(
    under: Under, tmp_path: Path
) -> None:
    old = under("a")
    with open_app(old.settings) as app:
        old.order(app, "PO-1")
        identity = app.journal.identity
    places = f"another-journal kafka://127.0.0.1:1/never-asked\n{identity} kafka://127.0.0.1:1/elsewhere\n"
    (tmp_path / "journal" / FILE).write_text(places, encoding="utf-8")
    with pytest.raises(JournalError, match=r"published to kafka://127\.0\.0\.1:1/elsewhere before"):
        old.open()
    assert run(["topics", "answer", "instructions", "--onwards"]) == 0
    published(old, "PO-2")
    assert old.keys("refunds") == ["acme/PO-2"]


def test_one_kind_can_be_set_to_continue_where_it_ended_under_another_prefix(under: Under) -> None:
    old = under("a")
    published(old, "PO-1")
    unpublished(old, "PO-2")
    new = under("b")
    assert run(["topics", "answer", "refunds", "--from", old.prefix]) == 0
    published(new, "PO-3")
    assert new.keys("refunds") == new.keys("restock") == ["acme/PO-2", "acme/PO-3"]
    assert run(["topics", "answer", "order-events", "--from", old.prefix]) == 0


def instructions(capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """The doctor's finding about instructions."""
    capsys.readouterr()
    run(["doctor", "--json"])
    (found,) = [each for each in json.loads(capsys.readouterr().out) if each["part"] == "instructions"]
    return found["state"], found["said"]


def test_the_doctor_names_instructions_that_are_due_and_on_no_topic(
    under: Under, capsys: pytest.CaptureFixture[str]
) -> None:
    old = under("a")
    unpublished(old, "PO-0")
    published(old, "PO-1")
    state, message = instructions(capsys)
    assert (state, "acme/PO-0/refund-1" in message, "acme/PO-1" in message) == ("note", True, False)
    assert "decided before" in message
    unpublished(old, "PO-2")
    capsys.readouterr()
    run(["doctor", "--json"])
    message = " ".join(each["said"] for each in json.loads(capsys.readouterr().out) if each["part"] == "instructions")
    assert "not published yet: acme/PO-2/refund-1 (refunds)" in message
    with old.open() as app:
        old.submit(app, "ConfirmRefund", "PO-0", refund_id="refund-1")
        assert app.views is not None and app.views.catch_up(30)
    new = under("b")
    published(new, "PO-3")
    assert instructions(capsys) == ("ok", "3 due, each with its instruction on a topic")
    with admin(old.servers) as admin_client:  # the records are taken away, the topic stays
        ends = {TopicPartition(f"{new.prefix}.refunds", partition): -1 for partition in range(2)}
        admin_client.delete_records(ends)
    state, message = instructions(capsys)
    assert (state, "missing on the topics" in message, "acme/PO-3/refund-1" in message) == ("wrong", True, True)
    assert "PO-1" not in message, "it is on the topic of the old prefix"


def test_the_doctor_knows_refunds_that_wait_for_a_chargeback_and_those_that_were_withdrawn(
    under: Under, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = under("a")
    published(shop, "PO-1")
    with shop.open() as app:
        shop.submit(app, "WithdrawRefund", "PO-1", refund_id="refund-1", note="The parcel had left.")
        lines = [{"line": 1, "sku": "A-1", "quantity": 10, "unit_price": "10.00"}]
        parties = {"buyer_id": "b-1", "seller_id": "s-1", "currency": "USD", "policy": "seller-portal"}
        shop.submit(app, "PlaceOrder", "PO-2", lines=lines, **parties)
        shop.submit(app, "OpenChargeback", "PO-2", payment_id="payment-1", amount="100.00")
        shop.submit(app, "CancelLines", "PO-2", actor="seller", reason="out_of_stock")
        assert app.views is not None and app.views.catch_up(30)
        wait_until(lambda: len(shop.keys("refunds")) == 2)
    waits = "0 due, each with its instruction on a topic; 1 refund held back by a chargeback"
    assert instructions(capsys) == ("ok", waits)
    with shop.open() as app:
        shop.submit(app, "CloseChargeback", "PO-2", payment_id="payment-1", outcome="won")
        assert app.views is not None and app.views.catch_up(30)
        wait_until(lambda: shop.keys("refunds") == ["acme/PO-1", "acme/PO-1", "acme/PO-2"])
    assert instructions(capsys) == ("ok", "1 due, each with its instruction on a topic")
