"""The simulated world: true time, two logs, processes, clients and faults; every choice is drawn from the seed.

``run`` lets people and faults loose for a while, then heals everything and lets the engines settle. The trace is
what happened, step by step; the same seed gives the same trace on every machine.
"""

from collections.abc import Callable
from hashlib import sha256
from random import Random

from consumers.engine.control_log import ControlLog
from consumers.engine.engine import Engine
from domain.instants import DAY, HOUR, MINUTE, SECOND, Instant
from domain.policy import PolicyDocument, read_policy_toml
from domain.presets import presets
from infra.journals.memory import Fate, Flight, MemoryLog
from infra.local_state import memory_local_state
from tests.simulation.clients import Clients
from tests.simulation.process import FakeVault, Process
from tests.simulation.traffic import MARKETS, Traffic

START: Instant = 1_772_445_600 * SECOND
"""2026-03-02T10:00:00Z."""

CORNER_SHOP = """
id = "corner-shop"
version = {version}
title = "{title}"
rules = ["shipped-lock", "grace-window", "seller-has-final-say"]
fill-or-kill = true
[grace-window]
length = "2 hours"
[seller-has-final-say]
deadline = "1 days"
silence = "closes"
"""

FATES: dict[Fate, int] = {
    "ok": 70,
    "lost": 6,
    "answer-lost": 7,
    "duplicated": 5,
    "delayed": 6,
    "refused": 4,
    "refused-for-good": 2,
}
_FATES = list(FATES)
_FATE_WEIGHTS = list(FATES.values())
_PRESETS = presets()

Build = Callable[..., Engine]


class World:
    """One run. ``build`` makes the engines: the real ones, or ones with a planted bug."""

    def __init__(self, seed: int, build: Build = Engine) -> None:
        self.rng = rng = Random(seed)
        self.time: Instant = START
        self.faults = False
        self.steps = 0
        self.counts: dict[str, int] = {}
        self._trace = sha256()
        self.lines: list[str] | None = None
        """The trace in words, when somebody wants to read it."""
        self._ids = 0
        self.partitions = rng.choice((1, 1, 2, 3))
        self.log = MemoryLog(self.partitions, self.clock, identity="journal", plan=self._fate, auto=False)
        self.control_log = MemoryLog(1, self.clock, identity="control", auto=True)
        self.vault = FakeVault(self)
        self.markets = rng.sample(list(MARKETS), 3)
        self._publish_presets()
        self.control_log.plan, self.control_log.auto = self._fate, False
        self.processes = [Process(self, number + 1, build) for number in range(rng.choice((2, 3, 3)))]
        for process in self.processes:
            process.offset = rng.choice((0, rng.randrange(-SECOND, SECOND)))
            process.start()
        self.traffic = Traffic(rng, self.markets, rng.randrange(2, 6))
        self.clients = Clients(self)

    # ---- ports -------------------------------------------------------------------------------------------------------

    def clock(self) -> Instant:
        return self.time

    def new_id(self) -> bytes:
        self._ids += 1
        return self._ids.to_bytes(16, "big")

    def backoff(self, attempt: int) -> int:
        return self.rng.randrange(0, 3000 * attempt)

    def _fate(self, number: int, by: str, partition: int, record: bytes) -> Fate:
        fate: Fate = self.rng.choices(_FATES, _FATE_WEIGHTS)[0] if self.faults else "ok"
        self.trace_line(f"append {number} by {by} to {partition}: {fate} {sha256(record).hexdigest()[:8]}")
        return fate

    # ---- the trace ---------------------------------------------------------------------------------------------------

    def trace_line(self, what: str) -> None:
        """One more line of the trace."""
        line = f"{self.time - START} {what}\n"
        self._trace.update(line.encode())
        if self.lines is not None:
            self.lines.append(line)

    @property
    def trace(self) -> str:
        return self._trace.hexdigest()

    # ---- running -----------------------------------------------------------------------------------------------------

    def run(self, steps: int = 900) -> None:
        """Run ``steps`` random steps with faults, then heal until everything has settled."""
        self.faults = True
        actions, weights = list(_ACTIONS), list(_ACTIONS.values())
        for action in self.rng.choices(actions, weights, k=steps):
            self.steps += 1
            action(self)
            self.clients.listen()
        self.faults = False
        self.heal()
        self.clients.retry_unsettled()
        self.settle()

    def heal(self) -> None:
        """Everybody is there again, clocks are right, appends arrive; one process has lost all it knew."""
        self.trace_line("heal")
        for process in self.processes:
            process.offset = 0
            process.paused = False
            if process.engine is None:
                process.start()
        unlucky = self.rng.choice(self.processes)
        unlucky.crash("lost")
        self.clients.lost(unlucky)
        unlucky.start()
        self.settle()

    def settle(self) -> None:
        """Until every future is resolved and nothing moves; at most 60 seconds of the world's time."""
        until = self.time + 60 * SECOND
        quiet = 0
        while quiet < 3:
            assert self.time < until, "not resolved within 60 s after healing"
            moved = self._deliver_all()
            for process in self.processes:
                if process.engine is not None:
                    moved = process.engine.step(process.now) or moved
            self.clients.listen()
            self.time += 20_000
            quiet = 0 if moved or self.clients.waiting else quiet + 1

    def _deliver_all(self) -> bool:
        moved = False
        for log in (self.control_log, self.log):
            while log.flights:
                log.step(log.flights[0])
                moved = True
        return moved

    # ---- what can happen ---------------------------------------------------------------------------------------------

    def running(self) -> Process | None:
        """Somebody who is there."""
        found = [process for process in self.processes if process.runs]
        return self.rng.choice(found) if found else None

    def _client(self) -> None:
        self.clients.act()

    def _part(self) -> None:
        """A part of some engine's round."""
        process = self.running()
        if process is None or process.engine is None:
            return
        engine, now = process.engine, process.now
        match self.rng.randrange(8):
            case 0:
                engine.take(now)
            case 1 | 2:
                engine.work(now)
            case 3 | 4:
                engine.send(now)
            case 5 | 6:
                engine.follow(self.rng.randrange(self.partitions), now)
            case _:
                self.rng.choice((engine.follow_control, engine.schedule, engine.catch_up))(now)

    def _round(self) -> None:
        """A whole round of some engine."""
        process = self.running()
        if process is not None and process.engine is not None:
            process.engine.step(process.now)

    def _flight(self) -> None:
        flights: list[tuple[MemoryLog, Flight]] = [
            (log, flight) for log in (self.log, self.control_log) for flight in log.flights
        ]
        if flights:
            log, flight = self.rng.choice(flights)
            self.trace_line(f"append {flight.number} by {flight.by}: {log.step(flight)}")

    def _moment(self) -> None:
        self.time += self.rng.choice((1, 100, 1000, 20_000, 300_000))

    def _while(self) -> None:
        """Time passes, deadlines too."""
        self.time += self.rng.choice((MINUTE, HOUR, 5 * HOUR, DAY, 3 * DAY))
        self.trace_line("later")

    def _crash(self) -> None:
        process = self.rng.choice(self.processes)
        if process.engine is None:
            return
        left = self.rng.choice(("intact", "intact", "torn", "lost"))
        self.trace_line(f"{process.name} crashes, local state {left}")
        process.crash(left)
        self.clients.lost(process)
        for flight in [flight for flight in self.log.flights if flight.by == process.name]:
            if self.rng.random() < 0.4:
                self.log.flights.remove(flight)

    def _start(self) -> None:
        for process in self.processes:
            if process.engine is None:
                process.start()
                self.trace_line(f"{process.name} starts")
                return

    def _pause(self) -> None:
        process = self.running()
        if process is not None:
            process.paused = True
            self.trace_line(f"{process.name} pauses")

    def _wake(self) -> None:
        for process in self.processes:
            if process.paused:
                process.paused = False
                self.trace_line(f"{process.name} goes on")
                return

    def _clock(self) -> None:
        process = self.rng.choice(self.processes)
        process.offset = self.rng.choice((0, 0, self.rng.randrange(-SECOND, SECOND), 3 * SECOND, -HOUR, 2 * DAY))
        self.trace_line(f"{process.name} clock {process.offset}")

    def _policy(self) -> None:
        process = self.running()
        if process is not None and process.engine is not None:
            number = self.rng.randrange(2)
            document = corner_shop(1 + number, self.rng.choice(("Corner shop", "Corner shop", "Other shop")))
            self.clients.publish(process, document)

    def _publish_presets(self) -> None:
        control = ControlLog(self.control_log.journal("setup"), memory_local_state(0, 1), "setup", self.new_id)
        control.start()
        control.create(self.partitions, self.time, lambda settled: None)
        used = {"seller-portal", *(MARKETS[name].policy for name in self.markets)}
        for document in _PRESETS:
            if document.policy.id in used:
                control.publish(document, self.time, lambda verdict, settled: None)
        while control.step(self.time):
            pass


def corner_shop(version: int, title: str) -> PolicyDocument:
    """A policy that somebody publishes while the world runs."""
    return read_policy_toml(CORNER_SHOP.format(version=version, title=title))


_ACTIONS: dict[Callable[[World], None], float] = {
    World._client: 12,
    World._part: 30,
    World._round: 8,
    World._flight: 22,
    World._moment: 5,
    World._while: 1.2,
    World._crash: 0.7,
    World._start: 3,
    World._pause: 0.7,
    World._wake: 1.5,
    World._clock: 0.4,
    World._policy: 0.3,
}
