"""Commands that are sent to another process: the records on the topic, the owner of each answer, and the result without
an answer. The process that follows the orders is simulated here; the other files have a real one."""

import json
from collections.abc import Iterator
from concurrent.futures import TimeoutError as Late
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer

from consumers.ports.vault import VaultUnavailable
from domain.commands import Command, parse_command
from infra.addresses.kafka import KafkaAt, Security, kafka_at
from infra.cluster.remote_commands import MaybeSubmitted, NotSubmitted, RemoteCommandClient
from infra.command_topic.records import ASK, CONFIRM, IF_MATCH, STATUS, read_command, response_of
from infra.command_topic.topics import CommandTopics
from infra.settings import load_settings
from infra.vault.base import DatabaseVault
from infra.vault.opening import open_vault
from schemas.partitioning import partition_of
from tests.broker.fixtures import GROUP, Kafka
from tests.integration.kafka.waiting import wait_until
from tests.integration.publishing.stage import read_topic

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group(GROUP)]

PARTITIONS = 3
TEXT = "What becomes of my order?"


def message(order: str, text: str = TEXT) -> Command:
    body = {
        "command": "SendMessage", "command_id": "k1", "marketplace": "acme", "order_id": order, "message_id": "m1",
        "actor": {"kind": "buyer", "id": "b-7"}, "to": "seller", "text": text,
    }  # fmt: skip
    return parse_command(body)


class Stage:
    def __init__(self, at: KafkaAt, vault: DatabaseVault) -> None:
        self.at = at
        self.vault = vault
        self.client = RemoteCommandClient(at, PARTITIONS, Security(), vault)
        self.client.start()
        self._producer = KafkaProducer(bootstrap_servers=at.servers.split(","), reconnect_backoff_max_ms=200)

    def close(self) -> None:
        self.client.stop()
        self._producer.close()

    def commands(self) -> list[Any]:
        """The records of the commands topic, by time."""
        found = [record for records in read_topic(self.at.servers, self.at.commands).values() for record in records]
        return sorted(found, key=lambda record: record.timestamp)

    def answer(self, ask_id: bytes | None, partition: int, **body: Any) -> None:
        """As the process that follows a partition does."""
        headers = [(STATUS, b"200"), ("content-type", b"application/json"), ("etag", b'"7"')]
        headers += [] if ask_id is None else [(ASK, ask_id)]
        value = json.dumps({"outcome": "accepted", **body}).encode()
        self._producer.send(self.at.outcomes, value, b"key", headers, partition).get(30)


@pytest.fixture
def stage(kafka: Kafka, tmp_path: Path) -> Iterator[Stage]:
    at = kafka_at(f"{kafka.servers}/{kafka.prefix()}")
    topics = CommandTopics(at, Security())
    topics.create(PARTITIONS)
    topics.close()
    vault = open_vault(load_settings(journal=f"sqlite:///{tmp_path}/journal"))
    made = Stage(at, vault)
    yield made
    made.close()
    vault.close()


def test_a_command_is_in_the_partition_of_its_order_with_its_request_id_and_without_its_text(stage: Stage) -> None:
    for number in range(6):
        stage.client.submit(message(f"PO-{number}"), number or None, confirmed=number % 2 == 0)
    wait_until(lambda: len(stage.commands()) == 6)
    ask_ids = set()
    for record in stage.commands():
        headers = dict(record.headers)
        command = read_command(record.value)
        number = int(command.order_id.removeprefix("PO-"))
        assert record.key == command.stream.encode()
        assert record.partition == partition_of(command.stream, PARTITIONS)
        assert headers.get(IF_MATCH) == (str(number).encode() if number else None)
        assert headers.get(CONFIRM) == (b"required" if number % 2 == 0 else None)
        assert TEXT.encode() not in record.value
        assert command.fingerprint == message(command.order_id).fingerprint
        sealed = command.text.sealed  # type: ignore[attr-defined]
        assert stage.vault.open(sealed.reference) == TEXT
        assert stage.vault.proves(sealed)
        ask_ids.add(headers[ASK])
    assert len(ask_ids) == 6


def test_each_request_gets_its_own_answer_among_others(stage: Stage) -> None:
    futures = [stage.client.submit(message(f"PO-{number}"), None, False) for number in range(4)]
    wait_until(lambda: len(stage.commands()) == 4)
    stage.answer(None, 0, who="nobody")
    stage.answer(b"somebody-else-1", 1, who="another process")
    for record in reversed(stage.commands()):
        stage.answer(dict(record.headers)[ASK], record.partition, who=json.loads(record.value)["order_id"])
        stage.answer(dict(record.headers)[ASK], record.partition, who="the same again")
    for number, future in enumerate(futures):
        response = response_of(*future.result(30))
        assert (response.status_code, response.headers["etag"]) == (200, '"7"')
        assert json.loads(bytes(response.body))["who"] == f"PO-{number}"
    assert stage.client.open == 0


def test_a_request_without_an_answer_times_out_and_a_late_answer_does_no_harm(stage: Stage) -> None:
    future = stage.client.submit(message("PO-1"), None, False)
    with pytest.raises(Late):
        future.result(0.2)
    future.cancel()
    wait_until(lambda: len(stage.commands()) == 1)
    (record,) = stage.commands()
    stage.answer(dict(record.headers)[ASK], record.partition)
    second = stage.client.submit(message("PO-1"), None, False)
    wait_until(lambda: len(stage.commands()) == 2)
    stage.answer(dict(stage.commands()[1].headers)[ASK], record.partition, second=True)
    assert json.loads(second.result(30).value)["second"] is True
    assert stage.client.open == 0


def test_a_command_whose_text_the_vault_cannot_store_is_not_sent(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise VaultUnavailable("the vault cannot be written to")

    monkeypatch.setattr(stage.vault, "flush", full)
    with pytest.raises(NotSubmitted, match="cannot be written") as turned_away:
        stage.client.submit(message("PO-1"), None, False)
    assert turned_away.value.rule == "vault-unavailable"
    monkeypatch.undo()
    stage.client.submit(message("PO-2"), None, False)
    wait_until(lambda: len(stage.commands()) > 0)
    assert [record.key for record in stage.commands()] == [b"acme/PO-2"]


def test_a_request_that_waits_when_the_process_ends_has_an_unknown_outcome(stage: Stage) -> None:
    future = stage.client.submit(message("PO-1"), None, False)
    stage.client.stop()
    with pytest.raises(MaybeSubmitted):
        future.result(0)


def test_while_no_broker_answers_no_command_is_sent(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.cluster.remote_commands.HOLD", 0.5)
    away = RemoteCommandClient(KafkaAt("127.0.0.1:9", stage.at.prefix), PARTITIONS, Security(), stage.vault)
    away.start()
    with pytest.raises(NotSubmitted) as turned_away:
        away.submit(message("PO-1"), None, False)
    assert turned_away.value.rule == "journal-unavailable"
    away.stop()
