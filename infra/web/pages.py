"""The routes of the pages, and how a page is rendered. Pages only read; what they show is made in their own modules.

``/`` leads to the marketplace's orders, or says what to try in a demo. ``/o/MARKETPLACE`` lists its orders,
``/o/MARKETPLACE/ORDER`` tells one order with its history, ``/d/MARKETPLACE/ORDER/ID`` what is on record about a dispute
or case of it, ``/rules`` and ``/policies/ID/VERSION`` say what a rule or a policy says.
"""

import hashlib
import json
from functools import cache
from importlib import resources
from typing import Any, Final

from fastapi import APIRouter
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route, Router

from domain.instants import Instant, parse_instant
from domain.rulebook import RULES
from infra.api.problems import Problem, not_found
from infra.api.request_parts import asked, segment
from infra.api.session_tokens import HEADER as POSITION
from infra.api.session_tokens import read_token
from infra.app import App
from infra.documents import formatting
from infra.documents.demo_tour import MARKETPLACE, demo_tour, is_demo
from infra.documents.packs import LANGUAGES, pack
from infra.http.authenticator import Authenticator
from infra.http.case_files import Matters, told_to
from infra.http.listing import LONGEST_SEARCH, Listing, status_of
from infra.http.reads import Reads
from infra.http.receipts import Receipts
from infra.http.routes import instant_of
from infra.web.case_file_page import MatterPage
from infra.web.languages import language_of, others
from infra.web.list_page import ListPage, search
from infra.web.order_page import OrderPage
from infra.web.receipt_page import OrderNotifications, ReceiptPage

SECTIONS: Final = {
    1: "Who may cancel what, and when",
    2: "What a cancellation does",
    3: "Cancelled but shipped",
    4: "Cases and returns after delivery",
    0: "Checks of every command",
}
STATIC: Final = {"rescind.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"}


def router(app: App, doorkeeper: Authenticator, reads: Reads, listing: Listing) -> APIRouter:
    """Every page, bound to an app."""
    routes = APIRouter(include_in_schema=False)
    matters = Matters(app, reads, listing)
    receipts = Receipts(app, reads)

    async def marketplaces() -> list[str]:
        return await listing.ask(lambda reading: reading.marketplaces())

    async def home(request: Request) -> Response:
        doorkeeper.admit(request, None)
        names = await marketplaces()
        listing.judge(found=bool(names))
        is_one = MARKETPLACE in names and is_demo(reads.book)
        tour = await listing.ask(lambda reading: demo_tour(reading, app.clock())) if is_one else None
        if len(names) == 1 and tour is None:
            return RedirectResponse(f"/o/{names[0]}", 303)
        return page("home.html", marketplaces=names, marketplace=None, tour=tour, demo=MARKETPLACE)

    async def orders(request: Request) -> Response:
        marketplace = request.path_params["marketplace"]
        caller = doorkeeper.admit(request, marketplace)
        if caller.is_bound:
            raise not_found("There is no such page here.", "no-such-page")
        stale = await listing.is_stale(read_token(request.headers.get(POSITION)))
        query = request.query_params
        q = query.get("q", "").strip()[:LONGEST_SEARCH]
        status = status_of(query.get("status") or None)
        after = query.get("after")
        found = await listing.ask(lambda reading: search(reading, marketplace, q, status, after))
        stale = listing.judge(found=bool(found.page.rows)) or stale
        if not found.counts:
            await listing.must_be_known(marketplace, caller)
        now, zone = app.clock(), app.market(marketplace).timezone
        return page(
            "orders.html",
            marketplaces=await marketplaces(),
            marketplace=marketplace,
            list=ListPage(marketplace, found, q, status, after, zone, now),
            q=q,
            is_stale=stale,
            clock=formatting.clock(now, zone),
            zone=zone,
        )

    async def order(request: Request) -> Response:
        params = request.path_params
        marketplace = params["marketplace"]
        caller = doorkeeper.admit(request, marketplace)
        stream = f"{marketplace}/{params['order_id']}"
        stale = await reads.is_stale(read_token(request.headers.get(POSITION)), stream)
        as_of: Instant | None = instant_of(request, "as_of")
        seen = await reads.order(marketplace, params["order_id"], as_of)
        if seen is None:
            await listing.must_be_known(marketplace, caller)
        if seen is None or not caller.sees(seen.order):
            raise not_found()
        now = app.clock() if as_of is None else as_of
        history = told_to(caller, await reads.history(marketplace, params["order_id"], as_of))
        document = reads.book.get(seen.order.terms.policy)
        verdicts = [] if seen.unreadable or document is None else await reads.verdicts(seen, now)
        notices, names = await receipts.notices(seen, caller), await marketplaces()
        contact = app.market(marketplace).contact

        def made() -> Response:
            shown = OrderPage(
                seen.order,
                seen.head,
                history,
                verdicts,
                now,
                unreadable=seen.unreadable,
                contact=contact,
                mutual_consent=None if document is None else document.policy.mutual_consent,
            )
            return page(
                "order.html",
                marketplaces=names,
                marketplace=marketplace,
                page=shown,
                messages=[
                    {**each, "when": shown.when(parse_instant(each["recorded_at"]))}
                    for each in matters.messages(seen.order, caller, history)
                ],
                told=OrderNotifications(notices, shown.zone, now),
                as_of=None if as_of is None else shown.when(as_of),
                is_stale=stale,
                clock=formatting.clock(now, shown.zone),
            )

        return await reads.aside.do(made)

    async def receipt(request: Request) -> Response:
        params = request.path_params
        marketplace = params["marketplace"]
        caller = doorkeeper.admit(request, marketplace)
        stream = f"{marketplace}/{params['order_id']}"
        stale = await reads.is_stale(read_token(request.headers.get(POSITION)), stream)
        as_of: Instant | None = instant_of(request, "as_of")
        seen = await reads.order(marketplace, params["order_id"], as_of)
        if seen is None:
            await listing.must_be_known(marketplace, caller)
        if seen is None or not caller.sees(seen.order):
            raise not_found()
        document = await receipts.document(seen, caller, as_of)
        language = await language_of(request, app, marketplace, caller)
        names = await marketplaces()

        def made() -> Response:
            return page(
                "receipt.html",
                language=language,
                others=others(request, language),
                marketplaces=names,
                marketplace=marketplace,
                page=ReceiptPage(document, pack(language), then=as_of is not None),
                is_stale=stale,
            )

        return await reads.aside.do(made)

    async def on_record(request: Request) -> Response:
        params = request.path_params
        marketplace = params["marketplace"]
        caller = doorkeeper.admit(request, marketplace)
        stream = f"{marketplace}/{params['order_id']}"
        stale = await reads.is_stale(read_token(request.headers.get(POSITION)), stream)
        seen = await reads.order(marketplace, params["order_id"])
        if seen is None:
            await listing.must_be_known(marketplace, caller)
        if seen is None or not caller.sees(seen.order):
            raise not_found()
        document = await matters.document(seen, caller, params["matter_id"])
        if document is None:
            reads.check_absent(seen.order)
            raise not_found("The order has no dispute and no case of this id.", "no-such-matter")
        now, zone = app.clock(), seen.order.terms.calendar.timezone
        names = await marketplaces()

        def made() -> Response:
            return page(
                "matter.html",
                marketplaces=names,
                marketplace=marketplace,
                page=MatterPage(document, zone, now),
                is_stale=stale,
                clock=formatting.clock(now, zone),
            )

        return await reads.aside.do(made)

    async def rules(request: Request) -> Response:
        doorkeeper.admit(request, None)
        told = {
            title: [(rule, text.sentence) for rule, text in RULES.items() if text.section == number]
            for number, title in SECTIONS.items()
        }
        return page("rules.html", marketplaces=await marketplaces(), marketplace=None, here="rules", sections=told)

    async def policy(request: Request) -> Response:
        doorkeeper.admit(request, None)
        params = request.path_params
        name, version = params["policy_id"], params["version"]
        document = reads.book.named(f"{name}@{version}")
        if document is None:
            reads.check_no_policy()
            raise not_found("No such policy has been published here.", "no-such-policy")
        said: dict[str, Any] = json.loads(document.document)
        return page(
            "policy.html",
            marketplaces=await marketplaces(),
            marketplace=None,
            policy=document.policy,
            sha256=document.sha256.hex(),
            rules=[(rule, RULES[rule].sentence, said.get(rule, {})) for rule in document.policy.rules],
            others=[
                (key, value)
                for key, value in sorted(said.items())
                if key not in ("id", "version", "title", "rules", *document.policy.rules)
            ],
        )

    for path, handler, keys in (
        ("/", home, ()),
        ("/o/{marketplace}", orders, ("q", "status", "after")),
        ("/o/{marketplace}/{order_id}", order, ("as_of",)),
        ("/o/{marketplace}/{order_id}/receipt", receipt, ("as_of", "lang")),
        ("/d/{marketplace}/{order_id}/{matter_id}", on_record, ()),
        ("/rules", rules, ()),
        ("/policies/{policy_id}/{version}", policy, ()),
    ):
        routes.add_api_route(path, asked(handler, keys, others=True), methods=["GET"], response_class=Response)
    return routes


# ---- rendering ------------------------------------------------------------------------------------------------------


def page(template: str, status: int = 200, language: str = LANGUAGES[0], **said: Any) -> Response:
    """A page; never kept by a cache, since it is true as of now only."""
    bar = pack(language).words["page"]
    text = _environment().get_template(template).render(css=_css_path(), language=language, bar=bar, **said)
    return HTMLResponse(text, status, {"Cache-Control": "no-store", "Content-Language": language})


def problem_page(problem: Problem) -> Response:
    """A problem as a page: what, why, what instead."""
    title = problem.body()["title"]
    answer = page("problem.html", problem.status, marketplaces=[], marketplace=None, detail=problem.detail, title=title)
    answer.headers.update(problem.headers)
    return answer


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("infra.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        amount=formatting.amount,
        number=formatting.number,
        middle=formatting.middle,
        said=formatting.said,
        segment=segment,
    )
    return environment


# ---- what pages are dressed in --------------------------------------------------------------------------------------


@cache
def _static(name: str) -> bytes:
    return (resources.files("infra.web") / "static" / name).read_bytes()


@cache
def _css_path() -> str:
    """The style sheet by its content, so that a cache may keep it for ever."""
    return f"/static/rescind.css?{hashlib.sha256(_static('rescind.css')).hexdigest()[:12]}"


def static_files() -> Router:
    """The few files that pages need, by name; nothing else of the disk can be reached."""

    async def file(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in STATIC:
            raise not_found("There is no such file.", "no-such-file")
        kept = "public, max-age=31536000, immutable" if request.url.query else "public, max-age=3600"
        return Response(_static(name), 200, {"Cache-Control": kept}, STATIC[name])

    return Router([Route("/{name}", file, methods=["GET"])], redirect_slashes=False)
