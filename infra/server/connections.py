"""Connections: how many there may be, how long each part of a request may take, and what happens when no more fit.

A stranger who opens connections and sends nothing, or half a request, or does not read the answer, holds a connection
for a bounded time only. uvicorn's connection (h11) does the rest.
"""

import asyncio
import json
import logging
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Literal

import h11
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.flow_control import CLOSE_HEADER
from uvicorn.protocols.http.h11_impl import H11Protocol

from infra.api.problems import MEDIA_TYPE, Problem, unavailable

BACKLOG: Final = 1024
"""Connections that the system keeps until they are accepted."""
AT_ONCE: Final = 64
"""Connections that are accepted before anything else is done."""
RETRY: Final = 1.0
"""Seconds until accepting is tried again after it failed."""
REFUSALS: Final = 64
"""Connections beyond the limit that are being refused at one time; no more are accepted meanwhile."""
REFUSED_WITHIN: Final = 1.0
"""Seconds that a refused connection is kept, so that its answer arrives."""

HEALTH: Final = frozenset({"/healthz", "/readyz"})

Part = Literal["head", "body"]


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Seconds that a connection may take, and how many there may be."""

    head: float = 10.0
    """For the request line and the headers."""
    body: float = 30.0
    """For the body, from the end of the headers on."""
    keep_alive: float = 5.0
    """Between an answer and the first byte of the next request."""
    write: float = 30.0
    """In which a client takes nothing of an answer."""
    connections: int = 512
    """Open at one time."""


def connection_class(limits: ConnectionLimits) -> type[H11Protocol]:
    """The protocol class for ``uvicorn.Config``."""
    return type("Connection", (_Connection,), {"limits": limits})


class _Connection(H11Protocol):
    """One connection of a client."""

    limits: ConnectionLimits

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = _QUIET
        self.timeout_keep_alive = self.limits.keep_alive  # type: ignore[assignment]  # call_later takes a float
        self._part: tuple[Part, object] | None = None
        self._part_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._unwritten: int | None = None

    # ---- what asyncio and uvicorn call -----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await("head")

    def connection_lost(self, exc: Exception | None) -> None:
        self._await(None)
        if self._write_timer is not None:
            self._write_timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._look(began=True)

    def handle_events(self) -> None:
        super().handle_events()
        if self.scope is not None and self.cycle is not None and not self.cycle.response_started:
            names = {name for name, _ in self.headers}
            if {b"transfer-encoding", b"content-length"} <= names and CLOSE_HEADER not in self.headers:
                self.headers.append(CLOSE_HEADER)  # RFC 9112, 6.1: nothing that follows can be trusted

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._look(began=False)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_writing()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unwritten = None  # something was taken

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._watch_writing()

    def send_400_response(self, msg: str) -> None:
        self._end(Problem(400, "bad-request", "this is no HTTP request that can be read", rule="http"))

    def _should_upgrade(self) -> bool:
        return False

    # ---- the time that each part has -------------------------------------------------------------------------------

    def _look(self, began: bool) -> None:
        """See what the connection waits for now. ``began``: bytes have come, which may be the start of a request."""
        if self.transport.is_closing():
            self._await(None)
            self._watch_writing()
        elif self.conn.their_state is h11.SEND_BODY:
            self._await("body")
        elif self.conn.their_state is h11.IDLE and (began or self.timeout_keep_alive_task is None):
            self._await("head")
        else:
            self._await(None)

    def _await(self, part: Part | None) -> None:
        """Start the time of this part of a request, unless it runs already."""
        awaited = None if part is None else (part, self.cycle)
        if awaited == self._part:
            return
        self._part = awaited
        if self._part_timer is not None:
            self._part_timer.cancel()
            self._part_timer = None
        if part is not None:
            within = self.limits.head if part == "head" else self.limits.body
            self._part_timer = self.loop.call_later(within, self._too_late, part)

    def _too_late(self, part: Part) -> None:
        what = "the request line and the headers" if part == "head" else "the body"
        within = self.limits.head if part == "head" else self.limits.body
        detail = f"{what} did not come within {within:g} seconds; send the request again"
        self._end(Problem(408, "request-timeout", detail, rule="request-timeout"))

    def _end(self, problem: Problem) -> None:
        """Answer with a problem, unless an answer has begun, and close the connection."""
        self._await(None)
        cycle = self.cycle
        under_way = cycle is not None and not cycle.response_complete
        if not self.transport.is_closing() and not (under_way and cycle.response_started):
            self.transport.write(answer_bytes(problem))
        if under_way:  # whoever reads the body learns that there is no more of it
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.close()
        self._watch_writing()

    # ---- answers that nobody reads -----------------------------------------------------------------------------------

    def _watch_writing(self) -> None:
        if self._write_timer is None:
            self._unwritten = self.transport.get_write_buffer_size()
            self._write_timer = self.loop.call_later(self.limits.write, self._check_writing)

    def _check_writing(self) -> None:
        """Break the connection off where nothing of the answer was taken since the last look."""
        self._write_timer = None
        left = self.transport.get_write_buffer_size()
        if left and self._unwritten is not None and left >= self._unwritten:
            here = self.transport.get_extra_info("socket")
            here.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # nor does the system keep it
            self.transport.abort()
        elif left:
            self._watch_writing()


def answer_bytes(problem: Problem) -> bytes:
    """A problem as a whole answer, after which the connection is closed."""
    body = json.dumps(problem.body(), ensure_ascii=False, separators=(",", ":")).encode()
    headers = {**problem.headers, "Content-Type": MEDIA_TYPE, "Content-Length": str(len(body)), "Connection": "close"}
    lines = [
        f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}",
        *(f"{k}: {v}" for k, v in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


_QUIET: Final = logging.getLogger("uvicorn.error.connections")
"""Logs our own defects. A malformed request gets an answer, and no line in the log."""
_QUIET.addFilter(lambda record: record.levelno >= logging.ERROR)
"""A filter and not a level, because uvicorn resets the levels of its loggers when it starts."""


# ---- accepting ------------------------------------------------------------------------------------------------------


class Acceptor:
    """Accepts the connections of one listening socket; stands for ``asyncio.Server`` in uvicorn's server.

    asyncio's own accept loop repeats a failing accept as often as the backlog is long, with a traceback each time.
    """

    def __init__(
        self,
        listening: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        is_full: Callable[[int], bool],
        say: Callable[[str], None],
    ) -> None:
        """``is_full``: whether no further connection may be opened, so many being opened just now."""
        self.sockets = (listening,)
        self._listening = listening
        self._protocol = protocol
        self._is_full = is_full
        self._say = say
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[object]] = set()
        self._refused: set[_Refused] = set()
        self._retry: asyncio.TimerHandle | None = None
        self._failing = False
        listening.setblocking(False)
        listening.listen(BACKLOG)
        self._loop.add_reader(listening, self._accept)

    def close(self) -> None:
        """Accept no more; connections that are open stay."""
        self._loop.remove_reader(self._listening)
        if self._retry is not None:
            self._retry.cancel()
        for each in tuple(self._refused):
            each.end()

    async def wait_closed(self) -> None:
        """Wait for connections that are being opened."""
        await asyncio.gather(*self._opening, return_exceptions=True)

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            if len(self._refused) >= REFUSALS:
                self._pause()
                return
            try:
                accepted, _ = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as wrong:
                if not self._failing:
                    self._say(f"no connection can be accepted ({wrong.strerror or wrong}); trying again every second")
                self._failing = True
                self._pause()
                return
            if self._failing:
                self._say("connections are accepted again")
                self._failing = False
            accepted.setblocking(False)
            refused = self._is_full(len(self._opening))
            protocol = (lambda: _Refused(self._refused)) if refused else self._protocol
            task: asyncio.Task[object] = self._loop.create_task(self._open(protocol, accepted))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _open(self, protocol: Callable[[], asyncio.Protocol], accepted: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(protocol, accepted)
        except OSError:
            accepted.close()  # the client has gone

    def _pause(self) -> None:
        self._loop.remove_reader(self._listening)
        self._retry = self._loop.call_later(RETRY, self._loop.add_reader, self._listening, self._accept)


class _Refused(asyncio.Protocol):
    """A connection beyond the limit: told so, and closed as soon as the client has closed it, or soon after."""

    def __init__(self, among: "set[_Refused]") -> None:
        self._among = among
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._among.add(self)
        self._transport = transport
        transport.write(_FULL)
        transport.write_eof()
        self._timer = asyncio.get_running_loop().call_later(REFUSED_WITHIN, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._among.discard(self)
        if self._timer is not None:
            self._timer.cancel()

    def end(self) -> None:
        """Break it off."""
        if self._transport is not None:
            self._transport.abort()


_FULL: Final = answer_bytes(
    unavailable("too-many-connections", "all connections that this server takes are open; close some, or ask again")
)


# ---- requests at one time -------------------------------------------------------------------------------------------


class AtOnce:
    """ASGI middleware: so many requests are answered at one time, and no more are begun. Health is always told."""

    def __init__(self, app: ASGIApp, most: int, problem: Callable[[Scope, Problem], Response]) -> None:
        self._app = app
        self._most = most
        self._problem = problem
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in HEALTH:
            await self._app(scope, receive, send)
            return
        if self._under_way >= self._most:
            full = unavailable("too-many-requests", f"the limit of {self._most} at the same time is reached; ask again")
            await self._problem(scope, full)(scope, receive, send)
            return
        self._under_way += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._under_way -= 1
