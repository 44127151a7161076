"""A request that another site's page makes a browser send changes nothing here (CSRF)."""

import json

import pytest

from tests.integration.http.client import HERE, SYSTEM, Http

FORM = "multipart/form-data; boundary=x"
FILE = b'--x\r\nContent-Disposition: form-data; name="about"\r\n\r\nk1\r\n--x--\r\n'
CANCEL = json.dumps({"actor": SYSTEM, "reason": "other"}).encode()
CROSS = [
    [("Origin", "http://evil.example"), ("Sec-Fetch-Site", "cross-site")],
    [("Origin", "http://evil.example")],
    [("Sec-Fetch-Site", "cross-site")],
    [("Sec-Fetch-Site", "same-site")],
    [("Sec-Fetch-Site", "Cross-Site")],
    [("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")],
    [("Origin", "null")],
    [("Origin", "http://127.0.0.1:8081")],
    [("Origin", "http://127.0.0.1.evil.example")],
    [("Origin", "http://evil.example"), ("Sec-Fetch-Site", "none")],
    [("Origin", HERE), ("Origin", "http://evil.example")],
]
OWN = [
    [],
    [("Origin", HERE)],
    [("Origin", HERE.upper())],
    [("Origin", f"{HERE}:80")],
    [("Sec-Fetch-Site", "same-origin"), ("Origin", HERE)],
    [("Sec-Fetch-Site", "none")],
    [("Sec-Fetch-Site", "same-origin"), ("Origin", "https://shop.example")],
]


@pytest.mark.parametrize("headers", CROSS)
def test_another_sites_page_writes_nothing_with_any_body(http: Http, headers: list[tuple[str, str]]) -> None:
    order = http.place()
    for below, kind, body in (
        ("/cancellations", "application/json", CANCEL),
        ("/cancellations/preview", "application/json", CANCEL),
        ("/cancellations", "text/plain", CANCEL),
        ("/evidence", FORM, FILE),
        ("/commands", "application/x-www-form-urlencoded", b"a=b"),
    ):
        named = [("Idempotency-Key", "k1"), ("Content-Type", kind), *headers]
        answer = http.send("POST", order + below, named, body)
        assert (answer.status_code, answer.json()["rule"]) == (403, "cross-site"), (below, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert "another website" in answer.json()["detail"]
    assert http.get(order).json()["version"] == 2
    for method in ("PUT", "DELETE"):
        answer = http.send(method, "/v1/acme/buyers/b-7/contact", headers, b"{}")
        assert answer.status_code == 403


@pytest.mark.parametrize("headers", OWN)
def test_programs_and_this_sites_own_pages_go_on(http: Http, headers: list[tuple[str, str]]) -> None:
    order = http.place()
    named = [("Idempotency-Key", "k1"), ("Content-Type", "application/json"), *headers]
    assert http.send("POST", f"{order}/cancellations", named, CANCEL).status_code == 200


def test_a_link_on_another_sites_page_may_be_followed(http: Http) -> None:
    order = http.place()
    for method in ("GET", "HEAD"):
        assert http.send(method, order, CROSS[0]).status_code == 200


def test_a_host_with_its_port_is_compared_with_its_port(http: Http) -> None:
    order = http.place()
    for origin, status in (("http://localhost:8080", 200), ("http://localhost", 403), ("https://localhost:8080", 200)):
        named = [("Idempotency-Key", "k1"), ("Content-Type", "application/json")]
        headers = [*named, ("Host", "localhost:8080"), ("Origin", origin)]
        assert http.send("POST", f"{order}/cancellations", headers, CANCEL).status_code == status, origin
