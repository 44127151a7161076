"""A history with something for every table, and views filled from it."""

from typing import Final

from consumers.ports.views import Views
from consumers.projection.projector import Part, Projector
from tests.spec.projections.histories import History, control_log


def history() -> History:
    """Thirteen orders over two partitions: some shipped in part, some asked to be cancelled, one spoken about, one
    billed again, one with a case, one in dispute, one with two payments, a fee, a lost parcel and a chargeback."""
    made = History(partitions=2)
    for n in range(12):
        policy = "mutual-consent" if n == 11 else "peer-to-peer" if n % 3 else "seller-portal"
        made.place(f"PO-{n}", policy=policy, ship_by="2026-03-09T00:00:00Z")
    for n in range(0, 12, 2):
        made.send("Ship", f"PO-{n}", actor="seller", shipment_id="asn-1", lines=[{"line": 1, "quantity": 3}])
    for n in range(1, 12, 2):
        request = {"actor": "buyer", "request_id": "r1", "reason": "changed_mind"}
        made.send("RequestCancel", f"PO-{n}", at=f"2026-03-02T1{n % 4 + 3}:00:00Z", **request)
    made.send("SendMessage", "PO-1", "2026-03-02T20:00:00Z", actor="buyer", message_id="m1", to="seller", text="Hello?")
    _rebilled(made, "PO-6")
    _with_a_case(made, "PO-10")
    _in_dispute(made, "PO-11")
    _with_tenders(made, "PO-12")
    return made


def _rebilled(made: History, order_id: str) -> None:
    parcel = {"carrier": "UPS", "tracking_number": "1Z9"}
    found = {"actor": "seller", "lines": [1], **parcel}
    made.send("ReportShippedAfterCancel", order_id, "2026-03-03T10:00:00Z", **found)
    text = "It shipped although it was cancelled, with UPS 1Z9. You would be billed again."
    made.send("NotifyCustomer", order_id, "2026-03-03T11:00:00Z", actor="seller", text=text)
    answer = {"actor": "buyer", "accepts_item": True, "accepts_rebilling": True}
    made.send("Acknowledge", order_id, "2026-03-03T12:00:00Z", **answer)
    made.send("Rebill", order_id, "2026-03-03T13:00:00Z", actor="support")
    made.send("ConfirmRebill", order_id, "2026-03-03T14:00:00Z", rebill_id="rebill-1")
    memo = {"actor": "support", "memo_id": "memo-a", "rebill_id": "rebill-1"}
    assert made.send("IssueCreditMemo", order_id, "2026-03-03T15:00:00Z", **memo).refused is None


PHOTO: Final = {"kind": "photo", "sha256": "ab" * 32, "media_type": "image/png", "size": 9, "origin": "own_photo"}


def _with_a_case(made: History, order_id: str) -> None:
    made.send("Deliver", order_id, "2026-03-04T10:00:00Z")
    case = {"actor": "buyer", "case_id": "case-a", "reason": "wrong_item", "lines": [1]}
    made.send("OpenCase", order_id, "2026-03-04T12:00:00Z", **case)
    made.send(
        "AttachEvidence", order_id, "2026-03-04T12:30:00Z", actor="buyer", evidence_id="e1", about="case-a", **PHOTO
    )
    decided = {"actor": "support", "case_id": "case-a", "outcome": "return", "rule": "case-reasons"}
    assert made.send("DecideCase", order_id, "2026-03-05T10:00:00Z", **decided).refused is None


def _in_dispute(made: History, order_id: str) -> None:
    made.send("DeclineCancel", order_id, "2026-03-03T10:00:00Z", actor="seller", request_id="r1")
    dispute = {"actor": "buyer", "dispute_id": "d1", "about": "r1"}
    assert made.send("OpenDispute", order_id, "2026-03-04T10:00:00Z", **dispute).refused is None


def _with_tenders(made: History, order_id: str) -> None:
    """Two lines of 2 × 10.00, shipping and a fee: 45.00, by gift card and card. The parcel of line 1 is lost."""
    lines = [
        {"line": 1, "sku": "A-1", "quantity": 2, "unit_price": "10.00", "shipping": "1.00"},
        {"line": 2, "sku": "A-2", "quantity": 2, "unit_price": "10.00"},
    ]
    fees = [{"fee_id": "gift-wrap", "title": "Gift wrapping", "amount": "4.00", "refundable": "with-order"}]
    made.place(order_id, paid=False, policy="general-store", lines=lines, fees=fees)
    for payment_id, method, amount in (("gift", "gift_card", "15.00"), ("visa", "card", "30.00")):
        payment = {"payment_id": payment_id, "method": method, "amount": amount}
        made.send("ConfirmPayment", order_id, "2026-03-02T10:01:00Z", **payment)
    covers = [{"line": 2, "amount": "2.00"}]
    other = {"other_refund_id": "goodwill", "amount": "3.00", "payment_id": "gift", "covers": covers}
    made.send("RecordOtherRefund", order_id, "2026-03-02T11:00:00Z", **other)
    made.send("Ship", order_id, "2026-03-02T12:00:00Z", actor="seller", shipment_id="asn-1")
    made.send("OpenChargeback", order_id, "2026-03-03T10:00:00Z", payment_id="visa", amount="30.00")
    lost = {"actor": "seller", "shipment_id": "asn-1", "outcome": "lost", "lines": [1]}
    assert made.send("ReportUndelivered", order_id, "2026-03-04T10:00:00Z", **lost).refused is None


def parts(made: History) -> list[Part]:
    """Both partitions, and the control log."""
    logs = [Part("journal", log.partition, log.state) for log in made.logs]
    return [*logs, Part("control", 0, control_log().state)]


def project(made: History, views: Views, limit: int = 1000) -> None:
    """Everything that there is."""
    for part in parts(made):
        projector = Projector(part.log, part.partition, part.source, views)
        while projector.advance(limit):
            pass
