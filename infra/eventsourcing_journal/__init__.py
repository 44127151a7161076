"""A persistence module for the `eventsourcing` library: any of its applications can use rescind's journal.

Set ``PERSISTENCE_MODULE=infra.eventsourcing_journal`` and ``JOURNAL_URL``. One application is one partition. Its
commits are the log's, admission gives optimistic concurrency, and its notification log is the partition's sequence of
events. docs/reference/eventsourcing-module.md says what is supported and what is not.
"""

from infra.eventsourcing_journal.factory import JournalFactory as Factory
from infra.eventsourcing_journal.recorders import (
    JournalAggregateRecorder,
    JournalApplicationRecorder,
    JournalProcessRecorder,
    JournalSubscription,
    JournalTrackingRecorder,
)

__all__ = [
    "Factory",
    "JournalAggregateRecorder",
    "JournalApplicationRecorder",
    "JournalProcessRecorder",
    "JournalSubscription",
    "JournalTrackingRecorder",
]
