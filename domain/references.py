"""The reference of a cancellation: short enough to be read out, derived from the hash of its commit, so that whoever
has the log can find it and nobody has to keep it.

``C-7F3K-9QXM`` is the first 40 bits of the hash in Crockford's base 32: no I, L, O or U. Two cancellations of one
marketplace share one by chance once in some hundred thousand million pairs of them; the order is named beside it.
"""

import re
from typing import Final

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_FORM: Final = re.compile(r"C-?([0-9A-Z]{4})-?([0-9A-Z]{4})", re.ASCII)
_READ_AS: Final = str.maketrans("ILO", "110")


def reference_of(commit: bytes) -> str:
    """The reference of the cancellation that stands in the commit with this hash."""
    bits = int.from_bytes(commit[:5], "big")
    text = "".join(ALPHABET[bits >> shift & 31] for shift in range(35, -1, -5))
    return f"C-{text[:4]}-{text[4:]}"


def read_reference(text: str) -> str | None:
    """A reference as somebody typed it, in its one form; None if it is none: case, dashes and likenesses forgiven."""
    found = _FORM.fullmatch(text.strip().upper())
    if found is None:
        return None
    code = (found[1] + found[2]).translate(_READ_AS)
    return None if set(code) - set(ALPHABET) else f"C-{code[:4]}-{code[4:]}"
