"""Stories of money and parcels, drawn from a seed: most commands come to something, some are slightly wrong.

An author listens to a model while it writes, so that what it says next has something to talk about. It never says what
the contract leaves open (``unsaid.py``).
"""

from collections.abc import Callable
from random import Random
from typing import Any, Final

from domain.instants import DAY, HOUR, MINUTE, format_instant, parse_instant
from tests.spec.model.model import Model, World
from tests.spec.model.records import Notice, Refund, Return
from tests.spec.model.sums import DECIMALS
from tests.spec.model.terms import FAULTS
from tests.spec.model.unsaid import open_question

Body = dict[str, Any]
START: Final = parse_instant("2026-03-02T10:00:00Z")
WHO: Final = {"buyer": "b-1", "seller": "s-1", "support": "desk", "system": "shop"}
POLICIES: Final = (
    *("big-box", "big-box", "big-box", "first-in-store", "first-in-store", "gift-last-store", "gift-last-store"),
    *("everything-store", "auction-house", "seller-portal", "general-store", "open-court", "mutual-consent"),
)
METHODS: Final = ("card", "bank", "wallet", "gift_card", "store_credit", "cash", "other")
PAUSES: Final = (*[MINUTE] * 8, *[HOUR] * 5, 6 * HOUR, 6 * HOUR, DAY, DAY, 3 * DAY, 6 * DAY, 16 * DAY)
NOTICE: Final = "It was canceled but left with UPS, number 1Z1. You would be billed again."
PARCEL: Final = {"carrier": "UPS", "tracking_number": "1Z1"}


class Author:
    """Writes one story. ``bodies``: what was said, in order; the first places the order."""

    def __init__(self, seed: object, texts: dict[str, str]) -> None:
        self.random = Random(str(seed))
        self.policy = self.random.choice(POLICIES)
        self.world = World(texts[self.policy])
        self.now = START + self.random.randint(0, 20) * DAY + self.random.randint(0, 900) * MINUTE
        self.currency = self.random.choice(("USD", "USD", "JPY", "KWD"))
        self.bodies: list[Body] = []

    def write(self) -> list[Body]:
        """A whole story."""
        self.say("PlaceOrder", "system", **self.order())
        for _ in range(self.random.randint(6, 26)):
            self.step()
        return self.bodies

    @property
    def model(self) -> Model:
        assert self.world.order is not None
        return self.world.order

    def say(self, name: str, who: str, **fields: Any) -> object:
        """Say it to the model too; False where the contract leaves open what it comes to."""
        if self.bodies and open_question(self.model, name, {k: v for k, v in fields.items() if v is not None}):
            return False
        body = {
            "command": name,
            "command_id": f"c{len(self.bodies) + 1}",
            "marketplace": "acme",
            "order_id": "PO-1",
            "at": format_instant(self.now),
            "actor": {"kind": who, "id": WHO[who]},
            **{key: value for key, value in fields.items() if value is not None},
        }
        if who == "support" and name in ("CancelLines", "ApproveCancel", "DecideCase", "CloseReturn", "WithdrawRefund"):
            body["rule"] = "full-refund"
        self.bodies.append(body)
        return self.world.hear(dict(body))

    # ---- the order -----------------------------------------------------------------------------------------------

    def text(self, money: int) -> str:
        """Minor units as a decimal."""
        places = DECIMALS[self.currency]
        digits = str(money).rjust(places + 1, "0")
        return digits if not places else f"{digits[:-places]}.{digits[-places:]}"

    def money(self, most: int) -> int:
        """Small amounts and odd ones as often as large ones."""
        return self.random.choice((self.random.randint(0, most), self.random.randint(0, min(most, 9)), most))

    def chance(self, odds: float) -> bool:
        return self.random.random() < odds

    def order(self) -> Body:
        lines = [self.line(number) for number in range(1, self.random.choice((1, 2, 2, 3, 4)) + 1)]
        if len(lines) > 1 and self.chance(0.2):
            for row in lines[1:]:
                if self.chance(0.6):
                    row["part_of"] = 1
        order: Body = {
            "buyer_id": "b-1",
            "seller_id": "s-1",
            "currency": self.currency,
            "policy": self.policy,
            "lines": lines,
        }
        goods = sum(self._goods(row) for row in lines)
        if self.chance(0.35) and goods > 2:
            order["discount"] = self.text(self.random.randint(1, goods // 2))
        if self.chance(0.15) and goods > 20:
            order["rounding"] = self.random.choice(("", "-")) + self.text(self.random.randint(1, 5))
        if self.chance(0.5):
            order["shipping"] = self.text(self.money(1200))
        if self.chance(0.3):
            order["shipping_tax"] = self.text(self.money(90))
        if self.chance(0.3):
            order["fees"] = [self.fee(n) for n in range(1, self.random.randint(1, 2) + 1)]
        if self.chance(0.3):
            order["tax_included"] = True
        if self.chance(0.45):
            order["paid"] = False
        if self.chance(0.3):
            order["ship_by"] = format_instant(self.now + self.random.randint(1, 5) * DAY)
        return order

    def _goods(self, row: Body) -> int:
        """A line's goods after its discount."""
        before = self.minor(row["amount"]) if "amount" in row else row["quantity"] * self.minor(row["unit_price"])
        return before - self.minor(row.get("discount", "0"))

    def minor(self, text: str) -> int:
        return int(text.replace(".", ""))

    def line(self, number: int) -> Body:
        units = self.random.choice((1, 1, 2, 2, 3, 3, 4, 7, 10, 12, 144, 1000))
        row: Body = {"line": number, "sku": f"A-{number}", "quantity": units}
        price = self.random.choice((1, 35, 334, 999, 1000, 2501, 8999)) if units < 100 else self.random.randint(1, 40)
        goods = price * units
        if self.chance(0.25):
            goods = self.random.randint(1, goods)
            row["amount"] = self.text(goods)
            if self.chance(0.5):
                row["unit_price"] = "0.012345" if self.currency != "JPY" else "0.5"
        else:
            row["unit_price"] = self.text(price)
        if self.chance(0.3):
            row["discount"] = self.text(self.random.randint(0, goods // 2))
        if self.chance(0.5):
            row["tax"] = self.text(self.money(max(1, goods // 5)))
        if self.chance(0.45):
            row["shipping"] = self.text(self.money(700))
            if self.chance(0.6):
                row["shipping_tax"] = self.text(self.money(60))
        return row

    def fee(self, number: int) -> Body:
        fee: Body = {"fee_id": f"f{number}", "amount": self.text(self.random.randint(1, 500))}
        if self.chance(0.5):
            fee["tax"] = self.text(self.money(40))
        if self.chance(0.7):
            fee["refundable"] = self.random.choice(("with-order", "with-order", "never"))
        return fee

    # ---- what comes next -----------------------------------------------------------------------------------------

    def step(self) -> None:
        """Something is said after a while; what makes no sense now is passed over, and another is tried."""
        self.now += self.random.choice(PAUSES)
        self.world.reach_until(self.now)
        for _ in range(20):
            weights = [weight for _, weight in STEPS]
            step = self.random.choices([step for step, _ in STEPS], weights)[0]
            if step(self) is not False:
                return

    def some(self, can: dict[int, int], most: int = 3) -> list[Any] | None:
        """A selection of these units: numbers and quantities."""
        numbers = [number for number, units in can.items() if units > 0]
        picked = self.random.sample(numbers, self.random.randint(1, min(most, len(numbers))))
        return [
            number
            if self.chance(0.35)
            else {"line": number, "quantity": self.random.randint(1, can[number]) + self.chance(0.04)}
            for number in picked
        ]

    def unpaid_rest(self) -> int:
        return max(0, self.model.total - self.model.paid)

    # ---- payments ------------------------------------------------------------------------------------------------

    def pay(self) -> object:
        rest = self.unpaid_rest()
        if len(self.model.payments) > 4 or (not rest and not self.chance(0.15)):
            return False
        money = self.random.choice((rest, max(1, rest // 2), max(1, rest // 3), self.random.randint(1, rest + 300)))
        if not money:
            return False
        return self.say(
            "ConfirmPayment",
            "system",
            amount=self.text(money),
            payment_id=self.random.choice((None, f"p{len(self.model.payments)}", f"p{len(self.model.payments)}")),
            method=self.random.choice((None, *METHODS, "gift_card")),
            state=self.random.choice((None, "captured", "authorized", "authorized")),
        )

    def pay_again(self) -> object:
        """Told twice, or with other content, or under an id of the engine's own form."""
        told = [x for x in self.bodies if x["command"] == "ConfirmPayment" and "payment_id" in x]
        if not told:
            return False
        first = self.random.choice(told)
        fields = {key: first.get(key) for key in ("amount", "payment_id", "method", "state")}
        changed = self.random.choice(
            (
                {},
                {"amount": self.text(self.minor(first["amount"]) + 1)},
                {"method": "cash"},
                {"payment_id": "payment-9"},
            )
        )
        return self.say("ConfirmPayment", "system", **{**fields, **changed})

    def an_authorization(self) -> str | None:
        names = [name for name, x in self.model.payments.items() if x.authorized and name not in self.model.chargebacks]
        return self.random.choice(names) if names else None

    def capture(self) -> object:
        name = self.an_authorization()
        if name is None:
            return False
        model = self.model
        can = model.payments[name].authorized - model.voids(name)
        amount = self.random.choice((None, can, max(1, can // 2), can + 1))
        if not can:
            return False
        return self.say(
            "CapturePayment", "system", payment_id=name, amount=None if amount is None else self.text(amount)
        )

    def release(self) -> object:
        name = self.an_authorization()
        if name is None:
            return False
        model = self.model
        held = model.payments[name].authorized - model.voided(name)
        amount = self.random.choice((None, held, max(1, held // 2), held + 1))
        if not held:
            return False
        return self.say(
            "ReleasePayment", "system", payment_id=name, amount=None if amount is None else self.text(amount)
        )

    # ---- money given back elsewhere ------------------------------------------------------------------------------

    def give_back_elsewhere(self) -> object:
        model = self.model
        most = model.may_give_back()
        if most <= 0:
            return False
        money = self.random.choice(
            (1, self.random.randint(1, most), min(most, 500), most + (1 if self.chance(0.2) else 0))
        )
        payment = self.random.choice((None, None, *model.payments))
        covers = self.covers(money) if self.chance(0.6) else None
        return self.say(
            "RecordOtherRefund",
            "support",
            amount=self.text(money),
            payment_id=payment,
            covers=covers,
            other_refund_id=self.random.choice((None, f"o{len(model.others)}")),
        )

    def covers(self, money: int) -> list[Body]:
        model = self.model
        things: list[Body] = [{"line": number} for number in model.lines]
        things += [{"fee_id": name} for name in model.fees]
        picked = self.random.sample(things, self.random.randint(1, min(2, len(things))))
        rows, left = [], money + (1 if self.chance(0.04) else 0)
        for row in picked:
            part = self.random.choice((left, self.random.randint(0, left)))
            rows.append({**row, "amount": self.text(part)})
            left -= part
        if self.chance(0.3):
            rows.append({"shipping": self.text(left)})
        if self.chance(0.03):
            rows.append(dict(rows[0]))
        if self.chance(0.03):
            rows.append(
                self.random.choice(({"fee_id": "f9", "amount": self.text(0)}, {"line": 9, "amount": self.text(0)}))
            )
        return rows

    # ---- a refund's life -----------------------------------------------------------------------------------------

    def a_refund(self, *statuses: str) -> tuple[str, Refund] | None:
        found = [(name, x) for name, x in self.model.refunds.items() if x.status in statuses]
        return self.random.choice(found) if found else None

    def confirm_refund(self) -> object:
        closed = self.chance(0.1)
        found = self.a_refund("settled_elsewhere", "withdrawn", "confirmed") if closed else self.a_refund("due")
        if found is None:
            return False
        names = sorted({x.payment_id for x in found[1].parts})
        one = len(names) > 1 and self.chance(0.6)
        return self.say(
            "ConfirmRefund", "system", refund_id=found[0], payment_id=self.random.choice(names) if one else None
        )

    def fail_refund(self) -> object:
        found = self.a_refund("due", "confirmed", *(("settled_elsewhere", "withdrawn") if self.chance(0.1) else ()))
        if found is None:
            return False
        name, refund = found
        names = sorted({x.payment_id for x in refund.parts})
        confirmed = [x.confirmed for x in refund.parts]
        one = names and ((any(confirmed) and not all(confirmed)) or (len(names) > 1 and self.chance(0.5)))
        return self.say("FailRefund", "system", refund_id=name, payment_id=self.random.choice(names) if one else None)

    def withdraw_refund(self) -> object:
        found = self.a_refund("due", *(("confirmed", "withdrawn") if self.chance(0.15) else ()))
        if found is None:
            return False
        note = self.random.choice(("by mistake",) * 9 + (None,))
        return self.say("WithdrawRefund", self.random.choice(("support", "system")), refund_id=found[0], note=note)

    def settle_elsewhere(self) -> object:
        found = self.a_refund("due", *(("confirmed", "withdrawn") if self.chance(0.15) else ()))
        if found is None:
            return False
        wrong = 1 if self.chance(0.1) and found[1].status == "due" else 0
        return self.say(
            "RecordOtherRefund",
            "support",
            amount=self.text(found[1].amount + wrong),
            refund_id=found[0],
            note="elsewhere",
        )

    # ---- chargebacks ---------------------------------------------------------------------------------------------

    def open_chargeback(self) -> object:
        names = [name for name, x in self.model.payments.items() if x.captured and not x.authorized]
        if not self.chance(0.1):
            names = [name for name in names if name not in self.model.chargebacks]
        if not names or len(self.model.others) > 3:
            return False
        name = self.random.choice(names)
        captured = self.model.payments[name].captured
        money = self.random.choice((captured, self.random.randint(1, captured)))
        said = self.say("OpenChargeback", "system", payment_id=name, amount=self.text(money))
        if said is not False and self.chance(0.6):
            self.now += MINUTE
            self.cancel()
            self.cancel()
        return said

    def close_chargeback(self) -> object:
        names = [*self.model.chargebacks] or ([*self.model.payments] if self.chance(0.1) else [])
        if not names:
            return False
        name = self.random.choice(names)
        opened = self.model.chargebacks[name].amount if name in self.model.chargebacks else 1
        amount = self.random.choice((None, opened, max(1, opened // 2), self.random.randint(1, opened), opened + 1))
        return self.say(
            "CloseChargeback",
            "system",
            payment_id=name,
            outcome=self.random.choice(("won", "lost", "lost")),
            amount=None if amount is None else self.text(amount),
        )

    # ---- cancellations -------------------------------------------------------------------------------------------

    def opened(self) -> dict[int, int]:
        return {number: x.open for number, x in self.model.lines.items() if x.open}

    def cancel(self) -> object:
        can = self.opened()
        if not can:
            return False
        who = self.random.choice(("seller", "seller", "seller", "support", "system"))
        lines = None if self.chance(0.25) else self.some(can, 2)
        return self.say("CancelLines", who, lines=lines, reason=self.random.choice(("out_of_stock", "other")))

    def ask(self) -> object:
        can = self.opened()
        if not can or (self.model.waiting() and self.chance(0.9)):
            return False
        lines = None if self.chance(0.4) else self.some(can, 2)
        return self.say("RequestCancel", "buyer", request_id=f"r{len(self.bodies)}", lines=lines, reason="changed_mind")

    def answer(self) -> object:
        names = [name for name, x in self.model.waiting() if not x.offers]
        if not names:
            return False
        command = self.random.choice(("ApproveCancel", "ApproveCancel", "DeclineCancel", "WithdrawCancel"))
        who = self.model.requests[names[0]].by if command == "WithdrawCancel" else "seller"
        return self.say(command, who, request_id=names[0])

    # ---- parcels -------------------------------------------------------------------------------------------------

    def ship(self) -> object:
        can = self.opened()
        if not can:
            return False
        lines = None if self.chance(0.4) else self.some(can, 2)
        parcel = PARCEL if self.chance(0.2) else {}
        return self.say("Ship", "seller", shipment_id=f"s{len(self.model.notices) + 1}", lines=lines, **parcel)

    def a_notice(self, holds: Callable[[Notice], object]) -> str | None:
        names = [name for name, x in self.model.notices.items() if holds(x)]
        return self.random.choice(names) if names else None

    def deliver(self) -> object:
        name = self.a_notice(lambda x: x.status not in ("void", "delivered"))
        if name is None:
            return False
        return self.say("Deliver", "system", shipment_id=name)

    def void(self) -> object:
        name = self.a_notice(lambda x: not x.reported and x.status == "announced")
        if name is None:
            return False
        return self.say("VoidShipment", "support", shipment_id=name, note="a mistake")

    def report(self) -> object:
        name = self.a_notice(lambda x: True)
        if name is None:
            return False
        notice = self.model.notices[name]
        left = {x: self.model._may_be_reported(notice, x) for x in notice.lines}
        if not any(left.values()) and self.chance(0.8):
            return False
        lines = self.some(left, 2) if any(left.values()) and self.chance(0.5) else None
        return self.say(
            "ReportUndelivered",
            self.random.choice(("seller", "support", "system")),
            shipment_id=name if self.chance(0.97) else "s99",
            outcome=self.random.choice(("lost", "lost", "damaged_in_transit", "returned_to_sender", "refused")),
            lines=lines,
            refund_now=self.random.choice((None, None, True)),
        )

    def stalled(self) -> object:
        if not self.model.terms.has("stalled-tracking") or not any(x.underway for x in self.model.lines.values()):
            return False
        if self.model.open_units or self.model.waiting():
            return False
        return self.say("RequestCancel", "buyer", request_id=f"r{len(self.bodies)}", reason="arrives_too_late")

    # ---- returns -------------------------------------------------------------------------------------------------

    def request_return(self) -> object:
        model = self.model
        can = {number: model._returnable(number) for number in model.lines}
        if not model.terms.has("returns") or not any(can.values()):
            return False
        reason = self.random.choice((*FAULTS, "changed_mind", "changed_mind", "does_not_fit"))
        return self.say("RequestReturn", "buyer", reason=reason, lines=self.some(can, 2))

    def open_case(self) -> object:
        model = self.model
        can = {number: model._free(number) for number in model.lines}
        if not model.terms.has("cases") or not any(can.values()):
            return False
        name = f"k{len(model.cases) + 1}"
        return self.say("OpenCase", "buyer", case_id=name, reason=self.random.choice(FAULTS), lines=self.some(can, 2))

    def decide_case(self) -> object:
        names = [name for name, x in self.model.cases.items() if x.status == "open"]
        if not names:
            return False
        if self.chance(0.3):
            self.say("AcceptReturn", "seller", about=names[0], refund_now=self.random.choice((None, True)))
        else:
            self.say(
                "DecideCase", "support", case_id=names[0], outcome=self.random.choice(("return", "return", "deny"))
            )
        return None

    def a_return(self, holds: Callable[[Return], object]) -> str | None:
        names = [name for name, x in self.model.returns.items() if holds(x)]
        return self.random.choice(names) if names else None

    def receive(self) -> object:
        name = self.a_return(lambda x: x.status in ("open", "open", "closed", "received"))
        if name is None:
            return False
        back = self.model.returns[name]
        if back.status == "received" and self.chance(0.8):
            return False
        if not back.left or self.chance(0.3):
            self.say(
                "ReturnReceived", "seller", about=name, condition=self.random.choice((None, "sellable", "damaged"))
            )
            return None
        rows: list[Body] = []
        for number in self.random.sample([*back.left], self.random.randint(1, len(back.left))):
            units = self.random.randint(1, back.left[number])
            first = self.random.randint(1, units)
            rows.append({"line": number, "quantity": first, "condition": "sellable"})
            if units > first:
                rows.append({"line": number, "quantity": units - first, "condition": "damaged"})
        if self.chance(0.05):
            rows[0]["quantity"] += back.left[rows[0]["line"]]
        both = "damaged" if self.chance(0.03) else None
        return self.say("ReturnReceived", "seller", about=name, lines=rows, condition=both)

    def start_return(self) -> object:
        name = self.a_return(lambda x: x.status == "open" and not x.begun and x.kind == "shipped")
        if name is None:
            return False
        if self.chance(0.3):
            self.say("Deliver", "system", shipment_id=name)
        else:
            self.say("StartReturn", "seller", about=name)
        return None

    def withdraw_return(self) -> object:
        name = self.a_return(lambda x: x.status == "open")
        if name is None:
            return False
        return self.say("WithdrawReturn", self.random.choice(("buyer", "support")), about=name)

    def close_return(self) -> object:
        name = self.a_return(lambda x: x.status == "open")
        if name is None:
            return False
        outcome = self.random.choice(("refund", "refund", "no_refund"))
        return self.say("CloseReturn", self.random.choice(("seller", "support")), about=name, outcome=outcome)

    def refund_now(self) -> object:
        name = self.a_return(lambda x: x.status == "open" and x.kind == "shipped")
        if name is None:
            return False
        return self.say("AcceptReturn", "seller", about=name, refund_now=True)

    # ---- canceled but shipped ------------------------------------------------------------------------------------

    def astray(self) -> object:
        """The steps from the report to the confirmed rebilling, mostly one after another."""
        if self.next_step() is False:
            return False
        while self.chance(0.8) and self.model.astray is not None and self.next_step() is not False:
            self.now += MINUTE
        return None

    def next_step(self) -> object:
        model = self.model
        stage = "" if model.astray is None else model.astray.stage
        due = [name for name, x in model.bills.items() if x.status == "due"]
        if stage == "found":
            return self.say("NotifyCustomer", "seller", text=NOTICE)
        if stage == "notified":
            return self.say("Acknowledge", "buyer", accepts_item=True, accepts_rebilling=self.chance(0.85))
        if due:
            return self.say("ConfirmRebill", "system", rebill_id=due[0])
        if any(x.accepted > model.billed(number) for number, x in model.lines.items()):
            return self.say("Rebill", "support")
        can = {number: x.unfound for number, x in model.lines.items()}
        if not any(can.values()) or not self.chance(0.2):
            return False
        return self.say("ReportShippedAfterCancel", "seller", lines=self.some(can, 2), **PARCEL)


STEPS: Final[list[tuple[Callable[[Author], object], int]]] = [
    (Author.pay, 12),
    (Author.pay_again, 2),
    (Author.capture, 5),
    (Author.release, 4),
    (Author.give_back_elsewhere, 6),
    (Author.confirm_refund, 9),
    (Author.fail_refund, 5),
    (Author.withdraw_refund, 3),
    (Author.settle_elsewhere, 4),
    (Author.open_chargeback, 2),
    (Author.close_chargeback, 4),
    (Author.cancel, 12),
    (Author.ask, 5),
    (Author.answer, 5),
    (Author.ship, 12),
    (Author.deliver, 10),
    (Author.void, 1),
    (Author.report, 6),
    (Author.stalled, 3),
    (Author.request_return, 10),
    (Author.open_case, 6),
    (Author.decide_case, 5),
    (Author.receive, 10),
    (Author.start_return, 3),
    (Author.withdraw_return, 2),
    (Author.close_return, 3),
    (Author.refund_now, 2),
    (Author.astray, 4),
]
"""What can be said next, and how often it is tried."""
