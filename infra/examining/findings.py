"""What an examination finds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "wrong"]
Progress = Callable[[int, int], None]
"""Called with the records looked at so far, and how many there are."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one part. ``wrong`` fails the examination, ``note`` is for somebody to know. ``do`` says what
    to do next; empty where there is nothing to be done."""

    part: str
    state: State
    said: str
    do: str = ""
