"""The paths of payments, refunds, chargebacks, returns and lost parcels, and the schemas of what they answer."""

import json
import re
from typing import Any

import pytest

from domain.commands import COMMANDS
from infra.api.forms import assembled, named
from infra.api.paths import PATHS, PREVIEWS
from tests.architecture.planted import ROOT
from tests.integration.http.client import BUYER, SELLER, SUPPORT, SYSTEM, Http
from tests.integration.http.described import check_answer, check_described
from tests.integration.http.test_ids_in_paths import ODD, escaped

HELD: dict[str, Any] = {"policy": "general-store@2", "paid": False}


def names(answer: Any) -> list[str]:
    """The names of the events of an accepted command."""
    check_answer(answer)
    assert answer.status_code == 200, answer.text
    return [event["event"] for event in answer.json()["events"]]


def paid(http: Http, *, state: str = "captured", quantity: int = 10) -> str:
    """An order paid by the card payment ``p/1``."""
    order = http.place(quantity=quantity, **HELD)
    body = {"actor": SYSTEM, "amount": f"{quantity}0.00", "payment_id": "p/1", "method": "card", "state": state}
    assert names(http.post(f"{order}/payments", body, "pay")) == ["PaymentReceived"]
    return order


def canceled(http: Http, order: str, quantity: int = 10) -> str:
    """The same order with units of line 1 canceled."""
    body = {"actor": SYSTEM, "reason": "out_of_stock", "lines": [{"line": 1, "quantity": quantity}]}
    assert names(http.post(f"{order}/cancellations", body, f"cancel-{quantity}"))[-1] == "RefundDue"
    return order


def delivered(http: Http, *, is_delivered: bool = True) -> str:
    """An order whose ten units shipped, and were delivered if ``is_delivered``."""
    order = http.place(policy="general-store@2")
    assert http.post(f"{order}/shipments", {"actor": SYSTEM, "shipment_id": "asn-1"}, "ship").is_success
    if is_delivered:
        assert http.post(f"{order}/deliveries", {"actor": SYSTEM}, "deliver").is_success
    return order


def returning(http: Http) -> str:
    """A delivered order with the return of all ten units, return-1."""
    order = delivered(http)
    asked = {"actor": BUYER, "reason": "changed_mind", "lines": [1]}
    assert "ReturnOpened" in names(http.post(f"{order}/returns", asked, "return"))
    return order


def shown(http: Http, order: str) -> dict[str, Any]:
    """The order, as its schema says."""
    document: dict[str, Any] = http.get(order).json()
    check_described("Order", document)
    return document


def test_an_authorized_payment_is_captured_and_released_by_its_path(http: Http) -> None:
    order = paid(http, state="authorized")
    capture, release = (f"{order}/payments/{escaped('p/1')}/{step}" for step in ("capture", "release"))
    assert names(http.post(capture, {"actor": SYSTEM, "amount": "60.00"}, "k1")) == ["PaymentCaptured"]
    assert "PaymentReleased" in names(http.post(release, {"actor": SYSTEM}, "k2"))
    [payment] = shown(http, order)["payments"]
    assert payment == {
        "payment_id": "p/1",
        "method": "card",
        "authorized_minor": 0,
        "captured_minor": 6000,
        "refunded_minor": 0,
    }
    more = http.post(capture, {"actor": SYSTEM, "amount": "60.00"}, "k3")
    check_answer(more)
    assert (more.status_code, more.json()["rule"]) == (409, "more-than-authorized")


@pytest.mark.parametrize("name", ODD)
def test_a_payment_of_any_id_has_its_paths(http: Http, name: str) -> None:
    order = http.place(quantity=1, **HELD)
    body = {"actor": SYSTEM, "amount": "10.00", "payment_id": name}
    assert http.post(f"{order}/payments", body, "pay").status_code == 200
    opened = http.post(f"{order}/payments/{escaped(name)}/chargeback", {"actor": SYSTEM, "amount": "10.00"}, "k1")
    assert opened.json()["events"][0]["data"]["payment_id"] == name
    won = http.post(f"{order}/payments/{escaped(name)}/chargeback/close", {"actor": SYSTEM, "outcome": "won"}, "k2")
    assert won.status_code == 200, won.text


def test_a_chargeback_is_opened_and_closed_by_its_payments_path(http: Http) -> None:
    order = paid(http)
    chargeback = f"{order}/payments/{escaped('p/1')}/chargeback"
    opened = {"actor": SYSTEM, "amount": "100.00", "chargeback_id": "cb-1"}
    assert names(http.post(chargeback, opened, "k1")) == ["ChargebackOpened"]
    [refund] = shown(http, canceled(http, order))["refunds"]
    assert (refund["status"], refund["waiting"], refund["parts"][0]["waiting"]) == ("due", True, True)
    assert "chargeback_open" in shown(http, order)["attention"]
    assert "ChargebackClosed" in names(http.post(f"{chargeback}/close", {"actor": SYSTEM, "outcome": "lost"}, "k2"))
    document = shown(http, order)
    assert [each["status"] for each in document["refunds"]] == ["settled_elsewhere"]
    assert (document["money"]["refund_due_minor"], document["money"]["other_refunds_minor"]) == (0, 10_000)


def test_refunds_with_an_amount_are_made_elsewhere_and_without_one_confirmed(http: Http) -> None:
    order = paid(http)
    elsewhere = {"actor": SYSTEM, "amount": "10.00", "covers": [{"line": 1, "amount": "10.00"}]}
    assert names(http.post(f"{order}/refunds", elsewhere, "k1")) == ["OtherRefundRecorded"]
    canceled(http, order, 4)
    one_part = {"actor": SYSTEM, "refund_id": "refund-1", "payment_id": "p/1", "provider_ref": "re_1"}
    assert names(http.post(f"{order}/refunds", one_part, "k2")) == ["RefundConfirmed"]
    canceled(http, order, 3)
    settled = {"actor": SYSTEM, "refund_id": "refund-2", "amount": "30.00"}
    assert names(http.post(f"{order}/refunds", settled, "k3")) == ["OtherRefundSettled"]
    assert [each["status"] for each in shown(http, order)["refunds"]] == ["confirmed", "settled_elsewhere"]
    nothing = http.post(f"{order}/refunds", {"actor": SYSTEM}, "k4")
    assert (nothing.status_code, nothing.json()["pointer"]) == (422, "/refund_id")


def test_a_refund_fails_by_its_payment_and_is_withdrawn_by_its_path(http: Http) -> None:
    order = canceled(http, paid(http))
    failed = {"actor": SYSTEM, "payment_id": "p/1", "provider_ref": "re_1"}
    assert names(http.post(f"{order}/refunds/refund-1/confirm", failed, "k1")) == ["RefundConfirmed"]
    answer = http.post(f"{order}/refunds/refund-1/fail", failed, "k2")
    assert names(answer) == ["RefundFailed"]
    data = answer.json()["events"][0]["data"]
    assert (data["payment_id"], data["provider_ref"]) == ("p/1", "re_1")
    assert shown(http, order)["attention"] == ["refund_failed"]
    mistake = {"actor": SUPPORT, "rule": "window-of-the-store", "note": "instructed twice"}
    assert names(http.post(f"{order}/refunds/refund-1/withdraw", mistake, "k3")) == ["RefundWithdrawn"]
    assert shown(http, order)["money"]["kept_minor"] == 10_000


def test_a_return_is_received_in_parts_and_closed_by_its_path(http: Http) -> None:
    order = returning(http)
    part = {"actor": SELLER, "lines": [{"line": 1, "quantity": 4, "condition": "sellable"}]}
    assert names(http.post(f"{order}/returns/return-1/receive", part, "k1")) == ["ReturnReceived", "RefundDue"]
    [back] = shown(http, order)["returns"]
    assert back["received"] == [{"line": 1, "quantity": 4}]
    closed = {"actor": SELLER, "outcome": "refund"}
    assert names(http.post(f"{order}/returns/return-1/close", closed, "k2")) == ["ReturnClosed", "RefundDue"]
    assert shown(http, order)["returns"][0]["status"] == "closed"


def test_a_buyer_sees_what_withdrawing_a_return_does_and_withdraws_it(http: Http) -> None:
    order = returning(http)
    path = f"{order}/returns/return-1/withdraw"
    preview = http.post(f"{path}/preview", {"actor": BUYER})
    check_answer(preview, preview=True)
    assert preview.json()["withdrawn"] == preview.json()["lines"] == [{"line": 1, "quantity": 10}]
    again = http.post(f"{order}/returns", {"actor": BUYER, "reason": "changed_mind", "lines": [1]}, "k1")
    check_answer(again)
    assert (again.status_code, again.json()["rule"]) == (409, "one-open-request")
    [way] = [each for each in again.json()["instead"] if each["option"] == "withdraw_return"]
    body = {"actor": BUYER, "command": "WithdrawReturn", "about": "return-1"}
    assert names(http.post(way["href"], body, "k2")) == ["ReturnWithdrawn"]
    assert http.post(path, {"actor": BUYER}, "k3").status_code == 409
    assert shown(http, order)["returns"][0]["status"] == "withdrawn"


def test_a_lost_parcel_is_previewed_reported_and_refunded(http: Http) -> None:
    order = delivered(http, is_delivered=False)
    path, body = f"{order}/shipments/asn-1/undelivered", {"actor": SELLER, "outcome": "lost"}
    preview = http.post(f"{path}/preview", body)
    check_answer(preview, preview=True)
    assert preview.json()["undelivered"] == [{"line": 1, "quantity": 10}]
    assert preview.json()["refund_minor"] == 10_000
    assert names(http.post(path, body, "k1")) == ["ParcelUndelivered", "RefundDue"]
    document = shown(http, order)
    assert (document["status"], document["lines"][0]["undelivered"]) == ("undelivered", 10)
    assert document["shipments"][0]["status"] == "lost"


def test_a_buyer_of_a_parcel_under_way_is_sent_to_the_seller_by_a_message(http: Http) -> None:
    order = delivered(http, is_delivered=False)
    answer = http.post(f"{order}/cancellations", {"actor": BUYER, "reason": "changed_mind"}, "k1")
    check_answer(answer)
    ways = {each["text"]: each["href"] for each in answer.json()["instead"] if each["option"] == "ask_seller"}
    assert ways == {"If it does not arrive, ask the seller to report the parcel as lost.": f"{order}/messages"}


def test_fees_are_shown_with_the_order(http: Http) -> None:
    fee = {"fee_id": "f1", "amount": "2.00", "title": "Gift wrap", "refundable": "with-order"}
    order = http.place(policy="general-store@2", fees=[fee])
    assert shown(http, order)["fees"] == [
        {"fee_id": "f1", "title": "Gift wrap", "amount_minor": 200, "tax_minor": 0, "refundable": "with-order"}
    ]


def test_a_proposed_ship_by_is_declined_by_the_path_that_takes_it(http: Http) -> None:
    order = http.place(policy="general-store@2", ship_by="2099-01-01T00:00:00Z")
    later = {"actor": SELLER, "ship_by": "2099-01-05T00:00:00Z"}
    assert names(http.post(f"{order}/ship-by", later, "k1")) == ["ShipByRevised"]
    decline = {"actor": BUYER, "command": "DeclineAlternatives"}
    check_answer(http.post(f"{order}/alternatives/preview", decline), preview=True)
    assert names(http.post(f"{order}/alternatives", decline, "k2")) == ["AlternativesDeclined"]


EXPECTED_PREVIEWS = {
    "/cancellations",
    "/cancellations/{request_id}/approve",
    "/cancellations/{request_id}/take-alternative",
    "/cancellations/{request_id}/decline-alternatives",
    "/alternatives",
    "/shipments",
    "/shipments/{shipment_id}/undelivered",
    "/ship-by",
    "/returns/{about}/accept",
    "/returns/{about}/withdraw",
    "/cases/{case_id}/accept",
}


def test_a_preview_is_the_same_path_with_preview_behind_it() -> None:
    assert {form.path for form in PREVIEWS} == {f"{path}/preview" for path in EXPECTED_PREVIEWS}
    assert {form.path for form in PATHS} >= EXPECTED_PREVIEWS


def test_every_example_of_the_reference_is_a_command_of_its_path() -> None:
    page = (ROOT / "docs" / "reference" / "http.md").read_text(encoding="utf-8")
    examples = re.findall(r"^POST …(/\S+) +(\{.*\})$", page, re.MULTILINE)
    assert len(examples) > 10
    for path, body in examples:
        [form] = [each for each in PATHS if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", each.path), path)]
        found = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", form.path), path)
        assert found is not None
        fields = {field: found[name] for name, field in (form.in_path or {}).items()}
        whole = named(form, {"actor": SYSTEM, **json.loads(body)})
        command = assembled(whole, marketplace="acme", order_id="PO-1", path=fields, key="k1")
        assert isinstance(command, COMMANDS[whole["command"]])
