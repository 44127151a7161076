"""B6: two processes on one journal against one, on the embedded journal and, where ``--journal`` names it, on Kafka.

Each process is an engine of its own that works on orders of its own, so nothing is decided twice; each follows all of
the log, the other's commits too. Both begin at the same moment, and time counts until the slower one has all answers.
Engines and brokers share this machine's cores, and that is part of what is measured.
"""

import json
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from infra.app import AppOptions, open_app
from infra.settings import Settings, load_settings
from tests.bench.engine import measure_in, prepared
from tests.bench.figures import Figure

IN_FLIGHT: Final = 128
COMMANDS: Final = 16_000
PARTITIONS: Final = 4


def measure(scale: float, settings: Settings) -> Iterator[Figure]:
    """``scale`` 1: sixteen thousand commands, by one and by two."""
    commands = max(64, int(COMMANDS * scale))
    with tempfile.TemporaryDirectory(prefix="rescind-bench-") as place:
        journals = [f"sqlite:///{place}/{count}?partitions={PARTITIONS}" for count in ("one", "two")]
        yield _figure("SQLite", commands, journals, Path(place), "wal, synchronous=FULL")
    at = settings.journal_at.kafka
    if at is not None:
        from tests.bench.kafka import delete

        runs = [replace(at, prefix=f"{at.prefix}.b6.{uuid.uuid4().hex[:8]}") for _ in range(2)]
        partitions = settings.journal_at.partitions or PARTITIONS
        try:
            with tempfile.TemporaryDirectory(prefix="rescind-bench-") as place:
                journals = [f"{run}?partitions={partitions}" for run in runs]
                yield _figure("Kafka", commands, journals, Path(place), "acks=all, page caches")
        finally:
            for run in runs:
                delete(settings, run)


def _figure(on: str, commands: int, journals: list[str], place: Path, durability: str) -> Figure:
    one, two = (by_processes(count, commands, journal, place / str(count)) for count, journal in enumerate(journals, 1))
    measured = f"acknowledged commands by two processes on {on}, {IN_FLIGHT} in flight each"
    return Figure("B6", measured, two, "commands/s", {"one process": one}, {"durability": durability})


def by_processes(count: int, commands: int, journal: str, place: Path) -> float:
    """Acknowledged commands a second by so many processes, all together."""
    each = commands // count
    started = []
    for number in range(count):
        arguments = [journal, str(place / str(number)), str(each), str(number * commands)]
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.processes", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdin is not None and child.stdout is not None
        started.append((child, child.stdin, child.stdout))
        if child.stdout.readline() != "ready\n":  # the first one makes the journal
            raise RuntimeError("a process of the bench did not start; see its output above")
    for _, to_child, _ in started:
        to_child.write("go\n")
        to_child.flush()
    seconds: list[float] = []
    for child, to_child, from_child in started:
        found = json.loads(from_child.readline())
        to_child.close()
        from_child.close()
        if child.wait() or found["kinds"] != {"accepted": each}:
            raise RuntimeError(f"not every command was accepted: {found}")
        seconds.append(found["seconds"])
    return each * count / max(seconds)


def main(journal: str, directory: str, commands: str, first: str) -> None:
    """Run one process: print that it is ready, wait for a line, work, and print the result."""
    settings = prepared(load_settings(journal=journal, directory=directory), IN_FLIGHT)
    with open_app(settings, AppOptions(views=False)) as app:
        print("ready", flush=True)
        sys.stdin.readline()
        found = measure_in(app.engine, IN_FLIGHT, int(commands), int(first))
        print(json.dumps({"seconds": found.seconds, "kinds": found.kinds}), flush=True)
        sys.stdin.readline()  # the other one may still need what this one keeps open


if __name__ == "__main__":
    main(*sys.argv[1:])
