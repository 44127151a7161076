"""The refunds of docs/reference/money.md, computed again from events alone, as plainly as possible.

Written from the document, not from the domain: nothing of it is imported here but the events' classes. What becomes of
the money of each payment is in ``tenders.py``.
"""

from dataclasses import dataclass, field
from typing import Final

from domain import events as e
from tests.simulation.tenders import Tenders

FAULTS: Final = ("not_as_described", "missing_item", "not_authentic", "wrong_item")
GONE: Final = ("lost", "damaged_in_transit")


def shares(amount: int, weights: list[int]) -> list[int]:
    """Largest remainder, ties to the first; a negative amount by its absolute value; all weights 0: to the first."""
    if amount < 0:
        return [-share for share in shares(-amount, weights)]
    if not sum(weights):
        return [amount] + [0] * (len(weights) - 1)
    exact = [(amount * weight) % sum(weights) for weight in weights]
    found = [(amount * weight) // sum(weights) for weight in weights]
    for _ in range(amount - sum(found)):
        best = max(range(len(weights)), key=lambda i: (exact[i], -i))
        found[best] += 1
        exact[best] = -1
    return found


def of_units(amount: int, units: int, first: int) -> int:
    """The part of a sum that the first k of n units carry."""
    return (first * amount + units - 1) // units


@dataclass(slots=True)
class Item:
    """A line: its units, its four amounts, how many units count in V, and what was given back elsewhere for it."""

    ordered: int
    goods: int
    tax: int
    shipping: int
    shipping_tax: int
    open: int
    shipped: int = 0
    canceled: int = 0
    undelivered: int = 0
    sent_back: int = 0
    covered: int = 0

    def value(self, units: int, carried: int) -> int:
        """V of so many units, of which so many with their shipping."""
        goods = of_units(self.goods, self.ordered, units) + of_units(self.tax, self.ordered, units)
        return goods + sum(of_units(x, self.ordered, carried) for x in (self.shipping, self.shipping_tax))

    def owed(self, units: int, carried: int) -> int:
        """What of it other refunds do not cover."""
        return max(0, self.value(units, carried) - self.covered)


@dataclass(slots=True)
class Unit:
    """A unit of a line that entered V. ``counts``: its goods did; ``carried``: its shipping did."""

    line: int
    counts: bool
    carried: bool
    billable: bool
    """Whether it was canceled or lost: it can be billed again."""


@dataclass(slots=True)
class Back:
    """A return. ``of_canceled``: of units that were canceled and had shipped."""

    left: dict[int, int]
    of_canceled: bool
    rebilled: bool
    outcome: str | None
    carried: bool
    refunded: bool = False
    closed: bool = False


@dataclass(slots=True)
class Billing:
    """A rebilling: the amount of each of its units, and of those what came back."""

    amount: int
    units: dict[int, list[int]]
    confirmed: bool = False
    back: int = 0


@dataclass(slots=True)
class Account:
    """Money and quantities of an order, from its events."""

    placed: e.OrderPlaced | None = None
    lines: dict[int, Item] = field(default_factory=dict)
    fees: dict[str, int] = field(default_factory=dict)
    """The value of each fee that goes back with the order."""
    tenders: Tenders = field(default_factory=Tenders)
    other: int = 0
    units: list[Unit] = field(default_factory=list)
    """All units that entered V, in their order."""
    shipping_covered: int = 0
    fees_covered: dict[str, int] = field(default_factory=dict)
    with_order: bool = False
    """Whether the order's shipping is due back."""
    notices: set[str] = field(default_factory=set)
    """Shipping notices in force: a voided one never shipped."""
    rules: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    """Request → the rule that decided it, and the one that decides if its alternatives are declined."""
    returns: dict[str, Back] = field(default_factory=dict)
    billings: dict[str, Billing] = field(default_factory=dict)
    billed: dict[int, int] = field(default_factory=dict)
    """Units of each line that were billed again."""
    wrong: str | None = None
    """What contradicts the document in an event, if anything does."""
    highest: int = 0

    def take(self, event: e.Event) -> None:
        """One event, in the order of the log."""
        match event:
            case e.OrderPlaced():
                self._placed(event)
            case e.OtherRefundRecorded():
                self._other(event)
            case e.CancelRequested(request_id=request_id, verdict=verdict):
                self.rules[request_id] = verdict.rule, None
            case e.AlternativeOffered(request_id=request_id, verdict=verdict):
                self.rules[request_id] = self.rules[request_id][0], verdict.rule
            case e.AlternativesDeclined(request_id=str(request_id)):
                before, then = self.rules[request_id]
                self.rules[request_id] = then or before, None
            case e.LinesCanceled(lines=lines):
                for part in lines:
                    self._cancel(part.line, part.quantity)
            case e.AutoCanceled(line=line, quantity=quantity):
                self._cancel(line, quantity)
            case e.LineShipped(line=line, quantity=quantity) | e.LinePartiallyShipped(line=line, quantity=quantity):
                self.lines[line].open -= quantity
                self.lines[line].shipped += quantity
                self.notices.add(event.shipment_id)
            case e.ShipmentVoided():
                self.notices.discard(event.shipment_id)
                for back in event.lines:
                    self.lines[back.line].open += back.quantity
                    self.lines[back.line].shipped -= back.quantity
            case e.ParcelUndelivered(outcome=outcome, lines=lines) if outcome in GONE:
                for unit in lines:
                    self.lines[unit.line].undelivered += unit.quantity
                    self._credit(unit.line, unit.quantity, carried=True, billable=True)
            case e.RebillDue():
                self._bill(event)
            case e.Rebilled(rebill_id=rebill_id):
                self.billings[rebill_id].confirmed = True
            case e.ReturnOpened():
                self._return(event)
            case e.ReturnAccepted(refund_now=True, return_id=return_id):
                self._refund_now(self.returns[return_id])
            case e.ReturnReceived():
                self._received(event)
            case e.ReturnClosed(return_id=return_id, outcome=outcome):
                found = self.returns[return_id]
                if outcome == "refund":
                    self._came_back(found, dict(found.left))
                found.closed = True
            case _:
                pass
        self.wrong = self.wrong or self.tenders.take(event, self)
        items = self.lines.values()
        self.with_order |= all(x.open == 0 for x in items) and (
            not self.notices or all(x.shipped == x.undelivered + x.sent_back for x in items)
        )

    # ---- what happens -------------------------------------------------------------------------------------------

    def _placed(self, event: e.OrderPlaced) -> None:
        self.placed = event
        on_top = 0 if event.tax_included else 1
        values = [_before_discount(line) - line.discount for line in event.lines]
        off = shares(event.discount - event.rounding, values)
        for line, value, share in zip(event.lines, values, off, strict=True):
            taxes = line.tax * on_top, line.shipping, line.shipping_tax * on_top
            self.lines[line.line] = Item(line.quantity, value - share, *taxes, open=line.quantity)
        for fee in event.fees:
            if fee.refundable == "with-order":
                self.fees[fee.fee_id] = fee.amount + fee.tax * on_top

    def _other(self, event: e.OtherRefundRecorded) -> None:
        self.other += event.amount
        for cover in event.covers:
            if cover.line is not None:
                self.lines[cover.line].covered += cover.amount
            elif cover.fee_id is not None:
                self.fees_covered[cover.fee_id] = self.fees_covered.get(cover.fee_id, 0) + cover.amount
            else:
                self.shipping_covered += cover.amount

    def _cancel(self, line: int, quantity: int) -> None:
        self.lines[line].open -= quantity
        self.lines[line].canceled += quantity
        self._credit(line, quantity, carried=True, billable=True)

    def _credit(self, line: int, quantity: int, *, carried: bool, billable: bool = False, counts: bool = True) -> None:
        self.units += [Unit(line, counts, carried, billable) for _ in range(quantity)]

    def _return(self, event: e.ReturnOpened) -> None:
        lost = self.rules.get(event.about, ("", None))[0] == "stalled-tracking"
        of_canceled = event.refund == "none"
        back = self.returns[event.return_id] = Back(
            {part.line: part.quantity for part in event.lines},
            of_canceled,
            of_canceled and event.reason is not None,
            event.undelivered,
            lost or event.reason in FAULTS,
        )
        if event.refund == "at_once":
            self._refund_now(back)

    def _refund_now(self, back: Back) -> None:
        """Refund all that is left, before it has come back. Units billed again are paid when they have."""
        if not back.refunded and not back.of_canceled:
            back.refunded = True
            for line, quantity in back.left.items():
                self._credit(line, quantity, carried=back.carried)

    def _received(self, event: e.ReturnReceived) -> None:
        back = self.returns[event.return_id]
        units: dict[int, int] = {}
        for part in event.lines:
            units[part.line] = units.get(part.line, 0) + part.quantity
        if not back.closed:
            self._came_back(back, units or dict(back.left))

    def _came_back(self, back: Back, units: dict[int, int]) -> None:
        if back.rebilled:
            self._rebilled_back(units)
        sent_back = back.outcome == "returned_to_sender"
        for line, quantity in units.items():
            back.left[line] -= quantity
            if back.of_canceled:
                continue
            self.lines[line].sent_back += quantity if sent_back else 0
            if not back.refunded:
                self._credit(line, quantity, carried=back.carried or sent_back)
            elif sent_back:
                self._credit(line, quantity, carried=True, counts=False)

    # ---- billing again ------------------------------------------------------------------------------------------

    def _bill(self, event: e.RebillDue) -> None:
        """The refunds of the lines' next units that can be billed: their part of all refunds."""
        billing = self.billings[event.rebill_id] = Billing(event.amount, {})
        for part in event.lines:
            first = self.billed.get(part.line, 0)
            self.billed[part.line] = first + part.quantity
            ranges = self._ranges(part.line)[first : first + part.quantity]
            billing.units[part.line] = [self._refundable(to) - self._refundable(start) for start, to in ranges]
        amounts = {line: sum(units) for line, units in billing.units.items()}
        if self.tenders.any_withdrawn:
            amounts = {line: min(amount, self._given(line, billing)) for line, amount in amounts.items()}
        if sum(amounts.values()) != event.amount:
            self.wrong = f"{event.rebill_id} bills {event.amount}, refunded were {sum(amounts.values())}"

    def _given(self, line: int, billing: Billing) -> int:
        """What refunds gave back for a line that were not withdrawn, and was not billed again before."""
        again = sum(sum(each.units.get(line, ())) for each in self.billings.values() if each is not billing)
        return max(0, self.tenders.given_for(line) - again)

    def _ranges(self, line: int) -> list[tuple[int, int]]:
        """Where each billable unit of a line lies in D, from and to."""
        found: list[tuple[int, int]] = []
        counted = {number: [0, 0] for number in self.lines}
        reached = 0
        for unit in self.units:
            item, now = self.lines[unit.line], counted[unit.line]
            before = item.owed(*now)
            now[0] += unit.counts
            now[1] += unit.carried
            start, reached = reached, reached + item.owed(*now) - before
            if unit.billable and unit.line == line:
                found.append((start, reached))
        return found

    def _rebilled_back(self, units: dict[int, int]) -> None:
        """The part of the confirmed rebillings that these units have: the earlier ones first, each unit once."""
        for line, quantity in units.items():
            left = quantity
            for billing in self.billings.values():
                each = billing.units.get(line, [])
                if not billing.confirmed or not each or not left:
                    continue
                amount, left, each[:] = sum(each[:left]), max(0, left - len(each)), each[left:]
                rest = billing.amount - billing.back
                billing.back += min(amount, rest) if any(billing.units.values()) else rest

    @property
    def rebilled_back(self) -> int:
        """B: the rebilled amount of units that came back."""
        return sum(billing.back for billing in self.billings.values())

    # ---- the formula --------------------------------------------------------------------------------------------

    @property
    def paid(self) -> int:
        return self.tenders.paid

    @property
    def excess(self) -> int:
        """X: the money paid beyond the total."""
        return max(0, self.paid - self.total)

    @property
    def owed(self) -> int:
        """D: what is due back and is not covered by other refunds."""
        assert self.placed is not None
        found = 0
        for number, item in self.lines.items():
            units = [unit for unit in self.units if unit.line == number]
            found += item.owed(sum(unit.counts for unit in units), sum(unit.carried for unit in units))
        if self.with_order:
            shipping = self.placed.shipping + (0 if self.placed.tax_included else self.placed.shipping_tax)
            found += max(0, shipping - self.shipping_covered)
            found += sum(max(0, value - self.fees_covered.get(fee_id, 0)) for fee_id, value in self.fees.items())
        return found

    def _refundable(self, owed: int) -> int:
        """The sum of all refunds for this D, without rebillings and without money paid beyond the total."""
        most = min(self.paid, self.total) - self.other
        return max(0, min(max(0, owed - max(0, self.total - self.paid)), most))

    @property
    def due(self) -> int:
        """min(max(0, D − U), min(paid, total) − other refunds) + X + B."""
        if self.placed is None:
            return 0
        most = min(self.paid, self.total) - self.other
        return min(max(0, self.owed - max(0, self.total - self.paid)), most) + self.excess + self.rebilled_back

    @property
    def total(self) -> int:
        """The price of the order, from its own lines and fees."""
        assert self.placed is not None
        order = self.placed
        found = sum(_before_discount(line) - line.discount + line.shipping for line in order.lines)
        found += sum(fee.amount for fee in order.fees) + order.shipping + order.rounding - order.discount
        if not order.tax_included:
            found += sum(line.tax + line.shipping_tax for line in order.lines) + order.shipping_tax
            found += sum(fee.tax for fee in order.fees)
        return found


def _before_discount(line: e.PlacedLine) -> int:
    return line.quantity * line.unit_price if line.amount is None else line.amount
