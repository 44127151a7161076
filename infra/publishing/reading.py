"""Readers of committed records: the progress topic, and keys of the journal. Also describes topics."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import (
    InvalidProducerEpochError,
    KafkaError,
    KafkaTimeoutError,
    OffsetOutOfRangeError,
    ProducerFencedError,
    TransactionalIdAuthorizationFailedError,
)

from consumers.ports.public_log import Fenced, PublicLogUnavailable, PublishingStopped, TopicAt, TopicSick
from domain.wording import counted
from infra.addresses.kafka import KafkaAt, Security
from infra.kafka.quiet_import import CONNECTION_ERRORS
from infra.kafka.refusals import DENIED, TRANSACTIONAL_ID, denied, hidden, security_of, why
from infra.publishing.topics import RECREATE_TOPIC
from schemas.public.topics import PUBLISHED, topic_name


@dataclass(frozen=True, slots=True)
class PublishingTimeouts:
    """Timeouts in seconds: ``ask`` of a query, ``take_over`` of becoming the publisher, which first ends the
    transaction of the one before, ``write`` of a whole transaction."""

    ask: float = 5.0
    take_over: float = 20.0
    write: float = 20.0


class ProgressReader:
    """Reads the progress topic of some partitions; each ``read`` goes on where the last one ended. Close it."""

    def __init__(
        self, at: KafkaAt, partitions: Sequence[int], connection: Mapping[str, Any], timeout: PublishingTimeouts
    ) -> None:
        """PublicLogUnavailable; PublishingStopped if there is no such topic."""
        self._name = topic_name(at.prefix, PUBLISHED)
        self._connection = connection
        self._timeout = timeout
        self._places = [TopicPartition(self._name, partition) for partition in partitions]
        self._found: dict[int, dict[str, bytes]] = {partition: {} for partition in partitions}
        with unavailable(connection):
            self._consumer = new_consumer(connection, timeout)
        try:
            with unavailable(connection):
                self._begin(set(partitions))
        except BaseException:
            self.close()
            raise

    def _begin(self, partitions: set[int]) -> None:
        there = self._consumer.partitions_for_topic(self._name)
        if not there:
            may_be = hidden(self._name, security_of(self._connection))
            raise PublishingStopped(f"there is no topic {self._name}: make it with `rescind topics create`{may_be}")
        if missing := partitions - set(there):
            raise PublishingStopped(f"the topic {self._name} has no partition {min(missing)}: use another prefix")
        self._consumer.assign(self._places)
        for place, begin in self._consumer.beginning_offsets(self._places).items():
            self._consumer.seek(place, begin)

    def read(self) -> dict[int, dict[str, bytes]]:
        """Return partition → key → value of everything committed so far. PublicLogUnavailable."""
        consumer = self._consumer
        until = time.monotonic() + 4 * self._timeout.ask
        with unavailable(self._connection):
            ends = consumer.end_offsets(self._places, timeout_ms=int(self._timeout.ask * 1000))
            left = {place for place in self._places if ends[place]}
            while left := {place for place in left if consumer.position(place) < ends[place]}:
                if time.monotonic() > until:
                    raise PublicLogUnavailable(f"{self._name} cannot be read to its end")
                for place, records in consumer.poll(timeout_ms=200).items():
                    state = self._found[place.partition]
                    for record in records:
                        key = (record.key or b"").decode()
                        if record.value:
                            state[key] = record.value
                        else:
                            state.pop(key, None)
        return {partition: dict(state) for partition, state in self._found.items()}

    def close(self) -> None:
        close_consumer(self._consumer)


def read_published(
    at: KafkaAt, partitions: Sequence[int], connection: Mapping[str, Any], timeout: PublishingTimeouts
) -> dict[int, dict[str, bytes]]:
    """Read the progress topic of these partitions, from its beginning to its end: partition → key → value.

    PublicLogUnavailable; PublishingStopped if there is no such topic.
    """
    with closing(ProgressReader(at, partitions, connection, timeout)) as reader:
        return reader.read()


def read_key(at: KafkaAt, connection: Mapping[str, Any], partition: int, offset: int) -> bytes:
    """Read the key of a record of the journal's topic; empty if it has none. PublicLogUnavailable."""
    timeout = PublishingTimeouts()
    place = TopicPartition(at.journal, partition)
    until = time.monotonic() + timeout.ask
    with unavailable(connection), opened_consumer(connection, timeout, "read_uncommitted") as consumer:
        consumer.assign([place])
        consumer.seek(place, offset)
        while time.monotonic() < until:
            for record in consumer.poll(timeout_ms=200, max_records=1).get(place, ()):
                return (record.key or b"") if record.offset == offset else b""
    raise PublicLogUnavailable(f"the brokers give nothing at offset {offset} of {at.journal}, partition {partition}")


def new_consumer(connection: Mapping[str, Any], timeout: PublishingTimeouts, isolation: str = "read_committed") -> Any:
    """Make a consumer of explicit partitions, without a group."""
    milliseconds = int(timeout.ask * 1000)
    return KafkaConsumer(
        **connection,
        group_id=None,
        metrics_enabled=False,
        isolation_level=isolation,
        auto_offset_reset="none",
        enable_auto_commit=False,
        allow_auto_create_topics=False,
        check_crcs=True,
        fetch_max_wait_ms=50,
        request_timeout_ms=milliseconds,
        bootstrap_timeout_ms=milliseconds,
    )


def close_consumer(consumer: Any) -> None:
    try:
        consumer.close(autocommit=False, timeout_ms=1000)
    except KafkaTimeoutError:
        return  # the brokers are gone; nothing is lost with the consumer


@contextmanager
def opened_consumer(
    connection: Mapping[str, Any], timeout: PublishingTimeouts, isolation: str = "read_committed"
) -> Iterator[Any]:
    """Open a consumer for the length of a block."""
    consumer = new_consumer(connection, timeout, isolation)
    try:
        yield consumer
    finally:
        close_consumer(consumer)


class TopicUnfit(Exception):
    """A topic is not as it must be, or cannot be described. The message says what is wrong."""


class NoSuchTopic(TopicUnfit):
    """The topic does not exist."""


class TopicOfOtherPartitions(TopicUnfit):
    """The topic has another number of partitions than the journal."""


def topics_at(
    names: Mapping[str, str],
    partition: int,
    partitions: int,
    connection: Mapping[str, Any],
    timeout: PublishingTimeouts,
) -> dict[str, TopicAt | TopicSick]:
    """Return for each topic of ``names`` (kind → name) its id and where the partition ends, or why it cannot be
    written. KafkaError, TimeoutError."""
    milliseconds = int(timeout.ask * 1000)
    admin = KafkaAdminClient(**connection, request_timeout_ms=milliseconds, bootstrap_timeout_ms=milliseconds)
    with closing(admin):
        described = {topic["name"]: topic for topic in admin.describe_topics(list(names.values()))}
    found: dict[str, TopicAt | TopicSick] = {}
    ids: dict[str, str] = {}
    for kind, name in names.items():
        sick = _sick(described[name], name, partition, partitions, security_of(connection))
        if sick is None:
            ids[kind] = str(described[name]["topic_id"])
        else:
            found[kind] = sick
    if ids:
        places = {kind: TopicPartition(names[kind], partition) for kind in ids}
        with opened_consumer(connection, timeout) as consumer:
            ends = consumer.end_offsets(list(places.values()), timeout_ms=milliseconds)
        found |= {kind: TopicAt(ids[kind], ends[place]) for kind, place in places.items()}
    return found


def _sick(topic: Mapping[str, Any], name: str, partition: int, partitions: int, security: Security) -> TopicSick | None:
    """Return why a topic, as the brokers describe it, cannot be written; None if it can."""
    code = topic["error_code"]
    if code == _UNKNOWN_TOPIC:
        return TopicSick(f"there is no topic {name}", f"make it with `rescind topics create`{hidden(name, security)}")
    if code in DENIED:
        return TopicSick(denied(code, security, f"Describe on the topic {name}"), "")
    if code:
        return TopicSick(f"the brokers answer {code} when asked for {name}", "")
    count = len(topic["partitions"])
    if count != partitions:
        return TopicSick(
            f"the topic {name} has {counted(count, 'partition')}, the journal has {partitions}", RECREATE_TOPIC
        )
    here = next(each for each in topic["partitions"] if each["partition_index"] == partition)
    if here["leader_id"] < 0:
        return TopicSick(f"partition {partition} of {name} has no leader: its brokers are away", "")
    return None


def topic_ids(
    names: Sequence[str], connection: Mapping[str, Any], partitions: int, milliseconds: int
) -> dict[str, str]:
    """Return the ids of topics, each of which must have the journal's ``partitions``. TopicUnfit; KafkaError."""
    admin = KafkaAdminClient(**connection, request_timeout_ms=milliseconds, bootstrap_timeout_ms=milliseconds)
    with closing(admin):
        found = {topic["name"]: topic for topic in admin.describe_topics(list(names))}
    for name in names:
        topic = found[name]
        if topic["error_code"] == _UNKNOWN_TOPIC:
            may_be = hidden(name, security_of(connection))
            raise NoSuchTopic(f"there is no topic {name}: make it with `rescind topics create`{may_be}")
        if topic["error_code"] in DENIED:
            needs = f"Describe on the topic {name}"
            raise TopicUnfit(denied(topic["error_code"], security_of(connection), needs))
        if topic["error_code"]:
            raise TopicUnfit(f"the brokers answer {topic['error_code']} when asked for {name}")
        if len(topic["partitions"]) != partitions:
            raise TopicOfOtherPartitions(
                f"the topic {name} has {counted(len(topic['partitions']), 'partition')}, the journal has {partitions}: "
                "they must be as many"
            )
    return {name: str(found[name]["topic_id"]) for name in names}


_UNKNOWN_TOPIC: Final = 3


@contextmanager
def unavailable(connection: Mapping[str, Any], transactional_id: str = "") -> Iterator[None]:
    """Raise the client's errors as those of the port. ``transactional_id``: the writer's, if anything is written."""
    security = security_of(connection)
    try:
        yield
    except (ProducerFencedError, InvalidProducerEpochError) as fenced:
        raise Fenced from fenced
    except TransactionalIdAuthorizationFailedError as refused:
        needs = f"Write and Describe on the transactional id {transactional_id}"
        raise PublishingStopped(denied(TRANSACTIONAL_ID, security, needs)) from refused
    except OffsetOutOfRangeError as moved:
        raise PublicLogUnavailable(f"the progress topic was changed while it was read: {moved}") from moved
    except (KafkaError, TimeoutError) as error:
        if _is_fenced(error):
            raise Fenced from error
        raise PublicLogUnavailable(why(error, security, "", CONNECTION_ERRORS)) from error


def _is_fenced(error: BaseException) -> bool:
    """Whether a failure only repeats an earlier fence: a send after it raises a bare KafkaError, with the reason among
    its arguments. Two publishers that took this for an outage would fence each other for ever."""
    found: list[object] = [error]
    for each in found:
        if isinstance(each, BaseException):
            found += each.args
            if each.__cause__ is not None:
                found.append(each.__cause__)
    return any(isinstance(each, (ProducerFencedError, InvalidProducerEpochError)) for each in found)
