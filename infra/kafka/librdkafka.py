"""The journal on Kafka with librdkafka's Python client: ``open_librdkafka_journal``. Needs the extra ``librdkafka``.

The quirks of this client are handled here. A producer reports results only while a thread polls it. A consumer returns
errors as messages between the records, and the end of a partition too, which reveals offsets without records. Ends are
queried with the admin client, because a consumer's own query would hang while the consumer is polled.
"""

import threading
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future as PendingAnswer
from typing import Any, Final, TypeVar

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, ConfigResource, OffsetSpec, ResourceType  # type: ignore[attr-defined]

from consumers.ports.journal import Appended, JournalDamaged, JournalError, JournalRecord, JournalUnavailable
from infra.addresses.kafka import Security, Timings
from infra.kafka.client import BATCH_BYTES, FETCH_BYTES, LINGER_MS, NotSent, PositionLost, Topic, log_lost
from infra.kafka.journal import JournalOpener
from infra.kafka.refusals import CLUSTER, DENIED, ConnectionErrors, code_of, why

V = TypeVar("V")

_OFFSETS: Final[Any] = OffsetSpec
_DEFAULT_LARGEST: Final = 1_048_588
"""Kafka's own ``max.message.bytes``, used if the topic's value cannot be read."""
_ATTEMPT: Final = 0.75
"""Seconds for one attempt to query offsets. A new client's first query sometimes gets no answer."""
_GONE: Final = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})
_DAMAGED: Final = frozenset({KafkaError._BAD_MSG, KafkaError.INVALID_MSG, KafkaError._BAD_COMPRESSION})


def _connection(servers: str, security: Security, connection_errors: ConnectionErrors) -> dict[str, Any]:
    """The configuration of every client of this library. Every value that matters is set here. A client that is polled
    puts its connection errors into ``connection_errors``."""
    made: dict[str, Any] = {
        "bootstrap.servers": servers,
        "security.protocol": security.protocol,
        "client.id": "rescind",
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 500,
        "retry.backoff.ms": 20,
        "topic.metadata.refresh.interval.ms": 30_000,
        "allow.auto.create.topics": False,
        "log_level": 0,
        "error_cb": lambda error: connection_errors.record(error.str()),
    }
    named = {
        "sasl.mechanisms": security.sasl_mechanism,
        "sasl.username": security.username,
        "sasl.password": security.password,
        "ssl.ca.location": security.ca_file,
        "ssl.certificate.location": security.certificate_file,
        "ssl.key.location": security.key_file,
    }
    return made | {key: value for key, value in named.items() if value is not None}


class LibrdkafkaClient:
    """``infra.kafka.client.Client`` with librdkafka."""

    def __init__(self, servers: str, topic: str, security: Security) -> None:
        self.topic = topic
        self.security = security
        self._errors = ClientErrors(topic, security)
        self._connection = _connection(servers, security, self._errors.connection_errors)
        try:
            self._admin = AdminClient(self._connection)
        except KafkaException as error:  # certificates that cannot be read
            raise self._errors.unavailable(error) from error
        self._largest: int | None = None

    def describe(self, timeout: float) -> Topic | None:
        try:
            pending = self._admin.describe_topics(TopicCollection([self.topic]), request_timeout=timeout)
            found = _answer(pending[self.topic], timeout)
        except KafkaException as error:
            if _code(error) == KafkaError.UNKNOWN_TOPIC_OR_PART:
                return None
            self._admin.poll(0)
            raise self._errors.unavailable(error, "Describe") from error
        if self._largest is None:
            self._largest = self._largest_batch(timeout)
        bits = found.topic_id.get_most_significant_bits(), found.topic_id.get_least_significant_bits()
        identity = uuid.UUID(bytes=b"".join(half.to_bytes(8, "big", signed=True) for half in bits))
        return Topic(str(identity), len(found.partitions), self._largest)

    def _largest_batch(self, timeout: float) -> int:
        resource = ConfigResource(ResourceType.TOPIC, self.topic)
        try:
            pending = self._admin.describe_configs([resource], request_timeout=timeout)
            return int(_answer(pending[resource], timeout)["max.message.bytes"].value)
        except KafkaException as error:
            if _code(error) == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                return _DEFAULT_LARGEST
            raise self._errors.unavailable(error) from error

    def sender(self, largest: int, timings: Timings) -> "LibrdkafkaSender":
        return LibrdkafkaSender(self._connection, self._errors, largest, timings)

    def reader(self, partitions: int, wait: float) -> "LibrdkafkaReader":
        return LibrdkafkaReader(self._connection, self._errors, partitions, wait)

    def close(self) -> None:
        """Do nothing: the admin client ends when nobody references it."""


class ClientErrors:
    """Explains the errors of one client's connections."""

    def __init__(self, topic: str, security: Security) -> None:
        self.topic = topic
        self.security = security
        self.connection_errors = ConnectionErrors()

    def why(self, error: KafkaException, operation: str = "") -> str:
        """The cause as a sentence. ``operation``: the ACL operation on the topic that was attempted."""
        needs = f"{operation} on the topic {self.topic}" if operation and code_of(error) != CLUSTER else ""
        return why(error, self.security, needs, self.connection_errors)

    def unavailable(self, error: KafkaException, operation: str = "") -> JournalUnavailable:
        return JournalUnavailable(self.why(error, operation))


class LibrdkafkaSender:
    """``infra.kafka.client.Sender``: one idempotent producer, and the thread that polls it."""

    def __init__(self, connection: Mapping[str, Any], errors: ClientErrors, largest: int, timings: Timings) -> None:
        self._topic = topic = errors.topic
        self._errors = errors
        self._abandoned = False
        self._fatal: KafkaException | None = None
        """The fatal error after which this producer sends no more."""
        self._producer = Producer(
            {
                **connection,
                "acks": "all",
                "enable.idempotence": True,
                "max.in.flight.requests.per.connection": 5,
                "compression.type": "none",
                "batch.size": min(BATCH_BYTES, largest),
                "linger.ms": LINGER_MS,
                "message.max.bytes": largest,
                "request.timeout.ms": int(timings.request * 1000),
                "message.timeout.ms": int(timings.delivery * 1000),
                "queue.buffering.max.messages": 100_000,
            }
        )
        try:
            self._producer.list_topics(topic, timeout=timings.query)
        except KafkaException as error:
            self._producer.poll(0)
            raise errors.unavailable(error, "Describe") from error
        threading.Thread(target=self._poll, name=f"answers of {topic}", daemon=True).start()

    def send(self, partition: int, key: bytes, record: bytes, done: Callable[[Appended | Exception], None]) -> None:
        errors = self._errors

        def delivered(error: Any, message: Any) -> None:
            if error is not None and (error.code() in DENIED or error.fatal()):
                done(PermissionError(errors.why(KafkaException(error), "Write")))
            elif error is not None:
                done(KafkaException(error))
            elif message.offset() < 0:  # an earlier attempt was written, but its answer was lost
                done(LookupError("it is in the log, but the broker no longer reports where"))
            else:
                done(Appended(message.offset(), message.timestamp()[1] * 1000))

        try:
            self._producer.produce(self._topic, record, key, partition, on_delivery=delivered)
        except BufferError as error:
            raise NotSent(str(error), retriable=True) from error
        except KafkaException as error:
            too_large = _code(error) == KafkaError.MSG_SIZE_TOO_LARGE
            dead = error.args[0].fatal() or _code(error) == KafkaError._FATAL
            why = errors.why(self._fatal if dead and self._fatal is not None else error, "Write")
            raise NotSent(why, retriable=not too_large, dead=dead) from error

    def abandon(self) -> None:
        self._abandoned = True

    def _poll(self) -> None:
        while not self._abandoned:
            self._serve(0.1)
        self._producer.purge()
        self._serve(0)

    def _serve(self, timeout: float) -> None:
        """Deliver results for this many seconds."""
        try:
            self._producer.poll(timeout)
        except KafkaException as error:  # a fatal error: the producer sends no more, and pending records fail
            if self._fatal is None:
                self._fatal = error
                self._producer.purge()


class LibrdkafkaReader:
    """``infra.kafka.client.Reader``: one consumer."""

    def __init__(self, connection: Mapping[str, Any], errors: ClientErrors, partitions: int, wait: float) -> None:
        self._topic = errors.topic
        self._errors = errors
        self._count = partitions
        self._connection = connection
        self._admin: AdminClient | None = None
        self._positions: dict[int, int] = {}
        self._behind: tuple[int, int] | None = None
        """The partition and offset at which ``read_at`` would continue."""
        self._consumer = Consumer(
            {
                **connection,
                "group.id": "rescind",  # required; no offset is committed
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "error",
                "enable.partition.eof": True,
                "check.crcs": True,
                "isolation.level": "read_uncommitted",
                "fetch.min.bytes": 1,
                "fetch.wait.max.ms": max(1, int(wait * 1000)),
                "fetch.error.backoff.ms": 50,
                "fetch.message.max.bytes": FETCH_BYTES,
                "fetch.max.bytes": 4 * FETCH_BYTES,
                "queued.min.messages": 2_000,
                "queued.max.messages.kbytes": 2 * FETCH_BYTES // 1024,
                "socket.timeout.ms": 5_000,
            }
        )

    def follow(self, offsets: Mapping[int, int]) -> None:
        self._positions = dict(offsets)
        self._consumer.assign([TopicPartition(self._topic, p, offset) for p, offset in offsets.items()])

    def seek(self, partition: int, offset: int) -> None:
        self._positions[partition] = offset
        there = TopicPartition(self._topic, partition, offset)
        self._consumer.incremental_unassign([there])
        self._consumer.incremental_assign([there])

    def poll(self, timeout: float, limit: int) -> dict[int, list[JournalRecord]]:
        first = self._consumer.poll(timeout)
        if first is None:
            return {}
        came: dict[int, list[JournalRecord]] = {}
        lost: dict[int, JournalError] = {}
        messages: list[Any] = [first, *self._consumer.consume(limit - 1, 0)] if limit > 1 else [first]
        for message in messages:
            error = message.error()
            partition = message.partition()
            if error is not None:
                self._handle_error(partition, error, message.offset(), lost)
            elif partition not in lost and partition in self._positions:
                offset = message.offset()
                self._positions[partition] = offset + 1
                _, appended_at = message.timestamp()
                value = message.value() or b""
                came.setdefault(partition, []).append(JournalRecord(partition, offset, appended_at * 1000, value))
        if lost and not came:
            raise PositionLost(lost)
        return came

    def _handle_error(self, partition: int, error: Any, offset: int, lost: dict[int, JournalError]) -> None:
        code = error.code()
        if code == KafkaError._PARTITION_EOF:
            self._positions[partition] = max(offset, self._positions.get(partition, 0))
        elif code in _GONE:
            lost[partition] = log_lost(self._topic, partition, error.str())
        elif code in _DAMAGED:
            lost[partition] = JournalDamaged(
                f"{self._topic}: partition {partition}: {error.str()}: the log is damaged. Stop every engine, and "
                "restore it from a copy"
            )
        elif code == KafkaError.TOPIC_AUTHORIZATION_FAILED:  # an error about the group is ignored: no group is needed
            lost[partition] = self._errors.unavailable(KafkaException(error), "Read")

    def read_at(self, partition: int, offset: int, limit: int, timeout: float) -> tuple[list[JournalRecord], int]:
        if self._behind != (partition, offset):
            self.follow({partition: offset})
        self._behind = None
        until = time.monotonic() + timeout
        while (left := until - time.monotonic()) > 0:
            records = self.poll(left, limit).get(partition, [])
            if records or self._positions[partition] > offset:
                self._behind = (partition, self._positions[partition])
                return records, self._positions[partition]
        raise JournalUnavailable(f"the brokers deliver nothing at offset {offset} of partition {partition}")

    def position(self, partition: int) -> int:
        return self._positions[partition]

    def ends(self, timeout: float) -> dict[int, int]:
        return self._query(_OFFSETS.latest(), timeout)

    def begins(self, timeout: float) -> dict[int, int]:
        return self._query(_OFFSETS.earliest(), timeout)

    def _query(self, which: Any, timeout: float) -> dict[int, int]:
        until = time.monotonic() + timeout
        while True:
            left = until - time.monotonic()
            try:
                return self._offsets(which, max(0.1, min(left, _ATTEMPT)))
            except (KafkaException, JournalUnavailable) as error:
                self._admin = None  # it would query the same broker again
                if left <= _ATTEMPT:
                    if isinstance(error, KafkaException):
                        raise self._errors.unavailable(error, "Describe") from error
                    raise
            time.sleep(0.02)

    def _offsets(self, which: Any, timeout: float) -> dict[int, int]:
        if self._admin is None:
            self._admin = AdminClient(dict(self._connection))
        wanted = {TopicPartition(self._topic, partition): which for partition in range(self._count)}
        pending = self._admin.list_offsets(
            wanted, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=timeout
        )
        found = {of.partition: _answer(each, timeout).offset for of, each in pending.items()}
        if min(found.values()) < 0:  # a negative offset means that a broker did not answer in time
            raise JournalUnavailable("the brokers do not report where the log begins or ends")
        return found

    def close(self) -> None:
        self._consumer.close()


def _answer(pending: "PendingAnswer[V]", timeout: float) -> V:
    """Wait for an answer of the admin client. It has its own time limit, and this one is the last resort."""
    try:
        return pending.result(timeout + 1.0)
    except TimeoutError as error:
        raise JournalUnavailable("the brokers do not answer") from error


def _code(error: KafkaException) -> int:
    code: int = error.args[0].code()
    return code


open_librdkafka_journal: Final = JournalOpener(LibrdkafkaClient)
"""Open the journal in a topic with this client."""
