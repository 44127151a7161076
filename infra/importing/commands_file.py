"""Reads a commands file: UTF-8 JSON Lines, one command per line (docs/reference/commands.md), as a stream.

A malformed line is reported as bad with its number and reason, and reading continues. Lines are counted from 1; blank
lines are skipped.
"""

import hashlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from domain.commands import parse_command
from domain.errors import BadInput
from infra.api.strict_json import MAX_BYTES, NotJson, read_json
from infra.importing.items import Item, NotThere, because, error_of
from infra.importing.reasons import Translator

_BLOCK: Final = 1 << 20
_MARK: Final = b"\xef\xbb\xbf"
"""The byte order mark that some editors write before UTF-8."""


class CommandsFile:
    """A commands file on disk, or standard input, which is copied to a temporary file to compute its hash."""

    def __init__(self, file: BinaryIO, translate: Translator | None = None, policy: str | None = None) -> None:
        """``translate``: translates reason codes of another company (``--reasons``). ``policy``: of orders that name
        none (``--policy``)."""
        self._file = file
        self.translate = translate
        self._policy = policy
        self._done = 0
        digest = hashlib.sha256()
        self.size = 0
        while block := file.read(_BLOCK):
            digest.update(block)
            self.size += len(block)
        self.sha256 = digest.digest()
        file.seek(0)

    @property
    def done(self) -> int:
        return self._done

    def items(self) -> Iterator[Item]:
        number = 0
        while line := self._file.readline(MAX_BYTES + 2):
            number += 1
            self._done += len(line)
            if len(line) > MAX_BYTES and not line.endswith(b"\n"):
                self._done += _skip_line(self._file)
                yield Item(number, None, f"the line is longer than {MAX_BYTES:,} bytes")
                continue
            if number == 1 and line.startswith(_MARK):
                line = line[len(_MARK) :]
            text = line.strip(b" \t\r\n")
            if text:
                yield read_line(number, text, self.translate, self._policy)

    def close(self) -> None:
        self._file.close()


def read_line(number: int, text: bytes, translate: Translator | None = None, policy: str | None = None) -> Item:
    """Read a line that is not blank."""
    try:
        body = read_json(text)
    except NotJson as wrong:
        return Item(number, None, str(wrong).replace("the body", "the line", 1))
    try:
        if policy is not None and isinstance(body, dict) and body.get("command") == "PlaceOrder":
            body = {"policy": policy} | body
        command = parse_command(body if translate is None else translate(body))
        if command.at is None:
            raise BadInput("/at", "form", "the field is required in an import")
    except BadInput as wrong:
        return Item(number, None, error_of(wrong))
    return Item(number, command)


def open_commands(name: str, translate: Translator | None = None, policy: str | None = None) -> CommandsFile:
    """Open the commands file of this name; ``-`` is standard input. NotThere says why it cannot be read."""
    if name == "-":
        return CommandsFile(_spooled(sys.stdin.buffer), translate, policy)
    path = Path(name)
    if path.is_dir():
        raise NotThere(f"{path} is a folder; a commands file is JSON Lines (for the Olist folder: --format olist)")
    try:
        file = path.open("rb")
        if not file.seekable():
            with file:
                return CommandsFile(_spooled(file), translate, policy)
        return CommandsFile(file, translate, policy)
    except OSError as wrong:
        raise because(wrong, path) from None


def _spooled(stream: BinaryIO) -> BinaryIO:
    file = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the input
    shutil.copyfileobj(stream, file, _BLOCK)
    file.seek(0)
    return file


def _skip_line(file: BinaryIO) -> int:
    """Skip to the end of the line. Returns the number of bytes skipped."""
    skipped = 0
    while part := file.readline(_BLOCK):
        skipped += len(part)
        if part.endswith(b"\n"):
            break
    return skipped
