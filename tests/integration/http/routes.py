"""Every route that a stranger can request: those of the OpenAPI document, and the pages, which are not in it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi.routing import APIRoute

from tests.integration.http.client import Http

_PARAMETER = re.compile(r"\{(\w+)\}")
_PAGE_QUERIES = {
    "/o/{marketplace}": ("q", "status", "after"),
    "/o/{marketplace}/{order_id}": ("as_of",),
    "/o/{marketplace}/{order_id}/receipt": ("as_of", "lang"),
}


@dataclass(frozen=True)
class Route:
    """A method on a path; the names of what may be filled in."""

    method: str
    path: str
    queries: tuple[str, ...]

    @property
    def parameters(self) -> tuple[str, ...]:
        return tuple(_PARAMETER.findall(self.path))

    def filled(self, values: Mapping[str, str]) -> str:
        """The path with these values, escaped already, in place of its parameters."""
        return _PARAMETER.sub(lambda found: values[found[1]], self.path)


def routes(http: Http) -> Iterator[Route]:
    """All of them."""
    document: dict[str, Any] = http.get("/openapi.json").json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            queries = tuple(x["name"] for x in operation.get("parameters", ()) if x["in"] == "query")
            yield Route(method.upper(), path, queries)
    described = set(document["paths"])
    for route in http.asgi.state.routes:
        if isinstance(route, APIRoute) and route.path not in described:
            yield Route("GET", route.path, _PAGE_QUERIES.get(route.path, ()))
    yield Route("GET", "/static/{name}", ())
