"""What an examination finds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from infra.kafka.admin import Finding as Compared

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


def of_topic(compared: "Compared") -> Finding:
    """What a topic, compared with what it must be, is to be told as."""
    state: State = "wrong" if compared.state == "wrong" else "note"
    said = f"{compared.what} is {compared.found}, wanted is {compared.wanted}"
    return Finding(compared.topic, state, said, compared.do)
