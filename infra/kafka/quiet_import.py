"""Import kafka-python without its deprecation warning: it reads its package data through a deprecated function.

kafka-python reports the reason of a failed connection only in its log. ``CONNECTION_ERRORS`` collects those messages.

One defect is fixed here. Kafka accepts a record with a header name that is not UTF-8 from any producer. This client
could not read past such a record: ``poll`` would never return. The name is now decoded with escapes.
"""

import logging
from typing import Any, Final
from warnings import catch_warnings, filterwarnings

from infra.kafka.refusals import ConnectionErrors

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
    """Bytes whose slices decode without errors."""

    def __getitem__(self, at: Any) -> Any:
        part = super().__getitem__(at)
        return _Lenient(part) if isinstance(at, slice) else part

    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        return super().decode(encoding, "backslashreplace")


_read_message: Final = DefaultRecordBatch._read_msg


def _read_any_message(batch: Any) -> Any:
    try:
        return _read_message(batch)
    except UnicodeDecodeError:  # nothing was consumed yet, so read it again
        batch._buffer = _Lenient(batch._buffer)
        return _read_message(batch)


DefaultRecordBatch._read_msg = _read_any_message

CONNECTION_ERRORS: Final = ConnectionErrors()
"""Connection errors of this client in this process."""


def _record_error(record: logging.LogRecord) -> bool:
    CONNECTION_ERRORS.record(record.getMessage())
    return True  # the message is still logged


logging.getLogger("kafka.net.manager").addFilter(_record_error)

__all__ = [
    "CONNECTION_ERRORS",
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
