"""The HTTP server: an ASGI application and uvicorn, which serves it.

``create`` builds the application (tests call it without a network); ``serve`` runs it until a signal ends it.
"""

import asyncio
import socket
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import uvicorn
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consumers.ports.journal import JournalError
from consumers.ports.local_state import LocalStateDamaged, LocalStateUnavailable
from consumers.ports.notifications import DeliveryStoreUnavailable
from consumers.ports.vault import VaultUnavailable
from consumers.ports.views import ViewsError
from domain.errors import PolicyUnknown
from infra.api.problems import Problem, unavailable
from infra.api.request_parts import SLASH, Segments, segment
from infra.app import App
from infra.http import health, openapi
from infra.http import routes as api
from infra.http.authenticator import Authenticator, LocalHost, LoopbackAuthenticator
from infra.http.internal_errors import InternalErrors
from infra.http.listing import Listing
from infra.http.methods import Heads, allowed
from infra.http.origins import OwnSite
from infra.http.reads import NotFollowedHere, Reads
from infra.server.binding import NotFree
from infra.server.connections import Acceptor, AtOnce, ConnectionLimits, connection_class
from infra.settings import Settings
from infra.web import pages

CSP: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""No scripts, styles and images only from this server, no framing."""
SECURITY: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", CSP.encode()),
)
"""Headers of every response that does not set them itself."""
GRACE: Final = 5
"""Seconds that running requests get when the server shuts down."""


def create(app: App, authenticator: Authenticator | None = None) -> FastAPI:
    """Build the ASGI application: API, pages, health and the OpenAPI document."""
    authenticator = authenticator or LoopbackAuthenticator()
    reads = Reads(app)
    listing = Listing(app)
    asgi = FastAPI(
        title="rescind",
        version=_version(),
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        default_response_class=Response,
        redirect_slashes=False,
    )
    routers = (
        api.router(app, authenticator, reads, listing),
        health.router(app),
        pages.router(app, authenticator, reads, listing),
    )
    for router in routers:
        asgi.include_router(router)
    asgi.state.routes = [route for router in routers for route in router.routes]
    asgi.mount("/static", pages.static_files(), "static")
    openapi.install(asgi)
    asgi.add_exception_handler(Problem, _problem)
    asgi.add_exception_handler(HTTPException, _http_exception)
    for kind in _UNAVAILABLE:
        asgi.add_exception_handler(kind, _part_unavailable)
    cluster = app.cluster
    if cluster is not None:
        from infra.http.forwarding import Forwarding

        asgi.add_middleware(
            Forwarding,
            engine=app.engine,
            membership=cluster.membership,
            own=cluster.url,
            answer_within=app.settings.answer_within,
            problem=_respond,
        )
    else:
        asgi.add_exception_handler(NotFollowedHere, _not_started)
    asgi.add_middleware(InternalErrors, problem=_respond)
    asgi.add_middleware(OwnSite, problem=_respond)
    asgi.add_middleware(AtOnce, most=app.settings.limit_concurrency, problem=_respond)
    if isinstance(authenticator, LoopbackAuthenticator):
        asgi.add_middleware(LocalHost, problem=_respond)
    asgi.add_middleware(Segments)
    asgi.add_middleware(Heads)
    asgi.add_middleware(SecurityHeaders)
    return asgi


_UNAVAILABLE: Final[Mapping[type[Exception], str]] = {
    PolicyUnknown: "policy-unknown",
    JournalError: "journal-unavailable",
    LocalStateDamaged: "local-state-unavailable",
    LocalStateUnavailable: "local-state-unavailable",
    ViewsError: "views-unavailable",
    VaultUnavailable: "vault",
    DeliveryStoreUnavailable: "book-unavailable",
}
"""Error of a part of the store that cannot be used now → rule of the response."""


async def _not_started(request: Request, _error: Exception) -> Response:
    """Answer a request that came before the engine's first look at the log: it follows every partition soon."""
    problem = unavailable("not-caught-up", "This process has not begun to read the log yet. Try again in a moment.")
    return _respond(request.scope, problem)


async def _part_unavailable(request: Request, wrong: Exception) -> Response:
    """Answer 503 for an unavailable part of the store that a handler did not handle."""
    rule = next(rule for kind, rule in _UNAVAILABLE.items() if isinstance(wrong, kind))
    return _respond(request.scope, unavailable(rule, str(wrong)))


async def _problem(request: Request, wrong: Exception) -> Response:
    assert isinstance(wrong, Problem)
    return _respond(request.scope, wrong)


def _respond(scope: Scope, problem: Problem) -> Response:
    return pages.problem_page(problem) if _wants_page(scope["path"]) else problem.response()


async def _http_exception(request: Request, wrong: Exception) -> Response:
    """Answer what routing refuses: an unknown path, or a method that the path does not take.

    The address of a page with a trailing slash redirects to the page.
    """
    assert isinstance(wrong, HTTPException)
    routes: list[BaseRoute] = request.app.state.routes
    path: str = request.scope["path"]
    headers = dict(wrong.headers or {})
    page = path.removesuffix("/")
    if wrong.status_code == 404 and page != path and _wants_page(path) and "GET" in allowed(routes, page):
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse("/".join(segment(each.replace(SLASH, "/")) for each in page.split("/")) + query, 308)
    if wrong.status_code == 405:
        headers["Allow"] = allowed(routes, path) or "GET, HEAD"  # for the OpenAPI document and static files
    name = {404: "not-found", 405: "method-not-allowed"}.get(wrong.status_code, "http")
    detail = {404: "There is no such page or path.", 405: f"This path accepts {headers.get('Allow')}."}
    problem = Problem(wrong.status_code, name, detail.get(wrong.status_code, str(wrong.detail)), headers=headers)
    return await _problem(request, problem)


def _wants_page(path: str) -> bool:
    return not path.startswith(("/v1/", "/healthz", "/readyz", "/openapi.json", "/static/"))


class SecurityHeaders:
    """ASGI middleware that adds the security headers to every response that does not set them itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                own = {name.lower() for name, _ in headers}
                message["headers"] = [*headers, *(header for header in SECURITY if header[0] not in own)]
            await send(message)

        await self._app(scope, receive, sending)


def _version() -> str:
    try:
        return version("rescind")
    except PackageNotFoundError:
        return "0"


# ---- running it -----------------------------------------------------------------------------------------------------


class Server(uvicorn.Server):
    """uvicorn's server with our connections; calls ``listens`` with each address once it listens."""

    def __init__(self, asgi: ASGIApp, settings: Settings, listens: Callable[[str], None], port: int = 0) -> None:
        """``port``: the port of 127.0.0.1, used if ``run`` gets no sockets."""
        self._limits = ConnectionLimits(
            settings.timeout_header,
            settings.timeout_body,
            settings.timeout_keep_alive,
            settings.timeout_write,
            settings.limit_connections,
        )
        super().__init__(
            uvicorn.Config(
                asgi,
                port=port,
                loop="asyncio",
                http=connection_class(self._limits),
                ws="none",
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=GRACE,
                lifespan="off",
            )
        )
        self._listens = listens

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen like uvicorn, but accept connections ourselves. OSError if listening fails."""
        await self.lifespan.startup()
        self.servers: list[Acceptor] = []  # type: ignore[assignment]  # uvicorn closes them at the end
        for listening in sockets or [self.config.bind_socket()]:
            self.servers.append(Acceptor(listening, self._protocol, self._is_full, _say))
        self.started = True
        for address in _addresses(self):
            self._listens(address)

    def _protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )

    def _is_full(self, opening: int) -> bool:
        return len(self.server_state.connections) + opening >= self._limits.connections


def _say(sentence: str) -> None:
    sys.stderr.write(f"rescind: {sentence}\n")
    sys.stderr.flush()


def _addresses(server: uvicorn.Server) -> Iterable[str]:
    for each in server.servers:
        for listening in each.sockets:
            host, port = listening.getsockname()[:2]
            yield f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def serve(app: App, bound: Sequence[socket.socket], listens: Callable[[str], None] | None = None) -> None:
    """Serve an app on these sockets (``infra.server.binding``) until SIGINT or SIGTERM.

    Calls ``listens`` with each address once requests are accepted. NotFree: another process has taken the port.
    """
    server = Server(create(app), app.settings, listens or (lambda _: None))
    try:
        server.run(sockets=list(bound))
    except OSError as wrong:
        if server.started:
            raise
        raise NotFree(f"the port cannot be listened on ({wrong.strerror or wrong}); choose another --port") from None
