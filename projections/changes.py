"""The input of the projections, a commit, and their output, row changes.

``CommitView`` goes in, ``Change`` values come out; ``Changes`` gathers those of a batch, so that a row that changes ten
times in it is written once. Nothing here knows where the tables are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from domain.events import Event
from domain.instants import Instant
from domain.order import Order
from projections.tables import Cell, Row, Table

Key = tuple[Cell, ...]


@dataclass(slots=True)
class EventView:
    """One event: its stored name, itself, its fields as JSON text, when it occurred, its dense position."""

    name: str
    event: Event
    data: str
    occurred_at: Instant
    position: int


@dataclass(slots=True)
class CommitView:
    """One admitted commit's part in one stream, with at least one event.

    ``version`` is the stream's event number of the first, from 1. ``marketplace`` and ``order_id`` are None where the
    stream has none; ``order`` is the state after the commit, None where the stream is no order's. ``history``: an
    import wrote it, and nobody acts upon it.
    """

    partition: int
    ordinal: int
    version: int
    commit: bytes
    recorded_at: Instant
    actor_kind: str
    actor_id: str
    marketplace: str | None
    order_id: str | None
    order: Order | None
    events: Sequence[EventView]
    history: bool


@dataclass(slots=True)
class Fact:
    """Add a new row of a ``facts`` table."""

    table: Table
    row: Row


@dataclass(slots=True)
class Sum:
    """Amounts to add to a row of a ``sums`` table. ``key``: its first columns, up to the first that is added up."""

    table: Table
    key: Key
    amounts: tuple[int, ...]

    @classmethod
    def of(cls, table: Table, row: Row) -> "Sum":
        """Take the amounts from a whole row."""
        lead = table.lead
        return cls(table, row[:lead], row[lead:])  # type: ignore[arg-type]


Change = Fact | Sum


@dataclass(slots=True)
class Changes:
    """All row changes of a batch. Per table: new facts; sums by key; rows by key; owners whose rows are put at once."""

    facts: dict[Table, list[Row]] = field(default_factory=dict)
    sums: dict[Table, dict[Key, list[int]]] = field(default_factory=dict)
    rows: dict[Table, list[Row]] = field(default_factory=dict)
    owners: dict[Table, list[Key]] = field(default_factory=dict)

    def take(self, changes: Iterable[Change]) -> None:
        """Collect the changes of one commit."""
        for change in changes:
            if change.__class__ is Fact:
                self.fact(change.table, change.row)
            else:
                assert isinstance(change, Sum)
                self.add(change.table, change.key, change.amounts)

    def fact(self, table: Table, row: Row) -> None:
        """Add a new row of a ``facts`` table."""
        rows = self.facts.get(table)
        if rows is None:
            rows = self.facts[table] = []
        rows.append(row)

    def add(self, table: Table, key: Key, amounts: Sequence[int]) -> None:
        """Add to a row of a ``sums`` table."""
        sums = self.sums.setdefault(table, {})
        total = sums.get(key)
        if total is None:
            sums[key] = list(amounts)
        else:
            for place, amount in enumerate(amounts):
                total[place] += amount

    def put(self, table: Table, rows: Iterable[Row], owner: Key) -> None:
        """Set all rows that ``owner`` (an order) has in a ``state`` table. Called at most once for each owner."""
        self.rows.setdefault(table, []).extend(rows)
        if table.owner is not None:
            self.owners.setdefault(table, []).append(owner)
