"""Examine a whole store, part by part."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from consumers.ports.journal import JournalError
from consumers.ports.vault import VaultUnavailable
from infra.diagnostics.commands import check_commands
from infra.diagnostics.findings import Finding, Progress, of_topic
from infra.diagnostics.log import (
    check_control_log,
    check_history,
    check_journal,
    check_local_state,
    check_marketplaces,
    newest_pinned,
)
from infra.diagnostics.publishing import check_publishing
from infra.diagnostics.views_and_vault import check_erasures, check_notifications, check_vault, check_views
from infra.settings import Settings
from infra.store.control_note import control_noted
from infra.store.logs import Store, store_of
from infra.store.opening import open_control
from infra.store.pinned_policies import pinned_in_views
from infra.store.recorded_positions import marks_of, marks_of_control
from infra.vault.base import ControlNote, DatabaseVault
from infra.vault.opening import open_vault, vault_exists

LITTLE_SPACE: Final = 512 * 1024 * 1024
"""Free bytes on the disk below which the finding is ``wrong``."""


def examine(settings: Settings, *, deep: bool = False, progress: Progress | None = None) -> Iterator[Finding]:
    """Examine everything. ``deep``: admit every commit again from the log's bytes, and compare local state with the
    result."""
    store = store_of(settings)
    if store is None:
        yield Finding(
            "journal", "note", "memory: is not stored anywhere", "name one on disk with --journal sqlite:///DIR"
        )
        return
    directory = store.directory
    try:
        exists = store.exists()
    except JournalError as wrong:
        yield Finding("journal", "wrong", str(wrong), "check that the brokers run and can be reached from this machine")
        return
    if not any(exists):
        make = "create one with `rescind import` or `rescind serve`"
        yield Finding("journal", "wrong", f"there is none in {store}", f"{make}, or name another with --journal")
        return
    directory.mkdir(parents=True, exist_ok=True)
    yield _space(directory)
    yield from check_topics(settings)
    control = None
    try:
        control = open_control(store, "doctor", create=False)
        pinned = [*pinned_in_views(settings.views_at), *newest_pinned(directory)]
        noted, has_history = _of_journal(settings, store)
        yield from check_control_log(control, marks_of_control(settings), noted, pinned, has_history)
        yield from check_marketplaces(control, settings)
    except JournalError as wrong:
        yield Finding(
            "control log", "wrong", str(wrong), "copy it aside, and restore it from a copy: it has the policies"
        )
    try:
        with closing(store.journal(None)) as journal:
            if control is not None:
                try:
                    control.agree(journal.partitions)
                except JournalError as wrong:
                    yield Finding(
                        "journal", "wrong", str(wrong), "restore the journal and the control log that belong together"
                    )
            yield from check_journal(journal, progress)
            yield from check_local_state(directory, journal)
            with _vault(settings) as vault:
                marks = marks_of(settings, directory, journal.identity, journal.partitions, vault)
            yield from check_history(directory, journal, marks, control, deep=deep, progress=progress)
            yield check_views(settings, directory, journal)
            yield from check_publishing(settings, directory, journal)
            yield from check_commands(settings, journal)
            yield check_vault(settings, directory, journal, deep=deep)
    except JournalError as wrong:
        yield Finding(
            "journal", "wrong", str(wrong), "copy it aside, and restore it from a copy: nothing else can replace it"
        )
    finally:
        if control is not None:
            control.journal.close()
    yield from check_erasures(settings)
    yield check_notifications(settings)


def check_topics(settings: Settings) -> Iterator[Finding]:
    """Report the settings of the topics that differ from what a journal needs."""
    at = settings.journal_at
    if at.kafka is None:
        return
    from infra.kafka.admin import Topics

    with closing(Topics(at.kafka, settings.security)) as topics:
        found = topics.check(at.partitions)
    if not any(each.do for each in found):
        yield Finding("topics", "ok", "partitions, replicas and settings are as they must be")
    yield from (of_topic(each) for each in found if each.do)


def _of_journal(settings: Settings, store: Store) -> tuple[ControlNote | None, bool]:
    """Return the vault's note of the journal's control log, and whether the journal has records. (None, False) if they
    cannot be read."""
    with suppress(JournalError), closing(store.journal(None)) as journal, _vault(settings) as vault:
        has_history = any(journal.end(partition) for partition in range(journal.partitions))
        return control_noted(vault, journal.identity), has_history
    return None, False


@contextmanager
def _vault(settings: Settings) -> Iterator[DatabaseVault | None]:
    """The vault, if it exists and can be opened."""
    with ExitStack() as stack:
        vault = None
        with suppress(VaultUnavailable):
            vault = stack.enter_context(closing(open_vault(settings))) if vault_exists(settings) else None
        yield vault


def _space(directory: Path) -> Finding:
    free = shutil.disk_usage(directory).free
    if free < LITTLE_SPACE:
        return Finding(
            "disk",
            "wrong",
            f"only {free // 2**20} MiB are free at {directory}",
            "free some space before the disk is full",
        )
    return Finding("disk", "ok", f"{free // 2**20:,} MiB are free")
