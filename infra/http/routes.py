"""The routes of the API below ``/v1/{marketplace}``. Each hands over to ``Writes`` or ``Reads``."""

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
from infra.api.request_parts import Handler, asked
from infra.api.session_tokens import HEADER as POSITION
from infra.api.session_tokens import read_token
from infra.app import App
from infra.http import evidence, openapi
from infra.http.authenticator import Authenticator, Principal
from infra.http.case_files import Matters, told_to
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
ANY: Final = CommandForm("/commands", (), "Any command, whole")


def router(app: App, doorkeeper: Authenticator, reads: Reads, listing: Listing) -> APIRouter:
    """Every route of the API, bound to an app."""
    routes = APIRouter()
    writes = Writes(app, doorkeeper, reads)
    keeping = evidence.Keeping(app.vault)
    matters = Matters(app, reads, listing)
    receipts = Receipts(app, reads)

    def post(path: str, handler: Handler, form: CommandForm, *, preview: bool = False, below: bool = True) -> None:
        routes.add_api_route(
            path,
            asked(handler, ()),
            methods=["POST"],
            summary=form.summary,
            operation_id=openapi.operation_id("post", path),
            openapi_extra=openapi.write(form, preview=preview, below_order=below),
            responses=openapi.answers(form, preview=preview),
            response_class=Response,
            tags=["writes"],
        )

    def beside_orders(form: CommandForm) -> Handler:
        async def take(request: Request) -> Response:
            return await writes.take(request, request.path_params["marketplace"], None, form)

        return take

    for form in (PLACING, *SUBJECTS):
        post(PREFIX + form.path, beside_orders(form), form, below=False)

    def taking(form: CommandForm | None) -> Handler:
        async def take(request: Request) -> Response:
            params = request.path_params
            return await writes.take(request, params["marketplace"], params["order_id"], form)

        return take

    def previewing(form: CommandForm) -> Handler:
        async def preview(request: Request) -> Response:
            params = request.path_params
            return await writes.preview(request, params["marketplace"], params["order_id"], form)

        return preview

    for form in PREVIEWS:
        post(ORDER + form.path, previewing(form), form, preview=True)
    for form in PATHS:
        post(ORDER + form.path, taking(form), form)
    post(ORDER + ANY.path, taking(None), ANY)

    async def attach(request: Request) -> Response:
        return await writes.attach(request, request.path_params["marketplace"], request.path_params["order_id"])

    post(ORDER + EVIDENCE.path, attach, EVIDENCE)

    def get(path: str, handler: Handler, summary: str, extra: dict[str, Any]) -> None:
        routes.add_api_route(
            path,
            asked(handler, openapi.query_keys(extra)),
            methods=["GET"],
            summary=summary,
            operation_id=openapi.operation_id("get", path),
            openapi_extra=extra,
            responses=openapi.READ_ANSWERS,
            response_class=Response,
            tags=["reads"],
        )

    async def found(request: Request, as_of: Instant | None) -> tuple[Seen, bool]:
        """The order that the path names, if the caller may see it, and whether it may be stale."""
        marketplace = request.path_params["marketplace"]
        caller: Principal = doorkeeper.admit(request, marketplace)
        order_id = request.path_params["order_id"]
        stale = await reads.is_stale(read_token(request.headers.get(POSITION)), f"{marketplace}/{order_id}")
        seen = await reads.order(marketplace, order_id, as_of)
        if seen is None:
            await listing.must_be_known(marketplace, caller)
        if seen is None or not caller.sees(seen.order):
            raise not_found()
        return seen, stale

    async def order(request: Request) -> Response:
        as_of = instant_of(request, "as_of")
        seen, stale = await found(request, as_of)
        at = seen.order.recorded_at if as_of is None else as_of
        headers = _read_headers(seen, stale, reads.age())

        def told() -> Response:
            body = show(seen.order, seen.head, at, unreadable=seen.unreadable is not None)
            if stale:
                body["stale"] = True
            return json_response(body, headers=headers)

        return await reads.aside.do(told, size_of(seen.order))

    async def history(request: Request) -> Response:
        as_of = instant_of(request, "as_of")
        seen, stale = await found(request, None)
        told = await reads.history(seen.order.marketplace, seen.order.order_id, as_of)
        if not told:
            raise not_found()  # there was none then
        caller = doorkeeper.admit(request, seen.order.marketplace)
        headers = _read_headers(seen, stale, reads.age())
        return await reads.aside.do(lambda: json_response(told_to(caller, told), headers=headers), size_of(seen.order))

    async def eligibility(request: Request) -> Response:
        as_of = instant_of(request, "as_of")
        seen, stale = await found(request, as_of)
        verdicts = await reads.verdicts(seen, app.clock() if as_of is None else as_of)
        return json_response([verdict_data(each) for each in verdicts], headers=_read_headers(seen, stale, reads.age()))

    async def file(request: Request) -> Response:
        seen, _ = await found(request, None)
        order = seen.order
        name = request.path_params["evidence_id"]
        data = evidence.evidence_named(await reads.history(order.marketplace, order.order_id), name)
        if data is None:
            reads.check_absent(order)
            raise not_found("There is no such evidence here.", "no-such-evidence")
        content = await keeping.read(order.marketplace, order.order_id, name, data["sha256"])
        if content is None:
            raise not_found("Its file was never given here, or was erased with its subject.", "no-such-file")
        return evidence.download(name, data["media_type"], content)

    async def on_record(request: Request) -> Response:
        seen, stale = await found(request, None)
        caller = doorkeeper.admit(request, seen.order.marketplace)
        name = request.path_params["matter_id"]
        kept = seen.order.disputes if request.url.path.split("/")[-2] == "disputes" else seen.order.cases
        document = await matters.document(seen, caller, name) if name in kept else None
        if document is None:
            reads.check_absent(seen.order)
            raise not_found("The order has none of this id.", "no-such-matter")
        headers = _read_headers(seen, stale, reads.age())
        return await reads.aside.do(lambda: json_response(document, headers=headers), size_of(seen.order))

    async def receipt(request: Request) -> Response:
        as_of = instant_of(request, "as_of")
        seen, stale = await found(request, as_of)
        caller = doorkeeper.admit(request, seen.order.marketplace)
        body = await receipts.document(seen, caller, as_of)
        headers = _read_headers(seen, stale, reads.age())
        return await reads.aside.do(lambda: json_response(body, headers=headers), size_of(seen.order))

    async def send_notice(request: Request) -> Response:
        seen, _ = await found(request, None)
        return await receipts.send(request, seen, doorkeeper.admit(request, seen.order.marketplace))

    async def orders(request: Request) -> Response:
        marketplace = request.path_params["marketplace"]
        caller = doorkeeper.admit(request, marketplace)
        return await listing.answer(request, marketplace, caller)

    sellers = Sellers(app, reads, listing)

    async def seller(request: Request) -> Response:
        marketplace = request.path_params["marketplace"]
        return await sellers.answer(request, marketplace, doorkeeper.admit(request, marketplace))

    get(PREFIX + "/orders", orders, "Find orders", openapi.LIST)
    get(ORDER, order, "An order, as it is or as of an instant", openapi.AS_OF)
    get(ORDER + "/receipt", receipt, "What was cancelled, with references; or that nothing was", openapi.AS_OF)
    path = ORDER + "/notices/{notice_id}/send"
    routes.add_api_route(
        path,
        asked(send_notice, ()),
        methods=["POST"],
        summary="Have a notice sent again, once a key",
        operation_id=openapi.operation_id("post", path),
        openapi_extra=openapi.SEND,
        responses=openapi.SEND_ANSWERS,
        response_class=Response,
        tags=["writes"],
    )
    get(ORDER + "/history", history, "Every event of an order", openapi.AS_OF)
    get(ORDER + EVIDENCE.path + "/{evidence_id}", file, "The file of a piece of evidence, to be saved", openapi.FILE)
    for path, what in (("/disputes", "A dispute"), ("/cases", "A case")):
        summary = f"{what}: state, checklist, chronology, recommendation, thread, evidence, policy text as it was"
        get(ORDER + path + "/{matter_id}", on_record, summary, openapi.MATTER)
    _contacts(routes, ContactDesk(app, doorkeeper, listing))
    get(ORDER + "/eligibility", eligibility, "What may be done, why, and until when", openapi.AS_OF)
    get(PREFIX + "/sellers/{seller_id}/dashboard", seller, "A seller's counts, rate, limit and window", openapi.SELLER)
    return routes


def _contacts(routes: APIRouter, desk: ContactDesk) -> None:
    """Where people are reached: three methods on a path of their own."""
    for path, side in CONTACTS.items():
        for method, summary in (
            ("GET", f"Where a {side} is reached"),
            ("PUT", f"Say where a {side} is reached, in place of what was said before"),
            ("DELETE", f"Do not write to a {side} any more"),
        ):
            extra, answers = openapi.contact(method)
            routes.add_api_route(
                PREFIX + path,
                asked(partial(desk.take, side=side), ()),
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
    """A parameter of the query that is an instant; 400 where it is none."""
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        return parse_instant(text.replace(" ", "+"))  # the plus of an offset that nobody escaped
    except (ValueError, BadInput) as wrong:
        raise malformed(f"{name}: {wrong}", rule="as-of", status=400) from None
