"""The key-encryption key: made once, readable by its owner only, by file or environment; and where the vault is."""

import base64
import pathlib
import stat
from contextlib import closing

import pytest

from consumers.ports.vault import VaultUnavailable
from infra.addresses.vault_key import key_from_text
from infra.settings import load_settings, vault_at
from infra.vault.base import TextGone
from infra.vault.keys import VaultKeyWrong, key_from_file
from infra.vault.opening import open_vault
from infra.vault.sqlite import SqliteVault
from tests.contract.vault.conftest import KEY, Place, SqlitePlace


def test_the_key_file_is_made_once_and_only_its_owner_reads_it(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "deep" / "vault.key"
    made = key_from_file(file, create=True)
    assert key_from_file(file, create=True) == key_from_file(file, create=False) == made
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [p.name for p in file.parent.iterdir()] == ["vault.key"]
    file.write_text("nonsense", encoding="ascii")
    with pytest.raises(VaultKeyWrong, match="cannot be used"):
        key_from_file(file, create=False)
    with pytest.raises(VaultKeyWrong, match="restore the file"):
        key_from_file(tmp_path / "none", create=False)


def test_a_key_is_32_bytes_in_base64() -> None:
    assert key_from_text(f" {base64.b64encode(KEY).decode()}\n") == KEY
    for wrong in ("", "x", base64.b64encode(KEY[:31]).decode(), "é" * 44):
        with pytest.raises(ValueError, match="32 bytes in base64"):
            key_from_text(wrong)


def test_the_key_may_be_set_in_the_environment(
    tmp_path: pathlib.Path, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESCIND_VAULT_KEY", base64.b64encode(KEY).decode())
    settings = load_settings(journal=f"sqlite:///{tmp_path}/journal", vault=place.setting)
    with closing(open_vault(settings)) as vault:
        sealed = vault.seal("acme", "b-7", "text")
    assert not (tmp_path / "journal" / "vault.key").exists()
    with closing(place.open()) as vault:
        assert vault.open(sealed.reference) == "text"


def test_a_vault_makes_its_key_only_when_it_is_made_itself(tmp_path: pathlib.Path, place: Place) -> None:
    settings = load_settings(journal=f"sqlite:///{tmp_path}/journal", vault=place.setting)
    open_vault(settings).close()
    key = tmp_path / "journal" / "vault.key"
    open_vault(settings).close()
    key.unlink()
    with pytest.raises(VaultKeyWrong, match="restore the file"):
        open_vault(settings)
    assert not key.exists()


def test_where_the_vault_is() -> None:
    assert load_settings(journal="sqlite:///x").vault_at.path == pathlib.Path("x/vault.sqlite")
    assert vault_at("sqlite:////abs/vault.sqlite").path == vault_at("/abs/vault.sqlite").path
    assert str(vault_at("postgresql://me:open-sesame@db/x")) == "postgresql://me@db/x"
    with pytest.raises(ValueError, match="cannot be opened"):
        vault_at("mysql://db/x")
    with closing(open_vault(load_settings(journal="memory:"))) as vault, pytest.raises(TextGone):
        vault.open("nothing")


# ---- the file --------------------------------------------------------------------------------------------------------


def test_only_its_owner_reads_the_file(tmp_path: pathlib.Path) -> None:
    place = SqlitePlace(tmp_path / "vault.sqlite")
    with closing(place.open()) as vault:
        vault.keep("acme", "b-7", "file-1", b"content")
        assert {stat.S_IMODE(file.stat().st_mode) for file in place.files()} == {0o600}


def test_a_file_that_is_no_vault_is_not_opened(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "vault.sqlite"
    path.write_bytes(b"something else entirely" * 100)
    with pytest.raises(VaultUnavailable, match="cannot be opened"):
        SqliteVault(path, KEY)
