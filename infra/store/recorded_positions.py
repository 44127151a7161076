"""Positions that other stores have recorded in the log. The log must reach at least that far.

Views, vault, delivery store and local state each record how far they have followed the log. A log that ends before one
of these positions has lost acknowledged records, even if local state, which would notice, is missing.

Reading changes nothing. A store that cannot be read, or belongs to another journal, contributes no mark. The code that
opens it reports the problem.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from consumers.log.divergence import Mark
from consumers.ports.vault import VaultUnavailable
from consumers.ports.views import Log, ViewsError
from infra.addresses.files import DELIVERY_STORE_FILE
from infra.local_state.slots import slots_in, state_file
from infra.settings import Settings, ViewsAt
from infra.sqlite.file import open_existing
from infra.vault.base import DatabaseVault

Marks = dict[int, list[Mark]]
"""Marks by partition."""

_POSITIONS: Final = "SELECT partition, next_ordinal, last_commit FROM positions WHERE log = ?"


def marks_of(settings: Settings, directory: Path, identity: str, partitions: int, vault: DatabaseVault | None) -> Marks:
    """Every mark of the journal with this identity. ``directory`` has this process's own files."""
    found: Marks = {partition: [] for partition in range(partitions)}
    for partition, mark in (
        *in_views(settings.views_at, "journal"),
        *_in_vault(vault, identity, partitions),
        *_in_delivery_store(directory / DELIVERY_STORE_FILE, identity),
        *_in_local_state(directory, identity, partitions),
    ):
        if partition in found:
            found[partition].append(mark)
    return found


def in_views(at: ViewsAt, log: Log) -> Iterator[tuple[int, Mark]]:
    """How far the views have followed a log. For views in PostgreSQL, only if the server can be reached."""
    for row in rows_of_views(at, _POSITIONS, (log,)):
        last = bytes.fromhex(row["last_commit"])
        yield row["partition"], Mark(f"the database of views {at}", row["next_ordinal"], last or None)


def rows_of_views(at: ViewsAt, query: str, parameters: tuple[Any, ...]) -> list[dict[str, Any]]:
    """The rows of a query on the views, by column name; none where they cannot be read."""
    if at.postgresql is not None:
        from infra.views.opening import existing_views

        with contextlib.suppress(ViewsError):
            views = existing_views(at)
            if views is not None:
                with closing(views):
                    return list(views.query(query, parameters))
    elif at.path is not None and at.path.exists():
        with contextlib.suppress(sqlite3.Error), closing(open_existing(at.path, read_only=True)) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(query, parameters)]
    return []


def marks_of_control(settings: Settings) -> list[Mark]:
    """Return how far the views have followed the control log."""
    return [mark for _, mark in in_views(settings.views_at, "control")]


def _in_vault(vault: DatabaseVault | None, identity: str, partitions: int) -> Iterator[tuple[int, Mark]]:
    if vault is None:
        return
    with contextlib.suppress(VaultUnavailable):
        lost = vault.lost(identity) or {}
        for partition in range(partitions):
            through = vault.erased_through(identity, partition)
            yield partition, Mark("the vault, which carries out erasures,", through, offset=lost.get(partition, 0))


def _in_delivery_store(path: Path, identity: str) -> Iterator[tuple[int, Mark]]:
    query = "SELECT partition, ordinal FROM positions WHERE (SELECT value FROM about WHERE name = 'journal') = ?"
    for partition, ordinal in _rows(path, query, (identity,)):
        yield partition, Mark(f"the notification store {path}", ordinal)


def _in_local_state(directory: Path, identity: str, partitions: int) -> Iterator[tuple[int, Mark]]:
    query = (
        "SELECT next_offset, next_ordinal, (SELECT hash FROM commits WHERE ordinal = next_ordinal - 1) FROM progress "
        "WHERE identity = ? AND partition = ?"
    )
    for slot in slots_in(directory):
        for partition in range(partitions):
            path = state_file(slot, partition)
            for offset, ordinal, hash in _rows(path, query, (identity, partition)):
                yield partition, Mark(f"local state in {path}", ordinal, hash, offset)


def _rows(path: Path, query: str, parameters: tuple[object, ...]) -> list[tuple[Any, ...]]:
    if not path.exists():
        return []
    with contextlib.suppress(sqlite3.Error), closing(open_existing(path, read_only=True)) as database:
        return database.execute(query, parameters).fetchall()
    return []
