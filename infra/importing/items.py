"""What every format is read into: one item per command, or per piece of input that is none."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from domain.commands import Command
from domain.errors import BadInput


@dataclass(slots=True)
class Item:
    """A command and where it stood, or why there is none (``error``). ``line`` counts from 1."""

    line: int
    command: Command | None
    error: str | None = None


class Input(Protocol):
    """An input of some format: what it is (``sha256``), how large, and its items in order."""

    sha256: bytes
    """32 bytes: the same input imported again continues or repeats the same import."""
    size: int
    """Bytes, for the progress bar."""

    @property
    def done(self) -> int:
        """Bytes read so far."""
        ...

    def items(self) -> Iterator[Item]:
        """The items in order; may be called once."""
        ...

    def close(self) -> None:
        """Let go of the files."""
        ...


class NotThere(Exception):
    """The input cannot be read; the message says why and what to do."""


def told(wrong: BadInput) -> str:
    """What is wrong with a command, as ``bad_lines`` has it: field, rule where one has a name, sentence."""
    return error_text(wrong.pointer, wrong.rule, wrong.message)


def error_text(pointer: str | None, rule: str | None, message: str) -> str:
    """The same from its parts."""
    return ": ".join(part for part in (pointer, None if rule == "form" else rule, message) if part)


def because(wrong: OSError, path: Path) -> NotThere:
    """An operating system's error as ours."""
    return NotThere(f"{path} cannot be read: {wrong.strerror or wrong}")
