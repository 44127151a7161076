"""Brokers killed, frozen, cut and damaged under a journal that is in use: every append is answered in bounded time,
acknowledged records are there or their loss is reported, and everything continues without a restart."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from consumers.ports.journal import (
    Appended,
    AppendRefused,
    AppendUnknown,
    JournalDamaged,
    JournalError,
    JournalUnavailable,
    LogLost,
)
from infra.kafka.journal import KafkaJournal
from tests.broker.local import LocalCluster
from tests.broker.topics import QUICK, admin, make_topic, open_journal
from tests.integration.kafka.waiting import TIMEOUT, wait_until

pytestmark = [pytest.mark.kafka]

TOPIC = "t.journal"
Make = Callable[..., LocalCluster]
Open = Callable[[LocalCluster], KafkaJournal]


@pytest.fixture(params=["kafka-python", pytest.param("librdkafka", marks=pytest.mark.slow)])
def opened(request: pytest.FixtureRequest) -> Iterator[Open]:
    made: list[KafkaJournal] = []

    def open_it(cluster: LocalCluster) -> KafkaJournal:
        made.append(open_journal(request.param, cluster.servers, TOPIC, timings=QUICK))
        return made[-1]

    yield open_it
    for journal in made:
        journal.close()


@pytest.fixture
def one(cluster: Make) -> LocalCluster:
    """One broker with one topic of one partition."""
    made = cluster(1)
    make_topic(made.servers, TOPIC, 1)
    return made


def append(journal: KafkaJournal, value: bytes) -> Future[Appended]:
    return journal.append(0, b"key", value)


def appended(journal: KafkaJournal, value: bytes) -> Appended:
    """Append, and retry while the record is certainly not written."""
    until = time.monotonic() + TIMEOUT
    while True:
        error = append(journal, value).exception(TIMEOUT)
        if error is None:
            return journal_where(journal, value)
        assert isinstance(error, AppendRefused) and error.retriable, error
        assert time.monotonic() < until
        time.sleep(0.05)


def journal_where(journal: KafkaJournal, value: bytes) -> Appended:
    found = [record for record in everything(journal) if record[1] == value]
    assert len(found) == 1
    return Appended(found[0][0], 0)


def everything(journal: KafkaJournal) -> list[tuple[int, bytes]]:
    """All of the log, to its end."""

    found: list[tuple[int, bytes]] = []

    def read() -> bool:
        try:
            end = journal.end(0)
            while records := journal.read(0, len(found), 1000):
                found.extend((record.offset, record.value) for record in records)
        except JournalUnavailable:
            return False
        return len(found) >= end

    wait_until(read)
    return found


def an_outage(journal: KafkaJournal, begin: Callable[[], Any], end: Callable[[], Any]) -> None:
    """The checks of an outage of the brokers."""
    assert journal.read(0, 0, 99) == []  # from now on the newest records are cached
    known = {b"before %d" % n: append(journal, b"before %d" % n).result(TIMEOUT).offset for n in range(20)}
    last = max(known.values()) + 1
    assert len(everything(journal)) == 20
    begin()
    under_way = {b"under way %d" % n: append(journal, b"under way %d" % n) for n in range(20)}
    began = time.monotonic()
    for future in under_way.values():
        assert isinstance(future.exception(TIMEOUT), AppendUnknown)
    assert time.monotonic() - began < QUICK.delivery + 5
    refused = append(journal, b"refused").exception(TIMEOUT)
    assert isinstance(refused, AppendRefused)
    assert refused.retriable
    with pytest.raises(JournalUnavailable):
        journal.end(0)
    assert len(journal.read(0, 0, 99)) == 20, "what is known can be read all the while"
    assert journal.read(0, last, 99) == []
    end()
    appended(journal, b"afterwards")
    log = everything(journal)
    assert [offset for offset, _ in log] == list(range(len(log)))
    values = [value for _, value in log]
    assert len(set(values)) == len(values), "no record is there twice"
    assert {value: offset for offset, value in log if value in known} == known
    assert b"refused" not in values
    assert set(values) <= {*known, *under_way, b"afterwards"}


def test_a_frozen_broker_leaves_nobody_waiting_and_all_goes_on_when_it_thaws(one: LocalCluster, opened: Open) -> None:
    an_outage(opened(one), one.node(1).freeze, one.node(1).thaw)


def test_a_broker_that_is_killed_and_restarted_has_all_that_it_acknowledged(one: LocalCluster, opened: Open) -> None:
    an_outage(opened(one), one.node(1).kill, lambda: one.restart(1))


def test_a_short_freeze_is_not_even_noticed(one: LocalCluster, opened: Open) -> None:
    journal = opened(one)
    append(journal, b"first").result(TIMEOUT)
    one.node(1).freeze()
    futures = [append(journal, b"%d" % n) for n in range(50)]
    time.sleep(QUICK.request + 0.5)  # long enough for the client to retry
    one.node(1).thaw()
    assert [future.result(TIMEOUT).offset for future in futures] == list(range(1, 51))
    assert [value for _, value in everything(journal)] == [b"first", *(b"%d" % n for n in range(50))]


def test_a_truncated_log_is_reported_to_readers_that_were_further(one: LocalCluster, opened: Open) -> None:
    journal = opened(one)
    for _ in range(10):
        append(journal, b"x" * 100).result(TIMEOUT)
    assert len(everything(journal)) == 10
    one.node(1).kill()
    segment = one.node(1).logs / f"{TOPIC}-0" / f"{0:020}.log"
    size = segment.stat().st_size
    with segment.open("r+b") as file:
        file.truncate(size - size // 4)
    one.restart(1)

    def is_reported(call: Callable[[], object]) -> bool:
        try:
            call()
        except LogLost:
            return True
        except JournalError:
            return False
        return False

    wait_until(lambda: is_reported(lambda: journal.read(0, 10, 1)))
    fresh = opened(one)
    assert fresh.end(0) == 7
    with pytest.raises(LogLost, match="there is no offset 10"):
        fresh.read(0, 10, 1)
    assert fresh.identity == journal.identity


def test_a_flipped_bit_on_the_brokers_disk_is_reported_and_the_record_is_never_used(
    one: LocalCluster, opened: Open
) -> None:
    journal = opened(one)
    for number in range(3):
        append(journal, b"a long enough record %d" % number).result(TIMEOUT)
    one.node(1).terminate()  # after a kill the broker itself would look at its log, and cut it
    segment = one.node(1).logs / f"{TOPIC}-0" / f"{0:020}.log"
    content = segment.read_bytes()
    segment.write_bytes(content.replace(b"enough record 1", b"enougi record 1"))
    one.restart(1)
    fresh = opened(one)

    def damaged() -> bool:
        try:
            found = fresh.read(0, 1, 1)
        except JournalDamaged:
            return True
        except JournalUnavailable:
            return False
        raise AssertionError(found)

    wait_until(damaged)
    assert fresh.read(0, 2, 1)[0].value == b"a long enough record 2"


def test_the_leader_of_three_is_killed_and_not_one_append_is_lost_or_doubled(cluster: Make, opened: Open) -> None:
    three = cluster(3)
    make_topic(three.servers, TOPIC, 1, replicas=3)
    journal = opened(three)
    futures = {b"%d" % n: append(journal, b"%d" % n) for n in range(100)}
    for future in futures.values():
        future.result(TIMEOUT)
    with admin(three.servers) as admin_client:
        (partition,) = admin_client.describe_topics([TOPIC])[0]["partitions"]
    three.node(partition["leader_id"]).kill()
    for number in range(100, 300):
        futures[b"%d" % number] = append(journal, b"%d" % number)
    answers = {value: future.exception(TIMEOUT) for value, future in futures.items()}
    appended(journal, b"afterwards")
    values = [value for _, value in everything(journal)]
    assert len(set(values)) == len(values)
    acknowledged = {value for value, error in answers.items() if error is None}
    assert acknowledged <= set(values)
    for error in answers.values():
        assert error is None or isinstance(error, AppendUnknown | AppendRefused)
    refused = {value for value, error in answers.items() if isinstance(error, AppendRefused)}
    assert not refused & set(values)


@pytest.mark.slow
def test_too_few_replicas_take_nothing_and_all_goes_on_when_they_are_back(cluster: Make, opened: Open) -> None:
    three = cluster(3)
    make_topic(three.servers, TOPIC, 1, replicas=3)
    journal = opened(three)
    known = [append(journal, b"before %d" % n).result(TIMEOUT).offset for n in range(5)]
    with admin(three.servers) as admin_client:
        (partition,) = admin_client.describe_topics([TOPIC])[0]["partitions"]
    others = [node.number for node in three.nodes if node.number != partition["leader_id"]]
    for number in others:
        three.node(number).kill()
    error = append(journal, b"in between").exception(TIMEOUT)
    assert isinstance(error, AppendUnknown | AppendRefused)

    def reads_what_was_acknowledged() -> bool:
        try:
            return len(journal.read(0, 0, 99)) == len(known)
        except JournalUnavailable:  # a client may need several questions to find the leader that is left
            return False

    wait_until(reads_what_was_acknowledged)
    for number in others:
        three.node(number).start()
    three.wait()
    appended(journal, b"afterwards")
    values = [value for _, value in everything(journal)]
    assert values[: len(known)] == [b"before %d" % n for n in range(5)]
    assert values.count(b"afterwards") == 1
    assert values.count(b"in between") <= 1
