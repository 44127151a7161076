"""Commands of an import: the history of marketplace acme, for which docs/how-to/ask-the-tables.md shows answers."""

from typing import Any, Final

Body = dict[str, Any]

NOW: Final = "2026-03-16T10:00:00Z"
"""The instant as of which the page shows its answers."""
BUYER, SELLER, SUPPORT = "buyer", "seller", "support"


class Story:
    """Commands, one after another."""

    def __init__(self) -> None:
        self.commands: list[Body] = []
        self._sellers: dict[str, str] = {}

    def add(self, command: str, order_id: str, at: str, actor: str = "system", **fields: Any) -> None:
        """``at``: day and time in March 2026, like ``02 10:00``."""
        ids = {BUYER: f"b-{order_id}", SELLER: self._sellers.get(order_id, ""), SUPPORT: "desk", "system": "shop"}
        day, clock = at.split()
        self.commands.append(
            {
                "command": command,
                "command_id": f"acme-{len(self.commands) + 1}",
                "marketplace": "acme",
                "order_id": order_id,
                "at": f"2026-03-{day}T{clock}:00Z",
                "actor": {"kind": actor, "id": ids[actor]},
                **fields,
            }
        )

    def place(self, order_id: str, at: str, seller: str, policy: str, **fields: Any) -> None:
        self._sellers[order_id] = seller
        terms = {"currency": "USD", "lines": [line(1, 1, "25.00")], **fields}
        self.add("PlaceOrder", order_id, at, buyer_id=f"b-{order_id}", seller_id=seller, policy=policy, **terms)

    def request(self, order_id: str, at: str) -> None:
        self.add("RequestCancel", order_id, at, BUYER, request_id="r1", reason="changed_mind")


def line(number: int, quantity: int, price: str) -> Body:
    return {"line": number, "sku": f"A-{number}", "quantity": quantity, "unit_price": price}


def commands() -> list[Body]:
    """Two sellers, fourteen days: something for each of the ten questions."""
    story = Story()
    _requests(story)
    _money(story)
    _tenders(story)
    _shipments(story)
    _disputes(story)
    _rebilled(story)
    return sorted(story.commands, key=lambda command: command["at"])


def _requests(story: Story) -> None:
    for number, (seller, requested, decision, decided) in enumerate(
        [
            ("s-lamps", "02 12:00", "ApproveCancel", "02 13:00"),
            ("s-lamps", "02 12:00", "ApproveCancel", "02 15:30"),
            ("s-lamps", "03 12:00", "DeclineCancel", "04 09:00"),
            ("s-rugs", "03 12:00", "ApproveCancel", "03 12:20"),
            ("s-rugs", "04 12:00", "DeclineCancel", "05 18:00"),
        ],
        1,
    ):
        order_id = f"ask-{number}"
        story.place(order_id, "02 10:00", seller, "everything-store")
        story.request(order_id, requested)
        story.add(decision, order_id, decided, SELLER, request_id="r1")
    story.place("ask-6", "10 10:00", "s-rugs", "everything-store")
    story.request("ask-6", "10 12:00")
    story.place("ask-7", "15 10:00", "s-rugs", "everything-store")
    story.request("ask-7", "15 12:00")


def _money(story: Story) -> None:
    story.place("gone-1", "05 10:00", "s-lamps", "everything-store")
    story.add("CancelLines", "gone-1", "06 10:00", SELLER, reason="out_of_stock")
    story.add("ConfirmRefund", "gone-1", "07 10:00", refund_id="refund-1")
    story.place("gone-2", "05 11:00", "s-lamps", "everything-store")
    story.add("CancelLines", "gone-2", "06 11:00", SELLER, reason="pricing_error")
    story.add("FailRefund", "gone-2", "08 10:00", refund_id="refund-1")
    story.place("gone-3", "15 09:00", "s-lamps", "everything-store")
    story.add("CancelLines", "gone-3", "15 10:00", SELLER, reason="out_of_stock")
    story.place("short-1", "05 10:00", "s-lamps", "seller-portal", lines=[line(1, 10, "10.00")])
    story.add("Ship", "short-1", "06 10:00", SELLER, shipment_id="asn-1", lines=[{"line": 1, "quantity": 3}])
    story.add("Ship", "short-1", "06 12:00", SELLER, shipment_id="asn-2", lines=[{"line": 1, "quantity": 1}])
    yen = [line(1, 4, "1500"), line(2, 1, "900")]
    story.place("short-2", "09 10:00", "s-rugs", "seller-portal", currency="JPY", lines=yen)
    story.add("Ship", "short-2", "14 10:00", SELLER, shipment_id="asn-1", lines=[{"line": 1, "quantity": 1}])


def _tenders(story: Story) -> None:
    """Orders paid by card and gift card, and canceled: a part of the refund is confirmed, waits, was settled elsewhere
    or was withdrawn."""
    for number in range(1, 7):
        order_id = f"card-{number}"
        story.place(order_id, "10 10:00", "s-lamps", "seller-portal", paid=False, lines=[line(1, 1, "50.00")])
        for payment_id, method, amount in (("p-1", "card", "30.00"), ("p-2", "gift_card", "20.00")):
            payment = {"payment_id": payment_id, "method": method, "amount": amount}
            story.add("ConfirmPayment", order_id, "10 11:00", **payment)
        if number in (2, 3, 4):
            story.add("OpenChargeback", order_id, "11 10:00", payment_id="p-1", amount="30.00")
        story.add("CancelLines", order_id, "12 09:00", SELLER, reason="out_of_stock")
    gift_card = {"refund_id": "refund-1", "payment_id": "p-2"}
    for number in (1, 2):
        story.add("ConfirmRefund", f"card-{number}", "12 10:00", **gift_card)
    story.add("CloseChargeback", "card-4", "12 11:00", payment_id="p-1", outcome="lost", amount="10.00")
    story.add("RecordOtherRefund", "card-5", "12 12:00", amount="50.00", refund_id="refund-1")
    withdrawn = {"refund_id": "refund-1", "rule": "seller-has-final-say", "note": "It was paid twice."}
    story.add("WithdrawRefund", "card-6", "12 12:00", SUPPORT, **withdrawn)


def _shipments(story: Story) -> None:
    two = [line(1, 1, "5.00"), line(2, 1, "7.00")]
    story.place("late-1", "02 10:00", "s-rugs", "general-store", ship_by="2026-03-04T00:00:00Z", lines=two)
    story.add("Ship", "late-1", "05 10:00", SELLER, shipment_id="asn-1", lines=[1])
    story.add("ReviseShipBy", "late-1", "05 11:00", SELLER, ship_by="2026-03-09T00:00:00Z")
    story.add("TakeAlternative", "late-1", "05 12:00", BUYER)
    story.add("Ship", "late-1", "06 10:00", SELLER, shipment_id="asn-2", lines=[2])
    story.add("Deliver", "late-1", "08 10:00")
    story.place("late-2", "02 10:00", "s-lamps", "general-store", ship_by="2026-03-04T00:00:00Z")
    story.add("Ship", "late-2", "03 10:00", SELLER, shipment_id="asn-1")
    story.place("late-3", "02 10:00", "s-lamps", "general-store", ship_by="2026-03-04T00:00:00Z")
    story.add("Ship", "late-3", "05 10:00", SELLER, shipment_id="asn-1")
    story.add("VoidShipment", "late-3", "05 11:00", SUPPORT, shipment_id="asn-1", note="It never left.")


def _disputes(story: Story) -> None:
    for number, outcome in enumerate(("grant", "deny", "deny"), 1):
        order_id = f"disputed-{number}"
        story.place(order_id, "02 10:00", "s-rugs", "mutual-consent")
        story.request(order_id, "02 11:00")
        story.add("DeclineCancel", order_id, "03 10:00", SELLER, request_id="r1")
        story.add("OpenDispute", order_id, "04 10:00", BUYER, dispute_id="d1", about="r1")
        story.add("EscalateDispute", order_id, "04 11:00", BUYER, dispute_id="d1", ticket="T-1")
        decided = {"dispute_id": "d1", "outcome": outcome, "rule": "seller-has-final-say"}
        story.add("DecideDispute", order_id, "05 10:00", SUPPORT, **decided)


def _rebilled(story: Story) -> None:
    text = "It was canceled and left by UPS {} all the same. You would be billed again."
    steps: list[tuple[str, str, str, Body]] = [
        ("Acknowledge", "11 12:00", BUYER, {"accepts_item": True, "accepts_rebilling": True}),
        ("Rebill", "11 13:00", SUPPORT, {}),
        ("ConfirmRebill", "11 14:00", "system", {"rebill_id": "rebill-1"}),
        ("IssueCreditMemo", "11 15:00", SUPPORT, {"memo_id": "memo-1", "rebill_id": "rebill-1"}),
    ]
    for number, taken in enumerate((0, 2, 2, 4), 1):
        order_id = f"left-{number}"
        story.place(order_id, "09 10:00", "s-lamps", "seller-portal", lines=[line(1, 2, "40.00")])
        story.add("Ship", order_id, "10 10:00", SELLER, shipment_id="asn-1", lines=[{"line": 1, "quantity": 1}])
        parcel = {"carrier": "UPS", "tracking_number": f"1Z{number}"}
        story.add("ReportShippedAfterCancel", order_id, "11 10:00", SELLER, lines=[1], **parcel)
        story.add("NotifyCustomer", order_id, "11 11:00", SELLER, text=text.format(parcel["tracking_number"]))
        for command, at, actor, fields in steps[:taken]:
            story.add(command, order_id, at, actor, **fields)
