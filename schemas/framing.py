"""The Confluent wire framing of a public record: a zero byte, the schema's registry id (4 bytes, big-endian), the body.

Only records of public topics have this framing. Commits and records of the journal name their format themselves.
"""

from struct import Struct
from typing import Final

from domain.wording import counted

_HEAD: Final = Struct(">BI")
_MAGIC: Final = 0
HEAD_BYTES: Final = _HEAD.size
"""Bytes before the body."""


class NotFramed(ValueError):
    """The bytes do not begin with the framing."""


def frame(schema_id: int, body: bytes) -> bytes:
    """Put the head before a body. Raises ValueError if the id does not fit into 32 unsigned bits."""
    if not 0 <= schema_id <= 0xFFFF_FFFF:
        raise ValueError(f"schema id {schema_id} is not in 0..4294967295")
    return _HEAD.pack(_MAGIC, schema_id) + body


def unframe(framed: bytes) -> tuple[int, bytes]:
    """Split framed bytes into (schema id, body), or raise NotFramed. The body is not checked against the schema."""
    if len(framed) < HEAD_BYTES:
        raise NotFramed(f"{counted(len(framed), 'byte is', 'bytes are')} fewer than the {HEAD_BYTES} of the head")
    magic, schema_id = _HEAD.unpack_from(framed)
    if magic != _MAGIC:
        raise NotFramed(f"the first byte is {magic}, not 0")
    return schema_id, framed[HEAD_BYTES:]
