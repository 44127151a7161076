"""What every vault does, whatever it is kept in: the ports Vault and Files, over a few questions to a database.

Texts are *grouped*: ``seal`` keeps a text in memory, ``flush`` writes all of them in one transaction. ``SealedFirst``
(``infra.vault.vault_first_journal``) calls it before each append, so no record is ever written that points to a text
the vault might lose, and an import does not pay a disk write for each text. A *file* is kept under a reference that its
keeper chooses (``consumers.ports.vault.file_reference``), durable at once: the event has its SHA-256, nothing else is
needed to find it and to check it.
"""

import contextlib
import hashlib
import hmac
import json
import secrets
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from consumers.erasing.eraser import Erasure
from consumers.log.vault_references import Committed
from consumers.ports.vault import VaultUnavailable
from domain.events import Sealed
from infra.addresses.vault_key import KEY_BYTES
from infra.vault.keys import Damaged, Keys, VaultKeyWrong

FORMAT: Final = "1"
WAITING: Final = 10_000
"""Texts that are kept in memory while they cannot be written; no more are taken then."""


def noted_as(journal: str) -> str:
    """The name under which a vault has noted that it is a journal's."""
    return f"journal {journal}"


class TextGone(LookupError):
    """There is no such text, or its subject was erased."""


class Seen(NamedTuple):
    """How far the log was known to who brought a content, in the partition of the subject's own stream."""

    journal: str
    """Its identity."""
    ordinal: int
    """Commits below it were known."""
    erased: int = -1
    """Of these, the last one that erased the subject: a key that was made before it is used no more. -1: none."""


class Unsaved(NamedTuple):
    """A content that is not durable yet; it begins with its own random key."""

    marketplace: str
    subject: str
    reference: str
    content: bytes
    seen: Seen | None
    """None where the log is not known: a key that is made then counts as made before all of it."""


class StoredText(NamedTuple):
    """What is kept under a reference; ``wrapped`` is None if its subject was erased."""

    sealed: bytes
    wrapped: bytes | None
    marketplace: str
    subject: str


@contextlib.contextmanager
def _keys_fit() -> Iterator[None]:
    try:
        yield
    except Damaged:
        raise VaultUnavailable("a subject's key is not what was written: the vault is damaged") from None


class DatabaseVault(ABC):
    """A vault in a database. Safe for several threads and processes."""

    def __init__(self, key: bytes) -> None:
        """``key`` is the key-encryption key."""
        self._keys = Keys(key)
        self._unsaved: dict[str, Unsaved] = {}
        self._flushing = threading.Lock()
        self.seen: Callable[[str, str], Seen | None] = lambda marketplace, subject: None
        """How far the log is known here that may erase the subject; from any thread. An engine says so."""
        self.belongs_to: str | None = None
        """A journal that a vault which is opened late must know already, or it is another one (``vault.belonging``)."""

    # ---- texts ------------------------------------------------------------------------------------------------------

    def seal(self, marketplace: str, subject: str, text: str, seen: Seen | None = None) -> Sealed:
        """Keep a text; it is durable after the next ``flush``. VaultUnavailable if too many wait already."""
        if len(self._unsaved) >= WAITING:
            raise VaultUnavailable("the vault cannot be written to, and takes no more texts until it can")
        own = secrets.token_bytes(KEY_BYTES)
        content = text.encode("utf-8")
        reference = secrets.token_urlsafe(16)
        self._unsaved[reference] = Unsaved(
            marketplace, subject, reference, own + content, seen or self.seen(marketplace, subject)
        )
        return Sealed(hmac.digest(own, content, "sha256"), reference)

    def flush(self) -> None:
        """Make everything sealed so far durable. VaultUnavailable if that fails: nothing may be appended then; the
        texts are kept in memory, and the next ``flush`` tries them again."""
        if not self._unsaved:
            return
        with self._flushing:
            texts = list(self._unsaved.values())
            if texts:
                with _keys_fit():
                    self._write(texts)
            for text in texts:
                del self._unsaved[text.reference]

    def is_pointed_to(self, record: bytes) -> bool:
        """Whether these bytes name a text that is not durable yet. A reference is random: it stands nowhere by
        chance."""
        return any(reference.encode() in record for reference in list(self._unsaved))

    def open(self, reference: str) -> str:
        """The text of a reference; TextGone if there is none or its subject was erased."""
        return self.read(reference).decode("utf-8")

    def proves(self, sealed: Sealed) -> bool:
        """Whether the text kept under the reference is the one that the commitment was made of."""
        return self.fits(sealed) is True

    def fits(self, committed: Sealed | Committed) -> bool | None:
        """Whether the text or file that is kept is the one that an event commits to; None if there is none, or its
        subject was erased. VaultUnavailable."""
        try:
            own, content = self._opened(committed.reference)
        except TextGone:
            return None
        except Damaged:
            return False
        if isinstance(committed, Committed):
            return hashlib.sha256(content).digest() == committed.sha256
        return hmac.compare_digest(hmac.digest(own, content, "sha256"), committed.commitment)

    # ---- files ------------------------------------------------------------------------------------------------------

    def keep(self, marketplace: str, subject: str, reference: str, content: bytes) -> bool:
        """Keep a file under this reference; durable when it returns. False: it was kept there before."""
        with _keys_fit():
            own = secrets.token_bytes(KEY_BYTES)
            return self._put(Unsaved(marketplace, subject, reference, own + content, self.seen(marketplace, subject)))

    def read(self, reference: str) -> bytes:
        """The bytes of a text or a file; TextGone if there are none or their subject was erased."""
        try:
            return self._opened(reference)[1]
        except Damaged:
            raise VaultUnavailable(f"the text {reference} is not what was written: the vault is damaged") from None

    def _opened(self, reference: str) -> tuple[bytes, bytes]:
        """The content's own key, and the content. TextGone, Damaged."""
        unsaved = self._unsaved.get(reference)
        if unsaved is not None:
            plain = unsaved.content
        else:
            found = self._find(reference)
            if found is None:
                raise TextGone(f"the vault has no text {reference}")
            if found.wrapped is None:
                raise TextGone(f"the text {reference} was erased with its subject's key")
            plain = self._keys.unseal(found.wrapped, found.marketplace, found.subject, reference, found.sealed)
        return plain[:KEY_BYTES], plain[KEY_BYTES:]

    # ---- subjects ---------------------------------------------------------------------------------------------------

    def erase(self, marketplace: str, subject: str) -> bool:
        """Destroy the subject's key, and with it every text under it; whether there was one. Durable when it returns.

        Only after an admitted ``SubjectErased`` with no open hold before it: that is the caller's to know, and an
        engine's way is ``carry_out``.
        """
        self.flush()
        return self._erase(marketplace, subject)

    def carry_out(self, journal: str, partition: int, before: int, position: int, erasures: Sequence[Erasure]) -> bool:
        """Destroy the keys of these subjects that were made before their erasure was known, and store how far the
        journal's partition is carried out, in one transaction. False, and nothing done, if that is not ``before``.

        ``scrub`` afterwards, or files may still have the keys: that it is due is stored with the erasure.
        """
        if erasures:
            self.flush()
        return self._carry_out(journal, partition, before, position, sorted(erasures))

    def close(self) -> None:
        """Make durable what is sealed, as far as that goes, and let go."""
        with contextlib.suppress(VaultUnavailable):
            self.flush()
        self._close()

    # ---- whose it is ------------------------------------------------------------------------------------------------

    @property
    def opened(self) -> bool:
        """False: its database is away, and it is opened when that is back."""
        return True

    def lost(self, journal: str) -> Mapping[int, int] | None:
        """Per partition of a journal the offset before which its texts were given up as lost; empty: none were. None:
        this vault does not know the journal."""
        noted = self._noted(noted_as(journal))
        return None if noted is None else {int(n): offset for n, offset in json.loads(noted).items()}

    def note_lost(self, journal: str, lost: Mapping[int, int]) -> None:
        """This is the vault of the journal, with the exception of what was written before these offsets."""
        self._note(noted_as(journal), json.dumps(dict(lost)).encode())

    def _agree(self, format: str, check: bytes) -> None:
        """What the database says of itself. VaultUnavailable, VaultKeyWrong."""
        if format != FORMAT:
            raise VaultUnavailable(f"the vault has format {format}, this release reads {FORMAT}: use a newer one")
        if not hmac.compare_digest(check, self._keys.check):
            raise VaultKeyWrong(
                "the vault was made with another key: give that one in RESCIND_VAULT_KEY or vault_key_file"
            )

    def _agree_late(self, knows: bool) -> None:
        """``knows``: whether a vault that is opened late has noted ``belongs_to``. VaultUnavailable."""
        if self.belongs_to is not None and not knows:
            raise VaultUnavailable(
                "this vault does not know the log, so it is another one: start again now that it can be reached"
            )

    # ---- what a database does. Each raises VaultUnavailable ----------------------------------------------------------

    @abstractmethod
    def _write(self, texts: Sequence[Unsaved]) -> None:
        """Write them all, durably, or none. A subject without a key gets one."""

    @abstractmethod
    def _put(self, file: Unsaved) -> bool:
        """Write it durably, unless something that can be read is there; what was erased makes room."""

    @abstractmethod
    def drop(self, reference: str) -> None:
        """Let a file go that no event came to name."""

    @abstractmethod
    def _find(self, reference: str) -> StoredText | None: ...

    @abstractmethod
    def has(self, references: Sequence[str]) -> int:
        """How many of these, each named once, were ever kept here, whether or not their subject was erased since."""

    @abstractmethod
    def _noted(self, name: str) -> bytes | None:
        """What the vault says of itself under this name."""

    @abstractmethod
    def _note(self, name: str, value: bytes) -> None:
        """Have it say so, durably."""

    @abstractmethod
    def _erase(self, marketplace: str, subject: str) -> bool:
        """Delete the subject's key, so that no file of the database has it any more; whether there was one."""

    @abstractmethod
    def erased_through(self, journal: str, partition: int) -> int:
        """How far the erasures of this journal's partition are carried out: ordinal of the first commit that is not."""

    @abstractmethod
    def _carry_out(
        self, journal: str, partition: int, before: int, position: int, erasures: Sequence[Erasure]
    ) -> bool: ...

    @abstractmethod
    def scrub(self) -> None:
        """Where keys were destroyed since the last time: have no file of the database hold them any more."""

    @abstractmethod
    def counts(self) -> tuple[int, int]:
        """How many subjects have a key, and how many texts are kept under those."""

    @abstractmethod
    def _close(self) -> None: ...
