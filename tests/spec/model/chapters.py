"""Beginnings of stories. Some start late in an order's life, so that its late stages are tested often enough.

Played one after another, each under its policy, the chapters have every kind of command accepted.
"""

from typing import Any, Final

from domain.instants import DAY, HOUR, MINUTE
from tests.spec.model.drawing import HASH, NOTICE

Step = tuple[Any, str, dict[str, Any]]
"""The wait since the previous command, the command, and its fields."""


def at_once(name: str, **fields: Any) -> Step:
    """A minute later."""
    return MINUTE, name, fields


PARCEL: Final = {"carrier": "UPS", "tracking_number": "1Z1"}
SHIPPED: Final = at_once("Ship", shipment_id="s1", **PARCEL)
PARTLY: Final = at_once("Ship", shipment_id="s1", lines=[{"line": 1, "quantity": 1}])
DELIVERED: Final[Step] = (DAY, "Deliver", {})
REQUESTED: Final = at_once("RequestCancel", request_id="r1", reason="other")
CANCELED: Final = at_once("CancelLines", reason="out_of_stock")
FILE: Final = {"kind": "photo", "sha256": HASH, "media_type": "image/png", "size": 9}
ASTRAY: Final = [
    CANCELED,
    at_once("ReportShippedAfterCancel", lines=[1], **PARCEL),
    at_once("NotifyCustomer", text=NOTICE),
    at_once("Acknowledge", accepts_item=True, accepts_rebilling=True),
    at_once("Rebill"),
    at_once("FailRebill", rebill_id="rebill-1"),
    at_once("ConfirmRebill", rebill_id="rebill-1"),
    at_once("IssueCreditMemo", memo_id="m1", rebill_id="rebill-1"),
]
CASE: Final = [
    SHIPPED,
    DELIVERED,
    at_once("OpenCase", case_id="k1", reason="not_as_described", lines=[1]),
    at_once("RequestEvidence", about="k1", kinds=["photo"], until=2 * DAY),
    at_once("AttachEvidence", evidence_id="e1", about="k1", **FILE),
    at_once("DecideCase", case_id="k1", outcome="return", rule="case-reasons"),
    at_once("StartReturn", about="k1"),
    at_once("ReturnReceived", about="k1"),
]
TENDERS: Final = [
    at_once("ConfirmPayment", payment_id="p1", amount="30.00", method="card", state="authorized"),
    at_once("CapturePayment", payment_id="p1", amount="10.00"),
    at_once("ReleasePayment", payment_id="p1"),
    at_once("OpenChargeback", payment_id="p1", amount="5.00"),
    at_once("CloseChargeback", payment_id="p1", outcome="won"),
]
IN_PARTS: Final = [
    SHIPPED,
    DELIVERED,
    at_once("RequestReturn", reason="changed_mind", lines=[1]),
    at_once("WithdrawReturn", about="return-1"),
    at_once("RequestReturn", reason="wrong_item", lines=[1]),
    at_once("ReturnReceived", about="return-2", lines=[{"line": 1, "quantity": 1, "condition": "damaged"}]),
    at_once("CloseReturn", about="return-2", outcome="refund"),
    at_once("WithdrawRefund", refund_id="refund-1", note="a mistake", rule="full-refund"),
]
LOST: Final = [
    SHIPPED,
    at_once("ReportUndelivered", shipment_id="s1", outcome="returned_to_sender", lines=[{"line": 1, "quantity": 1}]),
    at_once("ReportUndelivered", shipment_id="s1", outcome="lost"),
]
DISPUTE: Final = [
    REQUESTED,
    at_once("DeclineCancel", request_id="r1"),
    at_once("OpenDispute", dispute_id="d1", about="r1"),
    at_once("EscalateDispute", dispute_id="d1", ticket="T-1"),
    at_once("DecideDispute", dispute_id="d1", outcome="deny", rule="seller-has-final-say"),
    at_once("AppealDispute", dispute_id="d1"),
    at_once("DecideDispute", dispute_id="d1", outcome="grant", rule="seller-has-final-say"),
]
CHAPTERS: Final[list[tuple[str, list[Step]]]] = [
    ("seller-portal", []),
    (
        "seller-portal",
        [
            at_once("ConfirmNotice", notice_id="told-1-buyer"),
            at_once("FailNotice", notice_id="told-1-buyer"),
            at_once("RecordContact", contact_id="o1", channel="phone"),
            at_once("SendMessage", message_id="x1", to="seller", text="Please cancel it."),
            at_once("ReviseShipBy", ship_by="2026-04-02T10:00:00Z"),
            at_once("StartFulfilment"),
            at_once("Ship", shipment_id="s1"),
            at_once("VoidShipment", shipment_id="s1", note="a mistake"),
            at_once("StartTracking", **PARCEL),
            at_once("TrackingMoved", **PARCEL),
            DELIVERED,
        ],
    ),
    ("general-store", TENDERS),
    ("big-box", IN_PARTS),
    ("big-box", LOST),
    (
        "general-store",
        [
            REQUESTED,
            at_once("TakeAlternative", request_id="r1", kind="wait"),
            at_once("RequestCancel", request_id="r2", reason="other"),
            at_once("DeclineAlternatives", request_id="r2"),
            at_once("ConfirmPayment", amount="0.01"),
            at_once("FailRefund", refund_id="refund-1"),
            at_once("ConfirmRefund", refund_id="refund-1"),
        ],
    ),
    ("general-store", [SHIPPED, DELIVERED, at_once("RequestReturn", reason="changed_mind", lines=[1])]),
    (
        "mutual-consent",
        [SHIPPED, REQUESTED, at_once("AcceptReturn", about="r1"), (HOUR, "Deliver", {"shipment_id": "return-1"})],
    ),
    ("mutual-consent", [REQUESTED, at_once("WithdrawCancel", request_id="r1")]),
    ("peer-to-peer", [at_once("RecordOtherRefund", amount="0.50"), (8 * DAY, "RequestCancel", {"request_id": "r1"})]),
    ("seller-portal", [REQUESTED, at_once("ApproveCancel", request_id="r1")]),
    ("peer-to-peer", [(4 * HOUR, "RequestCancel", {"request_id": "r1"}), at_once("ApproveCancel", request_id="r1")]),
    ("lost-parcels", [SHIPPED, (8 * DAY, "RequestCancel", {"request_id": "r1", "reason": "other"})]),
    (
        "seller-portal",
        [
            at_once("PlaceLegalHold", subject="b-1", hold_id="h1"),
            at_once("ReleaseLegalHold", subject="b-1", hold_id="h1"),
            at_once("EraseSubject", subject="b-1"),
        ],
    ),
    ("seller-portal", ASTRAY[:3]),
    ("general-store", ASTRAY[:5]),
    ("general-store", ASTRAY),
    ("mutual-consent", CASE[:4]),
    ("peer-to-peer", CASE),
    ("mutual-consent", [SHIPPED, *DISPUTE[:3]]),
    ("open-court", DISPUTE),
    (
        "mutual-consent",
        [
            at_once("SendMessage", message_id="x1", to="seller", text="Please cancel it."),
            at_once("RequestCancel", request_id="r1", reason="other", lines=[1]),
            at_once("DeclineCancel", request_id="r1"),
            at_once("OpenDispute", dispute_id="d1", about="r1"),
            at_once("OpenDispute", dispute_id="d2", about="x1"),
            at_once("DecideDispute", dispute_id="d1", outcome="deny", rule="seller-has-final-say"),
            at_once("OpenDispute", dispute_id="d2", about="x1"),
            at_once("DecideDispute", dispute_id="d2", outcome="grant", rule="seller-has-final-say"),
        ],
    ),
    (
        "mutual-consent",
        [
            REQUESTED,
            at_once("DeclineCancel", request_id="r1"),
            *CASE[:3],
            at_once("OpenDispute", dispute_id="d1", about="r1"),
            at_once("RequestReturn", reason="changed_mind", lines=[1]),
            at_once("AcceptReturn", about="k1"),
            at_once("OpenDispute", dispute_id="d1", about="r1"),
            at_once("DecideDispute", dispute_id="d1", outcome="grant", rule="seller-has-final-say"),
        ],
    ),
    ("everything-store", [PARTLY]),
    ("mutual-consent", [PARTLY, (DAY, "RequestCancel", {"request_id": "r1", "reason": "other", "lines": [1]})]),
    ("open-court", [REQUESTED, PARTLY]),
    ("everything-store", [REQUESTED, (3 * DAY, "Ship", {"shipment_id": "s1", "lines": [{"line": 1, "quantity": 1}]})]),
]
