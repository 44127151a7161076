"""A subscription that is stopped while it reads ends quietly; one whose journal fails under it says so."""

import threading
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from eventsourcing.persistence import Notification, OperationalError

from infra.eventsourcing_journal import Factory
from infra.eventsourcing_journal.recorders import JournalApplicationRecorder, JournalSubscription
from tests.contract.eventsourcing.journals import MODULE

SECONDS = 30


def factory() -> Factory:
    made = Factory.construct({"PERSISTENCE_MODULE": MODULE, "JOURNAL_URL": f"memory:{uuid4()}"})
    assert isinstance(made, Factory)
    return made


class Slow(JournalApplicationRecorder):
    """Waits in the middle of a read until the test lets it go on."""

    reading: threading.Event
    go_on: threading.Event

    def select_notifications(self, *args: Any, **kwargs: Any) -> Sequence[Notification]:
        self.reading.set()
        assert self.go_on.wait(SECONDS)
        return super().select_notifications(*args, **kwargs)


def subscribed(made: Factory) -> tuple[JournalSubscription, Slow]:
    """A subscription that is in the middle of its first read."""
    recorder = made.application_recorder()
    slow = Slow(recorder.lease.another())
    slow.reading, slow.go_on = threading.Event(), threading.Event()
    subscription = JournalSubscription(slow, gt=0)
    assert slow.reading.wait(SECONDS)
    return subscription, slow


def test_stopped_while_it_reads_it_ends_without_an_error() -> None:
    made = factory()
    subscription, slow = subscribed(made)
    subscription.stop()
    slow.go_on.set()
    subscription._pull_thread.join(SECONDS)
    assert subscription._thread_error is None
    assert list(subscription) == []
    made.close()


def test_a_journal_that_fails_is_reported() -> None:
    made = factory()
    subscription, slow = subscribed(made)
    slow.lease.release()  # somebody else took it away
    slow.go_on.set()
    subscription._pull_thread.join(SECONDS)
    assert isinstance(subscription._thread_error, OperationalError)
    made.close()
