"""Requests that another site has a browser send are refused where they would change anything (CSRF).

Browsers say where a request comes from, ``Sec-Fetch-Site``, and older ones its ``Origin``; no page can change what they
say. Programs say neither, and go on. It is judged by these headers alone: whoever asks, and whatever the body is.
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
"""What may be left out behind a host's name."""


class OwnSite:
    """ASGI middleware: what another site's page sends gets no further. ``problem`` answers in the form asked for."""

    def __init__(self, app: ASGIApp, problem: Callable[[Scope, Problem], Response]) -> None:
        self._app = app
        self._problem = problem

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in SAFE:
            why = elsewhere(Headers(scope=scope))
            if why is not None:
                refused = Problem(403, "cross-site", f"{why}; send it from here, or from a program", rule="cross-site")
                await self._problem(scope, refused)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def elsewhere(headers: Headers) -> str | None:
    """Why a request comes from another site, in words; None where it does not.

    A browser that says *same-origin* has compared with the address that it was given: its word holds where a proxy
    asked this server by another name.
    """
    sites = {site.strip().lower() for site in headers.getlist("sec-fetch-site")}
    if sites - {"same-origin", "none"}:
        return "a page of another site had the browser send this (Sec-Fetch-Site)"
    if sites == {"same-origin"}:
        return None
    for origin in headers.getlist("origin"):
        scheme, _, host = origin.strip().lower().partition("://")
        port = _PORTS.get(scheme, "")
        if not host or host.removesuffix(port) != headers.get("host", "").strip().lower().removesuffix(port):
            return "a page of another site had the browser send this (its Origin is not the Host that was asked)"
    return None
