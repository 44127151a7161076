"""Producers that choose partitions by their own rule: a command is passed on to its order's, and answered once."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from kafka import KafkaProducer

from infra.app import App
from schemas.partitioning import partition_of
from tests.broker.fixtures import GROUP, Kafka
from tests.broker.topics import admin
from tests.integration.command_topic.stage import BUYER, TIMEOUT, Body, Stage, command_document, placed, wait_until
from tests.integration.command_topic.test_breaking_it import killed_repeatedly

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group(GROUP)]

SECRET = "Lea Winter lives at 12 Harbour Road"


class AnyPartition(Stage):
    """Its commands are sent by librdkafka's producer, which chooses the partition as it does by default (CRC32)."""

    _librdkafka: Producer | None = None

    def send(self, body: Body, headers: Iterable[tuple[str, bytes]] = ()) -> tuple[int, int]:
        if self._librdkafka is None:
            self._librdkafka = Producer({"bootstrap.servers": self.at.servers})
        where: list[tuple[int, int]] = []

        def delivered(error: object, message: Any) -> None:
            assert error is None, error
            where.append((message.partition(), message.offset()))

        key, value = f"{body['marketplace']}/{body['order_id']}", json.dumps(body)
        self._librdkafka.produce(
            self.at.commands, key=key, value=value, headers=dict(headers), on_delivery=delivered
        )  # fmt: skip
        assert self._librdkafka.flush(TIMEOUT) == 0
        return where[0]


@pytest.fixture
def stage(kafka: Kafka, tmp_path: Path) -> Iterator[AnyPartition]:
    stage = AnyPartition(kafka, tmp_path)
    with stage:
        yield stage


def home(order_id: str, stage: Stage) -> int:
    return partition_of(f"acme/{order_id}", stage.partitions)


def test_producers_with_their_default_settings_have_all_their_commands_accepted(stage: AnyPartition) -> None:
    orders = [f"PO-{number}" for number in range(20)]
    python = KafkaProducer(bootstrap_servers=stage.at.servers)
    with stage.open():
        sent = {order: stage.send(placed(order), [("rescind-ask", order.encode())]) for order in orders}
        for order in orders:
            body = command_document("Ship", order, "ship", shipment_id="s1")
            python.send(stage.at.commands, key=f"acme/{order}".encode(), value=json.dumps(body).encode()).get(30)
        python.close(10)
        found = stage.wait_for(2 * len(orders))
    passed_on = [order for order in orders if sent[order][0] != home(order, stage)]
    assert passed_on
    for order in orders:
        (place,), (ship,) = found[f"acme/{order}/place"], found[f"acme/{order}/ship"]
        assert place["outcome"] == "accepted"
        assert place["headers"]["rescind-ask"] == order
        assert place["headers"]["rescind-input"].split(":")[1:] == [str(each) for each in sent[order]]
        assert ("rescind-passed-on" in place["headers"]) == (order in passed_on)
        assert ship["outcome"] in ("accepted", "refused")  # the two doors have no order between them
    for record in stage.seen("outcomes"):
        assert record.partition == partition_of(record.key.decode().rpartition("/")[0], stage.partitions)
    assert stage.seen("dead-letters") == []


def test_an_orders_commands_are_decided_in_the_order_in_which_they_were_sent(stage: AnyPartition) -> None:
    order = next(f"PO-{n}" for n in range(99) if stage.send(placed(f"PO-{n}"))[0] != home(f"PO-{n}", stage))
    for number in range(30):
        one = [{"line": 1, "quantity": 1}]
        stage.send(command_document("Ship", order, f"ship-{number}", shipment_id=f"s{number}", lines=one))
    with stage.open() as app:
        stage.wait_for(len(stage.seen("commands")))
        assert_in_order(stage, order)
        assert app.command_topic is not None
        assert app.command_topic.trouble is None


def assert_in_order(stage: Stage, order: str) -> None:
    keys = [record.key.decode().rpartition("/") for record in stage.seen("outcomes")]
    ids = [command_id for of, _, command_id in keys if of == f"acme/{order}"]
    assert ids == ["place", *(f"ship-{number}" for number in range(30))]


def test_a_text_in_clear_is_sealed_before_its_command_is_passed_on(stage: AnyPartition) -> None:
    order = next(f"PO-{n}" for n in range(99) if stage.send(placed(f"PO-{n}"))[0] != home(f"PO-{n}", stage))
    sent = stage.send(command_document("SendMessage", order, "m1", BUYER, message_id="m1", to="seller", text=SECRET))
    with stage.open() as app:
        wait_until(lambda: f"acme/{order}/m1" in stage.outcomes())
        (event,) = stage.outcomes()[f"acme/{order}/m1"][0]["events"]
        assert app.vault.open(event["data"]["text"]["reference"]) == SECRET
    with_it = [(each.partition, each.offset) for each in stage.seen("commands") if b"Winter" in each.value]
    assert with_it == [sent]


def test_forwarded_commands_are_not_forwarded_again_after_the_group_lost_its_offsets(
    stage: AnyPartition,
) -> None:
    def forget(app: App) -> None:
        app.close()
        group = f"{stage.at.prefix}.engines"
        with admin(stage.at.servers) as admin_client:
            wait_until(lambda: not admin_client.describe_groups([group])[group]["members"])
            admin_client.delete_groups([group])

    app = stage.open()
    sent = [stage.send(placed(f"PO-{number}")) for number in range(12)]
    stage.wait_for(len(sent))
    forged = next(partition for partition in range(stage.partitions) if partition != sent[0][0])
    headers = [("rescind-input", f"{input_topic(stage)}:{sent[0][0]}:{10**6}".encode())]
    stage.send_raw(forged, b"acme/PO-0", b"{}", headers)  # it claims to be a copy, and is none
    wait_until(lambda: len(stage.seen("dead-letters")) == 1)
    forget(app)
    sent += [stage.send(placed(f"PO-{number}")) for number in range(12, 24)]
    with stage.open():
        found = stage.wait_for(len(sent))
        sent.append(stage.send(placed("PO-24")))
        stage.wait_for(len(sent))
    assert sorted(stage.answered()) == sorted(f"{partition}:{offset}" for partition, offset in sent)
    assert all(each["outcome"] == "accepted" for outcomes in found.values() for each in outcomes)
    copies = [record for record in stage.seen("commands") if "rescind-input" in dict(record.headers)]
    wrong = [1 for number, (partition, _) in enumerate(sent) if partition != home(f"PO-{number}", stage)]
    assert len(copies) == len(wrong) + 1


def input_topic(stage: Stage) -> str:
    """The id of the commands topic, as outcomes name it."""
    (first, *_) = stage.seen("outcomes")
    return dict(first.headers)["rescind-input"].decode().partition(":")[0]


@pytest.mark.slow
def test_an_engine_that_is_killed_repeatedly_forwards_each_input_once(stage: AnyPartition) -> None:
    killed_repeatedly(stage, 4, 3)
