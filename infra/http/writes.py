"""Taking a write: read its body, name its caller, make its command, have it decided, answer."""

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
    """Writes of one app. Belongs to one event loop."""

    def __init__(self, app: App, doorkeeper: Authenticator, reads: Reads) -> None:
        self._app = app
        self._doorkeeper = doorkeeper
        self._reads = reads
        self._keeping = evidence.Keeping(app.vault)
        self._in_flight: set[tuple[str, str]] = set()

    async def take(
        self, request: Request, marketplace: str, order_id: str | None, form: CommandForm | None
    ) -> Response:
        """A write as ``form`` means it; None: the body names its command itself."""
        command = await self._command(request, marketplace, order_id, form)
        expected = expected_version(header(request, "If-Match"))
        confirmation = None
        if command.actor.kind in PEOPLE:
            market = self._app.market(marketplace)
            confirmation = Confirmation(getattr(command, "confirmation", None), lambda: self._reads.book, market)
        until = asyncio.get_running_loop().time() + self._app.settings.answer_within
        outcome = await self._decided(command, expected, confirmation)
        if outcome.rule == "not-followed" and self._app.cluster is not None:
            return await self._asked(self._app.cluster, command, expected, confirmation is not None, until)
        fresh = None if confirmation is None else _to_show(outcome, confirmation)
        contact = self._app.market(marketplace).contact
        return await self._reads.aside.do(
            lambda: answers.of_write(outcome, command, fresh, contact), size_of(outcome.effective.order)
        )

    async def attach(self, request: Request, marketplace: str, order_id: str) -> Response:
        """Evidence: as JSON like any write; as a form with its file, which is kept before the command is decided."""
        if not evidence.is_form(request):
            return await self.take(request, marketplace, order_id, EVIDENCE)
        caller = self._doorkeeper.admit(request, marketplace)
        key = idempotency_key(header(request, "Idempotency-Key"))
        expected = expected_version(header(request, "If-Match"))
        body, content = await evidence.read_form(request)
        body = named(EVIDENCE, caller.speaks(body))
        command = assembled(body, marketplace=marketplace, order_id=order_id, path={}, key=key)
        assert isinstance(command, AttachEvidence)
        seen = await self._reads.order(marketplace, order_id)
        if seen is None or not caller.sees(seen.order):
            raise not_found()
        kept = await self._keeping.keep(command, content)
        outcome = await self._decided(command, expected, None)
        if kept is not None and outcome.effective.kind in ("refused", "bad", "version-conflict"):
            await self._keeping.let_go(kept)
        return answers.of_write(outcome, command, None, self._app.market(marketplace).contact)

    async def preview(self, request: Request, marketplace: str, order_id: str, form: CommandForm) -> Response:
        """What a write would do; nothing is written, and nothing of it is remembered."""
        caller, body = await self._read(request, marketplace)
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
        if preview is None or preview.refused in answers.STRANGERS or not caller.sees(preview.order):
            raise not_found()
        headers = {"ETag": answers.etag(preview.order.version)}
        return await self._reads.aside.do(
            lambda: answers.json_response(preview_body(preview), headers=headers), size_of(preview.order)
        )

    # ---- the way of a write ---------------------------------------------------------------------------------------

    async def _read(self, request: Request, marketplace: str) -> tuple[Principal, Body]:
        caller = self._doorkeeper.admit(request, marketplace)
        body = as_object(await read_body(request))
        check_body(body)
        return caller, caller.speaks(body)

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
            raise malformed(f"a command about a subject has no order: send it to {where}", "/order_id")
        return assembled(body, marketplace=marketplace, order_id=order_id, path=path, key=key)

    async def _decided(self, command: Command, expected: int | None, confirmation: Confirmation | None) -> Outcome:
        """Have it decided; while one request waits for a command id, another with the same is told so."""
        mine = (command.stream, command.command_id)
        if mine in self._in_flight:
            raise Problem(
                409,
                "in-flight",
                "another request with this Idempotency-Key is being decided; ask again for its answer",
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

    async def _asked(
        self, cluster: "ClusterMember", command: Command, expected: int | None, confirmed: bool, until: float
    ) -> Response:
        """Have it decided by the process that follows the order."""
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
    """The fields of the command that the path says."""
    return {field: request.path_params[name] for name, field in (form.in_path or {}).items()}


def _outcome_unknown() -> Problem:
    return unavailable(
        "outcome-unknown",
        "the answer did not come in time; ask again with the same Idempotency-Key and you will learn what became of it",
    )


def _to_show(outcome: Outcome, confirmation: Confirmation) -> Preview | None:
    """The fresh preview, where it is the confirmation that the command lacked."""
    told = outcome.effective
    return confirmation.fresh if told.kind == "refused" and told.commit_position is None else None


async def read_body(request: Request) -> object:
    """The JSON body; Problem 400, 413 or 415."""
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
    """The version that If-Match names, None for any; 400 where it is no entity tag of ours."""
    if header is None or header.strip() == "*":
        return None
    tag = header.strip().removeprefix("W/").strip('"')
    if not (tag.isascii() and tag.isdigit() and len(tag) < 19):
        raise malformed('If-Match is the ETag of the order, like "17"', rule="if-match", status=400)
    return int(tag)
