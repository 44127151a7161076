"""Prints tables, times and money for people."""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Final, Literal

from domain.instants import DAY, HOUR, MINUTE, SECOND, Instant, parse_instant
from infra.cli.standard_streams import visible

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType

NARROWEST: Final = 110
"""Width of text that goes to a file or pipe."""


def console(*, stderr: bool = False) -> "Console":
    """Return the console for text, as wide as the terminal, or NARROWEST if there is none."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else NARROWEST
    return Console(stderr=stderr, width=width, highlight=False, markup=True, soft_wrap=False)


def print_json(value: Any) -> None:
    """Print a JSON value on one line."""
    plain = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    sys.stdout.write(json.dumps(value, ensure_ascii=plain, separators=(",", ":")) + "\n")


def say(text: str) -> None:
    """Print a line to standard error."""
    sys.stderr.write(visible(text) + "\n")


IDS: Final = frozenset({"letter", "order", "deadline", "notice", "to", "about", "topic", "policy", "seller", "sku"})
"""Columns of ids, whose cells are never wrapped because people copy them."""
_LEAST: Final = 12
"""Least width of other columns of text."""


def echo(text: str) -> None:
    """Print a line of an answer with control characters escaped."""
    sys.stdout.write(visible(text) + "\n")
    sys.stdout.flush()


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[str] = ()) -> "Table":
    """Return a table that ``console`` prints; columns named in ``right`` are numbers. Ids stay whole: where they leave
    no room for the other columns, each row becomes a block of lines."""
    cells = [["" if cell is None else visible(str(cell)) for cell in row] for row in rows]
    return Table(columns, cells, right)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under columns, laid out for the width of the console."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: Sequence[str]

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "Iterator[RenderableType]":
        yield self._grid() if self._needs() <= options.max_width else self._blocks()

    def _widths(self) -> list[int]:
        from rich.cells import cell_len

        return [
            max(map(cell_len, (name, *(row[n] for row in self.rows)))) for n, name in enumerate(self.columns)
        ]  # fmt: skip

    def _needs(self) -> int:
        """Return the least width of a grid in which no id is wrapped."""
        pairs = zip(self.columns, self._widths(), strict=True)
        least = [width if name in IDS or name in self.right else min(width, _LEAST) for name, width in pairs]
        return sum(least) + 3 * (len(least) - 1)

    def _grid(self) -> "RenderableType":
        from rich import box
        from rich.table import Table as Grid
        from rich.text import Text

        made = Grid(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for name, width in zip(self.columns, self._widths(), strict=True):
            whole = name in IDS
            justify: Literal["left", "right"] = "right" if name in self.right else "left"
            made.add_column(name, justify=justify, overflow="fold", no_wrap=whole, min_width=width if whole else None)
        for row in self.rows:
            made.add_row(*map(Text, row))
        return made

    def _blocks(self) -> "RenderableType":
        from rich.text import Text

        longest = max(map(len, self.columns))
        blocks = [
            "\n".join(
                f"{name:<{longest}}  {cell}".rstrip() for name, cell in zip(self.columns, row, strict=True) if cell
            )
            for row in self.rows
        ]
        return Text("\n\n".join(blocks), overflow="fold")


def money(minor: int, currency: str) -> str:
    """Write an amount with its currency's decimals."""
    from domain.money import written

    return written(minor, currency).replace("-", "−")


def when(instant: Instant | str | None) -> str:
    """Write a time in UTC, with a blank instead of the T."""
    if instant is None:
        return ""
    from domain.instants import format_instant

    text = instant if isinstance(instant, str) else format_instant(instant)
    return text.replace("T", " ")


def from_now(instant: Instant | str, now: Instant) -> str:
    """Write the distance to an instant: ``in 3 h 20 min``, ``2 d ago``."""
    gone = (parse_instant(instant) if isinstance(instant, str) else instant) - now
    return f"in {length(gone)}" if gone >= 0 else f"{length(-gone)} ago"


def length(micros: int) -> str:
    """Write a length of time in its two largest units."""
    if micros < MINUTE:
        return f"{max(micros // SECOND, 0)} s"
    parts: list[tuple[int, str]] = []
    for unit, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        count, micros = divmod(micros, unit)
        if count or parts:
            parts.append((count, name))
    return " ".join(f"{count} {name}" for count, name in parts[:2] if count)


def plain(text: str) -> str:
    """Escape markup and control characters, so that text is printed as it is."""
    from rich.markup import escape

    return escape(visible(text))


def indented(text: str, width: int) -> str:
    """Return plain text with each of its lines, also the wrapped ones, moved to the right."""
    margin = "   "
    lines = wrap(text, width - len(margin), break_long_words=False, break_on_hyphens=False)
    return "\n".join(plain(margin + line) for line in lines)
