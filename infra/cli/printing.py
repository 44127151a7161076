"""Text for people: tables, times, money. Nothing here decides anything."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from domain.instants import DAY, HOUR, MINUTE, SECOND, Instant, parse_instant
from infra.cli.outlets import visible

if TYPE_CHECKING:
    from rich.console import Console

NARROWEST: Final = 110
"""Columns of text that goes to a file or pipe."""


def console(*, stderr: bool = False) -> "Console":
    """Where text goes; as wide as the terminal, or NARROWEST where there is none."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else NARROWEST
    return Console(stderr=stderr, width=width, highlight=False, markup=True, soft_wrap=False)


def print_json(value: Any) -> None:
    """One JSON value on one line."""
    plain = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    sys.stdout.write(json.dumps(value, ensure_ascii=plain, separators=(",", ":")) + "\n")


def say(text: str) -> None:
    """One line to people who watch, not to what reads the output."""
    sys.stderr.write(visible(text) + "\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[str] = ()) -> Any:
    """A plain table; columns named in ``right`` are numbers."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        made.add_row(*(Text("" if cell is None else visible(str(cell))) for cell in row))
    return made


def money(minor: int, currency: str) -> str:
    """An amount with its currency's decimals."""
    from domain.money import written

    return written(minor, currency).replace("-", "−")


def when(instant: Instant | str | None) -> str:
    """A time to read: UTC, a blank instead of the T."""
    if instant is None:
        return ""
    from domain.instants import format_instant

    text = instant if isinstance(instant, str) else format_instant(instant)
    return text.replace("T", " ")


def from_now(instant: Instant | str, now: Instant) -> str:
    """How far off an instant is: ``in 3 h 20 min``, ``2 d ago``."""
    gone = (parse_instant(instant) if isinstance(instant, str) else instant) - now
    return f"in {length(gone)}" if gone >= 0 else f"{length(-gone)} ago"


def length(micros: int) -> str:
    """A length of time in its two largest units."""
    if micros < MINUTE:
        return f"{max(micros // SECOND, 0)} s"
    parts: list[tuple[int, str]] = []
    for unit, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        count, micros = divmod(micros, unit)
        if count or parts:
            parts.append((count, name))
    return " ".join(f"{count} {name}" for count, name in parts[:2] if count)


def plain(text: str) -> str:
    """Text that is to stand as it is, brackets included; what a terminal would obey is escaped."""
    from rich.markup import escape

    return escape(visible(text))
