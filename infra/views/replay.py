"""``rescind replay``: rebuild every view from the log in a shadow copy, then promote it, or compare it.

Nobody waits. Pages read the old rows until the copy is promoted, and a server that projects into the same tables
continues from the new position.
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
"""Per log and partition: how many commits the views have, and the hash of the last one."""
Progress = Callable[[int, int], None]
"""Called at intervals with the number of commits done and the total."""

CAPACITY: Final = 65_536
"""Folded orders to cache. A replay may use much memory."""
MOST_SHOWN: Final = 100
"""The most differences that a report lists."""
BATCH: Final = 4_000
COMPARED: Final = (*TABLES, DEAD_LETTERS)


@dataclass(frozen=True, slots=True)
class Difference:
    """A cell that differs between the live and the rebuilt views.

    ``column`` None: the row is missing in one of them. ``live`` and ``rebuilt`` are then ``there`` or ``missing``.
    """

    table: str
    key: tuple[Cell, ...]
    column: str | None
    live: Cell
    rebuilt: Cell

    def __str__(self) -> str:
        where = f"{self.table} {'/'.join(map(str, self.key))}"
        if self.column is None:
            return f"{where}: {self.live} in the live views, {self.rebuilt} in the rebuilt ones"
        return f"{where}: {self.column} is {self.live!r} in the live views, {self.rebuilt!r} rebuilt"


@dataclass(slots=True)
class ReplayReport:
    """The result of a replay. ``rows``: by table, as rebuilt. ``parked``: orders that could not be projected.

    ``records`` is the number of records read from ``partitions`` partitions of the journal and of the control log, and
    ``admitted`` the number of commits admitted. ``commits`` of them were projected, up to where the views are.
    """

    records: int = 0
    partitions: int = 0
    admitted: int = 0
    wrong: list[str] = field(default_factory=list)
    """Signs that the journal was changed. The views were not compared then, unless they are the sign."""
    notes: list[str] = field(default_factory=list)
    """Oddities of the journal that can have a harmless reason."""
    local_state: list[str] = field(default_factory=list)
    """Differences between local state and the journal in which the journal is right."""
    confirmed: bool = False
    """Whether local state has the same commits as the journal, as far as the views go: the journal was not changed."""
    commits: int = 0
    events: int = 0
    seconds: float = 0.0
    rows: dict[str, int] = field(default_factory=dict)
    parked: int = 0
    differing: int = 0
    """Cells and rows that differ. The first of them are in ``differences``."""
    differences: list[Difference] = field(default_factory=list)
    behind: int = 0
    """Commits that the log has and the live views do not have yet. They were not compared."""
    another_log: str | None = None
    """Why the live views are not of this log. Nothing was compared then."""
    compared: int = 0
    """Tables that were compared."""
    promoted: bool = False

    @property
    def clean(self) -> bool:
        """Whether the journal's own bytes show no change, and the live views match the journal."""
        return not (self.wrong or self.differing or self.another_log is not None)


def replay(views: DatabaseViews, parts: Sequence[Part], progress: Progress | None = None) -> ReplayReport:
    """Rebuild every view from these parts (all partitions of the journal, and the control log), then promote the
    result.

    ViewsUnavailable: nothing was changed. Errors of the sources are passed on.
    """
    began = time.monotonic()
    shadow = views.shadow()
    try:
        report = _fill(shadow, [(part, part.source.next_ordinal) for part in parts], progress)
        _fill(shadow, [(part, part.source.next_ordinal) for part in parts], None)
        views.promote(shadow)
    finally:
        shadow.discard()
    report.promoted = True
    report.seconds = time.monotonic() - began
    return report


def check(views: DatabaseViews, parts: Sequence[Part], progress: Progress | None = None) -> ReplayReport:
    """Rebuild every view up to the position of the live ones, and compare row by row. Nothing is changed."""
    with views.snapshot() as live:
        return compare(views, live, parts, progress)


def compare(
    views: DatabaseViews, live: ViewsSnapshot, parts: Sequence[Part], progress: Progress | None = None
) -> ReplayReport:
    """Compare a snapshot of the views with the log, which was read after the snapshot. Writers are not blocked, and
    later projections do not count as differences."""
    began = time.monotonic()
    positions = positions_in(live)
    another = of_another_log(positions, parts)
    if another is not None:
        return ReplayReport(another_log=another, seconds=time.monotonic() - began)
    upto = [(part, positions.get((part.log, part.partition), (0, ""))[0]) for part in parts]
    shadow = views.shadow()
    try:
        report = _fill(shadow, upto, progress)
        report.behind = sum(max(0, part.source.next_ordinal - ordinal) for part, ordinal in upto)
        with shadow.snapshot() as rebuilt_views:
            for table in COMPARED:
                _compare(report, table, live, rebuilt_views)
                report.compared += 1
    finally:
        shadow.discard()
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
    """Why views with these positions cannot have been made from these parts. None if they can."""
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


def control_log_differs(positions: Positions, parts: Sequence[Part]) -> str | None:
    """Why the control log is not the one that views of this journal were made from; None if it is, or if the views are
    of another journal, too."""
    journal = [part for part in parts if part.log == "journal"]
    if of_another_log(positions, journal) is not None:
        return None
    return of_another_log(positions, [part for part in parts if part.log == "control"])


def _fill(shadow: DatabaseViews, upto: Sequence[tuple[Part, int]], progress: Progress | None) -> ReplayReport:
    """Project each part up to this ordinal."""
    report = ReplayReport()
    total = sum(ordinal for _, ordinal in upto)
    for part, ordinal in upto:
        projector = Projector(part.log, part.partition, part.source, shadow, capacity=CAPACITY)
        while moved := projector.advance(BATCH, behind=ordinal):
            report.commits += moved
            if progress is not None:
                progress(report.commits, total)
        if part.log == "journal":
            report.events += projector.position.position
    with shadow.snapshot() as rebuilt_views:
        report.rows = {table.name: rebuilt_views.count(table) for table in TABLES}
        report.parked = rebuilt_views.count(DEAD_LETTERS)
    return report


# ---- comparing -------------------------------------------------------------------------------------------------------


def _all(tables: ViewsSnapshot, table: Table) -> Iterator[Row]:
    return chain.from_iterable(tables.rows(table))


def _compare(report: ReplayReport, table: Table, live: ViewsSnapshot, rebuilt_views: ViewsSnapshot) -> None:
    """Walk both tables in key order."""
    left, right = _all(live, table), _all(rebuilt_views, table)
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
    """Cut off long texts, because people read them."""

    def short(cell: Cell) -> Cell:
        return f"{cell[:200]}…" if isinstance(cell, str) and len(cell) > 200 else cell

    return replace(difference, live=short(difference.live), rebuilt=short(difference.rebuilt))
