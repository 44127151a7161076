"""A stream of local state in memory, and the packed form of its command ids.

A command id is looked up on its own stream only. Most streams are orders with a handful of commands. Their command ids
are packed into the stream's row, which is written anyway: 11 bytes each (a 48-bit key, a 40-bit ordinal). A stream with
more than PACKED commands has them in a separate table.
"""

from dataclasses import dataclass
from typing import Final

from consumers.ports.log_values import Head

PACKED: Final = 32
"""The most commands that are packed."""
_KEY: Final = 6
_ENTRY: Final = 11


@dataclass(eq=False, slots=True)
class Stream:
    """``commands`` is packed. None: they are in the table. ``last``: the ordinal of the latest commit on the stream."""

    id: int
    key: int
    name: str
    head: Head | None
    mark: int | None
    last: int
    commands: bytes | None
    new: bool = False


def pack(commands: bytes, key: int, ordinal: int) -> bytes:
    """Return the packed commands with one more."""
    return commands + (key << 40 | ordinal).to_bytes(_ENTRY, "big")


def is_full(commands: bytes) -> bool:
    return len(commands) >= PACKED * _ENTRY


def packed(commands: bytes) -> list[tuple[int, int]]:
    """The (key, ordinal) of each packed command."""
    return [
        (int.from_bytes(commands[at : at + _KEY], "big"), int.from_bytes(commands[at + _KEY : at + _ENTRY], "big"))
        for at in range(0, len(commands), _ENTRY)
    ]


def find(commands: bytes, key: int) -> list[int]:
    """The ordinals under this key. Nearly always none or one."""
    wanted = key.to_bytes(_KEY, "big")
    if wanted not in commands:
        return []
    return [ordinal for of, ordinal in packed(commands) if of == key]
