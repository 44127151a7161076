"""``consumers.ports.public_log.PublicLog`` through kafka-python: a transactional producer, and readers of committed
records.

``infra.publishing.transactions`` works around what is odd about the client's producers, ``reading`` about its readers.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from kafka.errors import (
    InvalidTopicError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from consumers.ports.public_log import OffsetRange, PublicLogUnavailable, PublicRecord, TopicAt, TopicFailed, TopicSick
from infra.addresses.kafka import KafkaAt, Security
from infra.kafka.kafka_python import connection
from infra.kafka.refusals import security_of, why
from infra.publishing.reading import ProgressReader, PublishingTimeouts, read_published, topics_at, unavailable
from infra.publishing.transactions import Transactions
from schemas.public.topics import PUBLISHED, WRITTEN, topic_name

TOPIC_ERRORS: Final = (
    InvalidTopicError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
"""Errors that concern one topic and not the others."""
TIMEOUTS: Final = (TimeoutError, KafkaTimeoutError)


class KafkaPublicLog:
    """The public topics of one partition; see ``PublicLog``. One thread at a time."""

    def __init__(
        self,
        at: KafkaAt,
        partition: int,
        partitions: int,
        security: Security,
        timeout: PublishingTimeouts | None = None,
    ) -> None:
        """``partitions``: the journal's. Connects later."""
        self._at = at
        self._partition = partition
        self._partitions = partitions
        self._connection = connection(at.servers, security)
        self._timeout = timeout or PublishingTimeouts()
        self._transactions = Transactions(
            self._connection, f"{at.prefix}-{partition}", self._timeout, 1.5 * self._timeout.write
        )
        self._progress: ProgressReader | None = None
        """Reads the progress of another process while that one publishes."""

    @property
    def transactional_id(self) -> str:
        """The publisher's identity on the cluster: the same for every process."""
        return self._transactions.transactional_id

    def committed(self) -> dict[str, bytes]:
        if self._transactions.taken_over:  # read from the beginning: no earlier reading is trusted
            return read_published(self._at, [self._partition], self._connection, self._timeout)[self._partition]
        if self._progress is None:
            self._progress = ProgressReader(self._at, [self._partition], self._connection, self._timeout)
        try:
            return self._progress.read()[self._partition]
        except BaseException:
            self._close_progress()
            raise

    def _close_progress(self) -> None:
        progress, self._progress = self._progress, None
        if progress is not None:
            progress.close()

    def topics(self) -> Mapping[str, TopicAt | TopicSick]:
        names = {kind: topic_name(self._at.prefix, kind) for kind in WRITTEN}
        with unavailable(self._connection):
            return topics_at(names, self._partition, self._partitions, self._connection, self._timeout)

    def take_over(self) -> None:
        self._close_progress()
        with unavailable(self._connection, self.transactional_id):
            self._transactions.take_over()

    def write(
        self, records: Sequence[PublicRecord], then: Callable[[Mapping[str, OffsetRange]], Sequence[PublicRecord]]
    ) -> None:
        if not self._transactions.taken_over:
            raise PublicLogUnavailable("this is not the publisher")
        with unavailable(self._connection, self.transactional_id):
            self._transactions.write(lambda producer: self._transaction(producer, records, then))

    def _transaction(
        self,
        producer: Any,
        records: Sequence[PublicRecord],
        then: Callable[[Mapping[str, OffsetRange]], Sequence[PublicRecord]],
    ) -> None:
        """Write one transaction, in the client's thread. If this fails, the next take-over ends what is open."""
        until = time.monotonic() + self._timeout.write
        producer.begin_transaction()
        spans = self._send(producer, records, until)
        try:
            notes = then(spans)
        except BaseException:
            producer.abort_transaction()
            raise
        self._send(producer, notes, until)
        producer.commit_transaction()

    def _send(self, producer: Any, records: Sequence[PublicRecord], until: float) -> dict[str, OffsetRange]:
        """Send, and wait until every record is in its topic. TopicFailed if some topics, but not all, refuse their
        records."""
        names = {kind: topic_name(self._at.prefix, kind) for kind in (*WRITTEN, PUBLISHED)}
        sent: list[tuple[str, Any]] = []
        for kind, key, value, headers in records:
            place = {"key": key, "headers": list(headers), "partition": self._partition}
            try:
                sent.append((kind, producer.send(names[kind], value=value or None, **place)))
            except TOPIC_ERRORS as wrong:
                raise self._failed({kind: wrong}) from wrong
        spans: dict[str, OffsetRange] = {}
        failed: dict[str, Exception] = {}
        kinds = {name: kind for kind, name in names.items()}
        for kind, future in sent:
            try:
                offset = future.get(max(0.0, until - time.monotonic())).offset
            except (KafkaError, TimeoutError) as wrong:
                named = [kinds[each] for each in _named(wrong) if each in kinds]
                for each in named or [kind]:
                    failed.setdefault(each, wrong)
                continue
            before = spans.get(kind)
            spans[kind] = OffsetRange(offset, offset) if before is None else before._replace(last=offset)
        if failed:
            refused = {kind: wrong for kind, wrong in failed.items() if isinstance(wrong, TOPIC_ERRORS)}
            if not refused and all(isinstance(wrong, TIMEOUTS) for wrong in failed.values()):
                refused = {kind: wrong for kind, wrong in failed.items() if spans.keys() - failed.keys()}
            if refused and PUBLISHED not in refused:
                raise self._failed(refused)
            raise next(iter(failed.values()))
        return spans

    def _failed(self, wrong: Mapping[str, Exception]) -> TopicFailed:
        security = security_of(self._connection)
        needs = {kind: f"Write on the topic {topic_name(self._at.prefix, kind)}" for kind in wrong}
        return TopicFailed({kind: why(each, security, needs[kind]) for kind, each in wrong.items()})

    def let_go(self) -> None:
        self._close_progress()
        self._transactions.let_go()


def _named(wrong: BaseException) -> list[str]:
    """Return the topics that a failure names. If one record of a transaction is refused, all fail with its error."""
    found: list[object] = [wrong]
    for each in found:
        if isinstance(each, BaseException):
            found += [*each.args, *([each.__cause__] if each.__cause__ is not None else [])]
        elif isinstance(each, (set, frozenset, list, tuple)):
            found += each
    return [each for each in found if isinstance(each, str)]
