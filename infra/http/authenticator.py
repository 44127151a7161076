"""Authentication: who sends a request, and what they may see. Users and tokens would plug in here.

An authenticator identifies the principal of a request or refuses it. The only one today is ``LoopbackAuthenticator``:
it serves callers on this machine and trusts the actor that a body names. All other code asks the principal, never the
request.
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
    """The sender of a request in one marketplace.

    ``kind`` is buyer, seller, support or system, and ``id`` their id. ``kind`` None may act for anybody.
    """

    kind: str | None
    id: str

    def with_actor(self, body: Body) -> Body:
        """Return the body with its actor: the principal, or another one if the principal may name one."""
        if self.kind is None:
            return body
        own = {"kind": self.kind, "id": self.id}
        actor = body.get("actor", own)
        if actor != own and self.kind not in ("system", "support"):
            raise malformed("the actor must be the token's owner; leave it out", "/actor")
        return {**body, "actor": actor}

    def sees(self, order: Order) -> bool:
        """True if they may see the order; for everybody else it does not exist."""
        match self.kind:
            case "buyer":
                return order.terms.buyer_id == self.id
            case "seller":
                return order.terms.seller_id == self.id
            case _:
                return True

    @property
    def knows_every_marketplace(self) -> bool:
        """True if they may learn the names of all marketplaces."""
        return self.kind is None

    @property
    def is_bound(self) -> bool:
        """True if they see the orders of one buyer or seller only."""
        return self.kind in ("buyer", "seller")

    @property
    def own_buyer(self) -> str | None:
        """The only buyer whose orders a list may show, if they are bound to one."""
        return self.id if self.kind == "buyer" else None

    @property
    def own_seller(self) -> str | None:
        """The only seller whose orders a list may show, if they are bound to one."""
        return self.id if self.kind == "seller" else None


class Authenticator(Protocol):
    """Identifies the principal of a request."""

    def identify(self, request: HTTPConnection, marketplace: str | None) -> Principal:
        """Return the principal in a marketplace (None: of a page about all of them); Problem 401 or 403 if refused."""
        ...


class LoopbackAuthenticator:
    """Trusts every caller, because ``LocalHost`` lets in only callers on this machine."""

    def identify(self, request: HTTPConnection, marketplace: str | None) -> Principal:
        return _TRUSTED


_TRUSTED: Final = Principal(None, "loopback")


class LocalHost:
    """ASGI middleware that refuses requests whose Host header does not name this machine.

    This stops websites whose name points to 127.0.0.1 (DNS rebinding). ``problem`` builds the response as JSON or page.
    """

    def __init__(self, app: ASGIApp, problem: Callable[[Scope, Problem], Response]) -> None:
        self._app = app
        self._problem = problem

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not is_local_name(Headers(scope=scope).get("host", "")):
            refused = Problem(
                421,
                "misdirected",
                "No users are configured, so this server answers only on this machine. Use 127.0.0.1, "
                "[::1] or localhost in the address.",
            )
            await self._problem(scope, refused)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def is_local_name(host: str) -> bool:
    """True if a Host header, with or without a port, names this machine."""
    found = _HOST.fullmatch(host)
    return found is not None and is_loopback(found[1].strip("[]").lower())


def is_loopback(address: str) -> bool:
    """True if a server that listens there can be reached from this machine only."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
