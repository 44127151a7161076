"""Reads from the topics whether they are as they must be, and which inputs are answered."""

import re
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from kafka import TopicPartition

from infra.addresses.kafka import KafkaAt
from infra.command_topic.records import INPUT, PASSED_ON
from infra.publishing.reading import PublishingTimeouts, TopicUnfit, opened_consumer, topic_ids
from schemas.public.topics import DEAD_LETTERS, topic_name

_LOOK_BACK: Final = 64
"""Offsets before the end of a partition of outcomes that are searched first for its last record."""
_SKEW: Final = 60_000
"""Milliseconds that the clocks of two brokers may be apart."""
_OFFSET: Final = re.compile(r"[0-9]{1,19}", re.ASCII)


class CommandsUnavailable(Exception):
    """The topics cannot be read or written now, or the fate of a transaction is not known. Begin again."""


class GroupMovedOn(CommandsUnavailable):
    """Nothing was written, because the group is assigning its partitions again. Nothing else is wrong."""


def topic_id(at: KafkaAt, connected: Mapping[str, Any], partitions: int, milliseconds: int) -> str:
    """Return the id of the commands topic. CommandsUnavailable if a topic is missing or has other partitions;
    KafkaError."""
    names = [at.commands, at.outcomes, topic_name(at.prefix, DEAD_LETTERS)]
    try:
        return topic_ids(names, connected, partitions, milliseconds)[at.commands]
    except TopicUnfit as unfit:
        raise CommandsUnavailable(str(unfit)) from None


def last_answered(
    at: KafkaAt, connected: Mapping[str, Any], topic_id: str, partition: int, timeout: PublishingTimeouts
) -> int | None:
    """Return the offset of the last input of this topic that has an outcome; None if there is none."""
    place = TopicPartition(at.outcomes, partition)
    milliseconds = int(timeout.ask * 1000)
    with opened_consumer(connected, timeout) as consumer:
        begin = consumer.beginning_offsets([place], timeout_ms=milliseconds)[place]
        end = first = consumer.end_offsets([place], timeout_ms=milliseconds)[place]
        consumer.assign([place])
        look_back, found = _LOOK_BACK, None
        while found is None and first > begin:
            first, look_back = max(begin, end - look_back), 4 * look_back
            consumer.seek(place, first)
            until = time.monotonic() + timeout.ask
            while consumer.position(place) < end:
                if time.monotonic() > until:
                    raise CommandsUnavailable(f"{at.outcomes} cannot be read to its end")
                for record in consumer.poll(timeout_ms=200).get(place, ()):
                    answers = _answers(record, topic_id, partition)
                    found = found if answers is None else answers
    return found


def last_passed_on(
    at: KafkaAt,
    connected: Mapping[str, Any],
    topic_id: str,
    partition: int,
    partitions: int,
    first: int,
    timeout: PublishingTimeouts,
) -> int | None:
    """Return the offset of the last input of this partition, from ``first`` on, that was passed on to another
    partition; None if there is none. A copy is later than its input, so the other partitions are read from that moment
    on."""
    place = TopicPartition(at.commands, partition)
    others = [TopicPartition(at.commands, each) for each in range(partitions) if each != partition]
    milliseconds = int(timeout.ask * 1000)
    with opened_consumer(connected, timeout) as consumer:
        end = consumer.end_offsets([place], timeout_ms=milliseconds)[place]
        record = next(_records(consumer, {place: first}, {place: end}, timeout), None)
        if record is None or not others:
            return None
        since = max(0, record.timestamp - _SKEW)
        begins = consumer.offsets_for_times(dict.fromkeys(others, since), timeout_ms=milliseconds)
        begin = {each: found.offset for each, found in begins.items() if found is not None}
        ends = consumer.end_offsets([*begin], timeout_ms=milliseconds) if begin else {}
        copies: dict[int, bytes] = {}
        for record in _records(consumer, begin, ends, timeout):
            offset = _offset(dict(record.headers).get(INPUT) or b"", topic_id, partition)
            if offset is not None and first <= offset < end:
                copies[offset] = record.key or b""
        for offset in sorted(copies, reverse=True):  # anybody may write a record that claims to be a copy
            record = next(_records(consumer, {place: offset}, {place: end}, timeout), None)
            if record is not None and record.offset == offset and (record.key or b"") == copies[offset]:
                return offset
    return None


def _records(
    consumer: Any, begin: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int], timeout: PublishingTimeouts
) -> Iterator[Any]:
    """Yield the records between these offsets, one partition after the other."""
    for place, first in begin.items():
        consumer.assign([place])
        consumer.seek(place, first)
        until = time.monotonic() + timeout.ask
        while consumer.position(place) < ends[place]:
            if time.monotonic() > until:
                raise CommandsUnavailable(f"{place.topic} cannot be read to its end")
            for record in consumer.poll(timeout_ms=200).get(place, ()):
                until = time.monotonic() + timeout.ask
                yield record


def _answers(record: Any, topic_id: str, partition: int) -> int | None:
    """Return the input of this partition that an outcome answers. For an input that was passed on, that is the copy."""
    headers = dict(record.headers)
    return _offset(headers.get(PASSED_ON) or headers.get(INPUT) or b"", topic_id, partition)


def _offset(place: bytes, topic_id: str, partition: int) -> int | None:
    """Return the offset of ``TOPIC_ID:PARTITION:OFFSET``, if topic and partition are these."""
    found_id, _, where = place.decode("ascii", "replace").partition(":")
    of, _, offset = where.partition(":")
    return int(offset) if found_id == topic_id and of == str(partition) and _OFFSET.fullmatch(offset) else None
