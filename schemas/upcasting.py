"""Old events read as new ones: for each earlier version of a contract the step to the next.

An upcaster takes the fields that version N wrote (a dict; records inside are dicts, lists are tuples) and returns
those of version N + 1. It is total and pure: what it cannot know it leaves unsaid, it never guesses from a clock or
another event. ValueError if these fields cannot be meant.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

Fields = dict[str, Any]
Upcaster = Callable[[Fields], Fields]
Upcasters = Mapping[tuple[str, int], Upcaster]

UPCASTERS: Final[Upcasters] = MappingProxyType({})
"""(stored name, version) → the step to version + 1. Every version before the current one has one."""


def upcast(name: str, version: int, fields: Fields, current: int, steps: Upcasters = UPCASTERS) -> Fields:
    """The fields of ``version`` as those of ``current``, step by step; KeyError if a step is missing."""
    for before in range(version, current):
        fields = steps[name, before](fields)
    return fields
