"""The server: one ASGI application over an app, and uvicorn around it. Nothing is opened at import.

``create`` builds the application (tests call it without a network), ``serve`` runs it until it is told to end.
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
from infra.http.reads import Reads
from infra.server.binding import NotFree
from infra.server.connections import Acceptor, AtOnce, ConnectionLimits, connection_class
from infra.settings import Settings
from infra.web import pages

CSP: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""No scripts at all; styles and images from here; in nobody's frame."""
SECURITY: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", CSP.encode()),
)
"""On every answer that says nothing stricter itself."""
GRACE: Final = 5
"""Seconds that requests under way get when the server ends."""


def create(app: App, doorkeeper: Authenticator | None = None) -> FastAPI:
    """The ASGI application: API, pages, health and the OpenAPI document."""
    door = doorkeeper or LoopbackAuthenticator()
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
    routers = api.router(app, door, reads, listing), health.router(app), pages.router(app, door, reads, listing)
    for router in routers:
        asgi.include_router(router)
    asgi.state.routes = [route for router in routers for route in router.routes]
    asgi.mount("/static", pages.static_files(), "static")
    openapi.install(asgi)
    asgi.add_exception_handler(Problem, _problem)
    asgi.add_exception_handler(HTTPException, _http_exception)
    for away in _AWAY:
        asgi.add_exception_handler(away, _part_is_away)
    cluster = app.cluster
    if cluster is not None:
        from infra.http.forwarding import Forwarding

        asgi.add_middleware(
            Forwarding,
            engine=app.engine,
            membership=cluster.membership,
            own=cluster.url,
            answer_within=app.settings.answer_within,
            problem=_answer_as_asked,
        )
    asgi.add_middleware(InternalErrors, problem=_answer_as_asked)
    asgi.add_middleware(OwnSite, problem=_answer_as_asked)
    asgi.add_middleware(AtOnce, most=app.settings.limit_concurrency, problem=_answer_as_asked)
    if isinstance(door, LoopbackAuthenticator):
        asgi.add_middleware(LocalHost, problem=_answer_as_asked)
    asgi.add_middleware(Segments)
    asgi.add_middleware(Heads)
    asgi.add_middleware(SecurityHeaders)
    return asgi


_AWAY: Final[Mapping[type[Exception], str]] = {
    PolicyUnknown: "policy-unknown",
    JournalError: "journal-unavailable",
    LocalStateDamaged: "local-state-unavailable",
    LocalStateUnavailable: "local-state-unavailable",
    ViewsError: "views-unavailable",
    VaultUnavailable: "vault",
    DeliveryStoreUnavailable: "book-unavailable",
}
"""What says that a part of the store cannot be used now, and the rule by which a request is answered then."""


async def _part_is_away(request: Request, wrong: Exception) -> Response:
    """What a handler did not answer itself: a part that is away is no defect of ours."""
    rule = next(rule for away, rule in _AWAY.items() if isinstance(wrong, away))
    return _answer_as_asked(request.scope, unavailable(rule, str(wrong)))


async def _problem(request: Request, wrong: Exception) -> Response:
    assert isinstance(wrong, Problem)
    return _answer_as_asked(request.scope, wrong)


def _answer_as_asked(scope: Scope, problem: Problem) -> Response:
    return pages.problem_page(problem) if _wants_page(scope["path"]) else problem.response()


async def _http_exception(request: Request, wrong: Exception) -> Response:
    """What routing itself refuses: an unknown path, a method that a path does not take. The address of a page with a
    slash behind it leads to the page."""
    assert isinstance(wrong, HTTPException)
    routes: list[BaseRoute] = request.app.state.routes
    path: str = request.scope["path"]
    headers = dict(wrong.headers or {})
    page = path.removesuffix("/")
    if wrong.status_code == 404 and page != path and _wants_page(path) and "GET" in allowed(routes, page):
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse("/".join(segment(each.replace(SLASH, "/")) for each in page.split("/")) + query, 308)
    if wrong.status_code == 405:
        headers["Allow"] = allowed(routes, path) or "GET, HEAD"  # of what is not in them: the document, static files
    name = {404: "not-found", 405: "method-not-allowed"}.get(wrong.status_code, "http")
    detail = {404: "There is nothing here.", 405: f"This path takes {headers.get('Allow')}."}
    problem = Problem(wrong.status_code, name, detail.get(wrong.status_code, str(wrong.detail)), headers=headers)
    return await _problem(request, problem)


def _wants_page(path: str) -> bool:
    return not path.startswith(("/v1/", "/healthz", "/readyz", "/openapi.json", "/static/"))


class SecurityHeaders:
    """Adds the security headers to every answer that has none of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = list(message.get("headers", ()))
                own = {name.lower() for name, _ in said}
                message["headers"] = [*said, *(header for header in SECURITY if header[0] not in own)]
            await send(message)

        await self._app(scope, receive, sending)


def _version() -> str:
    try:
        return version("rescind")
    except PackageNotFoundError:
        return "0"


# ---- running it -----------------------------------------------------------------------------------------------------


class Server(uvicorn.Server):
    """uvicorn's server over our connections; ``listens`` is called with the addresses once it listens."""

    def __init__(self, asgi: ASGIApp, settings: Settings, listens: Callable[[str], None], port: int = 0) -> None:
        """``port``: of 127.0.0.1, where ``run`` is given no sockets."""
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
        """Listen, as uvicorn does, but accept connections ourselves. OSError where it cannot be listened."""
        await self.lifespan.startup()
        self.servers: list[Acceptor] = []  # type: ignore[assignment]  # what uvicorn closes at the end
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
    """Serve an app on these sockets (``infra.server.binding``) until SIGINT or SIGTERM; ``listens`` is called with each
    address once requests are taken. NotFree: somebody else began to listen there meanwhile.
    """
    server = Server(create(app), app.settings, listens or (lambda _: None))
    try:
        server.run(sockets=list(bound))
    except OSError as wrong:
        if server.started:
            raise
        raise NotFree(f"it cannot be listened there ({wrong.strerror or wrong}): choose another --port") from None
