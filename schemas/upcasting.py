"""Upcasters, which convert events of earlier contract versions to the next version.

A version needs no upcaster if the next one only has more fields, each with a default: ``codec`` reads it directly.

An upcaster takes the fields of version N (a dict; records inside are dicts, lists are tuples) and returns those of
version N + 1. It is total and pure: it leaves a field that it cannot know empty, and never guesses from a clock or
another event. It raises ValueError if the fields cannot be valid.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

Fields = dict[str, Any]
Upcaster = Callable[[Fields], Fields]
Upcasters = Mapping[tuple[str, int], Upcaster]

UPCASTERS: Final[Upcasters] = MappingProxyType({})
"""(stored name, version) → the upcaster to version + 1. If one starts from a version, each version from
which that version is reached has one too."""


def upcast(name: str, version: int, fields: Fields, current: int, steps: Upcasters = UPCASTERS) -> Fields:
    """Convert the fields of ``version`` to those of ``current``, step by step. Raises KeyError if one is missing."""
    for before in range(version, current):
        fields = steps[name, before](fields)
    return fields
