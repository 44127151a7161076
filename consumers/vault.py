"""The vault port: where free texts live, so that no event, topic or dead letter carries them (DESIGN 2 and 8)."""

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
