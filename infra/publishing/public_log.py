"""``consumers.public_log.PublicLog`` through kafka-python: a transactional producer, and readers of committed records.

What is odd about this client's producers is in ``infra.publishing.transactions``, of its readers in ``reading``.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kafka import TopicPartition

from consumers.dead_letters import PublicRecord
from consumers.public_log import PublicLogUnavailable, PublishingStopped, Span, TopicAt
from infra.journals.kafka import connection
from infra.kafka.address import KafkaAt
from infra.kafka.client import Security
from infra.publishing.reading import (
    NoSuchTopic,
    Patience,
    ProgressReader,
    TopicOfOtherPartitions,
    TopicUnfit,
    opened_consumer,
    read_published,
    topic_ids,
    unavailable,
)
from infra.publishing.transactions import Transactions
from schemas.public.topics import PUBLISHED, WRITTEN, topic_name


class KafkaPublicLog:
    """The public topics of one partition; see ``PublicLog``. One thread at a time."""

    def __init__(
        self, at: KafkaAt, partition: int, partitions: int, security: Security, patience: Patience | None = None
    ) -> None:
        """``partitions``: the journal's. Nothing is connected yet."""
        self._at = at
        self._partition = partition
        self._partitions = partitions
        self._connection = connection(at.servers, security)
        self._patience = patience or Patience()
        self._transactions = Transactions(
            self._connection, f"{at.prefix}-{partition}", self._patience, 1.5 * self._patience.write
        )
        self._watching: ProgressReader | None = None
        """While another one publishes: what it has committed, read on now and then."""

    @property
    def transactional_id(self) -> str:
        """Who this publisher is to the cluster: the same for every process."""
        return self._transactions.transactional_id

    def committed(self) -> dict[str, bytes]:
        if self._transactions.taken_over:  # from its beginning: nothing that was remembered is trusted
            return read_published(self._at, [self._partition], self._connection, self._patience)[self._partition]
        if self._watching is None:
            self._watching = ProgressReader(self._at, [self._partition], self._connection, self._patience)
        try:
            return self._watching.read()[self._partition]
        except BaseException:
            self._watch_no_more()
            raise

    def _watch_no_more(self) -> None:
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.close()

    def topics(self) -> dict[str, TopicAt]:
        names = {kind: topic_name(self._at.prefix, kind) for kind in WRITTEN}
        with unavailable(self._connection), opened_consumer(self._connection, self._patience) as consumer:
            ids = self._ids(list(names.values()))
            places = {kind: TopicPartition(name, self._partition) for kind, name in names.items()}
            ends = consumer.end_offsets(list(places.values()), timeout_ms=int(self._patience.ask * 1000))
        return {kind: TopicAt(ids[name], ends[places[kind]]) for kind, name in names.items()}

    def _ids(self, names: Sequence[str]) -> dict[str, str]:
        try:
            return topic_ids(names, self._connection, self._partitions, int(self._patience.ask * 1000))
        except TopicOfOtherPartitions as unfit:
            raise PublishingStopped(f"{unfit}. Publish under another prefix") from None
        except NoSuchTopic as missing:
            raise PublishingStopped(str(missing)) from None
        except TopicUnfit as unknown:
            raise PublicLogUnavailable(str(unknown)) from None

    def take_over(self) -> None:
        self._watch_no_more()
        with unavailable(self._connection, self.transactional_id):
            self._transactions.take_over()

    def write(
        self, records: Sequence[PublicRecord], then: Callable[[Mapping[str, Span]], Sequence[PublicRecord]]
    ) -> None:
        if not self._transactions.taken_over:
            raise PublicLogUnavailable("this is not the publisher")
        with unavailable(self._connection, self.transactional_id):
            self._transactions.write(lambda producer: self._transaction(producer, records, then))

    def _transaction(
        self,
        producer: Any,
        records: Sequence[PublicRecord],
        then: Callable[[Mapping[str, Span]], Sequence[PublicRecord]],
    ) -> None:
        """In the hand's thread. What was open when this fails is ended by whoever takes over next."""
        until = time.monotonic() + self._patience.write
        producer.begin_transaction()
        spans = self._send(producer, records, until)
        try:
            notes = then(spans)
        except BaseException:
            producer.abort_transaction()
            raise
        self._send(producer, notes, until)
        producer.commit_transaction()

    def _send(self, producer: Any, records: Sequence[PublicRecord], until: float) -> dict[str, Span]:
        """Send, and wait until all of it stands in the topics."""
        names = {kind: topic_name(self._at.prefix, kind) for kind in (*WRITTEN, PUBLISHED)}
        sent = [
            producer.send(
                names[kind], value=value or None, key=key, headers=list(headers), partition=self._partition
            )
            for kind, key, value, headers in records
        ]  # fmt: skip
        spans: dict[str, Span] = {}
        for record, future in zip(records, sent, strict=True):
            offset = future.get(max(0.0, until - time.monotonic())).offset
            before = spans.get(record.kind)
            spans[record.kind] = Span(offset, offset) if before is None else before._replace(last=offset)
        return spans

    def let_go(self) -> None:
        self._watch_no_more()
        self._transactions.let_go()
