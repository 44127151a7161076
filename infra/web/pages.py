"""The routes of the pages and their rendering. Pages only read; each page's values are made in its own module.

``/`` redirects to a marketplace's orders, or shows what to try in a demo. ``/o/MARKETPLACE`` lists the orders, and the
pages below it show one order, its receipt, and its disputes and cases. ``/rules`` and ``/policies/ID/VERSION`` explain
rules and policies.
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
from domain.rulebook import RULES, SECTIONS
from infra.api.problems import Problem, not_found
from infra.api.request_parts import segment, with_known_query
from infra.api.session_tokens import HEADER as POSITION
from infra.api.session_tokens import read_token
from infra.app import App
from infra.documents import formatting
from infra.documents.demo_tour import MARKETPLACE, demo_tour, is_demo
from infra.documents.packs import LANGUAGES, pack
from infra.http.authenticator import Authenticator, Principal
from infra.http.case_files import CaseFiles, visible_to
from infra.http.listing import LONGEST_SEARCH, Listing, status_of
from infra.http.reads import Reads, Seen
from infra.http.receipts import Receipts
from infra.http.routes import instant_of
from infra.web.case_file_page import CaseFilePage
from infra.web.languages import language_of, others
from infra.web.list_page import ListPage, search
from infra.web.order_page import MarketTerms, OrderPage
from infra.web.receipt_page import OrderNotifications, ReceiptPage

STATIC: Final = {"rescind.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"}


class Pages:
    """The handlers of the pages. Belongs to one event loop."""

    def __init__(self, app: App, authenticator: Authenticator, reads: Reads, listing: Listing) -> None:
        self._app = app
        self._authenticator = authenticator
        self._reads = reads
        self._listing = listing
        self._case_files = CaseFiles(app, reads, listing)
        self._receipts = Receipts(app, reads)

    async def _marketplaces(self) -> list[str]:
        return await self._listing.ask(lambda reading: reading.marketplaces())

    async def _found(self, request: Request, principal: Principal, as_of: Instant | None) -> tuple[Seen, bool]:
        """Return the order that the path names and whether it may be stale; 404 if the reader may not see it."""
        marketplace, order_id = request.path_params["marketplace"], request.path_params["order_id"]
        stale = await self._reads.is_stale(read_token(request.headers.get(POSITION)), f"{marketplace}/{order_id}")
        seen = await self._reads.order(marketplace, order_id, as_of)
        if seen is None:
            await self._listing.must_be_known(marketplace, principal)
        if seen is None or not principal.sees(seen.order):
            raise not_found()
        return seen, stale

    async def home(self, request: Request) -> Response:
        """Show the demo's tour, list the marketplaces, or go to the only one."""
        self._authenticator.identify(request, None)
        names = await self._marketplaces()
        self._listing.judge(found=bool(names))
        is_one = MARKETPLACE in names and is_demo(self._reads.book)
        tour = await self._listing.ask(lambda reading: demo_tour(reading, self._app.clock())) if is_one else None
        if len(names) == 1 and tour is None:
            return RedirectResponse(f"/o/{names[0]}", 303)
        return page("home.html", marketplaces=names, marketplace=None, tour=tour, demo=MARKETPLACE)

    async def orders(self, request: Request) -> Response:
        """List the orders of a marketplace."""
        marketplace = request.path_params["marketplace"]
        principal = self._authenticator.identify(request, marketplace)
        if principal.is_bound:
            raise not_found("There is no such page.", "no-such-page")
        stale = await self._listing.is_stale(read_token(request.headers.get(POSITION)))
        query = request.query_params
        q = query.get("q", "").strip()[:LONGEST_SEARCH]
        status = status_of(query.get("status") or None)
        after = query.get("after")
        found = await self._listing.ask(lambda reading: search(reading, marketplace, q, status, after))
        stale = self._listing.judge(found=bool(found.page.rows)) or stale
        if not found.counts:
            await self._listing.must_be_known(marketplace, principal)
        now, zone = self._app.clock(), self._app.market(marketplace).timezone
        return page(
            "orders.html",
            marketplaces=await self._marketplaces(),
            marketplace=marketplace,
            list=ListPage(marketplace, found, q, status, after, zone, now),
            q=q,
            is_stale=stale,
            clock=formatting.clock(now, zone),
            zone=zone,
        )

    async def order(self, request: Request) -> Response:
        """Show an order."""
        params = request.path_params
        marketplace = params["marketplace"]
        principal = self._authenticator.identify(request, marketplace)
        as_of = instant_of(request, "as_of")
        seen, stale = await self._found(request, principal, as_of)
        now = self._app.clock() if as_of is None else as_of
        history = visible_to(principal, await self._reads.history(marketplace, params["order_id"], as_of))
        document = self._reads.book.get(seen.order.terms.policy)
        verdicts = [] if seen.unreadable or document is None else await self._reads.verdicts(seen, now)
        notices, names = await self._receipts.notices(seen, principal), await self._marketplaces()
        contact = self._app.market(marketplace).contact

        def render() -> Response:
            shown = OrderPage(
                seen.order,
                seen.head,
                history,
                verdicts,
                now,
                unreadable=seen.unreadable,
                market=MarketTerms(contact, None if document is None else document.policy),
            )
            return page(
                "order.html",
                marketplaces=names,
                marketplace=marketplace,
                page=shown,
                messages=[
                    {**each, "when": shown.when(parse_instant(each["recorded_at"]))}
                    for each in self._case_files.messages(seen.order, principal, history)
                ],
                notifications=OrderNotifications(notices, shown.zone, now),
                as_of=None if as_of is None else shown.when(as_of),
                is_stale=stale,
                clock=formatting.clock(now, shown.zone),
            )

        return await self._reads.workers.do(render)

    async def receipt(self, request: Request) -> Response:
        """Show the receipt of an order."""
        params = request.path_params
        marketplace = params["marketplace"]
        principal = self._authenticator.identify(request, marketplace)
        as_of = instant_of(request, "as_of")
        seen, stale = await self._found(request, principal, as_of)
        document = await self._receipts.document(seen, principal, as_of)
        language = await language_of(request, self._app, marketplace, principal)
        names = await self._marketplaces()

        def render() -> Response:
            return page(
                "receipt.html",
                language=language,
                others=others(request, language),
                marketplaces=names,
                marketplace=marketplace,
                page=ReceiptPage(document, pack(language), historical=as_of is not None),
                is_stale=stale,
            )

        return await self._reads.workers.do(render)

    async def case_file(self, request: Request) -> Response:
        """Show a dispute or case."""
        params = request.path_params
        marketplace = params["marketplace"]
        principal = self._authenticator.identify(request, marketplace)
        seen, stale = await self._found(request, principal, None)
        document = await self._case_files.document(seen, principal, params["matter_id"])
        if document is None:
            self._reads.check_absent(seen.order)
            raise not_found("The order has no dispute or case with this id.", "no-such-matter")
        now, zone = self._app.clock(), seen.order.terms.calendar.timezone
        names = await self._marketplaces()

        def render() -> Response:
            return page(
                "matter.html",
                marketplaces=names,
                marketplace=marketplace,
                page=CaseFilePage(document, seen.order, now),
                is_stale=stale,
                clock=formatting.clock(now, zone),
            )

        return await self._reads.workers.do(render)

    async def rules(self, request: Request) -> Response:
        """List the rules."""
        self._authenticator.identify(request, None)
        sections = {
            title: [(rule, text.sentence) for rule, text in RULES.items() if text.section == number]
            for number, title in SECTIONS.items()
        }
        return page(
            "rules.html", marketplaces=await self._marketplaces(), marketplace=None, here="rules", sections=sections
        )

    async def policy(self, request: Request) -> Response:
        """Explain a policy."""
        self._authenticator.identify(request, None)
        params = request.path_params
        name, version = params["policy_id"], params["version"]
        document = self._reads.book.named(f"{name}@{version}")
        if document is None:
            self._reads.check_no_policy()
            raise not_found("There is no such policy here.", "no-such-policy")
        settings: dict[str, Any] = json.loads(document.document)
        return page(
            "policy.html",
            marketplaces=await self._marketplaces(),
            marketplace=None,
            policy=document.policy,
            sha256=document.sha256.hex(),
            rules=[(rule, RULES[rule].sentence, settings.get(rule, {})) for rule in document.policy.rules],
            others=[
                (key, value)
                for key, value in sorted(settings.items())
                if key not in ("id", "version", "title", "rules", *document.policy.rules)
            ],
        )


def router(app: App, authenticator: Authenticator, reads: Reads, listing: Listing) -> APIRouter:
    """Build the routes of every page for an app."""
    routes = APIRouter(include_in_schema=False)
    pages = Pages(app, authenticator, reads, listing)
    for path, handler, keys in (
        ("/", pages.home, ()),
        ("/o/{marketplace}", pages.orders, ("q", "status", "after")),
        ("/o/{marketplace}/{order_id}", pages.order, ("as_of",)),
        ("/o/{marketplace}/{order_id}/receipt", pages.receipt, ("as_of", "lang")),
        ("/d/{marketplace}/{order_id}/{matter_id}", pages.case_file, ()),
        ("/rules", pages.rules, ()),
        ("/policies/{policy_id}/{version}", pages.policy, ()),
    ):
        routes.add_api_route(
            path, with_known_query(handler, keys, others=True), methods=["GET"], response_class=Response
        )
    return routes


# ---- rendering ------------------------------------------------------------------------------------------------------


def page(template: str, status: int = 200, language: str = LANGUAGES[0], **values: Any) -> Response:
    """Render a page; caches must not store it, because it shows the state as of now."""
    bar = pack(language).words["page"]
    text = _environment().get_template(template).render(css=_css_path(), language=language, bar=bar, **values)
    return HTMLResponse(text, status, {"Cache-Control": "no-store", "Content-Language": language})


def problem_page(problem: Problem) -> Response:
    """Render a problem as a page."""
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
        setting=formatting.setting,
        segment=segment,
    )
    return environment


# ---- static files --------------------------------------------------------------------------------------------------


@cache
def _static(name: str) -> bytes:
    return (resources.files("infra.web") / "static" / name).read_bytes()


@cache
def _css_path() -> str:
    """Return the style sheet's path with its hash, so that caches can store it forever."""
    return f"/static/rescind.css?{hashlib.sha256(_static('rescind.css')).hexdigest()[:12]}"


def static_files() -> Router:
    """Serve the static files by name; no other file can be reached."""

    async def file(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in STATIC:
            raise not_found("There is no such file.", "no-such-file")
        caching = "public, max-age=31536000, immutable" if request.url.query else "public, max-age=3600"
        return Response(_static(name), 200, {"Cache-Control": caching}, STATIC[name])

    return Router([Route("/{name}", file, methods=["GET"])], redirect_slashes=False)
