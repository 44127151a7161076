"""The dead letters of commands: they are on the topic, and nowhere else."""

import time
from collections.abc import Iterator
from typing import Any

from kafka import TopicPartition

from consumers.log.dead_letters import DeadLetter
from infra.addresses.kafka import KafkaAt, Security
from infra.kafka.kafka_python import connection
from infra.publishing.reading import PublishingTimeouts, opened_consumer, unavailable
from schemas.public.topics import DEAD_LETTERS, topic_name


def read_letters(at: KafkaAt, security: Security) -> Iterator[DeadLetter]:
    """Yield the dead letters of commands, one partition after the other, each once. Reads the whole topic.

    PublicLogUnavailable. Yields none if there is no such topic.
    """
    name, timeout = topic_name(at.prefix, DEAD_LETTERS), PublishingTimeouts()
    seen: set[str] = set()
    connected = connection(at.servers, security)
    with unavailable(connected), opened_consumer(connected, timeout) as consumer:
        places = [TopicPartition(name, number) for number in sorted(consumer.partitions_for_topic(name))]
        milliseconds = int(timeout.ask * 1000)
        first, ends = (
            ask(places, timeout_ms=milliseconds) for ask in (consumer.beginning_offsets, consumer.end_offsets)
        )
        for place in places:
            consumer.assign([place])
            consumer.seek(place, first[place])
            until = time.monotonic() + timeout.ask
            while consumer.position(place) < ends[place]:
                records = consumer.poll(timeout_ms=200).get(place, ())
                if records:
                    until = time.monotonic() + timeout.ask
                elif time.monotonic() > until:
                    raise TimeoutError(f"{name} cannot be read to its end")
                for letter in map(_letter, records):
                    if letter is not None and letter.id not in seen:
                        seen.add(letter.id)
                        yield letter


def _letter(record: Any) -> DeadLetter | None:
    headers = {name: (value or b"").decode("utf-8", "replace") for name, value in record.headers}
    if headers.get("rescind-origin") != "commands":
        return None
    try:
        return DeadLetter(
            headers["rescind-letter"],
            "commands",
            headers["rescind-error"],
            record.key or b"",
            record.value or b"",
            headers["rescind-place"],
            int(headers["rescind-partition"]),
            int(headers["rescind-offset"]),
            None,
            None,
            None,
        )
    except (KeyError, ValueError):
        return None  # not written by rescind
