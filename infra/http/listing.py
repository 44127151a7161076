"""Finding orders: by PO number, seller, buyer and status, a page at a time. Asked of the views, in a thread."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from consumers.views import ViewsError
from domain.instants import Instant
from infra.app import App
from infra.http.answers import STALE, json_response
from infra.http.callers import Caller
from infra.http.positions import HEADER as POSITION
from infra.http.positions import read_token
from infra.http.problems import Problem, malformed, unavailable
from infra.http.reads import LOOK, PATIENCE
from infra.views.reading import BadCursor, OrderFilter, Page, Reading, Row, attention_of
from infra.web.words import STATUS

T = TypeVar("T")

PAGE: Final = 50
MOST: Final = 200
LOOK_ELSEWHERE: Final = 0.05
"""Seconds between two looks at how far other processes have brought the views."""


class Listing:
    """Lists of orders. Belongs to one event loop."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def ask(self, question: Callable[[Reading], T]) -> T:
        """Ask the views in a thread; 503 where this process keeps none or they cannot be read."""
        views = self._app.views
        if views is None:
            raise unavailable("no-views", "this process keeps no views: find the order by its id")
        try:
            return await asyncio.to_thread(question, views.views)
        except BadCursor as wrong:
            raise malformed(str(wrong), rule="cursor", status=400) from None
        except ViewsError as wrong:
            raise unavailable("views-unavailable", str(wrong)) from None

    async def is_stale(self, token: Mapping[int, int]) -> bool:
        """Wait until the views have the positions of a token; True if they have not in time.

        What other processes put into the same views is asked of the database.
        """
        views = self._app.views
        until = asyncio.get_running_loop().time() + PATIENCE
        while token and views is not None:
            own = views.positions
            if all(own[partition] > position for partition, position in token.items() if partition in own):
                others = [partition for partition in token if partition not in own]
                if not others or await self.ask(partial(_have, {partition: token[partition] for partition in others})):
                    return False
                await asyncio.sleep(LOOK_ELSEWHERE)
            if asyncio.get_running_loop().time() > until:
                return True
            await asyncio.sleep(LOOK)
        return False

    def judge(self, *, found: bool) -> bool:
        """Whether what was ``found`` may lack rows, since the views are not yet as far as the log was, or stand still.
        503 where nothing was found for that reason: an empty list would say that there is nothing."""
        lacking = self._lacking()
        if lacking is not None and not found:
            raise unavailable("views-behind", f"nothing was found, and the views may lack it: {lacking}")
        return lacking is not None

    def _lacking(self) -> str | None:
        engine = self._app.engine
        for partition in tuple(engine.followers):
            if (unknown := engine.unknown(partition)) is not None:
                return unknown[1]
        return None if self._app.views is None else self._app.views.lacking

    async def page(self, of: OrderFilter, after: str | None, limit: int = PAGE) -> Page:
        """A page of orders, newest first."""
        return await self.ask(lambda reading: reading.orders(of, after, limit))

    async def answer(self, request: Request, marketplace: str, caller: Caller) -> Response:
        """``GET /orders``: a page as JSON, with a Link to the next."""
        query = request.query_params
        stale = await self.is_stale(read_token(request.headers.get(POSITION)))
        of = OrderFilter(
            marketplace,
            po=query.get("po"),
            seller=_own(query.get("seller"), caller.own_seller),
            buyer=_own(query.get("buyer"), caller.own_buyer),
            status=_status(query.get("status")),
        )
        page = await self.page(of, query.get("after"), _limit(query.get("limit")))
        stale = self.judge(found=bool(page.rows)) or stale
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


def _have(token: Mapping[int, int], views: Reading) -> bool:
    return all(views.has(partition, position) for partition, position in token.items())


def summary(row: Row, now: Instant) -> dict[str, Any]:
    """A row of the table ``orders`` as the API lists it."""
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


def _own(asked: str | None, own: str | None) -> str | None:
    """What a caller may ask for: one bound to a seller or buyer sees no other's, which looks like nothing there."""
    if own is not None and asked not in (None, own):
        raise Problem(404, "not-found", "There is no such order here.", rule="no-such-order")
    return asked if own is None else own


def _status(text: str | None) -> str | None:
    if text is not None and text not in STATUS:
        raise malformed(f"status is one of {', '.join(STATUS)}", rule="status", status=400)
    return text


def _limit(text: str | None) -> int:
    if text is None:
        return PAGE
    if not (text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= MOST):
        raise malformed(f"limit is a number from 1 to {MOST}", rule="limit", status=400)
    return int(text)
