"""B3: every view rebuilt from a journal, events a second, on SQLite and, where one is named, on PostgreSQL.

Measured is the whole of ``rescind replay``: read the commits, decode, fold, project, write, index, swap. The
baseline is the database alone, on the very rows of that run: the same statements by ``executemany`` in as large
transactions, and on PostgreSQL also COPY of the final rows, the quickest way in that there is. All of them go into new
tables without a log, and end with the same indexes. PostgreSQL's server is somebody else's, with the durability that
its settings say.
"""

import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import Final

from consumers.ports.views import START, Batch, Log, Position, ProjectionDeadLetter
from consumers.projection.projector import Part, Projector
from infra.settings import Settings, ViewsAt
from infra.store.opening import open_control
from infra.store.reader import open_reader
from infra.views import sql
from infra.views.opening import open_views
from infra.views.replay import BATCH, CAPACITY, replay
from projections.tables import BOOKKEEPING, TABLES, Row
from tests.bench.engine import acknowledged
from tests.bench.figures import Figure

COMMANDS: Final = 40_000

Statements = Sequence[tuple[str, list[Row]]]


def measure(scale: float, settings: Settings) -> Iterator[Figure]:
    """``scale`` 1: the history of forty thousand commands, ten thousand orders."""
    with tempfile.TemporaryDirectory(prefix="rescind-bench-") as place:
        folder = Path(place)
        acknowledged(folder / "journal", 512, max(200, int(COMMANDS * scale)))
        opened = Settings(journal=f"sqlite:///{folder}/journal")
        with closing(open_reader(opened)) as reader:
            control = open_control(reader.store, "bench", create=False)
            parts = [Part("control", 0, control.follower.state)]
            parts += [Part("journal", number, each.state) for number, each in sorted(reader.followers.items())]
            batches = recorded_statements(parts)
            yield _on_sqlite(folder, parts, batches)
            if settings.views_at.postgresql is not None:
                from tests.bench import rebuilding_postgresql

                yield rebuilding_postgresql.measure(settings.views_at.postgresql, parts, batches)
            control.journal.close()


class RecordingViews:
    """Views that record the batches applied to them, and nothing else."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self._positions: dict[tuple[Log, int], Position] = {}

    def position(self, log: Log, partition: int) -> Position:
        return self._positions.get((log, partition), START)

    def parked(self, log: Log, partition: int) -> list[ProjectionDeadLetter]:
        return []

    def apply(self, batch: Batch) -> None:
        self.batches.append(batch)
        self._positions[batch.log, batch.partition] = batch.after

    def clear(self) -> None:
        self.batches.clear()


def recorded_statements(parts: Sequence[Part]) -> list[Statements]:
    """List the statements of a rebuild by transaction, with the rows for each."""
    views = RecordingViews()
    for part in parts:
        projector = Projector(part.log, part.partition, part.source, views, capacity=CAPACITY)
        while projector.advance(BATCH):
            pass
    return [list(sql.statements(batch.changes)) for batch in views.batches]


def figure(on: str, seconds: float, events: int, baselines: dict[str, float], rows: int, durability: str) -> Figure:
    return Figure(
        "B3",
        f"every view rebuilt on {on}",
        events / seconds,
        "events/s",
        {name: events / took for name, took in baselines.items()},
        {"events": float(events), "rows": float(rows), "durability": durability},
    )


def rebuilt(at: ViewsAt, parts: Sequence[Part]) -> tuple[float, int, int]:
    """Seconds, events, rows of a rebuild into these views."""
    with closing(open_views(at).views) as views:
        report = replay(views, parts)
    return report.seconds, report.events, sum(report.rows.values())


# ---- SQLite ----------------------------------------------------------------------------------------------------------


def _on_sqlite(folder: Path, parts: Sequence[Part], batches: Sequence[Statements]) -> Figure:
    seconds, events, rows = rebuilt(ViewsAt(folder / "views.sqlite"), parts)
    alone = sqlite_alone(folder / "alone.sqlite", batches)
    mode = f"new file without caution, sqlite {sqlite3.sqlite_version}"
    return figure("SQLite", seconds, events, {"executemany of the same statements": alone}, rows, mode)


def sqlite_alone(path: Path, batches: Sequence[Statements]) -> float:
    """Seconds that the same statements take, with a side file's own settings."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for pragma in (
            "journal_mode = MEMORY",
            "synchronous = OFF",
            "locking_mode = EXCLUSIVE",
            "cache_size = -262144",
        ):
            db.execute(f"PRAGMA {pragma}")
        for table in (*TABLES, *BOOKKEEPING):
            db.execute(sql.create_table(table))
        began = perf_counter()
        for batch in batches:
            db.execute("BEGIN IMMEDIATE")
            for statement, rows in batch:
                db.executemany(statement, rows)
            db.execute("COMMIT")
        for table in TABLES:
            for statement in sql.create_indexes(table):
                db.execute(statement)
        return perf_counter() - began
