"""``consumers.public_log.PublicLog`` through kafka-python: a transactional producer, and readers of committed records.

What is odd about this client stays here. Its calls may hang for ever where brokers are gone, so they are made by a hand
that can be given up. A producer that failed once is never used again: the next one, under the same transactional id,
ends whatever it had open.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from kafka import KafkaAdminClient, KafkaProducer, TopicPartition

from consumers.dead_letters import PublicRecord
from consumers.public_log import PublicLogUnavailable, PublishingStopped, Span, TopicAt
from infra.journals.kafka import connection
from infra.kafka.address import KafkaAt
from infra.kafka.client import BATCH_BYTES, Security
from infra.publishing.hand import Hand
from infra.publishing.reading import Patience, ProgressReader, opened_consumer, read_published, unavailable
from schemas.public.topics import PUBLISHED, WRITTEN, topic_name

_UNKNOWN_TOPIC: Final = 3


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
        self._producer: Any = None
        self._hand: Hand | None = None
        self._watching: ProgressReader | None = None
        """While another one publishes: what it has committed, read on now and then."""

    @property
    def transactional_id(self) -> str:
        """Who this publisher is to the cluster: the same for every process."""
        return f"{self._at.prefix}-{self._partition}"

    def committed(self) -> dict[str, bytes]:
        if self._producer is not None:  # from its beginning: nothing that was remembered is trusted
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
        with unavailable(), opened_consumer(self._connection, self._patience) as consumer:
            ids = self._ids(list(names.values()))
            places = {kind: TopicPartition(name, self._partition) for kind, name in names.items()}
            ends = consumer.end_offsets(list(places.values()), timeout_ms=int(self._patience.ask * 1000))
        return {kind: TopicAt(ids[name], ends[places[kind]]) for kind, name in names.items()}

    def _ids(self, names: Sequence[str]) -> dict[str, str]:
        milliseconds = int(self._patience.ask * 1000)
        admin = KafkaAdminClient(**self._connection, request_timeout_ms=milliseconds, bootstrap_timeout_ms=milliseconds)
        try:
            found = {topic["name"]: topic for topic in admin.describe_topics(list(names))}
        finally:
            admin.close()
        for name in names:
            topic = found[name]
            if topic["error_code"] == _UNKNOWN_TOPIC:
                raise PublishingStopped(f"there is no topic {name}: make it with `rescind topics create`")
            if topic["error_code"]:
                raise PublicLogUnavailable(f"the brokers answer {topic['error_code']} when asked for {name}")
            if len(topic["partitions"]) != self._partitions:
                raise PublishingStopped(
                    f"the topic {name} has {len(topic['partitions'])} partitions, the journal has {self._partitions}: "
                    "they must be as many. Publish under another prefix"
                )
        return {name: str(found[name]["topic_id"]) for name in names}

    def take_over(self) -> None:
        self.let_go()
        hand = self._hand = Hand(f"publisher {self.transactional_id}")

        def begin() -> None:
            producer = KafkaProducer(
                **self._connection,
                transactional_id=self.transactional_id,
                transaction_timeout_ms=int(self._patience.write * 1500),
                acks="all",
                enable_idempotence=True,
                compression_type=None,
                batch_size=BATCH_BYTES,
                linger_ms=2,
                max_request_size=_LARGEST,
                metrics_enabled=False,
                max_block_ms=int(self._patience.take_over * 1000),
                request_timeout_ms=int(self._patience.ask * 1000),
                delivery_timeout_ms=int(self._patience.write * 1000),
                bootstrap_timeout_ms=int(self._patience.ask * 1000),
                metadata_max_age_ms=30_000,
                allow_auto_create_topics=False,
            )
            if self._hand is not hand:
                end_producer(producer)
                return
            self._producer = producer
            producer.init_transactions()

        self._do(hand, begin, self._patience.take_over + 1)

    def write(
        self, records: Sequence[PublicRecord], then: Callable[[Mapping[str, Span]], Sequence[PublicRecord]]
    ) -> None:
        hand, producer = self._hand, self._producer
        if hand is None or producer is None:
            raise PublicLogUnavailable("this is not the publisher")
        self._do(hand, lambda: self._transaction(producer, records, then), self._patience.write + 1)

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
        hand, producer = self._hand, self._producer
        self._hand = self._producer = None
        if hand is not None:
            hand.let_go(lambda: None)
        if producer is not None:
            threading.Thread(target=end_producer, args=(producer,), name="producer's end", daemon=True).start()

    def _do(self, hand: Hand, call: Callable[[], None], timeout: float) -> None:
        try:
            with unavailable():
                hand.do(call, timeout)
        except BaseException:
            self.let_go()
            raise


_LARGEST: Final = 1_048_588
"""Bytes of the largest record that the topics take (``infra.kafka.topics``)."""


def end_producer(producer: Any) -> None:
    """Closing waits for what never comes after some failures."""
    producer._sender.force_close()
    producer._sender.join(5)
    producer._unregister_cleanup()
    producer._closed = True
