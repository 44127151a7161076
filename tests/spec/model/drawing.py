"""Strategies for the fields of every kind of command, drawn from few values, so that references often exist."""

from typing import Any, Final

from hypothesis import strategies as st

from domain.instants import DAY, HOUR, MINUTE

Fields = dict[str, Any]
CARRIER: Final = "UPS"
HASH: Final = "ab" * 32


def one(*of: Any) -> st.SearchStrategy[Any]:
    """One of these; the first is drawn most."""
    return st.sampled_from([of[0], of[0], *of])


def fields(**drawn: Any) -> st.SearchStrategy[Fields]:
    """Fields with values, or with strategies for them; None leaves a field out."""
    fixed = {k: v for k, v in drawn.items() if not isinstance(v, st.SearchStrategy)}
    names = [k for k in drawn if k not in fixed]

    def together(found: tuple[Any, ...]) -> Fields:
        return {**fixed, **{k: v for k, v in zip(names, found, strict=True) if v is not None}}

    return st.tuples(*(drawn[k] for k in names)).map(together)


quantities = st.builds(lambda n, q: {"line": n, "quantity": q}, one(1, 2, 3), one(1, 2, 3))
picks = st.lists(
    st.one_of(one(1, 2, 3), quantities),
    min_size=1,
    max_size=2,
    unique_by=lambda p: p if isinstance(p, int) else p["line"],
)
every = st.one_of(st.none(), picks)
numbers = one("1Z1", "1Z2", "1Z3")
refs = {name: one(*(f"{name}{n}" for n in (1, 2, 3))) for name in ("r", "s", "k", "d", "x", "e", "m", "o", "h")}
refunds, returns, rebills = (one(*(f"{kind}-{n}" for n in (1, 2, 3))) for kind in ("refund", "return", "rebill"))
payments = one("payment-1", "p1", "p2", "c2")
request = refs["r"]
reasons = one("other", "changed_mind", "out_of_stock", None)
ago = one(None, None, 1, HOUR, 2 * DAY, -1)
"""Age of an occurrence when it is reported, in microseconds; -1: in the future, which is malformed."""
about = st.one_of(request, refs["k"], refs["d"], returns, refs["x"], st.just("rebill"))
rule = one("shipped-lock", "shipped-lock", "shipped-lock", None)
parcel = fields(carrier=CARRIER, tracking_number=numbers, shipment_id=st.none() | refs["s"], lines=every, ago=ago)
NOTICE: Final = "It was cancelled but left with UPS, number 1Z1, or 1Z2, or 1Z3. You would be billed again."
LINK: Final = "Left with UPS, number 1Z1, see https://ups.example/1Z1"

FIELDS: Final[dict[str, st.SearchStrategy[Fields]]] = {
    "ConfirmPayment": fields(
        amount=one("10.00", "1.00", "33.33", "77.00"),
        payment_id=one(None, None, "p1", "p2", "payment-1"),
        method=one(None, "card", "gift_card"),
        state=one(None, "captured", "authorized"),
        ago=ago,
    ),
    "CapturePayment": fields(payment_id=payments, amount=one(None, "1.00", "10.00", "33.33")),
    "ReleasePayment": fields(payment_id=payments, amount=one(None, None, "10.00", "33.33")),
    "RecordOtherRefund": fields(
        amount=one("0.50", "10.00", "40.00"),
        other_refund_id=one(None, None, "z1"),
        payment_id=one(None, None, "payment-1", "p1"),
        covers=one(None, [{"line": 1, "amount": "0.50"}], [{"shipping": "0.30"}, {"fee_id": "f1", "amount": "0.20"}]),
    )
    | fields(amount=one("10.00", "20.00", "25.01"), refund_id=refunds),
    "WithdrawRefund": fields(refund_id=refunds, note="a mistake", rule=rule),
    "OpenChargeback": fields(payment_id=payments, amount=one("1.00", "10.00", "33.33")),
    "CloseChargeback": fields(payment_id=payments, outcome=one("won", "lost"), amount=one(None, None, "1.00", "10.00")),
    "WithdrawReturn": fields(about=returns | refs["k"]),
    "CloseReturn": fields(about=returns | refs["k"], outcome=one("refund", "no_refund"), rule=rule),
    "ReportUndelivered": fields(
        shipment_id=refs["s"],
        outcome=one("lost", "damaged_in_transit", "returned_to_sender", "refused"),
        lines=every,
        refund_now=one(None, True),
    ),
    "SendMessage": fields(
        message_id=one("x1", "x2", "r2"), to="seller", text=one("Please cancel it.", "Hello?"), ago=ago
    ),
    "RecordContact": fields(contact_id=refs["o"], channel="phone", ticket=one("T-1", None), ago=ago),
    "RequestCancel": fields(request_id=request, lines=every, reason=reasons),
    "CancelLines": fields(lines=every, reason=reasons, rule=rule),
    "ApproveCancel": fields(request_id=request, rule=rule, refund_now=one(None, True)),
    "DeclineCancel": fields(request_id=request, rule=rule),
    "WithdrawCancel": fields(request_id=request),
    "TakeAlternative": fields(request_id=st.none() | request, kind=one("wait", "credit", None)),
    "DeclineAlternatives": fields(request_id=st.none() | request),
    "StartFulfilment": fields(lines=every, stage=one("picking", "label"), ago=ago),
    "StartTracking": parcel,
    "TrackingMoved": parcel,
    "Ship": fields(shipment_id=refs["s"], lines=every, ago=ago)
    | fields(shipment_id=refs["s"], lines=every, carrier=CARRIER, tracking_number=numbers, ago=ago),
    "VoidShipment": fields(shipment_id=refs["s"], note="a mistake"),
    "ReviseShipBy": fields(ship_by=one("2026-04-02T10:00:00Z", "2026-03-26T10:00:00Z", "2026-04-20T10:00:00Z")),
    "Deliver": fields(shipment_id=st.none() | refs["s"] | returns | numbers, ago=ago),
    "ConfirmRefund": fields(refund_id=refunds, payment_id=one(None, None, "payment-1", "p1")),
    "FailRefund": fields(refund_id=refunds, payment_id=one(None, None, "payment-1", "p1")),
    "ConfirmNotice": fields(notice_id=one("notice-1", "notice-2", "told-1-buyer", "nobody")),
    "FailNotice": fields(notice_id=one("notice-1", "notice-2", "told-1-buyer", "nobody")),
    "ReportShippedAfterCancel": fields(carrier=CARRIER, tracking_number=numbers, lines=picks),
    "NotifyCustomer": fields(text=one(NOTICE, NOTICE, LINK, "It left with UPS, number 1Z1.")),
    "Acknowledge": fields(
        accepts_item=one(True, False), accepts_rebilling=one(True, False), evidence=one(None, ["e1"], ["e1", "e2"])
    ),
    "AttachEvidence": fields(
        evidence_id=refs["e"],
        about=about,
        kind=one("photo", "receipt"),
        sha256=HASH,
        media_type="image/png",
        size=one(9, 1_750_000, 1_750_001),
    ),
    "Rebill": fields(lines=every),
    "ConfirmRebill": fields(rebill_id=rebills),
    "FailRebill": fields(rebill_id=rebills),
    "IssueCreditMemo": fields(memo_id=refs["m"], rebill_id=rebills),
    "OpenCase": fields(case_id=refs["k"], reason=one("not_as_described", "wrong_item", "changed_mind"), lines=picks),
    "RequestEvidence": fields(
        about=refs["k"] | refs["d"], kinds=one(["photo"], ["photo", "receipt"]), until=one(2 * DAY, 9 * DAY, 0)
    ),
    "AcceptReturn": fields(about=refs["k"] | returns | request, refund_now=one(None, True)),
    "DecideCase": fields(case_id=refs["k"], outcome=one("return", "deny"), rule=rule),
    "RequestReturn": fields(reason=one("changed_mind", "does_not_fit", "wrong_item"), lines=picks),
    "StartReturn": fields(about=about, ago=ago),
    "ReturnReceived": fields(about=returns | refs["k"] | request, condition=one("sellable", "damaged", None), ago=ago)
    | fields(
        about=returns | refs["k"],
        lines=st.lists(
            st.builds(
                lambda n, q, how: {"line": n, "quantity": q, "condition": how},
                one(1, 2, 3),
                one(1, 2),
                one("sellable", "damaged"),
            ),
            min_size=1,
            max_size=2,
        ),
    ),
    "OpenDispute": fields(dispute_id=refs["d"], about=one("r1", "r2", "r3", "x1")),
    "EscalateDispute": fields(dispute_id=refs["d"], ticket="T-1"),
    "DecideDispute": fields(dispute_id=refs["d"], outcome=one("grant", "deny", "return"), rule=rule),
    "AppealDispute": fields(dispute_id=refs["d"]),
    "ReachDeadline": fields(deadline_id=one("decide-1", "unpaid-1", "acknowledge-1", "nothing-1")),
    "EraseSubject": fields(subject=one("b-1", "b-2")),
    "PlaceLegalHold": fields(subject=one("b-1", "b-2"), hold_id=refs["h"]),
    "ReleaseLegalHold": fields(subject=one("b-1", "b-2"), hold_id=refs["h"]),
}
"""Every kind of command but the placing of the order."""

USUALLY: Final = {
    **dict.fromkeys((
        "RequestCancel", "WithdrawCancel", "TakeAlternative", "DeclineAlternatives", "SendMessage", "Acknowledge",
        "AttachEvidence", "OpenCase", "RequestReturn", "OpenDispute", "EscalateDispute", "AppealDispute",
        "WithdrawReturn",
    ), "buyer"),
    **dict.fromkeys((
        "RecordOtherRefund", "RecordContact", "VoidShipment", "Rebill", "IssueCreditMemo", "RequestEvidence",
        "DecideCase", "DecideDispute", "EraseSubject", "PlaceLegalHold", "ReleaseLegalHold", "WithdrawRefund",
    ), "support"),
    **dict.fromkeys((
        "PlaceOrder", "ConfirmPayment", "Deliver", "ConfirmRefund", "FailRefund", "ConfirmNotice", "FailNotice",
        "ConfirmRebill", "FailRebill", "ReachDeadline", "CapturePayment", "ReleasePayment", "OpenChargeback",
        "CloseChargeback",
    ), "system"),
}  # fmt: skip
"""The usual sender of each command; else the seller."""
speakers = st.sampled_from([None] * 9 + ["buyer", "seller", "support", "system", "stranger"])
"""None: the usual sender, who is permitted."""

waits = st.sampled_from(
    [
        0,
        1,
        MINUTE,
        MINUTE,
        HOUR,
        HOUR,
        3 * HOUR,
        20 * HOUR,
        DAY,
        3 * DAY,
        8 * DAY,
        "due",
        "past due",
        "turn",
        "past turn",
    ]
)
"""The time since the previous command; or until the next deadline or window's end, or just past it."""

line = st.fixed_dictionaries(
    {
        "quantity": one(2, 1, 3, 4),
        "unit_price": one("10.00", "3.34", "25.01", "0.00"),
        "tax": one("0.00", "0.07", "1.00"),
        "discount": one("0.00", "0.00", "0.33"),
        "shipping": one("0.00", "0.00", "1.01"),
        "shipping_tax": one("0.00", "0.00", "0.10"),
    }
)


def _affordable(order: Fields) -> Fields:
    """A discount on nothing is malformed."""
    free = all(row["unit_price"] == "0.00" for row in order["lines"])
    return {k: v for k, v in order.items() if k != "discount" or not free}


orders = fields(
    discount=one(None, None, "0.99"),
    lines=st.lists(line, min_size=1, max_size=3).map(
        lambda rows: [
            {**x, "line": n + 1, "sku": f"A-{n}", "discount": "0.00" if x["unit_price"] == "0.00" else x["discount"]}
            for n, x in enumerate(rows)
        ]
    ),
    fees=one(None, None, [{"fee_id": "f1", "amount": "2.01", "tax": "0.20", "refundable": "with-order"}]),
    shipping=one("0.00", "4.99"),
    shipping_tax=one("0.00", "0.95"),
    rounding=one("0.00", "0.00", "0.03"),
    paid=one(True, True, False),
    tax_included=one(False, True),
    sale_format=one("fixed", "offer", "auction"),
    ship_by=one(None, "2026-03-27T17:00:00Z"),
    pay_by=one(None, None, "2026-03-28T17:00:00Z"),
    timezone=one("UTC", "Europe/Berlin"),
).map(_affordable)
