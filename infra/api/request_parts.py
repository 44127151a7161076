"""What a request asks for, as it was sent: the segments of its path, the keys of its query, headers that stand once.

An id may have a slash in it, which is one segment of a path all the same: ``a%2Fb``. Servers decode a path before it is
routed, and there such a slash would be like any other. So it is routed with ``SLASH`` in its place, and handlers get it
back. Nothing here looks at what the parts mean.
"""

from collections.abc import Awaitable, Callable, Collection
from typing import Any, Final
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from infra.api.problems import Problem, malformed

Handler = Callable[[Request], Awaitable[Response]]

SLASH: Final = "\udc2f"
"""Stands for an escaped slash while a path is routed: half a character, which no path has once it is decoded."""


class Segments:
    """ASGI middleware: a slash that was escaped ends no segment."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw: bytes = scope.get("raw_path") or b"" if scope["type"] == "http" else b""
        if b"%2f" in raw.lower():
            decoded = (unquote(segment).replace("/", SLASH) for segment in raw.decode("latin-1").split("/"))
            scope = {**scope, "path": "/".join(decoded)}
        await self._app(scope, receive, send)


def segment(text: str) -> str:
    """An id as one segment of a path."""
    return quote(text, safe="")


def asked(handler: Handler, keys: Collection[str], *, others: bool = False) -> Handler:
    """The handler, given ids as they were sent; 400 for a key of the query that it does not know, or that comes twice.

    ``others``: keys that it does not know are left alone.
    """

    async def take(request: Request) -> Response:
        params: dict[str, Any] = request.scope["path_params"]
        request.scope["path_params"] = {name: value.replace(SLASH, "/") for name, value in params.items()}
        once(request, keys, others=others)
        return await handler(request)

    return take


def once(request: Request, keys: Collection[str], *, others: bool = False) -> None:
    """Problem 400 where the query has another key than these, unless ``others`` may be there, or one of them twice."""
    said = [name for name, _ in request.query_params.multi_items()]
    for name in said:
        if name not in keys and not others:
            takes = f"this path takes {', '.join(keys)}" if keys else "this path takes none"
            raise malformed(f"there is no parameter {name[:100]!r} here; {takes}", rule="query", status=400)
        if name in keys and said.count(name) > 1:
            raise malformed(f"{name} is given twice; say it once", rule="query", status=400)


def header(request: Request, name: str) -> str | None:
    """A header that stands there once, or None where it does not; Problem 400 where it stands there twice."""
    said = request.headers.getlist(name)
    if len(said) > 1:
        raise malformed(f"{name} is given {len(said)} times; say it once", rule=name.lower(), status=400)
    return said[0] if said else None


def media_type(request: Request) -> str:
    """What kind of body it is, without parameters. Problem 415 where it is compressed, or its text is not UTF-8."""
    kind, _, parameters = (header(request, "Content-Type") or "").partition(";")
    coding = ", ".join(request.headers.getlist("content-encoding")).strip().lower()
    if coding not in ("", "identity"):
        raise Problem(
            415,
            "content-encoding",
            f"the body is sent as it is, without Content-Encoding ({coding[:100]!r} is not read)",
            headers={"Accept-Encoding": "identity"},
            rule="content-encoding",
        )
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip().strip('"').lower() not in ("utf-8", "utf8"):
            raise Problem(415, "charset", f"the body is UTF-8; {value.strip()[:100]!r} is not read", rule="charset")
    return kind.strip().lower()
