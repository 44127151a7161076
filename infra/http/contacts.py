"""Where a buyer or seller is reached, over HTTP: said, looked at and taken back by themselves, support or systems.

Kept as `rescind contacts` keeps it: in the vault, under the person's own key, so that erasing them erases it. Nothing
of it is written into the journal. Only a process that tells people has a book of contacts.
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
    """The contacts of one app. Belongs to one event loop."""

    def __init__(self, app: App, doorkeeper: Authenticator, listing: Listing) -> None:
        self._app = app
        self._doorkeeper = doorkeeper
        self._listing = listing

    async def take(self, request: Request, side: Audience) -> Response:
        """``GET``, ``PUT`` or ``DELETE`` of a person's contact. Somebody else's is as if there were none."""
        marketplace, person = request.path_params["marketplace"], request.path_params["person_id"]
        caller = self._doorkeeper.admit(request, marketplace)
        if caller.kind not in (None, "support", "system") and (caller.kind, caller.id) != (side, person):
            raise _unknown()
        if not (_MARKETPLACE.fullmatch(marketplace) and _PERSON.fullmatch(person)):
            if request.method == "PUT":
                raise malformed("a person's id has 1 to 200 characters, and no control characters", rule="person")
            raise _unknown()
        contacts = self._contacts()
        match request.method:
            case "PUT":
                said = _contact(as_object(await read_body(request)))
                await self._do(lambda: contacts.set(marketplace, side, person, said))
                return _told(said)
            case "DELETE":
                if not await self._do(lambda: contacts.remove(marketplace, side, person)):
                    raise _unknown()
                return Response(status_code=204)
            case _:
                found = await self._do(lambda: contacts.contact(marketplace, side, person))
                if found is None:
                    await self._listing.must_be_known(marketplace, caller)
                    raise _unknown()
                return _told(found)

    def _contacts(self) -> Contacts:
        notifications = self._app.notifications
        if notifications is None:
            raise unavailable("no-notifier", "this process tells nobody: ask the one that does")
        return notifications.contacts

    async def _do(self, act: Callable[[], T]) -> T:
        """Book and vault may wait for a disk or a server: in a thread of its own."""
        try:
            return await asyncio.to_thread(act)
        except BadContact as wrong:
            raise malformed(str(wrong), wrong.pointer, "contact") from None
        except DeliveryStoreUnavailable as wrong:
            raise unavailable("book-unavailable", str(wrong)) from None
        except VaultUnavailable as wrong:
            raise unavailable("vault", f"the contact cannot be kept or read now: {wrong}") from None


def _contact(body: Body) -> Contact:
    """The contact that a body says; its form only, what is in it ``Contacts.set`` judges."""
    for name, value in body.items():
        if name not in _FIELDS:
            raise malformed(f"a contact has {', '.join(_FIELDS)}, not {name[:100]!r}", f"/{name[:100]}", "contact")
        if not isinstance(value, str) and not (name == "name" and value is None):
            raise malformed(f"{name} is text", f"/{name}", "contact")
    if "address" not in body:
        raise malformed("say the address: name@host", "/address", "contact")
    return Contact(body["address"], body.get("name"), body.get("language", "en"))


def _told(contact: Contact) -> Response:
    body: dict[str, Any] = {"address": contact.address, "name": contact.name, "language": contact.language}
    return json_response(body, headers={"Cache-Control": "no-store"})


def _unknown() -> Problem:
    return not_found("Nobody has said where they are reached, or they are not yours to ask about.", "no-such-contact")
