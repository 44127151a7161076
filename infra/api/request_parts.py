"""Reads the parts of a request: path segments, query keys, headers.

An id may contain a slash, which the path has as ``%2F`` within one segment. Servers decode the path before routing, so
the slash would end the segment there. Therefore the path is routed with ``SLASH`` in its place, and handlers get the
slash back.
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
"""Replaces an escaped slash during routing: a lone surrogate, which no decoded path contains."""


class Segments:
    """ASGI middleware that keeps an escaped slash within its path segment."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw: bytes = scope.get("raw_path") or b"" if scope["type"] == "http" else b""
        if b"%2f" in raw.lower():
            decoded = (unquote(segment).replace("/", SLASH) for segment in raw.decode("latin-1").split("/"))
            scope = {**scope, "path": "/".join(decoded)}
        await self._app(scope, receive, send)


def segment(text: str) -> str:
    """Return an id as one segment of a path."""
    return quote(text, safe="")


def with_known_query(handler: Handler, keys: Collection[str], *, others: bool = False) -> Handler:
    """Wrap a handler: restore slashes in ids, and answer 400 for an unknown or repeated query key.

    ``others``: ignore unknown keys.
    """

    async def take(request: Request) -> Response:
        params: dict[str, Any] = request.scope["path_params"]
        request.scope["path_params"] = {name: value.replace(SLASH, "/") for name, value in params.items()}
        once(request, keys, others=others)
        return await handler(request)

    return take


def once(request: Request, keys: Collection[str], *, others: bool = False) -> None:
    """Problem 400 if the query has one of ``keys`` twice or, unless ``others``, a key that is not one of them."""
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if name not in keys and not others:
            takes = f"this path takes {', '.join(keys)}" if keys else "this path takes none"
            raise malformed(f"unknown query parameter {name[:100]!r}; {takes}", rule="query", status=400)
        if name in keys and names.count(name) > 1:
            raise malformed(f"{name} is given twice; give it once", rule="query", status=400)


def header(request: Request, name: str) -> str | None:
    """Return a header's value, or None if it is absent. Problem 400 if it is given more than once."""
    values = request.headers.getlist(name)
    if len(values) > 1:
        raise malformed(f"{name} is given more than once; give it once", rule=name.lower(), status=400)
    return values[0] if values else None


def media_type(request: Request) -> str:
    """Return the body's media type without parameters. Problem 415 if the body is compressed or not UTF-8."""
    kind, _, parameters = (header(request, "Content-Type") or "").partition(";")
    coding = ", ".join(request.headers.getlist("content-encoding")).strip().lower()
    if coding not in ("", "identity"):
        raise Problem(
            415,
            "content-encoding",
            f"send the body without Content-Encoding; {coding[:100]!r} is not supported",
            headers={"Accept-Encoding": "identity"},
            rule="content-encoding",
        )
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip().strip('"').lower() not in ("utf-8", "utf8"):
            raise Problem(
                415, "charset", f"send the body in UTF-8; {value.strip()[:100]!r} is not supported", rule="charset"
            )
    return kind.strip().lower()
