"""Cells of a CSV file that a spreadsheet opens: text that looks like a formula is marked as text.

A spreadsheet skips blanks before a formula. One that is set to semicolons or tabs also splits a cell of our commas at
these, and a formula may begin behind each of them.
"""

import re
from typing import Any, Final

_BLANKS: Final = '[^\\S\\t\\r\\n]|[\u200b\u200e\u200f\u2060\ufeff"]'
_FORMULA: Final = re.compile(f"^(?=[\\t\\r\\n])|(?:^|(?<=[;|\\t\\r\\n]))(?=(?:{_BLANKS})*[=+\\-@＝＋－＠])")
"""The places where a formula may begin: at the cell's beginning and behind a separator, blanks and quotes skipped."""


def safe_cell(value: Any) -> Any:
    """The value; in text an apostrophe stands wherever a formula could begin. Numbers stay numbers."""
    return _FORMULA.sub("'", value) if isinstance(value, str) else value
