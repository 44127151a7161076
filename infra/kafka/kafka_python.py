"""The journal on Kafka with kafka-python: ``open_kafka_journal``. The quirks of this client are handled here.

Its producer fails for good after one expired batch, so ``infra.kafka.appending`` replaces it. Its consumer raises three
unrelated errors for a lost position. It requests a topic's metadata only after it has been given the topic's name, and
would wait for a missing topic, so the sender looks up its topic when it is made.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from consumers.ports.journal import Appended, JournalDamaged, JournalRecord, JournalUnavailable
from infra.addresses.kafka import Security, Timings
from infra.kafka.client import BATCH_BYTES, FETCH_BYTES, LINGER_MS, NotSent, PositionLost, Topic, log_lost
from infra.kafka.journal import JournalOpener
from infra.kafka.quiet_import import (
    CONNECTION_ERRORS,
    ConfigResource,
    ConfigResourceType,
    CorruptRecordError,
    IllegalStateError,
    KafkaAdminClient,
    KafkaConsumer,
    KafkaError,
    KafkaProducer,
    KafkaTimeoutError,
    LogTruncationError,
    MessageSizeTooLargeError,
    OffsetOutOfRangeError,
    TopicPartition,
)
from infra.kafka.refusals import CLUSTER, DENIED, code_of, denied, security_of, why

_DEFAULT_LARGEST: Final = 1_048_588
"""Kafka's own ``max.message.bytes``, used if the topic's value cannot be read."""


def connection(servers: str, security: Security) -> dict[str, Any]:
    """The configuration of every client of this library. Every value that matters is set here."""
    made: dict[str, Any] = {
        "bootstrap_servers": servers.split(","),
        "security_protocol": security.protocol,
        "reconnect_backoff_ms": 50,
        "reconnect_backoff_max_ms": 500,
        "retry_backoff_ms": 20,
        "connections_max_idle_ms": 540_000,
        "client_id": "rescind",
    }
    named = {
        "sasl_mechanism": security.sasl_mechanism,
        "sasl_plain_username": security.username,
        "sasl_plain_password": security.password,
        "ssl_cafile": security.ca_file,
        "ssl_certfile": security.certificate_file,
        "ssl_keyfile": security.key_file,
    }
    return made | {key: value for key, value in named.items() if value is not None}


class PythonClient:
    """``infra.kafka.client.Client`` with kafka-python."""

    def __init__(self, servers: str, topic: str, security: Security) -> None:
        self.topic = topic
        self.security = security
        self._connection = connection(servers, security)
        self._admin: Any = None
        self._largest: int | None = None

    def describe(self, timeout: float) -> Topic | None:
        try:
            if self._admin is None:
                milliseconds = int(timeout * 1000)
                self._admin = KafkaAdminClient(
                    **self._connection, request_timeout_ms=milliseconds, bootstrap_timeout_ms=milliseconds
                )
            found = self._admin.describe_topics([self.topic])[0]
            if found["error_code"] == _UNKNOWN_TOPIC:
                return None
            if found["error_code"] in DENIED:
                needs = f"Describe on the topic {self.topic}"
                raise JournalUnavailable(denied(found["error_code"], self.security, needs))
            if found["error_code"] or any(part["error_code"] == _UNKNOWN_TOPIC for part in found["partitions"]):
                raise JournalUnavailable(
                    f"the brokers answer with error {found['error_code']} to a query for {self.topic}"
                )
            if self._largest is None:
                self._largest = self._largest_batch()
        except _CLIENT_ERRORS as error:
            raise _unavailable(error, self._connection, f"Describe on the topic {self.topic}") from error
        return Topic(str(found["topic_id"]), len(found["partitions"]), self._largest)

    def _largest_batch(self) -> int:
        resource = ConfigResource(ConfigResourceType.TOPIC, self.topic, ["max.message.bytes"])
        found = self._admin.describe_configs([resource], config_filter="all")
        configs = found["topic"][self.topic]
        return int(configs.get("max.message.bytes", {}).get("value") or _DEFAULT_LARGEST)

    def sender(self, largest: int, timings: Timings) -> "PythonSender":
        return PythonSender(self._connection, self.topic, largest, timings)

    def reader(self, partitions: int, wait: float) -> "PythonReader":
        return PythonReader(self._connection, self.topic, partitions, wait)

    def close(self) -> None:
        if self._admin is not None:
            self._admin.close()


_UNKNOWN_TOPIC: Final = 3
_CLIENT_ERRORS: Final = (KafkaError, OSError)
"""Errors of making a client: brokers that do not answer, certificates that cannot be read."""


class PythonSender:
    """``infra.kafka.client.Sender``: one idempotent producer."""

    def __init__(self, connection: Mapping[str, Any], topic: str, largest: int, timings: Timings) -> None:
        self._topic = topic
        self._connection = connection
        try:
            self._producer = KafkaProducer(
                **connection,
                acks="all",
                enable_idempotence=True,
                max_in_flight_requests_per_connection=5,
                compression_type=None,
                batch_size=min(BATCH_BYTES, largest),
                linger_ms=LINGER_MS,
                metrics_enabled=False,
                max_request_size=largest,
                max_block_ms=int(timings.hold * 1000),
                request_timeout_ms=int(timings.request * 1000),
                delivery_timeout_ms=int(timings.delivery * 1000),
                bootstrap_timeout_ms=int(timings.query * 1000),
                metadata_max_age_ms=30_000,
                allow_auto_create_topics=False,
            )
        except _CLIENT_ERRORS as error:
            raise _unavailable(error, connection) from error
        try:
            self._producer.partitions_for(topic)
        except KafkaError as error:
            self.abandon()
            raise _unavailable(error, connection, f"Write on the topic {topic}") from error

    def send(self, partition: int, key: bytes, record: bytes, done: Callable[[Appended | Exception], None]) -> None:
        def delivered(where: Any) -> None:
            if where.offset < 0:  # an earlier attempt was written, but its answer was lost
                done(LookupError("it is in the log, but the broker no longer reports where"))
            else:
                done(Appended(where.offset, where.timestamp * 1000))

        try:
            future = self._producer.send(self._topic, value=record, key=key, partition=partition)
        except MessageSizeTooLargeError as error:
            raise NotSent(str(error), retriable=False) from error
        except IllegalStateError as error:  # the producer has closed itself
            raise NotSent(f"{type(error).__name__}: {error}", retriable=True, dead=True) from error
        except (KafkaError, ValueError, AssertionError) as error:
            raise NotSent(f"{type(error).__name__}: {error}", retriable=True) from error

        def failed(error: Exception) -> None:
            code = code_of(error)
            if code not in DENIED:
                return done(error)
            needs = "" if code == CLUSTER else f"Write on the topic {self._topic}"
            return done(PermissionError(denied(code, security_of(self._connection), needs)))

        future.add_callback(delivered)
        future.add_errback(failed)

    def abandon(self) -> None:
        threading.Thread(target=_shut_down, args=(self._producer,), name="producer's end", daemon=True).start()


def _shut_down(producer: Any) -> None:
    """Close a producer. ``KafkaProducer.close`` may wait forever after some failures, and complains again when it is
    collected."""
    producer._sender.force_close()
    producer._sender.join(5)
    producer._unregister_cleanup()
    producer._closed = True


class PythonReader:
    """``infra.kafka.client.Reader``: one consumer."""

    def __init__(self, connection: Mapping[str, Any], topic: str, partitions: int, wait: float) -> None:
        self._topic = topic
        self._connection = connection
        self._partitions = [TopicPartition(topic, partition) for partition in range(partitions)]
        self._behind: int | None = None
        """The partition that ``read_at`` read last."""
        try:
            self._consumer = KafkaConsumer(
                **connection,
                group_id=None,
                metrics_enabled=False,
                auto_offset_reset="none",
                enable_auto_commit=False,
                allow_auto_create_topics=False,
                check_crcs=True,
                isolation_level="read_uncommitted",
                fetch_min_bytes=1,
                fetch_max_wait_ms=max(1, int(wait * 1000)),
                fetch_max_bytes=4 * FETCH_BYTES,
                max_partition_fetch_bytes=FETCH_BYTES,
                request_timeout_ms=5_000,
                bootstrap_timeout_ms=3_000,
                metadata_max_age_ms=30_000,
            )
        except _CLIENT_ERRORS as error:
            raise _unavailable(error, connection) from error

    def follow(self, offsets: Mapping[int, int]) -> None:
        self._consumer.assign([self._partitions[partition] for partition in offsets])
        for partition, offset in offsets.items():
            self._consumer.seek(self._partitions[partition], offset)

    def seek(self, partition: int, offset: int) -> None:
        self.follow({**self._positions(), partition: offset})

    def _positions(self) -> dict[int, int]:
        """The followed partitions and their next offsets."""
        return {each.partition: self.position(each.partition) for each in self._consumer.assignment()}

    def poll(self, timeout: float, limit: int) -> dict[int, list[JournalRecord]]:
        try:
            came = self._consumer.poll(timeout_ms=int(timeout * 1000), max_records=limit)
        except (OffsetOutOfRangeError, LogTruncationError) as error:
            raise self._lost(error) from error
        except CorruptRecordError as error:
            raise self._all_damaged(error) from error
        except KafkaError as error:
            what = _unavailable(error, self._connection, f"Read on the topic {self._topic}")
            if code_of(error) in DENIED:
                raise PositionLost(dict.fromkeys((of.partition for of in self._consumer.assignment()), what)) from error
            raise what from error
        return {of.partition: [_record(record) for record in records] for of, records in came.items()}

    def read_at(self, partition: int, offset: int, limit: int, timeout: float) -> tuple[list[JournalRecord], int]:
        consumer, wanted = self._consumer, self._partitions[partition]
        if self._behind != partition:  # no pausing: a partition that is resumed is sometimes never read again
            consumer.assign([wanted])
            consumer.seek(wanted, offset)
            self._behind = partition
        elif consumer.position(wanted) != offset:
            consumer.seek(wanted, offset)
        records = self.poll(timeout, limit).get(partition, [])
        position = self.position(partition)
        if not records and position == offset:
            raise JournalUnavailable(f"the brokers deliver nothing at offset {offset} of partition {partition}")
        return records, position

    def position(self, partition: int) -> int:
        offset: int = self._consumer.position(self._partitions[partition], timeout_ms=0)
        return offset

    def ends(self, timeout: float) -> dict[int, int]:
        return self._offsets(self._consumer.end_offsets, timeout)

    def begins(self, timeout: float) -> dict[int, int]:
        return self._offsets(self._consumer.beginning_offsets, timeout)

    def _offsets(self, query: Callable[..., dict[Any, int]], timeout: float) -> dict[int, int]:
        try:
            found = query(self._partitions, timeout_ms=int(timeout * 1000))
        except KafkaError as error:
            raise _unavailable(error, self._connection, f"Describe on the topic {self._topic}") from error
        return {of.partition: offset for of, offset in found.items()}

    def close(self) -> None:
        try:
            self._consumer.close(autocommit=False, timeout_ms=1000)
        except KafkaTimeoutError:
            return  # it waits for brokers that are gone, and has no data of ours

    def _lost(self, error: Any) -> PositionLost:
        """The positions that the log does not have. Their partitions are not read until ``seek``."""
        if isinstance(error, LogTruncationError):
            gone = {of.partition: "the log was cut below it" for of in error.divergent_offsets}
        else:
            gone = {of.partition: f"there is no offset {offset}" for of, offset in error.args[0].items()}
        self.follow({partition: offset for partition, offset in self._positions().items() if partition not in gone})
        self._behind = None
        return PositionLost({partition: log_lost(self._topic, partition, why) for partition, why in gone.items()})

    def _all_damaged(self, error: Exception) -> PositionLost:
        """The error for a wrong checksum. The client does not name the partition, so every partition gets the error."""
        what = JournalDamaged(
            f"{self._topic}: {error}: the log is damaged. Stop every engine, and restore it from a copy"
        )
        return PositionLost({of.partition: what for of in self._consumer.assignment()})


def _record(record: Any) -> JournalRecord:
    return JournalRecord(record.partition, record.offset, record.timestamp * 1000, record.value or b"")


def _unavailable(error: Exception, connection: Mapping[str, Any], needs: str = "") -> JournalUnavailable:
    return JournalUnavailable(why(error, security_of(connection), needs, CONNECTION_ERRORS))


open_kafka_journal: Final = JournalOpener(PythonClient)
"""Open the journal in a topic with this client."""
