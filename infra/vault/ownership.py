"""Check that the vault belongs to the log. A vault is not a cache, and must not be replaced silently.

The vault notes the journals whose texts it stores. If it has no note of a journal, it is compared with everything that
refers to it: the texts in the log's events, and the addresses in the delivery store. If it has none of them, the vault
is missing or another one. Then nothing is created or written until somebody restores it or declares the texts lost
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
from consumers.ports.journal import Journal, JournalError
from consumers.ports.vault import VaultUnavailable
from infra.addresses.files import DELIVERY_STORE_FILE
from infra.settings import Settings
from infra.sqlite.file import open_existing
from infra.vault.base import DatabaseVault
from infra.vault.opening import key_file, open_vault, vault_exists

BRING_BACK: Final = (
    "restore it from a copy, with its key, or name where it is (RESCIND_VAULT); several engines on one log share "
    "one vault. If it is lost for good, start once with `rescind serve --texts-lost`"
)
"""The remedy, in words."""
OLDER_COPY: Final = (
    "it is an older copy or was damaged: restore a newer one. If there is none, start once with `rescind serve "
    "--texts-lost`. Set addresses again with `rescind contacts set`"
)
"""The remedy for a vault that lacks something, in words."""
NEWEST: Final = 500
"""Records of each partition whose texts a start looks for in the vault."""
_PAGE: Final = 500


class VaultGone(VaultUnavailable):
    """The log refers to texts of a vault that is missing, or the vault is another one. The message says what to do."""


class ReferenceCounts(NamedTuple):
    """How many texts and addresses are referred to, and how many of them the vault never had."""

    texts: int
    texts_missing: int
    addresses: int
    addresses_missing: int

    @property
    def missing(self) -> int:
        return self.texts_missing + self.addresses_missing

    @property
    def is_foreign(self) -> bool:
        """Whether there are references and the vault has none of them."""
        return 0 < self.missing == self.texts + self.addresses

    def __str__(self) -> str:
        """The missing references, in words."""
        parts = [(self.texts_missing, "text", "texts"), (self.addresses_missing, "address", "addresses")]
        return " and ".join(f"{n:,} {one if n == 1 else many}" for n, one, many in parts if n)


def open_vault_of(
    settings: Settings, journal: Journal, directory: Path, *, open_later: bool = False, texts_lost: bool = False
) -> DatabaseVault:
    """Open the vault that the settings name, if it belongs to this journal or both are new.

    ``directory`` has the delivery store. ``texts_lost``: the operator declares missing texts lost, and a missing vault
    is created. VaultGone, VaultUnavailable.

    On a cluster every new machine has a directory without a vault. So a vault at the default place is created there
    even if the log refers to texts, and standard error says so.
    """
    try:
        there = vault_exists(settings)
    except VaultUnavailable:
        if not open_later or texts_lost:
            raise
        there = True  # unknown: only the server knows, and it is away
    starts_empty = settings.vault is None and settings.journal_at.kafka is not None
    if not there and not texts_lost and (trace := sign_of_earlier_vault(settings, journal, directory)) is not None:
        _refuse_or_warn(f"there is no vault at {settings.vault_at}, but {trace}: {BRING_BACK}", starts_empty)
    vault = open_vault(settings, open_later=open_later)
    try:
        if not vault.opened:
            if texts_lost:
                raise VaultUnavailable(f"the vault {settings.vault_at} cannot be reached: use --texts-lost when it can")
            vault.owner = journal.identity if _has_history(journal) else None
        elif texts_lost:
            vault.note_lost(journal.identity, {n: journal.end(n) for n in range(journal.partitions)})
        elif vault.lost(journal.identity) is None:
            if there:
                _check_contents(settings, vault, journal, directory, starts_empty)
            vault.note_lost(journal.identity, {})
    except BaseException:
        vault.close()
        raise
    return vault


def count_references(
    vault: DatabaseVault | None, journal: Journal, directory: Path, lost: Mapping[int, int] | None = None
) -> ReferenceCounts:
    """Count the references into the vault, and those that it lacks (None: there is no vault). ``lost``: per partition,
    the offset before which texts were declared lost; addresses were declared lost with them. VaultUnavailable,
    JournalError."""
    texts = missing = 0
    for partition in range(journal.partitions):
        for references in _references(journal, partition, (lost or {}).get(partition, 0)):
            texts += len(references)
            missing += len(references) - (0 if vault is None else vault.has(references))
    addresses = [] if lost else _addresses(directory)
    found = 0 if vault is None else sum(vault.has(addresses[n : n + _PAGE]) for n in range(0, len(addresses), _PAGE))
    return ReferenceCounts(texts, missing, len(addresses), len(addresses) - found)


def count_newest_references(vault: DatabaseVault, journal: Journal, lost: Mapping[int, int]) -> ReferenceCounts:
    """Count the references of the newest records of each partition, and those that the vault lacks. This is fast
    enough for a start. ``lost`` as for ``count_references``. VaultUnavailable, JournalError."""
    texts = missing = 0
    for partition in range(journal.partitions):
        first = max(journal.end(partition) - NEWEST, journal.begin(partition), lost.get(partition, 0))
        for references in _references(journal, partition, first):
            texts += len(references)
            missing += len(references) - vault.has(references)
    return ReferenceCounts(texts, missing, 0, 0)


def lacking(settings: Settings, vault: DatabaseVault, journal: Journal) -> str | None:
    """Return in words which texts of the newest records an open vault lacks, and the remedy. None if it has all of
    them, or is not open."""
    if not vault.opened:
        return None
    with contextlib.suppress(VaultUnavailable, JournalError):  # the follower reports what is wrong with the journal
        found = count_newest_references(vault, journal, vault.lost(journal.identity) or {})
        if found.missing:
            return (
                f"the vault {settings.vault_at} lacks {found} to which the newest {NEWEST} records of a partition "
                f"refer: {OLDER_COPY}"
            )
    return None


def mismatched_references(vault: DatabaseVault, journal: Journal) -> list[str]:
    """References of stored texts and files that differ from what the journal's events commit to. Erased and missing
    ones are left out. VaultUnavailable, JournalError."""
    return [
        each.reference
        for partition in range(journal.partitions)
        for record in records_of(journal, partition)
        for each in committed_texts(record.value)
        if vault.fits(each) is False
    ]


def sign_of_earlier_vault(settings: Settings, journal: Journal, directory: Path) -> str | None:
    """Evidence, in words, that the missing vault existed. None if there is none."""
    found = count_references(None, journal, directory)
    if found.missing:
        return f"the log and the delivery store refer to {found}"
    if _key_without_vault(settings, journal):
        return f"its key is at {key_file(settings)}, so there was one"
    return None


def _key_without_vault(settings: Settings, journal: Journal) -> bool:
    """Whether the journal has records, and the default key file exists without a vault."""
    chosen = (settings.vault, settings.vault_key, settings.vault_key_file)
    return not any(chosen) and _has_history(journal) and key_file(settings).exists()


def _refuse_or_warn(gone: str, starts_empty: bool) -> None:
    """Raise VaultGone. If an empty vault is started nevertheless, warn on standard error."""
    if not starts_empty:
        raise VaultGone(gone)
    sys.stderr.write(f"rescind: {gone}\n")


def _check_contents(
    settings: Settings, vault: DatabaseVault, journal: Journal, directory: Path, starts_empty: bool
) -> None:
    found = count_references(vault, journal, directory)
    if found.is_foreign:
        _refuse_or_warn(
            f"the vault {settings.vault_at} is another one: it lacks all {found} of this journal: {BRING_BACK}",
            starts_empty,
        )
    elif found.missing:
        sys.stderr.write(
            f"rescind: the vault {settings.vault_at} lacks {found}: restore a newer copy if there is one\n"
        )


def _has_history(journal: Journal) -> bool:
    return any(journal.end(partition) for partition in range(journal.partitions))


def _references(journal: Journal, partition: int, first: int) -> Iterator[list[str]]:
    """Yield the references in a partition's records, in groups without duplicates."""
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
    """Return the references in the delivery store. A store that cannot be read is reported when it is opened."""
    path = directory / DELIVERY_STORE_FILE
    if not path.exists():
        return []
    with (
        contextlib.suppress(sqlite3.Error),
        closing(open_existing(path, read_only=True)) as database,
    ):
        return [reference for (reference,) in database.execute("SELECT reference FROM contacts")]
    return []
