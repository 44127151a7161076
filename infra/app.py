"""The composition root: one place that wires a running engine from settings. Nothing connects at import.

``open_app`` opens the control log, the journal, this process's slot of local state, the vault and the views, starts
the engine and the threads that drive it, and gives an ``App``. Commands go to ``app.engine.submit`` from any thread;
reading of orders goes to ``app.ask``, which runs in the engine's own thread. ``close`` ends it all, in the opposite
order.
"""

import gc
import os
import random
import socket
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, Self, TypeVar

from consumers.engine.control_log import ControlLog
from consumers.engine.dependencies import LIVE, EngineDependencies, EngineLimits, Mode
from consumers.engine.engine import MAX_AGE, Engine
from consumers.ports.journal import Journal, JournalUnavailable
from consumers.ports.local_state import LocalState
from consumers.ports.vault import VaultUnavailable
from domain.instants import MINUTE, SECOND, Instant
from domain.marketplace_settings import MarketSettings
from domain.wording import counted
from infra.erasing.running import Erasing, open_erasing
from infra.journals.memory import MemoryLog
from infra.journals.sqlite import SqliteJournal
from infra.local_state import Slot, claim_slot, open_local_state
from infra.local_state.slots import state_file
from infra.runtime.clock import clock
from infra.runtime.health_watch import SILENT, HealthWatch
from infra.runtime.loop import Loop, Rhythm
from infra.settings import Settings
from infra.store.logs import PARTITIONS, FileStore, store_of
from infra.store.opening import follow_control, new_id, open_control, open_journal, prepare
from infra.store.reader import existing_store
from infra.store.recorded_positions import Marks, in_views, marks_of
from infra.vault.base import DatabaseVault
from infra.vault.log_aware_vault import LogAwareVault
from infra.vault.ownership import open_vault_of
from infra.vault.vault_first_journal import VaultFirstJournal

if TYPE_CHECKING:
    from infra.cluster.cluster import ClusterMember
    from infra.cluster.partition_assignment import Listening
    from infra.command_topic.running import Commanding
    from infra.notifications.running import Notifying
    from infra.projection.running import Projecting
    from infra.publishing.running import Publishing

T = TypeVar("T")

GARBAGE: Final = (200_000, 20, 50)
"""When cycles are looked for (``gc.set_threshold``). Thousands of orders at hand live long and hold no cycles; looking
through them as often as Python does by itself costs a third of the engine's time."""
GROUPED: Final = 2_000
"""Commits of a partition that local state keeps in memory at most before it writes them."""
RECENT: Final = 2_000
"""Newest commits of each partition that a start compares with local state, byte by byte."""
WHOLE: Final = 64 * 1024 * 1024
"""Bytes of an embedded journal up to which a start reads all of it: checksums, gaps, SQLite's own check. Of 64 MiB in
the page cache that takes less than a second."""
BACKOFF: Final = 1_000
"""Microseconds: the first wait before a command that lost a race is decided anew; doubled each time, with jitter."""


class App:
    """A running engine with everything around it."""

    def __init__(
        self,
        settings: Settings,
        directory: Path | None,
        control: ControlLog,
        journal: Journal,
        vault: DatabaseVault,
        engine: Engine,
        loop: Loop,
        erasing: Erasing,
        views: "Projecting | None",
        publishing: "Publishing | None",
        notifying: "Notifying | None",
        commanding: "Commanding | None",
        sharing: "ClusterMember | None",
        watch: HealthWatch,
        closing: ExitStack,
    ) -> None:
        self.settings = settings
        self.directory = directory
        """Where this process keeps its files; None for a journal in memory."""
        self.control = control
        self.journal = journal
        self.vault = vault
        self.engine = engine
        self.erasing = erasing
        """What destroys the keys of erased subjects."""
        self.views = views
        """The views (``views.views``) and what keeps them up to date; None where this process keeps none."""
        self.publishing = publishing
        """What writes the public topics; None where this process does not."""
        self.notifying = notifying
        """What tells buyers and sellers; None where this process does not."""
        self.commanding = commanding
        """What takes commands from a topic; None where this process does not."""
        self.sharing = sharing
        """Which partitions are here, and who has the others; None where this process follows all of them."""
        self.watch = watch
        """What does not work for now."""
        self._loop = loop
        self._closing = closing

    clock = staticmethod(clock)

    @property
    def broken(self) -> BaseException | None:
        """The defect that ended the engine's loop, if one did: nothing is answered any more."""
        return self._loop.broken

    def market(self, name: str) -> MarketSettings:
        """A marketplace's settings."""
        return self.settings.market(name)

    def catch_up(self) -> None:
        """Wait until the log is followed to its end as it is now. JournalError where a partition cannot be followed."""
        ends = {partition: self.journal.end(partition) for partition in range(self.journal.partitions)}
        while any(
            follower.next_offset < ends[partition] or not self.engine.follows(partition)
            for partition, follower in self.engine.followers.items()
        ):
            for stopped in self.engine.stopped.values():
                raise stopped
            if self.broken is not None:
                raise JournalUnavailable("the engine has ended by a defect (above)")
            time.sleep(0.002)
        for stopped in self.engine.stopped.values():
            raise stopped

    def ask(self, question: Callable[[Engine], T]) -> T:
        """Run ``question`` in the engine's thread, between two decisions, and wait for its answer."""
        future: Future[T] = self.engine.call(question)
        return future.result(self.settings.answer_within)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Answer what is open, stop the threads, write what is grouped, release the slot."""
        self._closing.close()


def open_app(
    settings: Settings,
    *,
    mode: Mode = LIVE,
    views: bool = True,
    create: bool = True,
    publish: bool = False,
    open_later: bool = False,
    texts_lost: bool = False,
    on_defect: Callable[[], None] | None = None,
) -> App:
    """Wire and start an engine. ``create`` False: there must be a journal already. ``publish``: write the public topics
    too, and take commands from a topic, if the settings name any. ``open_later``: start also while the database of the
    views, or of the vault, is away; what needs it is unavailable until it is back. ``texts_lost``: the vault that the
    log points to is gone for good, and a new one may be begun.

    JournalError and VaultUnavailable say what cannot be opened and what to do; nothing stays open then. ``on_defect``
    is called when the engine's loop ends by a defect.
    """
    gc.set_threshold(*GARBAGE)
    closing = ExitStack()
    try:
        return _wire(
            settings, mode, views, create, publish, open_later, texts_lost, on_defect or (lambda: None), closing
        )
    except BaseException:
        closing.close()
        raise


def _wire(
    settings: Settings,
    mode: Mode,
    views: bool,
    create: bool,
    publish: bool,
    open_later: bool,
    texts_lost: bool,
    on_defect: Callable[[], None],
    closing: ExitStack,
) -> App:
    where = settings.journal_at
    share_url = settings.share_url if publish else None
    wake: list[Callable[[], None]] = []

    def woken() -> None:
        for each in wake:
            each()

    alone, whole = False, True
    if where.directory is None:
        directory = Path(closing.enter_context(TemporaryDirectory(prefix="rescind-")))
        control = follow_control(MemoryLog(1, clock).journal(), _name(), woken)
        journal: Journal = MemoryLog(where.partitions or PARTITIONS, clock).journal()
    else:
        store = store_of(settings) if create else existing_store(settings)
        assert store is not None
        directory = store.directory
        followed = [mark for _, mark in in_views(settings.views_at, "control")] if store.exists()[0] else []
        alone = isinstance(store, FileStore)
        control = open_control(store, _name(), create=True, wake=woken, marks=followed, alone=alone)
        closing.callback(control.journal.close)
        journal = open_journal(store, control, where.partitions, PARTITIONS, wake=woken)
        closing.callback(journal.close)
        if isinstance(journal, SqliteJournal):
            whole = journal.check_file(WHOLE)
    slot = claim_slot(directory)
    closing.callback(slot.release)
    states = {} if share_url is not None else _local_states(slot, journal)
    beneath = closing.enter_context(ExitStack())
    beneath.callback(_close_states, states)
    prepare(control, journal)
    vault = open_vault_of(settings, journal, directory, open_later=open_later, texts_lost=texts_lost)
    closing.callback(vault.close)

    marks: Marks = {}
    if where.directory is not None:
        marks = marks_of(settings, directory, journal.identity, journal.partitions, vault)
    sealing = LogAwareVault(vault, journal.identity, journal.partitions)
    ports = EngineDependencies(
        market=settings.market,
        vault=sealing,
        new_id=new_id,
        backoff=_backoff,
        marks=lambda partition: marks.get(partition, ()),
        alone=alone,
        wake=woken,
    )
    limits = EngineLimits(
        in_flight=settings.commands_in_flight,
        orders=settings.orders_at_hand,
        clock_tolerance=int(settings.clock_limit * SECOND),
        recent=RECENT,
    )
    engine = Engine(VaultFirstJournal(journal, vault), control, states, ports, name=_name(), mode=mode, limits=limits)
    closing.callback(engine.close)
    sealing.follow(engine.followers)
    engine.start()
    if publish:
        _say_what_was_not_judged(engine, whole)
    erasing = open_erasing(slot.path, journal.identity, engine, vault)
    closing.callback(erasing.close)
    engine.add_listener(erasing)

    projecting: Projecting | None = None
    publishing: Publishing | None = None
    if publish and settings.public_topics_at is not None:
        from infra.publishing.running import open_publishing

        letters = (lambda: None if projecting is None else projecting.views.dead_letters()) if views else None
        publishing = open_publishing(settings, journal, slot.path, engine.followers, letters, directory=directory)
        closing.callback(publishing.close)
        engine.add_listener(publishing)

    notifying: Notifying | None = None
    if publish and settings.post_at != "off" and share_url is None:
        from infra.notifications.running import open_notifying

        notifying = open_notifying(settings, directory, slot.path, journal.identity, engine, vault)
        closing.callback(notifying.close)
        engine.add_listener(notifying)

    sharing: ClusterMember | None = None
    if share_url is not None:
        from infra.cluster.cluster import open_sharing

        def listeners() -> "list[Listening]":
            return [each for each in (erasing, projecting, publishing) if each is not None]

        sharing = open_sharing(settings, share_url, slot.path, engine, vault, listeners, GROUPED)
        beneath.callback(sharing.assignment.close)
        closing.callback(sharing.close)

    commanding: Commanding | None = None
    if publish and settings.commands_at is not None:
        from infra.command_topic.running import open_commanding

        commanding = open_commanding(
            settings, journal, slot.path, engine, vault, None if sharing is None else sharing.assignment
        )

    watch = HealthWatch(engine, None if mode.history else where.directory)
    unflushed: str | None = None

    def step() -> bool:
        nonlocal unflushed
        moved = engine.step(clock())
        watch.look()
        try:  # who appends gets the error; here it is only that texts do not wait for an append
            vault.flush()
            unflushed = None
        except VaultUnavailable as away:
            unflushed = str(away)
        return moved

    def broken() -> None:
        engine.close()
        on_defect()

    def end() -> None:
        """Where the engine's thread does not come back, its commands are answered, and it keeps what it has open."""
        if not loop.stop():
            for _ in range(MAX_AGE + 1):
                engine.age()
            loop.keeps = closing.pop_all()

    loop = Loop("engine", step, lambda: engine.pause() / SECOND)
    loop.on_broken = broken
    wake.append(loop.wake)
    closing.callback(end)
    loop.start()
    if not mode.history:  # an import waits for its answers as long as it takes
        timeout = Rhythm("patience", engine.age, settings.answer_within / MAX_AGE)
        closing.callback(timeout.stop)
        timeout.start()

    erasing.start(on_defect)
    if views:
        from infra.projection.running import open_projecting

        projecting = open_projecting(
            settings, directory, slot.path, engine, control.journal, on_defect, open_later=open_later
        )
        closing.callback(projecting.close)
    if publishing is not None:
        publishing.start(on_defect)
    if notifying is not None:
        notifying.start(on_defect)
    if sharing is not None:
        closing.callback(sharing.assignment.stop)
        sharing.start(on_defect)
    if commanding is not None:
        closing.callback(commanding.close)
        commanding.start(on_defect)
    watch.register("engine", lambda: None, lambda: (loop,))
    watch.register("vault", lambda: unflushed)
    watch.register("journal", lambda: _silence(journal))
    for name, part in (
        ("erasing", erasing),
        ("views", projecting),
        ("publishing", publishing),
        ("notices", notifying),
        ("commands", commanding),
    ):
        if part is not None:
            watch.register(name, partial(getattr, part, "trouble"), partial(getattr, part, "loops"))
    if publishing is not None:
        watch.register("public topics", partial(getattr, publishing.fronts, "trouble"))
    if sharing is not None:
        assignment, asking = sharing.assignment, sharing.asking
        late = lambda: {f"partition {p}": why for p, why in dict(assignment.trouble).items()}  # noqa: E731
        watch.register("sharing", late, lambda: assignment.loops)
        watch.register("outcomes", lambda: asking.trouble)
    closing.callback(watch.stop)
    watch.start()
    here = where.directory
    return App(
        settings,
        here,
        control,
        journal,
        vault,
        engine,
        loop,
        erasing,
        projecting,
        publishing,
        notifying,
        commanding,
        sharing,
        watch,
        closing,
    )


def _silence(journal: Journal) -> str | None:
    """Why nobody knows what the log holds by now; None while it answers."""
    silence = journal.silence
    return None if silence <= SILENT else f"nothing has been heard from the log for {silence:.0f} seconds"


def _local_states(slot: Slot, journal: Journal) -> dict[int, LocalState]:
    """Local state of every partition, in this process's slot."""
    states: dict[int, LocalState] = {}
    for partition in range(journal.partitions):
        path = state_file(slot.path, partition)
        opened = open_local_state(path, partition, journal.partitions, grouped=GROUPED)
        states[partition] = opened.state
        opened.report_rebuild(partition, journal.end(partition), first=slot.number > 0)
    return states


def _say_what_was_not_judged(engine: Engine, whole: bool) -> None:
    """On standard error. ``whole``: every record of the journal's file was read."""
    older = sum(max(0, follower.next_ordinal - engine.limits.recent) for follower in engine.followers.values())
    if older:
        unread = "" if whole else ", and not read"
        sys.stderr.write(
            f"rescind: {counted(older, 'older commit')} {'was' if older == 1 else 'were'} not compared with local state"
            f"{unread}; the newest {engine.limits.recent:,} of each partition were: `rescind doctor --deep` judges "
            "every one\n"
        )


def _close_states(states: dict[int, LocalState]) -> None:
    for state in states.values():
        state.close()


def _name() -> str:
    """This process as a writer: host, process and a number that no other has."""
    return f"{socket.gethostname()}/{os.getpid()}/{new_id()[:4].hex()}"


def _backoff(attempt: int) -> Instant:
    """Microseconds to wait before a command is decided anew for the n-th time, with jitter."""
    longest = min(BACKOFF << min(attempt, 12), MINUTE // 60)
    return random.randrange(longest // 2, longest)
