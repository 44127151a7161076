"""Every step of every procedure has its path, a refusal links its alternatives, and packers are warned of an open
request."""

import re

from domain.commands import COMMANDS
from infra.api.paths import EVIDENCE, PATHS
from tests.integration.http.client import BUYER, SELLER, SUPPORT, SYSTEM, Http, notice

A_FILE = {"sha256": "0" * 64, "media_type": "image/png", "size": 1}


def test_every_command_about_an_order_has_a_path_that_means_it() -> None:
    named = {command for form in (*PATHS, EVIDENCE) for command in form.commands}
    elsewhere = {"PlaceOrder", "ReachDeadline", "EraseSubject", "PlaceLegalHold", "ReleaseLegalHold"}
    assert named == set(COMMANDS) - elsewhere


def test_the_five_steps_of_cancelled_but_shipped_are_walked_by_their_paths(http: Http) -> None:
    order = http.place(quantity=2)
    canceled = http.post(f"{order}/cancellations", {"actor": SYSTEM, "reason": "out_of_stock"}, "k1")
    assert canceled.status_code == 200
    here = f"{order}/shipped-after-cancel"
    parcel = {"carrier": "UPS", "tracking_number": "1Z999"}
    assert http.post(here, {"actor": SELLER, "lines": [1], **parcel}, "k2").status_code == 200
    early = http.post(f"{here}/credit-memo", {"actor": SUPPORT, "memo_id": "m1", "rebill_id": "rebill-1"}, "k3")
    assert (early.status_code, early.json()["rule"]) == (409, "memo-needs-acknowledgment")
    assert [each["option"] for each in early.json()["instead"]] == ["step"]
    link = http.post(f"{here}/notify", {"actor": SELLER, "text": "See https://track.example UPS 1Z999"}, "k4")
    assert (link.status_code, link.json()["rule"]) == (409, "notice-has-link")
    text = "It left with UPS, number 1Z999, although cancelled; you would be billed again."
    assert http.post(f"{here}/notify", {"actor": SELLER, "text": text}, "k5").status_code == 200
    both = {"actor": BUYER, "accepts_item": True, "accepts_rebilling": True}
    assert http.post(f"{here}/acknowledge", both, "k6").status_code == 200
    assert http.post(f"{here}/rebill", {"actor": SUPPORT}, "k7").status_code == 200
    failed = http.post(f"{here}/rebills/rebill-1/fail", {"actor": SYSTEM}, "k8")
    assert [event["event"] for event in failed.json()["events"]] == ["RebillFailed"]
    assert http.post(f"{here}/rebills/rebill-1/confirm", {"actor": SYSTEM}, "k9").status_code == 200
    memo = http.post(f"{here}/credit-memo", {"actor": SUPPORT, "rebill_id": "rebill-1"}, "memo-7")
    assert memo.json()["events"][0]["data"] == {"memo_id": "memo-7", "rebill_id": "rebill-1", "amount": 2000}


def test_a_body_with_another_id_than_the_path_is_422(http: Http) -> None:
    order = http.place(policy="mutual-consent")
    answer = http.post(f"{order}/disputes/d1/decide", {"actor": SUPPORT, "dispute_id": "d2"}, "k1")
    assert (answer.status_code, answer.json()["pointer"]) == (422, "/dispute_id")


def test_every_refusal_offers_alternatives_with_links(http: Http) -> None:
    order = http.place(policy="peer-to-peer")
    opened = http.post(f"{order}/cases", {"actor": BUYER, "reason": "wrong_item", "lines": [1]}, "k1").json()
    assert opened["rule"] == "cancel-is-not-case"
    assert opened["instead"] == [
        {
            "option": "cancel",
            "text": "Ask to cancel it.",
            "until": None,
            "href": f"{order}/cancellations",
            "page": f"/o{order.removeprefix('/v1').replace('/orders', '')}",
        }
    ]
    assert http.get(opened["instead"][0]["page"]).status_code == 200
    refused = [
        ("cases", {"actor": BUYER, "reason": "changed_mind", "lines": [1]}),
        ("disputes", {"actor": BUYER, "about": "nothing"}),
        ("returns", {"actor": BUYER, "reason": "changed_mind", "lines": [1]}),
        ("evidence", {"actor": BUYER, "about": "k9", "kind": "photo", **A_FILE}),
        ("refunds/refund-9/confirm", {"actor": SYSTEM}),
        ("notices/notice-9/fail", {"actor": SYSTEM}),
        ("shipments/asn-9/void", {"actor": SUPPORT, "note": "a mistake"}),
        ("cancellations/r9/approve", {"actor": SUPPORT, "rule": "grace-window"}),
        ("cases/k9/decide", {"actor": SUPPORT, "outcome": "deny", "rule": "case-reasons"}),
        ("returns/return-9/receive", {"actor": SELLER}),
    ]  # fmt: skip
    for number, (path, body) in enumerate(refused):
        answer = http.post(f"{order}/{path}", body, f"no-{number}")
        assert answer.status_code == 409, (path, answer.text)
        assert answer.json()["instead"], path
        for each in answer.json()["instead"]:
            assert each["text"], path
            if each["option"] == "contact":
                assert each["reference"]["order"].startswith("acme/PO-")


def test_shipping_shows_an_open_request_before_the_notice_is_sent(http: Http) -> None:
    order = http.place(quantity=3)
    request = {"actor": BUYER, "request_id": "r1", "reason": "ordered_by_mistake"}
    preview = http.post(f"{order}/cancellations/preview", request, "p").json()
    http.post(f"{order}/cancellations", {**request, "confirmation": preview["confirmation"]}, "k1")
    shipping = http.post(f"{order}/shipments/preview", notice(3), "p").json()
    assert shipping["stop"] == [
        {
            "rule": "shipment-answers",
            "request_id": "r1",
            "by": "buyer",
            "reason": "ordered_by_mistake",
            "lines": [{"line": 1, "quantity": 3}],
            "decide_by": None,
        }
    ]
    assert shipping["sentence"].startswith("Stop: the buyer asks to cancel, and request r1 waits.")
    page = re.sub(r"<[^>]+>", "", http.get(f"/o{order.removeprefix('/v1').replace('/orders', '')}").text)
    assert "Stop before you pack. The buyer asks to cancel the whole order (request r1)" in page
    http.post(f"{order}/cancellations/r1/withdraw", {"actor": BUYER}, "k2")
    assert http.post(f"{order}/shipments/preview", notice(3), "p").json()["stop"] == []
    page = http.get(f"/o{order.removeprefix('/v1').replace('/orders', '')}").text
    assert "Stop before you pack" not in page
