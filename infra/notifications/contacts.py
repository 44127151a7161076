"""Addresses of buyers and sellers: sealed in the vault under the person's key, so that erasing a subject erases them
too.

The vault's reference of a contact follows from the person's id, so every engine on one vault finds it without the
delivery store. The store has a second reference, for the moment in which the first is replaced, and for contacts of an
earlier release. A buyer and a seller of the same id are two people.
"""

import contextlib
import hashlib
import json
from typing import Final

from pydantic import TypeAdapter

from consumers.ports.notifications import Contact, PostRefused
from domain.commands import Marketplace, Name
from domain.notification_rules import Audience
from infra.documents.packs import LANGUAGES
from infra.notifications.delivery_store import SqliteDeliveryStore
from infra.notifications.mail.building import fit_for_header, is_address
from infra.vault.base import DatabaseVault, TextGone

LONGEST_NAME: Final = 200
_MARKETPLACE: Final[TypeAdapter[str]] = TypeAdapter(Marketplace)
_PERSON: Final[TypeAdapter[str]] = TypeAdapter(Name)


class BadContact(ValueError):
    """The contact is not valid. The message says what is wrong and what is allowed. ``pointer``: the field, as a JSON
    pointer; None if the person's id is wrong."""

    def __init__(self, message: str, pointer: str | None = None) -> None:
        super().__init__(message)
        self.pointer = pointer


class Contacts:
    """The ``Directory`` port over the delivery store and the vault."""

    def __init__(self, store: SqliteDeliveryStore, vault: DatabaseVault) -> None:
        self.store = store
        self._vault = vault

    def contact(self, marketplace: str, audience: Audience, recipient_id: str) -> Contact | None:
        places = place_of(marketplace, audience, recipient_id), self.store.contact(marketplace, audience, recipient_id)
        for reference in places:
            if reference is not None:
                with contextlib.suppress(TextGone):
                    return Contact(**json.loads(self._vault.open(reference)))
        return None

    def set(self, marketplace: str, audience: Audience, recipient_id: str, contact: Contact) -> None:
        """Store a contact in place of the one before. BadContact, VaultUnavailable, DeliveryStoreUnavailable."""
        for kind, given, what in ((_MARKETPLACE, marketplace, "marketplace"), (_PERSON, recipient_id, audience)):
            try:
                kind.validate_python(given)
            except ValueError:
                raise BadContact(f"{given[:100]!r} is no id of a {what}") from None
        if not is_address(contact.address):
            raise BadContact(f"the address {contact.address[:300]!r} is no mail address: write name@host", "/address")
        if contact.language not in LANGUAGES:
            known = ", ".join(LANGUAGES)
            raise BadContact(f"there is no language {contact.language[:100]!r}; there are {known}", "/language")
        if contact.name is not None:
            if not contact.name or len(contact.name) > LONGEST_NAME:
                raise BadContact(f"the name has 1 to {LONGEST_NAME} characters", "/name")
            try:
                fit_for_header(contact.name, "the name")
            except PostRefused as wrong:
                raise BadContact(str(wrong), "/name") from None
        fields = {"address": contact.address, "name": contact.name, "language": contact.language}
        text = json.dumps(fields, ensure_ascii=False)
        sealed = self._vault.seal(marketplace, recipient_id, text)
        self._vault.flush()
        self.store.set_contact(marketplace, audience, recipient_id, sealed.reference)
        place = place_of(marketplace, audience, recipient_id)
        self._vault.drop(place)
        self._vault.keep(marketplace, recipient_id, place, text.encode())

    def remove(self, marketplace: str, audience: Audience, recipient_id: str) -> bool:
        """Remove a contact; whether there was one. The vault destroys the text when the subject is erased."""
        there = self.contact(marketplace, audience, recipient_id) is not None
        self._vault.drop(place_of(marketplace, audience, recipient_id))
        return self.store.set_contact(marketplace, audience, recipient_id, None) or there


def place_of(marketplace: str, audience: Audience, recipient_id: str) -> str:
    """Return the vault's reference of a person's contact."""
    named = f"{marketplace}\0{audience}\0{recipient_id}".encode()
    return f"contact-{hashlib.sha256(named).hexdigest()[:40]}"
