"""What the topics say of themselves: whether they are as they must be, and up to where inputs are answered."""

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
"""Offsets before the end of a partition of outcomes, at first, in which its last record is looked for."""
_SKEW: Final = 60_000
"""Milliseconds that the clocks of two brokers may be apart."""
_OFFSET: Final = re.compile(r"[0-9]{1,19}", re.ASCII)


class CommandsUnavailable(Exception):
    """The topics cannot be read or written now, or nobody knows what became of a transaction; begin again."""


class GroupMovedOn(CommandsUnavailable):
    """Nothing was written, because the group shares its partitions out anew; nothing else is wrong."""


def topic_id(at: KafkaAt, connected: Mapping[str, Any], partitions: int, milliseconds: int) -> str:
    """The id of the commands topic; CommandsUnavailable where one is missing or has other partitions. KafkaError."""
    names = [at.commands, at.outcomes, topic_name(at.prefix, DEAD_LETTERS)]
    try:
        return topic_ids(names, connected, partitions, milliseconds)[at.commands]
    except TopicUnfit as unfit:
        raise CommandsUnavailable(str(unfit)) from None


def last_answered(
    at: KafkaAt, connected: Mapping[str, Any], topic_id: str, partition: int, timeout: PublishingTimeouts
) -> int | None:
    """The offset of the last input of this topic that has an outcome; None if there is none."""
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
                    raise CommandsUnavailable(f"{at.outcomes} does not come to its end")
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
    """The offset of the last input of this partition, from ``first`` on, that was passed on to another partition; None
    if there is none. Copies stand behind their inputs in time, so it reads the others from that moment on."""
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
        for offset in sorted(copies, reverse=True):  # anybody may have written what says that it is a copy
            record = next(_records(consumer, {place: offset}, {place: end}, timeout), None)
            if record is not None and record.offset == offset and (record.key or b"") == copies[offset]:
                return offset
    return None


def _records(
    consumer: Any, begin: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int], timeout: PublishingTimeouts
) -> Iterator[Any]:
    """What stands between these offsets, one partition after the other."""
    for place, first in begin.items():
        consumer.assign([place])
        consumer.seek(place, first)
        until = time.monotonic() + timeout.ask
        while consumer.position(place) < ends[place]:
            if time.monotonic() > until:
                raise CommandsUnavailable(f"{place.topic} does not come to its end")
            for record in consumer.poll(timeout_ms=200).get(place, ()):
                until = time.monotonic() + timeout.ask
                yield record


def _answers(record: Any, topic_id: str, partition: int) -> int | None:
    """The input of this partition that an outcome answers: the copy, where it was passed on."""
    headers = dict(record.headers)
    return _offset(headers.get(PASSED_ON) or headers.get(INPUT) or b"", topic_id, partition)


def _offset(place: bytes, topic_id: str, partition: int) -> int | None:
    """The offset of ``TOPIC_ID:PARTITION:OFFSET``, if it is this topic's and this partition's."""
    said_id, _, where = place.decode("ascii", "replace").partition(":")
    of, _, offset = where.partition(":")
    return int(offset) if said_id == topic_id and of == str(partition) and _OFFSET.fullmatch(offset) else None
