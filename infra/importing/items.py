"""The items that every input format is read into: one per command or malformed piece."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from domain.commands import Command
from domain.errors import BadInput


@dataclass(slots=True)
class Item:
    """A command and its line, or why it cannot be read (``error``). ``line`` counts from 1."""

    line: int
    command: Command | None
    error: str | None = None


class Input(Protocol):
    """An input of some format."""

    sha256: bytes
    """32 bytes that identify the input; importing it again continues or repeats the same import."""
    size: int
    """Bytes, for the progress bar."""

    @property
    def done(self) -> int:
        """Bytes read so far."""
        ...

    def items(self) -> Iterator[Item]:
        """Yield the items in order; may be called once."""
        ...

    def close(self) -> None:
        """Close the files."""
        ...


class NotThere(Exception):
    """The input cannot be read; the message says why and what to do."""


def error_of(wrong: BadInput) -> str:
    """Write an error as in ``bad_lines``: field, rule if it has one, sentence."""
    return error_text(wrong.pointer, wrong.rule, wrong.message)


def error_text(pointer: str | None, rule: str | None, message: str) -> str:
    """Write an error from its field, rule and sentence; parts may be missing."""
    return ": ".join(part for part in (pointer, None if rule == "form" else rule, message) if part)


def because(wrong: OSError, path: Path) -> NotThere:
    """Return a NotThere for an error of the operating system."""
    return NotThere(f"{path} cannot be read: {wrong.strerror or wrong}")
