"""A small compiler from Avro schemas to strict codecs: Python source, generated once per schema.

Records, arrays, unions with null, enums, fixed, bytes, string, long, int, boolean and null. Bytes are accepted only
if encoding what was decoded gives the same bytes again: no overlong or out-of-range numbers, no bad index, no
boolean but 0 and 1, no array in other blocks than one, nothing behind the end. Everything that is wrong is Malformed.

Limits may stand in the schema beside a type: ``minimum`` and ``maximum`` of a number, ``minBytes`` and ``maxBytes`` of
bytes and strings (UTF-8), ``minItems`` and ``maxItems`` of an array. They hold for encoding and decoding.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


class Malformed(ValueError):
    """These bytes, or this value, are not what the schema says; ``reason`` is one short sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Codec:
    """``encode(value) -> bytes`` and ``decode(bytes) -> value`` of one schema; both raise Malformed and nothing else.

    ``source`` is the generated code, to read.
    """

    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]
    source: str


def compile_schema(schema: Any, classes: Mapping[str, type] | None = None) -> Codec:
    """The codec of a schema (parsed JSON).

    ``classes`` maps a record's name (without namespace) to the dataclass that it is read into and written from; the
    dataclass has the record's fields, in any order. Records that are not named there are dicts. Arrays are read as
    tuples, enums as strings, logical types as the type below them. ValueError for what the compiler does not know.
    """
    raise NotImplementedError
