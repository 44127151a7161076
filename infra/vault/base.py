"""The ports Vault and Files on any database. Subclasses implement a few queries.

Texts are *grouped*: ``seal`` stores a text in memory, and ``flush`` writes all of them in one transaction.
``VaultFirstJournal`` (``infra.vault.vault_first_journal``) calls it before each append. So no record refers to a text
that the vault might lose, and an import does not pay a disk write per text. A *file* is stored under a reference that
its owner chooses (``consumers.ports.vault.file_reference``), and is durable at once. Its event has the file's SHA-256,
which is enough to find and check it.
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
"""Texts that are stored in memory while they cannot be written. At this limit ``seal`` raises VaultUnavailable."""


def ownership_note(journal: str) -> str:
    """The name of the note by which a vault belongs to a journal."""
    return f"journal {journal}"


class TextGone(LookupError):
    """There is no such text, or its subject was erased."""


class Seen(NamedTuple):
    """How far the caller knew the log when it brought a content, in the partition of the subject's own stream."""

    journal: str
    """The journal's identity."""
    ordinal: int
    """Commits below this ordinal were known."""
    erased: int = -1
    """The last of these commits that erased the subject, -1 if none did. A key that was made before it is no longer
    used."""


class ControlNote(NamedTuple):
    """Which control log a journal has, and how far it went. ``last``: the hash of its last commit, in hex."""

    identity: str
    commits: int
    last: str


class Unsaved(NamedTuple):
    """A content that is not durable yet. It begins with its own random key."""

    marketplace: str
    subject: str
    reference: str
    content: bytes
    seen: Seen | None
    """None if the log is not known. A new key then counts as made before all of the log."""


class StoredText(NamedTuple):
    """A content as stored under its reference. ``wrapped`` is None if its subject was erased."""

    sealed: bytes
    wrapped: bytes | None
    marketplace: str
    subject: str


@contextlib.contextmanager
def _keys_match() -> Iterator[None]:
    try:
        yield
    except Damaged:
        raise VaultUnavailable(
            "the key of a subject cannot be unwrapped: the vault is damaged. Restore it from a copy"
        ) from None


class DatabaseVault(ABC):
    """A vault in a database. Safe for several threads and processes."""

    def __init__(self, key: bytes) -> None:
        """``key`` is the key-encryption key."""
        self._keys = Keys(key)
        self._unsaved: dict[str, Unsaved] = {}
        self._flushing = threading.Lock()
        self.seen: Callable[[str, str], Seen | None] = lambda marketplace, subject: None
        """How far this process knows the log that may erase a subject. The engine sets it. Any thread may call it."""
        self.owner: str | None = None
        """The journal that a vault opened late must already know. If it does not, it is another vault
        (``infra.vault.ownership``)."""

    # ---- texts -------------------------------------------------------------------------------------------------------

    def seal(self, marketplace: str, subject: str, text: str, seen: Seen | None = None) -> Sealed:
        """Store a text, which is durable after the next ``flush``. VaultUnavailable if too many texts are waiting."""
        if len(self._unsaved) >= WAITING:
            raise VaultUnavailable(
                f"the vault cannot be written to, and {WAITING:,} texts are waiting: it accepts no more until it can"
            )
        own = secrets.token_bytes(KEY_BYTES)
        content = text.encode("utf-8")
        reference = secrets.token_urlsafe(16)
        self._unsaved[reference] = Unsaved(
            marketplace, subject, reference, own + content, seen or self.seen(marketplace, subject)
        )
        return Sealed(hmac.digest(own, content, "sha256"), reference)

    def flush(self) -> None:
        """Make all sealed texts durable. VaultUnavailable if that fails: nothing may be appended then. The texts stay
        in memory for the next ``flush``."""
        if not self._unsaved:
            return
        with self._flushing:
            texts = list(self._unsaved.values())
            if texts:
                with _keys_match():
                    self._write(texts)
            for text in texts:
                del self._unsaved[text.reference]

    def is_pointed_to(self, record: bytes) -> bool:
        """Whether these bytes contain a reference to a text that is not durable yet. References are random, so no match
        is a coincidence."""
        return any(reference.encode() in record for reference in list(self._unsaved))

    def open(self, reference: str) -> str:
        """The text of a reference. TextGone if there is none, or its subject was erased."""
        return self.read(reference).decode("utf-8")

    def proves(self, sealed: Sealed) -> bool:
        """Whether the stored text is the one that the commitment was made from."""
        return self.fits(sealed) is True

    def fits(self, committed: Sealed | Committed) -> bool | None:
        """Whether the stored text or file is the one that an event commits to. None if there is none, or its subject
        was erased. VaultUnavailable."""
        try:
            own, content = self._opened(committed.reference)
        except TextGone:
            return None
        except Damaged:
            return False
        if isinstance(committed, Committed):
            return hashlib.sha256(content).digest() == committed.sha256
        return hmac.compare_digest(hmac.digest(own, content, "sha256"), committed.commitment)

    # ---- files -------------------------------------------------------------------------------------------------------

    def keep(self, marketplace: str, subject: str, reference: str, content: bytes) -> bool:
        """Store a file under this reference. It is durable on return. False: it was stored before."""
        with _keys_match():
            own = secrets.token_bytes(KEY_BYTES)
            return self._put(Unsaved(marketplace, subject, reference, own + content, self.seen(marketplace, subject)))

    def read(self, reference: str) -> bytes:
        """The bytes of a text or a file. TextGone if there are none, or the subject was erased."""
        try:
            return self._opened(reference)[1]
        except Damaged:
            raise VaultUnavailable(
                f"the text {reference} cannot be decrypted: the vault is damaged. Restore it from a copy"
            ) from None

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

    # ---- subjects ----------------------------------------------------------------------------------------------------

    def erase(self, marketplace: str, subject: str) -> bool:
        """Destroy the subject's key, and with it every text under it. Returns whether there was a key. Durable on
        return.

        Call it only after an admitted ``SubjectErased`` with no open hold before it. The caller checks this. An engine
        uses ``carry_out`` instead.
        """
        self.flush()
        return self._erase(marketplace, subject)

    def carry_out(self, journal: str, partition: int, before: int, position: int, erasures: Sequence[Erasure]) -> bool:
        """Destroy the keys of these subjects that were made before their erasure was known, and store how far the
        journal's partition is carried out, in one transaction. False, and nothing changed, if the stored position is
        not ``before``.

        Call ``scrub`` afterwards, because the database's files may still contain the keys. The vault stores that a
        scrub is due together with the erasure.
        """
        if erasures:
            self.flush()
        return self._carry_out(journal, partition, before, position, sorted(erasures))

    def close(self) -> None:
        """Flush the sealed texts if possible, and close the database."""
        with contextlib.suppress(VaultUnavailable):
            self.flush()
        self._close()

    # ---- ownership ---------------------------------------------------------------------------------------------------

    @property
    def opened(self) -> bool:
        """Whether the database is open. A vault whose server was away is opened later."""
        return True

    def lost(self, journal: str) -> Mapping[int, int] | None:
        """Per partition of a journal, the offset before which its texts were declared lost. Empty: none were. None:
        this vault does not know the journal."""
        noted = self._noted(ownership_note(journal))
        return None if noted is None else {int(n): offset for n, offset in json.loads(noted).items()}

    def note_lost(self, journal: str, lost: Mapping[int, int]) -> None:
        """Note that this vault belongs to the journal, except for texts written before these offsets."""
        self._note(ownership_note(journal), json.dumps(dict(lost)).encode())

    def control(self, journal: str) -> ControlNote | None:
        """Return the note of the control log of a journal."""
        noted = self._noted(f"control {journal}")
        return None if noted is None else ControlNote(*json.loads(noted))

    def note_control(self, journal: str, note: ControlNote) -> None:
        """Note the control log of a journal."""
        self._note(f"control {journal}", json.dumps(note).encode())

    def _agree(self, format: str, check: bytes) -> None:
        """Check the format and the key. VaultUnavailable, VaultKeyWrong."""
        if format != FORMAT:
            raise VaultUnavailable(
                f"the vault has format {format}, this release reads {FORMAT}: install a newer release"
            )
        if not hmac.compare_digest(check, self._keys.check):
            raise VaultKeyWrong(
                "the vault was made with another key: set RESCIND_VAULT_KEY or vault_key_file to that key"
            )

    def _agree_when_opened_late(self, knows: bool) -> None:
        """``knows``: whether a vault opened late has a note of ``owner``. VaultUnavailable."""
        if self.owner is not None and not knows:
            raise VaultUnavailable(
                "this vault has no note of the journal, so it may be another one: restart now that it can be reached"
            )

    # ---- what a subclass implements. Each raises VaultUnavailable ----------------------------------------------------

    @abstractmethod
    def _write(self, texts: Sequence[Unsaved]) -> None:
        """Write all texts durably, or none. A subject without a key gets one."""

    @abstractmethod
    def _put(self, file: Unsaved) -> bool:
        """Write the file durably, unless a readable one exists. An erased one is replaced."""

    @abstractmethod
    def drop(self, reference: str) -> None:
        """Delete a file that no event refers to."""

    @abstractmethod
    def _find(self, reference: str) -> StoredText | None: ...

    @abstractmethod
    def has(self, references: Sequence[str]) -> int:
        """How many of these references, each named once, were ever stored here, whether or not their subject was erased
        since."""

    @abstractmethod
    def _noted(self, name: str) -> bytes | None:
        """The vault's note of this name."""

    @abstractmethod
    def _note(self, name: str, value: bytes) -> None:
        """Store a note durably."""

    @abstractmethod
    def _erase(self, marketplace: str, subject: str) -> bool:
        """Delete the subject's key so that no file of the database contains it. Returns whether there was one."""

    @abstractmethod
    def erased_through(self, journal: str, partition: int) -> int:
        """How far the erasures of this journal's partition are carried out: the ordinal of the first commit that is
        not."""

    @abstractmethod
    def _carry_out(
        self, journal: str, partition: int, before: int, position: int, erasures: Sequence[Erasure]
    ) -> bool: ...

    @abstractmethod
    def scrub(self) -> None:
        """If keys were destroyed since the last scrub, remove them from the database's files."""

    @abstractmethod
    def counts(self) -> tuple[int, int]:
        """The number of subjects with a key, and the number of texts under these keys."""

    @abstractmethod
    def _close(self) -> None: ...
