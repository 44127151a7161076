"""Protects CSV cells from spreadsheets that would run them as formulas (CSV injection).

A spreadsheet skips blanks before a formula. If it is set to semicolons or tabs, it also splits our cells there, so a
formula may begin after each of them.
"""

import re
from typing import Any, Final

_BLANKS: Final = '[^\\S\\t\\r\\n]|[\u200b\u200e\u200f\u2060\ufeff"]'
_FORMULA: Final = re.compile(f"^(?=[\\t\\r\\n])|(?:^|(?<=[;|\\t\\r\\n]))(?=(?:{_BLANKS})*[=+\\-@＝＋－＠])")
"""Matches where a formula may begin: at the start of the cell or after a separator, blanks and quotes skipped."""


def safe_cell(value: Any) -> Any:
    """Return the value; in text, an apostrophe is put wherever a formula could begin. Numbers stay numbers."""
    return _FORMULA.sub("'", value) if isinstance(value, str) else value
