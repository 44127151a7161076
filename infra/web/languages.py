"""Chooses the language of a page: from the URL, else from the reader's contact, else from the browser."""

import asyncio
import re
from typing import Final

from starlette.requests import Request

from consumers.ports.notifications import DeliveryStoreUnavailable
from consumers.ports.vault import VaultUnavailable
from infra.app import App
from infra.documents.packs import LANGUAGES, pack
from infra.http.authenticator import Principal

_WANTED: Final = re.compile(
    r"\s*([A-Za-z]{1,8}|\*)(?:-[A-Za-z0-9-]*)?\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*)?", re.ASCII
)
_MOST: Final = 20
"""Languages of a header that are considered at most."""


async def language_of(request: Request, app: App, marketplace: str, principal: Principal) -> str:
    """Return the language of ``?lang=`` if it has a pack, else of the reader's contact, else of the browser."""
    wanted = request.query_params.get("lang")
    if wanted in LANGUAGES:
        return wanted
    return await _of_contact(app, marketplace, principal) or accepted(request.headers.get("accept-language", ""))


async def _of_contact(app: App, marketplace: str, principal: Principal) -> str | None:
    """Return the language of a buyer's or seller's contact; None if there is none or it cannot be read now."""
    notifications = app.notifications
    if notifications is None or principal.kind not in ("buyer", "seller"):
        return None
    side: Final = "buyer" if principal.kind == "buyer" else "seller"
    try:
        contact = await asyncio.to_thread(notifications.contacts.contact, marketplace, side, principal.id)
    except (DeliveryStoreUnavailable, VaultUnavailable):
        return None
    return None if contact is None else contact.language


def accepted(header: str) -> str:
    """Return the best language of an Accept-Language header; the default if it names none that has a pack."""
    best, weight = LANGUAGES[0], 0.0
    for part in header.split(",")[:_MOST]:
        found = _WANTED.fullmatch(part)
        if found is None:
            continue
        name, q = found[1].lower(), float(found[2] or 1)
        if name == "*":
            name = LANGUAGES[0]
        if name in LANGUAGES and q > weight:
            best, weight = name, q
    return best


def others(request: Request, language: str) -> list[dict[str, str]]:
    """Return links to the same page in the other languages."""
    found = []
    for each in LANGUAGES:
        if each != language:
            href = f"?{request.url.include_query_params(lang=each).query}"
            found.append({"language": each, "name": pack(language).words["page"]["other"], "href": href})
    return found
