"""The notification mapper: from admitted commits to notifications and their messages (rule ``both-told``). Pure.

Ids are derived from the log alone, so a notification that is made again is the same one. Imported commits are history:
nobody is notified of them, unless somebody requests it (``derive_notifications``).
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Final

from consumers.log.commit_codec import HISTORY, apply_all, decoded, is_order, part_of, unwritten
from consumers.ports.log_values import Admitted
from consumers.ports.notifications import DeliveryReport, Message, Notification, NotifierSource, Step
from domain import events as e
from domain.instants import Instant
from domain.notification_rules import NOTIFICATION_RULES, REMINDER, Audience, notice_id, notification_rule, reminder_id
from domain.order import Order
from schemas.commit import EventEntry, StreamEntry
from schemas.names import CURRENT

NOTIFYING_EVENTS: Final = frozenset(name for of, name, _ in CURRENT if of in NOTIFICATION_RULES)
"""Stored names of the events that somebody is notified of."""
REPORT_EVENTS: Final = frozenset(name for of, name, _ in CURRENT if of in (e.ConfirmationDelivered, e.NoticeFailed))


class NotificationMapper:
    """Maps one partition's commits to notifications and delivery reports."""

    def __init__(self, partition: int, source: NotifierSource, capacity: int = 30_000) -> None:
        """``capacity``: orders whose buyer and seller are cached."""
        self._partition = partition
        self._source = source
        self._capacity = capacity
        self._sides: OrderedDict[str, tuple[str, str]] = OrderedDict()

    def of(self, admitted: Admitted) -> Iterator[Notification | DeliveryReport]:
        """Yield a commit's notifications and reports. An event that this release cannot read has none."""
        history = admitted.commit.writer == HISTORY
        for part in admitted.commit.streams:
            if part.kind != "chain" or not is_order(part.stream):
                continue
            for version, entry in enumerate(part.events, part.first_event + 1):
                if entry.name in REPORT_EVENTS:
                    yield from _reports(admitted, part, entry)
                elif entry.name in NOTIFYING_EVENTS and not history:
                    yield from self._notices(admitted, part, entry, version)

    def _notices(
        self, admitted: Admitted, part: StreamEntry, entry: EventEntry, version: int
    ) -> Iterator[Notification]:
        event = decoded(entry)
        sides = None if event is None else self._sides_of(part.stream)
        if event is not None and sides is not None:
            yield from notices_of(admitted, part, event, version, sides)

    def _sides_of(self, stream: str) -> tuple[str, str] | None:
        """Return the order's buyer and seller."""
        found = self._sides.get(stream)
        if found is None:
            first = next(iter(self._source.commits_of(stream)), None)
            part = None if first is None else part_of(first.commit, stream)
            placed = decoded(part.events[0]) if part is not None and part.events else None
            if not isinstance(placed, e.OrderPlaced):
                return None
            found = self._sides[stream] = (placed.buyer_id, placed.seller_id)
            if len(self._sides) > self._capacity:
                self._sides.popitem(last=False)
        return found


def notices_of(
    admitted: Admitted, part: StreamEntry, event: e.Event, version: int, sides: tuple[str, str]
) -> Iterator[Notification]:
    """Yield the notifications of one event. ``sides``: the order's buyer and seller."""
    rule = notification_rule(event)
    for audience in () if rule is None else rule.audiences:
        assert rule is not None
        yield Notification(
            admitted.partition,
            part.stream,
            notice_id(event, version, audience),
            f"{part.first_event + 1}-{audience}",
            audience,
            sides[0] if audience == "buyer" else sides[1],
            rule.template,
            admitted.ordinal,
            version,
            admitted.commit.recorded_at,
        )


def _reports(admitted: Admitted, part: StreamEntry, entry: EventEntry) -> Iterator[DeliveryReport]:
    event = decoded(entry)
    if isinstance(event, e.ConfirmationDelivered | e.NoticeFailed):
        step: Step = "delivered" if isinstance(event, e.ConfirmationDelivered) else "failed"
        yield DeliveryReport(part.stream, event.notice_id, step, admitted.commit.recorded_at)


def derive_notifications(source: NotifierSource, stream: str, wanted_id: str) -> list[Notification]:
    """Return every notification of the message that has the notification of this id, derived from the log.

    Returns none if there is no such notification. It serves requests for notifications of imported commits, which the
    delivery store does not have.
    """
    sides: tuple[str, str] | None = None
    for admitted in source.commits_of(stream):
        part = part_of(admitted.commit, stream)
        found: dict[Audience, list[Notification]] = {}
        for version, entry in enumerate(part.events, part.first_event + 1) if part is not None else ():
            event = decoded(entry)
            if isinstance(event, e.OrderPlaced):
                sides = event.buyer_id, event.seller_id
            if event is not None and sides is not None and part is not None:
                for notification in notices_of(admitted, part, event, version, sides):
                    found.setdefault(notification.audience, []).append(notification)
        for notifications in found.values():
            if any(notification.notice_id == wanted_id for notification in notifications):
                return [replace(notification, state="too-old") for notification in notifications]
    return []


def reminder_of(
    order: Order, partition: int, ordinal: int, deadline_id: str, audience: Audience, now: Instant
) -> Notification:
    """Return the notification that reminds one side of a deadline."""
    id = reminder_id(deadline_id, audience)
    who = order.terms.buyer_id if audience == "buyer" else order.terms.seller_id
    stream = f"{order.marketplace}/{order.order_id}"
    return Notification(partition, stream, id, id, audience, who, REMINDER, ordinal, order.version, now)


def deadline_of(notification: Notification) -> str:
    """Return the id of the deadline that a reminder is about."""
    return notification.notice_id.removeprefix("remind-").rpartition("-")[0]


def message_id_of(message: Message) -> str:
    """Return a message's id. A message and sequence number have the same id on every machine and after every crash."""
    first = message.first
    identity = f"{first.stream}\0{first.letter}\0{first.sequence}"
    return f"{sha256(identity.encode()).hexdigest()[:32]}.{first.sequence}@rescind"


def order_after(stream: str, commits: list[Admitted]) -> Order:
    """Return the order after these commits. Raises LookupError if this release cannot read it."""
    order = unwritten(stream)
    for admitted in commits:
        part = part_of(admitted.commit, stream)
        wrong = None if part is None else apply_all(order, part, admitted.commit)
        if wrong is not None:
            raise LookupError(wrong)
    if not order.exists:
        raise LookupError(f"{stream} has no order")
    return order
