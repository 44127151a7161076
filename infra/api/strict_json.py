"""Strict JSON reader for untrusted input: limited size and depth, no repeated keys, no NaN, no lone surrogates."""

import json
import re
from collections import Counter
from typing import Any, Final

MAX_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 32
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class NotJson(ValueError):
    """The text is not acceptable JSON; ``status`` is 400, or 413 if it is too long."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def too_long() -> NotJson:
    """The error for a body longer than MAX_BYTES."""
    return NotJson(f"the body is longer than {MAX_BYTES:,} bytes", 413)


def read_json(raw: bytes, most: int = MAX_BYTES) -> Any:
    """Parse a JSON text in UTF-8 of at most ``most`` bytes; NotJson says what is wrong with it."""
    if len(raw) > most:
        raise too_long()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as broken:
        raise NotJson(f"the body is not UTF-8: byte {broken.start} is invalid") from None
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise NotJson(f"the body is nested deeper than {MAX_DEPTH} levels")
    try:
        value = json.loads(text, object_pairs_hook=_each_key_once, parse_constant=_no_constant)
    except json.JSONDecodeError as broken:
        raise NotJson(f"the body is not JSON: {broken.msg} at character {broken.pos}") from None
    except NotJson:
        raise
    except ValueError:
        raise NotJson("the body has a number with thousands of digits") from None
    if _SURROGATE.search(raw):
        try:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            raise NotJson("the body has a lone surrogate, which is not a character") from None
    return value


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        times = Counter(name for name, _ in pairs)
        twice = next(name for name in times if times[name] > 1)
        raise NotJson(f"the body has the key {twice[:100]!r} twice in one object")
    return found


def _no_constant(name: str) -> Any:
    raise NotJson(f"the body has {name}, which is not JSON")


def _depth(text: str) -> int:
    """Return how deep brackets are nested, not counting those inside strings."""
    deepest = depth = 0
    for token in re.finditer(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', text, re.DOTALL):
        match token[0]:
            case "[" | "{":
                depth += 1
                deepest = max(deepest, depth)
            case "]" | "}":
                depth -= 1
            case _:
                continue
    return deepest
