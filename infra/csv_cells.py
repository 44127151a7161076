"""Cells of a CSV file that a spreadsheet opens: text that looks like a formula is marked as text (DESIGN.md 8)."""

import re
from typing import Any, Final

_FORMULA: Final = re.compile(
    r"""(?:^|[;|\t\r\n])            # the cell begins, or a spreadsheet of another locale begins one here
        [\s"'\u200b-\u200f\u2060\ufeff]*  # blanks and quotes that it drops
        [=+\-@＝＋－＠]""",
    re.VERBOSE,
)


def safe_cell(value: Any) -> Any:
    """Return the value; text that a spreadsheet may take for a formula gets an apostrophe in front."""
    if isinstance(value, str) and (_FORMULA.search(value) or value.startswith(("\t", "\r", "\n"))):
        return f"'{value}"
    return value
