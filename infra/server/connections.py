"""Limits of connections: their number, and the time that each part of a request may take.

A client that sends nothing or half a request, or does not read the response, holds a connection for a limited time
only. uvicorn's h11 connection does the rest.
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
"""Connections that the system queues until they are accepted."""
AT_ONCE: Final = 64
"""Connections that are accepted in one go."""
RETRY: Final = 1.0
"""Seconds until accepting is retried after an error."""
REFUSALS: Final = 64
"""Connections beyond the limit that are being refused at a time; while they are, none is accepted."""
REFUSED_WITHIN: Final = 1.0
"""Seconds that a refused connection stays open, so that its response arrives."""

HEALTH: Final = frozenset({"/healthz", "/readyz"})

Part = Literal["head", "body"]


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Timeouts of a connection in seconds, and the number of connections."""

    head: float = 10.0
    """Until the request line and the headers are complete."""
    body: float = 30.0
    """Until the body is complete, from the end of the headers on."""
    keep_alive: float = 5.0
    """Between a response and the first byte of the next request."""
    write: float = 30.0
    """Without the client reading anything of a response."""
    connections: int = 512
    """Connections open at a time."""


def connection_class(limits: ConnectionLimits) -> type[H11Protocol]:
    """Return the protocol class for ``uvicorn.Config``."""
    return type("Connection", (_Connection,), {"limits": limits})


class _Connection(H11Protocol):
    """A connection with time limits."""

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
        self._update(began=True)

    def handle_events(self) -> None:
        super().handle_events()
        if self.scope is not None and self.cycle is not None and not self.cycle.response_started:
            names = {name for name, _ in self.headers}
            if {b"transfer-encoding", b"content-length"} <= names and CLOSE_HEADER not in self.headers:
                self.headers.append(CLOSE_HEADER)  # RFC 9112, 6.1: what follows cannot be trusted

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._update(began=False)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_writing()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unwritten = None  # the client has read something

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._watch_writing()

    def send_400_response(self, msg: str) -> None:
        self._end(Problem(400, "bad-request", "The request is not valid HTTP.", rule="http"))

    def _should_upgrade(self) -> bool:
        return False

    # ---- time limits of each part ----------------------------------------------------------------------------------

    def _update(self, began: bool) -> None:
        """Start the time limit for what the connection waits for. ``began``: bytes came, which may begin a request."""
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
        """Start the time limit of this part of a request, unless it is running."""
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
        detail = f"{what.capitalize()} did not arrive within {within:g} seconds. Send the request again."
        self._end(Problem(408, "request-timeout", detail, rule="request-timeout"))

    def _end(self, problem: Problem) -> None:
        """Send a problem, unless a response has begun, and close the connection."""
        self._await(None)
        cycle = self.cycle
        under_way = cycle is not None and not cycle.response_complete
        if not self.transport.is_closing() and not (under_way and cycle.response_started):
            self.transport.write(answer_bytes(problem))
        if under_way:  # ends the reading of the body: no more will come
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.close()
        self._watch_writing()

    # ---- responses not being read ------------------------------------------------------------------------------------

    def _watch_writing(self) -> None:
        if self._write_timer is None:
            self._unwritten = self.transport.get_write_buffer_size()
            self._write_timer = self.loop.call_later(self.limits.write, self._check_writing)

    def _check_writing(self) -> None:
        """Abort the connection if the client has read nothing of the response since the last check."""
        self._write_timer = None
        left = self.transport.get_write_buffer_size()
        if left and self._unwritten is not None and left >= self._unwritten:
            here = self.transport.get_extra_info("socket")
            here.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )  # the system discards unsent data, too
            self.transport.abort()
        elif left:
            self._watch_writing()


def answer_bytes(problem: Problem) -> bytes:
    """Return a problem as a complete response that closes the connection."""
    body = json.dumps(problem.body(), ensure_ascii=False, separators=(",", ":")).encode()
    headers = {**problem.headers, "Content-Type": MEDIA_TYPE, "Content-Length": str(len(body)), "Connection": "close"}
    lines = [
        f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}",
        *(f"{k}: {v}" for k, v in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


_QUIET: Final = logging.getLogger("uvicorn.error.connections")
"""Logs internal errors only; a malformed request gets a response but no line in the log."""
_QUIET.addFilter(lambda record: record.levelno >= logging.ERROR)
"""A filter and not a level, because uvicorn resets the levels of its loggers when it starts."""


# ---- accepting ------------------------------------------------------------------------------------------------------


class Acceptor:
    """Accepts the connections of one listening socket, in place of ``asyncio.Server``.

    asyncio's own loop repeats a failing accept as often as the backlog is long, with a traceback each time.
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
        """Stop accepting; open connections stay."""
        self._loop.remove_reader(self._listening)
        if self._retry is not None:
            self._retry.cancel()
        for each in tuple(self._refused):
            each.end()

    async def wait_closed(self) -> None:
        """Wait until connections being opened are open."""
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
                    self._say(f"no connection can be accepted ({wrong.strerror or wrong}); retrying every second")
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
            accepted.close()  # the client has disconnected

    def _pause(self) -> None:
        self._loop.remove_reader(self._listening)
        self._retry = self._loop.call_later(RETRY, self._loop.add_reader, self._listening, self._accept)


class _Refused(asyncio.Protocol):
    """A connection beyond the limit; gets a 503 response and is closed soon."""

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
        """Abort the connection."""
        if self._transport is not None:
            self._transport.abort()


_FULL: Final = answer_bytes(
    unavailable("too-many-connections", "The server has reached its limit of connections. Close some, or try again.")
)


# ---- concurrent requests -------------------------------------------------------------------------------------------


class AtOnce:
    """ASGI middleware that limits concurrent requests; health checks are always answered."""

    def __init__(self, app: ASGIApp, most: int, problem: Callable[[Scope, Problem], Response]) -> None:
        self._app = app
        self._most = most
        self._problem = problem
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in HEALTH:
            await self._app(scope, receive, send)
            return
        if self._running >= self._most:
            full = unavailable(
                "too-many-requests", f"The limit of {self._most} concurrent requests is reached. Try again."
            )
            await self._problem(scope, full)(scope, receive, send)
            return
        self._running += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._running -= 1
