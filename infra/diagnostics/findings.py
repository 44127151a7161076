"""Findings of an examination."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from infra.kafka.admin import Finding as Compared

State = Literal["ok", "note", "wrong"]
Progress = Callable[[int, int], None]
"""Called with the number of records examined so far, and the total."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The finding about one part. ``wrong`` fails the examination, ``note`` is information. ``do`` says what to do, and
    is empty if there is nothing to do.

    The fields are the keys of ``rescind doctor --json``.
    """

    part: str
    state: State
    said: str
    do: str = ""


def of_topic(compared: "Compared") -> Finding:
    """The finding about a topic that was compared with what it must be."""
    state: State = "wrong" if compared.state == "wrong" else "note"
    text = f"{compared.what} is {compared.found}, but must be {compared.wanted}"
    return Finding(compared.topic, state, text, compared.do)
