"""Files that options write into: judged before anything is opened, written with their own name in every error.

Nothing that is read for the same command is ever written over: not by its name, not by a link to it.
"""

import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self, TextIO

from infra.addresses.files import CONTROL_FILE, JOURNAL_FILE
from infra.cli.exits import Unavailable, UsageError

if TYPE_CHECKING:
    from infra.settings import Settings

STANDARD_INPUT: Final = "-"
"""Standard input, where a command has it as its FILE."""


def check_output(option: str, file: str, *, reads: Iterable[str | Path], settings: "Settings | None" = None) -> None:
    """Wrong unless ``option`` may write into ``file``: no folder, in a folder that is there, and nothing that is read.

    ``reads``: what the command reads beside, folders with all that lies in them; ``-`` is standard input. ``settings``:
    no file of this store either. Nothing is opened, and nothing made.
    """
    path = Path(file)
    another = f"name another file with {option}"
    if not file or path.is_dir():
        raise UsageError(f"{option} {file}: is a folder, not a file: {another}")
    if not path.parent.is_dir():
        raise UsageError(f"{option} {file}: there is no folder {path.parent}: make it, or {another}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UsageError(f"{option} {file}: this user may not write there: {another}")
    for read in reads:
        if same_file(path, read):
            what = "standard input" if read == STANDARD_INPUT else str(read)
            raise UsageError(f"{option} {file}: would write over {what}, which is read: {another}")
    if settings is not None and any(same_file(path, kept) for kept in _of_store(settings)):
        raise UsageError(f"{option} {file}: belongs to the store, and would be lost: {another}")


def same_file(path: Path, other: str | Path) -> bool:
    """Whether writing into ``path`` changes ``other`` (a file, whatever lies in a folder, or ``-``)."""
    if other != STANDARD_INPUT and Path(other).is_dir():
        return any(same_file(path, each) for each in Path(other).iterdir() if each.is_file())
    try:
        found = os.fstat(sys.stdin.fileno()) if other == STANDARD_INPUT else os.stat(other)
        there = os.stat(path)
    except (OSError, ValueError):  # one of them is not there (ValueError: input that is no file)
        return other != STANDARD_INPUT and path.resolve() == Path(other).resolve()
    return stat.S_ISREG(there.st_mode) and os.path.samestat(there, found)


def _of_store(settings: "Settings") -> Iterable[Path]:
    """The files that the store is kept in, and those beside it."""
    directory = settings.journal_at.directory
    if directory is not None:
        for pattern in (f"{JOURNAL_FILE}*", f"{CONTROL_FILE}*", "vault.key", "notices.*", "state/**/*"):
            yield from directory.glob(pattern)
    for place in (settings.views_at.path, settings.vault_at.path):
        if place is not None:
            yield from place.parent.glob(f"{place.name}*")
    if settings.vault_key_file is not None:
        yield Path(settings.vault_key_file)
    if settings.file is not None:
        yield Path(settings.file)


class NotWritten(Unavailable):
    """A file that an option names takes no more."""


class Written:
    """A text file that is written from its beginning. NotWritten, by its name, where it takes no more."""

    def __init__(self, option: str, file: str) -> None:
        self._option = option
        self._name = file
        try:
            self._file: TextIO = open(file, "w", encoding="utf-8", newline="")  # noqa: SIM115 - closed by close
        except OSError as wrong:
            raise self._lost(wrong) from None

    def write(self, text: str) -> int:
        """All of it; how many characters."""
        try:
            return self._file.write(text)
        except OSError as wrong:
            raise self._lost(wrong) from None

    def close(self) -> None:
        """Everything is in the file, or NotWritten."""
        try:
            self._file.close()
        except OSError as wrong:
            raise self._lost(wrong) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _lost(self, wrong: OSError) -> NotWritten:
        return NotWritten(
            f"{self._option} {self._name} cannot be written ({wrong.strerror or wrong}) and is not whole: see to its "
            "device, or name another file"
        )
