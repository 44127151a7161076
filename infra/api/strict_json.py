"""Reading JSON from strangers: bounded in size and depth, no key twice, no NaN, no half characters."""

import json
import re
from collections import Counter
from typing import Any, Final

MAX_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 32
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class NotJson(ValueError):
    """What came is not acceptable JSON; ``status`` is 400, or 413 where it is too long. The message is a sentence."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def too_long() -> NotJson:
    """The body exceeds MAX_BYTES."""
    return NotJson(f"the body is longer than {MAX_BYTES:,} bytes", 413)


def read_json(raw: bytes, most: int = MAX_BYTES) -> Any:
    """The value of a JSON text in UTF-8 of at most ``most`` bytes; NotJson says what is wrong with it."""
    if len(raw) > most:
        raise too_long()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as broken:
        raise NotJson(f"the body is not UTF-8: byte {broken.start} does not belong there") from None
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise NotJson(f"the body is nested deeper than {MAX_DEPTH} levels")
    try:
        value = json.loads(text, object_pairs_hook=_each_key_once, parse_constant=_no_constant)
    except json.JSONDecodeError as broken:
        raise NotJson(f"the body is not JSON: {broken.msg} at character {broken.pos}") from None
    except NotJson:
        raise
    except ValueError:
        raise NotJson("the body holds a number of thousands of digits, which nobody needs") from None
    if _SURROGATE.search(raw):
        try:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            raise NotJson("the body holds half a character (a surrogate without its partner)") from None
    return value


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        times = Counter(name for name, _ in pairs)
        twice = next(name for name in times if times[name] > 1)
        raise NotJson(f"the body has the key {twice[:100]!r} twice in one object")
    return found


def _no_constant(name: str) -> Any:
    raise NotJson(f"the body holds {name}, which is not JSON")


def _depth(text: str) -> int:
    """How deep brackets are nested, those inside strings left out."""
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
