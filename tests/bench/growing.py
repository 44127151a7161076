"""B5: what a command costs as history grows, and the memory of an engine with so many orders behind it.

A history is not imported but copied: one order's life is decided once and its commits are written again under other
names, parents and ids, since what grows is what is stored. Each size is measured in a process of its own: an engine is
opened on the history, follows it, and takes commands for new orders and for old ones picked at random.
"""

import json
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Final

from consumers.engine.dependencies import LIVE
from domain.commands import parse_command
from infra.addresses.files import JOURNAL_FILE
from infra.app import AppOptions, open_app
from infra.journals.sqlite import SqliteJournal, open_sqlite_journal
from infra.settings import Settings
from schemas.commit import ZERO_HASH, commit_hash, commit_id, encode_commit
from schemas.record import encode_record
from tests.bench.engine import MARKETPLACE, acknowledged
from tests.bench.figures import Figure
from tests.bench.writing import commits_in

SIZES: Final = (10_000, 100_000)
MANY: Final = 1_000_000
IN_FLIGHT: Final = 128
COMMANDS: Final = 8_000
A_RECORD: Final = 256


def measure(scale: float, *, full: bool = False) -> Iterator[Figure]:
    """10 k and 100 k orders; ``full`` 1 M too. The first size is the baseline of the others."""
    first: float | None = None
    for size in (*SIZES, *((MANY,) if full else ())):
        orders = max(10, int(size * scale))
        with tempfile.TemporaryDirectory(prefix="rescind-bench-") as place:
            grow(Path(place) / "journal", orders)
            child = [sys.executable, "-m", "tests.bench.growing", f"{place}/journal", str(orders), str(scale)]
            found = json.loads(subprocess.run(child, stdout=subprocess.PIPE, check=True).stdout)
        cpu = found["cpu_us_per_command"]
        first = first or cpu
        yield Figure(
            "B5",
            f"cost of a command behind {orders:,} orders",
            cpu,
            "µs of processor",
            {} if cpu is first else {"itself, behind the first history": first},
            {k: v for k, v in found.items() if k != "cpu_us_per_command"},
        )


def grow(directory: Path, orders: int) -> None:
    """A journal with so many orders, each with the life of the engine's bench."""
    acknowledged(directory, 1, 4, first=0)
    life = [c for c in commits_in(directory) if not c.streams[0].stream.startswith("$")]
    life = [c for c in life if c.streams[0].stream == life[0].streams[0].stream]
    journal = open_sqlite_journal(directory / JOURNAL_FILE, create=False, synchronous="OFF")
    waiting: list[bytes] = []
    for number in range(1, orders):
        stream = f"{MARKETPLACE}/PO-{number:08}"
        parent = ZERO_HASH
        for commit in life:
            part = replace(commit.streams[0], stream=stream, parent=parent)
            made = commit_id(stream, commit.command_id or "", parent)
            data = encode_commit(replace(commit, commit_id=made, streams=(part,)))
            parent = commit_hash(data)
            waiting.append(data)
        if len(waiting) >= A_RECORD:
            _append(journal, waiting)
            waiting = []
    if waiting:
        _append(journal, waiting)
    journal.close()


def _append(journal: SqliteJournal, commits: list[bytes]) -> None:
    journal.append(0, b"", encode_record("bench", commits)).result(60)


def behind(directory: Path, orders: int, commands: int) -> dict[str, float]:
    """Open an engine on this history, and measure: for new orders, and for old ones picked at random."""
    settings = Settings(journal=f"sqlite:///{directory}")
    began = perf_counter()
    with open_app(settings, AppOptions(mode=LIVE, views=False)) as app:
        app.catch_up()
        followed = perf_counter() - began
        chance = random.Random(7)
        some = chance.sample(range(1, orders), min(orders - 1, 2_000))
        began = perf_counter()
        waiting = [app.engine.submit(parse_command(_message(number))) for number in some]
        if any(each.result(60).kind != "accepted" for each in waiting):
            raise RuntimeError("a command of the bench was not accepted")
        old = perf_counter() - began
    began = perf_counter()
    new = acknowledged(directory, IN_FLIGHT, commands, first=orders)
    return {
        "cpu_us_per_command": new.cpu_per_command,
        "commands_per_second": new.per_second,
        "p99_ms": new.p99 / 1000,
        "old_orders_per_second": len(some) / old,
        "followed_seconds": followed,
        "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _message(number: int) -> dict[str, object]:
    """A command that an old order takes at any time: a refund from outside of a cent."""
    return {
        "command": "RecordOtherRefund",
        "command_id": "cent",
        "marketplace": MARKETPLACE,
        "order_id": f"PO-{number:08}",
        "actor": {"kind": "system", "id": "bench"},
        "amount": "0.01",
    }


if __name__ == "__main__":
    print(json.dumps(behind(Path(sys.argv[1]), int(sys.argv[2]), max(64, int(COMMANDS * float(sys.argv[3]))))))
