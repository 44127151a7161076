"""Handles writes: reads the body, identifies the caller, builds the command, submits it, responds."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from consumers.engine.outcome import Outcome
from domain.commands import AttachEvidence, Command
from domain.errors import BadInput
from domain.preview import PEOPLE, Confirmation, Preview
from infra.api import answers
from infra.api.forms import Body, CommandForm, as_object, assembled, check_body, idempotency_key, named
from infra.api.paths import ABOUT_SUBJECTS, EVIDENCE
from infra.api.previews import body as preview_body
from infra.api.problems import Problem, malformed, not_found, unavailable
from infra.api.request_parts import header, media_type
from infra.api.strict_json import MAX_BYTES, NotJson, read_json, too_long
from infra.app import App
from infra.http import evidence
from infra.http.authenticator import Authenticator, Principal
from infra.http.reads import Reads
from infra.http.worker_threads import size_of

if TYPE_CHECKING:
    from infra.cluster.cluster import ClusterMember


class Writes:
    """Handles the writes of one app. Belongs to one event loop."""

    def __init__(self, app: App, authenticator: Authenticator, reads: Reads) -> None:
        self._app = app
        self._authenticator = authenticator
        self._reads = reads
        self._evidence_files = evidence.EvidenceFiles(app.vault)
        self._in_flight: set[tuple[str, str]] = set()

    async def submit(
        self, request: Request, marketplace: str, order_id: str | None, form: CommandForm | None
    ) -> Response:
        """Handle a write; ``form`` None means that the body names its command."""
        command = await self._command(request, marketplace, order_id, form)
        expected = expected_version(header(request, "If-Match"))
        confirmation = None
        if command.actor.kind in PEOPLE:
            market = self._app.market(marketplace)
            confirmation = Confirmation(getattr(command, "confirmation", None), lambda: self._reads.book, market)
        until = asyncio.get_running_loop().time() + self._app.settings.answer_within
        outcome = await self._submit(command, expected, confirmation)
        if outcome.rule == "not-followed" and self._app.cluster is not None:
            return await self._submit_remotely(self._app.cluster, command, expected, confirmation is not None, until)
        fresh = None if confirmation is None else _to_show(outcome, confirmation)
        contact = self._app.market(marketplace).contact
        return await self._reads.workers.do(
            lambda: answers.of_write(outcome, command, fresh, contact), size_of(outcome.effective.order)
        )

    async def attach(self, request: Request, marketplace: str, order_id: str) -> Response:
        """Handle evidence, as JSON or as a form with the file; the file is stored before the command is decided."""
        if not evidence.is_form(request):
            return await self.submit(request, marketplace, order_id, EVIDENCE)
        principal = self._authenticator.identify(request, marketplace)
        key = idempotency_key(header(request, "Idempotency-Key"))
        expected = expected_version(header(request, "If-Match"))
        body, content = await evidence.read_form(request)
        body = named(EVIDENCE, principal.with_actor(body))
        command = assembled(body, marketplace=marketplace, order_id=order_id, path={}, key=key)
        assert isinstance(command, AttachEvidence)
        seen = await self._reads.order(marketplace, order_id)
        if seen is None or not principal.sees(seen.order):
            raise not_found()
        reference = await self._evidence_files.keep(command, content)
        outcome = await self._submit(command, expected, None)
        if reference is not None and outcome.effective.kind in ("refused", "bad", "version-conflict"):
            await self._evidence_files.let_go(reference)
        return answers.of_write(outcome, command, None, self._app.market(marketplace).contact)

    async def preview(self, request: Request, marketplace: str, order_id: str, form: CommandForm) -> Response:
        """Handle a preview: respond with what the write would do. Nothing is written."""
        principal, body = await self._read(request, marketplace)
        command = assembled(
            named(form, {key: value for key, value in body.items() if key != "confirmation"}),
            marketplace=marketplace,
            order_id=order_id,
            path=_in_path(request, form),
            key=idempotency_key(header(request, "Idempotency-Key")) or body.get("command_id") or "preview",
        )
        try:
            preview = await self._reads.preview(command)
        except BadInput as bad:
            raise malformed(bad.message, bad.pointer, bad.rule) from None
        if preview is None or preview.refused in answers.STRANGERS or not principal.sees(preview.order):
            raise not_found()
        headers = {"ETag": answers.etag(preview.order.version)}
        return await self._reads.workers.do(
            lambda: answers.json_response(preview_body(preview), headers=headers), size_of(preview.order)
        )

    # ---- steps of a write ------------------------------------------------------------------------------------------

    async def _read(self, request: Request, marketplace: str) -> tuple[Principal, Body]:
        principal = self._authenticator.identify(request, marketplace)
        body = as_object(await read_body(request))
        check_body(body)
        return principal, principal.with_actor(body)

    async def _command(
        self, request: Request, marketplace: str, order_id: str | None, form: CommandForm | None
    ) -> Command:
        key = idempotency_key(header(request, "Idempotency-Key"))
        _, body = await self._read(request, marketplace)
        path: Mapping[str, str] = {}
        if form is not None:
            body = named(form, body)
            path = _in_path(request, form)
        elif body.get("command") in ABOUT_SUBJECTS:
            where = f"/v1/{marketplace}/subjects/SUBJECT/commands"
            raise malformed(f"a command about a person's data belongs to no order; send it to {where}", "/order_id")
        return assembled(body, marketplace=marketplace, order_id=order_id, path=path, key=key)

    async def _submit(self, command: Command, expected: int | None, confirmation: Confirmation | None) -> Outcome:
        """Submit the command and wait for its outcome. Problem 409 while another request waits for the same command
        id."""
        mine = (command.stream, command.command_id)
        if mine in self._in_flight:
            raise Problem(
                409,
                "in-flight",
                "Another request with this Idempotency-Key is being decided. Retry to get its answer.",
                headers={"Retry-After": "1"},
                rule="in-flight",
            )
        self._in_flight.add(mine)
        try:
            future = self._app.engine.submit(command, expected_version=expected, confirm=confirmation)
            return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(future)), self._app.settings.answer_within)
        except TimeoutError:
            raise _outcome_unknown() from None
        finally:
            self._in_flight.discard(mine)

    async def _submit_remotely(
        self, cluster: "ClusterMember", command: Command, expected: int | None, confirmed: bool, until: float
    ) -> Response:
        """Submit the command to the process that follows the order, and wait for its response."""
        from infra.cluster.remote_commands import MaybeSubmitted, NotSubmitted
        from infra.command_topic.records import response_of

        mine = (command.stream, command.command_id)
        self._in_flight.add(mine)
        try:
            future = await asyncio.to_thread(cluster.remote_commands.submit, command, expected, confirmed)
            left = until - asyncio.get_running_loop().time()
            return response_of(*await asyncio.wait_for(asyncio.wrap_future(future), max(left, 0.0)))
        except NotSubmitted as wrong:
            raise unavailable(wrong.rule, str(wrong)) from None
        except (TimeoutError, MaybeSubmitted):
            raise _outcome_unknown() from None
        finally:
            self._in_flight.discard(mine)


def _in_path(request: Request, form: CommandForm) -> dict[str, str]:
    """Return the fields of the command that the path has."""
    return {field: request.path_params[name] for name, field in (form.in_path or {}).items()}


def _outcome_unknown() -> Problem:
    return unavailable(
        "outcome-unknown",
        "The outcome is not known yet. Retry with the same Idempotency-Key to get it.",
    )


def _to_show(outcome: Outcome, confirmation: Confirmation) -> Preview | None:
    """Return the new preview if the command was refused for lack of a confirmation."""
    result = outcome.effective
    return confirmation.fresh if result.kind == "refused" and result.commit_position is None else None


async def read_body(request: Request) -> object:
    """Read the JSON body; Problem 400, 413 or 415."""
    if media_type(request) != "application/json":
        raise Problem(415, "media-type", "send the body as Content-Type: application/json", rule="media-type")
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BYTES:
            raise _not_json(too_long())
        chunks.append(chunk)
    try:
        return read_json(b"".join(chunks))
    except NotJson as wrong:
        raise _not_json(wrong) from None


def _not_json(wrong: NotJson) -> Problem:
    return Problem(wrong.status, "malformed", str(wrong), rule="form")


def expected_version(header: str | None) -> int | None:
    """Return the version that If-Match names, None for any; Problem 400 if it is not an ETag of an order."""
    if header is None or header.strip() == "*":
        return None
    tag = header.strip().removeprefix("W/").strip('"')
    if not (tag.isascii() and tag.isdigit() and len(tag) < 19):
        raise malformed('If-Match must be an ETag of the order, such as "17"', rule="if-match", status=400)
    return int(tag)
