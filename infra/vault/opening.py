"""The vault that the settings name, wherever it is. PostgreSQL's client is needed only where that is named."""

import os
from pathlib import Path
from types import ModuleType

from consumers.ports.vault import VaultUnavailable
from infra.addresses.vault_key import KEY_BYTES, key_from_text
from infra.settings import Settings
from infra.vault.base import DatabaseVault
from infra.vault.keys import key_from_file
from infra.vault.sqlite import SqliteVault


def open_vault(settings: Settings, *, patient: bool = False) -> DatabaseVault:
    """The vault that the settings name; VaultUnavailable says why it cannot be opened.

    ``patient``: one in a database that is away is opened when it is back, if its key is at hand; every call raises
    VaultUnavailable until then.
    """
    at = settings.vault_at
    if at.postgresql is not None:
        client = postgresql_client()
        key = _key(settings, patient=patient)
        vault: DatabaseVault = client.PostgresqlVault(
            at.postgresql, key, synchronous=settings.synchronous, patient=patient
        )
        return vault
    if at.path is None:
        return SqliteVault(None, os.urandom(KEY_BYTES))
    return SqliteVault(at.path, _key(settings), synchronous=settings.synchronous)


def is_there(settings: Settings) -> bool:
    """Whether there is a vault already. VaultUnavailable."""
    at = settings.vault_at
    if at.postgresql is not None:
        there: bool = postgresql_client().postgresql_vault_there(at.postgresql)
        return there
    return at.path is not None and at.path.exists()


def key_file(settings: Settings) -> Path:
    """Where the key-encryption key is, unless the environment has it."""
    if settings.vault_key_file is not None:
        return Path(settings.vault_key_file)
    return (settings.journal_at.directory or Path()) / "vault.key"


def _key(settings: Settings, *, patient: bool = False) -> bytes:
    """The key; where there is no vault yet, it is made. Only the database knows whether there is one."""
    if settings.vault_key is not None:
        return key_from_text(settings.vault_key.get_secret_value())
    file = key_file(settings)
    return key_from_file(file, create=not (patient and file.exists()) and not is_there(settings))


def postgresql_client() -> ModuleType:
    """The adapter of PostgreSQL; VaultUnavailable where what it stands on is not installed."""
    try:
        from infra.vault import postgresql
    except ImportError as missing:
        raise VaultUnavailable(
            "the vault is in PostgreSQL, but its client is not installed: install rescind[postgresql], or name another "
            "in RESCIND_VAULT"
        ) from missing
    return postgresql
