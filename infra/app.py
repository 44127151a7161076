"""The composition root: one place that wires a running engine from settings. Nothing connects at import.

``open_app`` opens the control log, the journal, this process's slot of local state, the vault and the views, starts
the engine and the threads that drive it, and gives an ``App``. Commands go to ``app.engine.submit`` from any thread;
reading of orders goes to ``app.ask``, which runs in the engine's own thread. ``close`` ends it all, in the opposite
order.
"""

import os
import random
import socket
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self, TypeVar

from consumers.control import ControlLog
from consumers.engine import LIVE, Engine, Limits, Mode, Ports
from consumers.journal import Journal
from consumers.local_state import LocalState
from domain.instants import MINUTE, SECOND, Instant
from domain.market import MarketSettings
from infra.journals.sqlite import Synchronous
from infra.local_state import Slot, claim_slot, memory_local_state, open_local_state
from infra.opening import clock, follow_control, new_id, open_control, open_journal, prepare
from infra.reading import existing_directory, state_file
from infra.settings import Settings
from infra.vault import KEY_BYTES, SealedFirst, SqliteVault, key_from_file, key_from_text

if TYPE_CHECKING:
    from infra.views.runner import ViewsRunner

T = TypeVar("T")

PARTITIONS: Final = 1
"""Partitions of a new embedded journal, unless its URL names another number: one file, the fewest disk writes."""
LONGEST_PAUSE: Final = 0.05
"""Seconds that a loop sleeps at most before it looks again."""
BACKOFF: Final = 1_000
"""Microseconds: the first wait before a command that lost a race is decided anew; doubled each time, with jitter."""


class Loop:
    """A thread that calls ``step`` while it moves something, and otherwise sleeps until woken or ``pause`` is over."""

    def __init__(self, name: str, step: Callable[[], bool], pause: Callable[[], float]) -> None:
        """``pause``: seconds to sleep after a step that moved nothing."""
        self._step = step
        self._pause = pause
        self._woken = threading.Event()
        self._stopping = False
        self.broken: BaseException | None = None
        """The defect that ended the loop, if one did."""
        self.on_broken: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """There is something to do. From any thread."""
        self._woken.set()

    def stop(self) -> None:
        """End after the step that is under way."""
        self._stopping = True
        self._woken.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stopping:
                if not self._step() and (pause := self._pause()) > 0:
                    self._woken.wait(min(pause, LONGEST_PAUSE))
                self._woken.clear()
        except BaseException as defect:
            self.broken = defect
            sys.stderr.write(f"rescind: the loop {self._thread.name} has ended by a defect: {defect!r}\n")
            self.on_broken()
            raise


class App:
    """A running engine with everything around it."""

    def __init__(
        self,
        settings: Settings,
        directory: Path | None,
        control: ControlLog,
        journal: Journal,
        vault: SqliteVault,
        engine: Engine,
        loop: Loop,
        views: "ViewsRunner | None",
        closing: ExitStack,
    ) -> None:
        self.settings = settings
        self.directory = directory
        """The embedded journal's directory; None for a journal in memory."""
        self.control = control
        self.journal = journal
        self.vault = vault
        self.engine = engine
        self.views = views
        """The views and what keeps them up to date; None where this process keeps none."""
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
    on_defect: Callable[[], None] | None = None,
) -> App:
    """Wire and start an engine. ``create`` False: there must be a journal already.

    JournalError and VaultUnavailable say what cannot be opened and what to do; nothing stays open then. ``on_defect``
    is called when the engine's loop ends by a defect.
    """
    with ExitStack() as closing:
        app = _wire(settings, mode, views, create, on_defect or (lambda: None), closing)
        app._closing = closing.pop_all()
        return app


def _wire(
    settings: Settings, mode: Mode, views: bool, create: bool, on_defect: Callable[[], None], closing: ExitStack
) -> App:
    where = settings.journal_at
    wake: list[Callable[[], None]] = []

    def woken() -> None:
        for each in wake:
            each()

    if where.directory is None:
        control, journal, states = _in_memory(where.partitions or PARTITIONS, woken)
    else:
        if not create:
            existing_directory(settings)
        control, journal, states = _embedded(where.directory, where.partitions, settings.synchronous, woken, closing)
    prepare(control, journal)
    vault = open_vault(settings)
    closing.callback(vault.close)

    ports = Ports(market=settings.market, vault=vault, new_id=new_id, backoff=_backoff, wake=woken)
    limits = Limits(
        in_flight=settings.commands_in_flight,
        orders=settings.orders_at_hand,
        clock_tolerance=int(settings.clock_limit * SECOND),
    )
    engine = Engine(
        SealedFirst(journal, vault), control, states, ports, name=_name(), mode=mode, limits=limits, listeners=()
    )
    closing.callback(_close_states, states)
    closing.callback(engine.close)
    engine.start()

    def step() -> bool:
        moved = engine.step(clock())
        vault.flush()
        return moved

    loop = Loop("engine", step, lambda: engine.pause() / SECOND)
    wake.append(loop.wake)

    def broken() -> None:
        engine.close()
        on_defect()

    loop.on_broken = broken
    closing.callback(loop.stop)
    loop.start()

    runner = None
    if views:
        from infra.views.runner import open_views_runner

        runner = open_views_runner(settings, journal, engine)
        closing.callback(runner.close)
    return App(settings, where.directory, control, journal, vault, engine, loop, runner, closing)


def _embedded(
    directory: Path, asked: int | None, synchronous: str, woken: Callable[[], None], closing: ExitStack
) -> tuple[ControlLog, Journal, dict[int, LocalState]]:
    """Control log and journal of a directory, and local state in the first free slot."""
    how: Synchronous = "NORMAL" if synchronous == "normal" else "FULL"
    control = open_control(directory, _name(), create=True, synchronous=how, wake=woken)
    closing.callback(control.journal.close)
    journal = open_journal(directory, control, asked, PARTITIONS, synchronous=how)
    closing.callback(journal.close)
    slot: Slot = claim_slot(directory)
    closing.callback(slot.release)
    states: dict[int, LocalState] = {}
    for partition in range(journal.partitions):
        opened = open_local_state(state_file(slot.path, partition), partition, journal.partitions)
        states[partition] = opened.state
        if opened.rebuilt is not None and journal.end(partition) and opened.rebuilt != "missing":
            sys.stderr.write(
                f"rescind: local state of partition {partition} is rebuilt from the log: {opened.rebuilt}\n"
            )
    return control, journal, states


def _in_memory(partitions: int, woken: Callable[[], None]) -> tuple[ControlLog, Journal, dict[int, LocalState]]:
    from infra.journals.memory import MemoryLog

    control = follow_control(MemoryLog(1, clock).journal(), _name(), woken)
    journal = MemoryLog(partitions, clock).journal()
    return control, journal, {partition: memory_local_state(partition, partitions) for partition in range(partitions)}


def _close_states(states: dict[int, LocalState]) -> None:
    for state in states.values():
        state.close()


def open_vault(settings: Settings) -> SqliteVault:
    """The vault that the settings name; VaultUnavailable says why it cannot be opened."""
    directory = settings.journal_at.directory
    if directory is None and settings.vault is None:
        return SqliteVault(None, os.urandom(KEY_BYTES))
    beside = directory or Path()
    path = Path(settings.vault) if settings.vault is not None else beside / "vault.sqlite"
    if settings.vault_key is not None:
        key = key_from_text(settings.vault_key.get_secret_value())
    else:
        file = Path(settings.vault_key_file) if settings.vault_key_file is not None else beside / "vault.key"
        key = key_from_file(file, create=not path.exists())
    return SqliteVault(path, key, synchronous=settings.synchronous)


def _name() -> str:
    """This process as a writer: host, process and a number that no other has."""
    return f"{socket.gethostname()}/{os.getpid()}/{new_id()[:4].hex()}"


def _backoff(attempt: int) -> Instant:
    """Microseconds to wait before a command is decided anew for the n-th time, with jitter."""
    longest = min(BACKOFF << min(attempt, 12), MINUTE // 60)
    return random.randrange(longest // 2, longest)
