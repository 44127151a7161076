"""Given, when, then: an order played command by command, without journal or clock.

``Story`` has one order. ``send`` decides a command (deadlines that are due are reached first, as the engine does) and
returns its outcome: ``accepted``, ``refused:RULE`` or ``bad``. After every command the invariants are checked:
quantities and money add up, and folding the events again gives the state that was decided.
"""

import math
from fractions import Fraction
from typing import Any

from domain.balance import required
from domain.commands import parse_command
from domain.decide import Decided, authorise, decide, due, reach
from domain.eligibility_queries import as_of, may
from domain.errors import BadInput
from domain.events import CancelRefused, CommandRefused, Event, Sealed, Verdict
from domain.folding import apply
from domain.instants import Instant, format_instant, parse_instant
from domain.marketplace_settings import DEFAULT_MARKET, MarketSettings
from domain.order import Order, Payment, Stamp, fresh
from domain.order_json import money, show
from domain.policy import PolicyBook, PolicyDocument, read_policy_toml
from domain.presets import presets
from tests.presets import pinned

BUYER, SELLER, SUPPORT, SYSTEM = ("buyer", "b-1"), ("seller", "s-1"), ("support", "desk"), ("system", "shop")
WHO = {"buyer": BUYER, "seller": SELLER, "support": SUPPORT, "system": SYSTEM}
SPEAKS = {
    "PlaceOrder": "system",
    "ConfirmPayment": "system",
    "RequestCancel": "buyer",
    "ApproveCancel": "seller",
    "DeclineCancel": "seller",
    "WithdrawCancel": "buyer",
    "TakeAlternative": "buyer",
    "DeclineAlternatives": "buyer",
    "VoidShipment": "support",
    "Deliver": "system",
    "ConfirmRefund": "system",
    "FailRefund": "system",
    "RequestReturn": "buyer",
    "RecordOtherRefund": "support",
    "CapturePayment": "system",
    "ReleasePayment": "system",
    "WithdrawRefund": "support",
    "OpenChargeback": "system",
    "CloseChargeback": "system",
    "SendMessage": "buyer",
    "Acknowledge": "buyer",
    "Rebill": "support",
    "ConfirmRebill": "system",
    "FailRebill": "system",
    "IssueCreditMemo": "support",
    "OpenCase": "buyer",
    "DecideCase": "support",
    "RequestEvidence": "support",
    "OpenDispute": "buyer",
    "DecideDispute": "support",
    "AppealDispute": "buyer",
    "ReachDeadline": "system",
}


def book(*documents: PolicyDocument) -> PolicyBook:
    """The seven presets and these."""
    found = PolicyBook()
    for document in (*presets(), *documents):
        found = found.with_published(document.published)
    return found


def policy(text: str) -> PolicyDocument:
    """A policy from TOML."""
    return read_policy_toml(text)


def seal(field: str, text: str) -> Sealed:
    """A vault that stores nothing."""
    return Sealed(bytes(32), f"{field}:{len(text)}")


class Story:
    """One order, played command by command, under version 1 of a preset unless ``preset`` names another."""

    def __init__(
        self,
        preset: str = "seller-portal",
        *,
        documents: tuple[PolicyDocument, ...] = (),
        market: MarketSettings = DEFAULT_MARKET,
    ) -> None:
        self.preset = pinned(preset)
        self.policies = book(*documents)
        self.market = market
        self.order: Order | None = None
        self.commits: list[tuple[tuple[tuple[Event, Instant], ...], Stamp]] = []
        self.last: Decided | None = None
        self.count = 0

    # ---- when ----------------------------------------------------------------------------------------------------

    def placed(self, at: str = "2026-03-02T10:00:00Z", **fields: Any) -> "Story":
        """Given an order of these lines (default: one unit at 25.00)."""
        fields.setdefault("lines", [{"line": 1, "sku": "A-1", "quantity": 1, "unit_price": "25.00"}])
        body = {"buyer_id": "b-1", "seller_id": "s-1", "currency": "USD", "policy": self.preset, **fields}
        assert self.send("PlaceOrder", at, **body) == "accepted"
        return self

    def send(self, name: str, at: str, *, by: str | None = None, **fields: Any) -> str:
        """When somebody sends this command at that instant. Returns its outcome."""
        self.count += 1
        kind, who = WHO[by or SPEAKS.get(name, "seller")]
        body = {
            "command": name,
            "command_id": f"c{self.count}",
            "marketplace": "acme",
            "order_id": "PO-1",
            "at": at,
            "actor": {"kind": kind, "id": who},
            **fields,
        }
        try:
            command = parse_command(body).seal(seal)
            now = parse_instant(at)
            no = authorise(self.order, command)
            if no is not None:
                return f"refused:{no}"
            self.reach_until(now)
            decided = decide(self.order, command, self.policies, self.market, now)
        except BadInput as bad:
            return f"bad:{bad.pointer}"
        if not decided.answer:
            self._record(decided, Stamp(now, kind, who, command.fingerprint, command.correlation_id))
        if decided.refused is not None:
            return f"refused:{decided.refused}"
        return "nothing" if decided.answer else "accepted"

    def reach_until(self, now: Instant) -> None:
        """Reach every deadline before an instant."""
        while self.order is not None and self.order.exists and (waiting := due(self.order, now)):
            at = max(waiting[0].due_at, self.order.recorded_at)
            decided = reach(self.order, waiting[0], self.policies, self.market, at)
            self._record(decided, Stamp(at, "system", "engine", None))

    def _record(self, decided: Decided, stamp: Stamp) -> None:
        self.last = decided
        self.order = decided.order
        self.commits.append((decided.events, stamp))
        check(self.order)
        assert self.replayed() == self.order, "folding the events again gives another state"

    def replayed(self) -> Order:
        """The order folded from its events."""
        order = fresh("acme", "PO-1")
        for events, stamp in self.commits:
            for event, occurred_at in events:
                apply(order, event, occurred_at, stamp)
        return order

    # ---- then ----------------------------------------------------------------------------------------------------

    @property
    def here(self) -> Order:
        assert self.order is not None
        return self.order

    def events(self, commit: int | None = None) -> list[str]:
        """Names of all events, or of one commit's (-1: the last)."""
        commits = self.commits if commit is None else [self.commits[commit]]
        return [type(event).__name__ for events, _ in commits for event, _ in events]

    @property
    def refusal(self) -> Verdict:
        """The verdict of the last refusal."""
        events, _ = self.commits[-1]
        return next(x.verdict for x, _ in reversed(events) if isinstance(x, CancelRefused | CommandRefused))

    def line(self, number: int = 1) -> tuple[int, int, int]:
        """(open, shipped, canceled) of a line."""
        line = self.here.lines[number]
        return line.open, line.shipped, line.canceled

    @property
    def refunds(self) -> list[int]:
        return [refund.amount for refund in self.here.refunds.values()]

    @property
    def status(self) -> str:
        return str(self.shown["status"])

    @property
    def shown(self) -> dict[str, Any]:
        return show(self.here, None, self.here.recorded_at)

    def request(self, request_id: str = "r1") -> str:
        return self.here.requests[request_id].status

    def may(self, action: str, at: str) -> Verdict:
        """The verdict on an action as of an instant."""
        now = parse_instant(at)
        return may(action, as_of(self.here, self.policies, self.market, now), self.policies, self.market, now)

    def changes(self, action: str, at: str) -> str | None:
        instant = self.may(action, at).next_change_at
        return None if instant is None else format_instant(instant)


def check(order: Order) -> None:
    """Invariants of every order at every version."""
    for line in order.lines.values():
        assert line.ordered == line.open + line.shipped + line.canceled, line
        assert min(line.open, line.shipped, line.canceled, line.returning, line.came_back) >= 0, line
        assert line.returning + line.came_back <= line.shipped, line
        assert line.credited <= line.ordered, line
    if not order.exists:
        return
    check_money(order)
    for payment in order.payments.values():
        assert min(payment.authorized, payment.captured, payment.refunding, payment.voiding, payment.refunded) >= 0


def check_money(order: Order) -> None:
    """Money adds up, counted from refunds, payments and other refunds."""
    totals, refunds, payments = money(order), order.refunds.values(), order.payments.values()
    assert totals["paid_minor"] == sum(payment.authorized + payment.captured for payment in payments)
    assert totals["refund_due_minor"] == sum(refund.due for refund in refunds)
    assert totals["refunded_minor"] == sum(refund.refunded for refund in refunds)
    assert totals["other_refunds_minor"] == sum(other.amount for other in order.others)
    money_in = totals["paid_minor"] + order.rebills_confirmed
    money_out = totals["refund_due_minor"] + totals["refunded_minor"] + totals["other_refunds_minor"]
    assert money_in == totals["kept_minor"] + money_out
    assert order.refunds_instructed == sum(refund.amount for refund in refunds)
    assert order.refunds_instructed >= required(order), "something that is due back was not instructed"
    assert order.refunds_instructed - order.rebill_back >= 0
    for refund in refunds:
        for split in (refund.parts, refund.causes, refund.purposes):
            assert refund.amount == sum(part.amount for part in split), refund
        assert all(part.amount > 0 and 0 <= part.left <= part.amount for part in refund.parts)
        assert not refund.failed or refund.status == "due"
        assert not refund.waiting or refund.status == "due"
        assert refund.status not in ("confirmed", "settled_elsewhere") or not any(part.left for part in refund.parts)
    for payment in payments:
        check_payment(order, payment)
    assert list(order.holding) == [id for id, payment in order.payments.items() if payment.free]
    assert order.value_owed == sum(max(0, value - cover) for value, cover in worth_and_cover(order))
    owed = sum(each.amount for each in order.owed)
    main = order.refunds_instructed - order.excess_instructed - order.rebill_instructed
    assert owed >= max(0, order.value_owed - main)


def check_payment(order: Order, payment: Payment) -> None:
    """What a payment holds, counted from the parts of refunds."""
    parts = [
        (part, part.confirmed + part.elsewhere if refund.status == "withdrawn" else part.amount)
        for refund in order.refunds.values()
        for part in refund.parts
        if part.payment_id == payment.payment_id
    ]
    assert payment.refunded == sum(part.confirmed for part, _ in parts)
    assert payment.refunding == sum(taken for part, taken in parts if part.kind == "refund")
    assert payment.voiding == sum(taken for part, taken in parts if part.kind == "void")
    assert payment.voided == sum(part.confirmed + part.elsewhere for part, _ in parts if part.kind == "void")
    assert payment.refunding <= payment.captured, "a part is more than its payment holds"
    assert payment.voiding <= payment.authorized, "a void is more than its payment holds"
    if payment.elsewhere + payment.refunding + payment.voiding > payment.authorized + payment.captured:
        assert order.others, "only a chargeback takes more than a payment holds"


def worth_and_cover(order: Order) -> list[tuple[int, int]]:
    """V and O of each line, of the order's shipping and of each fee."""
    found = []
    for line in order.lines.values():
        values = (line.goods, line.credited), (line.tax, line.credited)
        shipped = (line.shipping, line.shipping_credited), (line.shipping_tax, line.shipping_credited)
        worth = sum(math.ceil(Fraction(units * amount, line.ordered)) for amount, units in (*values, *shipped))
        found.append((worth, line.covered))
    if order.with_order_credited:
        terms = order.terms
        tax = 0 if terms.tax_included else 1
        found.append((terms.shipping + tax * terms.shipping_tax, order.shipping_covered))
        found += [
            (fee.amount + tax * fee.tax, order.fees_covered.get(fee.fee_id, 0))
            for fee in terms.fees
            if fee.refundable == "with-order"
        ]
    return found
