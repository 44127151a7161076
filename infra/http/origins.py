"""Refuses requests that another website makes a browser send, if they would change anything (CSRF).

Browsers send ``Sec-Fetch-Site``, or at least ``Origin``, which pages cannot change. Programs send neither and are let
through. Only these headers count, not the caller or the body.
"""

from collections.abc import Callable
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from infra.api.problems import Problem

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods that change nothing."""
_PORTS: Final = {"http": ":80", "https": ":443"}
"""Default port of a scheme, which may be left out after the host."""


class OwnSite:
    """ASGI middleware that refuses requests from other websites. ``problem`` builds the response as JSON or page."""

    def __init__(self, app: ASGIApp, problem: Callable[[Scope, Problem], Response]) -> None:
        self._app = app
        self._problem = problem

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in SAFE:
            why = elsewhere(Headers(scope=scope))
            if why is not None:
                refused = Problem(
                    403, "cross-site", f"{why}. Send it from this site, or with a program.", rule="cross-site"
                )
                await self._problem(scope, refused)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def elsewhere(headers: Headers) -> str | None:
    """Say why a request comes from another website; None if it does not.

    *same-origin* is trusted even if the Host differs: the browser has compared with the address that it opened, and a
    proxy may use another name for this server.
    """
    sites = {site.strip().lower() for site in headers.getlist("sec-fetch-site")}
    if sites - {"same-origin", "none"}:
        return "A page of another website sent this request (Sec-Fetch-Site)"
    if sites == {"same-origin"}:
        return None
    for origin in headers.getlist("origin"):
        scheme, _, host = origin.strip().lower().partition("://")
        port = _PORTS.get(scheme, "")
        if not host or host.removesuffix(port) != headers.get("host", "").strip().lower().removesuffix(port):
            return "A page of another website sent this request (its Origin is not this Host)"
    return None
