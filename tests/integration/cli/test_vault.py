"""The vault: texts are there for who may read them, gone for ever when their subject is erased, never half there."""

import base64
import pathlib
import sqlite3
import stat
from concurrent.futures import Future
from contextlib import closing
from typing import Any

import pytest

from consumers.journal import Appended, AppendRefused
from consumers.vault import VaultUnavailable, file_reference
from infra.journals.memory import MemoryLog
from infra.settings import load_settings
from infra.vault import SealedFirst, SqliteVault, TextGone, VaultKeyWrong, key_from_file, key_from_text

KEY = bytes(range(32))


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "vault.sqlite"


def test_a_text_comes_back_by_its_reference_alone(path: pathlib.Path) -> None:
    with closing(SqliteVault(path, KEY)) as vault:
        one = vault.seal("acme", "b-7", "Sorry! I took the wrong one. ✓")
        two = vault.seal("acme", "b-7", "Sorry! I took the wrong one. ✓")
        vault.flush()
    assert len(one.commitment) == 32
    assert one != two, "who knows one commitment cannot tell that the other is of the same text"
    with closing(SqliteVault(path, KEY)) as vault:
        assert vault.open(one.reference) == "Sorry! I took the wrong one. ✓"
        assert vault.proves(one)
        assert not vault.proves(type(one)(bytes(32), one.reference))
        assert vault.counts() == (1, 2)


def test_nothing_readable_stands_in_the_files(path: pathlib.Path) -> None:
    with closing(SqliteVault(path, KEY)) as vault:
        vault.seal("acme", "b-7", "a secret that nobody guesses")
        vault.flush()
        for file in path.parent.iterdir():
            assert b"a secret that" not in file.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_erased_subject_is_gone_for_ever_and_the_others_stay(path: pathlib.Path) -> None:
    with closing(SqliteVault(path, KEY)) as vault:
        gone, kept = vault.seal("acme", "b-7", "mine"), vault.seal("acme", "b-8", "yours")
        elsewhere = vault.seal("other", "b-7", "of another marketplace")
        assert vault.erase("acme", "b-7")
        assert not vault.erase("acme", "b-7")
        with pytest.raises(TextGone, match="erased"):
            vault.open(gone.reference)
        assert not vault.proves(gone)
        assert (vault.open(kept.reference), vault.open(elsewhere.reference)) == ("yours", "of another marketplace")
        new = vault.seal("acme", "b-7", "somebody of the same name")
        assert vault.open(new.reference) == "somebody of the same name"
        with pytest.raises(TextGone):
            vault.open(gone.reference)


def test_the_key_that_was_erased_stands_in_no_file(path: pathlib.Path) -> None:
    with closing(SqliteVault(path, KEY)) as vault:
        vault.seal("acme", "b-7", "mine")
        vault.flush()
        with closing(sqlite3.connect(path)) as database:
            (wrapped,) = database.execute("SELECT wrapped FROM subjects").fetchone()
        vault.erase("acme", "b-7")
        assert all(wrapped not in file.read_bytes() for file in path.parent.iterdir())


def test_an_unknown_reference_is_no_text(path: pathlib.Path) -> None:
    with closing(SqliteVault(path, KEY)) as vault, pytest.raises(TextGone):
        vault.open("nothing")


def test_another_key_opens_nothing(path: pathlib.Path) -> None:
    SqliteVault(path, KEY).close()
    with pytest.raises(VaultKeyWrong, match="another key"):
        SqliteVault(path, bytes(32))


def test_a_text_that_was_moved_to_another_reference_does_not_open(path: pathlib.Path) -> None:
    with closing(SqliteVault(path, KEY)) as vault:
        one, two = vault.seal("acme", "b-7", "one"), vault.seal("acme", "b-7", "two")
        vault.flush()
        with closing(sqlite3.connect(path)) as database:
            (sealed,) = database.execute("SELECT sealed FROM texts WHERE reference = ?", (one.reference,)).fetchone()
            database.execute("UPDATE texts SET sealed = ? WHERE reference = ?", (sealed, two.reference))
            database.commit()
        with pytest.raises(VaultUnavailable, match="damaged"):
            vault.open(two.reference)
        assert not vault.proves(two)


def test_what_is_no_vault_is_not_opened(path: pathlib.Path) -> None:
    path.write_bytes(b"something else entirely" * 100)
    with pytest.raises(VaultUnavailable, match="cannot be opened"):
        SqliteVault(path, KEY)


def test_texts_are_durable_before_the_record_that_points_to_them(path: pathlib.Path) -> None:
    log = MemoryLog(1, lambda: 0).journal()
    seen: list[int] = []

    class Looks:
        """The journal behind: at each append it looks at what another connection to the vault's file sees."""

        read, end, wait, close = log.read, log.end, log.wait, log.close
        identity, partitions, record_limit = log.identity, log.partitions, log.record_limit
        behind_hole = log.behind_hole

        def append(self, partition: int, key: bytes, record: bytes) -> Future[Appended]:
            with closing(sqlite3.connect(path)) as database:
                seen.append(database.execute("SELECT count(*) FROM texts").fetchone()[0])
            return log.append(partition, key, record)

    with closing(SqliteVault(path, KEY)) as vault:
        journal = SealedFirst(Looks(), vault)
        for text in ("one", "two", "three"):
            vault.seal("acme", "b-7", text)
        with closing(sqlite3.connect(path)) as database:
            assert database.execute("SELECT count(*) FROM texts").fetchone() == (0,), "grouped, not one by one"
        assert journal.append(0, b"", b"record").result(10).offset == 0
    assert seen == [3]
    assert (journal.partitions, journal.identity, journal.record_limit) == (1, log.identity, log.record_limit)


def test_where_the_vault_cannot_write_nothing_is_appended(path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = MemoryLog(1, lambda: 0).journal()
    with closing(SqliteVault(path, KEY)) as vault:
        journal = SealedFirst(log, vault)

        def full() -> None:
            raise VaultUnavailable("the disk is full")

        with monkeypatch.context() as patched:
            patched.setattr(vault, "flush", full)
            with pytest.raises(AppendRefused, match="the disk is full") as refused:
                journal.append(0, b"", b"record").result(10)
        assert refused.value.retriable
        assert log.end(0) == 0


class Fails:
    """The vault's connection, whose next COMMIT fails as on a full disk: what the transaction held is gone."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self.database = database
        self.failures = 1

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if sql == "commit" and self.failures:
            self.failures -= 1
            self.database.execute("rollback")
            raise sqlite3.OperationalError("database or disk is full")
        return self.database.execute(sql, *parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.database, name)


def test_texts_that_could_not_be_written_are_written_before_anything_is_appended(
    path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = MemoryLog(1, lambda: 0).journal()
    with closing(SqliteVault(path, KEY)) as vault:
        journal = SealedFirst(log, vault)
        one = vault.seal("acme", "b-7", "one")
        monkeypatch.setattr(vault, "_database", Fails(vault._database))
        with pytest.raises(VaultUnavailable, match="disk is full"):
            vault.flush()
        assert log.end(0) == 0
        two = vault.seal("acme", "b-7", "two")
        assert journal.append(0, b"", b"points to both").result(10).offset == 0
    with closing(SqliteVault(path, KEY)) as vault:
        assert (vault.open(one.reference), vault.open(two.reference)) == ("one", "two")
        assert vault.proves(one)


def test_two_processes_share_a_vault_and_its_subjects(path: pathlib.Path) -> None:
    with closing(SqliteVault(path, KEY)) as one, closing(SqliteVault(path, KEY)) as other:
        first = one.seal("acme", "b-7", "first")
        one.flush()
        second = other.seal("acme", "b-7", "second")
        other.flush()
        assert (other.open(first.reference), one.open(second.reference)) == ("first", "second")
        assert one.counts() == (1, 2)


def test_the_key_file_is_made_once_and_only_its_owner_reads_it(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "deep" / "vault.key"
    made = key_from_file(file, create=True)
    assert key_from_file(file, create=True) == key_from_file(file, create=False) == made
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [p.name for p in file.parent.iterdir()] == ["vault.key"]
    file.write_text("nonsense", encoding="ascii")
    with pytest.raises(VaultKeyWrong, match="cannot be used"):
        key_from_file(file, create=False)
    with pytest.raises(VaultKeyWrong, match="put it back"):
        key_from_file(tmp_path / "none", create=False)


def test_a_key_is_32_bytes_in_base64() -> None:
    assert key_from_text(f" {base64.b64encode(KEY).decode()}\n") == KEY
    for wrong in ("", "x", base64.b64encode(KEY[:31]).decode(), "é" * 44):
        with pytest.raises(ValueError, match="32 bytes in base64"):
            key_from_text(wrong)


def test_the_key_may_come_by_environment(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from infra.app import open_vault

    monkeypatch.setenv("RESCIND_VAULT_KEY", base64.b64encode(KEY).decode())
    settings = load_settings(journal=f"sqlite:///{tmp_path}/journal")
    with closing(open_vault(settings)) as vault:
        sealed = vault.seal("acme", "b-7", "text")
    assert not (tmp_path / "journal" / "vault.key").exists()
    with closing(SqliteVault(tmp_path / "journal" / "vault.sqlite", KEY)) as vault:
        assert vault.open(sealed.reference) == "text"


# ---- files ----------------------------------------------------------------------------------------------------------

PHOTO = bytes(range(256)) * 4


def test_a_file_is_kept_once_encrypted_and_comes_back_as_it_was(path: pathlib.Path) -> None:
    reference = file_reference("acme", "PO-1", "e1", bytes(32))
    with closing(SqliteVault(path, KEY)) as vault:
        assert vault.keep("acme", "b-7", reference, PHOTO)
        for file in path.parent.iterdir():
            assert PHOTO[:64] not in file.read_bytes()
    with closing(SqliteVault(path, KEY)) as vault:
        assert vault.read(reference) == PHOTO, "durable as soon as it is kept, nothing has to be flushed"
        assert not vault.keep("acme", "b-7", reference, b"something else")
        assert vault.read(reference) == PHOTO


def test_a_file_has_another_place_for_every_order_evidence_and_content() -> None:
    places = {
        file_reference(marketplace, order, evidence, sha256)
        for marketplace in ("acme", "a")
        for order in ("PO-1", "PO-1\0e1")
        for evidence in ("e1", "e2")
        for sha256 in (bytes(32), bytes([1]) * 32)
    }
    assert len(places) == 16


def test_a_file_that_was_dropped_or_whose_subject_was_erased_is_gone_and_its_place_is_free(path: pathlib.Path) -> None:
    with closing(SqliteVault(path, KEY)) as vault:
        text = vault.seal("acme", "b-7", "said before")
        vault.keep("acme", "b-7", "file-1", PHOTO)
        vault.drop("file-1")
        with pytest.raises(TextGone):
            vault.read("file-1")
        assert vault.open(text.reference) == "said before", "texts of the same transaction stay"
        vault.keep("acme", "b-7", "file-2", PHOTO)
        vault.erase("acme", "b-7")
        with pytest.raises(TextGone, match="erased"):
            vault.read("file-2")
        assert vault.keep("acme", "b-7", "file-2", PHOTO[:10]), "somebody of the same name gives it again"
        assert vault.read("file-2") == PHOTO[:10]
