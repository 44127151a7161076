"""Requests about orders that another process follows: which are forwarded, how, to whom, and the answer if nobody is
there. The network is made up; ``tests/integration/cluster`` has a real one."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from infra.api.problems import Problem
from infra.cluster.membership import Membership
from infra.http import forwarding as passing
from infra.http.forwarding import FORWARDED, NOT_HERE, Forwarding, order_of
from infra.http.reads import NotFollowedHere

OWN, OTHER, THIRD = "http://127.0.0.1:8001", "http://127.0.0.1:8002", "http://127.0.0.1:8003"


class Engine:
    """Follows some of the partitions; an order's is its last digit."""

    def __init__(self, *follows: int) -> None:
        self.own = set(follows)

    def partition(self, stream: str) -> int:
        return int(stream[-1])

    def follows(self, partition: int) -> bool:
        return partition in self.own


class Stream(httpx.AsyncByteStream):
    """The bytes not read yet."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content[:2]
        yield self._content[2:]


class Stage:
    """A process that follows 0, another one that follows 1, and a client of the first."""

    def __init__(self, answer: Callable[[httpx.Request], Any] | None = None) -> None:
        self.engine = Engine(0)
        self.places: dict[int, str] = {0: OWN, 1: OTHER}
        self.looked = 0
        self.now = 0.0
        self.heard: list[httpx.Request] = []
        self.here: list[str] = []
        self.raises: list[Exception] = []
        self._answer = answer or (lambda request: httpx.Response(200, json={"from": "there"}))

    def _membership(self) -> Membership:
        def send() -> dict[int, str]:
            self.looked += 1
            return dict(self.places)

        return Membership(send)

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.raises:
            raise self.raises.pop()
        body = await Request(scope, receive).body()
        self.here.append(f"{scope['method']} {scope['path']} {len(body)}")
        await Response("here")(scope, receive, send)

    async def _there(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.heard.append(request)
        answer = self._answer(request)
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, httpx.Response)
        return httpx.Response(answer.status_code, headers=answer.headers, stream=Stream(answer.content))

    def send(self, method: str, path: str, **how: Any) -> httpx.Response:
        async def request() -> httpx.Response:
            def problem(scope: Scope, wrong: Problem) -> Response:
                return wrong.response()

            network = httpx.MockTransport(self._there)
            made = Forwarding(self._app, self.engine, self._membership(), OWN, 30.0, problem, network)  # type: ignore[arg-type]
            async with httpx.AsyncClient(transport=httpx.ASGITransport(made), base_url="http://shop.example") as client:
                answer = await client.request(method, path, **how)
            await made.aclose()
            return answer

        return asyncio.run(request())


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passing, "TIMEOUT", 0.5)
    monkeypatch.setattr(passing, "PAUSE", 0.001)
    monkeypatch.setattr("infra.cluster.membership.RETRY_AFTER", 0.0)


@pytest.mark.parametrize(
    ("method", "path", "headers", "order"),
    [
        ("GET", "/v1/acme/orders/PO-1", {}, "acme/PO-1"),
        ("HEAD", "/v1/acme/orders/PO-1/history", {}, "acme/PO-1"),
        ("GET", "/v1/acme/orders/PO-1/evidence/e1", {}, "acme/PO-1"),
        ("POST", "/v1/acme/orders/PO-1/cancellations/preview", {}, "acme/PO-1"),
        ("POST", "/v1/acme/orders/PO-1/shipments/preview", {}, "acme/PO-1"),
        ("POST", "/v1/acme/orders/PO-1/cancellations/r1/approve/preview", {}, "acme/PO-1"),
        ("POST", "/v1/acme/orders/PO-1/cases/k1/accept/preview", {}, "acme/PO-1"),
        ("POST", "/v1/acme/orders/PO-1/ship-by/preview", {}, "acme/PO-1"),
        ("POST", "/v1/acme/orders/PO-1/cancellations/r1/approve", {}, None),
        ("POST", "/v1/acme/orders/PO-1/notices/told-4-buyer/send", {}, "acme/PO-1"),
        ("POST", "/v1/acme/orders/PO-1/evidence", {"content-type": "multipart/form-data; boundary=x"}, "acme/PO-1"),
        ("POST", "/v1/acme/orders/PO-1/evidence", {"content-type": "application/json"}, None),
        ("POST", "/v1/acme/orders/PO-1/cancellations", {}, None),
        ("POST", "/v1/acme/orders/PO-1/commands", {}, None),
        ("POST", "/v1/acme/orders", {}, None),
        ("GET", "/v1/acme/orders", {}, None),
        ("GET", "/v1/acme/sellers/s-3/dashboard", {}, None),
        ("GET", "/o/acme/PO-1", {}, "acme/PO-1"),
        ("POST", "/o/acme/PO-1", {}, "acme/PO-1"),
        ("GET", "/o/acme/PO-1/receipt", {}, "acme/PO-1"),
        ("GET", "/d/acme/PO-1/d1", {}, "acme/PO-1"),
        ("GET", "/o/acme", {}, None),
        ("GET", "/", {}, None),
        ("GET", "/readyz", {}, None),
        ("GET", "/static/rescind.css", {}, None),
    ],
)
def test_requests_that_only_the_follower_can_answer_are_known_by_path_and_method(
    method: str, path: str, headers: dict[str, str], order: str | None
) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert order_of({"type": "http", "method": method, "path": path, "headers": raw}) == order


def test_an_order_that_is_followed_here_is_answered_here() -> None:
    stage = Stage()
    assert stage.send("GET", "/v1/acme/orders/PO-0").text == "here"
    assert stage.heard == []
    assert stage.looked == 0


def test_an_order_that_is_followed_there_is_answered_there_word_for_word() -> None:
    stage = Stage(lambda _: httpx.Response(203, content=b"\x00raw", headers={"etag": '"7"', "age": "6"}))
    answer = stage.send(
        "GET", "/v1/acme/orders/PO-1?as_of=2026-03-02T10:00:00%2B01:00", headers={"Rescind-Position": "1:4"}
    )
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (203, b"\x00raw", '"7"')
    (request,) = stage.heard
    assert str(request.url) == f"{OTHER}/v1/acme/orders/PO-1?as_of=2026-03-02T10:00:00%2B01:00"
    assert request.headers["rescind-position"] == "1:4"
    assert request.headers["host"] == "shop.example"
    assert request.headers[FORWARDED] == "1"
    assert stage.here == []


def test_headers_of_one_connection_are_not_forwarded_either_way() -> None:
    there = {"Connection": "x-own", "X-Own": "1", "Keep-Alive": "5", "Date": "then", "Server": "s", "X-Kept": "yes"}
    stage = Stage(lambda _: httpx.Response(200, headers=there))
    answer = stage.send("GET", "/v1/acme/orders/PO-1", headers={"Connection": "x-mine", "X-Mine": "1", "TE": "gzip"})
    assert not {"x-own", "keep-alive", "date", "server"} & answer.headers.keys()
    assert answer.headers["x-kept"] == "yes"
    (request,) = stage.heard
    assert not {"x-mine", "te"} & request.headers.keys()
    assert request.headers.get("connection") != "x-mine"


def test_a_body_is_forwarded_as_it_arrives() -> None:
    stage = Stage(lambda request: httpx.Response(200, json=request.content.decode()))

    async def body() -> AsyncIterator[bytes]:
        yield b"first,"
        yield b"second"

    answer = stage.send("POST", "/v1/acme/orders/PO-1/cancellations/preview", content=body())
    assert answer.json() == "first,second"


def test_a_forwarded_request_is_not_forwarded_again() -> None:
    stage = Stage()
    answer = stage.send("GET", "/v1/acme/orders/PO-1", headers={FORWARDED: "1"})
    assert (answer.status_code, answer.json()["rule"]) == (503, "not-followed")
    assert answer.headers[NOT_HERE] == "1"
    assert int(answer.headers["retry-after"]) >= 1
    assert stage.heard == []


def test_a_request_for_a_partition_without_a_known_follower_is_answered_with_retry_later() -> None:
    stage = Stage()
    for places in ({}, {1: OWN}):  # nobody; this process, which does not yet
        stage.places = places
        answer = stage.send("GET", "/v1/acme/orders/PO-1")
        assert (answer.status_code, answer.json()["rule"]) == (503, "not-followed")
        assert int(answer.headers["retry-after"]) >= 1
    assert stage.heard == []


def test_only_members_that_the_group_names_are_contacted() -> None:
    stage = Stage()
    stage.send("GET", "/v1/acme/orders/PO-1", headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"})
    assert {request.url.host for request in stage.heard} == {"127.0.0.1"}
    assert {request.url.port for request in stage.heard} == {8002}


def test_an_unreachable_member_is_looked_up_again_and_the_current_one_answers() -> None:
    stage = Stage()

    def answer(request: httpx.Request) -> httpx.Response | Exception:
        if request.url.port == 8002:
            stage.places = {1: THIRD}
            return httpx.ConnectError("refused")
        return httpx.Response(200, json={"from": str(request.url.port)})

    stage._answer = answer
    assert stage.send("GET", "/v1/acme/orders/PO-1").json() == {"from": "8003"}
    assert stage.looked == 2


def test_an_answer_of_a_former_follower_is_not_used() -> None:
    stage = Stage()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.port == 8002:
            stage.places = {1: THIRD}
            return httpx.Response(503, headers={NOT_HERE: "1"})
        return httpx.Response(200, json={})

    stage._answer = answer
    assert stage.send("GET", "/v1/acme/orders/PO-1").status_code == 200


def test_another_503_of_the_follower_is_its_answer() -> None:
    stage = Stage(lambda _: httpx.Response(503, json={"rule": "busy"}))
    assert stage.send("GET", "/v1/acme/orders/PO-1").json() == {"rule": "busy"}
    assert len(stage.heard) == 1


def test_a_hanging_member_is_not_waited_for_and_the_answer_is_retry_later() -> None:
    stage = Stage(lambda _: httpx.ReadTimeout("it sleeps"))
    answer = stage.send("GET", "/v1/acme/orders/PO-1")
    assert (answer.status_code, answer.json()["rule"]) == (503, "not-followed")


def test_an_answer_that_has_begun_is_not_sent_twice() -> None:
    def breaks_off(request: httpx.Request) -> Exception:
        return httpx.ReadError("gone")

    stage = Stage(breaks_off)
    answer = stage.send("POST", "/v1/acme/orders/PO-1/cancellations/preview", content=b"{}")
    assert (answer.status_code, answer.json()["rule"]) == (503, "not-followed")
    assert len(stage.heard) == 1


def test_an_order_whose_partition_moves_here_during_the_request_is_answered_here() -> None:
    stage = Stage()

    def answer(request: httpx.Request) -> Exception:
        stage.engine.own.add(1)
        return httpx.ConnectError("refused")

    stage._answer = answer
    assert stage.send("GET", "/v1/acme/orders/PO-1").text == "here"


def test_an_order_that_leaves_while_it_is_read_is_passed_on() -> None:
    stage = Stage()
    stage.places[0] = OTHER
    stage.engine.own = {0}
    stage.raises.append(NotFollowedHere(1))
    assert stage.send("GET", "/v1/acme/sellers/s-3/dashboard").json() == {"from": "there"}
    stage.raises.append(NotFollowedHere(1))
    answer = stage.send("POST", "/v1/acme/orders/PO-0/cancellations", content=b"{}")
    assert (answer.status_code, answer.json()["rule"]) == (503, "not-followed")
