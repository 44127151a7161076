"""Who asks, and what they may see: the one seam where users and tokens plug in.

A doorkeeper looks at a request and names its caller, or refuses it. While no users are configured there is one
doorkeeper, ``LoopbackAuthenticator``: it serves callers on this very machine and believes the actor that a body names.
Everything else asks the caller, and never the request.
"""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from domain.order import Order
from infra.api.problems import Problem, malformed

Body = dict[str, Any]
_HOST: Final = re.compile(r"(localhost|[0-9.]{7,15}|\[[0-9a-f:]{2,39}\])(?::[0-9]{1,5})?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody at the door of one marketplace. ``kind`` None: trusted to speak for anybody.

    ``kind`` is buyer, seller, support or system, ``id`` theirs.
    """

    kind: str | None
    id: str

    def speaks(self, body: Body) -> Body:
        """The body with the actor it is judged for: the caller's own, or another where the caller may name one."""
        if self.kind is None:
            return body
        own = {"kind": self.kind, "id": self.id}
        said = body.get("actor", own)
        if said != own and self.kind not in ("system", "support"):
            raise malformed("the actor is whose token it is; leave it out", "/actor")
        return {**body, "actor": said}

    def sees(self, order: Order) -> bool:
        """Whether the order is theirs to see; whoever may not is told that there is none."""
        match self.kind:
            case "buyer":
                return order.terms.buyer_id == self.id
            case "seller":
                return order.terms.seller_id == self.id
            case _:
                return True

    @property
    def knows_every_marketplace(self) -> bool:
        """Whether they may be told the names of marketplaces; everybody else is told of their own only."""
        return self.kind is None

    @property
    def is_bound(self) -> bool:
        """Whether they see the orders of one buyer or seller only."""
        return self.kind in ("buyer", "seller")

    @property
    def own_buyer(self) -> str | None:
        """The only buyer whose orders a list may show, if it is bound to one."""
        return self.id if self.kind == "buyer" else None

    @property
    def own_seller(self) -> str | None:
        """The only seller whose orders a list may show, if it is bound to one."""
        return self.id if self.kind == "seller" else None


class Authenticator(Protocol):
    """Names the caller of a request."""

    def admit(self, request: HTTPConnection, marketplace: str | None) -> Principal:
        """The caller, in a marketplace (None: of a page about all of them); Problem 401 or 403 where nobody may."""
        ...


class LoopbackAuthenticator:
    """Nobody has to say who they are, because nobody from elsewhere gets here (``LocalHost``)."""

    def admit(self, request: HTTPConnection, marketplace: str | None) -> Principal:
        return _TRUSTED


_TRUSTED: Final = Principal(None, "loopback")


class LocalHost:
    """ASGI middleware: on every path the Host header must name this machine.

    A page of the web whose name was pointed at 127.0.0.1 does not get in. ``problem`` answers in the form asked for.
    """

    def __init__(self, app: ASGIApp, problem: Callable[[Scope, Problem], Response]) -> None:
        self._app = app
        self._problem = problem

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not is_local_name(Headers(scope=scope).get("host", "")):
            refused = Problem(
                421,
                "misdirected",
                "without users configured this server answers on this machine only: ask for it by an address like "
                "127.0.0.1 or [::1], or as localhost",
            )
            await self._problem(scope, refused)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def is_local_name(host: str) -> bool:
    """Whether a Host header (with or without a port) names this machine: a name of the web never does."""
    found = _HOST.fullmatch(host)
    return found is not None and is_loopback(found[1].strip("[]").lower())


def is_loopback(address: str) -> bool:
    """Whether a server that listens there can be reached from this machine only."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
