"""An id is one segment of a path with any characters: a slash is escaped, also in every link that is printed."""

import re
from pathlib import Path

import pytest

from infra.app import AppOptions, open_app
from infra.server.server import create
from infra.settings import load_settings
from tests.integration.http.client import BUYER, SELLER, SUPPORT, SYSTEM, Http
from tests.integration.http.files import png
from tests.integration.http.test_contacts import Desk, desk
from tests.integration.http.test_evidence import give

ODD = ("k/1", "a b", "50%", "what?", "#7", "ä/ö", "%2F", "a//b", "/", "+")


def escaped(name: str) -> str:
    """As every client's library escapes it: all but letters, digits and - . _ ~."""
    safe = re.compile(r"[A-Za-z0-9\-._~]")
    return "".join(c if safe.fullmatch(c) else "".join(f"%{byte:02X}" for byte in c.encode()) for c in name)


@pytest.mark.parametrize("name", ODD)
def test_a_request_of_any_id_is_withdrawn_by_its_path(http: Http, name: str) -> None:
    order = http.place(policy="mutual-consent")
    request = {"actor": BUYER, "request_id": name, "reason": "changed_mind"}
    preview = http.post(f"{order}/cancellations/preview", request, "p").json()
    requested = http.post(f"{order}/cancellations", {**request, "confirmation": preview["confirmation"]}, "k1")
    assert requested.status_code == 200, requested.text
    answer = http.post(f"{order}/cancellations/{escaped(name)}/withdraw", {"actor": BUYER}, "k2")
    assert answer.status_code == 200, answer.text
    assert answer.json()["events"][0]["data"]["request_id"] == name


@pytest.mark.parametrize("name", ODD)
def test_a_shipment_of_any_id_is_voided_by_its_path(http: Http, name: str) -> None:
    order = http.place(quantity=1)
    assert http.post(f"{order}/shipments", {"actor": SYSTEM, "shipment_id": name}, "k1").status_code == 200
    void = {"actor": SUPPORT, "note": "nothing left"}
    answer = http.post(f"{order}/shipments/{escaped(name)}/void", void, "k2")
    assert (answer.status_code, answer.json()["order"]["shipments"][0]["status"]) == (200, "void")


@pytest.mark.parametrize("name", ODD)
def test_a_case_of_any_id_is_read_has_its_page_its_evidence_and_is_decided(http: Http, name: str) -> None:
    order = http.place(policy="peer-to-peer", quantity=1)
    assert http.post(f"{order}/shipments", {"actor": SYSTEM, "shipment_id": "asn-1"}, "ship").status_code == 200
    assert http.post(f"{order}/deliveries", {"actor": SYSTEM}, "deliver").status_code == 200
    opened = {"actor": BUYER, "reason": "wrong_item", "lines": [1], "case_id": name}
    assert http.post(f"{order}/cases", opened, "k1").status_code == 200
    assert give(http, order, png(), about=name, evidence_id=f"{name}/photo").status_code == 200
    answer = http.get(f"{order}/cases/{escaped(name)}")
    assert (answer.status_code, answer.json()["case_id"]) == (200, name)
    [evidence] = answer.json()["evidence"]
    assert http.get(evidence["href"]).content == png()
    page = http.get("/o/" + order.removeprefix("/v1/").replace("/orders/", "/")).text
    [link] = re.findall(r'href="(/d/[^"]+)"', page)
    case_file = http.get(link)
    assert case_file.status_code == 200
    [file] = re.findall(r'href="([^"]+/evidence/[^"]+)"', case_file.text)
    assert http.get(file).content == png()
    decided = {"actor": SUPPORT, "outcome": "deny", "rule": "case-reasons"}
    assert http.post(f"{order}/cases/{escaped(name)}/decide", decided, "k9").status_code == 200


def test_a_person_of_any_name_is_reached_held_and_erased(tmp_path: Path) -> None:
    for here in desk(tmp_path):
        assert isinstance(here, Desk)
        for name in ODD:
            path = f"/v1/acme/buyers/{escaped(name)}/contact"
            contact = {"address": "bea@example.org", "name": None, "language": "en"}
            assert here.request("PUT", path, json=contact).status_code == 200
            assert here.request("GET", path, by=f"buyer/{name}" if name.isascii() else "").json() == contact
            assert here.request("GET", path, by=f"buyer/{name}x" if name.isascii() else "buyer/x").status_code == 404
            subject = f"/v1/acme/subjects/{escaped(name)}"
            held = here.post(f"{subject}/holds", {"actor": SUPPORT, "hold_id": "/"}, "k1")
            assert held.json()["events"][0]["data"] == {"subject": name, "hold_id": "/"}
            [way] = here.post(f"{subject}/erase", {"actor": SUPPORT}, "k2").json()["instead"]
            assert here.post(way["href"], {"actor": SUPPORT}, "k3").status_code == 200
            assert here.post(f"{subject}/erase", {"actor": SUPPORT}, "k4").status_code == 200


def test_a_slash_that_is_escaped_leads_to_no_other_path(http: Http) -> None:
    order = http.place(policy="mutual-consent")
    name = order.rpartition("/")[2]
    for path in (
        f"/v1/acme%2Forders/{name}",
        f"/v1/acme/orders%2F{name}",
        f"/v1%2Facme/orders/{name}",
        f"{order}%2Fhistory",
        f"/o/acme/{name}%2Freceipt",
        f"/v1/a%2Fb/orders/{name}",
        "/v1/acme/orders/subject%2Fb-7",
        "/v1/acme/orders/subject%2Fb-7/history",
        "/v1/acme%2Fsubject/orders/b-7",
        "/static%2Ficon.svg",
    ):
        assert http.get(path).status_code == 404, path
    body = {"actor": SELLER, "request_id": "r1"}
    assert http.post(f"{order}/cancellations/r1%2Fwithdraw", body, "k1").status_code in (404, 405)


def test_an_erased_persons_stream_is_no_order(http: Http) -> None:
    assert http.post("/v1/acme/subjects/b-9/erase", {"actor": SUPPORT}, "k1").status_code == 200
    for below in ("", "/history", "/eligibility", "/receipt"):
        assert http.get(f"/v1/acme/orders/subject%2Fb-9{below}").status_code == 404
        assert http.get(f"/v1/acme%2Fsubject/orders/b-9{below}").status_code == 404
    answer = http.post("/v1/acme/orders/subject%2Fb-9/commands", {"actor": SYSTEM, "command": "Deliver"}, "k2")
    assert (answer.status_code, answer.json()["pointer"]) == (422, "/order_id")


def test_every_path_has_its_ids_escaped_and_its_query_looked_at() -> None:
    with open_app(load_settings(journal="memory:"), AppOptions(views=False)) as app:
        included = [getattr(each, "original_router", each) for each in create(app).routes]
    every = [route for each in included for route in getattr(each, "routes", [each])]
    found = [route for route in every if "{" in getattr(route, "path", "") and route.path != "/{name}"]  # static files
    assert found
    for route in found:
        assert getattr(route.endpoint, "__qualname__", "") == "with_known_query.<locals>.take", route.path
