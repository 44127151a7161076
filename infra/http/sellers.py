"""``GET /sellers/{id}/dashboard``: a seller's counts, cancellation rate, limit and window, from the views."""

from datetime import date

from starlette.requests import Request
from starlette.responses import Response

from infra.api.answers import STALE, json_response
from infra.api.problems import Problem, unavailable
from infra.api.session_tokens import HEADER as POSITION
from infra.api.session_tokens import read_token
from infra.app import App
from infra.documents.seller_dashboard import COUNTED, dashboard, terms_of
from infra.http.authenticator import Principal
from infra.http.listing import Listing
from infra.http.reads import Reads
from infra.views.reading import Reading, Row


class Sellers:
    """Handles requests for sellers' dashboards. Belongs to one event loop."""

    def __init__(self, app: App, reads: Reads, listing: Listing) -> None:
        self._app = app
        self._reads = reads
        self._listing = listing

    async def answer(self, request: Request, marketplace: str, principal: Principal) -> Response:
        """Return the dashboard as of now; Problem 404 if the seller has no orders or is not the caller."""
        seller = request.path_params["seller_id"]
        if principal.own_buyer is not None or principal.own_seller not in (None, seller):
            raise _no_seller()
        stale = await self._listing.is_stale(read_token(request.headers.get(POSITION)))
        newest = await self._listing.ask(lambda views: views.newest_order_of_seller(marketplace, seller))
        stale = self._listing.judge(found=newest is not None) or stale
        if newest is None:
            await self._listing.must_be_known(marketplace, principal)
            raise _no_seller()
        seen = await self._reads.order(marketplace, newest["order_id"])
        if seen is None:
            raise unavailable("views-ahead", "The lists are ahead of this process. Try again.")
        terms = terms_of(seen.order, self._reads.book, self._app.clock())
        within = terms.within

        def look(views: Reading) -> tuple[list[Row], dict[str, int]]:
            return _days(views, marketplace, seller, within.first, within.last), views.counts(marketplace, seller)

        rows, orders = await self._listing.ask(look)
        days = {(row["day"], row["currency"]): {name: row[name] for name in COUNTED} for row in rows}
        body = dashboard(terms, days, orders)
        if stale:
            body["stale"] = True
        return json_response(body, headers={"Cache-Control": "no-store", **({STALE: "true"} if stale else {})})


def _days(views: Reading, marketplace: str, seller: str, first: date, last: date) -> list[Row]:
    return views.seller_daily(marketplace, seller, first.isoformat(), last.isoformat())


def _no_seller() -> Problem:
    return Problem(404, "not-found", "There is no such seller here.", rule="no-such-seller")
