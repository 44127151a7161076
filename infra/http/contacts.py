"""Contacts of buyers and sellers over HTTP: shown, set and removed by themselves, support or systems.

A contact is stored in the vault under the person's own key, as by `rescind contacts`, so erasing the person erases it.
The journal has nothing of it. Only a process that sends notifications has contacts.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from consumers.ports.notifications import Contact, DeliveryStoreUnavailable
from consumers.ports.vault import VaultUnavailable
from domain.malformed import MARKETPLACE
from domain.notification_rules import Audience
from infra.api.answers import json_response
from infra.api.forms import Body, as_object
from infra.api.problems import Problem, malformed, not_found, unavailable
from infra.app import App
from infra.http.authenticator import Authenticator
from infra.http.listing import Listing
from infra.http.writes import read_body
from infra.notifications.contacts import BadContact, Contacts

T = TypeVar("T")

PATHS: Final[dict[str, Audience]] = {"/buyers/{person_id}/contact": "buyer", "/sellers/{person_id}/contact": "seller"}
"""Path below the marketplace → whose contact it is."""
_MARKETPLACE: Final = re.compile(MARKETPLACE, re.ASCII)
_PERSON: Final = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
_FIELDS: Final = ("address", "name", "language")


class ContactDesk:
    """Handles requests about contacts. Belongs to one event loop."""

    def __init__(self, app: App, authenticator: Authenticator, listing: Listing) -> None:
        self._app = app
        self._authenticator = authenticator
        self._listing = listing

    async def take(self, request: Request, side: Audience) -> Response:
        """Handle ``GET``, ``PUT`` or ``DELETE`` of a contact; 404 for somebody else's."""
        marketplace, person = request.path_params["marketplace"], request.path_params["person_id"]
        principal = self._authenticator.identify(request, marketplace)
        if principal.kind not in (None, "support", "system") and (principal.kind, principal.id) != (side, person):
            raise _unknown()
        if not (_MARKETPLACE.fullmatch(marketplace) and _PERSON.fullmatch(person)):
            if request.method == "PUT":
                raise malformed("a person's id has 1 to 200 characters, and no control characters", rule="person")
            raise _unknown()
        contacts = self._contacts()
        match request.method:
            case "PUT":
                contact = _contact(as_object(await read_body(request)))
                await self._do(lambda: contacts.set(marketplace, side, person, contact))
                return _response(contact)
            case "DELETE":
                if not await self._do(lambda: contacts.remove(marketplace, side, person)):
                    raise _unknown()
                return Response(status_code=204)
            case _:
                found = await self._do(lambda: contacts.contact(marketplace, side, person))
                if found is None:
                    await self._listing.must_be_known(marketplace, principal)
                    raise _unknown()
                return _response(found)

    def _contacts(self) -> Contacts:
        notifications = self._app.notifications
        if notifications is None:
            raise unavailable("no-notifier", "This process sends no notifications. Ask the process that does.")
        return notifications.contacts

    async def _do(self, act: Callable[[], T]) -> T:
        """Run an action on contacts in a thread, because it may wait for a disk or a server."""
        try:
            return await asyncio.to_thread(act)
        except BadContact as wrong:
            raise malformed(str(wrong), wrong.pointer, "contact") from None
        except DeliveryStoreUnavailable as wrong:
            raise unavailable("book-unavailable", str(wrong)) from None
        except VaultUnavailable as wrong:
            raise unavailable("vault", f"The contact cannot be stored or read now: {wrong}") from None


def _contact(body: Body) -> Contact:
    """Read a contact from a body; ``Contacts.set`` checks the values."""
    for name, value in body.items():
        if name not in _FIELDS:
            raise malformed(
                f"unknown field {name[:100]!r}; a contact has {', '.join(_FIELDS)}", f"/{name[:100]}", "contact"
            )
        if not isinstance(value, str) and not (name == "name" and value is None):
            raise malformed(f"{name} must be text", f"/{name}", "contact")
    if "address" not in body:
        raise malformed("the address is missing; write name@host", "/address", "contact")
    return Contact(body["address"], body.get("name"), body.get("language", "en"))


def _response(contact: Contact) -> Response:
    body: dict[str, Any] = {"address": contact.address, "name": contact.name, "language": contact.language}
    return json_response(body, headers={"Cache-Control": "no-store"})


def _unknown() -> Problem:
    return not_found("There is no such contact, or it is not yours.", "no-such-contact")
