"""Telling people in a running engine: one thread, and of the processes on one directory one at a time.

The engine hands commits over as it takes them in; what was missed is read from local state, through connections of the
thread's own. Who does not have the lock stands by, and takes over when it is free.
"""

import fcntl
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Final

from consumers.engine.engine import Engine
from consumers.log.follower import Follower
from consumers.notifying.notifier import Notifier, NotifierLimits
from consumers.ports.local_state import Due, LocalStateDamaged, LocalStateUnavailable
from consumers.ports.log_values import Admitted, Rejected
from consumers.ports.notifications import DeliveryStoreUnavailable, Post
from consumers.ports.vault import VaultUnavailable
from domain.calendar import parse_length
from domain.instants import SECOND
from domain.policy import PolicyBook
from infra.addresses.files import DELIVERY_STORE_FILE
from infra.local_state import open_local_state
from infra.local_state.slots import state_file
from infra.notifications.contacts import Contacts
from infra.notifications.delivery_store import BRING_BACK, SqliteBook
from infra.notifications.mail.composing import PackComposer
from infra.notifications.mail.facts import World
from infra.notifications.mail.outbox import Outbox
from infra.notifications.mail.smtp import SmtpPost
from infra.projection.running import FollowedPartition
from infra.runtime.clock import clock
from infra.runtime.loop import Loop
from infra.settings import Settings
from infra.vault.base import DatabaseVault

LOCK_FILE: Final = "notices.lock"
PAUSE: Final = 0.25
"""Seconds between two looks of a thread that is not woken."""
RETRY: Final = 1.0
"""Seconds before the book, or the lock, is tried again."""


@dataclass(slots=True)
class NotificationSource(FollowedPartition):
    """Local state that the engine's thread writes, as the notifier's source."""

    def due_before(self, instant: int, limit: int) -> list[Due]:
        self.state.refresh()
        return self.state.due_before(instant, limit)


class Notifying:
    """The notifier of a process, and the thread that drives it. ``book`` and ``contacts`` are for any thread."""

    def __init__(
        self,
        directory: Path,
        book: SqliteBook,
        contacts: Contacts,
        sources: Mapping[int, NotificationSource],
        make: Callable[[], Notifier],
    ) -> None:
        self.book = book
        self.contacts = contacts
        self.trouble: str | None = None
        """Why nobody is told at the moment."""
        self._directory = directory
        self._sources = sources
        self._make = make
        self._notifier: Notifier | None = None
        self._lock: FileIO | None = None
        self._not_before = 0.0
        self._loop = Loop("notifier", self._step, lambda: PAUSE)

    @property
    def loops(self) -> tuple[Loop, ...]:
        """What drives it."""
        return (self._loop,)

    def start(self, on_broken: Callable[[], None] = lambda: None) -> None:
        """Start the thread."""
        self._loop.on_broken = on_broken
        self._loop.start()

    def wake(self) -> None:
        """There is something to send. From any thread."""
        self._loop.wake()

    @property
    def behind(self) -> int:
        """Commits that were followed and not looked at; 0 for who stands by."""
        notifier = self._notifier
        return 0 if notifier is None else notifier.behind

    # ---- the engine's listener, in the engine's thread ---------------------------------------------------------------

    def admitted(self, admitted: Admitted) -> None:
        notifier = self._notifier
        if notifier is not None:
            notifier.admitted(admitted)
            self._loop.wake()

    def rejected(self, rejected: Rejected) -> None:
        """What never became part of the history is told to nobody."""

    # ---- the thread --------------------------------------------------------------------------------------------------

    def _step(self) -> bool:
        if time.monotonic() < self._not_before:
            return False
        if self._notifier is None:
            if not self._claimed():
                self._not_before = time.monotonic() + RETRY
                return False
            self._notifier = self._make()
        try:
            moved = self._notifier.step(clock())
            self.trouble = self._notifier.trouble
        except (DeliveryStoreUnavailable, LocalStateDamaged, LocalStateUnavailable, VaultUnavailable) as later:
            self.trouble = str(later)
            self._not_before = time.monotonic() + RETRY
            return False
        return moved

    def _claimed(self) -> bool:
        """Whether this process is the one that tells: nobody on this directory tells beside it."""
        lock = FileIO(self._directory / LOCK_FILE, "a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        self._lock = lock
        return True

    def close(self) -> None:
        """End after the message that is under way, and let go."""
        if self._notifier is not None:
            self._notifier.stopping = True
        if not self._loop.stop():
            return
        for source in self._sources.values():
            source.state.close()
        self.book.close()
        if self._lock is not None:
            with suppress(OSError):
                self._lock.close()


def post_of(settings: Settings, directory: Path) -> Post | None:
    """What takes messages, as the settings have it; None: the topic's readers send them."""
    match settings.post_at:
        case "smtp":
            return SmtpPost(settings.smtp_at)
        case "outbox":
            place = Path(settings.outbox) if settings.outbox is not None else directory / "outbox"
            return Outbox(place, settings.mail_from)
        case _:
            return None


def limits_of(settings: Settings) -> NotifierLimits:
    """How long the notifier waits for what."""
    remind = parse_length(settings.remind_before)
    micros = {"minutes": 60, "hours": 3_600, "days": 86_400}[remind.unit] * remind.count * SECOND
    return NotifierLimits(confirmed_within=parse_length(settings.confirmed_within), remind=micros)


def book_is_gone(directory: Path) -> bool:
    """Whether somebody told people from here, and what they noted is no longer there."""
    return (directory / LOCK_FILE).exists() and not (directory / DELIVERY_STORE_FILE).exists()


def open_book(directory: Path, identity: str, followers: Mapping[int, Follower] | None = None) -> SqliteBook:
    """The book of a store, made where there was none; ``followers``: also where it is gone, as a new one that sends
    nothing again of what the log has by now: they follow it to its end. BookUnavailable, AnotherJournals,
    JournalError."""
    path = directory / DELIVERY_STORE_FILE
    if not book_is_gone(directory):
        return SqliteBook(path, identity)
    if followers is None:
        raise DeliveryStoreUnavailable(f"{path} is gone: {BRING_BACK}")
    for follower in followers.values():  # local state may be missing, too: what was sent is known at the log's end only
        while follower.behind and follower.advance():
            pass
    sys.stderr.write(
        f"rescind: {path} is gone: a new one is begun. What was told before now may have gone out, and is sent again "
        "by people only: `rescind notices list --state unknown`\n"
    )
    return SqliteBook(path, identity, {partition: each.next_ordinal for partition, each in followers.items()})


def open_notifying(
    settings: Settings, directory: Path, slot: Path, identity: str, engine: Engine, vault: DatabaseVault
) -> Notifying:
    """The notifier of an engine whose loop does not run yet. BookUnavailable, AnotherJournals, JournalError."""
    book = open_book(directory, identity, engine.followers)
    contacts = Contacts(book, vault)
    partitions = engine.partitions
    sources = {
        partition: NotificationSource(
            open_local_state(state_file(slot, partition), partition, partitions, read_only=True).state, follower
        )
        for partition, follower in engine.followers.items()
    }
    post = post_of(settings, directory)

    def policies() -> PolicyBook:
        return engine.control.book

    world = World(policies, settings.market, vault.open)
    composer = PackComposer(world, settings.public_url)

    def make() -> Notifier:
        return Notifier(sources, book, post, contacts, composer, policies, limits_of(settings))

    return Notifying(directory, book, contacts, sources, make)
