"""The book of a store from outside: for the command line and `rescind doctor`, beside a running engine or without."""

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
from infra.notifications.delivery_store import BRING_BACK, SqliteBook
from infra.notifications.mail.composing import PackComposer
from infra.notifications.mail.facts import World
from infra.notifications.running import book_is_gone, open_book
from infra.settings import Settings
from infra.store.reader import Reader, existing_store
from infra.vault.ownership import open_vault_of


class NoSuchNotice(LookupError):
    """The order's history has no notice of this id."""


@contextmanager
def opened_book(settings: Settings) -> Iterator[SqliteBook]:
    """The book of the settings' store, made where there was none. JournalError, BookUnavailable, AnotherJournals."""
    store = existing_store(settings)
    with closing(store.journal(settings.journal_at.partitions)) as journal:
        identity = journal.identity
    with closing(open_book(store.directory, identity)) as book:
        yield book


@contextmanager
def opened_contacts(settings: Settings) -> Iterator[Contacts]:
    """The contacts of the settings' store."""
    store = existing_store(settings)
    with closing(store.journal(settings.journal_at.partitions)) as journal, ExitStack() as stack:
        book = stack.enter_context(closing(open_book(store.directory, journal.identity)))
        vault = stack.enter_context(closing(open_vault_of(settings, journal, store.directory)))
        yield Contacts(book, vault)


def book_if_there(settings: Settings) -> bool:
    """Whether anybody was ever told of anything here. BookUnavailable: somebody was, and the book is gone."""
    directory = existing_store(settings).directory
    if book_is_gone(directory):
        raise DeliveryStoreUnavailable(
            f"{directory / DELIVERY_STORE_FILE} is gone, which has what was told to whom: {BRING_BACK}"
        )
    return (directory / DELIVERY_STORE_FILE).exists()


def letter_of(book: SqliteBook, reader: Reader, stream: str, notice_id: str) -> Message:
    """The letter that a notice is in: as the book has it, else as the log does. NoSuchNotice."""
    found = book.letter_of(stream, notice_id)
    if found is not None:
        return found
    notices = derive_notifications(reader.followers[reader.partition(stream)].state, stream, notice_id)
    if not notices:
        raise NoSuchNotice(f"{stream} has no notice {notice_id}: `rescind notices list --order {stream}` lists them")
    return Message(notices)


def send_again(book: SqliteBook, letter: Message, key: str | None = None) -> bool:
    """Have a letter sent (again) by the notifier; False if ``key`` had that done before."""
    first = letter.first
    if book.find(first.stream, first.notice_id) is None:
        book.take(first.partition, book.position(first.partition), letter.notifications)
    return book.again(letter, key=key)


def rendered(settings: Settings, reader: Reader, letter: Message, contact: Contact, now: Instant) -> Mail:
    """How the letter reads, or would. CannotCompose."""
    source = reader.followers[letter.first.partition].state
    try:
        subject: Subject | None = subject_of(source, letter, now)
    except LookupError as wrong:
        raise CannotCompose(str(wrong)) from None
    if subject is None:
        commits = list(source.commits_of(letter.first.stream))
        subject = Subject(order_after(letter.first.stream, commits), commits[-1].hash)
    with closing(open_vault_of(settings, reader.journal, reader.store.directory)) as vault:
        world = World(lambda: reader.book, settings.market, vault.open)
        return PackComposer(world, settings.public_url).compose(letter, subject, contact, "shown@rescind", now)


def told(notice: Notification) -> dict[str, Any]:
    """A notice as JSON."""
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
