"""The delivery store, for the command line and `rescind doctor`. An engine may be running or not."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

from consumers.notifying.notification_mapper import derive_notifications, order_after
from consumers.notifying.notifier import subject_of
from consumers.ports.notifications import (
    CannotCompose,
    Contact,
    DeliveryStoreUnavailable,
    Mail,
    Message,
    Notification,
    Subject,
)
from domain.instants import Instant, format_instant
from infra.addresses.files import DELIVERY_STORE_FILE
from infra.notifications.contacts import Contacts
from infra.notifications.delivery_store import BRING_BACK, SqliteDeliveryStore
from infra.notifications.handover_mark import HandoverMark
from infra.notifications.mail.composing import PackComposer
from infra.notifications.mail.facts import World
from infra.notifications.runner import delivery_store_is_gone, open_delivery_store
from infra.settings import Settings
from infra.store.reader import Reader, existing_store
from infra.vault.ownership import open_vault_of


class NoSuchNotice(LookupError):
    """The order's history has no notification with this id."""


@contextmanager
def opened_delivery_store(settings: Settings) -> Iterator[SqliteDeliveryStore]:
    """Open the delivery store that the settings name, and create it if there was none. JournalError,
    DeliveryStoreUnavailable, AnotherJournals."""
    store = existing_store(settings)
    with closing(store.journal(settings.journal_at.partitions)) as journal:
        identity = journal.identity
    with closing(open_delivery_store(store.directory, identity)) as deliveries:
        yield deliveries


@contextmanager
def opened_contacts(settings: Settings) -> Iterator[Contacts]:
    """Open the contacts of the settings' store."""
    store = existing_store(settings)
    with closing(store.journal(settings.journal_at.partitions)) as journal, ExitStack() as stack:
        deliveries = stack.enter_context(closing(open_delivery_store(store.directory, journal.identity)))
        vault = stack.enter_context(closing(open_vault_of(settings, journal, store.directory)))
        yield Contacts(deliveries, vault)


def has_delivery_store(settings: Settings) -> bool:
    """Whether the store has a delivery store. DeliveryStoreUnavailable if it had one that is gone."""
    directory = existing_store(settings).directory
    if delivery_store_is_gone(directory):
        raise DeliveryStoreUnavailable(
            f"{directory / DELIVERY_STORE_FILE} is gone, which records who was notified of what: {BRING_BACK}"
        )
    return (directory / DELIVERY_STORE_FILE).exists()


def handover_mark(settings: Settings) -> HandoverMark | None:
    """Return the mark next to the delivery store, which has the number of messages that were handed over."""
    store = existing_store(settings)
    with closing(store.journal(settings.journal_at.partitions)) as journal:
        return HandoverMark.read(store.directory, journal.identity)


def message_of(deliveries: SqliteDeliveryStore, reader: Reader, stream: str, notice_id: str) -> Message:
    """Return the message that has a notification: from the delivery store, or else from the log. NoSuchNotice."""
    found = deliveries.message_of(stream, notice_id)
    if found is not None:
        return found
    notices = derive_notifications(reader.followers[reader.partition(stream)].state, stream, notice_id)
    if not notices:
        raise NoSuchNotice(f"{stream} has no notice {notice_id}: `rescind notices list --order {stream}` lists them")
    return Message(notices)


def send_again(deliveries: SqliteDeliveryStore, message: Message, key: str | None = None) -> bool:
    """Let the notifier send a message (again). Returns False if ``key`` did that before."""
    first = message.first
    if deliveries.find(first.stream, first.notice_id) is None:
        deliveries.take(first.partition, deliveries.position(first.partition), message.notifications)
    return deliveries.again(message, key=key)


def rendered(settings: Settings, reader: Reader, message: Message, contact: Contact, now: Instant) -> Mail:
    """Compose the message, as it was or would be sent. CannotCompose."""
    source = reader.followers[message.first.partition].state
    try:
        subject: Subject | None = subject_of(source, message, now)
    except LookupError as wrong:
        raise CannotCompose(str(wrong)) from None
    if subject is None:
        commits = list(source.commits_of(message.first.stream))
        subject = Subject(order_after(message.first.stream, commits), commits[-1].hash)
    with closing(open_vault_of(settings, reader.journal, reader.store.directory)) as vault:
        world = World(lambda: reader.book, settings.market, vault.open)
        return PackComposer(world, settings.public_url).compose(message, subject, contact, "shown@rescind", now)


def notification_json(notice: Notification) -> dict[str, Any]:
    """Return a notification as JSON."""
    marketplace, _, order_id = notice.stream.partition("/")

    def at(instant: Instant | None) -> str | None:
        return None if instant is None else format_instant(instant)

    return {
        "marketplace": marketplace,
        "order_id": order_id,
        "notice_id": notice.notice_id,
        "audience": notice.audience,
        "recipient_id": notice.recipient_id,
        "template": notice.template,
        "state": notice.state,
        "told_at": at(notice.told_at),
        "sequence": notice.sequence,
        "attempts": notice.attempts,
        "carrier": notice.carrier,
        "handed_over_at": at(notice.handed_at),
        "delivered_at": at(notice.delivered_at),
        "failed_at": at(notice.failed_at),
        "first_seen_at": at(notice.seen_at),
        "follow_up_at": at(notice.follow_up_at),
        "error": notice.error,
    }
