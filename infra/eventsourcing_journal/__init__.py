"""A persistence module for the `eventsourcing` library: any of its applications on our journal.

``PERSISTENCE_MODULE=infra.eventsourcing_journal`` and ``JOURNAL_URL``. One application is one partition: its commits
are the log's, optimistic concurrency is admission, its notification log is the partition's sequence of events.
docs/reference/eventsourcing-module.md says what it does and what it does not.
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
