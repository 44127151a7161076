"""A client that sends every request about an order to a process that does not follow the order."""

import asyncio
import json
import re
import time
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import httpx

from infra.api.session_tokens import HEADER, read_token, write_token
from infra.http.forwarding import NOT_HERE
from schemas.partitioning import partition_of
from tests.integration.cluster.serving import PARTITIONS, Serving
from tests.integration.http.client import HERE, Http
from tests.integration.kafka.waiting import TIMEOUT, wait_until

ORDER = re.compile(r"/(?:v1/([^/]+)/orders|[od]/([^/]+))/([^/?]+).*")
PLACING = re.compile(r"/v1/([^/]+)/orders")


def order_in(partition: int, number: int = 0, marketplace: str = "acme") -> str:
    """An order of a partition, another one for each number."""
    names = (f"at-{n}" for n in range(10_000))
    return [name for _, name in zip(range(6_000), names, strict=False) if _in(marketplace, name) == partition][number]


def _in(marketplace: str, order_id: str) -> int:
    return partition_of(f"{marketplace}/{order_id}", PARTITIONS)


class Router(httpx.AsyncBaseTransport):
    """Sends a request to a process that does not follow its order; what is about no order to each in turn."""

    def __init__(self, serving: Sequence[Serving], followed_by: Mapping[int, str]) -> None:
        self.written: dict[int, int] = {}
        """The last position of each partition in an answer; lists are requested with it."""
        self._urls = [each.url for each in serving]
        self._followed_by = followed_by

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        order = self._order(request)
        if order is None:
            if self.written:
                request.headers.setdefault(HEADER, write_token(self.written))
            self._urls.append(self._urls.pop(0))
            url = self._urls[0]
        else:
            url = next(each for each in self._urls if each != self._followed_by[_in(*order)])
        there = httpx.URL(url)
        request.url = request.url.copy_with(port=there.port)  # the header Host still has the original address
        once = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_keepalive_connections=0))  # tests have several loops
        until = time.monotonic() + TIMEOUT
        answer = await once.handle_async_request(request)
        while NOT_HERE in answer.headers and time.monotonic() < until:  # the machine is busy: retry
            await answer.aclose()
            answer = await once.handle_async_request(request)
        for partition, position in read_token(answer.headers.get(HEADER)).items():
            self.written[partition] = max(position, self.written.get(partition, -1))
        return answer

    def _order(self, request: httpx.Request) -> tuple[str, str] | None:
        if found := ORDER.fullmatch(request.url.path):
            return found[1] or found[2], found[3]
        if request.method == "POST" and (placing := PLACING.fullmatch(request.url.path)):
            try:
                body = json.loads(request.content)
            except (ValueError, RecursionError):
                return None
            if isinstance(body, dict) and isinstance(body.get("order_id"), str):
                return placing[1], body["order_id"]
        return None


class Elsewhere(Http):
    """``Http``, over the network, to a process that does not follow the order of the request."""

    def __init__(self, serving: Sequence[Serving], followed_by: Mapping[int, str]) -> None:
        self.router = Router(serving, followed_by)
        self._runner = asyncio.Runner()
        self._client = httpx.AsyncClient(transport=self.router, base_url=HERE, timeout=60)
        views: Any = SimpleNamespace(catch_up=self._catch_up)
        self.app: Any = SimpleNamespace(views=views)

    def _catch_up(self, timeout: float) -> bool:
        wait_until(lambda: "rescind-stale" not in self.get("/v1/acme/orders").headers, timeout)
        return True
