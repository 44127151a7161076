"""From admitted commits to notices: who is told what of the log (rule ``both-told``), in which letters. Pure.

Ids follow from the log alone, so a notice that is made again is the same notice. What an import wrote is history:
nobody is told of it, and whoever asks for it all the same gets it by ``derived``.
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

NEWS: Final = frozenset(name for of, name, _ in CURRENT if of in NOTIFICATION_RULES)
"""Stored names of the events that anybody is told of."""
REPORTS: Final = frozenset(name for of, name, _ in CURRENT if of in (e.ConfirmationDelivered, e.NoticeFailed))


class NotificationMapper:
    """The notices and reports of one partition's commits."""

    def __init__(self, partition: int, source: NotifierSource, capacity: int = 30_000) -> None:
        """``capacity``: orders whose buyer and seller are kept at hand."""
        self._partition = partition
        self._source = source
        self._capacity = capacity
        self._sides: OrderedDict[str, tuple[str, str]] = OrderedDict()

    def of(self, admitted: Admitted) -> Iterator[Notification | DeliveryReport]:
        """What a commit tells and reports. An event that this release cannot read tells nobody anything."""
        history = admitted.commit.writer == HISTORY
        for part in admitted.commit.streams:
            if part.kind != "chain" or not is_order(part.stream):
                continue
            for version, entry in enumerate(part.events, part.first_event + 1):
                if entry.name in REPORTS:
                    yield from _reports(admitted, part, entry)
                elif entry.name in NEWS and not history:
                    yield from self._notices(admitted, part, entry, version)

    def _notices(
        self, admitted: Admitted, part: StreamEntry, entry: EventEntry, version: int
    ) -> Iterator[Notification]:
        event = decoded(entry)
        sides = None if event is None else self._sides_of(part.stream)
        if event is not None and sides is not None:
            yield from notices_of(admitted, part, event, version, sides)

    def _sides_of(self, stream: str) -> tuple[str, str] | None:
        """The order's buyer and seller."""
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
    """The notices of one event; ``sides``: the order's buyer and seller."""
    news = notification_rule(event)
    for audience in () if news is None else news.audiences:
        assert news is not None
        yield Notification(
            admitted.partition,
            part.stream,
            notice_id(event, version, audience),
            f"{part.first_event + 1}-{audience}",
            audience,
            sides[0] if audience == "buyer" else sides[1],
            news.template,
            admitted.ordinal,
            version,
            admitted.commit.recorded_at,
        )


def _reports(admitted: Admitted, part: StreamEntry, entry: EventEntry) -> Iterator[DeliveryReport]:
    event = decoded(entry)
    if isinstance(event, e.ConfirmationDelivered | e.NoticeFailed):
        step: Step = "delivered" if isinstance(event, e.ConfirmationDelivered) else "failed"
        yield DeliveryReport(part.stream, event.notice_id, step, admitted.commit.recorded_at)


def derived(source: NotifierSource, stream: str, wanted: str) -> list[Notification]:
    """Every notice of the letter that has the notice of this id, as the log has it; none if there is no such notice.

    For what the book does not have: history, of which nobody was told, and that somebody asks to be told of now.
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
                for notice in notices_of(admitted, part, event, version, sides):
                    found.setdefault(notice.audience, []).append(notice)
        for notices in found.values():
            if any(notice.notice_id == wanted for notice in notices):
                return [replace(notice, state="too-old") for notice in notices]
    return []


def reminder_of(
    order: Order, partition: int, ordinal: int, deadline_id: str, audience: Audience, now: Instant
) -> Notification:
    """The notice that reminds one side of a deadline."""
    id = reminder_id(deadline_id, audience)
    who = order.terms.buyer_id if audience == "buyer" else order.terms.seller_id
    stream = f"{order.marketplace}/{order.order_id}"
    return Notification(partition, stream, id, id, audience, who, REMINDER, ordinal, order.version, now)


def deadline_of(notice: Notification) -> str:
    """The deadline that a reminder is about."""
    return notice.notice_id.removeprefix("remind-").rpartition("-")[0]


def message_id_of(letter: Message) -> str:
    """The message's id: the same letter and sequence have the same one, on every machine and after every crash."""
    first = letter.first
    told = f"{first.stream}\0{first.letter}\0{first.sequence}"
    return f"{sha256(told.encode()).hexdigest()[:32]}.{first.sequence}@rescind"


def order_after(stream: str, commits: list[Admitted]) -> Order:
    """The order after these commits; LookupError where this release cannot read it."""
    order = unwritten(stream)
    for admitted in commits:
        part = part_of(admitted.commit, stream)
        wrong = None if part is None else apply_all(order, part, admitted.commit)
        if wrong is not None:
            raise LookupError(wrong)
    if not order.exists:
        raise LookupError(f"{stream} has no order")
    return order
