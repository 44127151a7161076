"""A dispute or case as one document: over HTTP, by command, on support's page; and what a side never sees."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli.driving import Store
from tests.integration.http.client import BUYER, SELLER, SUPPORT, SYSTEM, Http, placing, served
from tests.integration.http.files import png
from tests.integration.http.test_callers import Tokened
from tests.integration.http.test_evidence import give

LISTING = {"ref": "listing-77", "sha256": "ab" * 32}
LINE = {"line": 1, "sku": "A-1", "title": "Lamp", "quantity": 1, "unit_price": "80.00", "listing": LISTING}
SECRET = "He has tried this before"


@pytest.fixture(scope="module")
def disputed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Http, str, Path]]:
    """A dispute d1 about a request that the seller declined, with a file, a thread and an internal note."""
    directory = tmp_path_factory.mktemp("matters")
    with served(directory, marketplaces={"default": {"arbitration_fee": "250.00 USD"}}) as http:
        yield http, dispute(http), directory


def dispute(http: Http) -> str:
    order = http.place(policy="mutual-consent", lines=[LINE])
    request = {"actor": BUYER, "request_id": "r1", "reason": "ordered_by_mistake"}
    preview = http.post(f"{order}/cancellations/preview", request, "p").json()
    steps: list[tuple[str, dict[str, Any]]] = [
        ("cancellations", {**request, "confirmation": preview["confirmation"]}),
        ("cancellations/r1/decline", {"actor": SELLER}),
        ("disputes", {"actor": BUYER, "about": "r1", "dispute_id": "d1", "text": "I asked within minutes."}),
        ("disputes/d1/messages", {"actor": SELLER, "to": "support", "text": "It was packed <b>already</b>."}),
        ("disputes/d1/messages", {"actor": SUPPORT, "to": "support", "text": SECRET}),
        ("disputes/d1/messages", {"actor": SUPPORT, "to": "buyer", "text": "We look into it."}),
    ]
    for number, (path, body) in enumerate(steps):
        answer = http.post(f"{order}/{path}", body, f"step-{number}")
        assert answer.status_code == 200, answer.text
    attached = give(http, order, png(), about="d1", claimed_at="2020-01-01T00:00:00Z", note="As it looked.")
    assert attached.status_code == 200, attached.text
    return order


def test_a_dispute_is_shown_completely_from_the_log(disputed: tuple[Http, str, Path]) -> None:
    http, order, _ = disputed
    document = http.get(f"{order}/disputes/d1").json()
    assert (document["status"], document["about"], document["about_kind"], document["by"]) == (
        "open",
        "r1",
        "request",
        "buyer",
    )
    assert document["lines"] == [{"line": 1, "quantity": 1, "sku": "A-1", "title": "Lamp", "listing": LISTING}]
    points = {item["item"]: item for item in document["checklist"]}
    assert list(points) == [
        "order-details", "request", "answer", "platform-confirmation", "contacts", "photographs", "receipts", "policy",
        "packet", "deadlines",
    ]  # fmt: skip
    assert points["answer"]["said"] == "the seller answered: declined"
    assert points["platform-confirmation"]["present"], "support wrote to the buyer about it"
    history = http.get(f"{order}/history").json()
    entries = document["chronology"]["entries"]
    assert [(x["version"], x["event"], x["data"]) for x in entries] == [
        (x["version"], x["event"], x["data"]) for x in history
    ]
    assert [claim["flag"] for claim in document["chronology"]["claimed_times"]] == ["before-the-order"]
    advice = document["recommendation"]
    assert (advice["course"], advice["at_stake_minor"], advice["currency"]) == ("proceed", 8000, "USD")
    assert (advice["arbitration_fee"], advice["precedents"]) == ("250.00 USD", None)
    text = document["policy"]["text"]
    assert hashlib.sha256(text.encode()).hexdigest() == document["policy"]["sha256"]
    assert json.loads(text)["id"] == "mutual-consent"
    (evidence,) = document["evidence"]
    assert http.get(evidence["href"]).content == png()
    assert evidence["note"] == "As it looked."


@pytest.mark.rule("case-thread")
def test_one_thread_is_read_by_all_and_supports_notes_by_support_alone(disputed: tuple[Http, str, Path]) -> None:
    http, order, _ = disputed
    tokened = Tokened(http)
    try:
        for token, sees in (("buyer", False), ("seller", False), ("support", True)):
            headers = {"authorization": f"Bearer {token}"}
            answer = tokened.get(f"{order}/disputes/d1", **headers)
            assert answer.status_code == 200
            assert (SECRET in answer.text) is sees
            texts = [each["text"] for each in answer.json()["thread"]]
            assert texts == ["It was packed <b>already</b>.", *([SECRET] if sees else []), "We look into it."]
            notes = [x for x in answer.json()["chronology"]["entries"] if x["event"] == "MessageSent"]
            assert len(notes) == (3 if sees else 2)
            history = tokened.get(f"{order}/history", **headers).json()
            assert len([x for x in history if x["event"] == "MessageSent"]) == (3 if sees else 2)
            page = tokened.get(page_of(order), **headers).text
            assert (SECRET in page) is sees
            assert ("Internal note, not shown to buyer or seller." in page) is sees
        assert tokened.status("stranger", f"{order}/disputes/d1") == 404
        assert tokened.status("stranger", page_of(order)) == 404
    finally:
        tokened.close()


def test_the_orders_page_shows_messages_to_whom_they_concern(disputed: tuple[Http, str, Path]) -> None:
    http, order, _ = disputed
    for number, (by, to) in enumerate(((SELLER, "buyer"), (SELLER, "support"), (BUYER, "seller"))):
        body = {"actor": by, "to": to, "text": f"From the {by['kind']} to the {to}."}
        assert http.post(f"{order}/messages", body, f"message-{number}").status_code == 200
    place = f"/o{order.removeprefix('/v1').replace('/orders', '')}"
    tokened = Tokened(http)
    try:
        for token, left_out in (("buyer", ["From the seller to the support."]), ("seller", []), ("support", [])):
            page = tokened.get(place, authorization=f"Bearer {token}").text
            texts = [
                "From the seller to the buyer.",
                "From the buyer to the seller.",
                "From the seller to the support.",
            ]
            assert [text for text in texts if text not in page] == left_out, token
            assert "It was packed &lt;b&gt;already&lt;/b&gt;." in page, "a thread is read by all"
            assert (SECRET in page) is (token == "support")
    finally:
        tokened.close()


def page_of(order: str, name: str = "d1") -> str:
    return f"/d{order.removeprefix('/v1').replace('/orders', '')}/{name}"


def test_the_page_shows_what_is_missing_what_disagrees_and_what_to_do(disputed: tuple[Http, str, Path]) -> None:
    http, order, _ = disputed
    page = http.get(page_of(order))
    assert page.status_code == 200
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text))
    assert "The buyer opened this dispute about cancellation request r1. Evidence is accepted until" in text
    assert "Proceed. It was asked in time; the seller answered: declined." in text
    assert "80.00 USD are at stake. The arbitration fee is 250.00 USD. It takes weeks to months." in text
    assert "The buyer, the seller and the platform can read every message here." in text
    assert "Its claimed time is before the order" in text
    assert "listing-77" in text
    assert "It was packed &lt;b&gt;already&lt;/b&gt;." in page.text, "a text is no markup"
    assert "<script" not in page.text
    order_page = http.get(f"/o{order.removeprefix('/v1').replace('/orders', '')}").text
    assert f'href="{page_of(order)}"' in order_page


def test_the_command_line_prints_the_same_document(disputed: tuple[Http, str, Path]) -> None:
    http, order, directory = disputed
    stream = order.removeprefix("/v1/").replace("/orders/", "/")
    store = Store(directory)
    printed, answered = (
        store.rescind("order", "dispute", stream, "d1", "--json").json,
        http.get(f"{order}/disputes/d1").json(),
    )
    for part in ("checklist", "chronology", "thread", "evidence", "policy", "lines"):
        assert printed[part] == answered[part], part
    assert printed["recommendation"]["course"] == "proceed"
    text = store.rescind("order", "dispute", stream, "d1").out
    events = [entry["event"] for entry in http.get(f"{order}/disputes/d1").json()["chronology"]["entries"]]
    assert {"CancelRequested", "DisputeOpened"} <= set(events)
    assert [event for event in events if event not in text] == []
    assert "proceed: it was asked in time; the seller answered: declined" in text
    assert "claims" not in store.rescind("order", "case", stream, "d1", check=1).out


def test_a_case_shows_the_listing_as_sold_the_evidence_and_what_is_awaited(http: Http) -> None:
    order = http.place(policy="peer-to-peer", lines=[LINE])
    http.post(f"{order}/shipments", {"actor": SYSTEM, "shipment_id": "asn-1"}, "ship")
    http.post(f"{order}/deliveries", {"actor": SYSTEM}, "deliver")
    http.post(f"{order}/cases", {"actor": BUYER, "reason": "not_as_described", "lines": [1], "case_id": "k1"}, "k1")
    document = http.get(f"{order}/cases/k1").json()
    assert (document["status"], document["reason"], document["lines"][0]["listing"]) == (
        "open",
        "not_as_described",
        LISTING,
    )
    assert document["decide_by"] is not None
    assert document["recommendation"]["course"] == "settle-or-complete"
    assert [gap["gap"] for item in document["checklist"] for gap in item["gaps"]] == ["packet-not-prepared"]
    assert give(http, order, png(), claimed_at="2026-03-01T10:00:00Z").status_code == 200
    assert http.get(f"{order}/cases/k1").json()["recommendation"]["course"] == "proceed"
    more = {"actor": SUPPORT, "kinds": ["receipt"], "until": "2099-01-01T00:00:00Z"}
    assert http.post(f"{order}/cases/k1/request-evidence", more, "more").status_code == 200
    document = http.get(f"{order}/cases/k1").json()
    assert (document["awaited"], document["decide_by"]) == (["receipt"], None)
    page = http.get(page_of(order, "k1")).text
    assert "The decision deadline is paused until the buyer sends a receipt." in page
    decide = {"actor": SUPPORT, "outcome": "return", "rule": "case-reasons"}
    assert http.post(f"{order}/cases/k1/decide", decide, "decide").status_code == 200
    assert http.get(f"{order}/cases/k1").json()["recommendation"]["course"] == "settle-or-complete"


@pytest.mark.parametrize("path", ["disputes/none", "cases/d1", "cases/none"])
def test_an_unknown_case_or_dispute_is_404(disputed: tuple[Http, str, Path], path: str) -> None:
    http, order, _ = disputed
    answer = http.get(f"{order}/{path}")
    assert (answer.status_code, answer.json()["rule"]) == (404, "no-such-matter")
    assert http.get(page_of(order, "none")).status_code == 404


def test_the_marketplaces_own_figures_are_shown_from_thirty_decided_disputes_on(tmp_path: Path) -> None:
    """Thirty disputes of another month, the first ten granted, each decided two days after it was opened."""
    Store(tmp_path).take(row for number in range(30) for row in decided(number, "grant" if number < 10 else "deny"))
    with served(tmp_path) as http:
        order = dispute(http)
        assert http.app.views is not None
        assert http.app.views.catch_up(30)
        precedents = http.get(f"{order}/disputes/d1").json()["recommendation"]["precedents"]
        assert precedents == {"decided": 30, "granted_percent": 33, "median_days": 2}
        page = re.sub(r"<[^>]+>", "", http.get(page_of(order)).text)
        assert "This marketplace has decided 30 disputes and granted 33% of them." in page
        assert "The median time to a decision was 2 days." in page


def decided(number: int, outcome: str) -> list[dict[str, Any]]:
    """The commands of an order whose dispute was decided."""
    commands: list[tuple[str, str, dict[str, str], dict[str, Any]]] = [
        ("PlaceOrder", "2026-03-02T10:00:00Z", SYSTEM, placing(f"old-{number}", policy="mutual-consent", quantity=1)),
        ("RequestCancel", "2026-03-02T11:00:00Z", BUYER, {"request_id": "r1", "reason": "other"}),
        ("DeclineCancel", "2026-03-02T12:00:00Z", SELLER, {"request_id": "r1"}),
        ("OpenDispute", "2026-03-03T10:00:00Z", BUYER, {"dispute_id": "d1", "about": "r1"}),
        (
            "DecideDispute",
            "2026-03-05T10:00:00Z",
            SUPPORT,
            {"dispute_id": "d1", "outcome": outcome, "rule": "seller-has-final-say"},
        ),
    ]
    return [
        {
            "command": command,
            "command_id": f"c{place}",
            "marketplace": "acme",
            "order_id": f"old-{number}",
            "at": at,
            "actor": actor,
            **fields,
        }
        for place, (command, at, actor, fields) in enumerate(commands)
    ]
