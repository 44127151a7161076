"""Run the tests that take too long for CI: ``make test-nightly``. Each part runs even if the one before it failed.

A night is 20,000 seeds of the simulation, 20,000 random orders told to the domain and to the model, ten minutes of
chaos where every engine follows all partitions, ten minutes where engines share them, and fifty times the random
examples. The seeds of the simulation, of the orders and of the chaos are new every night, and every failure prints how
to see it again. The last line reports the parts and their results.
"""

import argparse
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

PROCESSES = 2
FIRST_NEW_SEED = 1_000_000
"""Lower seeds are those of `make test` and `make test-long`."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the night: commands that run side by side, and the words of their output that say what was run."""

    name: str
    commands: Sequence[Sequence[str]]
    pattern: str
    environment: dict[str, str]


@dataclass(frozen=True, slots=True)
class Found:
    """The result of a part."""

    part: Part
    good: bool
    summary: str
    minutes: float

    def __str__(self) -> str:
        state = "ok" if self.good else "FAILED"
        return f"{self.part.name}: {state} ({self.summary or 'no summary'}, {self.minutes:.0f} min)"


def parts(seeds: int, orders: int, minutes: float, factor: int, first: int, chaos: int) -> list[Part]:
    """The parts of a night of this size."""
    python = sys.executable
    share = seeds // PROCESSES
    ranges = [(first + n * share, first + (n + 1) * share) for n in range(PROCESSES)]
    each = orders // PROCESSES
    telling = [python, "-m", "tests.spec.model", "--orders", str(each), "--first"]
    breaking = [python, "-m", "tests.chaos", "--minutes", f"{minutes:g}", "--seed", str(chaos), "--quiet"]
    return [
        Part(
            f"{share * PROCESSES:,} seeds from {first}",
            [[python, "-m", "tests.simulation", "--seeds", str(a), str(b)] for a, b in ranges],
            r"^\d+ runs in .*|^seed \d+: .*",
            {},
        ),
        Part(
            f"{each * PROCESSES:,} orders from {first}",
            [[*telling, str(first + n * each)] for n in range(PROCESSES)],
            r"^[\d,]+ orders from .*|^order .* differs.*",
            {},
        ),
        Part(f"chaos whole, seed {chaos}", [breaking], r"^nothing acknowledged.*|^BROKEN.*", {}),
        Part(f"chaos shared, seed {chaos}", [[*breaking, "--share"]], r"^nothing acknowledged.*|^BROKEN.*", {}),
        Part(
            f"random examples times {factor}",
            [[python, "-m", "pytest", "-q", "-n", str(PROCESSES), "--dist", "loadgroup", "-m", "random", "tests"]],
            r"^(?:=+ )?\d+ (?:passed|failed).* in .*",
            {"RESCIND_EXAMPLES": str(factor), "CI": ""},
        ),
    ]


def run(part: Part) -> Found:
    """Run a part, print its output as it comes, and collect the lines that summarize it."""
    began = time.monotonic()
    running = [
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **part.environment}
        )
        for command in part.commands
    ]
    matching: list[str] = []

    def read(process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                print(line, end="", flush=True)
                if re.search(part.pattern, line):
                    matching.append(line.strip(" =\n"))

    readers = [threading.Thread(target=read, args=(process,)) for process in running]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    codes = [process.wait() for process in running]
    return Found(part, not any(codes), "; ".join(matching), (time.monotonic() - began) / 60)


def night(wanted: Sequence[Part]) -> int:
    """Run every part; the exit code is 1 if any failed. The last line has one clause a part."""
    found = []
    for part in wanted:
        print(f"---- {part.name}", flush=True)
        found.append(run(part))
        print(f"---- {found[-1]}", flush=True)
    print(f"nightly: {'; '.join(map(str, found))}", flush=True)
    return 0 if all(each.good for each in found) else 1


def main() -> int:
    """Read the sizes from the command line and run the night."""
    parser = argparse.ArgumentParser(prog="python -m tests.nightly", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20_000, help="seeds of the simulation")
    parser.add_argument("--orders", type=int, default=20_000, help="random orders of the model")
    parser.add_argument("--minutes", type=float, default=10, help="minutes of chaos, twice")
    parser.add_argument("--factor", type=int, default=50, help="random examples: so many times those of make test")
    parser.add_argument("--first", type=int, help="first seed of simulation and orders; new every night by default")
    parser.add_argument("--chaos", type=int, help="seed of the chaos; new every night by default")
    asked = parser.parse_args()
    first = random.randrange(FIRST_NEW_SEED, 2**31) if asked.first is None else asked.first
    chaos = random.randrange(1_000_000) if asked.chaos is None else asked.chaos
    return night(parts(asked.seeds, asked.orders, asked.minutes, asked.factor, first, chaos))


if __name__ == "__main__":
    sys.exit(main())
