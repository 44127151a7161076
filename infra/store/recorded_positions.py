"""How far everything that stands beside a log has followed it: the log must have at least that much.

Views, vault, notification store and local state each record a position in the log. A log that ends before one of them
has lost what was acknowledged, even where local state, which would notice it, is missing. Everything is read only.
Whatever cannot be read, or is of another journal, records nothing here: who opens it says so.
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
from infra.addresses.files import BOOK_FILE
from infra.local_state.slots import slots_in, state_file
from infra.settings import Settings, ViewsAt
from infra.vault.base import DatabaseVault

Marks = dict[int, list[Mark]]
"""Marks by partition."""

_POSITIONS: Final = "SELECT partition, next_ordinal, last_commit FROM positions WHERE log = ?"


def marks_of(settings: Settings, directory: Path, identity: str, partitions: int, vault: DatabaseVault | None) -> Marks:
    """Every mark of the journal with this identity. ``directory``: what is this process's own."""
    found: Marks = {partition: [] for partition in range(partitions)}
    for partition, mark in (
        *in_views(settings.views_at, "journal"),
        *_in_vault(vault, identity, partitions),
        *_in_book(directory / BOOK_FILE, identity),
        *_in_local_state(directory, identity, partitions),
    ):
        if partition in found:
            found[partition].append(mark)
    return found


def in_views(at: ViewsAt, log: Log) -> Iterator[tuple[int, Mark]]:
    """How far the views there have followed a log. In PostgreSQL only where it can be reached."""
    rows: list[tuple[Any, ...]] = []
    if at.postgresql is not None:
        from infra.views.opening import existing_views

        with contextlib.suppress(ViewsError):
            views = existing_views(at)
            if views is not None:
                with closing(views):
                    found = views.query(_POSITIONS, (log,))
                    rows = [(row["partition"], row["next_ordinal"], row["last_commit"]) for row in found]
    elif at.path is not None:
        rows = _rows(at.path, _POSITIONS, (log,))
    for partition, ordinal, last in rows:
        yield partition, Mark(f"the database of views {at}", ordinal, bytes.fromhex(last) or None)


def _in_vault(vault: DatabaseVault | None, identity: str, partitions: int) -> Iterator[tuple[int, Mark]]:
    if vault is None:
        return
    with contextlib.suppress(VaultUnavailable):
        lost = vault.lost(identity) or {}
        for partition in range(partitions):
            through = vault.erased_through(identity, partition)
            yield partition, Mark("the vault, which carries out erasures,", through, offset=lost.get(partition, 0))


def _in_book(path: Path, identity: str) -> Iterator[tuple[int, Mark]]:
    asked = "SELECT partition, ordinal FROM positions WHERE (SELECT value FROM about WHERE name = 'journal') = ?"
    for partition, ordinal in _rows(path, asked, (identity,)):
        yield partition, Mark(f"the notification store {path}", ordinal)


def _in_local_state(directory: Path, identity: str, partitions: int) -> Iterator[tuple[int, Mark]]:
    asked = (
        "SELECT next_offset, next_ordinal, (SELECT hash FROM commits WHERE ordinal = next_ordinal - 1) FROM progress "
        "WHERE identity = ? AND partition = ?"
    )
    for slot in slots_in(directory):
        for partition in range(partitions):
            path = state_file(slot, partition)
            for offset, ordinal, hash in _rows(path, asked, (identity, partition)):
                yield partition, Mark(f"local state in {path}", ordinal, hash, offset)


def _rows(path: Path, asked: str, given: tuple[object, ...]) -> list[tuple[Any, ...]]:
    if not path.exists():
        return []
    with (
        contextlib.suppress(sqlite3.Error),
        closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database,
    ):
        return database.execute(asked, given).fetchall()
    return []
