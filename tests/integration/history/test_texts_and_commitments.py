"""`rescind doctor --deep` opens every text and file of the vault, and compares it with what its event commits to."""

import secrets
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from consumers.log.readmission import records_of
from consumers.log.vault_references import Committed, committed_texts
from infra.journals.sqlite import open_sqlite_journal
from infra.vault.keys import Keys, key_from_file
from infra.vault.sqlite import SqliteVault
from tests.integration.cli.driving import Store
from tests.integration.history.changing import change, findings, released

TEXTS = "reference NOT GLOB 'file-*' AND reference NOT GLOB 'contact-*'"


def test_unchanged_texts_and_files_match_the_commitments_of_their_events(tmp_path: Path) -> None:
    store = released(tmp_path)
    state, message, _ = findings(store, "--deep")["vault"]
    assert (state, "each is what its event commits to" in message) == ("ok", True)


def rewritten(store: Store) -> Callable[[sqlite3.Connection], None]:
    """Seal other contents under the right keys, as the owner of the vault's key can."""
    keys = Keys(key_from_file(store.journal / "vault.key", create=False))

    def write(vault: sqlite3.Connection) -> None:
        sql = (
            "SELECT reference, wrapped, marketplace, subject FROM texts JOIN subjects ON subjects.id = subject_id "
            f"WHERE wrapped IS NOT NULL AND {TEXTS} ORDER BY reference LIMIT 2"
        )
        rows = vault.execute(sql).fetchall()
        assert len(rows) == 2
        for reference, wrapped, marketplace, subject in rows:
            sealed = keys.seal(wrapped, marketplace, subject, reference, secrets.token_bytes(32) + b"never written")
            vault.execute("UPDATE texts SET sealed = ? WHERE reference = ?", (sealed, reference))

    return write


def flipped(store: Store) -> Callable[[sqlite3.Connection], None]:
    """Flip a bit, as a disk may."""

    def flip(vault: sqlite3.Connection) -> None:
        sql = f"SELECT reference, sealed FROM texts WHERE {TEXTS} ORDER BY reference LIMIT 2"
        for reference, sealed in vault.execute(sql).fetchall():
            changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
            vault.execute("UPDATE texts SET sealed = ? WHERE reference = ?", (changed, reference))

    return flip


@pytest.mark.parametrize("how", [rewritten, flipped])
def test_texts_that_are_others_are_counted(
    tmp_path: Path, how: Callable[[Store], Callable[[sqlite3.Connection], None]]
) -> None:
    store = released(tmp_path)
    change(store.journal / "vault.sqlite", how(store))
    assert findings(store)["vault"][0] == "ok", "not every text is opened each time"
    state, message, do = findings(store, "--deep", check=1)["vault"]
    assert state == "wrong"
    assert message.startswith("not what their events commit to: 2 texts or files, first ")
    assert "copy vault and journal aside" in do


def test_a_file_that_is_another_than_the_event_has_the_hash_of_is_counted(tmp_path: Path) -> None:
    store = released(tmp_path)
    with closing(open_sqlite_journal(store.journal / "journal.sqlite", create=False)) as journal:
        records = [record for partition in range(3) for record in records_of(journal, partition)]
    files = [each for record in records for each in committed_texts(record.value) if isinstance(each, Committed)]
    key = key_from_file(store.journal / "vault.key", create=False)
    with closing(SqliteVault(store.journal / "vault.sqlite", key)) as vault:
        assert vault.keep("shop", "buyer/b-1", files[0].reference, b"another file")
    state, message, _ = findings(store, "--deep", check=1)["vault"]
    assert state == "wrong"
    assert message.startswith(f"not what their events commit to: 1 text or file, first {files[0].reference}:"), message


def test_a_text_that_was_erased_is_left_out(tmp_path: Path) -> None:
    store = released(tmp_path)
    change(store.journal / "vault.sqlite", lambda vault: vault.execute("UPDATE subjects SET wrapped = NULL"))
    assert findings(store, "--deep")["vault"][0] == "ok"
