"""The refunds of docs/reference/money.md, computed again from events alone, as plainly as possible.

Written from the document, not from the domain: nothing of it is imported here but the events' classes.
"""

from domain import events as e


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


class Account:
    """Money and quantities of an order, from its events."""

    def __init__(self) -> None:
        self.placed: e.OrderPlaced | None = None
        self.paid = 0
        self.other = 0
        self.instructed = 0
        self.credited: dict[int, int] = {}
        self.open: dict[int, int] = {}
        self.shipped: dict[int, int] = {}
        self.canceled: dict[int, int] = {}
        self.ordered: dict[int, int] = {}
        self.goods: dict[int, tuple[int, int]] = {}
        self.notices: set[str | None] = set()
        """Shipping notices in force: a voided one never shipped."""
        self.had: dict[int, list[tuple[int, int]]] = {}
        """Of each line the cancelled units, oldest first: where each lies in V, from and to."""
        self.rebills: dict[str, dict[int, list[int]]] = {}
        """Rebilling → line → amount billed for each unit, without returned units."""
        self.billed: dict[int, int] = {}
        self.rebilled: set[str] = set()
        self.rebilled_back = 0
        """The rebilled amount of units that were returned anyway."""
        self.returns: dict[str, dict[int, int]] = {}
        self.refunded_returns: set[str] = set()
        self.of_canceled: dict[str, bool] = {}
        """Returns of cancelled units that had shipped: no refund of theirs; whether they were rebilled."""
        self.highest = 0

    def take(self, event: e.Event) -> None:
        """One event, in the order of the log."""
        match event:
            case e.OrderPlaced():
                self._placed(event)
            case e.PaymentReceived(amount=amount):
                self.paid += amount
            case e.OtherRefundRecorded(amount=amount):
                self.other += amount
            case e.LinesCanceled(lines=lines):
                for part in lines:
                    self._cancel(part.line, part.quantity)
            case e.AutoCanceled(line=line, quantity=quantity):
                self._cancel(line, quantity)
            case e.LineShipped(line=line, quantity=quantity) | e.LinePartiallyShipped(line=line, quantity=quantity):
                self.open[line] -= quantity
                self.shipped[line] += quantity
                self.notices.add(event.shipment_id)
            case e.ShipmentVoided():
                self.notices.discard(event.shipment_id)
                for back in event.lines:
                    self.open[back.line] += back.quantity
                    self.shipped[back.line] -= back.quantity
            case e.RebillDue():
                self.rebills[event.rebill_id] = {
                    part.line: self._bill(part.line, part.quantity) for part in event.lines
                }
            case e.Rebilled():
                self.rebilled.add(event.rebill_id)
            case e.ReturnOpened():
                self.returns[event.return_id] = {part.line: part.quantity for part in event.lines}
                if event.refund == "none":
                    self.of_canceled[event.return_id] = event.reason is not None
                if event.refund == "at_once":
                    self._refund_return(event.return_id)
            case e.ReturnAccepted(refund_now=True, return_id=return_id):
                if return_id not in self.of_canceled:  # what was billed again is due back when it has come back
                    self._refund_return(return_id)
            case e.ReturnReceived(return_id=return_id):
                self._refund_return(return_id)
            case e.RefundDue(amount=amount):
                self.instructed += amount
            case _:
                pass

    def _placed(self, event: e.OrderPlaced) -> None:
        self.placed = event
        values = [line.quantity * line.unit_price - line.discount for line in event.lines]
        for line, value, share in zip(
            event.lines, values, shares(event.discount - event.rounding, values), strict=True
        ):
            self.goods[line.line] = (value - share, 0 if event.tax_included else line.tax)
            self.ordered[line.line] = self.open[line.line] = line.quantity
            self.shipped[line.line] = self.canceled[line.line] = self.credited[line.line] = 0

    def _cancel(self, line: int, quantity: int) -> None:
        self.open[line] -= quantity
        self.canceled[line] += quantity
        for _ in range(quantity):
            before = self.credited_value
            self.credited[line] += 1
            self.had.setdefault(line, []).append((before, self.credited_value))

    def _bill(self, line: int, quantity: int) -> list[int]:
        """The refunds of the line's next units to be rebilled: their part of all refunds."""
        first = self.billed.get(line, 0)
        self.billed[line] = first + quantity
        return [
            self._refundable(to) - self._refundable(start) for start, to in self.had[line][first : first + quantity]
        ]

    def _refundable(self, value: int) -> int:
        """The sum of all refunds for this V, without rebillings and without money paid beyond the total."""
        most = min(self.paid, self.total) - self.other
        return max(0, min(max(0, value - max(0, self.total - self.paid)), most))

    def _refund_return(self, return_id: str) -> None:
        if return_id in self.refunded_returns:
            return
        self.refunded_returns.add(return_id)
        if self.of_canceled.get(return_id):
            self._rebilled_back(return_id)
        elif return_id not in self.of_canceled:
            for line, quantity in self.returns[return_id].items():
                self.credited[line] += quantity

    def _rebilled_back(self, return_id: str) -> None:
        """The part of the confirmed rebillings that these units have: the earlier ones first, each unit once."""
        for line, quantity in self.returns[return_id].items():
            units = [x for name, x in self.rebills.items() if name in self.rebilled]
            for each in [of[line] for of in units if line in of]:
                self.rebilled_back += sum(each[:quantity])
                quantity, each[:] = max(0, quantity - len(each)), each[quantity:]

    @property
    def credited_value(self) -> int:
        """V without shipping."""
        value = 0
        for line, units in self.credited.items():
            goods, tax = self.goods[line]
            value += of_units(goods, self.ordered[line], units) + of_units(tax, self.ordered[line], units)
        return value

    @property
    def due(self) -> int:
        """min(max(0, V − U), min(paid, total) − O), plus the excess paid, plus the rebilled amount that is due back."""
        if self.placed is None:
            return 0
        value = self.credited_value
        if not self.notices and all(self.canceled[line] == units for line, units in self.ordered.items()):
            value += self.placed.shipping + (0 if self.placed.tax_included else self.placed.shipping_tax)
        return self._refundable(value) + max(0, self.paid - self.total) + self.rebilled_back

    @property
    def total(self) -> int:
        """The price of the order, from its own lines."""
        assert self.placed is not None
        order = self.placed
        found = sum(line.quantity * line.unit_price - line.discount for line in order.lines)
        found += order.shipping + order.rounding - order.discount
        if not order.tax_included:
            found += sum(line.tax for line in order.lines) + order.shipping_tax
        return found
