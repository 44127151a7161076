"""Records and changes of a log by other writers, operators and clients, and how the journal reports them."""

import uuid
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Message, Producer

from consumers.log.follower import Follower
from consumers.ports.journal import AppendRefused, JournalMismatch, JournalUnavailable, LogChanged, LogCut, LogLost
from consumers.ports.log_values import Admitted, Rejected
from infra.kafka.journal import KafkaJournal
from infra.kafka.quiet_import import KafkaProducer, TopicPartition
from infra.local_state import memory_local_state
from schemas.partitioning import partition_of
from tests.broker.fixtures import SECOND_GROUP, Kafka
from tests.broker.topics import CLIENTS, QUICK, NotUtf8, admin, make_topic, new_topic, open_journal
from tests.integration.kafka.waiting import TIMEOUT, wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group(SECOND_GROUP)]

Open = Callable[..., KafkaJournal]


@pytest.fixture(params=CLIENTS)
def opened(request: pytest.FixtureRequest, kafka: Kafka) -> Iterator[Open]:
    """Opens a journal by each client; all are closed in the end."""
    made: list[KafkaJournal] = []

    def open_it(topic: str, partitions: int | None = None) -> KafkaJournal:
        made.append(open_journal(request.param, kafka.servers, topic, partitions, QUICK))
        return made[-1]

    yield open_it
    for journal in made:
        journal.close()


class Heard:
    """A listener that records its notifications."""

    def __init__(self) -> None:
        self.rejections: list[Rejected] = []

    def admitted(self, admitted: Admitted) -> None: ...

    def rejected(self, rejected: Rejected) -> None:
        self.rejections.append(rejected)


def transaction(kafka: Kafka, topic: str, *values: bytes, commit: bool) -> None:
    """Somebody writes in a transaction: it leaves a marker, an offset without a record."""
    producer = KafkaProducer(bootstrap_servers=kafka.servers, transactional_id=f"stranger-{uuid.uuid4()}")
    producer.init_transactions()
    producer.begin_transaction()
    for value in values:
        producer.send(topic, value=value, partition=0).get(TIMEOUT)
    (producer.commit_transaction if commit else producer.abort_transaction)()
    producer.close()


def test_offsets_that_hold_no_record_are_passed_wherever_they_are(kafka: Kafka, opened: Open) -> None:
    topic = new_topic(kafka, 1)
    journal = opened(topic)
    assert journal.append(0, b"", b"first").result(TIMEOUT).offset == 0
    follower = Follower(journal, 0, memory_local_state(0, 1), Heard())
    follower.start()
    assert follower.advance() == 1
    transaction(kafka, topic, b"committed", commit=True)
    transaction(kafka, topic, b"aborted", commit=False)
    end = 5
    wait_until(lambda: journal.end(0) == end)
    wait_until(lambda: not follower.advance() and follower.next_offset == end)
    later = Follower(opened(topic), 0, memory_local_state(0, 1), Heard())
    later.start()
    wait_until(lambda: not later.advance() and later.next_offset == end)
    assert [record.offset for record in journal.read(0, 0, 9)] == [0, 1, 3]
    assert journal.append(0, b"", b"last").result(TIMEOUT).offset == 5
    assert [record.value for record in journal.read(0, end, 9)] == [b"last"]
    assert follower.advance() == 1


def test_nothing_but_markers_is_an_empty_log_whose_end_is_reached(kafka: Kafka, opened: Open) -> None:
    topic = new_topic(kafka, 1)
    transaction(kafka, topic, b"x", commit=True)
    with admin(kafka.servers) as admin_client:
        admin_client.delete_records({TopicPartition(topic, 0): 1})
    journal = opened(topic)
    wait_until(lambda: journal.end(0) == 2)
    assert journal.read(0, 1, 9) == []
    assert journal.behind_hole(0, 1) == 2
    assert journal.behind_hole(0, 2) == 2


def test_arbitrary_bytes_in_the_journal_are_rejected_and_stop_nobody(kafka: Kafka, opened: Open) -> None:
    topic = new_topic(kafka, 1)
    stranger = KafkaProducer(bootstrap_servers=kafka.servers, compression_type="gzip")
    for value in (None, b"", b"\x00" * 10, b"not a record of ours", b"\xff" * 1000):
        stranger.send(topic, key=b"any", value=value, partition=0, headers=[("h", b"v")]).get(TIMEOUT)
    stranger.send(topic, value=b"a header of no letters", partition=0, headers=[(NotUtf8("h"), b"v")]).get(TIMEOUT)
    stranger.send(topic, value=b"behind it", partition=0).get(TIMEOUT)
    stranger.close()
    journal, listener = opened(topic), Heard()
    follower = Follower(journal, 0, memory_local_state(0, 1), listener)
    follower.start()
    wait_until(lambda: not follower.advance() and follower.next_offset == 7)
    assert [rejected.kind for rejected in listener.rejections] == ["malformed"] * 7


def test_partitions_are_chosen_as_kafkas_own_default_chooses_them(kafka: Kafka) -> None:
    topic = new_topic(kafka, 7)
    producer = KafkaProducer(bootstrap_servers=kafka.servers)
    for key in ("acme/PO-1", "acme/PO-2", "märkte/ÄÖ", "a", ""):
        landed = producer.send(topic, key=key.encode(), value=b"x").get(TIMEOUT)
        assert landed.partition == partition_of(key, 7), key
    producer.close()


def test_librdkafkas_murmur2_chooses_the_same_partitions(kafka: Kafka) -> None:
    topic = new_topic(kafka, 7)
    landed: dict[str, int | None] = {}
    producer = Producer({"bootstrap.servers": kafka.servers, "partitioner": "murmur2_random"})
    keys = ["acme/PO-1", "märkte/ÄÖ", "a", *(f"acme/PO-{number}" for number in range(2, 100))]
    for key in keys:

        def delivered(error: object, message: Message, key: str = key) -> None:
            assert error is None
            landed[key] = message.partition()

        producer.produce(topic, b"x", key.encode(), on_delivery=delivered)
    assert producer.flush(TIMEOUT) == 0
    assert landed == {key: partition_of(key, 7) for key in keys}
    assert set(landed.values()) == set(range(7))


# ---- what was acknowledged is gone -----------------------------------------------------------------------------------


def test_a_log_whose_beginning_was_deleted_is_reported(kafka: Kafka, opened: Open) -> None:
    topic = new_topic(kafka, 1)
    journal = opened(topic)
    for number in range(5):
        journal.append(0, b"", b"%d" % number).result(TIMEOUT)
    with admin(kafka.servers) as admin_client:
        admin_client.delete_records({TopicPartition(topic, 0): 3})
    other = opened(topic)
    with pytest.raises(LogCut, match="partition 0: the log begins at offset 3"):
        other.read(0, 0, 9)
    assert [record.value for record in other.read(0, 3, 9)] == [b"3", b"4"]


def test_a_recreated_topic_stops_the_journal_even_if_it_is_longer(kafka: Kafka, opened: Open) -> None:
    topic = new_topic(kafka, 2)
    journal = opened(topic)
    journal.append(0, b"", b"old").result(TIMEOUT)
    assert len(journal.read(0, 0, 9)) == 1
    with admin(kafka.servers) as admin_client:
        admin_client.delete_topics([topic])
    wait_until(lambda: is_missing(kafka, topic))
    make_topic(kafka.servers, topic, 2)
    new = opened(topic)
    for number in range(20):
        new.append(0, b"", b"new %d" % number).result(TIMEOUT)
    wait_until(lambda: stopped(journal, LogChanged))
    with pytest.raises(LogChanged, match="deleted and created again"):
        journal.read(0, 1, 9)
    refused = journal.append(0, b"", b"more").exception(TIMEOUT)
    assert isinstance(refused, AppendRefused)
    assert not refused.retriable
    assert new.identity != journal.identity
    follower = Follower(new, 0, memory_local_state(0, 2), Heard())
    follower.state.bind(journal.identity)
    with pytest.raises(LogChanged, match="replaced by another one"):
        follower.start()


def test_a_topic_that_is_gone_stops_the_journal(kafka: Kafka, opened: Open) -> None:
    topic = new_topic(kafka, 1)
    journal = opened(topic)
    journal.append(0, b"", b"x").result(TIMEOUT)
    with admin(kafka.servers) as admin_client:
        admin_client.delete_topics([topic])
    wait_until(lambda: stopped(journal, LogLost))
    with pytest.raises(LogLost, match="was deleted"):
        journal.read(0, 0, 1)


def test_more_partitions_than_there_were_stop_the_journal(kafka: Kafka, opened: Open) -> None:
    topic = new_topic(kafka, 1)
    journal = opened(topic)
    with admin(kafka.servers) as admin_client:
        admin_client.create_partitions({topic: 2})
    wait_until(lambda: stopped(journal, LogChanged))
    with pytest.raises(JournalMismatch, match="has 2 partitions, not 1"):
        opened(topic, 1)


def test_a_topic_that_is_not_there_is_not_waited_for(opened: Open) -> None:
    with pytest.raises(JournalUnavailable, match=r"there is no topic nobody\.journal"):
        opened("nobody.journal")


def test_both_clients_see_the_same_topic_the_same_way(kafka: Kafka) -> None:
    topic = new_topic(kafka, 3)
    one, two = (open_journal(client, kafka.servers, topic) for client in CLIENTS)
    for number in range(30):
        (one, two)[number % 2].append(number % 3, b"", b"%d" % number).result(TIMEOUT)
    assert (one.identity, one.partitions, one.record_limit) == (two.identity, two.partitions, two.record_limit)
    for partition in range(3):
        assert one.read(partition, 0, 99) == two.read(partition, 0, 99)
        assert one.end(partition) == two.end(partition) == 10
    one.close()
    two.close()


def is_missing(kafka: Kafka, topic: str) -> bool:
    with admin(kafka.servers) as admin_client:
        return bool(admin_client.describe_topics([topic])[0]["error_code"])


def stopped(journal: KafkaJournal, by: type[Exception]) -> bool:
    try:
        journal.end(0)
    except by:
        return True
    except JournalUnavailable:
        return False
    return False
