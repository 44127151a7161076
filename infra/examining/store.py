"""The examination of a whole store, part by part."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from consumers.journal import JournalError
from infra.examining.beside import look_at_vault, look_at_views
from infra.examining.findings import Finding, Progress
from infra.examining.log import look_at_control, look_at_journal, look_at_local_state
from infra.journals.sqlite import open_sqlite_journal
from infra.opening import open_control
from infra.places import CONTROL_FILE, JOURNAL_FILE
from infra.settings import Settings

LITTLE_SPACE: Final = 512 * 1024 * 1024
"""Bytes free on the disk below which it is time to make room."""


def examine(settings: Settings, *, deep: bool = False, progress: Progress | None = None) -> Iterator[Finding]:
    """Look at everything. ``deep``: every commit is judged anew from the log, and local state compared with that."""
    directory = settings.journal_at.directory
    if directory is None:
        yield Finding("journal", "note", "memory: is kept nowhere", "name a kept one with --journal sqlite:///DIR")
        return
    if not (directory / JOURNAL_FILE).exists() and not (directory / CONTROL_FILE).exists():
        make = "make one with `rescind import` or `rescind serve`"
        yield Finding("journal", "wrong", f"there is none in {directory}", f"{make}, or name another with --journal")
        return
    yield _space(directory)
    control = None
    try:
        control = open_control(directory, "doctor", create=False)
        yield look_at_control(control)
    except JournalError as wrong:
        yield Finding("control log", "wrong", str(wrong), "bring the file back from a copy: the policies stand in it")
    try:
        with closing(open_sqlite_journal(directory / JOURNAL_FILE, create=False)) as journal:
            if control is not None:
                try:
                    control.agree(journal.partitions)
                except JournalError as wrong:
                    yield Finding("journal", "wrong", str(wrong), "put back what belongs together")
            yield from look_at_journal(journal, progress)
            yield from look_at_local_state(directory, journal, deep=deep)
            yield look_at_views(settings, directory, journal)
    except JournalError as wrong:
        yield Finding("journal", "wrong", str(wrong), "bring the file back from a copy: nothing else can replace it")
    finally:
        if control is not None:
            control.journal.close()
    yield look_at_vault(settings, directory)


def _space(directory: Path) -> Finding:
    free = shutil.disk_usage(directory).free
    if free < LITTLE_SPACE:
        return Finding(
            "disk", "wrong", f"only {free // 2**20} MiB are free at {directory}", "make room before it is full"
        )
    return Finding("disk", "ok", f"{free // 2**20:,} MiB are free")
