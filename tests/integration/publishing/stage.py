"""A journal in a file, public topics on a real broker, publishers in processes, and what a reader then sees."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from consumers.log.admission import Admission, MemoryHeads
from consumers.ports.log_values import Admitted
from consumers.ports.public_log import PublicRecord
from consumers.publishing.public_records import Publisher
from infra.addresses.kafka import KafkaAt, Security, kafka_at
from infra.journals.sqlite import open_sqlite_journal
from infra.publishing.topics import PublicTopics
from schemas.public.ids import PinnedIds
from schemas.public.topics import EVENTS, INSTRUCTIONS, topic_name
from schemas.record import encode_record
from tests.spec.projections.histories import History

TIMEOUT = 60.0
ROOT = Path(__file__).parents[3]


def wait_until(true: Callable[[], bool], timeout: float = TIMEOUT) -> None:
    """Wait until it is so."""
    until = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.02)


def a_history(partitions: int, orders: int) -> History:
    """Orders placed, shipped in part, refunded; and some that are cancelled."""
    history = History(partitions)
    for number in range(orders):
        name = f"PO-{number}"
        history.place(name)
        if number % 3:
            history.send("Ship", name, "2026-03-02T11:00:00Z", shipment_id="s1", lines=[{"line": 1, "quantity": 3}])
        else:
            history.send("CancelLines", name, "2026-03-02T11:00:00Z", actor="seller", reason="out_of_stock")
        history.send("ConfirmRefund", name, "2026-03-02T12:00:00Z", refund_id="refund-1")
    return history


class Killable:
    """A process that prints its progress."""

    process: subprocess.Popen[str]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(TIMEOUT)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def freeze(self) -> None:
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)


class Child(Killable):
    """A publishing process."""

    def __init__(self, stage: "Stage", name: str) -> None:
        order = [sys.executable, "-m", "tests.integration.publishing.child", str(stage.file), str(stage.folder / name)]
        self.process = subprocess.Popen(
            [*order, str(stage.at)], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )

    def ready(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "publishing\n"


class Stage:
    """Everything of one test."""

    def __init__(self, folder: Path, servers: str, prefix: str, partitions: int) -> None:
        self.folder = folder
        self.file = folder / "journal.sqlite"
        self.partitions = partitions
        self.at: KafkaAt = kafka_at(f"{servers}/{prefix}")
        topics = PublicTopics(self.at, Security())
        topics.create(partitions)
        topics.close()
        self.journal = open_sqlite_journal(self.file, partitions)
        self.children: list[Child] = []

    def __enter__(self) -> "Stage":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        for child in self.children:
            if child.process.poll() is None:
                child.thaw()
                child.kill()
        self.journal.close()

    def child(self, name: str) -> Child:
        """A new process; ``name`` is where its local state is."""
        child = Child(self, name)
        self.children.append(child)
        return child

    @staticmethod
    def records(history: History) -> Iterator[tuple[int, bytes]]:
        """Journal records of a history, a commit each, of all partitions in turn."""
        logs = [list(log.state.commits()) for log in history.logs]
        for number in range(max(map(len, logs))):
            for partition, commits in enumerate(logs):
                if number < len(commits):
                    yield partition, encode_record("test", [commits[number].data])

    def append(self, partition: int, record: bytes) -> None:
        self.journal.append(partition, b"", record).result(TIMEOUT)

    # ---- what is seen ------------------------------------------------------------------------------------------------

    def expected(self, history: History) -> dict[tuple[str, int], list[PublicRecord]]:
        """The records that the journal implies as it is now, by kind and partition."""
        made: dict[tuple[str, int], list[PublicRecord]] = {}
        for partition, log in enumerate(history.logs):
            publisher = Publisher(partition, log.state, PinnedIds())
            for kind in (EVENTS, *INSTRUCTIONS):
                made[kind, partition] = []
            for admitted in self.admitted(partition):
                records, failed = publisher.records(admitted, {})
                assert not failed
                for record in records:
                    made[record.kind, partition].append(record)
        return made

    def admitted(self, partition: int) -> Iterator[Admitted]:
        """The journal's own history."""
        admission = Admission(partition, self.partitions, MemoryHeads())
        offset = 0
        while records := self.journal.read(partition, offset, 500):
            offset = records[-1].offset + 1
            for record in records:
                for verdict in admission.take(record):
                    if isinstance(verdict, Admitted):
                        yield verdict

    def seen(self, kind: str, *, committed: bool = True) -> Mapping[int, list[Any]]:
        """The records of the topic for a reader, by partition."""
        return read_topic(self.at.servers, topic_name(self.at.prefix, kind), committed=committed)

    def all_seen_once(self, history: History, timeout: float = TIMEOUT) -> None:
        """Wait until everything is there; then every record is there once, in order."""
        expected = self.expected(history)
        wanted = sum(len(records) for (kind, _), records in expected.items() if kind == EVENTS)

        def there() -> bool:
            return sum(map(len, self.seen(EVENTS).values())) >= wanted

        wait_until(there, timeout)
        for kind in (EVENTS, *INSTRUCTIONS):
            seen = self.seen(kind)
            for partition in range(self.partitions):
                assert [(r.key, r.value, tuple(r.headers)) for r in seen[partition]] == [
                    (r.key, r.value, r.headers) for r in expected[kind, partition]
                ], f"{kind}, partition {partition}"


def read_topic(servers: str, name: str, *, committed: bool = True) -> dict[int, list[Any]]:
    """A whole topic, by partition."""
    consumer = KafkaConsumer(
        bootstrap_servers=servers.split(","),
        group_id=None,
        auto_offset_reset="none",
        enable_auto_commit=False,
        isolation_level="read_committed" if committed else "read_uncommitted",
        reconnect_backoff_max_ms=200,
        fetch_max_wait_ms=20,
    )
    try:
        places = [TopicPartition(name, number) for number in sorted(consumer.partitions_for_topic(name))]
        found: dict[int, list[Any]] = {place.partition: [] for place in places}
        ends = consumer.end_offsets(places)
        consumer.assign(places)
        for place in places:
            consumer.seek(place, 0)
        open_ = {place for place in places if ends[place]}
        until = time.monotonic() + TIMEOUT
        while open_ := {place for place in open_ if consumer.position(place) < ends[place]}:
            assert time.monotonic() < until, f"{name} does not reach its end"
            for place, records in consumer.poll(timeout_ms=100).items():
                found[place.partition] += records
        return found
    finally:
        consumer.close(autocommit=False)
