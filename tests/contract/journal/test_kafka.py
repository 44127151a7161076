"""The journal on Kafka: the contract, against a real broker, with each client."""

import random
import time
from collections.abc import Iterator

import pytest

from infra.kafka.journal import KafkaJournal
from tests.broker.fixtures import GROUP, Kafka
from tests.broker.topics import CLIENTS, new_topic, open_journal
from tests.contract.journal.contract import JournalContract, check_that_any_records_come_back

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group(GROUP)]


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
        handle = open_journal(self.client, self.servers, self.name, JournalContract.PARTITIONS)
        self.handles.append(handle)
        return handle


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
def test_any_records_come_back(kafka: Kafka, client: str, seed: int) -> None:
    chance = random.Random(seed)  # Hypothesis does not like what the clients' threads do with chance meanwhile
    records = [(chance.randrange(3), chance.randbytes(chance.randrange(300))) for _ in range(30)]
    check_that_any_records_come_back(KafkaTopic(kafka, client).open(), records)
