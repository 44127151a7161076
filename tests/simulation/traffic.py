"""Random marketplace traffic: commands as JSON, sensible more often than not, all of it drawn from one seed."""

from dataclasses import dataclass, field
from random import Random
from typing import Any

from domain.instants import DAY, HOUR, Instant, format_instant
from domain.marketplace_settings import MarketSettings
from tests.simulation import aftermath, paying
from tests.simulation.aftermath import SCRIPTS, Maker

Body = dict[str, Any]

MARKETS = {
    "portal": MarketSettings(policy="seller-portal"),
    "peers": MarketSettings(policy="peer-to-peer", timezone="America/Sao_Paulo"),
    "consent": MarketSettings(policy="mutual-consent"),
    "store": MarketSettings(policy="general-store", timezone="Europe/Berlin"),
    "auction": MarketSettings(policy="auction-house"),
    "bigbox": MarketSettings(policy="big-box", timezone="America/New_York", holiday_calendar="US"),
    "every": MarketSettings(policy="everything-store"),
}
DEADLINES = (
    "decide-1",
    "decide-2",
    "unpaid-1",
    "late-ship-1",
    "alternatives-1",
    "case-1",
    "appeal-1",
    "return-1",
    "return-ship-1",
)
REASONS = ("changed_mind", "ordered_by_mistake", "found_cheaper", "out_of_stock", "other")


@dataclass(slots=True)
class Plan:
    """The traffic's knowledge of an order that it made up."""

    marketplace: str
    order_id: str
    lines: list[tuple[int, int]]
    currency: str
    policy: str | None
    life: int
    """How many commands it gets before another order takes its place."""
    placings: int = 0
    placed: bool = False
    """Whether somebody was answered that it exists."""
    requests: list[str] = field(default_factory=list)
    shipments: list[str] = field(default_factory=list)
    messages: int = 0
    script: list[Maker] = field(default_factory=list)
    """Its script, followed step by step between other events."""


class Traffic:
    """Makes up commands. ``now`` is the true time, for dates that lie ahead."""

    def __init__(self, rng: Random, markets: list[str], orders: int) -> None:
        self.rng = rng
        self._markets = markets
        self._commands = 0
        self._orders = 0
        self.plans = [self._plan() for _ in range(orders)]

    def next(self, now: Instant) -> Body:
        """Another command: the placing of an order first, then whatever people do to it."""
        rng = self.rng
        at = rng.randrange(len(self.plans))
        if self.plans[at].life == 0:
            self.plans[at] = self._plan()
        plan = self.plans[at]
        plan.life -= 1
        plan.placings += 1
        if rng.random() < (0.01 if plan.placed else 1.5 / plan.placings):
            return self._place(plan, now)
        if plan.script and plan.placed and rng.random() < 0.6:
            return plan.script.pop(0)(self, plan, now)
        make = rng.choices(_MAKERS, _WEIGHTS)[0]
        return make(self, plan, now)

    def heard(self, body: Body) -> None:
        """A command was accepted."""
        if body["command"] == "PlaceOrder":
            for plan in self.plans:
                plan.placed = plan.placed or plan.order_id == body["order_id"]

    def twisted(self, body: Body) -> Body:
        """Another body under the same command id."""
        twist = dict(body)
        for name, others in (
            ("reason", ("changed_mind", "other")),
            ("carrier", ("A", "B", "C")),
            ("amount", ("0.01", "7")),
        ):
            if name in twist:
                twist[name] = next(other for other in others if other != twist[name])
                return twist
        if twist["command"] == "PlaceOrder":
            twist["po_number"] = "another"
        elif "request_id" in twist:
            twist["request_id"] = "another"
        elif "to" in twist:
            twist["to"] = "support" if twist["to"] != "support" else "buyer"
        else:
            twist["command"], twist["amount"] = "ConfirmPayment", "3"
            for name in set(twist) - {"command", "command_id", "marketplace", "order_id", "actor", "amount"}:
                del twist[name]
            twist["actor"] = {"kind": "system", "id": "bank"}
        return twist

    # ---- one of each ----------------------------------------------------------------------------------------------

    def _plan(self) -> Plan:
        rng = self.rng
        self._orders += 1
        lines = [(line + 1, rng.choice((1, 2, 3, 5))) for line in range(rng.choice((1, 2, 3)))]
        policy = rng.choices((None, "corner-shop", "seller-portal@1", "nowhere"), (20, 4, 3, 1))[0]
        currency = rng.choice(("USD", "USD", "JPY"))
        market = rng.choice(self._markets)
        plan = Plan(market, f"PO-{self._orders}", lines, currency, policy, rng.randrange(8, 25))
        if rng.random() < 0.6:
            plan.script += rng.choice(SCRIPTS[market])
        return plan

    def _body(self, plan: Plan, command: str, who: str, /, **fields: Any) -> Body:
        self._commands += 1
        actors = {"buyer": "b-1", "seller": "s-1", "support": "agent", "system": "checkout"}
        actor = actors[who] if self.rng.random() > 0.02 else "stranger"
        body = {
            "command": command,
            "command_id": f"c{self._commands}",
            "marketplace": plan.marketplace,
            "order_id": plan.order_id if self.rng.random() > 0.01 else "PO-none",
            "actor": {"kind": who, "id": actor},
            **fields,
        }
        if self.rng.random() < 0.1:
            body["correlation_id"] = f"run-{self._commands}"
        return body

    def _amount(self, plan: Plan, low: int, high: int) -> str:
        units = self.rng.randrange(low, high)
        return str(units) if plan.currency == "JPY" else f"{units // 100}.{units % 100:02}"

    def _place(self, plan: Plan, now: Instant) -> Body:
        rng = self.rng
        lines = []
        for number, quantity in plan.lines:
            line = {
                "line": number,
                "sku": f"S{number}",
                "quantity": quantity,
                "unit_price": self._amount(plan, 300, 3000),
            }
            if rng.random() < 0.3:
                line["discount"] = self._amount(plan, 0, 100)
            if rng.random() < 0.3:
                line["tax"] = self._amount(plan, 0, 500)
            if rng.random() < 0.2:
                line |= {"shipping": self._amount(plan, 1, 500), "shipping_tax": self._amount(plan, 0, 50)}
            if rng.random() < 0.1:
                line["amount"] = self._amount(plan, 300, 3000)
            if number > 1 and rng.random() < 0.15:
                line["part_of"] = 1
            lines.append(line)
        fields: Body = {"buyer_id": "b-1", "seller_id": "s-1", "currency": plan.currency, "lines": lines}
        if rng.random() < 0.5:
            fields["shipping"] = self._amount(plan, 1, 900)
        if rng.random() < 0.2:
            fields["discount"] = self._amount(plan, 0, 100)
        if rng.random() < 0.3:
            refundable = rng.choice(("never", "with-order"))
            fee = {"fee_id": "gift-wrap", "amount": self._amount(plan, 1, 400), "refundable": refundable}
            fields["fees"] = [fee | ({"tax": self._amount(plan, 0, 50)} if rng.random() < 0.5 else {})]
        if rng.random() < 0.1:
            fields["rounding"] = "-1" if plan.currency == "JPY" else "-0.01"
        if rng.random() < 0.1:
            fields["tax_included"] = True
        if rng.random() < 0.45:
            fields["paid"] = False
        if rng.random() < 0.4:
            fields["ship_by"] = format_instant(now + rng.randrange(HOUR, 3 * DAY))
        if rng.random() < 0.1:
            fields["sale_format"] = "offer"
        if plan.policy is not None:
            fields["policy"] = plan.policy
        return self._body(plan, "PlaceOrder", "system", **fields)

    def _lines(self, plan: Plan) -> Body:
        rng = self.rng
        if rng.random() < 0.25:
            return {}
        picked = [line for line in plan.lines if rng.random() < 0.6] or plan.lines[:1]
        return {
            "lines": [
                number if rng.random() < 0.3 else {"line": number, "quantity": rng.randrange(1, quantity + 1)}
                for number, quantity in picked
            ]
        }

    def _request(self, plan: Plan, now: Instant) -> Body:
        name = f"r{len(plan.requests) + 1}"
        plan.requests.append(name)
        fields: Body = {"request_id": name, "reason": self.rng.choice(REASONS), **self._lines(plan)}
        if self.rng.random() < 0.3:
            fields["text"] = "I have changed my mind."
        return self._body(plan, "RequestCancel", "buyer", **fields)

    def _answer(self, plan: Plan, now: Instant) -> Body:
        if not plan.requests:
            return self._request(plan, now)
        command = self.rng.choice(("ApproveCancel", "ApproveCancel", "DeclineCancel", "WithdrawCancel"))
        kind = "buyer" if command == "WithdrawCancel" else "seller"
        return self._body(plan, command, kind, request_id=self._known(plan.requests, "r1"))

    def _alternatives(self, plan: Plan, now: Instant) -> Body:
        name = self._known(plan.requests, "r1")
        if self.rng.random() < 0.5:
            return self._body(plan, "DeclineAlternatives", "buyer", request_id=name)
        return self._body(plan, "TakeAlternative", "buyer", request_id=name, kind="wait")

    def _cancel(self, plan: Plan, now: Instant) -> Body:
        if self.rng.random() < 0.2:
            fields = {**self._lines(plan), "reason": "out_of_stock", "rule": "seller-has-final-say"}
            return self._body(plan, "CancelLines", "support", **fields)
        return self._body(plan, "CancelLines", "seller", reason=self.rng.choice(REASONS), **self._lines(plan))

    def _ship(self, plan: Plan, now: Instant) -> Body:
        name = f"asn{len(plan.shipments) + 1}"
        plan.shipments.append(name)
        return self._body(
            plan, "Ship", "seller", shipment_id=name, carrier="A", tracking_number=f"T{name}", **self._lines(plan)
        )

    def _track(self, plan: Plan, now: Instant) -> Body:
        command = self.rng.choice(("StartTracking", "TrackingMoved"))
        name = self._known(plan.shipments, "asn1")
        return self._body(plan, command, "system", carrier="A", tracking_number=f"T{name}", shipment_id=name)

    def _deliver(self, plan: Plan, now: Instant) -> Body:
        return self._body(plan, "Deliver", "system")

    def _message(self, plan: Plan, now: Instant) -> Body:
        plan.messages += self.rng.random() < 0.7
        name = f"m{max(1, plan.messages)}"
        return self._body(plan, "SendMessage", "buyer", message_id=name, to="seller", text="Where is it?")

    def _return(self, plan: Plan, now: Instant) -> Body:
        if self.rng.random() < 0.4:
            lines = [{"line": plan.lines[0][0], "quantity": 1}]
            return self._body(plan, "RequestReturn", "buyer", reason="changed_mind", lines=lines)
        return self._body(plan, "ReturnReceived", "seller", about=f"return-{self.rng.choice((1, 1, 2))}")

    def _revise(self, plan: Plan, now: Instant) -> Body:
        ship_by = format_instant(now + self.rng.randrange(-HOUR, 2 * DAY))
        return self._body(plan, "ReviseShipBy", "seller", ship_by=ship_by)

    def _deadline(self, plan: Plan, now: Instant) -> Body:
        name = self.rng.choice(DEADLINES)
        return self._body(plan, "ReachDeadline", "system", deadline_id=name)

    def _known(self, names: list[str], otherwise: str) -> str:
        return self.rng.choice(names) if names else otherwise


_WEIGHED = {
    Traffic._request: 8,
    Traffic._answer: 8,
    Traffic._alternatives: 2,
    Traffic._cancel: 4,
    Traffic._ship: 7,
    Traffic._track: 3,
    Traffic._deliver: 2,
    Traffic._message: 3,
    Traffic._return: 2,
    Traffic._revise: 1,
    Traffic._deadline: 1,
}
_WEIGHED_ALL: dict[Maker, float] = {**_WEIGHED, **aftermath.WEIGHED, **paying.WEIGHED}
_MAKERS, _WEIGHTS = list(_WEIGHED_ALL), list(_WEIGHED_ALL.values())
