"""Views and vault: what stands beside the log. Both are opened for reading only."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Final

from consumers.journal import Journal
from consumers.local_state import LocalStateDamaged, LocalStateUnavailable
from consumers.vault import VaultUnavailable
from infra.examining.findings import Finding
from infra.local_state import open_local_state
from infra.local_state.slots import slot_path
from infra.places import state_file
from infra.settings import Settings
from projections.tables import SCHEMA_VERSION

_ANEW: Final = "make them anew with `rescind replay`"


def look_at_views(settings: Settings, directory: Path, journal: Journal) -> Finding:
    """Whether the views can be read, are of this log, and how far they are."""
    path = settings.views_at.path
    if path is None:
        return Finding("views", "note", "memory: is kept nowhere")
    if not path.exists():
        return Finding("views", "note", f"there are none at {path}", _ANEW)
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            return _views(database, path, directory, journal)
    except sqlite3.Error as broken:
        return Finding("views", "wrong", f"{path} cannot be read: {broken}", _ANEW)


def _views(database: sqlite3.Connection, path: Path, directory: Path, journal: Journal) -> Finding:
    (damage,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if damage != "ok":
        return Finding("views", "wrong", f"{path} is damaged: {damage}", _ANEW)
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version != SCHEMA_VERSION:
        said = f"their tables are of version {version}, this release's are {SCHEMA_VERSION}"
        return Finding("views", "note", said, _ANEW)
    behind = 0
    for partition in range(journal.partitions):
        row = database.execute(
            "SELECT next_ordinal, last_commit FROM positions WHERE log = 'journal' AND partition = ?", (partition,)
        ).fetchone()
        ordinal, last = row if row is not None else (0, "")
        try:
            state_path = state_file(slot_path(directory, 0), partition)
            with closing(open_local_state(state_path, partition, journal.partitions, read_only=True).state) as state:
                behind += max(0, state.next_ordinal - ordinal)
                if ordinal > state.next_ordinal:
                    said = f"they have {ordinal - state.next_ordinal} commits that local state 0 does not have"
                    return Finding("views", "note", said, f"look again; if it stays so, {_ANEW}")
                commit = state.commit_at(ordinal - 1) if ordinal else None
                if commit is not None and commit.hash.hex() != last:
                    return Finding("views", "wrong", "they were made from another history than this journal's", _ANEW)
        except (FileNotFoundError, LocalStateDamaged, LocalStateUnavailable):
            return Finding("views", "note", "they can be compared when there is local state again")
    (letters,) = database.execute("SELECT count(*) FROM dead_letters").fetchone()
    if letters:
        said = f"{letters} orders are parked (table dead_letters): their events could not be told"
        return Finding(
            "views", "note", said, "see `rescind dead-letters list`; install a release that can read them, then retry"
        )
    if behind:
        return Finding("views", "note", f"{behind:,} commits behind the log; the next engine catches up")
    return Finding("views", "ok", "at the log's end")


def look_at_vault(settings: Settings, directory: Path) -> Finding:
    """Whether the vault opens with its key, and nobody else can read that."""
    from infra.app import open_vault

    path = Path(settings.vault) if settings.vault is not None else directory / "vault.sqlite"
    file = Path(settings.vault_key_file) if settings.vault_key_file is not None else directory / "vault.key"
    if not path.exists():
        return Finding("vault", "note", "there is none yet; the next engine makes it")
    try:
        with closing(open_vault(settings)) as vault:
            subjects, texts = vault.counts()
    except (VaultUnavailable, sqlite3.Error) as wrong:
        return Finding("vault", "wrong", str(wrong), "put back vault.sqlite and its key as they were together")
    if settings.vault_key is None and stat.S_IMODE(file.stat().st_mode) & 0o077:
        return Finding("vault", "wrong", f"others can read its key in {file}", f"chmod 600 {file}")
    return Finding("vault", "ok", f"{texts:,} texts of {subjects:,} people, and the key fits")
