"""What the topics say of themselves: whether they are as they must be, and up to where inputs are answered."""

import time
from collections.abc import Mapping
from typing import Any, Final

from kafka import TopicPartition

from infra.commands.form import INPUT
from infra.kafka.address import KafkaAt
from infra.publishing.reading import Patience, TopicUnfit, opened_consumer, topic_ids
from schemas.public.topics import DEAD_LETTERS, topic_name

_LOOK_BACK: Final = 64
"""Offsets before the end of a partition of outcomes, at first, in which its last record is looked for."""


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
    at: KafkaAt, connected: Mapping[str, Any], topic_id: str, partition: int, patience: Patience
) -> int | None:
    """The offset of the last input of this topic that has an outcome; None if there is none."""
    place = TopicPartition(at.outcomes, partition)
    milliseconds = int(patience.ask * 1000)
    with opened_consumer(connected, patience) as consumer:
        begin = consumer.beginning_offsets([place], timeout_ms=milliseconds)[place]
        end = first = consumer.end_offsets([place], timeout_ms=milliseconds)[place]
        consumer.assign([place])
        look_back, found = _LOOK_BACK, None
        while found is None and first > begin:
            first, look_back = max(begin, end - look_back), 4 * look_back
            consumer.seek(place, first)
            until = time.monotonic() + patience.ask
            while consumer.position(place) < end:
                if time.monotonic() > until:
                    raise CommandsUnavailable(f"{at.outcomes} does not come to its end")
                for record in consumer.poll(timeout_ms=200).get(place, ()):
                    answers = _answers(record, topic_id, partition)
                    found = found if answers is None else answers
    return found


def _answers(record: Any, topic_id: str, partition: int) -> int | None:
    """The input that an outcome answers, if it is one of this topic."""
    said = dict(record.headers).get(INPUT) or b""
    said_id, _, where = said.decode("ascii", "replace").partition(":")
    of, _, offset = where.partition(":")
    return int(offset) if said_id == topic_id and of == str(partition) and offset.isdecimal() else None
