"""The notifier: a loop that reads admitted commits in log order, and notifies buyers and sellers (rule ``both-told``).

``step`` stores new notifications and its position in one transaction, hands messages to the carrier, and now and then
checks for reminders and follow-ups. It has no thread, no clock and no network.

A message cannot be handed to a mail server exactly once. The notifier hands over each message at most once per sequence
number: the message id is derived from the log, and the intent is written before the message is handed over. If a
process ends between intent and answer, the message is *unknown*, and people decide whether it is sent again. Imported
commits are history: nobody is notified of them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from consumers.log.commit_codec import UNREADABLE, decoded, part_of
from consumers.log.handoff_buffer import HandoffBuffer
from consumers.notifying.notification_mapper import (
    NotificationMapper,
    deadline_of,
    message_id_of,
    order_after,
    reminder_of,
)
from consumers.ports.log_values import Admitted
from consumers.ports.notifications import (
    CannotCompose,
    Composer,
    Contact,
    DeliveryReport,
    DeliveryStore,
    Directory,
    Message,
    Notification,
    NotifierSource,
    Post,
    PostRefused,
    PostUnavailable,
    PostUnsure,
    Subject,
)
from domain import events as e
from domain.calendar import Length, after
from domain.deadlines import applies
from domain.instants import DAY, HOUR, MINUTE, SECOND, Instant
from domain.notification_rules import CONFIRMATIONS, REMINDED, REMINDER, reminded
from domain.order import Order
from domain.policy import PolicyBook
from schemas.codec import decode_event


@dataclass(frozen=True, slots=True)
class NotifierLimits:
    """Bounds and intervals of a notifier.

    ``commits``: read in one step. ``messages``: handed over in one step. ``retry`` and ``longest``: the first and the
    longest pause after the carrier was unavailable; each pause is twice the one before. ``too_old``: a notification
    recorded longer ago than this, when it is first read, is not sent automatically. ``look``: the interval between two
    checks for reminders and follow-ups. ``remind``: how long before a deadline a reminder is sent, or at half its time
    if that is later. ``confirmed_within``: after how long a confirmation is followed up, unless the order's policy
    has its own length. ``reminders``: due deadlines read per partition and check.
    """

    commits: int = 1_000
    messages: int = 20
    retry: Instant = MINUTE
    longest: Instant = HOUR
    too_old: Instant = 7 * DAY
    look: Instant = 20 * SECOND
    remind: Instant = DAY
    confirmed_within: Length = field(default_factory=lambda: Length(2, "days"))
    reminders: int = 5_000


class Notifier:
    """Notifies the buyers and sellers of the followed partitions. ``admitted`` may be called from another thread."""

    def __init__(
        self,
        sources: Mapping[int, NotifierSource],
        store: DeliveryStore,
        post: Post | None,
        directory: Directory,
        composer: Composer,
        policies: Callable[[], PolicyBook],
        limits: NotifierLimits | None = None,
    ) -> None:
        """``post`` None: another program sends the notifications on the topic. Only their states are stored here."""
        self.trouble: str | None = None
        """Why the carrier does not take messages at the moment."""
        self.stopping = False
        """May be set from any thread. No further message is begun."""
        self._sources = sources
        self._store = store
        self._post = post
        self._directory = directory
        self._composer = composer
        self._policies = policies
        self._limits = limits or NotifierLimits()
        self._handoffs = {partition: HandoffBuffer() for partition in sources}
        self._positions: dict[int, int] = {}
        self._mappers = {partition: NotificationMapper(partition, source) for partition, source in sources.items()}
        self._not_before: Instant = 0
        self._begun = False
        self._next_look_at: Instant | None = None
        self._remind_at: dict[tuple[str, str], Instant | None] = {}

    # ---- the engine's listener ---------------------------------------------------------------------------------------

    def admitted(self, admitted: Admitted) -> None:
        """Buffer a commit that the source has, so that it need not be read again."""
        handoff = self._handoffs.get(admitted.partition)
        if handoff is not None:
            handoff.add(admitted)

    # ---- one step ----------------------------------------------------------------------------------------------------

    def step(self, now: Instant) -> bool:
        """Store new notifications, hand messages over, check for reminders. Returns whether there was anything to do.

        Raises DeliveryStoreUnavailable.
        """
        if not self._begun:
            self._settle_interrupted(now)
            self._begun = True
        moved = False
        for partition, source in self._sources.items():
            moved = self._take(partition, source, now) or moved
        moved = self._hand_over(now) or moved
        if self._next_look_at is None or now >= self._next_look_at or self._next_look_at - now > self._limits.look:
            self._next_look_at = now + self._limits.look
            moved = self._follow_up(now) or moved
            if self._post is not None:
                moved = self._remind(now) or moved
        return moved

    @property
    def behind(self) -> int:
        """Number of commits that the sources have and the notifier has not taken."""
        return sum(max(0, of.next_ordinal - self._positions.get(p, 0)) for p, of in self._sources.items())

    def _settle_interrupted(self, now: Instant) -> None:
        """Settle the messages for which a process ended between intent and answer. None is sent twice automatically."""
        for message in self._store.interrupted():
            known = None if self._post is None else self._post.has(message.first.message_id or "")
            match known:
                case True:
                    self._store.settle(message, "handed", at=now, follow_up_at=self._follow_up_at(message, now, None))
                case False:
                    self._store.settle(message, "waiting")
                case None:
                    error = "a process ended while it was handed over: it may have gone out"
                    self._store.settle(message, "unknown", error=error)

    # ---- new notifications -------------------------------------------------------------------------------------------

    def _take(self, partition: int, source: NotifierSource, now: Instant) -> bool:
        position = self._positions.get(partition)
        if position is None:
            position = self._positions[partition] = self._store.position(partition)
        behind = min(source.next_ordinal, position + self._limits.commits)
        if behind <= position:
            return False
        notifications: list[Notification] = []
        reports: list[DeliveryReport] = []
        for admitted in self._handoffs[partition].commits(position, behind, source):
            too_old = now - admitted.appended_at > self._limits.too_old
            for found in self._mappers[partition].of(admitted):
                if isinstance(found, DeliveryReport):
                    reports.append(found)
                else:
                    self._begin(found, now, too_old)
                    notifications.append(found)
        self._store.take(partition, behind, notifications, reports)
        self._positions[partition] = behind
        return True

    def _begin(self, notification: Notification, now: Instant, too_old: bool = False) -> None:
        """Set a notification's first state: waiting, unless no message is to be sent."""
        if self._post is None:
            notification.state, notification.carrier, notification.handed_at = "handed", "topic", now
            if notification.audience == "buyer" and notification.template in CONFIRMATIONS:
                notification.follow_up_at = after(now, self._limits.confirmed_within, _UTC)
        elif too_old:
            notification.state = "too-old"
        elif self._contact(notification) is None:
            notification.state = "no-address"

    def _contact(self, notification: Notification) -> Contact | None:
        marketplace = notification.stream.partition("/")[0]
        return self._directory.contact(marketplace, notification.audience, notification.recipient_id)

    # ---- handing over ------------------------------------------------------------------------------------------------

    def _hand_over(self, now: Instant) -> bool:
        if self._post is None or now < self._not_before <= now + self._limits.longest:
            return False
        sent = 0
        for message in self._store.due(now, self._limits.messages):
            self._send(message, self._post, now)
            sent += 1
            if self.stopping or now < self._not_before:
                break
        return sent > 0

    def _send(self, message: Message, post: Post, now: Instant) -> None:
        """Compose a message, write the intent, hand it over, write the answer."""
        contact = self._contact(message.first)
        if contact is None:
            self._store.settle(message, "no-address")
            return
        message_id = message_id_of(message)
        try:
            subject = subject_of(self._sources[message.first.partition], message, now)
            if subject is None:
                self._store.settle(message, "moot")
                return
            mail = self._composer.compose(message, subject, contact, message_id, now)
        except (CannotCompose, *UNREADABLE) as wrong:
            self._store.settle(message, "failed", error=str(wrong) or type(wrong).__name__)
            return
        self._store.intend(message, message_id, post.name)
        try:
            post.hand_over(mail)
        except PostUnavailable as later:
            self.trouble = str(later)
            self._not_before = now + self._limits.retry
            wait = min(self._limits.retry << min(message.first.attempts, 10), self._limits.longest)
            self._store.settle(message, "waiting", error=str(later), not_before=now + wait)
        except PostRefused as refused:
            self._store.settle(message, "failed", error=str(refused))
        except PostUnsure as unsure:
            self.trouble = str(unsure)
            self._store.settle(message, "unknown", error=str(unsure))
        else:
            self.trouble = None
            self._store.settle(message, "handed", at=now, follow_up_at=self._follow_up_at(message, now, subject.order))

    # ---- reminders and follow-ups ------------------------------------------------------------------------------------

    def _follow_up_at(self, message: Message, now: Instant, order: Order | None) -> Instant | None:
        """Return when a confirmation is sent again if it is not confirmed. None: it is no first confirmation."""
        first = message.first
        if first.audience != "buyer" or not any(
            notification.template in CONFIRMATIONS for notification in message.notifications
        ):
            return None
        if first.sequence > 1:
            return None
        length, calendar = self._limits.confirmed_within, _UTC
        if order is not None and order.placed is not None:
            calendar = order.placed.calendar
            document = self._policies().get(order.placed.policy)
            if document is not None and document.policy.both_told.confirmed_within is not None:
                length = document.policy.both_told.confirmed_within
        return after(now, length, calendar)

    def _follow_up(self, now: Instant) -> bool:
        """Send each confirmation that was not confirmed in time once more. Returns whether there were any."""
        if self._post is None:
            return False
        messages = self._store.unconfirmed(now, self._limits.messages)
        for message in messages:
            self._store.again(message)
        return bool(messages)

    def _remind(self, now: Instant) -> bool:
        """Store the reminders that are due by now. Returns whether there were any."""
        remind_at: dict[tuple[str, str], Instant | None] = {}
        found: list[Notification] = []
        for partition, source in self._sources.items():
            for due in source.due_before(now + self._limits.remind, self._limits.reminders):
                key = due.stream, due.deadline_id
                if due.deadline_id.rpartition("-")[0] not in REMINDED or due.due_at < now:
                    continue
                at = self._remind_at[key] if key in self._remind_at else self._when(source, *key)
                remind_at[key] = at
                if at is not None and at <= now:
                    found += self._reminders(partition, source, *key, now)
                    remind_at[key] = None
        self._remind_at = remind_at
        for partition in self._sources:
            here = [notification for notification in found if notification.partition == partition]
            if here:
                self._store.take(partition, self._positions[partition], here)
        return bool(found)

    def _when(self, source: NotifierSource, stream: str, deadline_id: str) -> Instant | None:
        """Return when to remind of a deadline: ``remind`` before it, but not in the first half of its time."""
        for admitted in source.commits_of(stream):
            part = part_of(admitted.commit, stream)
            for entry in () if part is None else part.events:
                event = decoded(entry)
                for deadline in getattr(event, "deadlines", ()):
                    if deadline.deadline_id == deadline_id:
                        half = (deadline.due_at - admitted.commit.recorded_at) // 2
                        return int(deadline.due_at - min(self._limits.remind, max(half, 0)))
        return None

    def _reminders(
        self, partition: int, source: NotifierSource, stream: str, deadline_id: str, now: Instant
    ) -> Iterator[Notification]:
        commits = list(source.commits_of(stream))
        try:
            order = order_after(stream, commits)
        except UNREADABLE:
            return
        deadline = order.deadlines.get(deadline_id)
        if deadline is None or not applies(order, deadline):
            return
        for audience in reminded(order, deadline):
            notification = reminder_of(order, partition, commits[-1].ordinal, deadline_id, audience, now)
            if self._store.find(stream, notification.notice_id) is None:
                self._begin(notification, now)
                yield notification


_UTC: Final = e.Calendar("UTC", ("sat", "sun"), (), None)


def subject_of(source: NotifierSource, message: Message, now: Instant) -> Subject | None:
    """Return what a message is about. None: a reminder of a deadline that has passed or no longer applies."""
    first = message.first
    commits = list(source.commits_of(first.stream))
    if first.template == REMINDER:
        order = order_after(first.stream, commits)
        deadline = order.deadlines.get(deadline_of(first))
        if deadline is None or not applies(order, deadline) or now > deadline.due_at:
            return None
        return Subject(order, commits[-1].hash)
    until = [each for each in commits if each.ordinal <= first.ordinal]
    part = part_of(until[-1].commit, first.stream) if until else None
    if part is None or until[-1].ordinal != first.ordinal:
        raise LookupError(f"commit {first.ordinal} of {first.stream} is not here")
    events = []
    for notification in message.notifications:
        entry = part.events[notification.version - part.first_event - 1]
        events.append((notification, decode_event(entry.name, entry.schema_version, entry.body)))
    return Subject(order_after(first.stream, until), until[-1].hash, events)
