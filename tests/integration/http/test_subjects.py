"""A person's data over HTTP: erased, held, and released, by support and systems; nobody else learns of it."""

import pytest

from tests.integration.http.client import BUYER, SELLER, SUPPORT, SYSTEM, Http
from tests.integration.http.files import png
from tests.integration.http.test_callers import Tokened
from tests.integration.http.test_erasing import gone, writes
from tests.integration.http.test_evidence import give
from tests.integration.kafka.waiting import wait_until


def person(name: str) -> str:
    return f"/v1/acme/subjects/{name}"


def test_the_key_is_gone_once_a_person_was_erased_and_the_history_is_what_it_was(http: Http) -> None:
    order = http.place(policy="peer-to-peer")
    text = writes(http, order, "My door code is 4711.", "m1")
    before = http.get(f"{order}/history").content
    assert not gone(http.app, text)
    answer = http.post(f"{person('b-7')}/erase", {"actor": SUPPORT}, "x1")
    assert (answer.status_code, answer.json()["order"]) == (200, None)
    [event] = answer.json()["events"]
    assert (event["event"], event["data"], event["actor"]) == ("SubjectErased", {"subject": "b-7"}, SUPPORT)
    assert http.app.erasing.catch_up(10)
    assert gone(http.app, text)
    assert http.get(f"{order}/history").content == before


def test_a_file_of_an_erased_person_is_there_no_more(http: Http) -> None:
    buyer = {"kind": "buyer", "id": "b-files"}
    order = http.place(policy="peer-to-peer", buyer_id="b-files", quantity=1)
    assert http.post(f"{order}/shipments", {"actor": SYSTEM, "shipment_id": "asn-1"}, "ship").status_code == 200
    assert http.post(f"{order}/deliveries", {"actor": SYSTEM}, "deliver").status_code == 200
    opened = {"actor": buyer, "reason": "wrong_item", "lines": [1], "case_id": "k1"}
    assert http.post(f"{order}/cases", opened, "k1").status_code == 200
    assert give(http, order, png(), actor='{"kind":"buyer","id":"b-files"}').status_code == 200
    assert http.get(f"{order}/evidence/e1").status_code == 200
    assert http.post(f"{person('b-files')}/erase", {"actor": SUPPORT}, "x1").status_code == 200
    wait_until(lambda: http.get(f"{order}/evidence/e1").status_code == 404)
    assert http.get(f"{order}/evidence/e1").json()["rule"] == "no-such-file"


def test_a_hold_defers_an_erasure_and_the_refusal_names_how_to_release_it(http: Http) -> None:
    here = person("b-held")
    held = http.post(f"{here}/holds", {"actor": SUPPORT}, "lawsuit")
    assert held.json()["events"][0]["data"] == {"subject": "b-held", "hold_id": "lawsuit"}
    refused = http.post(f"{here}/erase", {"actor": SUPPORT}, "x1")
    document = refused.json()
    assert (refused.status_code, document["rule"], document["policy"]) == (409, "legal-hold", None)
    assert refused.headers["content-type"] == "application/problem+json"
    [way] = document["instead"]
    assert (way["option"], way["href"]) == ("release", f"{here}/holds/lawsuit/release")
    released = http.post(way["href"], {"actor": SUPPORT}, "r1")
    assert released.json()["events"][0]["data"] == {"subject": "b-held", "hold_id": "lawsuit"}
    repeated = http.post(f"{here}/erase", {"actor": SUPPORT}, "x1")
    assert (repeated.status_code, repeated.content, repeated.headers["rescind-replayed"]) == (
        409,
        refused.content,
        "true",
    )
    assert http.post(f"{here}/erase", {"actor": SUPPORT}, "x2").status_code == 200


def test_any_of_the_three_goes_whole_and_none_is_meant_by_a_body_that_names_none(http: Http) -> None:
    here = f"{person('b-whole')}/commands"
    for number, (command, event) in enumerate(
        (
            ({"command": "PlaceLegalHold", "hold_id": "h"}, "LegalHoldPlaced"),
            ({"command": "ReleaseLegalHold", "hold_id": "h", "subject": "b-whole"}, "LegalHoldReleased"),
            ({"command": "EraseSubject", "marketplace": "acme"}, "SubjectErased"),
        )
    ):
        answer = http.post(here, {"actor": SUPPORT, **command}, f"k{number}")
        assert [each["event"] for each in answer.json()["events"]] == [event], answer.text
    for wrong, pointer in (
        ({}, "/command"),
        ({"command": "CancelLines"}, "/command"),
        ({"command": "EraseSubject", "subject": "b-8"}, "/subject"),
        ({"command": "EraseSubject", "order_id": "PO-1"}, "/order_id"),
        ({"command": "EraseSubject", "hold_id": "h"}, "/hold_id"),
        ({"command": "PlaceLegalHold", "hold_id": 7}, "/hold_id"),
    ):
        answer = http.post(here, {"actor": SUPPORT, **wrong}, "k9")
        assert (answer.status_code, answer.json()["pointer"]) == (422, pointer)


def test_a_retry_another_body_and_if_match_are_what_they_are_for_orders(http: Http) -> None:
    here = person("b-again")
    first = http.post(f"{here}/holds", {"actor": SUPPORT, "hold_id": "h1"}, "k1")
    repeated = http.post(f"{here}/holds", {"actor": SUPPORT, "hold_id": "h1"}, "k1")
    assert (repeated.status_code, repeated.content, repeated.headers["rescind-replayed"]) == (
        200,
        first.content,
        "true",
    )
    other = http.post(f"{here}/holds", {"actor": SUPPORT, "hold_id": "h2"}, "k1")
    assert (other.status_code, other.json()["rule"]) == (422, "command-id-reused")
    stale = http.post(f"{here}/erase", {"actor": SUPPORT}, "k2", if_match='"7"')
    assert (stale.status_code, stale.headers["etag"]) == (412, first.headers["etag"])
    assert http.post(f"{here}/erase", {"actor": SUPPORT}).json()["rule"] == "idempotency-key"


def test_a_caller_who_is_neither_support_nor_a_system_gets_404(http: Http) -> None:
    for actor in (BUYER, SELLER):
        for path in ("erase", "holds", "holds/h1/release"):
            answer = http.post(f"{person('b-7')}/{path}", {"actor": actor}, "k1")
            assert (answer.status_code, answer.json()["rule"]) == (404, "no-such-subject")
    assert http.post(f"{person('b-system')}/erase", {"actor": SYSTEM}, "k1").status_code == 200


def test_a_buyers_token_does_not_erase_the_buyer(http: Http) -> None:
    tokened = Tokened(http)
    try:
        for token in ("buyer", "seller"):
            assert tokened.status(token, f"{person('b-7')}/erase", {}) == 404
            assert tokened.status(token, f"{person('b-7')}/erase", {"actor": SUPPORT}) == 422
        assert tokened.status("support", f"{person('b-token')}/erase", {}) == 200
    finally:
        tokened.close()


@pytest.mark.parametrize("name", ["EraseSubject", "PlaceLegalHold", "ReleaseLegalHold"])
def test_the_path_of_an_order_refuses_commands_about_a_person_and_names_their_path(http: Http, name: str) -> None:
    answer = http.post("/v1/acme/orders/PO-1/commands", {"actor": SUPPORT, "command": name, "subject": "b-7"}, "k1")
    document = answer.json()
    assert (answer.status_code, document["pointer"]) == (422, "/order_id")
    assert "/v1/acme/subjects/SUBJECT/commands" in document["detail"]


def test_the_document_describes_them(http: Http) -> None:
    document = http.get("/openapi.json").json()
    for path, body in (
        ("erase", "EraseSubjectStep"),
        ("holds", "PlaceLegalHoldStep"),
        ("holds/{hold_id}/release", "ReleaseLegalHoldStep"),
    ):
        operation = document["paths"]["/v1/{marketplace}/subjects/{subject}/" + path]["post"]
        reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        assert reference == f"#/components/schemas/{body}"
        assert {"subject", "marketplace", "order_id"}.isdisjoint(document["components"]["schemas"][body]["properties"])
    whole = document["paths"]["/v1/{marketplace}/subjects/{subject}/commands"]["post"]["requestBody"]["content"]
    assert len(whole["application/json"]["schema"]["anyOf"]) == 3
    assert "command" in document["components"]["schemas"]["EraseSubjectWhole"]["required"]
    assert "hold_id" not in document["components"]["schemas"]["PlaceLegalHoldStep"]["required"]
