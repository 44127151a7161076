"""Any text in place of an id, a number or a time is refused, and never a defect of ours."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from tests.integration.http.client import SUPPORT, Http
from tests.integration.http.routes import routes
from tests.integration.http.test_ids_in_paths import escaped

DEFECT = 500
"""The status of what should not have happened; what is not there now is a 503, and no defect."""
DIGITS = "1" * 5_000
NASTY = {
    "5,000 digits": DIGITS,
    "a minus and 5,000 digits": f"-{DIGITS}",
    "an at": "a@b",
    "two ats": "a@1@1",
    "a superscript digit": "²",
    "full-width digits": "１２",
    "arabic digits": "٣",
    "a sign": "+1",
    "an underscore": "1_0",
    "a blank before": " 1",
    "a blank after": "1 ",
    "a point": "1.0",
    "an exponent": "1e999",
    "not a number": "NaN",
    "infinity": "Infinity",
    "minus zero": "-0",
    "beyond 64 bits": str(2**64),
    "NUL": "\0",
    "a line feed": "1\n",
    "an escaped surrogate": "\\ud800",
    "nothing": "",
    "a slash": "a/b",
    "two dots": "..",
    "a cursor": "2026-03-02T10:00:00Z~",
    "a cursor of another world": "9999-99-99T99:99:99Z~x",
    "the last instant of all, further on": "9999-12-31T23:59:59-23:59",
    "the first instant of all, further back": "0001-01-01T00:00:00+23:59",
    "an offset of nothing": "2026-03-02T10:00:00+99:99",
    "odd digits in a time": "2026-03-0２T10:00:00Z",
    "a percent": "%",
    "a template": "{{ 7 * 7 }}",
    "another direction": "\u202e",
    "beyond the base plane": "\U0001f600",
}
BYTES = {
    "no UTF-8": "%FF%FE",
    "a surrogate in UTF-8": "%ED%A0%80",
    "an overlong slash": "%C0%AF",
    "half an escape": "%4",
}
ESCAPED = {name: escaped(value) for name, value in NASTY.items()} | BYTES


def status_of(http: Http, method: str, target: str, headers: Mapping[str, str] = MappingProxyType({})) -> int:
    """The status of a request; a write has the headers and the body that it needs."""
    body = json.dumps({"actor": SUPPORT}).encode() if method in ("POST", "PUT") else b""
    named = {"Content-Type": "application/json", "Idempotency-Key": "k1", **headers}
    raw = [(name.encode(), value.encode()) for name, value in named.items()]
    return http.send(method, target, raw, body).status_code


@pytest.mark.parametrize("value", ESCAPED.values(), ids=ESCAPED.keys())
def test_no_value_in_a_path_is_a_defect(http: Http, value: str) -> None:
    known = {"marketplace": "acme", "order_id": http.place().rpartition("/")[2], "policy_id": "big-box", "version": "1"}
    for route in routes(http):
        for name in route.parameters:
            target = route.filled({each: known.get(each, "x1") for each in route.parameters} | {name: value or "x"})
            assert status_of(http, route.method, target) != DEFECT, (route, name)


@pytest.mark.parametrize("value", ESCAPED.values(), ids=ESCAPED.keys())
def test_no_value_in_a_query_is_a_defect(http: Http, value: str) -> None:
    known = {"marketplace": "acme", "order_id": http.place().rpartition("/")[2], "seller_id": "s-3"}
    for route in routes(http):
        target = route.filled({each: known.get(each, "x1") for each in route.parameters})
        for name in (*route.queries, "unknown"):
            for query in (f"{name}={value}", f"{value}={name}&{name}"):
                assert status_of(http, route.method, f"{target}?{query}") != DEFECT, (route, query[:100])


@pytest.mark.parametrize("value", NASTY.values(), ids=NASTY.keys())
def test_no_value_in_a_header_is_a_defect(http: Http, value: str) -> None:
    sent = value.replace("\n", " ").replace("\0", " ")
    order = http.place()
    page = order.replace("/v1/acme/orders", "/o/acme")
    for name, method, path, named in (
        ("If-Match", "POST", f"{order}/payments", f'"{sent}"'),
        ("Rescind-Position", "GET", order, f"0:{sent}"),
        ("Rescind-Position", "GET", "/v1/acme/orders", f"{sent}:0"),
        ("Accept-Language", "GET", f"{page}/receipt", f"en;q={sent}"),
        ("Idempotency-Key", "POST", f"{order}/payments", sent),
        ("Content-Type", "POST", f"{order}/payments", f"application/json; charset={sent}"),
        ("Content-Type", "POST", f"{order}/evidence", f"multipart/form-data; boundary={sent}"),
        ("Content-Type", "POST", f"{order}/evidence", "multipart/form-data"),
        ("Host", "GET", order, sent),
        ("Host", "GET", page, f"127.0.0.1:{sent}"),
        ("Origin", "POST", f"{order}/payments", sent),
    ):
        assert status_of(http, method, path, {name: named}) != DEFECT, (name, named[:50])


FIELDS: dict[str, dict[str, Any]] = {
    "payments": {"amount": None},
    "ship-by": {"ship_by": None, "occurred_at": None, "at": None},
    "cancellations": {"lines": None, "reason": None, "request_id": None, "rule": None},
    "shipments": {"lines": None, "shipment_id": None, "occurred_at": None},
    "evidence": {"sha256": None, "size": None, "media_type": None, "claimed_at": None},
    "refunds": {"amount": None, "refund_id": None},
    "deliveries": {"occurred_at": None},
}


@pytest.mark.parametrize("value", NASTY.values(), ids=NASTY.keys())
def test_no_value_in_a_body_is_a_defect(http: Http, value: str) -> None:
    order = http.place()
    odd: list[Any] = [value, [value], {"line": value}, [{"line": 1, "quantity": value}], {value: value}]
    for path, fields in FIELDS.items():
        for name in fields:
            for each in odd:
                answer = http.post(f"{order}/{path}", {"actor": SUPPORT, name: each}, "k1")
                assert answer.status_code != DEFECT, (path, name, each)
    for name in ("policy", "currency", "timezone", "total", "order_id", "marketplace", "ship_by", "replaces", "lines"):
        for each in odd:
            answer = http.post("/v1/acme/orders", {"actor": SUPPORT, "order_id": "x", name: each}, "k1")
            assert answer.status_code != DEFECT, (name, each)


@pytest.mark.parametrize("number", [DIGITS, f"-{DIGITS}", f"1e{DIGITS}", "1e999", f"0.{DIGITS}", "-0", "1E400", "2e0"])
def test_no_number_in_a_body_is_a_defect(http: Http, number: str) -> None:
    order = http.place()
    for place in (
        f'"lines":[{number}]',
        f'"lines":[{{"line":1,"quantity":{number}}}]',
        f'"amount":{number}',
        f'"x":{number}',
    ):
        content = f'{{"actor":{json.dumps(SUPPORT)},{place}}}'.encode()
        for path in ("cancellations", "shipments", "payments", "commands"):
            assert http.raw(f"{order}/{path}", content).status_code != DEFECT, (path, place[:50])
