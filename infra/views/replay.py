"""``rescind replay``: every view made anew from the log beside the live ones, then put in their place, or compared.

Nobody waits meanwhile: pages read the old rows until the moment of the swap, and a server that projects into the same
tables goes on from where the new ones are.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Final

from consumers.ports.views import Log
from consumers.projection.projector import Part, Projector
from domain.wording import counted
from infra.views.base import DatabaseViews, ViewsSnapshot
from projections.tables import DEAD_LETTERS, POSITIONS, TABLES, Cell, Row, Table

Positions = Mapping[tuple[Log, int], tuple[int, str]]
"""Per log and partition how many commits views have, and the hash of the last one."""
Progress = Callable[[int, int], None]
"""Called now and then with the commits done so far and the commits there are."""

CAPACITY: Final = 65_536
"""Folded orders kept at hand: a replay has the memory for itself."""
MOST_SHOWN: Final = 100
"""Differences that a report tells one by one."""
BATCH: Final = 4_000
COMPARED: Final = (*TABLES, DEAD_LETTERS)


@dataclass(frozen=True, slots=True)
class Difference:
    """A cell that is another in the live views than in those made anew.

    ``column`` None: the row is missing on one side; ``live`` and ``rebuilt`` then say ``there`` or ``missing``.
    """

    table: str
    key: tuple[Cell, ...]
    column: str | None
    live: Cell
    rebuilt: Cell

    def __str__(self) -> str:
        where = f"{self.table} {'/'.join(map(str, self.key))}"
        if self.column is None:
            return f"{where}: {self.live} in the live views, {self.rebuilt} in those made anew"
        return f"{where}: {self.column} is {self.live!r} in the live views, {self.rebuilt!r} made anew"


@dataclass(slots=True)
class ReplayReport:
    """What a replay did and found. ``rows``: of each table, as rebuilt. ``parked``: orders that could not be projected.

    ``records`` were read of so many ``partitions`` of the journal and of the control log, and so many commits were
    ``admitted``; ``commits`` of them were projected, up to where the views are.
    """

    records: int = 0
    partitions: int = 0
    admitted: int = 0
    wrong: list[str] = field(default_factory=list)
    """Why the journal is not what it was. The views were not compared then, unless they are what says so."""
    notes: list[str] = field(default_factory=list)
    """What is odd about the journal, and can have a harmless reason."""
    local_state: list[str] = field(default_factory=list)
    """Where local state differs from the journal, and the journal is right."""
    confirmed: bool = False
    """Whether local state has the very commits that the journal has, as far as the views go: it was not changed."""
    commits: int = 0
    events: int = 0
    seconds: float = 0.0
    rows: dict[str, int] = field(default_factory=dict)
    parked: int = 0
    differing: int = 0
    """Cells and rows that differ; the first of them are in ``differences``."""
    differences: list[Difference] = field(default_factory=list)
    behind: int = 0
    """Commits that the log has and the live views do not (yet): they were not compared."""
    another_log: str | None = None
    """The live views are not of this log at all, and why: nothing was compared."""
    compared: int = 0
    """Tables that were compared."""
    swapped: bool = False

    @property
    def clean(self) -> bool:
        """Whether the journal is unchanged, as far as its own bytes say, and the live views are what it says."""
        return not (self.wrong or self.differing or self.another_log is not None)


def replay(views: DatabaseViews, parts: Sequence[Part], progress: Progress | None = None) -> ReplayReport:
    """Make every view anew from these parts (all partitions of the journal, and the control log), then swap.

    ViewsUnavailable: nothing was changed. What the sources raise when they cannot be read.
    """
    began = time.monotonic()
    side = views.side()
    try:
        report = _fill(side, [(part, part.source.next_ordinal) for part in parts], progress)
        _fill(side, [(part, part.source.next_ordinal) for part in parts], None)
        views.swap(side)
    finally:
        side.discard()
    report.swapped = True
    report.seconds = time.monotonic() - began
    return report


def check(views: DatabaseViews, parts: Sequence[Part], progress: Progress | None = None) -> ReplayReport:
    """Rebuild every view as of where the live ones are, and compare row by row. Nothing is changed."""
    with views.snapshot() as live:
        return compare(views, live, parts, progress)


def compare(
    views: DatabaseViews, live: ViewsSnapshot, parts: Sequence[Part], progress: Progress | None = None
) -> ReplayReport:
    """Compare a snapshot of the views, which is older than what was read of the log: nobody who writes is waited for,
    and what was projected meanwhile is no difference."""
    began = time.monotonic()
    positions = positions_in(live)
    another = of_another_log(positions, parts)
    if another is not None:
        return ReplayReport(another_log=another, seconds=time.monotonic() - began)
    upto = [(part, positions.get((part.log, part.partition), (0, ""))[0]) for part in parts]
    side = views.side()
    try:
        report = _fill(side, upto, progress)
        report.behind = sum(max(0, part.source.next_ordinal - ordinal) for part, ordinal in upto)
        with side.snapshot() as anew:
            for table in COMPARED:
                _compare(report, table, live, anew)
                report.compared += 1
    finally:
        side.discard()
    report.seconds = time.monotonic() - began
    return report


def positions_in(live: ViewsSnapshot) -> Positions:
    """How far the views of a snapshot are."""
    found: dict[tuple[Log, int], tuple[int, str]] = {}
    for log, partition, ordinal, _, last, *_ in _all(live, POSITIONS):
        assert isinstance(partition, int)
        assert isinstance(ordinal, int)
        found["control" if log == "control" else "journal", partition] = ordinal, str(last)
    return found


def of_another_log(positions: Positions, parts: Sequence[Part]) -> str | None:
    """Why views with these positions cannot have been made from these parts; None if they can."""
    if not any(ordinal for ordinal, _ in positions.values()) and any(part.source.next_ordinal for part in parts):
        return "the views are empty and the log is not"
    for part in parts:
        ordinal, hashed = positions.get((part.log, part.partition), (0, ""))
        if ordinal > part.source.next_ordinal:
            return (
                f"the views have {counted(ordinal, 'commit')} of partition {part.partition} of the {part.log} log, "
                f"which itself has {part.source.next_ordinal}"
            )
        last = part.source.commit_at(ordinal - 1) if ordinal else None
        if last is not None and last.hash.hex() != hashed:
            return f"the views were made from another history of partition {part.partition} of the {part.log} log"
    return None


def _fill(side: DatabaseViews, upto: Sequence[tuple[Part, int]], progress: Progress | None) -> ReplayReport:
    """Project each part up to this ordinal."""
    report = ReplayReport()
    total = sum(ordinal for _, ordinal in upto)
    for part, ordinal in upto:
        projector = Projector(part.log, part.partition, part.source, side, capacity=CAPACITY)
        while moved := projector.advance(BATCH, behind=ordinal):
            report.commits += moved
            if progress is not None:
                progress(report.commits, total)
        if part.log == "journal":
            report.events += projector.position.position
    with side.snapshot() as anew:
        report.rows = {table.name: anew.count(table) for table in TABLES}
        report.parked = anew.count(DEAD_LETTERS)
    return report


# ---- comparing ------------------------------------------------------------------------------------------------------


def _all(tables: ViewsSnapshot, table: Table) -> Iterator[Row]:
    return chain.from_iterable(tables.rows(table))


def _compare(report: ReplayReport, table: Table, live: ViewsSnapshot, anew: ViewsSnapshot) -> None:
    """Walk both tables in the order of their key."""
    left, right = _all(live, table), _all(anew, table)
    a, b = next(left, None), next(right, None)
    while a is not None or b is not None:
        if a == b:
            a, b = next(left, None), next(right, None)
        elif b is None or (a is not None and _key(table, a) < _key(table, b)):
            assert a is not None
            _differs(report, Difference(table.name, _key(table, a), None, "there", "missing"))
            a = next(left, None)
        elif a is None or _key(table, b) < _key(table, a):
            _differs(report, Difference(table.name, _key(table, b), None, "missing", "there"))
            b = next(right, None)
        else:
            for name, one, other in zip(table.names, a, b, strict=True):
                if one != other:
                    _differs(report, Difference(table.name, _key(table, a), name, one, other))
            a, b = next(left, None), next(right, None)


def _key(table: Table, row: Row) -> tuple[Cell, ...]:
    return row[: table.key]


def _differs(report: ReplayReport, difference: Difference) -> None:
    report.differing += 1
    if len(report.differences) < MOST_SHOWN:
        report.differences.append(_shortened(difference))


def _shortened(difference: Difference) -> Difference:
    """Without the tail of long texts: they are shown to people."""

    def short(cell: Cell) -> Cell:
        return f"{cell[:200]}…" if isinstance(cell, str) and len(cell) > 200 else cell

    return replace(difference, live=short(difference.live), rebuilt=short(difference.rebuilt))
