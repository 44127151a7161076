"""kafka-python, imported in the one way that is silent: it reads its package data by a name that is about to go.

Why its connections fail it says only in its log: ``HEARD`` has that.

And mended in one place: a record with a header whose name is not UTF-8, which Kafka takes from anybody, would end this
client's reading of its partition, in a poll that never comes back. Such a name is read with escapes for what is wrong.
"""

import logging
from typing import Any, Final
from warnings import catch_warnings, filterwarnings

from infra.kafka.refusals import Heard

with catch_warnings():
    filterwarnings("ignore", message=r"(read|open)_text is deprecated", category=DeprecationWarning)
    from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
    from kafka.admin import ConfigResource, ConfigResourceType, OffsetSpec
    from kafka.errors import (
        CorruptRecordError,
        IllegalStateError,
        KafkaError,
        KafkaTimeoutError,
        LogTruncationError,
        MessageSizeTooLargeError,
        OffsetOutOfRangeError,
        TopicAlreadyExistsError,
    )
    from kafka.record.default_records import DefaultRecordBatch


class _Lenient(bytearray):
    """Bytes whose parts are decoded whatever they are."""

    def __getitem__(self, at: Any) -> Any:
        part = super().__getitem__(at)
        return _Lenient(part) if isinstance(at, slice) else part

    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        return super().decode(encoding, "backslashreplace")


_read_message: Final = DefaultRecordBatch._read_msg


def _read_any_message(batch: Any) -> Any:
    try:
        return _read_message(batch)
    except UnicodeDecodeError:  # nothing was read yet: once more
        batch._buffer = _Lenient(batch._buffer)
        return _read_message(batch)


DefaultRecordBatch._read_msg = _read_any_message

HEARD: Final = Heard()
"""Why connections of this client failed, in this process."""


def _hear(record: logging.LogRecord) -> bool:
    HEARD.hear(record.getMessage())
    return True  # it is logged as it always was


logging.getLogger("kafka.net.manager").addFilter(_hear)

__all__ = [
    "HEARD",
    "ConfigResource",
    "ConfigResourceType",
    "CorruptRecordError",
    "IllegalStateError",
    "KafkaAdminClient",
    "KafkaConsumer",
    "KafkaError",
    "KafkaProducer",
    "KafkaTimeoutError",
    "LogTruncationError",
    "MessageSizeTooLargeError",
    "OffsetOutOfRangeError",
    "OffsetSpec",
    "TopicAlreadyExistsError",
    "TopicPartition",
]
