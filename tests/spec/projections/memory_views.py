"""The Views port in dictionaries: what row changes mean, in the plainest form. It watches what they promise, too."""

from collections.abc import Iterator

from consumers.ports.views import START, Batch, Log, Position, PositionMoved, ProjectionDeadLetter, RowsRefused
from projections.tables import DEAD_LETTERS, TABLES, Cell, Row, Table


class MemoryViews:
    def __init__(self, refuses: str | None = None) -> None:
        """``refuses``: a text that no cell may contain."""
        self.tables: dict[str, dict[tuple[Cell, ...], Row]] = {table.name: {} for table in (*TABLES, DEAD_LETTERS)}
        self.positions: dict[tuple[str, int], Position] = {}
        self.refuses = refuses
        self.applied = 0

    def position(self, log: Log, partition: int) -> Position:
        return self.positions.get((log, partition), START)

    def parked(self, log: Log, partition: int) -> list[ProjectionDeadLetter]:
        rows = self.tables["dead_letters"].values()
        return [ProjectionDeadLetter(*row[2:]) for row in rows if row[:2] == (log, partition)]  # type: ignore[arg-type]

    def apply(self, batch: Batch) -> None:
        if self.position(batch.log, batch.partition) != batch.before:
            raise PositionMoved("somebody else was quicker")
        for row in self._rows(batch):
            if self.refuses is not None and any(isinstance(cell, str) and self.refuses in cell for cell in row):
                raise RowsRefused(f"no cell may contain {self.refuses}")
        changes = batch.changes
        for table, owners in changes.owners.items():
            rows = self.tables[table.name]
            for owner in owners:
                for key in [key for key in rows if key[: table.owner] == owner]:
                    del rows[key]
        for table, put in changes.rows.items():
            for row in put:
                self._put(table, row)
        for table, facts in changes.facts.items():
            for row in facts:
                assert row[: table.key] not in self.tables[table.name], f"{table.name} has {row[: table.key]} already"
                self.tables[table.name][row[: table.key]] = row
        for table, sums in changes.sums.items():
            for key, amounts in sums.items():
                assert len(key) == table.lead
                before = self.tables[table.name].get(key[: table.key], (*key, *(0 for _ in amounts)))
                assert before[: table.lead] == key
                after = [int(old or 0) + new for old, new in zip(before[table.lead :], amounts, strict=True)]
                self.tables[table.name][key[: table.key]] = (*key, *after)
        letters = self.tables["dead_letters"]
        for stream in batch.freed:
            del letters[batch.log, batch.partition, stream]
        for x in batch.parked:
            row = (batch.log, batch.partition, x.stream, x.ordinal, x.position, x.event, x.error)
            letters[row[:3]] = row
        self.positions[batch.log, batch.partition] = batch.after
        self.applied += 1

    def clear(self) -> None:
        for rows in self.tables.values():
            rows.clear()
        self.positions.clear()

    def _put(self, table: Table, row: Row) -> None:
        assert len(row) == len(table.columns)
        before = self.tables[table.name].get(row[: table.key])
        if before is not None:
            for column, old, new in zip(table.columns, before, row, strict=True):
                assert not column.fixed or old == new, (
                    f"{table.name}.{column.name} is fixed and went from {old} to {new}"
                )
        for column, cell in zip(table.columns, row, strict=True):
            assert column.empty or cell is not None, f"{table.name}.{column.name} may not be empty"
        self.tables[table.name][row[: table.key]] = row

    def _rows(self, batch: Batch) -> Iterator[Row]:
        for rows in (*batch.changes.rows.values(), *batch.changes.facts.values()):
            yield from rows
        for sums in batch.changes.sums.values():
            yield from sums

    def rows(self, table: Table, **where: Cell) -> list[dict[str, Cell]]:
        """Rows with their columns' names, those with these cells only."""
        named = [dict(zip(table.names, row, strict=True)) for row in self.tables[table.name].values()]
        return [row for row in named if all(row[column] == cell for column, cell in where.items())]

    def row(self, table: Table, **where: Cell) -> dict[str, Cell]:
        [row] = self.rows(table, **where)
        return row
