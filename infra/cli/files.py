"""Output files of options: checked before anything is opened, and named in every error.

An output file never overwrites a file that the command reads, neither by name nor through a link.
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
"""FILE of a command that means standard input."""


def check_output(option: str, file: str, *, reads: Iterable[str | Path], settings: "Settings | None" = None) -> None:
    """UsageError unless ``option`` can write ``file``: not a folder, in an existing folder, not read by the command.

    ``reads``: files and folders that the command reads; ``-`` is standard input. ``settings``: the file must not belong
    to this store either. Nothing is opened or created.
    """
    path = Path(file)
    another = f"name another file with {option}"
    if not file or path.is_dir():
        raise UsageError(f"{option} {file}: is a folder, not a file; {another}")
    if not path.parent.is_dir():
        raise UsageError(f"{option} {file}: there is no folder {path.parent}; create it, or {another}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UsageError(f"{option} {file}: this user may not write there; {another}")
    for read in reads:
        if same_file(path, read):
            what = "standard input" if read == STANDARD_INPUT else str(read)
            raise UsageError(f"{option} {file}: would overwrite {what}, which this command reads; {another}")
    if settings is not None and any(same_file(path, own) for own in _of_store(settings)):
        raise UsageError(f"{option} {file}: belongs to the store and would be overwritten; {another}")


def same_file(path: Path, other: str | Path) -> bool:
    """True if writing ``path`` would change ``other``: a file, a file in a folder, or ``-``."""
    if other != STANDARD_INPUT and Path(other).is_dir():
        return any(same_file(path, each) for each in Path(other).iterdir() if each.is_file())
    try:
        found = os.fstat(sys.stdin.fileno()) if other == STANDARD_INPUT else os.stat(other)
        there = os.stat(path)
    except (OSError, ValueError):  # one of them does not exist (ValueError: standard input is not a file)
        return other != STANDARD_INPUT and path.resolve() == Path(other).resolve()
    return stat.S_ISREG(there.st_mode) and os.path.samestat(there, found)


def _of_store(settings: "Settings") -> Iterable[Path]:
    """Yield the files of the store and its key and settings files."""
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
    """An output file cannot be written any more."""


class Written:
    """A new text file for an option's output. NotWritten, with its name, if it cannot be written any more."""

    def __init__(self, option: str, file: str) -> None:
        self._option = option
        self._name = file
        try:
            self._file: TextIO = open(file, "w", encoding="utf-8", newline="")  # noqa: SIM115 - closed by close
        except OSError as wrong:
            raise self._lost(wrong) from None

    def write(self, text: str) -> int:
        """Write all of the text and return its length."""
        try:
            return self._file.write(text)
        except OSError as wrong:
            raise self._lost(wrong) from None

    def close(self) -> None:
        """Close the file; NotWritten if it is incomplete."""
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
            f"{self._option} {self._name} cannot be written ({wrong.strerror or wrong}) and is incomplete. Check its "
            "device, or name another file."
        )
