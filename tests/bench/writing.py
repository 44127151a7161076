"""B1 on the embedded journal: acknowledged commands a second, with the library's own SQLite recorder as baseline.

The very commits that our run wrote are written again through the library: by its recorder alone (storing only), and as
an application of it does (load, trigger, save). Both sides flush to the disk before they say done.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from consumers.log.admission import Admission, MemoryHeads
from consumers.ports.journal import JournalRecord
from consumers.ports.log_values import Admitted
from infra.addresses.files import JOURNAL_FILE
from infra.journals.sqlite import open_sqlite_journal
from schemas.commit import Commit
from tests.bench import library
from tests.bench.engine import acknowledged
from tests.bench.figures import Figure

IN_FLIGHT = (1, 16, 128, 512)


def measure(scale: float) -> Iterator[Figure]:
    """``scale`` 1: eight thousand commands a run."""
    for in_flight in IN_FLIGHT:
        commands = max(64, int((1_000 if in_flight == 1 else 8_000) * scale))
        with tempfile.TemporaryDirectory(prefix="rescind-bench-") as place:
            folder = Path(place)
            ours = acknowledged(folder / "journal", in_flight, commands)
            saves = library.orders_of(commits_in(folder / "journal"))
            recorder = library.write(folder / "recorder.sqlite", saves, in_flight)
            application = library.write_as_application(folder / "application.sqlite", saves, in_flight)
        yield Figure(
            "B1",
            f"acknowledged commands, {in_flight} in flight",
            ours.per_second,
            "commands/s",
            {
                "the library's recorder, same events": recorder.commits_per_second,
                "an application of the library": application.commits_per_second,
            },
            {
                "p50_ms": ours.p50 / 1000,
                "p99_ms": ours.p99 / 1000,
                "cpu_us_per_command": ours.cpu_per_command,
                "library_p99_ms": recorder.p99 / 1000,
                "durability": f"ours: wal, synchronous=FULL; library: {recorder.durability}",
            },
        )


def records_in(directory: Path) -> list[JournalRecord]:
    """Every record of an embedded journal of one partition."""
    journal = open_sqlite_journal(directory / JOURNAL_FILE, create=False)
    found: list[JournalRecord] = []
    while records := journal.read(0, len(found), 1_000):
        found += records
    journal.close()
    return found


def commits_in(directory: Path) -> Iterator[Commit]:
    """Every admitted commit of it."""
    admission = Admission(0, 1, MemoryHeads())
    for record in records_in(directory):
        for verdict in admission.take(record):
            if isinstance(verdict, Admitted):
                yield verdict.commit
