"""People confirm: what a buyer or seller is about to do is shown first, and only that is done."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.http.client import BUYER, SELLER, SUPPORT, SYSTEM, Http, notice, served


def preview(http: Http, order: str, kind: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = http.post(f"{order}/{kind}/preview", body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def fresh_preview(answer: httpx.Response) -> dict[str, Any]:
    """The fresh preview of an answer that requires a confirmation."""
    assert (answer.status_code, answer.json()["rule"]) == (409, "cancel-is-final")
    found: dict[str, Any] = answer.json()["preview"]
    return found


def test_a_preview_shows_lines_money_and_verdict_and_writes_nothing(http: Http) -> None:
    order = http.place(policy="peer-to-peer")
    shown = preview(http, order, "cancellations", {"actor": BUYER, "reason": "ordered_by_mistake"})
    assert shown["version"] == 2
    assert shown["lines"] == shown["cancels"] == [{"line": 1, "quantity": 10}]
    assert shown["refund_minor"] == 10000
    assert (shown["verdict"]["allowed"], shown["verdict"]["rule"]) == (True, "grace-window")
    assert len(http.get(f"{order}/history").json()) == 2


def test_a_preview_of_a_shipping_notice_lists_what_it_will_cancel(http: Http) -> None:
    shown = preview(http, http.place(), "shipments", notice(3))
    assert shown["ships"] == shown["lines"] == [{"line": 1, "quantity": 3}]
    assert shown["kills"] == [{"line": 1, "quantity": 7}]
    assert shown["refund_minor"] == 7000
    assert shown["verdict"]["allowed"] is True
    assert shown["sentence"] == (
        "Ships 3 of line 1. 7 of line 1 will be canceled now and cannot be re-opened. "
        "It counts toward the seller's standing."
    )


COUNTED: list[tuple[str, str, dict[str, Any], list[str], str]] = [
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


@pytest.mark.parametrize(("policy", "who", "body", "sides", "sentence"), COUNTED)
def test_a_preview_names_whose_standing_it_affects(
    http: Http, policy: str, who: str, body: dict[str, Any], sides: list[str], sentence: str
) -> None:
    actor = {"buyer": BUYER, "seller": SELLER, "support": SUPPORT}[who]
    shown = preview(http, http.place(policy=policy), "cancellations", {"actor": actor, **body})
    assert shown["standing"] == sides
    assert shown["sentence"].endswith(sentence)


def test_a_preview_of_a_refusal_has_a_verdict_and_nothing_to_confirm(http: Http) -> None:
    order = http.place(policy="peer-to-peer", sale_format="offer")
    shown = preview(http, order, "cancellations", {"actor": BUYER, "reason": "other"})
    assert (shown["confirmation"], shown["lines"], shown["refund_minor"]) == (None, [], 0)
    assert (shown["verdict"]["rule"], shown["verdict"]["allowed"]) == ("accepted-offer-final", False)


def test_a_preview_of_an_unknown_or_foreign_order_is_404(http: Http) -> None:
    body = {"actor": {"kind": "buyer", "id": "b-8"}, "reason": "other"}
    assert http.post("/v1/acme/orders/never/cancellations/preview", body).status_code == 404
    assert http.post(f"{http.place()}/cancellations/preview", body).status_code == 404


def test_a_seller_who_confirms_the_preview_ships(http: Http) -> None:
    order = http.place()
    shown = preview(http, order, "shipments", notice(3))
    done = http.post(f"{order}/shipments", {**notice(3), "confirmation": shown["confirmation"]}, "k1")
    assert [event["event"] for event in done.json()["events"]] == ["LinePartiallyShipped", "AutoCanceled", "RefundDue"]


def test_without_a_confirmation_nothing_is_written_and_a_fresh_preview_is_returned(http: Http) -> None:
    order = http.place()
    answer = http.post(f"{order}/shipments", notice(3), "k1")
    fresh = fresh_preview(answer)
    assert fresh == preview(http, order, "shipments", notice(3))
    assert len(http.get(f"{order}/history").json()) == 2
    assert "etag" not in answer.headers


def test_the_command_id_is_not_used_up_by_a_missing_confirmation(http: Http) -> None:
    order = http.place()
    fresh = fresh_preview(http.post(f"{order}/shipments", notice(3), "k1"))
    done = http.post(f"{order}/shipments", {**notice(3), "confirmation": fresh["confirmation"]}, "k1")
    assert done.status_code == 200
    assert "rescind-replayed" not in done.headers
    repeated = http.post(f"{order}/shipments", notice(3), "k1")
    assert (repeated.status_code, repeated.headers["rescind-replayed"]) == (200, "true")


@pytest.mark.parametrize("lines", [[{"line": 1, "quantity": 4}], [1], None])
def test_a_confirmation_of_some_lines_does_not_confirm_others(http: Http, lines: object) -> None:
    order = http.place()
    shown = preview(http, order, "shipments", notice(3))
    other = {"actor": SELLER, "shipment_id": "asn-1", "confirmation": shown["confirmation"]}
    answer = http.post(f"{order}/shipments", other if lines is None else {**other, "lines": lines}, "k1")
    assert fresh_preview(answer)["confirmation"] != shown["confirmation"]


def test_a_confirmation_goes_stale_when_the_order_moves_on(http: Http) -> None:
    order = http.place()
    shown = preview(http, order, "shipments", notice(3))
    http.post(f"{order}/messages", {"actor": BUYER, "to": "seller", "text": "Is it on its way?"}, "k1")
    answer = http.post(f"{order}/shipments", {**notice(3), "confirmation": shown["confirmation"]}, "k2")
    assert fresh_preview(answer)["version"] == 3


def test_a_confirmation_of_one_order_does_not_confirm_another(http: Http) -> None:
    shown = preview(http, http.place(), "shipments", notice(3))
    answer = http.post(f"{http.place()}/shipments", {**notice(3), "confirmation": shown["confirmation"]}, "k1")
    fresh_preview(answer)


def test_a_buyer_confirms_a_request_and_a_seller_a_cancellation(http: Http) -> None:
    order = http.place()
    for actor, extra in ((BUYER, {"request_id": "r1"}), (SELLER, {})):
        body = {"actor": actor, "reason": "out_of_stock", **extra}
        fresh = fresh_preview(http.post(f"{order}/cancellations", body, actor["kind"]))
        done = http.post(f"{order}/cancellations", {**body, "confirmation": fresh["confirmation"]}, actor["kind"])
        assert done.status_code == 200


def test_a_request_to_cancel_is_previewed_as_a_request(http: Http) -> None:
    shown = preview(http, http.place(), "cancellations", {"actor": BUYER, "reason": "other"})
    assert (shown["asks"], shown["cancels"], shown["refund_minor"]) == ([{"line": 1, "quantity": 10}], [], 0)
    assert shown["verdict"]["outcome"] == "ask_seller"
    assert shown["confirmation"] is not None


def test_refusals_need_no_confirmation_and_are_recorded(http: Http) -> None:
    order = http.place(policy="peer-to-peer", sale_format="offer")
    answer = http.post(f"{order}/cancellations", {"actor": BUYER, "reason": "other"}, "k1")
    assert (answer.status_code, answer.json()["rule"]) == (409, "accepted-offer-final")
    assert http.get(f"{order}/history").json()[-1]["event"] == "CancelRefused"


def test_systems_and_support_need_none(http: Http) -> None:
    for actor in (SYSTEM, SUPPORT):
        order = http.place()
        assert http.post(f"{order}/shipments", {**notice(3), "actor": actor}, "k1").status_code == 200


def requested_order(http: Http, policy: str, **fields: Any) -> str:
    """An order with the buyer's request to cancel it, r1."""
    order = http.place(policy=policy, **fields)
    body = {"actor": SYSTEM, "request_id": "r1", "reason": "other"}
    assert http.post(f"{order}/cancellations", body, "asked").status_code == 200
    return order


def test_a_seller_confirms_an_approval(http: Http) -> None:
    order = requested_order(http, "seller-portal")
    approve, body = f"{order}/cancellations/r1/approve", {"actor": SELLER}
    answer = http.post(approve, body, "k1")
    fresh = fresh_preview(answer)
    assert answer.json()["instead"][0]["href"] == f"{approve}/preview"
    assert fresh == http.post(f"{approve}/preview", body).json()
    assert (fresh["cancels"], fresh["refund_minor"]) == ([{"line": 1, "quantity": 10}], 10_000)
    assert fresh["sentence"].startswith("Cancels 10 of line 1; it cannot be undone.")
    assert http.get(order).json()["status"] == "cancel_requested"
    done = http.post(approve, {**body, "confirmation": fresh["confirmation"]}, "k1")
    assert "LinesCanceled" in [event["event"] for event in done.json()["events"]]


def test_a_buyer_confirms_that_the_offers_are_declined(http: Http) -> None:
    order = requested_order(http, "general-store")
    decline, body = f"{order}/cancellations/r1/decline-alternatives", {"actor": BUYER}
    fresh = fresh_preview(http.post(decline, body, "k1"))
    assert fresh == http.post(f"{decline}/preview", body).json()
    assert fresh["cancels"] == [{"line": 1, "quantity": 10}]
    done = http.post(decline, {**body, "confirmation": fresh["confirmation"]}, "k1")
    assert done.json()["order"]["status"] == "canceled"


def test_taking_an_offer_cancels_nothing_and_needs_no_confirmation(http: Http) -> None:
    order = requested_order(http, "general-store")
    take, body = f"{order}/cancellations/r1/take-alternative", {"actor": BUYER, "kind": "wait"}
    shown = http.post(f"{take}/preview", body).json()
    assert (shown["cancels"], shown["sentence"]) == ([], "Cancels nothing.")
    assert http.post(take, body, "k1").status_code == 200


def test_a_seller_confirms_a_ship_by_in_the_past_that_cancels_at_once(http: Http) -> None:
    order = http.place(policy="big-box", ship_by="2099-01-01T00:00:00Z")
    body = {"actor": SELLER, "ship_by": "2026-01-01T00:00:00Z"}
    fresh = fresh_preview(http.post(f"{order}/ship-by", body, "k1"))
    assert fresh == http.post(f"{order}/ship-by/preview", body).json()
    assert (fresh["cancels"], fresh["refund_minor"]) == ([{"line": 1, "quantity": 10}], 10_000)
    assert fresh["standing"] == ["seller"]
    assert http.post(f"{order}/ship-by", {**body, "confirmation": fresh["confirmation"]}, "k1").status_code == 200


def test_a_ship_by_that_cancels_nothing_needs_no_confirmation(http: Http) -> None:
    order = http.place(policy="big-box", ship_by="2099-01-02T00:00:00Z")
    body = {"actor": SELLER, "ship_by": "2099-01-01T00:00:00Z"}
    assert http.post(f"{order}/ship-by", body, "k1").status_code == 200


def test_a_seller_confirms_that_a_return_is_accepted_where_that_cancels_the_rest(http: Http) -> None:
    order = requested_order(http, "mutual-consent")
    part = {**notice(3), "actor": SYSTEM}
    assert http.post(f"{order}/shipments", part, "ship").status_code == 200
    accept, body = f"{order}/returns/r1/accept", {"actor": SELLER}
    fresh = fresh_preview(http.post(accept, body, "k1"))
    assert fresh == http.post(f"{accept}/preview", body).json()
    assert (fresh["cancels"], fresh["returns"]) == ([{"line": 1, "quantity": 7}], [{"line": 1, "quantity": 3}])
    assert http.post(accept, {**body, "confirmation": fresh["confirmation"]}, "k1").status_code == 200


def test_agreeing_after_shipment_is_confirmed_though_nothing_is_canceled(http: Http) -> None:
    order = requested_order(http, "mutual-consent")
    assert http.post(f"{order}/shipments", {**notice(10), "actor": SYSTEM}, "ship").status_code == 200
    approve, body = f"{order}/cancellations/r1/approve", {"actor": SELLER, "refund_now": True}
    fresh = fresh_preview(http.post(approve, body, "k1"))
    assert (fresh["cancels"], fresh["returns"], fresh["refund_minor"]) == ([], [{"line": 1, "quantity": 10}], 10_000)
    later = {"actor": SELLER, "confirmation": fresh["confirmation"]}
    assert fresh_preview(http.post(approve, later, "k2"))["refund_minor"] == 0, "another answer about money"


def test_declining_and_withdrawing_a_request_need_none(http: Http) -> None:
    for step, actor in (("decline", SELLER), ("withdraw", BUYER)):
        order = requested_order(http, "seller-portal")
        assert http.post(f"{order}/cancellations/r1/{step}", {"actor": actor}, "k1").status_code == 200


@pytest.mark.parametrize("policy", ["seller-portal", "general-store"])
def test_support_answers_a_request_without_a_confirmation(http: Http, policy: str) -> None:
    order, body = requested_order(http, policy), {"actor": SUPPORT, "rule": "seller-has-final-say"}
    step = "approve"
    if policy == "general-store":
        step, body = "decline-alternatives", {"actor": SUPPORT}
    assert http.post(f"{order}/cancellations/r1/{step}", body, "k1").status_code == 200


@pytest.mark.parametrize(
    ("policy", "command", "actor"),
    [("seller-portal", "ApproveCancel", SELLER), ("general-store", "DeclineAlternatives", BUYER)],
)
def test_an_answer_that_goes_whole_is_confirmed_too(
    http: Http, policy: str, command: str, actor: dict[str, str]
) -> None:
    order = requested_order(http, policy)
    whole = {"command": command, "command_id": "c1", "actor": actor, "request_id": "r1"}
    fresh = fresh_preview(http.post(f"{order}/commands", whole))
    assert http.post(f"{order}/commands", {**whole, "confirmation": fresh["confirmation"]}).status_code == 200


def test_a_command_that_changes_nothing_needs_no_confirmation(http: Http) -> None:
    order = requested_order(http, "seller-portal")
    body = {"actor": BUYER, "request_id": "r2", "reason": "other"}
    assert http.post(f"{order}/cancellations/r1/withdraw", {"actor": BUYER}, "k0").status_code == 200
    assert http.confirmed(f"{order}/cancellations", body, "k1").status_code == 200
    assert http.post(f"{order}/cancellations", body, "k2").json()["events"] == []


def test_any_command_that_goes_whole_is_confirmed_too(http: Http) -> None:
    order = http.place()
    whole = {**notice(3), "command": "Ship", "command_id": "c1"}
    fresh = fresh_preview(http.post(f"{order}/commands", whole))
    assert http.post(f"{order}/commands", {**whole, "confirmation": fresh["confirmation"]}).status_code == 200


def test_a_confirmation_holds_over_a_restart(tmp_path: Path) -> None:
    with served(tmp_path) as before:
        order = before.place()
        shown = preview(before, order, "shipments", notice(3))
    with served(tmp_path) as after:
        body = {**notice(3), "confirmation": shown["confirmation"]}
        assert after.post(f"{order}/shipments", body, "k1").status_code == 200
