"""People confirm (COMMANDS.md 3): what a buyer or seller is about to do is shown first, and only that is done."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.http.asking import BUYER, SELLER, SUPPORT, SYSTEM, Http, notice, served


def preview(http: Http, order: str, kind: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = http.post(f"{order}/{kind}/preview", body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def is_asked_to_confirm(answer: httpx.Response) -> dict[str, Any]:
    """The fresh preview of an answer that asks for a confirmation."""
    assert (answer.status_code, answer.json()["rule"]) == (409, "cancel-is-final")
    found: dict[str, Any] = answer.json()["preview"]
    return found


def test_a_preview_tells_lines_money_and_verdict_and_writes_nothing(http: Http) -> None:
    order = http.place(policy="peer-to-peer")
    said = preview(http, order, "cancellations", {"actor": BUYER, "reason": "ordered_by_mistake"})
    assert said["version"] == 2
    assert said["lines"] == said["cancels"] == [{"line": 1, "quantity": 10}]
    assert said["refund_minor"] == 10000
    assert (said["verdict"]["allowed"], said["verdict"]["rule"]) == (True, "grace-window")
    assert len(http.get(f"{order}/history").json()) == 2


def test_a_preview_of_a_notice_says_what_it_will_kill(http: Http) -> None:
    said = preview(http, http.place(), "shipments", notice(3))
    assert said["ships"] == said["lines"] == [{"line": 1, "quantity": 3}]
    assert said["kills"] == [{"line": 1, "quantity": 7}]
    assert said["refund_minor"] == 7000
    assert said["verdict"]["allowed"] is True
    assert said["sentence"] == (
        "Ships 3 of line 1. 7 of line 1 will be cancelled now and cannot be re-opened. "
        "It counts toward the seller's standing."
    )


STANDING: list[tuple[str, str, dict[str, Any], list[str], str]] = [
    (
        "seller-portal",
        "seller",
        {"reason": "buyer_asked"},
        ["seller"],
        "No request of the buyer's is on record: it counts toward the seller's standing; the buyer is asked.",
    ),
    ("seller-portal", "seller", {"reason": "out_of_stock"}, ["seller"], "It counts toward the seller's standing."),
    ("peer-to-peer", "buyer", {"reason": "other"}, ["buyer"], "It counts toward the buyer's standing."),
    (
        "seller-portal",
        "buyer",
        {"reason": "other"},
        ["buyer"],
        "If it is carried out, it counts toward the buyer's standing.",
    ),
    ("seller-portal", "support", {"reason": "suspected_fraud", "rule": "standing"}, [], "it cannot be undone."),
]


@pytest.mark.parametrize(("policy", "who", "body", "sides", "sentence"), STANDING)
def test_a_preview_says_whose_standing_it_touches(
    http: Http, policy: str, who: str, body: dict[str, Any], sides: list[str], sentence: str
) -> None:
    actor = {"buyer": BUYER, "seller": SELLER, "support": SUPPORT}[who]
    said = preview(http, http.place(policy=policy), "cancellations", {"actor": actor, **body})
    assert said["standing"] == sides
    assert said["sentence"].endswith(sentence)


def test_what_would_be_refused_has_a_verdict_and_nothing_to_confirm(http: Http) -> None:
    order = http.place(policy="peer-to-peer", sale_format="offer")
    said = preview(http, order, "cancellations", {"actor": BUYER, "reason": "other"})
    assert (said["confirmation"], said["lines"], said["refund_minor"]) == (None, [], 0)
    assert (said["verdict"]["rule"], said["verdict"]["allowed"]) == ("accepted-offer-final", False)


def test_a_preview_of_an_unknown_or_foreign_order_is_404(http: Http) -> None:
    body = {"actor": {"kind": "buyer", "id": "b-8"}, "reason": "other"}
    assert http.post("/v1/acme/orders/never/cancellations/preview", body).status_code == 404
    assert http.post(f"{http.place()}/cancellations/preview", body).status_code == 404


def test_a_seller_who_confirms_what_was_shown_ships(http: Http) -> None:
    order = http.place()
    shown = preview(http, order, "shipments", notice(3))
    done = http.post(f"{order}/shipments", {**notice(3), "confirmation": shown["confirmation"]}, "k1")
    assert [event["event"] for event in done.json()["events"]] == ["LinePartiallyShipped", "AutoCanceled", "RefundDue"]


def test_without_a_confirmation_nothing_is_written_and_a_fresh_preview_comes_back(http: Http) -> None:
    order = http.place()
    answer = http.post(f"{order}/shipments", notice(3), "k1")
    fresh = is_asked_to_confirm(answer)
    assert fresh == preview(http, order, "shipments", notice(3))
    assert len(http.get(f"{order}/history").json()) == 2
    assert "etag" not in answer.headers


def test_the_command_id_is_not_used_up_by_a_missing_confirmation(http: Http) -> None:
    order = http.place()
    fresh = is_asked_to_confirm(http.post(f"{order}/shipments", notice(3), "k1"))
    done = http.post(f"{order}/shipments", {**notice(3), "confirmation": fresh["confirmation"]}, "k1")
    assert done.status_code == 200
    assert "rescind-replayed" not in done.headers
    again = http.post(f"{order}/shipments", notice(3), "k1")
    assert (again.status_code, again.headers["rescind-replayed"]) == (200, "true")


@pytest.mark.parametrize("lines", [[{"line": 1, "quantity": 4}], [1], None])
def test_what_was_confirmed_of_some_lines_does_not_confirm_others(http: Http, lines: object) -> None:
    order = http.place()
    shown = preview(http, order, "shipments", notice(3))
    other = {"actor": SELLER, "shipment_id": "asn-1", "confirmation": shown["confirmation"]}
    answer = http.post(f"{order}/shipments", other if lines is None else {**other, "lines": lines}, "k1")
    assert is_asked_to_confirm(answer)["confirmation"] != shown["confirmation"]


def test_a_confirmation_goes_stale_when_the_order_moves_on(http: Http) -> None:
    order = http.place()
    shown = preview(http, order, "shipments", notice(3))
    http.post(f"{order}/messages", {"actor": BUYER, "to": "seller", "text": "Is it on its way?"}, "k1")
    answer = http.post(f"{order}/shipments", {**notice(3), "confirmation": shown["confirmation"]}, "k2")
    assert is_asked_to_confirm(answer)["version"] == 3


def test_a_confirmation_of_one_order_does_not_confirm_another(http: Http) -> None:
    shown = preview(http, http.place(), "shipments", notice(3))
    answer = http.post(f"{http.place()}/shipments", {**notice(3), "confirmation": shown["confirmation"]}, "k1")
    is_asked_to_confirm(answer)


def test_a_buyer_confirms_a_request_and_a_seller_a_cancellation(http: Http) -> None:
    order = http.place()
    for actor, extra in ((BUYER, {"request_id": "r1"}), (SELLER, {})):
        body = {"actor": actor, "reason": "out_of_stock", **extra}
        fresh = is_asked_to_confirm(http.post(f"{order}/cancellations", body, actor["kind"]))
        done = http.post(f"{order}/cancellations", {**body, "confirmation": fresh["confirmation"]}, actor["kind"])
        assert done.status_code == 200


def test_a_request_that_only_asks_is_previewed_as_asking(http: Http) -> None:
    said = preview(http, http.place(), "cancellations", {"actor": BUYER, "reason": "other"})
    assert (said["asks"], said["cancels"], said["refund_minor"]) == ([{"line": 1, "quantity": 10}], [], 0)
    assert said["verdict"]["outcome"] == "ask_seller"
    assert said["confirmation"] is not None


def test_refusals_need_no_confirmation_and_are_recorded(http: Http) -> None:
    order = http.place(policy="peer-to-peer", sale_format="offer")
    answer = http.post(f"{order}/cancellations", {"actor": BUYER, "reason": "other"}, "k1")
    assert (answer.status_code, answer.json()["rule"]) == (409, "accepted-offer-final")
    assert http.get(f"{order}/history").json()[-1]["event"] == "CancelRefused"


def test_systems_and_support_need_none(http: Http) -> None:
    for actor in (SYSTEM, SUPPORT):
        order = http.place()
        assert http.post(f"{order}/shipments", {**notice(3), "actor": actor}, "k1").status_code == 200


def test_answering_a_request_needs_none(http: Http) -> None:
    order = http.place()
    http.post(f"{order}/cancellations", {"actor": SYSTEM, "request_id": "r1", "reason": "other"}, "k1")
    assert http.post(f"{order}/cancellations/r1/approve", {"actor": SELLER}, "k2").status_code == 200


def test_any_command_that_goes_whole_is_confirmed_too(http: Http) -> None:
    order = http.place()
    whole = {**notice(3), "command": "Ship", "command_id": "c1"}
    fresh = is_asked_to_confirm(http.post(f"{order}/commands", whole))
    assert http.post(f"{order}/commands", {**whole, "confirmation": fresh["confirmation"]}).status_code == 200


def test_a_confirmation_holds_over_a_restart(tmp_path: Path) -> None:
    with served(tmp_path) as before:
        order = before.place()
        shown = preview(before, order, "shipments", notice(3))
    with served(tmp_path) as after:
        body = {**notice(3), "confirmation": shown["confirmation"]}
        assert after.post(f"{order}/shipments", body, "k1").status_code == 200
