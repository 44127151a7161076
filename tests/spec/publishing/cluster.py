"""Public topics in memory, with transactions, fencing and a plan of what goes wrong; and a journal to publish from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from consumers.log.follower import Follower
from consumers.ports.log_values import Admitted
from consumers.ports.public_log import (
    Fenced,
    OffsetRange,
    PublicLogUnavailable,
    PublicRecord,
    TopicAt,
    TopicFailed,
    TopicSick,
)
from consumers.publishing.partition_publisher import PartitionPublisher, PublisherLimits, PublisherOptions
from domain.instants import Instant, parse_instant
from infra.journals.memory import MemoryLog
from infra.local_state import memory_local_state
from schemas.commit import encode_commit
from schemas.public.ids import PinnedIds
from schemas.public.topics import PUBLISHED, WRITTEN
from schemas.record import encode_record
from tests.spec.projections.histories import History, Log

Fate = Literal["ok", "refused", "dies-before-progress", "dies-before-commit", "answer-lost"]
MONDAY = parse_instant("2026-03-02T10:00:00Z")
LIMITS = PublisherLimits(records=6, retry=0, look=0, take_over=5, lazily=0, letters=0, heal=3)


@dataclass
class Transaction:
    state: Literal["open", "committed", "aborted"] = "open"


@dataclass
class Topic:
    id: str
    records: list[tuple[PublicRecord | None, Transaction]] = field(default_factory=list)
    """None: the marker at a transaction's end, which takes an offset too."""

    @property
    def committed(self) -> list[PublicRecord]:
        return [record for record, of in self.records if record is not None and of.state == "committed"]


class Cluster:
    """One partition of the public topics."""

    def __init__(self) -> None:
        self.topics = {kind: Topic(f"{kind}-0") for kind in (*WRITTEN, PUBLISHED)}
        self.epoch = 0
        self.open: list[tuple[Transaction, list[Topic]]] = []
        self.sick: dict[str, TopicSick] = {}
        """Topics that are visibly wrong."""
        self.refuses: set[str] = set()
        """Topics that take no records, which only a writer notices."""

    def read(self, kind: str) -> list[PublicRecord]:
        """The records that a read_committed reader sees."""
        return self.topics[kind].committed

    def end(self, transaction: Transaction, touched: list[Topic], state: Literal["committed", "aborted"]) -> None:
        transaction.state = state
        for topic in touched:
            topic.records.append((None, transaction))


class FakeLog:
    """``PublicLog`` of one process."""

    def __init__(self, cluster: Cluster, plan: Callable[[], Fate] = lambda: "ok") -> None:
        self._cluster = cluster
        self._epoch = -1
        self.plan = plan
        self.away = False

    def _reach(self) -> None:
        if self.away:
            raise PublicLogUnavailable("no broker answers")

    def committed(self) -> dict[str, bytes]:
        self._reach()
        found: dict[str, bytes] = {}
        for record in self._cluster.read(PUBLISHED):
            if record.value:
                found[record.key.decode()] = record.value
            else:
                found.pop(record.key.decode(), None)
        return found

    def topics(self) -> Mapping[str, TopicAt | TopicSick]:
        self._reach()
        topics = {kind: TopicAt(topic.id, len(topic.records)) for kind, topic in self._cluster.topics.items()}
        return {**topics, **self._cluster.sick}

    def take_over(self) -> None:
        self._reach()
        cluster = self._cluster
        cluster.epoch += 1
        self._epoch = cluster.epoch
        while cluster.open:
            cluster.end(*cluster.open.pop(), "aborted")

    def write(
        self, records: Sequence[PublicRecord], then: Callable[[Mapping[str, OffsetRange]], Sequence[PublicRecord]]
    ) -> None:
        self._reach()
        cluster = self._cluster
        if self._epoch != cluster.epoch:
            raise Fenced
        fate = self.plan()
        if fate == "refused":
            raise PublicLogUnavailable("refused")
        transaction, touched = Transaction(), []
        spans: dict[str, OffsetRange] = {}

        def send(record: PublicRecord) -> None:
            topic = cluster.topics[record.kind]
            if topic not in touched:
                touched.append(topic)
            offset = len(topic.records)
            spans[record.kind] = OffsetRange(spans[record.kind].first if record.kind in spans else offset, offset)
            topic.records.append((record, transaction))

        for record in records:
            send(record)
        cluster.open.append((transaction, touched))
        refused = {kind for kind in spans if kind in cluster.refuses or kind in cluster.sick}
        if refused:
            raise TopicFailed(dict.fromkeys(refused, "not allowed"))
        if fate == "dies-before-progress":
            raise PublicLogUnavailable(fate)
        try:
            for note in then(dict(spans)):
                send(note)
        except BaseException:
            cluster.open.pop()
            cluster.end(transaction, touched, "aborted")
            raise
        if fate == "dies-before-commit":
            raise PublicLogUnavailable(fate)
        cluster.open.pop()
        cluster.end(transaction, touched, "committed")
        if fate == "answer-lost":
            raise PublicLogUnavailable(fate)

    def let_go(self) -> None:
        """Leave its transaction open until another publisher takes over."""


class Process:
    """A publisher with its own follower of the journal."""

    def __init__(self, log: MemoryLog, cluster: Cluster, plan: Callable[[], Fate] = lambda: "ok") -> None:
        self.journal = log.journal()
        self.state = memory_local_state(0, len(log.records))
        self.log = FakeLog(cluster, plan)
        self.follower = Follower(self.journal, 0, self.state, self)
        self.follower.start()
        self.publisher = PartitionPublisher(
            "rescind", 0, self.journal, self.state, self.log, PinnedIds(), PublisherOptions(LIMITS)
        )
        self.hears = True

    def admitted(self, admitted: Admitted) -> None:
        if self.hears:
            self.publisher.admitted(admitted)

    def rejected(self, rejected: object) -> None: ...

    def follow(self) -> None:
        while self.follower.advance():
            pass

    def run(self, now: Instant = 0, most: int = 200) -> Instant:
        """Follow and publish until there is nothing to do."""
        self.follow()
        for _ in range(most):
            now += 1
            if not self.publisher.step(now):
                return now
        raise AssertionError("it never ends")


def new_log(partitions: int = 1) -> MemoryLog:
    return MemoryLog(partitions, lambda: MONDAY, identity="journal-0")


def append(log: MemoryLog, *values: bytes) -> None:
    """Append records with these bytes."""
    journal = log.journal()
    for value in values:
        journal.append(0, b"", value).result(0)


def copy(history: Log, log: MemoryLog, group: int = 1, first: int = 0) -> None:
    """Append a history's commits to a journal, with so many in a record."""
    commits = [encode_commit(admitted.commit) for admitted in history.state.commits(first)]
    append(log, *(encode_record("test", commits[at : at + group]) for at in range(0, len(commits), group)))


def a_day(orders: int = 3) -> History:
    """Orders that are placed, partly shipped and so partly cancelled, refunded; and one that the seller cancels."""
    history = History()
    for number in range(1, orders + 1):
        name = f"PO-{number}"
        history.place(name)
        history.send("Ship", name, "2026-03-02T11:00:00Z", shipment_id="s1", lines=[{"line": 1, "quantity": 3}])
        history.send("ConfirmRefund", name, "2026-03-02T12:00:00Z", refund_id="refund-1")
    history.place("PO-X")
    history.send("CancelLines", "PO-X", "2026-03-02T11:00:00Z", actor="seller", reason="out_of_stock")
    return history
