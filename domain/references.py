"""References of cancellations, short enough to be read aloud.

A reference is derived from the hash of the cancellation's commit, so it can be found in the log and is not stored.
``C-7F3K-9QXM`` is the first 40 bits of the hash in Crockford's base 32, which has no I, L, O or U. Two cancellations
have the same reference with a probability of about one in 10^12, so texts name the order next to the reference.
"""

import re
from typing import Final

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_FORM: Final = re.compile(r"C-?([0-9A-Z]{4})-?([0-9A-Z]{4})", re.ASCII)
_READ_AS: Final = str.maketrans("ILO", "110")


def reference_of(commit: bytes) -> str:
    """Return the reference of the cancellation in the commit with this hash."""
    bits = int.from_bytes(commit[:5], "big")
    text = "".join(ALPHABET[bits >> shift & 31] for shift in range(35, -1, -5))
    return f"C-{text[:4]}-{text[4:]}"


def read_reference(text: str) -> str | None:
    """Normalize a reference that a person typed; None if it is not one. Ignores case, dashes and look-alike letters."""
    found = _FORM.fullmatch(text.strip().upper())
    if found is None:
        return None
    code = (found[1] + found[2]).translate(_READ_AS)
    return None if set(code) - set(ALPHABET) else f"C-{code[:4]}-{code[4:]}"
