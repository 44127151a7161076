"""The examination of a whole store, part by part."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from consumers.ports.journal import JournalError
from consumers.ports.vault import VaultUnavailable
from infra.diagnostics.commands import look_at_commands
from infra.diagnostics.findings import Finding, Progress, of_topic
from infra.diagnostics.log import (
    look_at_control,
    look_at_history,
    look_at_journal,
    look_at_local_state,
    look_at_markets,
)
from infra.diagnostics.publishing import look_at_publishing
from infra.diagnostics.views_and_vault import look_at_erasures, look_at_notices, look_at_vault, look_at_views
from infra.settings import Settings
from infra.store.logs import store_of
from infra.store.opening import open_control
from infra.store.recorded_positions import marks_of
from infra.vault.base import DatabaseVault
from infra.vault.opening import is_there, open_vault

LITTLE_SPACE: Final = 512 * 1024 * 1024
"""Bytes free on the disk below which it is time to make room."""


def examine(settings: Settings, *, deep: bool = False, progress: Progress | None = None) -> Iterator[Finding]:
    """Look at everything. ``deep``: every commit is judged anew from the log, and local state compared with that."""
    store = store_of(settings)
    if store is None:
        yield Finding("journal", "note", "memory: is kept nowhere", "name a kept one with --journal sqlite:///DIR")
        return
    directory = store.directory
    try:
        there = store.there()
    except JournalError as wrong:
        yield Finding("journal", "wrong", str(wrong), "look whether the brokers run and can be reached from here")
        return
    if not any(there):
        make = "make one with `rescind import` or `rescind serve`"
        yield Finding("journal", "wrong", f"there is none in {store}", f"{make}, or name another with --journal")
        return
    directory.mkdir(parents=True, exist_ok=True)
    yield _space(directory)
    yield from look_at_topics(settings)
    control = None
    try:
        control = open_control(store, "doctor", create=False)
        yield from look_at_control(control)
        yield from look_at_markets(control, settings)
    except JournalError as wrong:
        yield Finding(
            "control log", "wrong", str(wrong), "copy it aside, and bring it back from a copy: the policies stand in it"
        )
    try:
        with closing(store.journal(None)) as journal:
            if control is not None:
                try:
                    control.agree(journal.partitions)
                except JournalError as wrong:
                    yield Finding("journal", "wrong", str(wrong), "put back what belongs together")
            yield from look_at_journal(journal, progress)
            yield from look_at_local_state(directory, journal)
            with _vault(settings) as vault:
                marks = marks_of(settings, directory, journal.identity, journal.partitions, vault)
            yield from look_at_history(directory, journal, marks, control, deep=deep, progress=progress)
            yield look_at_views(settings, directory, journal)
            yield from look_at_publishing(settings, directory, journal)
            yield from look_at_commands(settings, journal)
            yield look_at_vault(settings, directory, journal, deep=deep)
    except JournalError as wrong:
        yield Finding(
            "journal", "wrong", str(wrong), "copy it aside, and bring it back from a copy: nothing else can replace it"
        )
    finally:
        if control is not None:
            control.journal.close()
    yield from look_at_erasures(settings)
    yield look_at_notices(settings)


def look_at_topics(settings: Settings) -> Iterator[Finding]:
    """What of the topics' settings differs from what a journal stands on."""
    at = settings.journal_at
    if at.kafka is None:
        return
    from infra.kafka.admin import Topics

    with closing(Topics(at.kafka, settings.security)) as topics:
        found = topics.check(at.partitions)
    if not any(each.do for each in found):
        yield Finding("topics", "ok", "partitions, replicas and settings are as they must be")
    yield from (of_topic(each) for each in found if each.do)


@contextmanager
def _vault(settings: Settings) -> Iterator[DatabaseVault | None]:
    """The vault, if there is one that can be opened."""
    with ExitStack() as stack:
        vault = None
        with suppress(VaultUnavailable):
            vault = stack.enter_context(closing(open_vault(settings))) if is_there(settings) else None
        yield vault


def _space(directory: Path) -> Finding:
    free = shutil.disk_usage(directory).free
    if free < LITTLE_SPACE:
        return Finding(
            "disk", "wrong", f"only {free // 2**20} MiB are free at {directory}", "make room before it is full"
        )
    return Finding("disk", "ok", f"{free // 2**20:,} MiB are free")
