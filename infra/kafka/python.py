"""kafka-python, imported in the one way that is silent: it reads its package data by a name that is about to go."""

from warnings import catch_warnings, filterwarnings

with catch_warnings():
    filterwarnings("ignore", message=r"(read|open)_text is deprecated", category=DeprecationWarning)
    from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
    from kafka.admin import ConfigResource, ConfigResourceType
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

__all__ = [
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
    "TopicAlreadyExistsError",
    "TopicPartition",
]
