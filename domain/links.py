"""Finds links in a text. The notice of *canceled but shipped* may hold none (rule ``notice-has-link``).

The text is checked as written and as a reader or a mail program would see it: compatibility characters folded (NFKC),
invisible ones and accents dropped, look-alike dots, colons and slashes replaced, and percent, quoted-printable, HTML
and JavaScript escapes decoded. Everything that could become a link counts: schemes, ``www``, bare host names, spaced or
bracketed dots, network addresses, queries, markup, mail addresses.

In doubt, a text counts as a link: after a wrong refusal the seller adds a blank, while a missed link can cost the
customer money. Prices, times, dates, versions, initials and tracking numbers are not links, and a full stop of another
script ends a sentence.
"""

import html
import re
import unicodedata
from collections.abc import Callable
from itertools import pairwise
from typing import Final
from urllib.parse import unquote

_ANY_CASE = re.IGNORECASE
_TLDS: Final = (
    "com|net|org|info|biz|io|de|co|uk|eu|ru|cn|fr|nl|pl|ch|ly|gg|xyz|shop|store|app|dev|online|site|link|click|top|me|"
    "tv|cc|ws|ai"
)
"""Ends of host names that count even with blanks or commas around the dot."""
_POINTS: Final = "·•。｡‧∙⋅ꓸ۔܁܂"
_SCHEME = re.compile(
    r"[a-z][a-z0-9+.\-]{0,30}\s*:\s*(?:/\s*/|\\\s*\\|/(?=\S))"
    r"|\b(?:https?|hxxps?|ftps?|file|mailto|javascript|vbscript)\s*:"
    r"|\b(?:tel|sms|callto|skype|whatsapp|data|cid|mid|urn|magnet|blob|about|view-source|geo|intent|market|news|irc|"
    r"feed|webcal|bitcoin|steam|ws|wss):(?=[^\s:])"
    r"|\bhxxps?\b|(?:^|[^\w:/])//\w|\\\\\w",
    _ANY_CASE,
)
_WWW = re.compile(r"\bwww\d*\b", _ANY_CASE)
_RUN = re.compile(r"[\w\-.]+")
_END = re.compile(r"xn--[a-z0-9\-]+|[^\W\d_]{2,63}", _ANY_CASE)
_LOOSE_HOST = re.compile(
    rf"\w\s+\.\s*(?:{_TLDS})\b"  # shop .com, shop . com
    rf"|\w\.\s+(?:com|net|org|biz|io|xyz|co\.uk)\b"  # shop. com
    rf"|\w[\s\[({{<]{{0,8}}[\[({{<]\s*[.{_POINTS}]\s*[\])}}>][\s\])}}>]{{0,8}}\w"  # shop[.]com
    rf"|\w\s+\.\s+[a-z]{{2,24}}\s*/\s*\w"  # t . me / abc
    rf"|\w,(?:com|net|org|info|biz)\b"  # shop,com
    rf"|\w\s*[{_POINTS}]\s*(?:{_TLDS})\b"  # shop·com, but not col·laborar
    r"|\b(?:[^\W_][ \t]){2,40}[^\W_]?[ \t]*\.[ \t]*(?:[^\W_][ \t]){1,40}[^\W_]\b",  # s h o p . c o m
    _ANY_CASE,
)
_MACHINE = re.compile(
    r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])"  # 192.168.0.1
    r"|\[[0-9a-f:.%]{3,}\]"  # [2001:db8::1]
    r"|(?<![\w:])(?:[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){7}|[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){0,6}::(?:[0-9a-f]{1,4})?|::[0-9a-f]+)"
    r"|\b0x[0-9a-f]{1,8}\.\w"
    r"|\blocalhost\b|\b[a-z][\w\-]{0,62}:(?:443|8080|8443)\b",
    _ANY_CASE,
)
_QUERY = re.compile(r"[\w/]\?[\w.%\-]{1,64}=\S|(?:^|\s)[?#]/?[\w.%\-]{1,64}=\S|#/\w", _ANY_CASE)
_MARKUP = re.compile(
    r"<\s*+(?:/\s*+)?+[a-z!]|\[[^\]\[]{0,200}\]\s*\([^()]*+[()]|^[ \t]*\[[^\]\[]{1,200}\]\s*:|\[/?url|\bhref\s*=",
    _ANY_CASE | re.MULTILINE,
)
_MAIL = re.compile(r"[^\s@]@[^\s@.]+\.[^\s@]|\w\s*@\s*[\w\-]+\s*\.\s*[a-z]{2,}|:\S{0,64}\w@\w", _ANY_CASE)
_SPOKEN = re.compile(
    rf"\b\w++\s*+(?:[\[({{]\s*+)?+\b(?:dot|punkt|point)\b\s*+(?:[\])}}]\s*+)?+(?:{_TLDS})\b|\b(?:dot|punkt)\s+(?:com|net|org)\b",
    _ANY_CASE,
)
_ALL: Final = (_SCHEME, _WWW, _MARKUP, _MAIL, _MACHINE, _SPOKEN, _LOOSE_HOST, _QUERY)
_ESCAPES = re.compile(r"\\u\{([0-9a-f]{1,6})\}|\\u([0-9a-f]{4})|\\x([0-9a-f]{2})", _ANY_CASE)
_QUOTED = re.compile(r"(?:=[0-9A-F]{2})+")
_SOFT_BREAK = re.compile(r"=[ \t]*\r?\n")
_LOOKS: Final = str.maketrans(
    {
        **dict.fromkeys("∕⁄⧸╱⟋／", "/"),
        **dict.fromkeys("：꞉∶ː˸׃᠄", ":"),
        **dict.fromkeys("＠", "@"),
        **dict.fromkeys("\u3164\u115f\u1160\u2800\uffa0"),
        **{chr(start + n): chr(ord("a") + n) for start in (0x1F150, 0x1F170, 0x1F1E6) for n in range(26)},
    }
)
"""Characters that look like a slash, colon or at sign, letters that are blank, white on black, or half of a flag."""
_DOTS: Final = re.compile(r"(?<=[a-z0-9])[。｡‧∙⋅ꓸ۔܁܂𐩐・ㆍ](?=[a-z])", _ANY_CASE | re.ASCII)
"""Characters that look like a dot, between letters of host names. Elsewhere they end a sentence or join a name."""
_MARKS: Final = ("Mn", "Me")
_HIDDEN: Final = (*_MARKS, "Cf", "Cc", "Cn", "Co")
_KNOWN: Final = frozenset(_TLDS.split("|"))
_ROUNDS: Final = 5
"""The number of nested levels of escapes that are decoded."""


def plain(text: str) -> str:
    """Return the text as a reader or a mail program would see it."""
    for _ in range(_ROUNDS):
        before = text
        text = _without(text, _is_mark)  # Otherwise normalizing would sort a long run of marks, which is slow.
        text = _SOFT_BREAK.sub("", text)
        text = _QUOTED.sub(lambda m: bytes.fromhex(m[0].replace("=", "")).decode("utf-8", "replace"), text)
        text = html.unescape(unquote(_ESCAPES.sub(_unescaped, text)))
        text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).translate(_LOOKS)).translate(_LOOKS)
        text = _without(text, _is_hidden)
        text = _DOTS.sub(".", text)
        if text == before:
            break
    return text


def _without(text: str, unwanted: Callable[[str], bool]) -> str:
    """Remove the unwanted characters. Each different character is judged once."""
    return text.translate(dict.fromkeys(ord(c) for c in set(text) if unwanted(c)))


def _is_mark(c: str) -> bool:
    return unicodedata.combining(c) != 0 or unicodedata.category(c) in _MARKS


def _is_hidden(c: str) -> bool:
    return unicodedata.category(c) in _HIDDEN and c not in "\n\t\r "


def _unescaped(found: re.Match[str]) -> str:
    number = int(found[1] or found[2] or found[3], 16)
    return chr(number) if number <= 0x10FFFF else found[0]


def find_link(text: str) -> str | None:
    """Return the first part of the text that looks like a link, or None."""
    for form in dict.fromkeys((text, plain(text))):
        for pattern in _ALL:
            found = pattern.search(form)
            if found:
                return found.group(0).strip()
        host = _host(form)
        if host is not None:
            return host
    return None


def _host(text: str) -> str | None:
    """Find a host name: a label, a dot and letters, without a blank. An initial and a name (J.Smith) are not one."""
    for run in _RUN.findall(text):
        labels = run.split(".")
        for label, after in pairwise(labels):
            end = _END.match(after)
            if end is None or not label or not label[-1].isalnum():
                continue
            initial = len(label) == 1 and label.isupper() and after[0].isupper() and not after[1].isupper()
            if not initial or end[0].lower() in _KNOWN:
                return f"{label}.{end[0]}"
    return None
