"""The routes of the API below ``/v1/{marketplace}`` (docs/reference/http.md), each bound to what handles it."""

from functools import partial
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from domain.errors import BadInput
from domain.instants import Instant, parse_instant
from domain.order_json import show
from infra.api.answers import STALE, etag, json_response
from infra.api.forms import CommandForm
from infra.api.paths import EVIDENCE, PATHS, PREVIEWS, SUBJECTS
from infra.api.problems import malformed, not_found
from infra.api.request_parts import Handler, with_known_query
from infra.api.session_tokens import HEADER as POSITION
from infra.api.session_tokens import read_token
from infra.app import App
from infra.http import evidence, openapi
from infra.http.authenticator import Authenticator, Principal
from infra.http.case_files import CaseFiles, visible_to
from infra.http.contacts import PATHS as CONTACTS
from infra.http.contacts import ContactDesk
from infra.http.listing import Listing
from infra.http.reads import Reads, Seen
from infra.http.receipts import Receipts
from infra.http.sellers import Sellers
from infra.http.worker_threads import size_of
from infra.http.writes import Writes
from schemas.codec import verdict_data

PREFIX: Final = "/v1/{marketplace}"
ORDER: Final = PREFIX + "/orders/{order_id}"
PLACING: Final = CommandForm("/orders", ("PlaceOrder",), "Place an order")
ANY: Final = CommandForm("/commands", (), "Send any complete command")


class Handlers:
    """The handlers of the API's routes. Belongs to one event loop."""

    def __init__(self, app: App, authenticator: Authenticator, reads: Reads, listing: Listing) -> None:
        self._app = app
        self._authenticator = authenticator
        self._reads = reads
        self._listing = listing
        self._writes = Writes(app, authenticator, reads)
        self._evidence_files = evidence.EvidenceFiles(app.vault)
        self._case_files = CaseFiles(app, reads, listing)
        self._receipts = Receipts(app, reads)
        self._sellers = Sellers(app, reads, listing)

    # ---- writes ----------------------------------------------------------------------------------------------------

    def marketplace_write(self, form: CommandForm) -> Handler:
        """Return the handler of a write that belongs to no order."""

        async def take(request: Request) -> Response:
            return await self._writes.submit(request, request.path_params["marketplace"], None, form)

        return take

    def order_write(self, form: CommandForm | None) -> Handler:
        """Return the handler of a write about an order; ``form`` None: of any complete command."""

        async def take(request: Request) -> Response:
            params = request.path_params
            return await self._writes.submit(request, params["marketplace"], params["order_id"], form)

        return take

    def order_preview(self, form: CommandForm) -> Handler:
        """Return the handler of a preview."""

        async def preview(request: Request) -> Response:
            params = request.path_params
            return await self._writes.preview(request, params["marketplace"], params["order_id"], form)

        return preview

    async def attach(self, request: Request) -> Response:
        """Add evidence."""
        return await self._writes.attach(request, request.path_params["marketplace"], request.path_params["order_id"])

    async def send_notice(self, request: Request) -> Response:
        """Send a notification again."""
        seen, _ = await self._found(request, None)
        return await self._receipts.send(request, seen, self._principal(request))

    # ---- reads -----------------------------------------------------------------------------------------------------

    def _principal(self, request: Request) -> Principal:
        return self._authenticator.identify(request, request.path_params["marketplace"])

    async def _found(self, request: Request, as_of: Instant | None) -> tuple[Seen, bool]:
        """Return the order that the path names and whether it may be stale; 404 if the caller may not see it."""
        marketplace = request.path_params["marketplace"]
        principal = self._principal(request)
        order_id = request.path_params["order_id"]
        stale = await self._reads.is_stale(read_token(request.headers.get(POSITION)), f"{marketplace}/{order_id}")
        seen = await self._reads.order(marketplace, order_id, as_of)
        if seen is None:
            await self._listing.must_be_known(marketplace, principal)
        if seen is None or not principal.sees(seen.order):
            raise not_found()
        return seen, stale

    async def order(self, request: Request) -> Response:
        """Show an order."""
        as_of = instant_of(request, "as_of")
        seen, stale = await self._found(request, as_of)
        at = seen.order.recorded_at if as_of is None else as_of
        headers = _read_headers(seen, stale, self._reads.age())

        def respond() -> Response:
            body = show(seen.order, seen.head, at, unreadable=seen.unreadable is not None)
            if stale:
                body["stale"] = True
            return json_response(body, headers=headers)

        return await self._reads.workers.do(respond, size_of(seen.order))

    async def history(self, request: Request) -> Response:
        """List the events of an order."""
        as_of = instant_of(request, "as_of")
        seen, stale = await self._found(request, None)
        events = await self._reads.history(seen.order.marketplace, seen.order.order_id, as_of)
        if not events:
            raise not_found()  # the order did not exist then
        principal = self._principal(request)
        headers = _read_headers(seen, stale, self._reads.age())
        return await self._reads.workers.do(
            lambda: json_response(visible_to(principal, events), headers=headers), size_of(seen.order)
        )

    async def eligibility(self, request: Request) -> Response:
        """Show what can be done with an order."""
        as_of = instant_of(request, "as_of")
        seen, stale = await self._found(request, as_of)
        verdicts = await self._reads.verdicts(seen, self._app.clock() if as_of is None else as_of)
        return json_response(
            [verdict_data(each) for each in verdicts], headers=_read_headers(seen, stale, self._reads.age())
        )

    async def file(self, request: Request) -> Response:
        """Download an evidence file."""
        seen, _ = await self._found(request, None)
        order = seen.order
        name = request.path_params["evidence_id"]
        data = evidence.evidence_named(await self._reads.history(order.marketplace, order.order_id), name)
        if data is None:
            self._reads.check_absent(order)
            raise not_found("There is no such evidence here.", "no-such-evidence")
        content = await self._evidence_files.read(order.marketplace, order.order_id, name, data["sha256"])
        if content is None:
            raise not_found("The file was never uploaded here, or it was erased with its owner's data.", "no-such-file")
        return evidence.download(name, data["media_type"], content)

    async def case_file(self, request: Request) -> Response:
        """Show a dispute or case."""
        seen, stale = await self._found(request, None)
        principal = self._principal(request)
        name = request.path_params["matter_id"]
        of_kind = seen.order.disputes if request.url.path.split("/")[-2] == "disputes" else seen.order.cases
        document = await self._case_files.document(seen, principal, name) if name in of_kind else None
        if document is None:
            self._reads.check_absent(seen.order)
            raise not_found("The order has no dispute or case with this id.", "no-such-matter")
        headers = _read_headers(seen, stale, self._reads.age())
        return await self._reads.workers.do(lambda: json_response(document, headers=headers), size_of(seen.order))

    async def receipt(self, request: Request) -> Response:
        """Show the receipt of an order."""
        as_of = instant_of(request, "as_of")
        seen, stale = await self._found(request, as_of)
        principal = self._principal(request)
        body = await self._receipts.document(seen, principal, as_of)
        headers = _read_headers(seen, stale, self._reads.age())
        return await self._reads.workers.do(lambda: json_response(body, headers=headers), size_of(seen.order))

    async def orders(self, request: Request) -> Response:
        """Find orders."""
        marketplace = request.path_params["marketplace"]
        principal = self._principal(request)
        return await self._listing.answer(request, marketplace, principal)

    async def seller(self, request: Request) -> Response:
        """Show a seller's dashboard."""
        marketplace = request.path_params["marketplace"]
        return await self._sellers.answer(request, marketplace, self._principal(request))


def router(app: App, authenticator: Authenticator, reads: Reads, listing: Listing) -> APIRouter:
    """Build every route of the API for an app."""
    routes = APIRouter()
    handlers = Handlers(app, authenticator, reads, listing)
    _writes(routes, handlers)
    _reads(routes, handlers)
    _contacts(routes, ContactDesk(app, authenticator, listing))
    return routes


def _writes(routes: APIRouter, handlers: Handlers) -> None:
    """Add the routes of writes and previews."""

    def post(path: str, handler: Handler, form: CommandForm, *, preview: bool = False, below: bool = True) -> None:
        routes.add_api_route(
            path,
            with_known_query(handler, ()),
            methods=["POST"],
            summary=form.summary,
            operation_id=openapi.operation_id("post", path),
            openapi_extra=openapi.write(form, preview=preview, below_order=below),
            responses=openapi.answers(form, preview=preview),
            response_class=Response,
            tags=["writes"],
        )

    for form in (PLACING, *SUBJECTS):
        post(PREFIX + form.path, handlers.marketplace_write(form), form, below=False)
    for form in PREVIEWS:
        post(ORDER + form.path, handlers.order_preview(form), form, preview=True)
    for form in PATHS:
        post(ORDER + form.path, handlers.order_write(form), form)
    post(ORDER + ANY.path, handlers.order_write(None), ANY)
    post(ORDER + EVIDENCE.path, handlers.attach, EVIDENCE)


def _reads(routes: APIRouter, handlers: Handlers) -> None:
    """Add the routes of reads, and of sending a notification again."""

    def get(path: str, handler: Handler, summary: str, extra: dict[str, Any]) -> None:
        routes.add_api_route(
            path,
            with_known_query(handler, openapi.query_keys(extra)),
            methods=["GET"],
            summary=summary,
            operation_id=openapi.operation_id("get", path),
            openapi_extra=extra,
            responses=openapi.READ_ANSWERS,
            response_class=Response,
            tags=["reads"],
        )

    get(PREFIX + "/orders", handlers.orders, "Find orders", openapi.LIST)
    get(ORDER, handlers.order, "Show an order, now or as of an instant", openapi.AS_OF)
    get(
        ORDER + "/receipt",
        handlers.receipt,
        "Show the receipt: what was canceled, with references, or that nothing was",
        openapi.AS_OF,
    )
    path = ORDER + "/notices/{notice_id}/send"
    routes.add_api_route(
        path,
        with_known_query(handlers.send_notice, ()),
        methods=["POST"],
        summary="Send a notification again, once per Idempotency-Key",
        operation_id=openapi.operation_id("post", path),
        openapi_extra=openapi.SEND,
        responses=openapi.SEND_ANSWERS,
        response_class=Response,
        tags=["writes"],
    )
    get(ORDER + "/history", handlers.history, "List every event of an order", openapi.AS_OF)
    get(
        ORDER + EVIDENCE.path + "/{evidence_id}",
        handlers.file,
        "Download the file of a piece of evidence",
        openapi.FILE,
    )
    for path, what in (("/disputes", "a dispute"), ("/cases", "a case")):
        summary = f"Show {what}: state, checklist, chronology, recommendation, messages, evidence, policy text"
        get(ORDER + path + "/{matter_id}", handlers.case_file, summary, openapi.MATTER)
    get(ORDER + "/eligibility", handlers.eligibility, "Show what can be done, why, and until when", openapi.AS_OF)
    get(
        PREFIX + "/sellers/{seller_id}/dashboard",
        handlers.seller,
        "Show a seller's counts, cancellation rate, limit and window",
        openapi.SELLER,
    )


def _contacts(routes: APIRouter, desk: ContactDesk) -> None:
    """Add the routes of contacts: three methods on one path per side."""
    for path, side in CONTACTS.items():
        for method, summary in (
            ("GET", f"Show the contact of a {side}"),
            ("PUT", f"Set the contact of a {side}"),
            ("DELETE", f"Remove the contact of a {side}; no more mail is sent"),
        ):
            extra, answers = openapi.contact(method)
            routes.add_api_route(
                PREFIX + path,
                with_known_query(partial(desk.take, side=side), ()),
                methods=[method],
                summary=summary,
                operation_id=openapi.operation_id(method.lower(), path),
                openapi_extra=extra,
                responses=answers,
                response_class=Response,
                tags=["contacts"],
            )


def _read_headers(seen: Seen, stale: bool, age: int | None) -> dict[str, str]:
    headers = {"ETag": etag(seen.order.version), "Cache-Control": "no-store"}
    if stale:
        headers[STALE] = "true"
    if age is not None:
        headers["Age"] = str(age)
    return headers


def instant_of(request: Request, name: str) -> Instant | None:
    """Return a query parameter as an instant, None if it is absent; Problem 400 if it is malformed."""
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        return parse_instant(text.replace(" ", "+"))  # an unescaped plus of the offset
    except (ValueError, BadInput) as wrong:
        raise malformed(f"{name}: {wrong}", rule="as-of", status=400) from None
