"""Cells of a CSV file that a spreadsheet opens: text that looks like a formula is marked as text (DESIGN.md 8)."""

from typing import Any, Final

FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a formula begins with."""


def safe_cell(value: Any) -> Any:
    """The value; text that looks like a formula with an apostrophe in front. Numbers stay numbers."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULAS) else value
