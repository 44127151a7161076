"""Dead letters: records, orders and commands that could not be processed, with the error and where they come from.

There are four origins:

- *journal*: a malformed record or commit. It is not part of the history, and it cannot be retried.
- *views*: an order whose events could not be projected. Its rows stay as they were.
- *publisher*: an order whose events could not be published. Nothing of it is published until they can be.
- *commands*: a record of the commands topic that is no command, or was sent to the wrong place. It was never decided.

A letter's id is derived from its subject, so that it is stored once. On the topic, a letter is the original bytes, left
out if they may contain a personal text. The headers have the rest.
"""

from dataclasses import dataclass
from typing import Final, Literal

from consumers.ports.public_log import PublicRecord
from domain.wording import counted
from schemas.public.records import LETTER_TYPE
from schemas.public.topics import DEAD_LETTERS

Origin = Literal["journal", "views", "publisher", "commands"]

LETTER_BYTES: Final = 1_000_000
"""A longer value is left out of the letter, which says where it is."""
ERROR_CHARACTERS: Final = 1_000


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One dead letter.

    ``key`` is the original key, or the stream if the key is not known. ``place`` names the log. ``offset`` and
    ``index`` say where in it. ``ordinal`` is None for a commit that was never admitted.
    """

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
        """The letter as a record of the dead-letter topic."""
        value, error = self.value, self.error[:ERROR_CHARACTERS]
        if len(value) > LETTER_BYTES:
            value, error = b"", f"{error} ({counted(len(value), 'byte')}, left where they are)"
        fields: list[tuple[str, object]] = [
            ("letter", self.id),
            ("error", error),
            ("origin", self.origin),
            ("place", self.place),
            ("partition", self.partition),
            ("offset", self.offset),
            ("index", self.index),
            ("stream", self.stream),
            ("ordinal", self.ordinal),
            ("event", self.event),
        ]
        headers = [(f"rescind-{name}", str(field).encode()) for name, field in fields if field is not None]
        headers.append(("content-type", LETTER_TYPE.encode()))
        return PublicRecord(DEAD_LETTERS, self.key, value, tuple(headers))


def malformed_id(partition: int, offset: int, index: int) -> str:
    """Return the id of the letter about a malformed commit; ``index`` -1 for a whole record."""
    return f"journal:{partition}:{offset}" if index < 0 else f"journal:{partition}:{offset}:{index}"


def unprojected_id(log: str, partition: int, stream: str) -> str:
    """Return the id of the letter about an order that could not be projected."""
    return f"views:{log}:{partition}:{stream}"


def unpublished_id(partition: int, stream: str) -> str:
    """Return the id of the letter about an order that could not be published."""
    return f"publisher:{partition}:{stream}"
