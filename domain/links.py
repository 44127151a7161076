"""Is there a link in a text? The notice of *cancelled but shipped* may carry none (rule ``notice-has-link``).

Checked on the text as written and on its plain form: compatibility characters folded (NFKC), invisible ones dropped,
percent, HTML and JavaScript escapes undone. What a mail program could turn into a link counts: schemes, ``www.``, bare
host names, addresses of machines, markup, mail addresses.
"""

import html
import re
import unicodedata
from typing import Final
from urllib.parse import unquote

_ANY_CASE = re.IGNORECASE
_SCHEME = re.compile(
    r"[a-z][a-z0-9+.\-]{0,30}\s*:\s*(//|\\\\|/)|\b(mailto|tel|sms|javascript|data|https?|ftp|file)\s*:", _ANY_CASE
)
_WWW = re.compile(r"\bwww\d*\s*\.", _ANY_CASE)
_TIGHT_HOST = re.compile(
    r"[^\W_](?:[\w\-]{0,61}[^\W_])?(?:\.[^\W_](?:[\w\-]{0,61}[^\W_])?)*\.(xn--[a-z0-9\-]+|[^\W\d_]{2,63})",
    _ANY_CASE,
)
_IP = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])|\[[0-9a-f:]{3,}\]", _ANY_CASE)
_MARKUP = re.compile(r"<\s*/?\s*[a-z!][^>]*>?|\[[^\]]*\]\s*\([^)]*\)|\[/?url|\bhref\s*=", _ANY_CASE)
_MAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
_SPOKEN = re.compile(r"\b\w+\s*[\[({]?\s*(?:dot|punkt)\s*[\])}]?\s*(?:com|net|org|info|io|de|co|shop|biz)\b", _ANY_CASE)
_ESCAPES = re.compile(r"\\u([0-9a-f]{4})|\\x([0-9a-f]{2})", _ANY_CASE)
_DOTS: Final = str.maketrans({"。": ".", "．": ".", "｡": ".", "․": ".", "∕": "/", "⁄": "/", "：": ":", "꞉": ":"})
_ABBREVIATIONS: Final = frozenset({"e.g", "i.e", "z.b", "u.a", "d.h", "a.m", "p.m", "no", "nr", "inc", "etc"})


def plain(text: str) -> str:
    """The text as a reader, or a mail program, would make of it."""
    for _ in range(3):
        before = text
        text = html.unescape(unquote(_ESCAPES.sub(lambda m: chr(int(m[1] or m[2], 16)), text)))
        text = unicodedata.normalize("NFKC", text).translate(_DOTS)
        text = "".join(c for c in text if unicodedata.category(c) not in ("Cf", "Cc") or c in "\n\t\r ")
        if text == before:
            break
    return text


def find_link(text: str) -> str | None:
    """What looks like a link, or None."""
    for form in (text, plain(text)):
        for pattern in (_SCHEME, _WWW, _MARKUP, _MAIL, _IP, _SPOKEN):
            found = pattern.search(form)
            if found:
                return found.group(0)
        for found in _TIGHT_HOST.finditer(form):
            if found.group(0).lower() not in _ABBREVIATIONS and not _only_initials(found.group(0)):
                return found.group(0)
    return None


def _only_initials(text: str) -> bool:
    """``U.S`` and the like: every part a single letter."""
    return all(len(part) == 1 for part in text.split("."))
