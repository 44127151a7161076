"""Open the vault that the settings name. PostgreSQL's client is imported only if the settings name PostgreSQL."""

import os
from pathlib import Path
from types import ModuleType

from consumers.ports.vault import VaultUnavailable
from infra.addresses.vault_key import KEY_BYTES, key_from_text
from infra.settings import Settings
from infra.vault.base import DatabaseVault
from infra.vault.keys import key_from_file
from infra.vault.sqlite import SqliteVault


def open_vault(settings: Settings, *, open_later: bool = False) -> DatabaseVault:
    """Open the vault that the settings name. VaultUnavailable says why it cannot be opened.

    ``open_later``: if the key is available but the database is away, the vault opens when the database is back. Until
    then every call raises VaultUnavailable.
    """
    at = settings.vault_at
    if at.postgresql is not None:
        client = postgresql_client()
        key = _key(settings, open_later=open_later)
        vault: DatabaseVault = client.PostgresqlVault(
            at.postgresql, key, synchronous=settings.synchronous, open_later=open_later
        )
        return vault
    if at.path is None:
        return SqliteVault(None, os.urandom(KEY_BYTES))
    return SqliteVault(at.path, _key(settings), synchronous=settings.synchronous)


def vault_exists(settings: Settings) -> bool:
    """Whether the vault exists. VaultUnavailable."""
    at = settings.vault_at
    if at.postgresql is not None:
        there: bool = postgresql_client().postgresql_vault_exists(at.postgresql)
        return there
    return at.path is not None and at.path.exists()


def key_file(settings: Settings) -> Path:
    """The path of the key-encryption key, unless the environment has the key."""
    if settings.vault_key_file is not None:
        return Path(settings.vault_key_file)
    return (settings.journal_at.directory or Path()) / "vault.key"


def _key(settings: Settings, *, open_later: bool = False) -> bytes:
    """The key. Created if there is no vault yet, which only the database knows."""
    if settings.vault_key is not None:
        return key_from_text(settings.vault_key.get_secret_value())
    file = key_file(settings)
    return key_from_file(file, create=not (open_later and file.exists()) and not vault_exists(settings))


def postgresql_client() -> ModuleType:
    """The PostgreSQL adapter. VaultUnavailable if its client library is not installed."""
    try:
        from infra.vault import postgresql
    except ImportError as missing:
        raise VaultUnavailable(
            "the vault is in PostgreSQL, but its client is not installed: install rescind[postgresql], or name another "
            "vault in RESCIND_VAULT"
        ) from missing
    return postgresql
