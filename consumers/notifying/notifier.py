"""The notifier: a loop that reads admitted commits in log order, and tells buyers and sellers (rule ``both-told``).

``step`` does one thing after another: it notes in the book who is told what and its position, in one transaction; hands
letters over; now and then looks what is to be reminded of or followed up. No thread, no clock, no network.

A message cannot be handed to a mail server exactly once. So there is at most one for each letter and sequence: its id
follows from the log, the intent is written before it is handed over, and where a process ends between intent and answer
the letter is *unknown*: people decide whether it is sent again. What an import wrote is history: nobody is told of it.
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
    """``commits``: of one step. ``letters``: handed over in one step. ``retry`` and ``longest``: the first wait after a
    carrier was not to be had, and the longest; each is twice the one before. ``too_old``: a notice that was recorded so
    long before it is first looked at is not sent by itself. ``look``: between two looks at reminders and follow-ups.
    ``remind``: so long before a deadline, or at half its time if that is later. ``confirmed_within``: a confirmation
    is followed up after so long, where the order's policy does not say."""

    commits: int = 1_000
    letters: int = 20
    retry: Instant = MINUTE
    longest: Instant = HOUR
    too_old: Instant = 7 * DAY
    look: Instant = 20 * SECOND
    remind: Instant = DAY
    confirmed_within: Length = field(default_factory=lambda: Length(2, "days"))
    reminders: int = 5_000


class Notifier:
    """The notices of the partitions that a process follows. ``admitted`` may be called from another thread."""

    def __init__(
        self,
        sources: Mapping[int, NotifierSource],
        book: DeliveryStore,
        post: Post | None,
        directory: Directory,
        composer: Composer,
        policies: Callable[[], PolicyBook],
        limits: NotifierLimits | None = None,
    ) -> None:
        """``post`` None: others send what stands on the topic; here it is only kept what is known of it."""
        self.trouble: str | None = None
        """Why messages are not taken at the moment."""
        self.stopping = False
        """Set from any thread: no further letter is begun."""
        self._sources = sources
        self._book = book
        self._post = post
        self._directory = directory
        self._composer = composer
        self._policies = policies
        self._limits = limits or NotifierLimits()
        self._handed = {partition: HandoffBuffer() for partition in sources}
        self._positions: dict[int, int] = {}
        self._news = {partition: NotificationMapper(partition, source) for partition, source in sources.items()}
        self._not_before: Instant = 0
        self._begun = False
        self._look_at: Instant | None = None
        self._remind_at: dict[tuple[str, str], Instant | None] = {}

    # ---- the engine's listener ---------------------------------------------------------------------------------------

    def admitted(self, admitted: Admitted) -> None:
        """A commit that the source has by now; it need not be read again."""
        handed = self._handed.get(admitted.partition)
        if handed is not None:
            handed.add(admitted)

    # ---- one step ----------------------------------------------------------------------------------------------------

    def step(self, now: Instant) -> bool:
        """Take note, hand over, look ahead; whether anything moved. BookUnavailable."""
        if not self._begun:
            self._settle_interrupted(now)
            self._begun = True
        moved = False
        for partition, source in self._sources.items():
            moved = self._take(partition, source, now) or moved
        moved = self._hand_over(now) or moved
        if self._look_at is None or now >= self._look_at or self._look_at - now > self._limits.look:
            self._look_at = now + self._limits.look
            moved = self._follow_up(now) or moved
            if self._post is not None:
                moved = self._remind(now) or moved
        return moved

    @property
    def behind(self) -> int:
        """Commits that were followed and not looked at yet."""
        return sum(max(0, of.next_ordinal - self._positions.get(p, 0)) for p, of in self._sources.items())

    def _settle_interrupted(self, now: Instant) -> None:
        """A process ended between intent and answer: nothing is sent twice by itself."""
        for letter in self._book.interrupted():
            known = None if self._post is None else self._post.has(letter.first.message_id or "")
            match known:
                case True:
                    self._book.settle(letter, "handed", at=now, follow_up_at=self._follow_up_at(letter, now, None))
                case False:
                    self._book.settle(letter, "waiting")
                case None:
                    said = "a process ended while it was handed over: it may have gone out"
                    self._book.settle(letter, "unknown", error=said)

    # ---- taking note -------------------------------------------------------------------------------------------------

    def _take(self, partition: int, source: NotifierSource, now: Instant) -> bool:
        position = self._positions.get(partition)
        if position is None:
            position = self._positions[partition] = self._book.position(partition)
        behind = min(source.next_ordinal, position + self._limits.commits)
        if behind <= position:
            return False
        notices: list[Notification] = []
        reports: list[DeliveryReport] = []
        for admitted in self._handed[partition].commits(position, behind, source):
            too_old = now - admitted.appended_at > self._limits.too_old
            for found in self._news[partition].of(admitted):
                if isinstance(found, DeliveryReport):
                    reports.append(found)
                else:
                    self._begin(found, now, too_old)
                    notices.append(found)
        self._book.take(partition, behind, notices, reports)
        self._positions[partition] = behind
        return True

    def _begin(self, notice: Notification, now: Instant, too_old: bool = False) -> None:
        """How it starts: waiting for its message, unless there is none to be sent."""
        if self._post is None:
            notice.state, notice.carrier, notice.handed_at = "handed", "topic", now
            if notice.audience == "buyer" and notice.template in CONFIRMATIONS:
                notice.follow_up_at = after(now, self._limits.confirmed_within, _UTC)
        elif too_old:
            notice.state = "too-old"
        elif self._contact(notice) is None:
            notice.state = "no-address"

    def _contact(self, notice: Notification) -> Contact | None:
        marketplace = notice.stream.partition("/")[0]
        return self._directory.contact(marketplace, notice.audience, notice.recipient_id)

    # ---- handing over ------------------------------------------------------------------------------------------------

    def _hand_over(self, now: Instant) -> bool:
        if self._post is None or now < self._not_before <= now + self._limits.longest:
            return False
        sent = 0
        for letter in self._book.due(now, self._limits.letters):
            self._send(letter, self._post, now)
            sent += 1
            if self.stopping or now < self._not_before:
                break
        return sent > 0

    def _send(self, letter: Message, post: Post, now: Instant) -> None:
        """One letter: compose, write the intent, hand over, write the answer."""
        contact = self._contact(letter.first)
        if contact is None:
            self._book.settle(letter, "no-address")
            return
        message_id = message_id_of(letter)
        try:
            subject = subject_of(self._sources[letter.first.partition], letter, now)
            if subject is None:
                self._book.settle(letter, "moot")
                return
            mail = self._composer.compose(letter, subject, contact, message_id, now)
        except (CannotCompose, *UNREADABLE) as wrong:
            self._book.settle(letter, "failed", error=str(wrong) or type(wrong).__name__)
            return
        self._book.intend(letter, message_id, post.name)
        try:
            post.hand_over(mail)
        except PostUnavailable as later:
            self.trouble = str(later)
            self._not_before = now + self._limits.retry
            wait = min(self._limits.retry << min(letter.first.attempts, 10), self._limits.longest)
            self._book.settle(letter, "waiting", error=str(later), not_before=now + wait)
        except PostRefused as refused:
            self._book.settle(letter, "failed", error=str(refused))
        except PostUnsure as unsure:
            self.trouble = str(unsure)
            self._book.settle(letter, "unknown", error=str(unsure))
        else:
            self.trouble = None
            self._book.settle(letter, "handed", at=now, follow_up_at=self._follow_up_at(letter, now, subject.order))

    # ---- looking ahead -----------------------------------------------------------------------------------------------

    def _follow_up_at(self, letter: Message, now: Instant, order: Order | None) -> Instant | None:
        """When a confirmation that was handed over for the first time is sent again, if nobody confirms it."""
        first = letter.first
        if first.audience != "buyer" or not any(notice.template in CONFIRMATIONS for notice in letter.notices):
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
        """Confirmations that nobody confirmed: once more, and ops sees them."""
        if self._post is None:
            return False
        letters = self._book.unconfirmed(now, self._limits.letters)
        for letter in letters:
            self._book.again(letter)
        return bool(letters)

    def _remind(self, now: Instant) -> bool:
        """Deadlines that somebody is to be reminded of by now."""
        kept: dict[tuple[str, str], Instant | None] = {}
        found: list[Notification] = []
        for partition, source in self._sources.items():
            for due in source.due_before(now + self._limits.remind, self._limits.reminders):
                key = due.stream, due.deadline_id
                if due.deadline_id.rpartition("-")[0] not in REMINDED or due.due_at < now:
                    continue
                at = self._remind_at[key] if key in self._remind_at else self._when(source, *key)
                kept[key] = at
                if at is not None and at <= now:
                    found += self._reminders(partition, source, *key, now)
                    kept[key] = None
        self._remind_at = kept
        for partition in self._sources:
            here = [notice for notice in found if notice.partition == partition]
            if here:
                self._book.take(partition, self._positions[partition], here)
        return bool(found)

    def _when(self, source: NotifierSource, stream: str, deadline_id: str) -> Instant | None:
        """When to remind of a deadline: ``remind`` before it, but not in the first half of its time."""
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
            notice = reminder_of(order, partition, commits[-1].ordinal, deadline_id, audience, now)
            if self._book.find(stream, notice.notice_id) is None:
                self._begin(notice, now)
                yield notice


# ---- small words ----------------------------------------------------------------------------------------------------

_UTC: Final = e.Calendar("UTC", ("sat", "sun"), (), None)


def subject_of(source: NotifierSource, letter: Message, now: Instant) -> Subject | None:
    """What it is about; None for a reminder of what has been settled or has passed meanwhile."""
    first = letter.first
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
    for notice in letter.notices:
        entry = part.events[notice.version - part.first_event - 1]
        events.append((notice, decode_event(entry.name, entry.schema_version, entry.body)))
    return Subject(order_after(first.stream, until), until[-1].hash, events)
