"""Views and vault: what stands beside the log. Both are opened for reading only."""

import sqlite3
import stat
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

from consumers.erasing.eraser import erasures_in
from consumers.ports.journal import Journal, JournalError
from consumers.ports.local_state import LocalStateDamaged, LocalStateUnavailable
from consumers.ports.vault import VaultUnavailable
from consumers.ports.views import ViewsError, ViewsUnavailable
from domain.wording import counted
from infra.addresses.postgresql import PostgresqlAt
from infra.diagnostics.findings import Finding
from infra.local_state import open_local_state
from infra.local_state.slots import slot_path, state_file
from infra.settings import Settings, ViewsAt
from projections.tables import SCHEMA_VERSION

_REBUILD: Final = "make them anew with `rescind replay`"
_ANOTHER: Final = (
    "if they are another journal's, name others with --views. If not, the journal was changed: stop every engine, copy "
    "journal and views aside, and compare the journal with a backup. Rebuild nothing before you know which one is right"
)
_OLDER_COPY: Final = (
    "it is an older copy or was damaged: bring back a newer one. If there is none: `rescind serve --texts-lost`, once. "
    "Addresses are said again with `rescind contacts set`"
)
_COMMITTED: Final = (
    "stop every engine, and copy vault and journal aside. The finding about the history says whether the log was "
    "changed; if it was not, bring the vault back from a copy"
)


def look_at_views(settings: Settings, directory: Path, journal: Journal) -> Finding:
    """Whether the views can be read, are of this log, and how far they are."""
    at = settings.views_at
    if not at.kept:
        return Finding("views", "note", "memory: is kept nowhere")
    try:
        if at.postgresql is not None:
            return _in_postgresql(at.postgresql, directory, journal)
        assert at.path is not None
        return _in_a_file(at.path, directory, journal)
    except ViewsUnavailable as away:
        return Finding("views", "wrong", str(away), "look whether the server runs and can be reached from here")
    except (sqlite3.Error, ViewsError) as broken:
        return Finding("views", "wrong", f"{at} cannot be read: {broken}", _REBUILD)


def _in_a_file(path: Path, directory: Path, journal: Journal) -> Finding:
    if not path.exists():
        return Finding("views", "note", f"there are none at {path}", _REBUILD)
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
        (damage,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if damage != "ok":
            return Finding("views", "wrong", f"{path} is damaged: {damage}", _REBUILD)
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version != SCHEMA_VERSION:
            said = f"their tables are of version {version}, this release's are {SCHEMA_VERSION}"
            return Finding("views", "note", said, _REBUILD)
        rows = database.execute("SELECT partition, next_ordinal, last_commit FROM positions WHERE log = 'journal'")
        followed = {partition: (ordinal, last) for partition, ordinal, last in rows}
        (letters,) = database.execute("SELECT count(*) FROM dead_letters").fetchone()
    return _compared(followed, letters, directory, journal)


def _in_postgresql(at: PostgresqlAt, directory: Path, journal: Journal) -> Finding:
    from infra.views.opening import existing_views

    views = existing_views(ViewsAt(None, at))
    if views is None:
        return Finding("views", "note", f"there are none at {at}", _REBUILD)
    with closing(views):
        rows = views.query("SELECT partition, next_ordinal, last_commit FROM positions WHERE log = 'journal'", ())
        followed = {row["partition"]: (row["next_ordinal"], row["last_commit"]) for row in rows}
        return _compared(followed, len(views.dead_letters()), directory, journal)


def _compared(followed: Mapping[int, tuple[int, str]], letters: int, directory: Path, journal: Journal) -> Finding:
    """``followed``: per partition the next ordinal and the hash of the last commit that the views have."""
    behind = 0
    for partition in range(journal.partitions):
        ordinal, last = followed.get(partition, (0, ""))
        try:
            state_path = state_file(slot_path(directory, 0), partition)
            with closing(open_local_state(state_path, partition, journal.partitions, read_only=True).state) as state:
                behind += max(0, state.next_ordinal - ordinal)
                if ordinal > state.next_ordinal:
                    said = (
                        f"they have {counted(ordinal - state.next_ordinal, 'commit')} that local state 0 does not have"
                    )
                    do = (
                        "look again; if it stays so, the finding about the history says why. Rebuild nothing until then"
                    )
                    return Finding("views", "note", said, do)
                commit = state.commit_at(ordinal - 1) if ordinal else None
                if commit is not None and commit.hash.hex() != last:
                    said = "they were made from another history than this journal's"
                    return Finding("views", "wrong", said, _ANOTHER)
        except (FileNotFoundError, LocalStateDamaged, LocalStateUnavailable):
            return Finding("views", "note", "they can be compared when there is local state again")
    if letters:
        said = (
            f"{counted(letters, 'order is', 'orders are')} parked (table dead_letters): the events could not be applied"
        )
        return Finding(
            "views", "note", said, "see `rescind dead-letters list`; install a release that can read them, then retry"
        )
    if behind:
        return Finding("views", "note", f"{counted(behind, 'commit')} behind the log; the next engine catches up")
    return Finding("views", "ok", "at the log's end")


def look_at_vault(settings: Settings, directory: Path, journal: Journal, *, deep: bool) -> Finding:
    """Whether the vault opens with its key, is this log's, and nobody else can read the key. ``deep``: whether it has
    every text that the log points to, and each text and file is what its event commits to."""
    from infra.vault.opening import is_there, key_file, open_vault
    from infra.vault.ownership import BRING_BACK, not_as_committed, pointed, trace_of_one

    at = settings.vault_at
    try:
        if not is_there(settings):
            trace = trace_of_one(settings, journal, directory)
            if trace is not None:
                return Finding("vault", "wrong", f"there is none at {at}, but {trace}", BRING_BACK)
            return Finding("vault", "note", "there is none yet; the next engine makes it")
        with closing(open_vault(settings)) as vault:
            subjects, texts = vault.counts()
            lost = vault.lost(journal.identity)
            found = pointed(vault, journal, directory, lost) if deep or lost is None else None
            other = not_as_committed(vault, journal) if deep else []
    except (VaultUnavailable, sqlite3.Error) as wrong:
        do = "put back vault.sqlite and its key as they were together"
        if at.postgresql is not None:
            do = "look whether its server can be reached from here, and whether the key is the one it was made with"
        return Finding("vault", "wrong", str(wrong), do)
    file = key_file(settings)
    if settings.vault_key is None and stat.S_IMODE(file.stat().st_mode) & 0o077:
        return Finding("vault", "wrong", f"others can read its key in {file}", f"chmod 600 {file}")
    if found is not None and found.is_anothers and lost is None:
        return Finding("vault", "wrong", f"{at} is another one: it lacks all {found} that are pointed to", BRING_BACK)
    if found is not None and found.missing:
        return Finding("vault", "wrong", f"{found} that the log or the book points to are not in {at}", _OLDER_COPY)
    if other:
        changed = counted(len(other), "text or file", "texts or files")
        said = f"not what their events commit to: {changed}, first {other[0]}"
        return Finding("vault", "wrong", f"{said}: the vault or the log was changed", _COMMITTED)
    fit = ", each is what its event commits to" if deep else ""
    given_up = "; what stood in one before it was given up as lost" if lost else ""
    return Finding(
        "vault",
        "ok",
        f"{counted(texts, 'text')} of {counted(subjects, 'person', 'people')}, and the key fits{fit}{given_up}",
    )


def look_at_erasures(settings: Settings) -> Iterator[Finding]:
    """Whether the keys of everybody who was erased are gone; nothing where there is no vault or no local state."""
    from infra.store.reader import existing_store
    from infra.vault.opening import is_there, open_vault

    waiting = 0
    try:
        if not is_there(settings):
            return
        store = existing_store(settings)
        with closing(store.journal(settings.journal_at.partitions)) as journal, closing(open_vault(settings)) as vault:
            for partition in range(journal.partitions):
                path = state_file(slot_path(store.directory, 0), partition)
                opened = open_local_state(path, partition, journal.partitions, read_only=True)
                with closing(opened.state) as state:
                    for admitted in state.commits(vault.erased_through(journal.identity, partition)):
                        waiting += sum(1 for _ in erasures_in(state, admitted))
    except (VaultUnavailable, JournalError, FileNotFoundError, LocalStateDamaged, LocalStateUnavailable, sqlite3.Error):
        return  # the findings about these say so
    if waiting:
        said = f"{counted(waiting, 'person was', 'people were')} erased whose keys may still be there"
        yield Finding("erasing", "note", said, "the next engine destroys them; if it does not, its /readyz says why")
    else:
        yield Finding("erasing", "ok", "nobody who was erased has a key from before")


def look_at_notices(settings: Settings) -> Finding:
    """Whether everybody was told: what may have gone out, what did not, and what nobody confirmed."""
    from consumers.ports.notifications import DeliveryStoreUnavailable
    from infra.notifications.delivery_store import AnotherJournals
    from infra.notifications.inspection import book_if_there, opened_book
    from infra.runtime.clock import clock

    try:
        if not book_if_there(settings):
            return Finding("notices", "ok", "nobody was told of anything yet")
        with opened_book(settings) as book:
            counts, overdue, bounced = book.counts(), book.overdue(clock()), book.bounced()
    except (DeliveryStoreUnavailable, AnotherJournals, JournalError) as wrong:
        return Finding("notices", "wrong", str(wrong), "nobody is told from here until then")
    said = [
        (counts.get("unknown", 0), "may have gone out, or not", "unknown"),
        (counts.get("failed", 0), "could not be sent", "failed"),
        (counts.get("too-old", 0), "were too old to be sent by themselves", "too-old"),
        (counts.get("no-address", 0), "had no address", "no-address"),
    ]
    parts = [f"{number:,} {what}" for number, what, _ in said if number]
    parts += [f"{bounced:,} came back"] if bounced else []
    parts += [f"{overdue:,} confirmations were not confirmed in time"] if overdue else []
    if not parts:
        return Finding("notices", "ok", f"{counts.get('handed', 0):,} handed over, {counts.get('waiting', 0):,} wait")
    first = next((state for number, _, state in said if number), "handed")
    do = f"`rescind notices list --state {first}` says which; `rescind notices resend` sends one"
    return Finding("notices", "note", f"of the notices {', '.join(parts)}", do)
