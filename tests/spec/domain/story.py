"""Given, when, then: an order played command by command, without journal or clock.

``Story`` has one order. ``send`` decides a command (deadlines that are due are reached first, as the engine does) and
returns its outcome: ``accepted``, ``refused:RULE`` or ``bad``. After every command the invariants are checked:
quantities and money add up, and folding the events again gives the state that was decided.
"""

from typing import Any

from domain.commands import parse_command
from domain.decide import Decided, authorise, decide, due, reach
from domain.eligibility_queries import as_of, may
from domain.errors import BadInput
from domain.events import CancelRefused, CommandRefused, Event, Sealed, Verdict
from domain.folding import apply
from domain.instants import Instant, format_instant, parse_instant
from domain.marketplace_settings import DEFAULT_MARKET, MarketSettings
from domain.order import Order, Stamp, fresh
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
    totals = money(order)
    refunds = totals["refund_due_minor"] + totals["refunded_minor"] + order.other_refunds
    assert totals["paid_minor"] == totals["kept_minor"] - order.rebills_confirmed + refunds
    assert order.refunds_instructed == sum(refund.amount for refund in order.refunds.values())
    assert order.refunds_instructed >= order.refundable, "something that is due back was not instructed"
    assert 0 <= order.refunds_instructed <= order.paid + order.rebill_back
