"""One run of a seed, from the first step to the last oracle, and its result."""

from dataclasses import dataclass

from tests.simulation.oracles import check
from tests.simulation.plants import PLANTS
from tests.simulation.world import World


@dataclass(slots=True)
class Ran:
    """The result of a run. ``trace`` is the hash of everything that happened, ``broken`` the oracle that failed."""

    trace: str
    commits: int
    rejected: dict[str, int]
    answers: dict[str, int]
    lines: list[str] | None
    broken: Exception | None

    def __str__(self) -> str:
        return f"trace {self.trace[:16]}, {self.commits} commits, {self.rejected}, {self.answers}"


def run(seed: int, plant: str = "nothing", *, in_words: bool = False) -> Ran:
    """Run the world of a seed and hold it against the oracles. ``in_words`` stores the trace as text."""
    world = World(seed, PLANTS[plant])
    world.lines = [] if in_words else None
    try:
        world.run()
        reading = check(world)
    except Exception as broken:  # noqa: BLE001 - whatever it is, the caller shows it with its seed
        return Ran(world.trace, 0, {}, world.counts, world.lines, broken)
    return Ran(world.trace, len(reading.admitted), reading.rejected, world.counts, world.lines, None)


def again(seed: int, plant: str = "nothing") -> str:
    """The one line that replays a seed."""
    planted = "" if plant == "nothing" else f" --plant {plant}"
    return f"python -m tests.simulation --seed {seed}{planted}"
