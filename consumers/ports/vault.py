"""The vault port: where free texts and files live, so that no event, topic or dead letter has them."""

import hashlib
from typing import Protocol

from domain.events import Sealed


class VaultUnavailable(Exception):
    """The vault cannot take the text at the moment; nothing was written to the journal."""


class Vault(Protocol):
    """Called from the engine's one thread only."""

    def seal(self, marketplace: str, subject: str, text: str) -> Sealed:
        """Keep ``text`` under the key of ``subject`` in this marketplace; what an event may carry of it.

        The text is durable when this returns: an admitted event never points to what the vault does not have.
        VaultUnavailable if it cannot be kept.
        """
        ...


class Files(Protocol):
    """Files of evidence, in the same vault under the same keys. Called from any thread."""

    def keep(self, marketplace: str, subject: str, reference: str, content: bytes) -> bool:
        """Keep a file under the subject's key, durable when this returns; False: it is kept there already.

        What an erased subject left under the reference makes room. VaultUnavailable if it cannot be kept.
        """
        ...

    def drop(self, reference: str) -> None:
        """Let a file go that no event came to name."""
        ...

    def read(self, reference: str) -> bytes:
        """The file; LookupError if there is none or its subject was erased."""
        ...


def file_reference(marketplace: str, order_id: str, evidence_id: str, sha256: bytes) -> str:
    """Where the file of a piece of evidence is kept: it follows from the event, so the event need not carry it.

    ``sha256`` is the file's own hash, as ``EvidenceAdded`` has it: another content has another place.
    """
    named = f"{marketplace}\0{order_id}\0{evidence_id}\0".encode() + sha256
    return f"file-{hashlib.sha256(named).hexdigest()[:40]}"
