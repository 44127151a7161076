"""The vault port: stores free texts and files, so that no event, topic or dead letter contains them."""

import hashlib
from typing import Protocol

from domain.events import Sealed


class VaultUnavailable(Exception):
    """The vault cannot store the text at the moment. Nothing was written to the journal."""


class Vault(Protocol):
    """Stores texts. Called from the engine's thread only."""

    def seal(self, marketplace: str, subject: str, text: str) -> Sealed:
        """Store ``text`` under the key of ``subject`` in this marketplace. Returns what events contain instead.

        The text is durable when this returns, so an admitted event never refers to a text that the vault does not
        have. Raises VaultUnavailable.
        """
        ...


class Files(Protocol):
    """Stores files of evidence, in the same vault under the same keys. Called from any thread."""

    def keep(self, marketplace: str, subject: str, reference: str, content: bytes) -> bool:
        """Store a file under the subject's key. Returns False if it is stored there already.

        The file is durable when this returns. It replaces a file of an erased subject. Raises VaultUnavailable.
        """
        ...

    def drop(self, reference: str) -> None:
        """Delete a file that no event refers to."""
        ...

    def read(self, reference: str) -> bytes:
        """Return a file. Raises LookupError if there is none or its subject was erased."""
        ...


def file_reference(marketplace: str, order_id: str, evidence_id: str, sha256: bytes) -> str:
    """Return the reference of a file of evidence. It is derived from the event, so the event need not contain it.

    ``sha256`` is the file's own hash, as in ``EvidenceAdded``, so that another content has another reference.
    """
    named = f"{marketplace}\0{order_id}\0{evidence_id}\0".encode() + sha256
    return f"file-{hashlib.sha256(named).hexdigest()[:40]}"
