"""Forwards requests about an order to the process that follows it, and returns that process's response.

Reads, previews and files are forwarded. Any other write is decided here or sent through the ``commands`` topic. Only
processes of the group are contacted, at the URLs that they advertise; a forwarded request is not forwarded again.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import httpx
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consumers.engine.engine import Engine
from infra.api.paths import PREVIEWS
from infra.api.problems import Problem, unavailable
from infra.api.request_parts import SLASH
from infra.http.reads import NotFollowedHere

if TYPE_CHECKING:
    from infra.cluster.membership import Membership

FORWARDED: Final = "rescind-passed-on"
"""Header of a forwarded request; it is not forwarded again."""
NOT_HERE: Final = "rescind-not-followed"
"""Header of a response from a process that does not follow the order and has not handled the request."""
TIMEOUT: Final = 3.0
"""Seconds to look for the process of a partition that is being reassigned."""
PAUSE: Final = 0.1
"""Seconds between two attempts."""
CONNECT: Final = 1.0
"""Seconds that a connection may take; the other process is near."""
READ: Final = 5.0
"""Seconds that the response to a read may take."""

_CONNECTIONS: Final = httpx.Limits(max_connections=256, max_keepalive_connections=64, keepalive_expiry=2.0)
"""Idle connections are closed here first, because a request on one that the server closes would be lost."""
_ORDER: Final = re.compile(r"/v1/([^/]+)/orders/([^/]+)(/.*)?")
_PAGE: Final = re.compile(r"/[od]/([^/]+)/([^/]+)(/.*)?")
_BODY: Final = re.compile(
    "|".join((*(re.sub(r"\{\w+\}", "[^/]+", form.path) for form in PREVIEWS), "/notices/[^/]+/send"))
)
_EVIDENCE: Final = "/evidence"
_FORM: Final = "multipart/form-data"
_HOPS: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that concern one connection only."""
_OURS: Final = frozenset({"date", "server"})
"""Headers that this server sets itself."""
_REPEATABLE: Final = frozenset({"GET", "HEAD"})


def order_of(scope: Scope) -> str | None:
    """Return the order's stream if only its follower can answer the request; None if this process can."""
    method, path = scope["method"], scope["path"]
    page = _PAGE.fullmatch(path)
    found = page or _ORDER.fullmatch(path)
    if found is None or SLASH in found[1] + found[2]:  # no order id contains a slash
        return None
    if page is not None:
        return f"{page[1]}/{page[2]}"
    below = found[3] or ""
    if method in _REPEATABLE or (method == "POST" and (_BODY.fullmatch(below) or _is_file(below, scope))):
        return f"{found[1]}/{found[2]}"
    return None


def _is_file(below: str, scope: Scope) -> bool:
    media_type = Headers(scope=scope).get("content-type", "")
    return below == _EVIDENCE and media_type.partition(";")[0].strip().lower() == _FORM


class Forwarding:
    """ASGI middleware. Belongs to one event loop; call ``aclose`` at its end."""

    def __init__(
        self,
        app: ASGIApp,
        engine: Engine,
        membership: "Membership",
        own: str,
        answer_within: float,
        problem: Callable[[Scope, Problem], Response],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """``own``: the URL that this process advertises. ``problem`` builds a response as JSON or page.

        ``transport``: replaces the network in tests.
        """
        self._app = app
        self._engine = engine
        self._membership = membership
        self._own = own
        self._answer_within = answer_within
        self._problem = problem
        self._transport = transport
        self._client: httpx.AsyncClient | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stream = order_of(scope) if scope["type"] == "http" else None
        partition = None if stream is None else self._engine.partition(stream)
        if partition is None or self._engine.follows(partition):
            try:
                await self._app(scope, receive, send)
                return
            except NotFollowedHere as elsewhere:  # nothing has been sent yet
                partition = elsewhere.partition
                if scope["method"] not in _REPEATABLE:  # its body has been read
                    await self._refuse(scope, receive, send, partition)
                    return
        await self._find(scope, receive, send, partition)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()

    async def _find(self, scope: Scope, receive: Receive, send: Send, partition: int) -> None:
        """Forward the request, or handle it here, as soon as a process follows the partition."""
        was_forwarded = FORWARDED in Headers(scope=scope)
        now = asyncio.get_running_loop().time
        until = now() + TIMEOUT
        incoming = _ForwardedRequest(scope, receive, send)
        while not incoming.is_read:
            if self._engine.follows(partition):
                try:
                    await self._app(scope, incoming.receive, send)
                    return
                except NotFollowedHere:
                    continue
            if was_forwarded:
                break
            url = await self._membership.of(partition)
            if url is not None and url != self._own and await self._forward(url, incoming):
                return
            if now() >= until:
                break
            self._membership.doubt()
            await asyncio.sleep(PAUSE)
        await self._refuse(scope, receive, send, partition)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, partition: int) -> None:
        problem = unavailable(
            "not-followed",
            f"The order's partition {partition} is being reassigned, or its process does not answer. Try again.",
        )
        problem.headers[NOT_HERE] = str(partition)
        await self._problem(scope, problem)(scope, receive, send)

    async def _forward(self, url: str, incoming: "_ForwardedRequest") -> bool:
        """Forward the request to a process; True if that process answered it."""
        request = self._connections.build_request(
            incoming.method, url + incoming.target, headers=incoming.headers, content=incoming.content
        )
        request.extensions["timeout"] = self._timeout(incoming.method).as_dict()
        try:
            answer = await self._connections.send(request, stream=True)
        except httpx.TransportError:
            return False
        try:
            if answer.status_code == 503 and NOT_HERE in answer.headers:
                return False
            await incoming.give(answer)
            return True
        finally:
            await answer.aclose()

    def _timeout(self, method: str) -> httpx.Timeout:
        longest = self._answer_within + CONNECT
        return httpx.Timeout(longest if method not in _REPEATABLE else min(READ, longest), connect=CONNECT)

    @property
    def _connections(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(
                transport=self._transport, trust_env=False, follow_redirects=False, limits=_CONNECTIONS
            )
            self._client.headers.clear()
        return self._client


class _ForwardedRequest:
    """A request that is forwarded to another process."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.method: str = scope["method"]
        self.is_read = False
        """True if some of its body was read; then it cannot be sent again."""
        self._scope = scope
        self._receive = receive
        self._send = send

    @property
    def target(self) -> str:
        raw: bytes = self._scope.get("raw_path") or quote(self._scope["path"]).encode()
        query: bytes = self._scope["query_string"]
        return (raw + (b"?" + query if query else b"")).decode("ascii")

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """The request's headers, Host included, without those of this connection."""
        headers = _without_hops(self._scope["headers"], frozenset({FORWARDED}))
        return [*headers, (FORWARDED.encode(), b"1")]

    @property
    def content(self) -> AsyncIterator[bytes] | None:
        return None if self.method in _REPEATABLE else self._body()

    async def receive(self) -> Message:
        self.is_read = self.method not in _REPEATABLE
        return await self._receive()

    async def _body(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise httpx.ReadError("the client has disconnected")
            more = message.get("more_body", False)
            yield message.get("body", b"")

    async def give(self, answer: httpx.Response) -> None:
        """Stream the response back. If it breaks off there, it breaks off here."""
        headers = _without_hops(answer.headers.raw, _OURS)
        await self._send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
        async for chunk in answer.aiter_raw():
            await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def _without_hops(headers: list[tuple[bytes, bytes]], others: frozenset[str]) -> list[tuple[bytes, bytes]]:
    named = {
        name.strip().lower()
        for key, value in headers
        if key.lower() == b"connection"
        for name in value.decode("latin-1").split(",")
    }
    left_out = _HOPS | others | named
    return [(key.lower(), value) for key, value in headers if key.decode("latin-1").lower() not in left_out]
