"""The vault in SQLite: texts and files, encrypted under a key per subject; events carry commitments and hashes only.

Each subject of a marketplace has a random key, kept wrapped by the key-encryption key (AES-256-GCM). A text is stored
with a random key of its own in front, both encrypted under the subject's key; the commitment in the event is the
HMAC-SHA256 of the text under that random key. Erasing a subject destroys its key: what is left can neither be read nor
be guessed from the commitment. No event ever changes.

Texts are *grouped*: ``seal`` leaves its transaction open, ``flush`` makes everything sealed so far durable in one
commit. ``SealedFirst`` in front of the journal calls it before each append, so no record is ever written that points to
a text the vault might lose, and an import does not pay a disk write for each text.

A *file* is kept beside them under a reference that its keeper chooses (``consumers.vault.file_reference``): the event
has its SHA-256, nothing else is needed to find it and to check it.
"""

import base64
import binascii
import contextlib
import hmac
import os
import secrets
import sqlite3
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from consumers.journal import Appended, AppendRefused, Journal
from consumers.vault import VaultUnavailable
from domain.events import Sealed

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
BUSY: Final = 5.0
"""Seconds to wait for another process's texts."""
FORMAT: Final = "1"
_CHECK: Final = b"rescind vault key check"

_TABLES: Final = """
create table if not exists about (name text primary key, value blob not null) without rowid;
create table if not exists subjects (
    id integer primary key, marketplace text not null, subject text not null, wrapped blob);
create unique index if not exists live_subject on subjects (marketplace, subject) where wrapped is not null;
create table if not exists texts (
    reference text primary key, subject_id integer not null references subjects, sealed blob not null) without rowid;
create index if not exists texts_of on texts (subject_id);
"""


class VaultKeyWrong(VaultUnavailable):
    """The key-encryption key is missing or another one than the vault was made with."""


class TextGone(LookupError):
    """There is no such text, or its subject was erased."""


# ---- the key-encryption key -----------------------------------------------------------------------------------------


def key_from_text(text: str) -> bytes:
    """A key written in base64; ValueError if it is not 32 bytes."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError("must be 32 bytes in base64, like the output of: openssl rand -base64 32")
    return key


def key_from_file(path: Path, *, create: bool) -> bytes:
    """The key in this file; made with mode 0600 where it is missing and may be. VaultKeyWrong says what to do."""
    if create:
        with contextlib.suppress(FileExistsError):
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_new(path, base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
    try:
        return key_from_text(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        raise VaultKeyWrong(f"the vault's key is not at {path}: put it back, or give it in RESCIND_VAULT_KEY") from None
    except (OSError, ValueError) as wrong:
        raise VaultKeyWrong(f"the vault's key in {path} cannot be used: {wrong}") from None


def _write_new(path: Path, content: bytes) -> None:
    """Write a file that only its owner reads and that appears whole or not at all; FileExistsError if it is there."""
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


# ---- the vault ------------------------------------------------------------------------------------------------------


class _Unsaved(NamedTuple):
    """A text that is not durable yet; ``content`` begins with the text's own random key."""

    marketplace: str
    subject: str
    reference: str
    content: bytes


class SqliteVault:
    """The vault port over one SQLite file (None: in memory). Safe for several threads and processes."""

    def __init__(self, path: Path | None, key: bytes, *, synchronous: str = "full") -> None:
        """``key`` is the key-encryption key. VaultKeyWrong if it is not the vault's, VaultUnavailable if it cannot be
        opened."""
        self._wrapping = AESGCM(key)
        self._lock = threading.Lock()
        self._unsaved: list[_Unsaved] = []
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._database = sqlite3.connect(
                ":memory:" if path is None else path, timeout=BUSY, isolation_level=None, check_same_thread=False
            )
            self._database.execute("pragma journal_mode=wal")
            self._database.execute(f"pragma synchronous={synchronous}")
            self._database.execute("pragma secure_delete=on")
            self._prepare(hmac.digest(key, _CHECK, "sha256"))
        except sqlite3.Error as broken:
            raise VaultUnavailable(f"the vault {path or 'in memory'} cannot be opened: {broken}") from broken
        if path is not None:
            with contextlib.suppress(OSError):
                path.chmod(0o600)

    def _prepare(self, check: bytes) -> None:
        try:
            about = dict(self._database.execute("select name, value from about"))
        except sqlite3.OperationalError:
            about = {}
        if not about:
            self._database.executescript("begin immediate;" + _TABLES)
            self._database.execute("insert or ignore into about values ('format', ?), ('key', ?)", (FORMAT, check))
            self._database.execute("commit")
            about = dict(self._database.execute("select name, value from about"))
        if about["format"] != FORMAT:
            raise VaultUnavailable(
                f"the vault has format {about['format']}, this release reads {FORMAT}: use a newer one"
            )
        if about["key"] != check:
            raise VaultKeyWrong(
                "the vault was made with another key: give that one in RESCIND_VAULT_KEY or vault_key_file"
            )

    def seal(self, marketplace: str, subject: str, text: str) -> Sealed:
        """Keep a text; it is durable after the next ``flush``."""
        own = secrets.token_bytes(KEY_BYTES)
        content = text.encode("utf-8")
        reference = secrets.token_urlsafe(16)
        with self._lock:
            unsaved = _Unsaved(marketplace, subject, reference, own + content)
            try:
                self._begin()
                self._save(unsaved)
            except sqlite3.Error as broken:
                self._give_up()
                raise VaultUnavailable(f"the vault cannot take a text: {broken}") from broken
            self._unsaved.append(unsaved)
        return Sealed(hmac.digest(own, content, "sha256"), reference)

    def keep(self, marketplace: str, subject: str, reference: str, content: bytes) -> bool:
        """Keep a file under this reference; durable when it returns. False: it was kept there before."""
        unsaved = _Unsaved(marketplace, subject, reference, secrets.token_bytes(KEY_BYTES) + content)
        with self._lock:
            try:
                self._begin()
                new = self._is_free(reference)
                if new:
                    self._save(unsaved)
                self._database.execute("commit")
            except sqlite3.Error as broken:
                self._give_up()
                raise VaultUnavailable(f"the vault cannot take a file: {broken}") from broken
            self._unsaved.clear()
        return new

    def _is_free(self, reference: str) -> bool:
        """Whether nothing that can be read is kept there; what was erased with its subject makes room."""
        row = self._database.execute(
            "select wrapped is null from texts join subjects on subjects.id = subject_id where reference = ?",
            (reference,),
        ).fetchone()
        if row is not None and row[0]:
            self._database.execute("delete from texts where reference = ?", (reference,))
        return row is None or bool(row[0])

    def drop(self, reference: str) -> None:
        """Let a file go that no event came to name. VaultUnavailable if it cannot be."""
        with self._lock:
            try:
                self._begin()
                self._database.execute("delete from texts where reference = ?", (reference,))
                self._database.execute("commit")
            except sqlite3.Error as broken:
                self._give_up()
                raise VaultUnavailable(f"the vault cannot let a file go: {broken}") from broken
            self._unsaved.clear()

    def _begin(self) -> None:
        """A transaction that has everything that is not durable yet."""
        if not self._database.in_transaction:
            self._database.execute("begin immediate")
            for unsaved in self._unsaved:
                self._save(unsaved)

    def _save(self, unsaved: "_Unsaved") -> None:
        number, key = self._subject_key(unsaved.marketplace, unsaved.subject)
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = nonce + AESGCM(key).encrypt(nonce, unsaved.content, unsaved.reference.encode())
        self._database.execute("insert into texts values (?, ?, ?)", (unsaved.reference, number, sealed))

    def _give_up(self) -> None:
        """End a transaction that cannot be ended well; what it held is tried again with the next."""
        if self._database.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                self._database.execute("rollback")

    def _subject_key(self, marketplace: str, subject: str) -> tuple[int, bytes]:
        row = self._database.execute(
            "select id, wrapped from subjects where marketplace = ? and subject = ? and wrapped is not null",
            (marketplace, subject),
        ).fetchone()
        bound = _bound(marketplace, subject)
        if row is not None:
            number, wrapped = row
            return number, self._wrapping.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], bound)
        key = secrets.token_bytes(KEY_BYTES)
        nonce = secrets.token_bytes(NONCE_BYTES)
        made = self._database.execute(
            "insert into subjects (marketplace, subject, wrapped) values (?, ?, ?) returning id",
            (marketplace, subject, nonce + self._wrapping.encrypt(nonce, key, bound)),
        ).fetchone()
        return int(made[0]), key

    def flush(self) -> None:
        """Make everything sealed so far durable. VaultUnavailable if that fails: nothing may be appended then; the
        texts are kept in memory, and the next ``flush`` tries them again."""
        if not self._unsaved:
            return
        with self._lock:
            try:
                self._begin()
                self._database.execute("commit")
            except sqlite3.Error as broken:
                self._give_up()
                raise VaultUnavailable(f"the vault cannot write: {broken}") from broken
            self._unsaved.clear()

    def open(self, reference: str) -> str:
        """The text of a reference; TextGone if there is none or its subject was erased."""
        return self.read(reference).decode("utf-8")

    def read(self, reference: str) -> bytes:
        """The bytes of a text or a file; TextGone if there are none or their subject was erased."""
        with self._lock:
            row = self._database.execute(
                "select sealed, wrapped, marketplace, subject from texts join subjects on subjects.id = subject_id "
                "where reference = ?",
                (reference,),
            ).fetchone()
        if row is None:
            raise TextGone(f"the vault has no text {reference}")
        sealed, wrapped, marketplace, subject = row
        if wrapped is None:
            raise TextGone(f"the text {reference} was erased with its subject's key")
        try:
            key = self._wrapping.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _bound(marketplace, subject))
            plain = AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], reference.encode())
        except InvalidTag:
            raise VaultUnavailable(f"the text {reference} is not what was written: the vault is damaged") from None
        return plain[KEY_BYTES:]

    def proves(self, sealed: Sealed) -> bool:
        """Whether the text kept under the reference is the one that the commitment was made of."""
        with self._lock:
            row = self._database.execute(
                "select sealed, wrapped, marketplace, subject from texts join subjects on subjects.id = subject_id "
                "where reference = ? and wrapped is not null",
                (sealed.reference,),
            ).fetchone()
        if row is None:
            return False
        content, wrapped, marketplace, subject = row
        try:
            key = self._wrapping.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _bound(marketplace, subject))
            plain = AESGCM(key).decrypt(content[:NONCE_BYTES], content[NONCE_BYTES:], sealed.reference.encode())
        except InvalidTag:
            return False
        return hmac.compare_digest(hmac.digest(plain[:KEY_BYTES], plain[KEY_BYTES:], "sha256"), sealed.commitment)

    def erase(self, marketplace: str, subject: str) -> bool:
        """Destroy the subject's key, and with it every text under it; whether there was one. Durable when it returns.

        Only after an admitted ``SubjectErased`` with no open hold before it: that is the caller's to know.
        """
        self.flush()
        with self._lock:
            try:
                gone = self._database.execute(
                    "update subjects set wrapped = null where marketplace = ? and subject = ? and wrapped is not null",
                    (marketplace, subject),
                ).rowcount
                self._database.execute("pragma wal_checkpoint(truncate)")
            except sqlite3.Error as broken:
                raise VaultUnavailable(f"the vault cannot erase: {broken}") from broken
        return gone > 0

    def counts(self) -> tuple[int, int]:
        """How many subjects have a key, and how many texts are kept under those."""
        with self._lock:
            subjects, texts = self._database.execute(
                "select (select count(*) from subjects where wrapped is not null), (select count(*) from texts "
                "join subjects on subjects.id = subject_id where wrapped is not null)"
            ).fetchone()
        return int(subjects), int(texts)

    def close(self) -> None:
        """Make durable what is sealed, as far as that goes, and let go."""
        with contextlib.suppress(VaultUnavailable):
            self.flush()
        with self._lock:
            self._database.close()


def _bound(marketplace: str, subject: str) -> bytes:
    """What a wrapped key belongs to: it opens for no other subject."""
    return f"{marketplace}\0{subject}".encode()


class SealedFirst:
    """A journal before which the vault writes: texts are durable before any record that may point to them."""

    def __init__(self, journal: Journal, vault: SqliteVault) -> None:
        self._journal = journal
        self._vault = vault
        self.read = journal.read
        self.behind_hole = journal.behind_hole
        self.end = journal.end
        self.wait = journal.wait
        self.close = journal.close

    @property
    def identity(self) -> str:
        return self._journal.identity

    @property
    def partitions(self) -> int:
        return self._journal.partitions

    @property
    def record_limit(self) -> int:
        return self._journal.record_limit

    def append(self, partition: int, key: bytes, record: bytes) -> Future[Appended]:
        """Append after the vault has written; refused where it cannot."""
        try:
            self._vault.flush()
        except VaultUnavailable as unavailable:
            refused: Future[Appended] = Future()
            refused.set_exception(AppendRefused(str(unavailable), retriable=True))
            return refused
        return self._journal.append(partition, key, record)
