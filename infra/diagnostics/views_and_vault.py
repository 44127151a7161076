"""Examine views, vault and notifications. All are opened for reading only."""

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
from infra.sqlite.file import open_existing
from projections.tables import SCHEMA_VERSION

_REBUILD: Final = "rebuild them with `rescind replay`"
_ANOTHER: Final = (
    "if they are another journal's, name others with --views. If not, the journal was changed: stop every engine, copy "
    "journal and views aside, and compare the journal with a backup. Rebuild nothing before you know which one is right"
)
_OLDER_BOOK: Final = (
    "bring back a newer copy before an engine starts. If there is none, the next engine sends nothing again by itself "
    "that may have gone out: `rescind notices list --state unknown`"
)
_COMMITTED: Final = (
    "stop every engine, and copy vault and journal aside. The finding about the history says whether the log was "
    "changed. If it was not, restore the vault from a copy"
)


def check_views(settings: Settings, directory: Path, journal: Journal) -> Finding:
    """Check that the views can be read and belong to this log, and how far they are."""
    at = settings.views_at
    if not at.persistent:
        return Finding("views", "note", "memory: is not stored anywhere")
    try:
        if at.postgresql is not None:
            return _in_postgresql(at.postgresql, directory, journal)
        assert at.path is not None
        return _in_a_file(at.path, directory, journal)
    except ViewsUnavailable as away:
        return Finding("views", "wrong", str(away), "check that the server runs and can be reached from this machine")
    except (sqlite3.Error, ViewsError) as broken:
        return Finding("views", "wrong", f"{at} cannot be read: {broken}", _REBUILD)


def _in_a_file(path: Path, directory: Path, journal: Journal) -> Finding:
    if not path.exists():
        return Finding("views", "note", f"there are no views at {path}", _REBUILD)
    with closing(open_existing(path, read_only=True)) as database:
        (damage,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if damage != "ok":
            return Finding("views", "wrong", f"{path} is damaged: {damage}", _REBUILD)
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version != SCHEMA_VERSION:
            message = f"their tables are of version {version}, this release's are {SCHEMA_VERSION}"
            return Finding("views", "note", message, _REBUILD)
        rows = database.execute("SELECT partition, next_ordinal, last_commit FROM positions WHERE log = 'journal'")
        followed = {partition: (ordinal, last) for partition, ordinal, last in rows}
        (letters,) = database.execute("SELECT count(*) FROM dead_letters").fetchone()
    return _compared(followed, letters, directory, journal)


def _in_postgresql(at: PostgresqlAt, directory: Path, journal: Journal) -> Finding:
    from infra.views.opening import existing_views

    views = existing_views(ViewsAt(None, at))
    if views is None:
        return Finding("views", "note", f"there are no views at {at}", _REBUILD)
    with closing(views):
        rows = views.query("SELECT partition, next_ordinal, last_commit FROM positions WHERE log = 'journal'", ())
        followed = {row["partition"]: (row["next_ordinal"], row["last_commit"]) for row in rows}
        return _compared(followed, len(views.dead_letters()), directory, journal)


def _compared(followed: Mapping[int, tuple[int, str]], letters: int, directory: Path, journal: Journal) -> Finding:
    """``followed``: per partition the next ordinal, and the hash of the last commit that the views have."""
    behind = 0
    for partition in range(journal.partitions):
        ordinal, last = followed.get(partition, (0, ""))
        try:
            state_path = state_file(slot_path(directory, 0), partition)
            with closing(open_local_state(state_path, partition, journal.partitions, read_only=True).state) as state:
                behind += max(0, state.next_ordinal - ordinal)
                if ordinal > state.next_ordinal:
                    message = (
                        f"they have {counted(ordinal - state.next_ordinal, 'commit')} that local state 0 does not have"
                    )
                    do = "run this again; if it stays so, see the finding about the history. Rebuild nothing until then"
                    return Finding("views", "note", message, do)
                commit = state.commit_at(ordinal - 1) if ordinal else None
                if commit is not None and commit.hash.hex() != last:
                    message = "they were built from another history than this journal's"
                    return Finding("views", "wrong", message, _ANOTHER)
        except (FileNotFoundError, LocalStateDamaged, LocalStateUnavailable):
            return Finding("views", "note", "they can be compared once there is local state")
    if letters:
        message = (
            f"{counted(letters, 'order is', 'orders are')} parked (table dead_letters): events could not be applied"
        )
        return Finding(
            "views",
            "note",
            message,
            "see `rescind dead-letters list`; install a release that can read them, then retry",
        )
    if behind:
        return Finding("views", "note", f"{counted(behind, 'commit')} behind the log; the next engine catches up")
    return Finding("views", "ok", "at the log's end")


def check_vault(settings: Settings, directory: Path, journal: Journal, *, deep: bool) -> Finding:
    """Check that the vault opens with its key and belongs to this log, and that only the owner can read the key file.

    ``deep``: check that it has every text that the log refers to, not only those of the newest records, and that each
    text and file is what its event commits to.
    """
    from infra.vault.opening import key_file, open_vault, vault_exists
    from infra.vault.ownership import (
        BRING_BACK,
        OLDER_COPY,
        count_newest_references,
        count_references,
        mismatched_references,
        sign_of_earlier_vault,
    )

    at = settings.vault_at
    try:
        if not vault_exists(settings):
            trace = sign_of_earlier_vault(settings, journal, directory)
            if trace is not None:
                return Finding("vault", "wrong", f"there is none at {at}, but {trace}", BRING_BACK)
            return Finding("vault", "note", "there is none yet; the next engine creates it")
        with closing(open_vault(settings)) as vault:
            subjects, texts = vault.counts()
            lost = vault.lost(journal.identity)
            if deep or lost is None:
                found = count_references(vault, journal, directory, lost)
            else:
                found = count_newest_references(vault, journal, lost)
            other = mismatched_references(vault, journal) if deep else []
    except (VaultUnavailable, sqlite3.Error) as wrong:
        do = "restore vault.sqlite and its key from the same copy"
        if at.postgresql is not None:
            do = "check that its server can be reached from this machine, and that the key is the one it was made with"
        return Finding("vault", "wrong", str(wrong), do)
    file = key_file(settings)
    if settings.vault_key is None and stat.S_IMODE(file.stat().st_mode) & 0o077:
        return Finding("vault", "wrong", f"others can read its key in {file}", f"chmod 600 {file}")
    if found.is_foreign and lost is None:
        return Finding("vault", "wrong", f"{at} is another one: it lacks all {found} of this journal", BRING_BACK)
    if found.missing:
        return Finding(
            "vault", "wrong", f"{at} lacks {found} to which the log or the delivery store refers", OLDER_COPY
        )
    if other:
        changed = counted(len(other), "text or file", "texts or files")
        message = f"not what their events commit to: {changed}, first {other[0]}"
        return Finding("vault", "wrong", f"{message}: the vault or the log was changed", _COMMITTED)
    fit = ", each is what its event commits to" if deep else ""
    given_up = "; earlier texts were declared lost" if lost else ""
    return Finding(
        "vault",
        "ok",
        f"{counted(texts, 'text')} of {counted(subjects, 'person', 'people')}, and the key matches{fit}{given_up}",
    )


def check_erasures(settings: Settings) -> Iterator[Finding]:
    """Check that no erased person still has a key. No finding without a vault or local state."""
    from infra.store.reader import existing_store
    from infra.vault.opening import open_vault, vault_exists

    waiting = 0
    try:
        if not vault_exists(settings):
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
        return  # other findings report these
    if waiting:
        message = f"{counted(waiting, 'person was', 'people were')} erased, but their keys may still exist"
        yield Finding(
            "erasing", "note", message, "the next engine destroys the keys; if it does not, its /readyz says why"
        )
    else:
        yield Finding("erasing", "ok", "no erased person still has a key")


def check_notifications(settings: Settings) -> Finding:
    """Check the notifications: what may have been sent, what was not, and what nobody confirmed."""
    from consumers.ports.notifications import DeliveryStoreUnavailable
    from infra.notifications.delivery_store import AnotherJournals
    from infra.notifications.inspection import handover_mark, has_delivery_store, opened_delivery_store
    from infra.runtime.clock import clock

    try:
        if not has_delivery_store(settings):
            return Finding("notices", "ok", "nobody has been notified of anything yet")
        mark = handover_mark(settings)  # before the store, whose count grows first
        with opened_delivery_store(settings) as book:
            counts, overdue, bounced = book.counts(), book.overdue(clock()), book.bounced()
            missing = 0 if mark is None else mark.messages - book.messages
    except (DeliveryStoreUnavailable, AnotherJournals, JournalError) as wrong:
        return Finding("notices", "wrong", str(wrong), "until this is solved, no notification is sent from here")
    if missing > 0:
        found = f"the notification store is an older copy: {counted(missing, 'message')} that it does not know of"
        found += f" {'was' if missing == 1 else 'were'} handed over"
        return Finding("notices", "wrong", found, _OLDER_BOOK)
    message = [
        (counts.get("unknown", 0), "may have been sent", "unknown"),
        (counts.get("failed", 0), "could not be sent", "failed"),
        (counts.get("too-old", 0), "were too old to be sent automatically", "too-old"),
        (counts.get("no-address", 0), "had no address", "no-address"),
    ]
    parts = [f"{number:,} {what}" for number, what, _ in message if number]
    parts += [f"{bounced:,} bounced"] if bounced else []
    parts += [f"{overdue:,} confirmations were not acknowledged in time"] if overdue else []
    if not parts:
        return Finding("notices", "ok", f"{counts.get('handed', 0):,} handed over, {counts.get('waiting', 0):,} wait")
    first = next((state for number, _, state in message if number), "handed")
    do = f"`rescind notices list --state {first}` says which; `rescind notices resend` sends one"
    return Finding("notices", "note", f"notifications: {', '.join(parts)}", do)
