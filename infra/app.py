"""The composition root: the one place that wires a running engine from settings. Nothing connects at import.

An ``App`` is a list of components, started in order and stopped in reverse. Commands go to ``app.engine.submit`` from
any thread. Reading of orders goes to ``app.ask``, which runs in the engine's own thread.
"""

import gc
import os
import random
import socket
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
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
from infra.erasing.runner import open_erasing
from infra.journals.memory import MemoryLog
from infra.journals.sqlite import SqliteJournal
from infra.local_state import Slot, claim_slot, open_local_state
from infra.local_state.followed import open_followed
from infra.local_state.slots import state_file
from infra.runtime.clock import clock
from infra.runtime.components import Components, Resource
from infra.runtime.engine_thread import EngineThread
from infra.runtime.health_watch import SILENT, HealthWatch
from infra.runtime.loop import Rhythm
from infra.runtime.partition_runner import PartitionListener
from infra.settings import Settings
from infra.sqlite.file import OpenFile
from infra.store.append_times import odd_times
from infra.store.control_note import control_noted, note_control, unlike_noted
from infra.store.logs import PARTITIONS, FileStore, store_of
from infra.store.opening import follow_control, new_id, open_control, open_journal, prepare
from infra.store.pinned_policies import pinned_in_commits, pinned_in_views, unpublished
from infra.store.reader import existing_store
from infra.store.recorded_positions import Marks, marks_of, marks_of_control
from infra.vault.base import DatabaseVault
from infra.vault.log_aware_vault import LogAwareVault
from infra.vault.ownership import lacking, open_vault_of
from infra.vault.vault_first_journal import VaultFirstJournal

if TYPE_CHECKING:
    from infra.cluster.cluster import ClusterMember
    from infra.command_topic.runner import CommandTopicRunner
    from infra.notifications.runner import NotificationsRunner
    from infra.projection.runner import ViewsRunner
    from infra.publishing.runner import PublishingRunner
    from infra.views.reading import Row

T = TypeVar("T")

GARBAGE: Final = (200_000, 20, 50)
"""The thresholds of the garbage collector (``gc.set_threshold``). Thousands of cached orders live long and hold no
cycles; by Python's own thresholds, looking through them costs a third of the engine's time."""
GROUPED: Final = 2_000
"""The most commits of a partition that local state keeps in memory before it writes them."""
RECENT: Final = 2_000
"""Newest commits of each partition that a start compares with local state, byte by byte."""
WHOLE: Final = 64 * 1024 * 1024
"""Bytes of an embedded journal up to which a start reads all of it: checksums, gaps, SQLite's own check. Reading 64 MiB
from the page cache takes less than a second."""
BACKOFF: Final = 1_000
"""Microseconds: the first wait before a command that lost a race is decided again; doubled each time, with jitter."""


@dataclass(frozen=True, slots=True)
class AppOptions:
    """The options of ``open_app``."""

    mode: Mode = LIVE
    views: bool = True
    """Keep the views up to date."""
    create: bool = True
    """Make the journal if there is none."""
    publish: bool = False
    """Do all that a server does: write the public topics, notify people, take commands from a topic, follow a share of
    the partitions, as far as the settings name them."""
    open_later: bool = False
    """Start also while the database of the views, or of the vault, is away. Whatever needs it is unavailable until it
    is back."""
    texts_lost: bool = False
    """The vault that the log points to is gone for good: begin a new one."""


class App:
    """A running engine with everything around it. ``open_app`` makes it; ``close`` ends it."""

    views: "ViewsRunner | None" = None
    """The views (``views.views``), and the thread that keeps them up to date."""
    publishing: "PublishingRunner | None" = None
    """The publishers of the public topics."""
    notifications: "NotificationsRunner | None" = None
    """The notifier of buyers and sellers."""
    command_topic: "CommandTopicRunner | None" = None
    """The gateway that takes commands from a topic."""
    cluster: "ClusterMember | None" = None
    """The partitions of this process, and which process has the others. None if this process follows all of them."""

    def __init__(self, settings: Settings, options: AppOptions, on_defect: Callable[[], None]) -> None:
        """Open everything, and start it. If that fails, nothing stays open. See ``open_app``."""
        self.settings = settings
        self._options = options
        self._share_url = settings.share_url if options.publish else None
        """URL at which other processes reach this one. None if it follows every partition."""
        self._on_defect = on_defect
        self._components = Components()
        self._wake_engine: Callable[[], None] = lambda: None
        """Wakes the engine's thread, once there is one."""
        try:
            self._open_store()
            self._open_engine()
            self._add_components()
            self._components.start()
        except BaseException:
            self.close()
            raise

    # ---- what the engine needs -----------------------------------------------------------------------------------

    def _open_store(self) -> None:
        """Open the logs, this process's slot of local state, and the vault."""
        settings, where = self.settings, self.settings.journal_at
        self._alone, self._read_whole = False, True
        if where.directory is None:
            temporary = TemporaryDirectory(prefix="rescind-")
            self._components.add(Resource("temporary directory", temporary.cleanup))
            self._directory = Path(temporary.name)
            self.control = follow_control(MemoryLog(1, clock).journal(), _name(), self._wake)
            self.journal: Journal = MemoryLog(where.partitions or PARTITIONS, clock).journal()
            self._components.add(Resource("journal", lambda: None, self._silence))
        else:
            self._open_logs()
        self._slot = claim_slot(self._directory)
        self._components.add(Resource("slot", self._slot.release))
        self._states = {} if self._share_url is not None else _local_states(self._slot, self.journal)
        self._after_engine = ExitStack()
        """Closed after the engine and the vault, and before the slot is released: local state."""
        self._after_engine.callback(_close_states, self._states)
        self._components.add(Resource("local state", self._after_engine.close))
        if where.directory is not None:
            _compare_pinned(settings, self.control, self._states)
        options = self._options
        self.vault = open_vault_of(
            settings, self.journal, self._directory, open_later=options.open_later, texts_lost=options.texts_lost
        )
        self._vault_component = self._components.add(_VaultComponent(self.vault))
        self._compare_with_vault()
        odd = odd_times(self.journal, clock(), int(settings.clock_limit * SECOND))
        self._components.add(Resource("append times", lambda: None, lambda: odd))

    def _compare_with_vault(self) -> None:
        """Compare the control log with what the vault has noted of it, then write what it lacks, and look for the texts
        of the newest records. LogChanged, LogLost."""
        control, journal, vault = self.control, self.journal, self.vault
        wrong = unlike_noted(control, control_noted(vault, journal.identity))
        if wrong is not None:
            raise wrong
        prepare(control, journal)
        note_control(control, vault, journal.identity)
        self._components.add(Resource("control note", lambda: note_control(control, vault, journal.identity)))
        texts_missing = lacking(self.settings, vault, journal)
        self._components.add(Resource("texts", lambda: None, lambda: texts_missing))

    def _open_logs(self) -> None:
        """Open the control log and the journal of a store."""
        settings = self.settings
        store = store_of(settings) if self._options.create else existing_store(settings)
        assert store is not None
        self._directory = store.directory
        followed = marks_of_control(settings) if store.exists()[0] else []
        self._alone = isinstance(store, FileStore)
        self.control = open_control(store, _name(), create=True, wake=self._wake, marks=followed, alone=self._alone)
        self._components.add(Resource("control log", self.control.journal.close))
        partitions = settings.journal_at.partitions
        self.journal = open_journal(store, self.control, partitions, PARTITIONS, wake=self._wake)
        self._components.add(Resource("journal", self.journal.close, self._silence))
        if isinstance(self.journal, SqliteJournal):
            self._read_whole = self.journal.check_file(WHOLE)

    def _silence(self) -> str | None:
        """Why nobody knows what the log holds by now; None while it answers."""
        silence = self.journal.silence
        return None if silence <= SILENT else f"nothing has been heard from the log for {silence:.0f} seconds"

    def _open_engine(self) -> None:
        """Make the engine, and compare local state with the log."""
        settings, journal = self.settings, self.journal
        marks: Marks = {}
        if settings.journal_at.directory is not None:
            marks = marks_of(settings, self._directory, journal.identity, journal.partitions, self.vault)
        vault = LogAwareVault(self.vault, journal.identity, journal.partitions)
        dependencies = EngineDependencies(
            market=settings.market,
            vault=vault,
            new_id=new_id,
            backoff=_backoff,
            marks=lambda partition: marks.get(partition, ()),
            alone=self._alone,
            wake=self._wake,
        )
        limits = EngineLimits(
            in_flight=settings.commands_in_flight,
            orders=settings.orders_at_hand,
            clock_tolerance=int(settings.clock_limit * SECOND),
            recent=RECENT,
        )
        self.engine = Engine(
            VaultFirstJournal(journal, self.vault),
            self.control,
            self._states,
            dependencies,
            name=_name(),
            mode=self._options.mode,
            limits=limits,
        )
        self._components.add(Resource("open commands", self.engine.close))
        vault.follow(self.engine.followers)
        self.engine.start()
        if self._options.publish:
            _report_what_was_not_compared(self.engine, self._read_whole)

    # ---- what follows the engine -------------------------------------------------------------------------------------

    def _add_components(self) -> None:
        """Add the threads. The engine's own starts after those that it hands commits to, and stops before them."""
        settings, mode = self.settings, self._options.mode
        self.erasing = self._components.add(
            open_erasing(self._slot.path, self.journal.identity, self.engine, self.vault, self._on_defect)
        )
        self.engine.add_listener(self.erasing)
        if self._options.publish:
            self._add_publishing()
            self._add_notifications()
        if self._share_url is not None:
            self._add_remote_commands()
        store = None if mode.history else settings.journal_at.directory
        self.watch = HealthWatch(self.engine, store, self._components)
        self._engine_thread = self._components.add(
            EngineThread(
                self.engine,
                clock,
                between=(self.watch.look, self._vault_component.flush),
                on_defect=self._on_defect,
                leave_open=self._components.leave_open,
            )
        )
        self._wake_engine = self._engine_thread.loop.wake
        if not mode.history:  # an import waits for its answers as long as it takes
            self._components.add(Rhythm("command timeouts", self.engine.age, settings.answer_within / MAX_AGE))
        if self._options.views:
            self._add_views()
        if self._share_url is not None:
            self._add_assignment()
        if self._options.publish and settings.commands_at is not None:
            self._add_command_topic()
        self._components.add(Resource("files", lambda: None, self._replaced_files))
        self._components.add(self.watch)

    def _replaced_files(self) -> dict[str, str]:
        """The files that were moved or replaced while they are open here, by what they hold."""
        parts: dict[str, object] = {"journal": self.journal, "control log": self.control.journal, "vault": self.vault}
        if self.views is not None:
            parts["views"] = self.views.views
        if self.notifications is not None:
            parts["notification store"] = self.notifications.store
        for partition, follower in dict(self.engine.followers).items():
            parts[f"local state of partition {partition}"] = follower.state
        files = ((name, getattr(part, "file", None)) for name, part in parts.items())  # none, if it is not in a file
        replaced = ((name, file.replaced()) for name, file in files if isinstance(file, OpenFile))
        return {name: message for name, message in replaced if message is not None}

    def _add_publishing(self) -> None:
        if self.settings.public_topics_at is None:
            return
        from infra.publishing.runner import PublishingOptions, open_publishing

        def dead_letters() -> "list[Row] | None":
            return None if self.views is None else self.views.views.dead_letters()

        self.publishing = self._components.add(
            open_publishing(
                self.settings,
                self.journal,
                open_followed(self._slot.path, self.engine.followers, self.journal.partitions),
                PublishingOptions(
                    dead_letters=dead_letters if self._options.views else None, directory=self._directory
                ),
                self._on_defect,
            )
        )
        self._components.add(self.publishing.fronts)
        self.engine.add_listener(self.publishing)

    def _add_notifications(self) -> None:
        if self.settings.post_at == "off" or self._share_url is not None:
            return
        from infra.notifications.runner import open_notifications

        self.notifications = self._components.add(
            open_notifications(
                self.settings,
                self._directory,
                self._slot.path,
                self.journal.identity,
                self.engine,
                self.vault,
                self._on_defect,
            )
        )
        self.engine.add_listener(self.notifications)

    def _add_views(self) -> None:
        from infra.projection.runner import open_views_runner

        self.views = self._components.add(
            open_views_runner(
                self.settings,
                self._directory,
                self._slot.path,
                self.engine,
                self.control.journal,
                open_later=self._options.open_later,
                on_defect=self._on_defect,
            )
        )
        self.engine.add_listener(self.views)

    def _add_remote_commands(self) -> None:
        from infra.cluster.membership import Group
        from infra.cluster.remote_commands import RemoteCommandClient

        at, security = self.settings.commands_at, self.settings.security
        assert at is not None
        self._group = Group(at, security)
        self._components.add(Resource("group", self._group.close))
        self._remote_commands = self._components.add(
            RemoteCommandClient(at, self.journal.partitions, security, self.vault)
        )

    def _add_assignment(self) -> None:
        from infra.cluster.cluster import ClusterMember, open_assignment
        from infra.cluster.membership import Membership

        assert self._share_url is not None
        listeners: list[PartitionListener] = [self.erasing]
        listeners += [each for each in (self.views, self.publishing) if each is not None]
        assignment = self._components.add(
            open_assignment(self._slot.path, self.engine, listeners, grouped=GROUPED, on_defect=self._on_defect)
        )
        self._after_engine.callback(assignment.close)
        self.cluster = ClusterMember(self._share_url, assignment, Membership(self._group), self._remote_commands)

    def _add_command_topic(self) -> None:
        from infra.command_topic.runner import open_command_topic

        self.command_topic = self._components.add(
            open_command_topic(
                self.settings,
                self.journal,
                self._slot.path,
                self.engine,
                self.vault,
                None if self.cluster is None else self.cluster.assignment,
                self._on_defect,
            )
        )

    def _wake(self) -> None:
        self._wake_engine()

    # ---- the running app ---------------------------------------------------------------------------------------------

    clock = staticmethod(clock)

    @property
    def directory(self) -> Path | None:
        """The directory of this process's files. None for a journal in memory."""
        return self.settings.journal_at.directory

    @property
    def broken(self) -> BaseException | None:
        """The defect that ended the engine's loop, if one did: nothing is answered any more."""
        return self._engine_thread.loop.broken

    def market(self, name: str) -> MarketSettings:
        """A marketplace's settings."""
        return self.settings.market(name)

    def catch_up(self) -> None:
        """Wait until the log is followed to its end as it is now. JournalError if a partition cannot be followed."""
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

    def ask(self, query: Callable[[Engine], T]) -> T:
        """Run ``query`` in the engine's thread, between two decisions, and return its result."""
        future: Future[T] = self.engine.call(query)
        return future.result(self.settings.answer_within)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Answer the open commands, stop the threads, write local state, release the slot."""
        self._components.stop()


def open_app(
    settings: Settings, options: AppOptions | None = None, *, on_defect: Callable[[], None] | None = None
) -> App:
    """Wire and start an engine. ``on_defect`` is called when a thread of it ends by a defect.

    JournalError and VaultUnavailable say what cannot be opened and what to do; nothing stays open then.
    """
    gc.set_threshold(*GARBAGE)
    return App(settings, options or AppOptions(), on_defect or (lambda: None))


class _VaultComponent(Resource):
    """The vault, whose texts are flushed between two steps of the engine."""

    def __init__(self, vault: DatabaseVault) -> None:
        super().__init__("vault", vault.close, lambda: self._unflushed)
        self._vault = vault
        self._unflushed: str | None = None
        """Why sealed texts do not reach the vault now."""

    def flush(self) -> None:
        """Write the texts that were sealed, so that they do not wait for an append, which raises its own error."""
        try:
            self._vault.flush()
            self._unflushed = None
        except VaultUnavailable as away:
            self._unflushed = str(away)


def _local_states(slot: Slot, journal: Journal) -> dict[int, LocalState]:
    """Local state of every partition, in this process's slot."""
    states: dict[int, LocalState] = {}
    for partition in range(journal.partitions):
        path = state_file(slot.path, partition)
        opened = open_local_state(path, partition, journal.partitions, grouped=GROUPED)
        states[partition] = opened.state
        opened.report_rebuild(partition, journal.end(partition), first=slot.number > 0)
    return states


def _compare_pinned(settings: Settings, control: ControlLog, states: Mapping[int, LocalState]) -> None:
    """Compare the policies of the orders in the views, and of those placed by the newest commits, with the control log.
    LogLost, LogChanged."""
    newest = [state.commits(max(0, state.next_ordinal - RECENT)) for state in states.values()]
    wrong = unpublished(control, [*pinned_in_views(settings.views_at), *pinned_in_commits(chain(*newest))])
    if wrong is not None:
        raise wrong


def _report_what_was_not_compared(engine: Engine, read_whole: bool) -> None:
    """Report it on standard error. ``read_whole``: every record of the journal's file was read."""
    older = sum(max(0, follower.next_ordinal - engine.limits.recent) for follower in engine.followers.values())
    if older:
        unread = "" if read_whole else ", and not read"
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
    """Microseconds to wait before a command is decided again for the n-th time, with jitter."""
    longest = min(BACKOFF << min(attempt, 12), MINUTE // 60)
    return random.randrange(longest // 2, longest)
