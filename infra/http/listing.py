"""Lists orders by PO number, seller, buyer and status, page by page. Reads the views in a thread."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from consumers.engine.engine import Engine
from consumers.ports.journal import JournalError
from consumers.ports.views import ViewsError
from domain.instants import Instant
from infra.api.answers import STALE, json_response
from infra.api.problems import Problem, malformed, not_found, unavailable
from infra.api.session_tokens import HEADER as POSITION
from infra.api.session_tokens import read_token
from infra.app import App
from infra.documents.words import STATUS
from infra.http.authenticator import Principal
from infra.http.reads import POLL_INTERVAL, TIMEOUT
from infra.store.order_search import nearest_marketplace, sections
from infra.views.reading import BadCursor, OrderFilter, Page, Reading, Row, attention_of

T = TypeVar("T")

PAGE: Final = 50
MOST: Final = 200
LONGEST_SEARCH: Final = 200
NEAREST_OF: Final = 200
"""Marketplaces that are compared with an unknown name at most."""
LOOK_ELSEWHERE: Final = 0.05
"""Seconds between two checks of how far other processes have written the views."""


class Listing:
    """Lists of orders. Belongs to one event loop."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def ask(self, question: Callable[[Reading], T]) -> T:
        """Query the views in a thread; Problem 503 if this process has none or they cannot be read."""
        views = self._app.views
        if views is None:
            raise unavailable("no-views", "This process has no views, so it cannot search. Open the order by its id.")
        try:
            return await asyncio.to_thread(question, views.views)
        except BadCursor as wrong:
            raise malformed(str(wrong), rule="cursor", status=400) from None
        except ViewsError as wrong:
            raise unavailable("views-unavailable", str(wrong)) from None

    async def is_stale(self, token: Mapping[int, int]) -> bool:
        """Wait until the views have a token's positions, and return whether they may still be stale.

        Positions that other processes write are read from the database.
        """
        views = self._app.views
        until = asyncio.get_running_loop().time() + TIMEOUT
        while token and views is not None:
            own = views.positions
            if all(own[partition] > position for partition, position in token.items() if partition in own):
                others = [partition for partition in token if partition not in own]
                if not others or await self.ask(partial(_have, {partition: token[partition] for partition in others})):
                    return False
                await asyncio.sleep(LOOK_ELSEWHERE)
            if asyncio.get_running_loop().time() > until:
                return True
            await asyncio.sleep(POLL_INTERVAL)
        return False

    def judge(self, *, found: bool) -> bool:
        """Return whether a result may lack rows because the views are behind the log or do not advance.

        Problem 503 if nothing was found while the views are behind, because an empty list would be misleading.
        """
        lacking = self._lacking()
        if lacking is not None and not found:
            raise unavailable("views-behind", f"Nothing was found, but the lists are not complete yet: {lacking}")
        return lacking is not None

    def _lacking(self) -> str | None:
        engine = self._app.engine
        for partition in tuple(engine.followers):
            if (unknown := engine.unknown(partition)) is not None:
                return unknown[1]
        return None if self._app.views is None else self._app.views.lacking

    async def page(self, of: OrderFilter, after: str | None, limit: int = PAGE) -> Page:
        """Return a page of orders, newest first; by PO number if no order has exactly the given one."""

        def look(reading: Reading) -> Page:
            if of.po is None or reading.orders_with_po(of.po, of.marketplace, limit=1):
                return reading.orders(of, after, limit)
            return reading.orders_beginning(of, of.po, after, limit)

        return await self.ask(look)

    async def must_be_known(self, marketplace: str, principal: Principal) -> None:
        """Problem 404 with the most similar name if neither the settings nor any order has this marketplace.

        Without any orders, every marketplace is accepted. Problem 503 while the views are not complete.
        """
        views = self._app.views
        if (
            views is None
            or marketplace in sections(self._app.settings)
            or await self.ask(partial(_names_it, marketplace))
        ):
            return
        await self._until_all_is_in_the_views()
        if await self.ask(partial(_names_it, marketplace)):
            return
        names = await self.ask(lambda reading: reading.marketplaces(NEAREST_OF))
        if names:
            raise unknown_marketplace(marketplace, [*names, *sections(self._app.settings)], principal)

    async def _until_all_is_in_the_views(self) -> None:
        """Wait until the views have what this process has read of the log; Problem 503 if they do not in time."""

        def followed(engine: Engine) -> dict[int, int] | None:
            if not engine.caught_up:
                return None
            return {partition: follower.next_position - 1 for partition, follower in engine.followers.items()}

        views, answer = self._app.views, self._app.engine.call(followed)
        if answer.cancelled():
            raise unavailable("closing", "The server is shutting down. Try again later.")
        try:
            ends = await asyncio.wait_for(asyncio.wrap_future(answer), self._app.settings.answer_within)
        except (TimeoutError, JournalError):
            ends = None
        if ends is None or await self.is_stale(ends) or (views is not None and views.trouble is not None):
            raise unavailable("views-behind", "The lists are not complete yet. Try again.")
        self.judge(found=False)

    async def answer(self, request: Request, marketplace: str, principal: Principal) -> Response:
        """Answer ``GET /orders`` with a page as JSON and a Link to the next."""
        query = request.query_params
        stale = await self.is_stale(read_token(request.headers.get(POSITION)))
        of = OrderFilter(
            marketplace,
            po=query.get("po"),
            seller=_own(query.get("seller"), principal.own_seller),
            buyer=_own(query.get("buyer"), principal.own_buyer),
            status=status_of(query.get("status")),
        )
        q, after, limit = query.get("q"), query.get("after"), _limit(query.get("limit"))
        if q is not None and (of.po is not None or after is not None):
            raise malformed("q cannot be combined with po or after", rule="query", status=400)
        page = await (self.page(of, after, limit) if q is None else self.ask(partial(_search, of, q.strip(), limit)))
        stale = self.judge(found=bool(page.rows)) or stale
        if not page.rows:
            await self.must_be_known(marketplace, principal)
        now = self._app.clock()
        body: dict[str, Any] = {"orders": [summary(row, now) for row in page.rows], "next": page.next}
        headers = {"Cache-Control": "no-store"}
        if stale:
            body["stale"] = True
            headers[STALE] = "true"
        if page.next is not None:
            url = request.url.include_query_params(after=page.next)
            headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
        return json_response(body, headers=headers)


def _names_it(marketplace: str, reading: Reading) -> bool:
    return reading.has_orders(marketplace)


def _search(of: OrderFilter, q: str, limit: int, reading: Reading) -> Page:
    """Orders with this name, else those that match; a single page."""
    rows = reading.named(of, q, limit) or reading.matching(of, q, limit) if 0 < len(q) <= LONGEST_SEARCH else []
    return Page(rows, None)


def unknown_marketplace(marketplace: str, names: Iterable[str], principal: Principal) -> Problem:
    """Return Problem 404, with the most similar name for those who may know every marketplace."""
    if not principal.knows_every_marketplace:
        return not_found()
    nearest = nearest_marketplace(marketplace, names)
    hint = "" if nearest is None else f" Did you mean {nearest}?"
    more: dict[str, Any] = {} if nearest is None else {"nearest": nearest}
    text = f"There is no marketplace {marketplace[:100]!r}: no settings section and no order has this name.{hint}"
    return Problem(404, "not-found", text, rule="no-such-marketplace", **more)


def _have(token: Mapping[int, int], views: Reading) -> bool:
    return all(views.has(partition, position) for partition, position in token.items())


def summary(row: Row, now: Instant) -> dict[str, Any]:
    """Return a row of the table ``orders`` as JSON."""
    return {
        "marketplace": row["marketplace"],
        "order_id": row["order_id"],
        "po_number": row["po_number"],
        "checkout_id": row["checkout_id"],
        "seller_id": row["seller_id"],
        "buyer_id": row["buyer_id"],
        "currency": row["currency"],
        "status": row["status"],
        "attention": attention_of(row, now),
        "version": row["version"],
        "placed_at": row["placed_at"],
        "ship_by": row["ship_by"],
        "total_minor": row["total_minor"],
        "paid_minor": row["paid_minor"],
        "refund_due_minor": row["refund_due_minor"],
        "refunded_minor": row["refunded_minor"],
        "kept_minor": row["kept_minor"],
        "open": row["open_units"],
        "shipped": row["shipped_units"],
        "canceled": row["canceled_units"],
    }


def _own(wanted: str | None, own: str | None) -> str | None:
    """Return the seller or buyer to filter by; Problem 404 for one that the principal is not."""
    if own is not None and wanted not in (None, own):
        raise Problem(404, "not-found", "There is no such order here.", rule="no-such-order")
    return wanted if own is None else own


def status_of(text: str | None) -> str | None:
    """Return the status that a query names, in lower case; Problem 400 for an unknown one."""
    if text is not None and text.lower() not in STATUS:
        raise malformed(f"status must be one of {', '.join(STATUS)}", rule="status", status=400)
    return None if text is None else text.lower()


def _limit(text: str | None) -> int:
    if text is None:
        return PAGE
    if not (text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= MOST):
        raise malformed(f"limit must be a number from 1 to {MOST}", rule="limit", status=400)
    return int(text)
