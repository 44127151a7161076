"""Topics and journals on a test's broker."""

from typing import Any

from kafka import KafkaAdminClient, TopicPartition

from infra.addresses.kafka import Timings
from infra.kafka.admin import wanted_settings
from infra.kafka.journal import KafkaJournal
from infra.kafka.kafka_python import open_kafka_journal
from infra.kafka.librdkafka import open_librdkafka_journal
from tests.broker.fixtures import Kafka

CLIENTS = ("kafka-python", "librdkafka")
"""Every client that the journal can use."""

QUICK = Timings(query=2.0, request=1.0, delivery=4.0, hold=1.0, check_topic=0.2, lag=2.0)
"""For tests in which brokers do not answer: nothing is waited for as long as in earnest."""


def admin(servers: str) -> KafkaAdminClient:
    return KafkaAdminClient(bootstrap_servers=servers.split(","), reconnect_backoff_max_ms=200)


def new_topic(kafka: Kafka, partitions: int) -> str:
    """A topic that nobody has used, with the settings of a journal."""
    name = f"{kafka.prefix()}.journal"
    make_topic(kafka.servers, name, partitions)
    return name


def make_topic(servers: str, name: str, partitions: int, replicas: int = 1, **settings: str) -> None:
    """``settings``: with underscores where Kafka has dots."""
    more = {key.replace("_", "."): value for key, value in settings.items()}
    made: dict[str, Any] = {"num_partitions": partitions, "replication_factor": replicas}
    with admin(servers) as client:
        client.create_topics({name: made | {"configs": wanted_settings(replicas) | more}}, timeout_ms=30_000)
        client.wait_for_topics([name], timeout_ms=30_000)


def cut_front(servers: str, topic: str, partition: int, begin: int) -> None:
    """Delete the records before this offset, as `kafka-delete-records` does."""
    with admin(servers) as client:
        client.delete_records({TopicPartition(topic, partition): begin}, timeout_ms=30_000)


def open_journal(
    client: str, servers: str, topic: str, partitions: int | None = None, timings: Timings | None = None, **more: Any
) -> KafkaJournal:
    """A journal by the client with this name."""
    opened = open_kafka_journal if client == "kafka-python" else open_librdkafka_journal
    return opened(servers, topic, partitions, timings=timings, **more)


class NotUtf8(str):
    """A header's name that Kafka takes from any client, and this language has no string for."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return b"\xff\xfe"
