"""Sets up standard input, output and error, so that an error on them becomes a message instead of a traceback.

An error while writing the answer differs from all other errors, and from a reader that is gone. An error while writing
to standard error cannot be reported and is ignored.
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
    "standard output is closed, so nothing was done. Redirect it to a file, or to /dev/null if you do not need it."
)


_DIRECTING: Final = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""Marks that change the reading direction, so that text may look different from what it is."""
_COMMANDS: Final = (*range(0x09), *range(0x0B, 0x20), *range(0x7F, 0xA0))
"""Control characters, which a terminal may obey, except tab and line feed."""
_NEVER_OURS: Final = {code: f"\\u{code:04x}" for code in (*range(0x80, 0xA0), *_DIRECTING)}
_UNSAFE: Final = _NEVER_OURS | {code: f"\\u{code:04x}" for code in _COMMANDS}


def visible(text: str) -> str:
    """Return untrusted text with control characters and direction marks escaped as in JSON."""
    return text if text.isascii() and text.isprintable() else text.translate(_UNSAFE)


class OutputLost(Exception):
    """Standard output cannot be written any more; the message says why."""


class NobodyReads(Exception):
    """The reader of standard output is gone."""


class _Output(io.FileIO):
    """Standard output. The first error is raised; what is still in buffers is then discarded."""

    lost = False

    def write(self, data: "ReadableBuffer", /) -> int:
        if self.lost:
            return memoryview(data).nbytes
        try:
            while (written := super().write(data)) is None:  # the file is non-blocking
                select.select([], [self], [])
            return written
        except BrokenPipeError:
            self.lost = True
            raise NobodyReads from None
        except OSError as wrong:
            self.lost = True
            raise OutputLost(
                f"standard output cannot be written ({wrong.strerror}): the answer is incomplete, although the "
                "command was carried out. Redirect it elsewhere."
            ) from None
        except BaseException:  # a signal; this may have been written, so it is never written twice
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
    """Text output that escapes control characters and direction marks, except the program's own styling.

    The escapes are those of JSON, so that a JSON answer keeps its value.
    """

    def write(self, text: str, /) -> int:
        super().write(text if text.isascii() else text.translate(_NEVER_OURS))
        return len(text)


class _Unbuffered(io.BufferedWriter):
    """A writer that writes bytes immediately, even if the file takes only a few at a time."""

    def write(self, data: "ReadableBuffer", /) -> int:
        taken = super().write(data)
        self.flush()
        return taken


def open_outlets() -> bool:
    """Set up the three streams, and return whether there is a standard output.

    A closed stream is opened on /dev/null, so that no file opened later gets its number.
    """
    closed = [number for number in (_INPUT, _OUTPUT, _ERROR) if not _is_open(number)]
    for _ in closed:
        os.open(os.devnull, os.O_RDWR)  # gets the lowest free number
    if _INPUT in closed:
        sys.stdin = open(_INPUT, encoding="utf-8", closefd=False)  # noqa: SIM115 - open as long as the process
    sys.stdout = _text(_Output(_OUTPUT, "w", closefd=False), sys.stdout)
    sys.stderr = _text(_Error(_ERROR, "w", closefd=False), sys.stderr)
    return _OUTPUT not in closed


def _text(raw: io.FileIO, before: TextIO | None) -> io.TextIOWrapper:
    """Return a text stream over ``raw`` with the settings of ``before``; unencodable characters are escaped."""
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
