"""One engine process of the simulated world: it runs, pauses, dies, and restarts with what is left of it."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from consumers.engine.control_log import ControlLog
from consumers.engine.engine import Engine, EngineDependencies, EngineLimits
from consumers.log.follower import Follower
from consumers.ports.local_state import LocalState
from consumers.ports.vault import VaultUnavailable
from domain.events import Sealed
from infra.journals.memory import MemoryJournal, MemoryLog
from infra.local_state import memory_local_state
from tests.simulation.traffic import MARKETS

if TYPE_CHECKING:
    from tests.simulation.world import World

LIMITS = EngineLimits(in_flight=64, waiting=200, tries=6, orders=50, batch=4, poll=0, schedule=1_000_000, scheduled=20)
"""Small on purpose: batches end in the middle, races are given up."""


class FakeVault:
    """Every process's vault: durable, and away from time to time."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.sealed = 0

    def seal(self, marketplace: str, subject: str, text: str) -> Sealed:
        if self._world.faults and self._world.rng.random() < 0.05:
            raise VaultUnavailable("the vault is locked")
        self.sealed += 1
        return Sealed(self.sealed.to_bytes(32, "big"), f"{marketplace}/{subject}/{self.sealed}")


class Process:
    """A slot of the world in which one engine at a time runs. ``build`` makes engines, so that tests can plant bugs."""

    def __init__(self, world: "World", number: int, build: Callable[..., Engine]) -> None:
        self.world = world
        self.number = number
        self.offset = 0
        """How far its clock is ahead of the true time."""
        self.paused = False
        self.lives = 0
        self.limits = replace(LIMITS, orders=world.rng.choice((2, 50, 50)))
        """A cache of two orders, so that orders are evicted all the time."""
        self._build = build
        self.states: dict[int, LocalState] = {}
        self.engine: Engine | None = None
        self._journals: list[MemoryJournal] = []

    @property
    def name(self) -> str:
        return f"p{self.number}.{self.lives}"

    @property
    def now(self) -> int:
        return self.world.time + self.offset

    @property
    def runs(self) -> bool:
        """Whether it takes steps at the moment."""
        return self.engine is not None and not self.paused

    def start(self) -> None:
        """Come up, on whatever local state is left."""
        world = self.world
        self.lives += 1
        self.paused = False
        journal, control_journal = world.log.journal(self.name), world.control_log.journal(self.name)
        self._journals = [journal, control_journal]
        control = ControlLog(control_journal, memory_local_state(0, 1), self.name, world.new_id)
        control.start()
        while control.follow():
            pass
        for partition in range(world.partitions):
            if partition not in self.states:
                self.states[partition] = memory_local_state(partition, world.partitions)
        ports = EngineDependencies(MARKETS.__getitem__, world.vault, world.new_id, world.backoff)
        self.engine = self._build(journal, control, self.states, ports, name=self.name, limits=self.limits)
        self.engine.start()

    def crash(self, left: str) -> None:
        """The process ends here and now. ``left``: its local state is intact, torn (an older snapshot), or lost."""
        self.engine = None
        for journal in self._journals:
            journal.crash()
        for partition, state in list(self.states.items()):
            state.rollback()
            if left == "lost":
                del self.states[partition]
            elif left == "torn":
                self.states[partition] = older(self.world.log, partition, state, self.world.rng.randrange(4))


class _Nobody:
    def admitted(self, admitted: object) -> None:
        """Not listening."""

    rejected = admitted


def older(log: MemoryLog, partition: int, state: LocalState, records: int) -> LocalState:
    """Local state as it was so many records ago."""
    found = memory_local_state(partition, len(log.records))
    follower = Follower(log.journal(), partition, found, _Nobody())
    follower.start()
    behind = state.next_offset - records
    if behind > 0:
        follower.advance(behind)
    return found
