"""Find the vault references in journal records, to check that a vault belongs to this log and is complete. Pure."""

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

REFERRING_FIELDS: Final = {
    name: tuple(field.name for field in fields(of) if "Sealed" in str(field.type)) for of, name, _ in CURRENT
}
"""The fields of each event, by its stored name, that may refer to a text."""


class Committed(NamedTuple):
    """A file of evidence: its reference in the vault, where it is if it was uploaded, and its hash in the event."""

    reference: str
    sha256: bytes


def text_references(value: bytes) -> Iterator[str]:
    """Yield the references to texts in a journal record's bytes, in order.

    Unreadable bytes have none, because anyone may append to the log.
    """
    return (each.reference for each in committed_texts(value) if isinstance(each, Sealed))


def committed_texts(value: bytes) -> Iterator[Sealed | Committed]:
    """Yield every text and file that a journal record's events commit to, in order."""
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
                event = decoded(entry) if REFERRING_FIELDS.get(entry.name) else None
                for field in REFERRING_FIELDS[entry.name] if event is not None else ():
                    sealed = getattr(event, field, None)
                    if isinstance(sealed, Sealed) and sealed.reference:
                        yield sealed
                if isinstance(event, EvidenceAdded):
                    marketplace, _, order_id = part.stream.partition("/")
                    reference = file_reference(marketplace, order_id, event.evidence_id, event.sha256)
                    yield Committed(reference, event.sha256)
