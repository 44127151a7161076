"""Which texts of the vault the log points to: what a vault can be told by, and what it has to have. Pure."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Final, NamedTuple

from consumers.log.commit_codec import decoded
from consumers.ports.vault import file_reference
from domain.events import EvidenceAdded, Sealed
from schemas.commit import decode_commit
from schemas.names import CURRENT
from schemas.record import decode_record
from schemas.wire import Malformed

POINTING: Final = {
    name: tuple(field.name for field in fields(of) if "Sealed" in str(field.type)) for of, name, _ in CURRENT
}
"""Of each event, by its stored name, the fields that may have a text."""


class Committed(NamedTuple):
    """A file of evidence: where the vault keeps it, if anybody gave it, and the hash that the event has of it."""

    reference: str
    sha256: bytes


def pointed_to(value: bytes) -> Iterator[str]:
    """The vault's references in a journal record's bytes, in their order. What cannot be read points to nothing: the
    log takes what anyone appends."""
    return (each.reference for each in committed_to(value) if isinstance(each, Sealed))


def committed_to(value: bytes) -> Iterator[Sealed | Committed]:
    """Every text and file that a journal record's events commit to, in their order."""
    try:
        record = decode_record(value)
    except Malformed:
        return
    for data in record.commits:
        try:
            commit = decode_commit(data)
        except Malformed:
            continue
        for part in commit.streams:
            for entry in part.events:
                event = decoded(entry) if POINTING.get(entry.name) else None
                for field in POINTING[entry.name] if event is not None else ():
                    sealed = getattr(event, field, None)
                    if isinstance(sealed, Sealed) and sealed.reference:
                        yield sealed
                if isinstance(event, EvidenceAdded):
                    marketplace, _, order_id = part.stream.partition("/")
                    reference = file_reference(marketplace, order_id, event.evidence_id, event.sha256)
                    yield Committed(reference, event.sha256)
