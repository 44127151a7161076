"""Notifications in a running engine: one thread. Of the processes on one directory, one notifies at a time.

A process without the lock waits, and takes over when the lock is free.
"""

import fcntl
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from io import FileIO
from pathlib import Path

from consumers.engine.engine import Engine
from consumers.log.follower import Follower
from consumers.notifying.notifier import Notifier, NotifierLimits
from consumers.ports.log_values import Admitted
from consumers.ports.notifications import DeliveryStoreUnavailable, Post
from consumers.ports.vault import VaultUnavailable
from domain.calendar import parse_length
from domain.instants import SECOND
from domain.policy import PolicyBook
from domain.wording import counted
from infra.addresses.files import DELIVERY_STORE_FILE
from infra.local_state.followed import open_followed
from infra.notifications.contacts import Contacts
from infra.notifications.delivery_store import BRING_BACK, SqliteDeliveryStore
from infra.notifications.handover_mark import LOCK_FILE, HandoverMark
from infra.notifications.mail.composing import PackComposer
from infra.notifications.mail.facts import World
from infra.notifications.mail.outbox import Outbox
from infra.notifications.mail.smtp import SmtpPost
from infra.runtime.clock import clock
from infra.runtime.partition_runner import FollowedPartition, PartitionRunner
from infra.settings import Settings
from infra.vault.base import DatabaseVault


class NotificationsRunner(PartitionRunner):
    """The notifier of a process, and its thread. ``store`` and ``contacts`` are for any thread."""

    name = "notices"
    ERRORS = (*PartitionRunner.ERRORS, DeliveryStoreUnavailable, VaultUnavailable)

    def __init__(
        self,
        directory: Path,
        store: SqliteDeliveryStore,
        contacts: Contacts,
        sources: Mapping[int, FollowedPartition],
        make: Callable[[], Notifier],
        on_defect: Callable[[], None] = lambda: None,
    ) -> None:
        """``make`` makes the notifier, once this process has the lock in ``directory``."""
        super().__init__("notifier", sources, on_defect)
        self.store = store
        self.contacts = contacts
        self._directory = directory
        self._make = make
        self._notifier: Notifier | None = None
        self._lock: FileIO | None = None

    def wake(self) -> None:
        """Look for messages to send without waiting for the pause. From any thread."""
        self.loop.wake()

    @property
    def behind(self) -> int:
        """Number of commits that were followed but not read yet. 0 in a process without the lock."""
        notifier = self._notifier
        return 0 if notifier is None else notifier.behind

    def admitted(self, admitted: Admitted) -> None:
        notifier = self._notifier
        if notifier is not None:
            notifier.admitted(admitted)
            self.loop.wake()

    # ---- the thread --------------------------------------------------------------------------------------------------

    def _work(self) -> bool:
        if self._notifier is None:
            if not self._claimed():
                self._not_before = time.monotonic() + self.RETRY
                return False
            self._notifier = self._make()
        moved = self._notifier.step(clock())
        self.trouble = self._notifier.trouble
        return moved

    def _claimed(self) -> bool:
        """Take the lock, if it is free; whether this process has it."""
        lock = FileIO(self._directory / LOCK_FILE, "a")  # the mark in it is written through another handle
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        self._lock = lock
        return True

    def stop(self) -> None:
        """End after the message under way, and close the store."""
        if self._notifier is not None:
            self._notifier.stopping = True
        super().stop()

    def _close(self) -> None:
        super()._close()
        self.store.close()
        if self._lock is not None:
            with suppress(OSError):
                self._lock.close()


def post_of(settings: Settings, directory: Path) -> Post | None:
    """Return the carrier of messages that the settings name; None if readers of the topic send them."""
    match settings.post_at:
        case "smtp":
            return SmtpPost(settings.smtp_at)
        case "outbox":
            place = Path(settings.outbox) if settings.outbox is not None else directory / "outbox"
            return Outbox(place, settings.mail_from)
        case _:
            return None


def limits_of(settings: Settings) -> NotifierLimits:
    """Return the notifier's limits, as the settings have them."""
    remind = parse_length(settings.remind_before)
    micros = {"minutes": 60, "hours": 3_600, "days": 86_400}[remind.unit] * remind.count * SECOND
    return NotifierLimits(confirmed_within=parse_length(settings.confirmed_within), remind=micros)


def delivery_store_is_gone(directory: Path) -> bool:
    """Whether notifications were sent from this directory, and the delivery store is gone."""
    return (directory / LOCK_FILE).exists() and not (directory / DELIVERY_STORE_FILE).exists()


def open_delivery_store(
    directory: Path, identity: str, followers: Mapping[int, Follower] | None = None
) -> SqliteDeliveryStore:
    """Open the delivery store of a directory, and create it if there was none.

    ``followers``: if the store is gone, follow the log to its end, and create a new store that sends nothing of the log
    up to there. Without them that is an error. A store that is an older copy sends nothing that the newer one may have
    sent. DeliveryStoreUnavailable, AnotherJournals, JournalError."""
    path = directory / DELIVERY_STORE_FILE
    mark = HandoverMark.read(directory, identity)  # before the store, whose count grows first
    if not delivery_store_is_gone(directory):
        store = SqliteDeliveryStore(path, identity)
        if followers is not None and mark is not None and store.is_older_than(mark):
            _make_unknown(store, mark, followers)
        return store
    if followers is None:
        raise DeliveryStoreUnavailable(f"{path} is gone: {BRING_BACK}")
    _follow_to_the_end(followers)
    sys.stderr.write(
        f"rescind: {path} is gone: a new one is begun. Earlier notifications may have been sent, and are sent again "
        "on request only: `rescind notices list --state unknown`\n"
    )
    store = SqliteDeliveryStore(path, identity, {partition: each.next_ordinal for partition, each in followers.items()})
    if mark is not None:
        store.make_unknown(mark, {})
    return store


def _make_unknown(store: SqliteDeliveryStore, mark: HandoverMark, followers: Mapping[int, Follower]) -> None:
    """Go on with a store that is an older copy."""
    missing = mark.messages - store.messages
    sys.stderr.write(
        f"rescind: {store.path} is an older copy: {counted(missing, 'message')} that it does not know of "
        f"{'was' if missing == 1 else 'were'} handed over. If there is a newer copy, stop and bring it back. What may "
        "have gone out is sent again on request only: `rescind notices list --state unknown`\n"
    )
    _follow_to_the_end(followers)
    store.make_unknown(mark, {partition: each.next_ordinal for partition, each in followers.items()})


def _follow_to_the_end(followers: Mapping[int, Follower]) -> None:
    """Follow the log to its end: local state may be missing, too."""
    for follower in followers.values():
        while follower.behind and follower.advance():
            pass


def open_notifications(
    settings: Settings,
    directory: Path,
    slot: Path,
    identity: str,
    engine: Engine,
    vault: DatabaseVault,
    on_defect: Callable[[], None] = lambda: None,
) -> NotificationsRunner:
    """The notifier of an engine whose thread does not run yet; not started either. ``identity``: the journal's;
    ``slot``: where local state is. DeliveryStoreUnavailable, AnotherJournals, JournalError."""
    store = open_delivery_store(directory, identity, engine.followers)
    contacts = Contacts(store, vault)
    sources = open_followed(slot, engine.followers, engine.partitions)
    post = post_of(settings, directory)

    def policies() -> PolicyBook:
        return engine.control.book

    world = World(policies, settings.market, vault.open)
    composer = PackComposer(world, settings.public_url)

    def make() -> Notifier:
        return Notifier(sources, store, post, contacts, composer, policies, limits_of(settings))

    return NotificationsRunner(directory, store, contacts, sources, make, on_defect)
