"""Evidence with content: files come as a form, are looked at, kept in the vault, given back to who may see the order.

A file is kept before the command that names it is decided, so that nothing is acknowledged that could be lost; where a
rule refuses the command, the file is let go again. The event has the file's hash and size, never the file.
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
"""Bytes of a whole form; what is larger is not read to its end. A file that is merely too large is refused by rule."""
MOST_FIELDS: Final = 40
LONGEST_FIELD: Final = 64 * 1024
FORM: Final = "multipart/form-data"
SAFE: Final = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-store",
}
"""A file is for keeping: no browser runs, frames or guesses at it."""


def is_form(request: Request) -> bool:
    """Whether the body is a form with a file, and not JSON. Problem 415 where it cannot be read, whichever it is."""
    return media_type(request) == FORM


async def read_form(request: Request) -> tuple[Body, bytes]:
    """The command's fields and the file of a form. Problem 400, 413 or 422.

    Fields are text; ``actor`` is JSON. What the file says of itself (``sha256``, ``media_type``, ``size``) may be left
    out, and must be right where it is said.
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
        await form.close()  # its file, whatever else is wrong with it
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
                raise malformed("the file's field is called file", f"/{name}")
            content = await value.read()
        else:
            body[name] = _field(name, value)
    if content is None:
        raise malformed("the form has no file; without one send the command as JSON", "/file")
    return body, content


async def _limited(request: Request) -> AsyncGenerator[bytes, None]:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MOST:
            raise Problem(413, "malformed", f"a form with a file has at most {MOST} bytes", rule="form")
        yield chunk


def _field(name: str, value: str) -> Any:
    """A field of the form as the command has it."""
    if name == "actor":
        try:
            return read_json(value.encode())
        except NotJson as wrong:
            raise malformed(f"the actor is written as JSON: {wrong}", "/actor") from None
    if name == "size":
        return int(value) if value.isascii() and value.isdigit() and len(value) < 13 else value
    return value


def _described(body: Body, content: bytes) -> Body:
    """The body with what the file says of itself; where the body said it too, it must be that."""
    try:
        kind = media_type_of(content)
    except UnsupportedFile as wrong:
        raise malformed(f"the file cannot be taken: {wrong}", "/file") from None
    found = {"sha256": hashlib.sha256(content).hexdigest(), "media_type": kind, "size": len(content)}
    for name, value in found.items():
        said = body.get(name, value)
        if (said.lower() if isinstance(said, str) else said) != value:
            raise malformed(f"the file's is {value}, not {str(said)[:100]}", f"/{name}")
    return {**body, **found}


class Keeping:
    """The vault's files, from the event loop."""

    def __init__(self, files: Files) -> None:
        self._files = files

    async def keep(self, command: AttachEvidence, content: bytes) -> str | None:
        """Keep the file of a command; its reference, or None where it is kept already or too large to be."""
        if len(content) > LARGEST_FILE:
            return None
        reference = file_reference(
            command.marketplace, command.order_id, command.evidence_id, bytes.fromhex(command.sha256)
        )
        try:
            new = await asyncio.to_thread(self._files.keep, command.marketplace, command.actor.id, reference, content)
        except VaultUnavailable as wrong:
            raise unavailable("vault", f"the file cannot be kept now: {wrong}") from None
        return reference if new else None

    async def let_go(self, reference: str) -> None:
        """Nothing came to name it; a vault that cannot let go now keeps it under its subject's key."""
        try:
            await asyncio.to_thread(self._files.drop, reference)
        except VaultUnavailable:
            return

    async def read(self, marketplace: str, order_id: str, evidence_id: str, sha256: str) -> bytes | None:
        """The file of a piece of evidence, checked against its hash; None where it is not (or no longer) here."""
        reference = file_reference(marketplace, order_id, evidence_id, bytes.fromhex(sha256))
        try:
            content = await asyncio.to_thread(self._files.read, reference)
        except LookupError:
            return None
        except VaultUnavailable as wrong:
            raise unavailable("vault", f"the file cannot be read now: {wrong}") from None
        if not hmac.compare_digest(hashlib.sha256(content).hexdigest(), sha256):
            raise unavailable("vault", "the file is not what was attached: the vault is damaged")
        return content


def download(evidence_id: str, media_type: str, content: bytes) -> Response:
    """The file, to be saved and not to be shown; its name is made of what is on record, never of what was sent."""
    name = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in evidence_id)
    extension = EXTENSIONS.get(media_type, "bin")
    return Response(
        content,
        200,
        {**SAFE, "Content-Disposition": f'attachment; filename="{name}.{extension}"'},
        media_type if media_type in EXTENSIONS else "application/octet-stream",
    )


def evidence_named(told: list[dict[str, Any]], evidence_id: str) -> dict[str, Any] | None:
    """The data of the event that attached it; None where none did."""
    for each in told:
        data = each["data"]
        if each["event"] == "EvidenceAdded" and data is not None and data["evidence_id"] == evidence_id:
            return dict(data)
    return None
