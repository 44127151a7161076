"""Mails say what was refunded separately beside the engine's own refunds, what waits, and who canceled."""

from typing import Any

import pytest

from domain.order import Order
from infra.documents.packs import LANGUAGES, pack
from infra.documents.receipt import receipt_of
from infra.web.receipt_page import ReceiptPage
from tests.spec.notifications.desk import Desk

NOON = "2026-03-09T12:00:00Z"
LINES = [{"line": n, "sku": f"A-{n}", "title": f"Item {n}", "quantity": 1, "unit_price": "25.00"} for n in (1, 2)]


def paid(language: str = "en") -> Desk:
    """An order of 50.00, 20.00 by gift card and 30.00 by card."""
    desk = Desk()
    desk.people.languages = {"b-1": language, "s-1": language}
    desk.history.place(lines=LINES, paid=False)
    for payment_id, method, amount in (("gift", "gift_card", "20.00"), ("visa", "card", "30.00")):
        send(desk, "ConfirmPayment", "2026-03-02T11:00:00Z", payment_id=payment_id, method=method, amount=amount)
    return desk


def send(desk: Desk, command: str, at: str, **fields: Any) -> None:
    decided = desk.history.send(command, at=at, **fields)
    assert decided.refused is None, decided


def mails(desk: Desk, to: str = "b-1") -> list[str]:
    desk.run(NOON)
    return [mail.text for mail in desk.carrier.taken if mail.to == f"{to}@example.org"]


@pytest.mark.parametrize(
    ("language", "separately"),
    [
        ("en", "5.00 USD was refunded separately on 3 March 2026."),
        ("de", "5,00 USD wurden am 3. März 2026 gesondert erstattet."),
    ],
)
def test_the_mail_of_a_cancellation_says_what_was_refunded_separately(language: str, separately: str) -> None:
    desk = paid(language)
    covers = [{"line": 1, "amount": "5.00"}]
    send(desk, "RecordOtherRefund", "2026-03-03T10:00:00Z", amount="5.00", covers=covers)
    send(desk, "CancelLines", "2026-03-04T10:00:00Z", actor="seller", reason="out_of_stock", lines=[1])
    for side in ("b-1", "s-1"):
        last = mails(desk, side)[-1]
        assert last.count(separately) == 1, last


def test_where_nothing_more_goes_back_the_mail_names_what_did() -> None:
    desk = paid()
    covers = [{"line": 1, "amount": "25.00"}]
    send(desk, "RecordOtherRefund", "2026-03-03T10:00:00Z", amount="25.00", covers=covers)
    send(desk, "CancelLines", "2026-03-04T10:00:00Z", actor="seller", reason="out_of_stock", lines=[1])
    last = mails(desk)[-1]
    assert "25.00 USD was refunded separately on 3 March 2026." in last
    assert "will be refunded" not in last and "nothing to refund" not in last


@pytest.mark.parametrize("actor", ["system/fraud-check", "support"])
@pytest.mark.parametrize(("language", "by"), [("en", "canceled by the marketplace"), ("de", "vom Marktplatz")])
def test_a_cancellation_by_a_system_or_support_is_by_the_marketplace(actor: str, language: str, by: str) -> None:
    desk = paid(language)
    rule = {"rule": "standing"} if actor == "support" else {}
    send(desk, "CancelLines", "2026-03-04T10:00:00Z", actor=actor, reason="suspected_fraud", **rule)
    assert by in mails(desk)[-1]
    assert by in mails(desk, "s-1")[-1]


def test_a_refund_that_waits_for_a_chargeback_is_not_said_to_be_on_its_way() -> None:
    desk = paid()
    send(desk, "OpenChargeback", "2026-03-03T10:00:00Z", payment_id="visa", amount="30.00")
    send(desk, "CancelLines", "2026-03-04T10:00:00Z", actor="seller", reason="out_of_stock")
    last = mails(desk)[-1]
    assert "20.00 USD are on their way back to you (refund-1)." in last
    assert "30.00 USD have to wait because your bank has demanded the payment back (refund-1)." in last


def test_a_part_that_is_paid_or_fails_is_named_with_its_own_amount() -> None:
    desk = paid()
    send(desk, "CancelLines", "2026-03-04T10:00:00Z", actor="seller", reason="out_of_stock")
    send(desk, "ConfirmRefund", "2026-03-05T10:00:00Z", refund_id="refund-1", payment_id="gift")
    send(desk, "FailRefund", "2026-03-06T10:00:00Z", refund_id="refund-1", payment_id="visa")
    *_, paid_mail, failed_mail = mails(desk)
    assert "20.00 USD were refunded to you (refund-1)." in paid_mail
    assert "30.00 USD could not be refunded yet (refund-1)." in failed_mail


# ---- receipts --------------------------------------------------------------------------------------------------------

WAITS = {
    "en": "20.00 USD will be refunded to the buyer and 30.00 USD are to be refunded to the buyer and wait for the end "
    "of a chargeback (refund-1, waits for a chargeback).",
    "de": "20,00 USD werden dem Käufer erstattet und 30,00 USD sind dem Käufer zu erstatten und warten auf das Ende "
    "einer Rückbuchung (refund-1, wartet auf eine Rückbuchung).",
}
SETTLED = {
    "en": "20.00 USD were refunded to the buyer and 30.00 USD were refunded to the buyer separately "
    "(refund-1, refunded).",
    "de": "20,00 USD wurden dem Käufer erstattet und 30,00 USD wurden dem Käufer gesondert erstattet "
    "(refund-1, erstattet).",
}


def stated(order: Order, language: str) -> str:
    """The receipt's sentence about the refund of a cancellation of the order."""
    of_commit = {"commit": "ab" * 32, "version": 1, "recorded_at": NOON, "actor": None}
    part = {"line": 1, "quantity": 1, "cause": "seller", "reason": None, "request_id": None}
    history = [
        {**of_commit, "event": "LinesCanceled", "data": {"lines": [part]}},
        {**of_commit, "event": "RefundDue", "data": {"refund_id": "refund-1"}},
    ]
    receipt = receipt_of(order, bytes(32), history, order.recorded_at, [])
    [cancellation] = receipt["cancellations"]
    return ReceiptPage(receipt, pack(language), historical=False).refund(cancellation["refund"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_receipt_says_what_became_of_each_part_of_a_refund(language: str) -> None:
    desk = paid()
    send(desk, "OpenChargeback", "2026-03-03T10:00:00Z", payment_id="visa", amount="30.00")
    send(desk, "CancelLines", "2026-03-04T10:00:00Z", actor="seller", reason="out_of_stock")
    assert stated(desk.history.orders["PO-1"], language) == WAITS[language]
    send(desk, "ConfirmRefund", "2026-03-05T10:00:00Z", refund_id="refund-1", payment_id="gift")
    closed = {"payment_id": "visa", "outcome": "lost", "amount": "30.00"}
    send(desk, "CloseChargeback", "2026-03-06T10:00:00Z", **closed)
    assert stated(desk.history.orders["PO-1"], language) == SETTLED[language]


def test_a_receipt_of_a_withdrawn_refund_says_that_it_is_not_owed() -> None:
    desk = paid()
    send(desk, "CancelLines", "2026-03-04T10:00:00Z", actor="seller", reason="out_of_stock")
    withdrawn = {"refund_id": "refund-1", "rule": "standing", "note": "A mistake."}
    send(desk, "WithdrawRefund", "2026-03-05T10:00:00Z", actor="support", **withdrawn)
    said = stated(desk.history.orders["PO-1"], "en")
    assert said == "The refund of 50.00 USD was withdrawn because it is not owed (refund-1, withdrawn)."
