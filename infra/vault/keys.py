"""Keys: the vault's key-encryption key, its source, and what is encrypted under which key.

Each subject of a marketplace has a random key, stored wrapped by the key-encryption key (AES-256-GCM). A content is
sealed under its subject's key, with a random key of its own in front. The commitment in an event is the HMAC-SHA256 of
the content under that random key. So after a subject's key is destroyed, the content can neither be read nor guessed
from its commitment. A wrapped key opens for its own subject only, and a sealed content under its own reference only.
"""

import base64
import contextlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from consumers.ports.vault import VaultUnavailable
from infra.addresses.vault_key import KEY_BYTES, key_from_text

NONCE_BYTES: Final = 12
_CHECK: Final = b"rescind vault key check"


class VaultKeyWrong(VaultUnavailable):
    """The key-encryption key is missing, or it is not the key that the vault was made with."""


class Damaged(Exception):
    """Stored bytes fail authenticated decryption."""


class Keys:
    """Wraps subject keys and seals contents with the key-encryption key."""

    def __init__(self, key: bytes) -> None:
        self._wrapping = AESGCM(key)
        self.check = hmac.digest(key, _CHECK, "sha256")
        """Shows whether a vault was made with this key, and reveals nothing about it."""

    def new(self, marketplace: str, subject: str) -> bytes:
        """Create a wrapped key for this subject."""
        return _sealed(self._wrapping, secrets.token_bytes(KEY_BYTES), _bound(marketplace, subject))

    def seal(self, wrapped: bytes, marketplace: str, subject: str, reference: str, content: bytes) -> bytes:
        """Seal ``content`` under the subject's key, for this reference."""
        key = _opened(self._wrapping, wrapped, _bound(marketplace, subject))
        return _sealed(AESGCM(key), content, reference.encode())

    def unseal(self, wrapped: bytes, marketplace: str, subject: str, reference: str, sealed: bytes) -> bytes:
        """Decrypt a sealed content. Damaged."""
        key = _opened(self._wrapping, wrapped, _bound(marketplace, subject))
        return _opened(AESGCM(key), sealed, reference.encode())


def _sealed(by: AESGCM, content: bytes, bound: bytes) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + by.encrypt(nonce, content, bound)


def _opened(by: AESGCM, sealed: bytes, bound: bytes) -> bytes:
    try:
        return by.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound)
    except InvalidTag:
        raise Damaged from None


def _bound(marketplace: str, subject: str) -> bytes:
    """The subject to which a wrapped key is bound: it opens for no other one."""
    return f"{marketplace}\0{subject}".encode()


# ---- where the key-encryption key comes from -------------------------------------------------------------------------


def key_from_file(path: Path, *, create: bool) -> bytes:
    """The key in this file. ``create``: create it with mode 0600 if it is missing. VaultKeyWrong says what to do."""
    if create:
        with contextlib.suppress(FileExistsError):
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_new(path, base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
    try:
        return key_from_text(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        raise VaultKeyWrong(
            f"the vault's key is missing at {path}: restore the file, or set RESCIND_VAULT_KEY"
        ) from None
    except (OSError, ValueError) as wrong:
        raise VaultKeyWrong(f"the vault's key in {path} cannot be used: {wrong}") from None


def _write_new(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, and that appears whole or not at all. FileExistsError if it exists."""
    if path.exists():
        raise FileExistsError(path)
    whole = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(whole, path)
    finally:
        whole.unlink()
