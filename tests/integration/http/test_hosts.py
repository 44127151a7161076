"""The hosts that the server answers: the Host header is checked on every path, and no redirect leads to it."""

import threading
from pathlib import Path

import httpx
import pytest

from tests.integration.http.client import Http, served
from tests.integration.http.routes import routes

ELSEWHERE = ("rescind.example", "127.0.0.1.example", "10.0.0.7:8080", "[::ffff:10.0.0.7]", "localhost:", "[", "a b", "")


@pytest.mark.parametrize("host", ELSEWHERE)
def test_no_path_answers_to_another_name(http: Http, host: str) -> None:
    targets = [(route.method, route.filled(dict.fromkeys(route.parameters, "x"))) for route in routes(http)]
    more = ("/openapi.json", "/static/icon.svg", "/healthz", "/readyz", "/nothing", "/o/acme/", "//rescind.example/")
    for method, target in [*targets, *(("GET", path) for path in more), ("PATCH", "/healthz")]:
        answer = http.send(method, target, [("Host", host)])
        assert answer.status_code == 421, (method, target)
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2:8080", "localhost:8080", "[::1]:8080"])
def test_every_path_answers_to_an_address_of_this_machine(http: Http, host: str) -> None:
    for path in ("/openapi.json", "/static/icon.svg", "/healthz", "/readyz", "/rules", "/v1/acme/orders"):
        assert http.get(path, host=host).status_code == 200, path


@pytest.mark.parametrize(
    "path",
    [
        *("/o/acme/", "/rules/", "/o/acme/PO-1/?as_of=2026-03-02T10:00:00Z", "/static/icon.svg/", "/static/", "/v1/"),
        *("//rescind.example/", "//rescind.example/o/acme/", "/\\rescind.example/", "/%2Frescind.example/", "///"),
        *("/o/%2F%2Frescind.example/", "/o//rescind.example/", "/o/a%0D%0ALocation:%20x/", "/healthz/", "/static//x/"),
    ],
)
def test_a_redirect_stays_on_the_server_and_names_no_host(http: Http, path: str) -> None:
    request = httpx.Request("GET", "http://localhost:8080/", headers={"Host": "localhost:8080"})
    request.url = request.url.copy_with(raw_path=path.encode())
    answer = http.sent(request)
    assert answer.status_code in (200, 303, 307, 308, 400, 404), path
    location = answer.headers.get("location", "/")
    assert location.startswith("/"), location
    assert location[1:2] not in ("/", "\\"), location


def test_more_requests_than_the_limit_are_503_with_retry_after(tmp_path: Path) -> None:
    with served(tmp_path, limit_concurrency=1) as http:
        order = http.place()
        released = threading.Event()
        http.app.engine.call(lambda engine: released.wait(60))

        async def others() -> list[httpx.Response]:
            answers = [await http.client.get(path) for path in (order, "/rules", "/healthz")]
            released.set()
            return answers

        waited, (refused, page, health) = http.together(http.client.get(order), others())
        assert waited.status_code == 200
        assert (refused.status_code, refused.json()["rule"]) == (503, "too-many-requests")
        assert refused.headers["retry-after"] == "1"
        assert refused.headers["content-type"] == "application/problem+json"
        assert (page.status_code, page.headers["content-type"]) == (503, "text/html; charset=utf-8")
        assert health.status_code == 200
        assert http.get(order).status_code == 200
