"""Dead letters: what could not be read, told or published, with its error and where it comes from.

Four origins. *journal*: a record or commit that is malformed; it never became part of the history, and nothing can be
tried again. *views*: an order whose events could not be told; its rows stand still. *publisher*: an order whose events
could not be published; none of it goes out until they can. *commands*: a record of the commands topic that is no
command, or not in its place; it was never decided. Each letter has an id that says which it is, so that it is kept
once; on a topic a letter is the original bytes, unless a text of somebody's may be in them, and headers say the rest.
"""

from dataclasses import dataclass
from typing import Final, Literal

from consumers.ports.public_log import PublicRecord
from domain.wording import counted
from schemas.public.records import LETTER_TYPE
from schemas.public.topics import DEAD_LETTERS

Origin = Literal["journal", "views", "publisher", "commands"]

LETTER_BYTES: Final = 1_000_000
"""What is longer is left where it is: the letter says where."""
ERROR_CHARACTERS: Final = 1_000


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """``key`` is the original key; where it is not known, the stream. ``place`` names the log, ``offset`` and ``index``
    say where in it; ``ordinal`` is None for what was never admitted."""

    id: str
    origin: Origin
    error: str
    key: bytes
    value: bytes
    place: str
    partition: int
    offset: int | None
    index: int | None
    stream: str | None
    ordinal: int | None
    event: str | None = None

    @property
    def record(self) -> PublicRecord:
        """The letter as the topic has it."""
        value, told = self.value, self.error[:ERROR_CHARACTERS]
        if len(value) > LETTER_BYTES:
            value, told = b"", f"{told} ({counted(len(value), 'byte')}, left where they are)"
        said: list[tuple[str, object]] = [
            ("letter", self.id),
            ("error", told),
            ("origin", self.origin),
            ("place", self.place),
            ("partition", self.partition),
            ("offset", self.offset),
            ("index", self.index),
            ("stream", self.stream),
            ("ordinal", self.ordinal),
            ("event", self.event),
        ]
        headers = [(f"rescind-{name}", str(what).encode()) for name, what in said if what is not None]
        headers.append(("content-type", LETTER_TYPE.encode()))
        return PublicRecord(DEAD_LETTERS, self.key, value, tuple(headers))


def malformed_id(partition: int, offset: int, index: int) -> str:
    """The letter of a malformed commit; ``index`` -1 for a whole record."""
    return f"journal:{partition}:{offset}" if index < 0 else f"journal:{partition}:{offset}:{index}"


def unprojected_id(log: str, partition: int, stream: str) -> str:
    """The letter of an order that the views could not tell."""
    return f"views:{log}:{partition}:{stream}"


def unpublished_id(partition: int, stream: str) -> str:
    """The letter of an order that could not be published."""
    return f"publisher:{partition}:{stream}"
