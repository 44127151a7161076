"""Standard input, output and error of the process, so that whatever was done to them comes to a sentence or to nothing.

An error in writing an answer is told apart from all other errors, and from a reader that has gone; one in writing to
standard error can be told to nobody.
"""

import io
import os
import select
import sys
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_INPUT, _OUTPUT, _ERROR = range(3)
CLOSED: Final = (
    "standard output is closed, so nothing could be answered, and nothing was done: send it somewhere, to /dev/null if "
    "nobody wants it"
)


_DIRECTING: Final = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""Marks that turn the reading direction: what follows them may look like something else."""
_COMMANDS: Final = (*range(0x09), *range(0x0B, 0x20), *range(0x7F, 0xA0))
"""Control characters, but for tab and line feed: a terminal may obey them."""
_NEVER_OURS: Final = {code: f"\\u{code:04x}" for code in (*range(0x80, 0xA0), *_DIRECTING)}
_UNSAFE: Final = _NEVER_OURS | {code: f"\\u{code:04x}" for code in _COMMANDS}


def visible(text: str) -> str:
    """Return text from strangers with control characters and direction marks escaped as JSON escapes them."""
    return text if text.isascii() and text.isprintable() else text.translate(_UNSAFE)


class OutputLost(Exception):
    """Standard output takes no more; the message says why."""


class NobodyReads(Exception):
    """Whoever read standard output has gone."""


class _Output(io.FileIO):
    """Standard output. The first error is raised; what is left in buffers then is thrown away."""

    lost = False

    def write(self, data: "ReadableBuffer", /) -> int:
        if self.lost:
            return memoryview(data).nbytes
        try:
            while (written := super().write(data)) is None:  # somebody has made it non-blocking
                select.select([], [self], [])
            return written
        except BrokenPipeError:
            self.lost = True
            raise NobodyReads from None
        except OSError as wrong:
            self.lost = True
            raise OutputLost(
                f"standard output cannot be written ({wrong.strerror}): the answer is not whole, and what the command "
                "did stands; send it elsewhere"
            ) from None
        except BaseException:  # a signal, and nobody knows whether this was written: never twice
            self.lost = True
            raise


class _Error(io.FileIO):
    """Standard error."""

    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            while (written := super().write(data)) is None:
                select.select([], [self], [])
            return written
        except OSError:
            return memoryview(data).nbytes


class _Text(io.TextIOWrapper):
    """Text in which nothing but what this program styles itself commands a terminal or turns the reading direction.

    The escapes are those of JSON, so that a JSON answer keeps its value.
    """

    def write(self, text: str, /) -> int:
        super().write(text if text.isascii() else text.translate(_NEVER_OURS))
        return len(text)


class _Unbuffered(io.BufferedWriter):
    """Bytes that are written at once, however few of them the file takes at a time."""

    def write(self, data: "ReadableBuffer", /) -> int:
        taken = super().write(data)
        self.flush()
        return taken


def open_outlets() -> bool:
    """Put them in order; whether there is a standard output. What was closed is open to nothing from now on: a file
    that is opened later must not get its number."""
    closed = [number for number in (_INPUT, _OUTPUT, _ERROR) if not _is_open(number)]
    for _ in closed:
        os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
    if _INPUT in closed:
        sys.stdin = open(_INPUT, encoding="utf-8", closefd=False)  # noqa: SIM115 - it lives as long as the process
    sys.stdout = _text(_Output(_OUTPUT, "w", closefd=False), sys.stdout)
    sys.stderr = _text(_Error(_ERROR, "w", closefd=False), sys.stderr)
    return _OUTPUT not in closed


def _text(raw: io.FileIO, before: TextIO | None) -> io.TextIOWrapper:
    """Text over ``raw`` as it was before; what cannot be encoded is escaped."""
    like = before if isinstance(before, io.TextIOWrapper) else None
    at_once = like is not None and like.write_through  # PYTHONUNBUFFERED, or -u: there is no buffer below the text
    return _Text(
        _Unbuffered(raw) if at_once else io.BufferedWriter(raw),
        encoding="utf-8" if like is None else like.encoding,
        errors="backslashreplace",
        line_buffering=raw.isatty() if like is None else like.line_buffering,
        write_through=at_once,
    )


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
