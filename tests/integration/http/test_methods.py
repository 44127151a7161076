"""Methods that follow from others: HEAD is GET without its body, Allow names all that a path takes. A page's address
may end with a slash."""

import pytest

from tests.integration.http.client import SYSTEM, Http


@pytest.fixture
def order(http: Http) -> str:
    return http.place()


def test_head_answers_what_get_answers_without_a_body(http: Http, order: str) -> None:
    page = "/o/" + order.removeprefix("/v1/").replace("/orders/", "/")
    paths = ("/healthz", "/readyz", "/openapi.json", "/static/icon.svg", "/rules", page, f"{page}/receipt", order)
    for path in (*paths, f"{order}/history", "/v1/acme/orders", "/v1/acme/orders/nobody", "/nowhere"):
        head, get = http.send("HEAD", path, []), http.get(path)
        assert (head.status_code, head.content) == (get.status_code, b""), path
        names = set(get.headers) - {"date"}
        assert names <= set(head.headers), path
        equal_headers = ("content-length", "content-type", "etag", "content-security-policy")
        assert [head.headers.get(name) for name in equal_headers] == [
            get.headers.get(name) for name in equal_headers
        ], path


@pytest.mark.parametrize(
    ("below", "allow"),
    [
        ("/v1/acme/orders", "GET, HEAD, POST"),
        ("/v1/acme/orders/x/evidence", "POST"),
        ("/v1/acme/orders/x", "GET, HEAD"),
        ("/v1/acme/buyers/b-7/contact", "DELETE, GET, HEAD, PUT"),
        ("/v1/acme/subjects/b-7/erase", "POST"),
        ("/healthz", "GET, HEAD"),
        ("/o/acme", "GET, HEAD"),
        ("/static/icon.svg", "GET, HEAD"),
        ("/openapi.json", "GET, HEAD"),
    ],
)
def test_a_method_that_a_path_does_not_take_is_405_and_all_that_it_takes_are_named(
    http: Http, below: str, allow: str
) -> None:
    answer = http.send("PATCH", below, [])
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)


def test_head_of_a_path_that_is_only_written_to_is_405(http: Http, order: str) -> None:
    answer = http.send("HEAD", f"{order}/shipments", [])
    assert (answer.status_code, answer.headers["allow"], answer.content) == (405, "POST", b"")


def test_a_pages_address_with_a_slash_behind_it_leads_to_the_page(http: Http, order: str) -> None:
    page = "/o/" + order.removeprefix("/v1/").replace("/orders/", "/")
    for path in ("/o/acme", "/o/a%2Fb%25", page, f"{page}/receipt", "/rules", "/policies/seller-portal/1"):
        answer = http.get(f"{path}/?lang=de&q=a%26b")
        assert (answer.status_code, answer.headers["location"]) == (308, f"{path}?lang=de&q=a%26b")
        there = 404 if path == "/o/a%2Fb%25" else 200  # no marketplace has this name
        assert http.get(answer.headers["location"]).status_code == there
        assert http.get(f"{path}/").headers["location"] == path


def test_no_other_slash_leads_anywhere(http: Http, order: str) -> None:
    for path in (f"{order}/", "/v1/acme/orders/", "/o//", "/o//evil.example/", "/o/acme//", "/healthz/", "/nowhere/"):
        assert http.get(path).status_code == 404, path
    assert http.post(f"{order}/payments/", {"actor": SYSTEM, "amount": "1"}, "k1").status_code == 404
