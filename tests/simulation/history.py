"""An import under simulation: it dies anywhere, is run again from its first line, and writes the same bytes."""

from concurrent.futures import Future
from hashlib import sha256
from random import Random

from consumers.engine.control_log import ControlLog
from consumers.engine.engine import IMPORT, Engine, EngineDependencies, EngineLimits
from consumers.engine.outcome import Outcome
from domain.commands import Command, parse_command
from domain.errors import BadInput
from domain.events import Sealed
from domain.instants import DAY, HOUR, MINUTE, SECOND, Instant, format_instant
from domain.presets import presets
from infra.journals.memory import MemoryJournal, MemoryLog
from infra.local_state import memory_local_state
from tests.simulation.process import older
from tests.simulation.reader import read
from tests.simulation.traffic import MARKETS, Traffic

THEN: Instant = 1_500_000_000 * SECOND
WINDOW = 12
"""Commands that the importer has under way at once."""
COMMANDS = 60


class _Vault:
    """Seals the same text the same way every time."""

    def seal(self, marketplace: str, subject: str, text: str) -> Sealed:
        return Sealed(sha256(f"{marketplace}/{subject}/{text}".encode()).digest(), text[:4])


def file(seed: int) -> list[Command]:
    """A commands file: whatever the traffic makes up, each with its time."""
    rng = Random(seed)
    traffic = Traffic(rng, rng.sample(list(MARKETS), 3), 4)
    now = THEN
    commands: list[Command] = []
    while len(commands) < COMMANDS:
        now += rng.choice((SECOND, MINUTE, HOUR, 9 * HOUR, 2 * DAY))
        body = traffic.next(now) | {"at": format_instant(now)}
        traffic.heard(body)
        try:
            commands.append(parse_command(body))
        except BadInput:
            continue
    return commands


class Import:
    """One store, and the lives of the importers that fill it."""

    def __init__(self, seed: int, *, dies: bool) -> None:
        self.rng = Random(f"{seed} {dies}")
        self.dies = dies
        self.commands = file(seed)
        self.until = THEN + 400 * DAY
        self._ids = 0
        self._time = 2 * THEN
        self.partitions = 2
        self.log = MemoryLog(self.partitions, lambda: self._time, auto=not dies)
        self.control_log = MemoryLog(1, lambda: self._time)
        control = self._control()
        for document in presets():
            control.publish(document, self._time, lambda verdict, settled: None)
        while control.step(self._time):
            pass
        self.states = {partition: memory_local_state(partition, 2) for partition in range(2)}
        self.lives = 0

    def run(self) -> dict[str, list[bytes]]:
        """Import until it is through; the hashes of every order's commits, in order."""
        while not self._life():
            pass
        return {
            admitted.stream: [each.hash for each in reading.of(admitted.stream)]
            for reading in [read(self.log)]
            for admitted in reading.admitted
        }

    def _new_id(self) -> bytes:
        self._ids += 1
        return self._ids.to_bytes(16, "big")

    def _control(self) -> ControlLog:
        control = ControlLog(self.control_log.journal(), memory_local_state(0, 1), "import", self._new_id)
        control.start()
        while control.follow():
            pass
        return control

    def _life(self) -> bool:
        """One run of the file, from its first line; return whether it reached its end."""
        self.lives += 1
        journal = self.log.journal(f"import-{self.lives}")
        ports = EngineDependencies(MARKETS.__getitem__, _Vault(), self._new_id, lambda attempt: 0)
        limits = EngineLimits(poll=0, batch=3, orders=4)
        engine = Engine(journal, self._control(), self.states, ports, name=journal.by, mode=IMPORT, limits=limits)
        engine.start()
        waiting = iter(self.commands)
        under_way: list[Future[Outcome]] = []
        left = True
        while left or under_way:
            under_way = [future for future in under_way if not future.done()]
            while left and len(under_way) < WINDOW:
                command = next(waiting, None)
                left = command is not None
                if command is not None:
                    under_way.append(engine.submit(command, rebuild=False))
            if not self._steps(engine, journal):
                return False
        reached = [engine.reach(name, self.until) for name in MARKETS]
        while not all(future.done() for future in reached):
            if not self._steps(engine, journal):
                return False
        return True

    def _steps(self, engine: Engine, journal: MemoryJournal) -> bool:
        """Something happens; False if the process died of it."""
        rng = self.rng
        self._time += rng.randrange(1, 1000)
        if self.dies and self.lives < 6 and rng.random() < 0.02:
            self._die(journal)
            return False
        if self.log.flights and rng.random() < 0.7:
            self.log.step(rng.choice(self.log.flights))
        engine.step(self._time)
        return True

    def _die(self, journal: MemoryJournal) -> None:
        journal.crash()
        for partition, state in self.states.items():
            state.rollback()
            match self.rng.randrange(3):
                case 0:
                    self.states[partition] = memory_local_state(partition, self.partitions)
                case 1:
                    self.states[partition] = older(self.log, partition, state, self.rng.randrange(4))
                case _:
                    pass
        for flight in list(self.log.flights):
            if self.rng.random() < 0.5:
                self.log.flights.remove(flight)
