"""The journal on Kafka: the contract, against a real broker, with each client."""

import random
import time
from collections.abc import Iterator

import pytest

from infra.addresses.kafka import Timings
from infra.kafka import reading
from infra.kafka.journal import KafkaJournal
from tests.broker.fixtures import SECOND_GROUP, Kafka
from tests.broker.topics import CLIENTS, cut_front, new_topic, open_journal
from tests.contract.journal.contract import JournalContract, check_that_any_records_are_read_back
from tests.integration.kafka.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group(SECOND_GROUP)]

QUICK_TO_LOOK = Timings(check_begins=0.2)


class KafkaTopic:
    def __init__(self, kafka: Kafka, client: str) -> None:
        self.servers = kafka.servers
        self.client = client
        self.name = new_topic(kafka, JournalContract.PARTITIONS)
        self.handles: list[KafkaJournal] = []

    @staticmethod
    def clock() -> int:
        """The broker's clock is this machine's, in whole milliseconds: an instant between two of them."""
        now = time.time_ns() // 1_000_000
        while time.time_ns() // 1_000_000 == now:
            pass
        return (now + 1) * 1000 - 1

    def open(self) -> KafkaJournal:
        handle = open_journal(self.client, self.servers, self.name, JournalContract.PARTITIONS, QUICK_TO_LOOK)
        self.handles.append(handle)
        return handle

    def cut_front(self, partition: int, begin: int) -> None:
        cut_front(self.servers, self.name, partition, begin)


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> str:
    """Which client the journal uses."""
    name: str = request.param
    return name


@pytest.fixture
def topic(kafka: Kafka, client: str) -> Iterator[KafkaTopic]:
    made = KafkaTopic(kafka, client)
    yield made
    for handle in made.handles:
        handle.close()


class TestKafkaJournal(JournalContract):
    @pytest.fixture
    def another_topic(self, kafka: Kafka, client: str) -> Iterator[KafkaTopic]:
        made = KafkaTopic(kafka, client)
        yield made
        for handle in made.handles:
            handle.close()


@pytest.mark.parametrize("seed", range(3))
def test_any_records_are_read_back(kafka: Kafka, client: str, seed: int) -> None:
    chance = random.Random(seed)  # Hypothesis rejects the random numbers that the clients' threads draw
    records = [(chance.randrange(3), chance.randbytes(chance.randrange(300))) for _ in range(30)]
    check_that_any_records_are_read_back(KafkaTopic(kafka, client).open(), records)


def test_records_that_nobody_reads_are_not_fetched_and_can_be_read_later(
    topic: KafkaTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_IDLE", 0.3)
    writer, reader = topic.open(), topic.open()

    def wrote(partition: int, *values: bytes) -> None:
        for value in values:
            writer.append(partition, b"", value).result(30)

    def read_values(partition: int, offset: int) -> list[bytes]:
        assert reader.end(partition) > offset
        return [record.value for record in reader.read(partition, offset, 100)]

    def followed(*partitions: int) -> bool:
        assert reader._tail is not None
        for partition in partitions:
            reader.read(partition, reader.end(partition), 1)
        return set(reader._tail.windows) == set(partitions)

    wrote(0, b"a0")
    wrote(1, b"b0")
    assert (read_values(0, 0), read_values(1, 0)) == ([b"a0"], [b"b0"])
    wait_until(lambda: followed(1))
    wrote(0, b"a1", b"a2")
    wrote(1, b"b1")
    assert read_values(1, 1) == [b"b1"]
    assert read_values(0, 1) == [b"a1", b"a2"]
    wrote(0, b"a3")
    assert reader.wait(0, 3, 30)
    assert read_values(0, 3) == [b"a3"]
    assert set(reader._tail.windows) >= {0}  # type: ignore[union-attr]
    wait_until(followed)
    wrote(0, b"a4")
    assert read_values(0, 4) == [b"a4"]
    wrote(0, b"a5")
    wait_until(lambda: [record.value for record in reader.ready(0, 5, 10)] == [b"a5"])
    wait_until(lambda: followed(0))
