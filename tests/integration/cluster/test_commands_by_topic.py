"""Commands that come by another partition than their order's, where each process follows a part of the partitions."""

import json
from typing import Any

import pytest
from confluent_kafka import Producer

from schemas.partitioning import partition_of
from tests.broker.fixtures import GROUP
from tests.integration.cluster.serving import PARTITIONS, Together
from tests.integration.command_topic.stage import placed
from tests.integration.kafka.waiting import wait_until
from tests.integration.publishing.stage import read_topic

pytestmark = [pytest.mark.kafka, pytest.mark.postgresql, pytest.mark.xdist_group(GROUP)]


def test_each_command_is_accepted_once_whichever_process_follows_its_partition(pair: Together) -> None:
    producer = Producer({"bootstrap.servers": pair.at.servers})  # as it is by default: CRC32 chooses the partition
    sent: dict[str, tuple[int, int]] = {}

    def delivered(error: object, message: Any) -> None:
        assert error is None, error
        sent[message.key().decode()] = (message.partition(), message.offset())

    for number in range(30):
        body = placed(f"CRC-{number}", policy="big-box")
        producer.produce(
            pair.at.commands,
            key=f"acme/CRC-{number}",
            value=json.dumps(body),
            headers={"rescind-ask": b"crc"},
            on_delivery=delivered,
        )
    assert producer.flush(60) == 0
    places = pair.places()
    assert {places[partition_of(key, PARTITIONS)] == places[by] for key, (by, _) in sent.items()} == {True, False}

    def answered() -> list[Any]:
        found = [record for records in read_topic(pair.at.servers, pair.at.outcomes).values() for record in records]
        return [record for record in found if dict(record.headers).get("rescind-ask") == b"crc"]

    wait_until(lambda: len(answered()) >= len(sent), 60)
    assert len(answered()) == len(sent)
    for record in answered():
        key, headers = record.key.decode().rpartition("/")[0], dict(record.headers)
        assert json.loads(record.value)["outcome"] == "accepted"
        assert record.partition == partition_of(key, PARTITIONS)
        assert headers["rescind-input"].decode().split(":")[1:] == [str(each) for each in sent[key]]
