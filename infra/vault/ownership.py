"""Whether the vault is the one that the log speaks of: a vault is no cache, and must not be replaced in silence.

The vault notes which journals' texts it keeps. One that does not know a journal is compared with what points into it:
the texts that the log's events name, and the addresses that the notifier's book names. Where it has none of them it is
gone, or another one, and nothing is made or written until somebody brings it back, or says that the texts are lost
(docs/adr/0016).
"""

import contextlib
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from consumers.log.readmission import records_of
from consumers.log.vault_references import committed_texts, text_references
from consumers.ports.journal import Journal
from consumers.ports.vault import VaultUnavailable
from infra.addresses.files import BOOK_FILE
from infra.settings import Settings
from infra.vault.base import DatabaseVault
from infra.vault.opening import is_there, key_file, open_vault

BRING_BACK: Final = (
    "bring it back from a copy, with its key, or name where it is (RESCIND_VAULT); several engines on one log share "
    "one. If it is lost for good, say so once: `rescind serve --texts-lost`"
)
"""What there is to do."""
_PAGE: Final = 500


class VaultGone(VaultUnavailable):
    """The log points to texts of a vault that is not there, or is another one; the message says what to do."""


class Pointed(NamedTuple):
    """What points into the vault, and how much of it the vault has never had."""

    texts: int
    texts_missing: int
    addresses: int
    addresses_missing: int

    @property
    def missing(self) -> int:
        return self.texts_missing + self.addresses_missing

    @property
    def is_anothers(self) -> bool:
        """Whether nothing of what is pointed to is there, though something is."""
        return 0 < self.missing == self.texts + self.addresses

    def __str__(self) -> str:
        """What is missing, in words."""
        parts = [(self.texts_missing, "text", "texts"), (self.addresses_missing, "address", "addresses")]
        return " and ".join(f"{n:,} {one if n == 1 else many}" for n, one, many in parts if n)


def open_vault_of(
    settings: Settings, journal: Journal, directory: Path, *, patient: bool = False, texts_lost: bool = False
) -> DatabaseVault:
    """The vault that the settings name, if it is this journal's or the journal is new to both.

    ``directory`` is where the notifier's book stands. ``texts_lost``: somebody said so: what is pointed to and not
    there is given up, and a vault is made where there is none. VaultGone, VaultUnavailable. On a cluster, where a
    directory without a vault is what every new machine has, one that nobody named is begun, and that is said.
    """
    try:
        there = is_there(settings)
    except VaultUnavailable:
        if not patient or texts_lost:
            raise
        there = True  # only the server knows, and it is away
    begun = settings.vault is None and settings.journal_at.kafka is not None
    if not there and not texts_lost and (trace := trace_of_one(settings, journal, directory)) is not None:
        _tell(f"there is no vault at {settings.vault_at}, but {trace}: {BRING_BACK}", begun)
    vault = open_vault(settings, patient=patient)
    try:
        if not vault.opened:
            if texts_lost:
                raise VaultUnavailable(f"the vault {settings.vault_at} is away: say so once it can be reached")
            vault.belongs_to = journal.identity if _has_history(journal) else None
        elif texts_lost:
            vault.note_lost(journal.identity, {n: journal.end(n) for n in range(journal.partitions)})
        elif vault.lost(journal.identity) is None:
            if there:
                _compare(settings, vault, journal, directory, begun)
            vault.note_lost(journal.identity, {})
    except BaseException:
        vault.close()
        raise
    return vault


def pointed(
    vault: DatabaseVault | None, journal: Journal, directory: Path, lost: Mapping[int, int] | None = None
) -> Pointed:
    """Compare what points into the vault with what it has (None: there is none). ``lost``: per partition the offset
    before which texts were given up; with it, addresses were, too. VaultUnavailable, JournalError."""
    texts = missing = 0
    for partition in range(journal.partitions):
        for references in _references(journal, partition, (lost or {}).get(partition, 0)):
            texts += len(references)
            missing += len(references) - (0 if vault is None else vault.has(references))
    addresses = [] if lost else _addresses(directory)
    found = 0 if vault is None else sum(vault.has(addresses[n : n + _PAGE]) for n in range(0, len(addresses), _PAGE))
    return Pointed(texts, missing, len(addresses), len(addresses) - found)


def not_as_committed(vault: DatabaseVault, journal: Journal) -> list[str]:
    """References of the texts and files that are kept, and are not what the journal's events commit to. Erased ones
    and missing ones are left out. VaultUnavailable, JournalError."""
    return [
        each.reference
        for partition in range(journal.partitions)
        for record in records_of(journal, partition)
        for each in committed_texts(record.value)
        if vault.fits(each) is False
    ]


def trace_of_one(settings: Settings, journal: Journal, directory: Path) -> str | None:
    """What says, where there is no vault, that there was one, in words; None if nothing does."""
    found = pointed(None, journal, directory)
    if found.missing:
        return f"{found} stood in one"
    if _key_without_vault(settings, journal):
        return f"its key lies at {key_file(settings)}, so there was one"
    return None


def _key_without_vault(settings: Settings, journal: Journal) -> bool:
    """Whether there is a history, and the key that was made with its vault lies where nobody put it by hand."""
    chosen = (settings.vault, settings.vault_key, settings.vault_key_file)
    return not any(chosen) and _has_history(journal) and key_file(settings).exists()


def _tell(gone: str, begun: bool) -> None:
    """VaultGone, or, where a vault is ``begun`` nevertheless, a line on standard error."""
    if not begun:
        raise VaultGone(gone)
    sys.stderr.write(f"rescind: {gone}\n")


def _compare(settings: Settings, vault: DatabaseVault, journal: Journal, directory: Path, begun: bool) -> None:
    found = pointed(vault, journal, directory)
    if found.is_anothers:
        _tell(f"the vault {settings.vault_at} is another one, it lacks all {found}: {BRING_BACK}", begun)
    elif found.missing:
        sys.stderr.write(f"rescind: the vault {settings.vault_at} lacks {found}; is there a newer copy?\n")


def _has_history(journal: Journal) -> bool:
    return any(journal.end(partition) for partition in range(journal.partitions))


def _references(journal: Journal, partition: int, first: int) -> Iterator[list[str]]:
    """The references of a partition's records, in groups, none twice in a group."""
    offset, end = first, journal.end(partition)
    while offset < end:
        records = journal.read(partition, offset, _PAGE)
        if not records:
            if (behind := journal.behind_hole(partition, offset)) <= offset:
                return
            offset = behind
            continue
        offset = records[-1].offset + 1
        if group := list(dict.fromkeys(reference for each in records for reference in text_references(each.value))):
            yield group


def _addresses(directory: Path) -> list[str]:
    """What the book names; a book that cannot be read says so itself, when it is opened."""
    path = directory / BOOK_FILE
    if not path.exists():
        return []
    with (
        contextlib.suppress(sqlite3.Error),
        closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database,
    ):
        return [reference for (reference,) in database.execute("SELECT reference FROM contacts")]
    return []
