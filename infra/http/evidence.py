"""Evidence files: received as a form, checked, stored in the vault, downloaded by those who may see the order.

A file is stored before its command is decided, so that no acknowledged file can be lost. If the command is refused, the
file is deleted again. The event has the file's hash and size, never the file.
"""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncGenerator
from typing import Any, Final

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import Response

from consumers.ports.vault import Files, VaultUnavailable, file_reference
from domain.commands import AttachEvidence
from domain.decisions.cases import LARGEST_FILE
from infra.api.forms import Body
from infra.api.problems import Problem, malformed, unavailable
from infra.api.request_parts import media_type
from infra.api.strict_json import NotJson, read_json
from infra.http.uploads import EXTENSIONS, UnsupportedFile, media_type_of

MOST: Final = 4 * 1024 * 1024
"""Bytes of a whole form at most; a larger one is not read to its end. A rule refuses a file that is too large."""
MOST_FIELDS: Final = 40
LONGEST_FIELD: Final = 64 * 1024
FORM: Final = "multipart/form-data"
SAFE: Final = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-store",
}
"""Headers of a download: no browser runs, frames or sniffs the file."""


def is_form(request: Request) -> bool:
    """True if the body is a form with a file. Problem 415 if it cannot be read."""
    return media_type(request) == FORM


async def read_form(request: Request) -> tuple[Body, bytes]:
    """Read the command's fields and the file from a form. Problem 400, 413 or 422.

    Fields are text; ``actor`` is JSON. ``sha256``, ``media_type`` and ``size`` may be left out; if given, they must
    match the file.
    """
    try:
        form = await MultiPartParser(
            request.headers, _limited(request), max_files=1, max_fields=MOST_FIELDS, max_part_size=LONGEST_FIELD
        ).parse()
    except (MultiPartException, ValueError, KeyError) as wrong:
        raise Problem(400, "malformed", f"the form cannot be read: {wrong}", rule="form") from None
    try:
        body, content = await _parts(form)
    finally:
        await form.close()  # closes its file, also after an error
    return await asyncio.to_thread(_described, body, content), content


async def _parts(form: FormData) -> tuple[Body, bytes]:
    """The fields and the file of a form; Problem 422."""
    body: Body = {}
    content: bytes | None = None
    for name, value in form.multi_items():
        if name in body or (name == "file" and content is not None):
            raise malformed("is given twice", f"/{name}")
        if isinstance(value, UploadFile):
            if name != "file":
                raise malformed("name the file's field file", f"/{name}")
            content = await value.read()
        else:
            body[name] = _field(name, value)
    if content is None:
        raise malformed("the form has no file; send a command without a file as JSON", "/file")
    return body, content


async def _limited(request: Request) -> AsyncGenerator[bytes, None]:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MOST:
            raise Problem(413, "malformed", f"the form is longer than {MOST:,} bytes", rule="form")
        yield chunk


def _field(name: str, value: str) -> Any:
    """Convert a field of the form to the command's type."""
    if name == "actor":
        try:
            return read_json(value.encode())
        except NotJson as wrong:
            raise malformed(f"the actor must be JSON: {wrong}", "/actor") from None
    if name == "size":
        return int(value) if value.isascii() and value.isdigit() and len(value) < 13 else value
    return value


def _described(body: Body, content: bytes) -> Body:
    """Return the body with the file's hash, media type and size; Problem 422 if the body contradicts them."""
    try:
        kind = media_type_of(content)
    except UnsupportedFile as wrong:
        raise malformed(f"the file is not accepted: {wrong}", "/file") from None
    found = {"sha256": hashlib.sha256(content).hexdigest(), "media_type": kind, "size": len(content)}
    for name, value in found.items():
        stated = body.get(name, value)
        if (stated.lower() if isinstance(stated, str) else stated) != value:
            raise malformed(f"the file's {name} is {value}, not {str(stated)[:100]}", f"/{name}")
    return {**body, **found}


class EvidenceFiles:
    """The vault's evidence files, from the event loop."""

    def __init__(self, files: Files) -> None:
        self._files = files

    async def keep(self, command: AttachEvidence, content: bytes) -> str | None:
        """Store the file of a command. Returns its reference, or None if it is already stored or too large."""
        if len(content) > LARGEST_FILE:
            return None
        reference = file_reference(
            command.marketplace, command.order_id, command.evidence_id, bytes.fromhex(command.sha256)
        )
        try:
            new = await asyncio.to_thread(self._files.keep, command.marketplace, command.actor.id, reference, content)
        except VaultUnavailable as wrong:
            raise unavailable("vault", f"The file cannot be stored now: {wrong}") from None
        return reference if new else None

    async def let_go(self, reference: str) -> None:
        """Delete a file that no event names; if the vault fails now, the file stays under its subject's key."""
        try:
            await asyncio.to_thread(self._files.drop, reference)
        except VaultUnavailable:
            return

    async def read(self, marketplace: str, order_id: str, evidence_id: str, sha256: str) -> bytes | None:
        """Return an evidence file, checked against its hash; None if it is not here or no longer here."""
        reference = file_reference(marketplace, order_id, evidence_id, bytes.fromhex(sha256))
        try:
            content = await asyncio.to_thread(self._files.read, reference)
        except LookupError:
            return None
        except VaultUnavailable as wrong:
            raise unavailable("vault", f"The file cannot be read now: {wrong}") from None
        if not hmac.compare_digest(hashlib.sha256(content).hexdigest(), sha256):
            raise unavailable("vault", "The file does not match its hash, so the vault is damaged.")
        return content


def download(evidence_id: str, media_type: str, content: bytes) -> Response:
    """Return a file as a download; its name comes from the evidence id, never from the upload."""
    name = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in evidence_id)
    extension = EXTENSIONS.get(media_type, "bin")
    return Response(
        content,
        200,
        {**SAFE, "Content-Disposition": f'attachment; filename="{name}.{extension}"'},
        media_type if media_type in EXTENSIONS else "application/octet-stream",
    )


def evidence_named(events: list[dict[str, Any]], evidence_id: str) -> dict[str, Any] | None:
    """Return the data of the event that added this evidence; None if there is none."""
    for each in events:
        data = each["data"]
        if each["event"] == "EvidenceAdded" and data is not None and data["evidence_id"] == evidence_id:
            return dict(data)
    return None
