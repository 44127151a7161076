"""Who asks, and what they may see: the one seam where users and tokens plug in.

A doorkeeper looks at a request and names its caller, or refuses it. While no users are configured there is one
doorkeeper, ``Loopback``: it serves callers on this very machine and believes the actor that a body names (DESIGN.md 6).
Everything else asks the caller, and never the request.
"""

import ipaddress
from dataclasses import dataclass
from typing import Any, Final, Protocol

from starlette.requests import HTTPConnection

from domain.order import Order
from infra.http.problems import Problem, malformed

Body = dict[str, Any]
LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


@dataclass(frozen=True, slots=True)
class Caller:
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


class Doorkeeper(Protocol):
    """Names the caller of a request."""

    def admit(self, request: HTTPConnection, marketplace: str | None) -> Caller:
        """The caller, in a marketplace (None: of a page about all of them); Problem 401 or 403 where nobody may."""
        ...


class Loopback:
    """Nobody has to say who they are, because nobody from elsewhere gets here.

    The Host header must name this machine: a page of the web whose name was pointed at 127.0.0.1 does not get in.
    """

    def admit(self, request: HTTPConnection, marketplace: str | None) -> Caller:
        if not is_local_name(request.headers.get("host", "")):
            raise Problem(
                421,
                "misdirected",
                "without users configured this server answers on this machine only, as 127.0.0.1, localhost or [::1]",
            )
        return _TRUSTED


_TRUSTED: Final = Caller(None, "loopback")


def is_local_name(host: str) -> bool:
    """Whether a Host header (with or without a port) names this machine."""
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    return name.lower() in LOCAL_NAMES


def is_loopback(address: str) -> bool:
    """Whether a server that listens there can be reached from this machine only."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
