"""The recorders of the `eventsourcing` library on a store: aggregates, the application's sequence, tracking, processes.

An aggregate is a chain stream, and its version is the number of the event in it (the first version is free, later ones
are contiguous). Everything that is saved together is one commit. An application's sequence is its partition's: the
notification with id *n* is the event at position *n - 1*. A projection's tracking is a watermark stream. Its view can
save its own events in the same commit (``JournalTrackingRecorder.insert_tracking_with``).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from itertools import islice
from threading import Event
from time import monotonic
from typing import Any, ClassVar, Final, NamedTuple
from uuid import UUID

from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    ListenNotifySubscription,
    Notification,
    OperationalError,
    ProcessRecorder,
    Recorder,
    StoredEvent,
    Subscription,
    Tracking,
    TrackingRecorder,
    WaitInterruptedError,
)

from consumers.ports.local_state import LocalState
from consumers.ports.log_values import Admitted
from infra.eventsourcing_journal.drafts import Draft, Envelope, Part, parts_of
from infra.eventsourcing_journal.naming import originator_of, snapshots_of, stream_of, tracking_of
from infra.eventsourcing_journal.store import Lease
from schemas.commit import EventEntry

TIMEOUT: Final = 30.0
"""Seconds after which an unanswered save raises OperationalError. It is then unknown whether it was written."""
PLAIN: Final = Envelope()
"""The envelope of an application that gives nothing but events."""
_PAGE: Final = 256
"""Commits that are read at once under the store's lock."""
_INTERRUPT: Final = 0.05
"""Seconds between two checks of the event that may interrupt a wait."""


class Stored(NamedTuple):
    """An event in the log: its stream and its number there, its position in the partition (-1 for events of unique
    streams, which have none), the entry and its commit."""

    stream: str
    number: int
    position: int
    entry: EventEntry
    admitted: Admitted


class JournalRecorder(Recorder):
    """The base of all recorders: a lease on the store, and the making of commits.

    Subclasses may name streams differently, and read and write more of a commit than the library knows: ``stream``,
    ``envelope``, ``stored_event``, ``notification``.
    """

    numbered_from: ClassVar[int] = 0
    """The version of a stream's event 0."""

    def __init__(self, lease: Lease, *, timeout: float = TIMEOUT) -> None:
        self.lease = lease
        self.timeout = timeout

    def stream(self, originator_id: UUID | str) -> str:
        """The chain stream of an aggregate."""
        return stream_of(originator_id)

    def envelope(self, stored_events: Sequence[StoredEvent], kwargs: Mapping[str, Any]) -> Envelope:
        """The fields of the commit other than its events, from the events and the keyword arguments of
        ``Application.save``."""
        return PLAIN

    def stored_event(self, stored: Stored) -> StoredEvent:
        """The event as ``select_events`` returns it."""
        version = stored.number + self.numbered_from
        return StoredEvent(originator_of(stored.stream), version, stored.entry.name, stored.entry.body)

    def notification(self, stored: Stored) -> Notification:
        """The event as ``select_notifications`` returns it."""
        version = stored.number + self.numbered_from
        entry = stored.entry
        return Notification(originator_of(stored.stream), version, entry.name, entry.body, stored.position + 1)

    def parts(
        self, stored_events: Iterable[StoredEvent], tracking: Tracking | None = None, purpose: str | None = None
    ) -> list[Part]:
        """The parts of a commit with these events and the tracking."""
        parts = parts_of(stored_events, self.stream, tracking=tracking, purpose=purpose)
        for part in parts:
            if part.kind == "chain":
                part.first -= self.numbered_from
        return parts

    def save(self, parts: Sequence[Part], envelope: Envelope = PLAIN) -> Admitted:
        """Save the parts as one commit. Returns when it was read back and admitted."""
        draft = Draft(parts, envelope, Future())
        self.lease.store.save(draft)
        try:
            return draft.future.result(self.timeout)
        except TimeoutError:
            raise OperationalError(f"it is unknown after {self.timeout} s whether this was written") from None


class JournalAggregateRecorder(JournalRecorder, AggregateRecorder):
    """Aggregates' events in chain streams. With a purpose, additional events (snapshots) in unique streams."""

    def __init__(self, lease: Lease, *, purpose: str | None = None, timeout: float = TIMEOUT) -> None:
        super().__init__(lease, timeout=timeout)
        self.purpose = purpose

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Save the events as one commit. IntegrityError if a version exists already or is out of order."""
        parts = self.parts(stored_events, purpose=self.purpose)
        if parts:
            self.save(parts, self.envelope(stored_events, kwargs))
        return None

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """The aggregate's events with versions above ``gt`` and up to ``lte``, as far as this process has followed the
        log."""
        stream = self.stream(originator_id)
        base = self.numbered_from if self.purpose is None else 0
        first = 0 if gt is None else max(gt + 1 - base, 0)
        last = None if lte is None else lte - base
        store = self.lease.store
        if self.purpose is None:
            question = partial(_chain, stream=stream, first=first, last=last, desc=desc, limit=limit)
            found = store.read(question, fresh=False)
            if not found and gt is None:  # no later save would reveal that it exists
                found = store.read(question)
        else:
            name = snapshots_of(self.purpose, stream)
            found = store.read(lambda state: _unique(state, name, stream, first, last, desc, limit), fresh=False)
        return [self.stored_event(stored) for stored in found]


class JournalApplicationRecorder(JournalAggregateRecorder, ApplicationRecorder):
    """Aggregates' events, and all of them as one sequence: the partition's own."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Save the events as one commit. Returns the ids of their notifications, in the given order."""
        return self.insert_tracked(stored_events, None, kwargs)

    def insert_tracked(
        self, stored_events: Sequence[StoredEvent], tracking: Tracking | None, kwargs: Mapping[str, Any]
    ) -> Sequence[int]:
        """Save the events and the tracking in one commit, even without events. Returns the ids of the notifications."""
        parts = self.parts(stored_events, tracking)
        if not parts:
            return []
        admitted = self.save(parts, self.envelope(stored_events, kwargs))
        return list(range(admitted.position + 1, admitted.position + len(stored_events) + 1))

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """At most ``limit`` notifications with ids from ``start`` to ``stop``, only of these topics if any are
        named."""
        first = 0 if start is None else max(start if not inclusive_of_start else start - 1, 0)
        found: list[Notification] = []
        for stored in self._sequence(first):
            if len(found) >= limit or (stop is not None and stored.position >= stop):
                break
            if not topics or stored.entry.name in topics:
                found.append(self.notification(stored))
        return found

    def max_notification_id(self) -> int | None:
        """The id of the last notification. None if there is none."""
        return self.lease.store.read(lambda state: state.next_position) or None

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Subscription[ApplicationRecorder]:
        """Notifications with ids above ``gt``, including future ones. Continues after the application is closed, until
        it is stopped."""
        return JournalSubscription(type(self)(self.lease.another(), timeout=self.timeout), gt=gt, topics=topics)

    def _sequence(self, first: int) -> Iterator[Stored]:
        """The partition's events from this position to the end of the log."""
        ordinal: int | None = None
        while True:
            page, ordinal = self.lease.store.read(partial(_page, first=first, ordinal=ordinal))
            if not page:
                return
            for admitted in page:
                for stored in _events(admitted):
                    if stored.position >= first:
                        yield stored


class JournalTrackingRecorder(JournalRecorder, TrackingRecorder):
    """How far applications' notifications were processed. A view that stores more derives from this class."""

    def insert_tracking(self, tracking: Tracking) -> None:
        """Record a tracking. IntegrityError unless it is greater than the last one of that application."""
        self.insert_tracking_with(tracking)

    def insert_tracking_with(self, tracking: Tracking, stored_events: Iterable[StoredEvent] = ()) -> None:
        """Record a tracking and these events in one commit: both or neither."""
        self.save(self.parts(stored_events, tracking))

    def max_tracking_id(self, application_name: str) -> int | None:
        """The last tracking of that application. None if there is none."""
        stream = tracking_of(application_name)
        return self.lease.store.read(lambda state: state.watermark(stream))

    def wait(
        self,
        application_name: str,
        notification_id: int | None,
        timeout: float = 1.0,
        interrupt: Event | None = None,
    ) -> None:
        """Wait until a tracking of at least this id is recorded. TimeoutError, WaitInterruptedError."""
        deadline = monotonic() + timeout
        grown = Event()
        store = self.lease.store
        store.listen(grown)
        try:
            while not self.has_tracking_id(application_name, notification_id):
                if interrupt is not None and interrupt.is_set():
                    raise WaitInterruptedError
                remaining = deadline - monotonic()
                if remaining <= 0:
                    raise TimeoutError(
                        f"notification {notification_id} of application {application_name!r} was not processed "
                        f"within {timeout} s"
                    )
                grown.wait(remaining if interrupt is None else min(remaining, _INTERRUPT))
                grown.clear()
        finally:
            store.unlisten(grown)


class JournalProcessRecorder(JournalTrackingRecorder, JournalApplicationRecorder, ProcessRecorder):
    """Events, and the tracking of their source, in one commit."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Save the events as one commit, with the keyword argument ``tracking``, even without events."""
        return self.insert_tracked(stored_events, kwargs.get("tracking"), kwargs)


class JournalSubscription(ListenNotifySubscription[JournalApplicationRecorder]):
    """Notifications as they arrive. The store wakes it, so it does not poll. It has its own lease."""

    def __init__(self, recorder: JournalApplicationRecorder, gt: int | None = None, topics: Sequence[str] = ()) -> None:
        self._store = recorder.lease.store
        super().__init__(recorder=recorder, gt=gt, topics=topics)
        self._store.listen(self._has_been_notified)
        self._has_been_notified.set()  # for events from before it listened

    def stop(self) -> None:
        """Stop, so that the iteration ends. May be called from any thread, more than once."""
        super().stop()
        self._store.unlisten(self._has_been_notified)
        self._recorder.lease.release()

    def _pull(self) -> None:
        """Read new notifications. It is no error to be stopped during that."""
        try:
            super()._pull()
        except OperationalError:
            if not self._has_been_stopped:
                raise


# ---- reading, under the store's lock ---------------------------------------------------------------------------------


def _chain(state: LocalState, stream: str, first: int, last: int | None, desc: bool, limit: int | None) -> list[Stored]:
    """Events of a chain stream with versions from ``first`` to ``last``: the oldest ``limit`` of them, or with ``desc``
    the newest."""
    head = state.head(stream)
    if head is None or limit == 0:
        return []
    behind = head.count if last is None else min(last + 1, head.count)
    if desc and limit is not None:
        first = max(first, behind - limit)
    if first >= behind:
        return []
    wanted = (
        stored
        for admitted in state.commits_of(stream, first)
        for stored in _events(admitted)
        if stored.stream == stream and first <= stored.number
    )
    found = []
    for stored in islice(wanted, None if desc else limit):
        if stored.number >= behind:
            break
        found.append(stored)
    if desc:
        found.reverse()
    return found


def _unique(
    state: LocalState, name: str, stream: str, first: int, last: int | None, desc: bool, limit: int | None
) -> list[Stored]:
    """Events of a unique stream, under the name of the chain stream that it belongs to."""
    found = []
    for version in state.versions(name, first, last, newest_first=desc, limit=limit):
        admitted = state.commit_at(version.ordinal)
        assert admitted is not None
        part = next(part for part in admitted.commit.streams if part.stream == name)
        found.append(Stored(stream, version.version, -1, part.events[version.version - part.first_event], admitted))
    return found


def _page(state: LocalState, first: int, ordinal: int | None) -> tuple[list[Admitted], int]:
    """Commits from this ordinal on (None: from the one with the event at position ``first``), and the next ordinal."""
    start = state.ordinal_at(first) if ordinal is None else ordinal
    page = list(islice(state.commits(start), _PAGE))
    return page, start + len(page)


def _events(admitted: Admitted) -> list[Stored]:
    """The commit's events that have positions, in the writer's order."""
    parts = [part for part in admitted.commit.streams if part.kind == "chain"]
    if len(parts) == 1:
        part = parts[0]
        return [
            Stored(part.stream, part.first_event + number, admitted.position + number, entry, admitted)
            for number, entry in enumerate(part.events)
        ]
    placed = sorted(
        (entry.index, part.stream, part.first_event + number, entry)
        for part in parts
        for number, entry in enumerate(part.events)
    )
    return [
        Stored(stream, version, admitted.position + number, entry, admitted)
        for number, (_, stream, version, entry) in enumerate(placed)
    ]
