"""Commands for orders with random histories: many of them are refused, and few orders go the usual way."""

from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Final

from domain.instants import DAY, MINUTE, Instant, format_instant, parse_instant
from domain.presets import NAMES

Row = dict[str, Any]
START: Final = parse_instant("2026-02-02T09:00:00Z")
SYSTEM = {"kind": "system", "id": "checkout"}
SUPPORT = {"kind": "support", "id": "desk"}
BUYER = {"kind": "buyer", "id": "b-1"}
SELLER = {"kind": "seller", "id": "s-1"}
PAUSES: Final = (1, 5, 30, 90, 600, 1_500, 3_000, 6_000, 12_000)
"""Minutes between two commands."""


def random_orders(seed: int, count: int) -> Iterator[Row]:
    """The commands of so many orders, order after order."""
    for number in range(count):
        yield from _RandomOrder(Random(f"{seed} {number}"), NAMES[number % len(NAMES)], f"R-{seed}-{number}").rows()


class _RandomOrder:
    def __init__(self, random: Random, policy: str, order_id: str) -> None:
        self._random = random
        self._policy = policy
        self._order_id = order_id
        self._now: Instant = START + random.randint(0, 30) * DAY + random.randint(0, 600) * MINUTE
        self._count = 0
        self._lines = {n: random.randint(1, 4) for n in range(1, random.randint(1, 3) + 1)}
        self._ids: dict[str, list[str]] = {kind: [] for kind in ("r", "s", "c", "d", "p")}

    def rows(self) -> Iterator[Row]:
        tenders = self._random.random() < 0.4
        yield self._place(paid=not tenders and self._random.random() > 0.3)
        if tenders:
            yield from self._pay_twice()
            if self._random.random() < 0.2:
                yield from self._charged_back()
        steps = self._steps()
        names = [*steps, *("req", "req", "ship", "ship", "deliver", "deliver")]
        if tenders:
            names += [
                "chargeback",
                "by_us",
                "cancel",
                "part_paid",
                "part_paid",
                "lost_to_bank",
                "parcel",
                "by_hand",
            ] * 3
        for _ in range(self._random.randint(3, 16)):
            self._now += self._random.choice(PAUSES) * MINUTE
            yield steps[self._random.choice(names)]()

    def _row(self, command: str, actor: Row, **fields: Any) -> Row:
        self._count += 1
        return {
            "command": command,
            "command_id": f"{self._order_id}.{self._count}",
            "marketplace": "acme",
            "order_id": self._order_id,
            "at": format_instant(self._now),
            "actor": actor,
            **fields,
        }

    def _pay_twice(self) -> Iterator[Row]:
        """Pay 10.00 by card and the rest by gift card."""
        rest = 10 * sum(self._lines.values()) - 10
        for method, amount in (("card", 10), ("gift_card", rest)):
            if amount:
                payment = {"payment_id": self._new("p"), "method": method, "amount": str(amount)}
                yield self._row("ConfirmPayment", SYSTEM, **payment)

    def _charged_back(self) -> Iterator[Row]:
        """Cancel the order while a chargeback of the card is open, of which the bank then takes half."""
        card = {"payment_id": self._ids["p"][0]}
        yield self._row("OpenChargeback", SYSTEM, amount="10", **card)
        yield self._row("CancelLines", SELLER, reason="out_of_stock")
        yield self._row("CloseChargeback", SYSTEM, outcome="lost", amount="5", **card)

    def _place(self, *, paid: bool) -> Row:
        random, more = self._random, {}
        if random.random() < 0.3:
            more["ship_by"] = format_instant(self._now + random.randint(1, 5) * DAY)
        if random.random() < 0.2:
            more["sale_format"] = random.choice(["offer", "auction"])
        lines = [
            {"line": n, "sku": f"A-{n}", "quantity": units, "unit_price": "10"} for n, units in self._lines.items()
        ]
        parties = {"buyer_id": "b-1", "seller_id": "s-1", "currency": "USD", "policy": self._policy}
        return self._row("PlaceOrder", SYSTEM, **parties, paid=paid, lines=lines, **more)

    def _new(self, kind: str) -> str:
        self._ids[kind].append(f"{kind}{self._count}")
        return self._ids[kind][-1]

    def _known(self, *kinds: str) -> str:
        return self._random.choice([each for kind in kinds for each in self._ids[kind]] or ["none"])

    def _some(self, always: bool = False) -> Row:
        """Lines of the order; none where all are meant, unless ``always``."""
        random = self._random
        if random.random() < 0.3:
            return {"lines": list(self._lines)} if always else {}
        numbers = random.sample(list(self._lines), random.randint(1, len(self._lines)))
        of_line: Callable[[int], Any] = lambda n: {"line": n, "quantity": random.randint(1, self._lines[n])}  # noqa: E731
        return {"lines": [of_line(n) if random.random() < 0.6 else n for n in numbers]}

    def _steps(self) -> dict[str, Callable[[], Row]]:
        row, some, known, new, random = self._row, self._some, self._known, self._new, self._random
        rule = {"rule": "seller-has-final-say"}
        anybody: Callable[[], Row] = lambda: random.choice([BUYER, SELLER])  # noqa: E731
        parcel = {"carrier": "UPS", "tracking_number": "1Z9"}
        photo = {"kind": "photo", "sha256": "ab" * 32, "media_type": "image/png", "size": 3}
        faulty: Callable[[], str] = lambda: random.choice(["changed_mind", "not_as_described"])  # noqa: E731
        back: Callable[[], str] = lambda: random.choice([known("c", "r"), "return-1"])  # noqa: E731
        payment: Callable[[], str] = lambda: random.choice(["payment-1", *self._ids["p"]])  # noqa: E731
        refund: Callable[[], str] = lambda: f"refund-{random.randint(1, 2)}"  # noqa: E731
        some_money: Callable[[], str] = lambda: random.choice(["5", "10", "20", "30", "40"])  # noqa: E731
        tender: Callable[[], Row] = lambda: {  # noqa: E731
            "payment_id": new("p"),
            "method": random.choice(["card", "gift_card"]),
            "state": random.choice(["captured", "authorized"]),
        }
        one_back = {"line": 1, "quantity": 1, "condition": "sellable"}
        return {
            "req": lambda: row("RequestCancel", BUYER, request_id=new("r"), reason="changed_mind", **some()),
            "propose": lambda: row("RequestCancel", SELLER, request_id=new("r"), reason="out_of_stock", **some()),
            "cancel": lambda: row("CancelLines", SELLER, reason="out_of_stock", **some()),
            "ruled": lambda: row("CancelLines", SUPPORT, reason="out_of_stock", **rule, **some()),
            "approve": lambda: row("ApproveCancel", anybody(), request_id=known("r")),
            "decline": lambda: row("DeclineCancel", anybody(), request_id=known("r")),
            "withdraw": lambda: row("WithdrawCancel", anybody(), request_id=known("r")),
            "take": lambda: row("TakeAlternative", BUYER, request_id=known("r"), kind="wait"),
            "insist": lambda: row("DeclineAlternatives", BUYER, request_id=known("r")),
            "pick": lambda: row("StartFulfilment", SELLER, **some()),
            "track": lambda: row("StartTracking", SELLER, **parcel, **some()),
            "ship": lambda: row("Ship", SELLER, shipment_id=new("s"), **parcel, **some()),
            "void": lambda: row("VoidShipment", SUPPORT, shipment_id=known("s"), note="x"),
            "later": lambda: row(
                "ReviseShipBy", SELLER, ship_by=format_instant(self._now + random.randint(0, 9) * DAY)
            ),
            "deliver": lambda: row("Deliver", SELLER),
            "paid_back": lambda: row("ConfirmRefund", SYSTEM, refund_id="refund-1"),
            "failed": lambda: row("FailRefund", SYSTEM, refund_id=f"refund-{random.randint(1, 2)}"),
            "left": lambda: row("ReportShippedAfterCancel", SELLER, **parcel, **some(always=True)),
            "notify": lambda: row("NotifyCustomer", SELLER, text="It left with UPS, number 1Z9."),
            "accept": lambda: row("Acknowledge", BUYER, accepts_item=True, accepts_rebilling=random.random() < 0.8),
            "rebill": lambda: row("Rebill", SUPPORT),
            "case": lambda: row("OpenCase", BUYER, case_id=new("c"), reason="not_as_described", **some(always=True)),
            "more": lambda: row(
                "RequestEvidence",
                SUPPORT,
                about=known("c", "d"),
                kinds=["photo"],
                until=format_instant(self._now + 3 * DAY),
            ),
            "photo": lambda: row(
                "AttachEvidence", BUYER, evidence_id=f"e{self._count}", about=known("c", "d"), **photo
            ),
            "take_back": lambda: row("AcceptReturn", SELLER, about=back()),
            "decide": lambda: row(
                "DecideCase",
                SUPPORT,
                case_id=known("c"),
                rule="case-beats-request",
                outcome=random.choice(["return", "deny"]),
            ),
            "return": lambda: row("RequestReturn", BUYER, reason=faulty(), **some(always=True)),
            "send_back": lambda: row("StartReturn", SELLER, about=back(), **parcel),
            "came_back": lambda: row("ReturnReceived", SELLER, about=back(), condition="sellable"),
            "dispute": lambda: row("OpenDispute", anybody(), dispute_id=new("d"), about=known("r")),
            "settle": lambda: row(
                "DecideDispute",
                SUPPORT,
                dispute_id=known("d"),
                **rule,
                outcome=random.choice(["grant", "deny", "return"]),
            ),
            "appeal": lambda: row("AppealDispute", anybody(), dispute_id=known("d")),
            "pay": lambda: row("ConfirmPayment", SYSTEM, amount=random.choice(["10", "20"]), **tender()),
            "pay_again": lambda: row("ConfirmPayment", SYSTEM, amount=random.choice(["10", "20"]), **tender()),
            "capture": lambda: row("CapturePayment", SYSTEM, payment_id=payment()),
            "release": lambda: row("ReleasePayment", SYSTEM, payment_id=payment()),
            "goodwill": lambda: row("RecordOtherRefund", SYSTEM, amount="5", covers=[{"line": 1, "amount": "5"}]),
            "by_hand": lambda: row("RecordOtherRefund", SYSTEM, amount=some_money(), refund_id=refund()),
            "part_paid": lambda: row("ConfirmRefund", SYSTEM, refund_id=refund(), payment_id=payment()),
            "part_failed": lambda: row("FailRefund", SYSTEM, refund_id=refund(), payment_id=payment()),
            "mistake": lambda: row("WithdrawRefund", SUPPORT, refund_id=refund(), note="A mistake.", **rule),
            "chargeback": lambda: row("OpenChargeback", SYSTEM, payment_id=payment(), amount=some_money()),
            "won": lambda: row("CloseChargeback", SYSTEM, payment_id=payment(), outcome="won"),
            "lost_to_bank": lambda: row("CloseChargeback", SYSTEM, payment_id=payment(), outcome="lost"),
            "lost_in_part": lambda: row(
                "CloseChargeback", SYSTEM, payment_id=payment(), outcome="lost", amount=some_money()
            ),
            "by_us": lambda: row("CancelLines", SYSTEM, reason="suspected_fraud", **some()),
            "parcel": lambda: row(
                "ReportUndelivered",
                SELLER,
                shipment_id=known("s"),
                outcome=random.choice(["lost", "damaged_in_transit", "returned_to_sender", "refused"]),
            ),
            "part_back": lambda: row("ReturnReceived", SELLER, about=back(), lines=[one_back]),
            "no_return": lambda: row("WithdrawReturn", BUYER, about=back()),
            "close_return": lambda: row(
                "CloseReturn", SUPPORT, about=back(), outcome=random.choice(["refund", "no_refund"]), **rule
            ),
        }
