"""returns, cases, disputes, evidence, rebills and credit_memos: a row each, with its current state."""

from typing import Any

import pytest

from domain.instants import parse_instant
from projections.tables import CASES, CREDIT_MEMOS, DISPUTES, EVIDENCE, REBILLS, RETURNS
from tests.spec.projections.histories import History
from tests.spec.projections.test_what_an_order_shows import viewed

PHOTO = {"kind": "photo", "sha256": "ab" * 32, "media_type": "image/png", "size": 9}


def at(text: str) -> int:
    return parse_instant(text)


def delivered(policy: str = "peer-to-peer") -> History:
    history = History()
    history.place(policy=policy)
    history.send("Ship", actor="seller", shipment_id="asn-1")
    history.send("Deliver", at="2026-03-04T10:00:00Z")
    return history


def send(history: History, command: str, at: str, actor: str, **fields: Any) -> None:
    decided = history.send(command, at=at, actor=actor, **fields)
    assert decided.refused is None, decided.refused


def test_a_case_is_open_until_its_decision_and_its_return_arrives_with_its_condition() -> None:
    history = delivered()
    send(history, "OpenCase", "2026-03-04T12:00:00Z", "buyer", case_id="case-a", reason="wrong_item", lines=[1])
    case = viewed(history).row(CASES)
    assert (case["status"], case["due_at"], case["outcome"], case["awaits"]) == (
        "open",
        at("2026-03-06T12:00:00Z"),
        None,
        "",
    )

    decided = {"case_id": "case-a", "outcome": "return", "rule": "case-reasons"}
    send(history, "DecideCase", "2026-03-05T09:00:00Z", "support", **decided)
    views = viewed(history)
    case = views.row(CASES)
    assert (case["status"], case["outcome"], case["rule"]) == ("decided", "return", "case-reasons")
    assert case["ended_at"] == at("2026-03-05T09:00:00Z")
    back = views.row(RETURNS)
    assert (back["about"], back["postage"], back["refund"], back["status"]) == (
        "case-a",
        "platform",
        "on_receipt",
        "open",
    )
    assert (back["accepted"], back["refunded"], back["opened_at"]) == (1, 0, at("2026-03-05T09:00:00Z"))

    send(history, "StartReturn", "2026-03-06T09:00:00Z", "seller", about="case-a", carrier="DHL", tracking_number="9")
    send(history, "ReturnReceived", "2026-03-09T09:00:00Z", "seller", about="return-1", condition="damaged")
    back = viewed(history).row(RETURNS)
    assert (back["status"], back["condition"], back["refunded"]) == ("received", "damaged", 1)
    assert (back["carrier"], back["tracking_number"], back["ended_at"]) == ("DHL", "9", at("2026-03-09T09:00:00Z"))


def test_while_more_evidence_is_awaited_a_case_has_no_due_instant_and_names_that_evidence() -> None:
    history = delivered()
    send(history, "OpenCase", "2026-03-04T12:00:00Z", "buyer", case_id="case-a", reason="wrong_item", lines=[1])
    evidence = {"about": "case-a", "kinds": ["photo", "receipt"], "until": "2026-03-09T12:00:00Z"}
    send(history, "RequestEvidence", "2026-03-04T13:00:00Z", "support", **evidence)
    case = viewed(history).row(CASES)
    assert (case["due_at"], case["awaits"]) == (None, "photo,receipt")

    send(history, "AttachEvidence", "2026-03-05T13:00:00Z", "buyer", evidence_id="e1", about="case-a", **PHOTO)
    views = viewed(history)
    assert views.row(CASES)["awaits"] == "receipt"
    piece = views.row(EVIDENCE)
    assert (piece["side"], piece["kind"], piece["sha256"], piece["size"]) == ("buyer", "photo", "ab" * 32, 9)
    assert piece["attached_at"] == at("2026-03-05T13:00:00Z")

    send(history, "SendMessage", "2026-03-12T12:00:00Z", "buyer", message_id="m1", to="seller", text="Well?")
    case = viewed(history).row(CASES)
    assert case["awaits"] == "", "its date has passed: the case is decided on what is there"
    assert case["due_at"] is not None


@pytest.mark.rule("return-not-confirmed")
def test_a_return_that_nobody_confirms_is_closed_and_refunded() -> None:
    history = delivered("general-store")
    send(history, "RequestReturn", "2026-03-05T12:00:00Z", "buyer", reason="changed_mind", lines=[1])
    send(history, "Deliver", "2026-03-07T12:00:00Z", "system", shipment_id="return-1")
    send(history, "SendMessage", "2026-03-20T12:00:00Z", "buyer", message_id="m1", to="seller", text="Well?")

    back = viewed(history).row(RETURNS)

    assert (back["status"], back["refunded"], back["condition"]) == ("closed", 1, None)
    assert (back["delivered_at"], back["ended_at"]) == (at("2026-03-07T12:00:00Z"), at("2026-03-12T12:00:00Z"))
    assert (back["about"], back["reason"], back["postage"]) == ("return-1", "changed_mind", "buyer")


def declined() -> History:
    history = History()
    history.place(policy="mutual-consent")
    send(history, "RequestCancel", "2026-03-02T11:00:00Z", "buyer", request_id="r1", reason="changed_mind")
    send(history, "DeclineCancel", "2026-03-03T10:00:00Z", "seller", request_id="r1")
    return history


def test_a_dispute_shows_its_ticket_its_decision_and_until_when_it_can_be_appealed() -> None:
    history = declined()
    send(history, "OpenDispute", "2026-03-04T10:00:00Z", "buyer", dispute_id="d1", about="r1")
    dispute = viewed(history).row(DISPUTES)
    assert (dispute["status"], dispute["opened_by"], dispute["about"]) == ("open", "buyer", "r1")
    assert dispute["evidence_until"] == at("2026-03-14T10:00:00Z")

    send(history, "EscalateDispute", "2026-03-05T10:00:00Z", "buyer", dispute_id="d1", ticket="T-1")
    denied = {"dispute_id": "d1", "outcome": "deny", "rule": "seller-has-final-say"}
    send(history, "DecideDispute", "2026-03-06T10:00:00Z", "support", **denied)
    dispute = viewed(history).row(DISPUTES)
    assert (dispute["status"], dispute["ticket"], dispute["rule"]) == ("denied", "T-1", "seller-has-final-say")
    assert (dispute["appeal_until"], dispute["appealed"]) == (at("2026-03-20T10:00:00Z"), 0)

    send(history, "AppealDispute", "2026-03-10T10:00:00Z", "buyer", dispute_id="d1")
    dispute = viewed(history).row(DISPUTES)
    assert (dispute["status"], dispute["appealed"], dispute["decisions"]) == ("open", 1, 1)


def test_a_late_dispute_is_shown_dismissed_with_its_rule() -> None:
    history = declined()
    late = history.send("OpenDispute", at="2026-06-30T10:00:00Z", actor="buyer", dispute_id="d1", about="r1")
    assert late.refused == "too-late"

    dispute = viewed(history).row(DISPUTES)

    assert (dispute["status"], dispute["rule"], dispute["decisions"]) == ("dismissed", "too-late", 0)
    assert dispute["opened_at"] == at("2026-06-30T10:00:00Z")


@pytest.mark.rule("credit-memo")
def test_a_rebilling_is_due_until_it_is_confirmed_and_names_its_memo() -> None:
    history = History()
    history.place()
    send(history, "CancelLines", "2026-03-02T11:00:00Z", "seller", reason="out_of_stock")
    parcel = {"carrier": "UPS", "tracking_number": "1Z9"}
    send(history, "ReportShippedAfterCancel", "2026-03-03T10:00:00Z", "seller", lines=[1], **parcel)
    text = "It shipped although it was cancelled, with UPS 1Z9. You would be billed again."
    send(history, "NotifyCustomer", "2026-03-03T11:00:00Z", "seller", text=text)
    both = {"accepts_item": True, "accepts_rebilling": True}
    send(history, "Acknowledge", "2026-03-03T12:00:00Z", "buyer", **both)
    send(history, "Rebill", "2026-03-03T13:00:00Z", "support")
    send(history, "FailRebill", "2026-03-03T14:00:00Z", "system", rebill_id="rebill-1")
    rebill = viewed(history).row(REBILLS)
    assert (rebill["status"], rebill["failed"], rebill["amount_minor"]) == ("due", 1, 10000)
    assert (rebill["due_at"], rebill["confirmed_at"], rebill["memo_id"]) == (at("2026-03-03T13:00:00Z"), None, None)

    send(history, "ConfirmRebill", "2026-03-03T15:00:00Z", "system", rebill_id="rebill-1")
    send(history, "IssueCreditMemo", "2026-03-03T16:00:00Z", "support", memo_id="memo-a", rebill_id="rebill-1")
    views = viewed(history)
    rebill, memo = views.row(REBILLS), views.row(CREDIT_MEMOS)
    assert (rebill["status"], rebill["failed"], rebill["memo_id"]) == ("confirmed", 0, "memo-a")
    assert rebill["confirmed_at"] == at("2026-03-03T15:00:00Z")
    assert (memo["amount_minor"], memo["currency"], memo["issued_at"]) == (10000, "USD", at("2026-03-03T16:00:00Z"))
