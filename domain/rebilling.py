"""Computes the refunds of canceled units, in order to bill them again. See docs/reference/money.md, Rebilling.

Units are counted and never listed, because a line may have a billion of them.
"""

from domain.balance import most, unpaid
from domain.order import Billed, Order, Run


def billed(order: Order, line: int) -> int:
    """Return the number of units of a line that were billed again, confirmed or not."""
    return sum(x.lines.get(line, 0) for x in order.rebills.values())


def units_refunded(order: Order, lines: dict[int, int]) -> dict[int, Billed]:
    """Select canceled or lost units of these lines for a rebilling, oldest first, without those already billed.

    All refunds together are f(D) = min(max(0, D − U), min(paid, total) − other refunds). Units are credited in an
    order, so each one covers a range [a, b) of D, and f(b) − f(a) was refunded for it.
    """
    limits = unpaid(order), most(order)
    skip = {n: billed(order, n) for n in lines}
    left = dict(lines)
    found = {n: Billed(*limits, order.lines[n].covered) for n in lines}
    credited: dict[int, tuple[int, int]] = {}
    value = 0
    for credit in order.credits:
        n, line = credit.line, order.lines[credit.line]
        units, shipped = credited.get(n, (0, 0))
        until = credited[n] = units + credit.units, shipped + credit.shipping
        before = line.due(units, shipped, line.covered)
        if (credit.canceled_at is not None or credit.cause == "undelivered") and left.get(n):
            skipped = min(skip[n], credit.units)
            skip[n] -= skipped
            taken = min(left[n], credit.units - skipped)
            left[n] -= taken
            if taken:
                start, ship_start = units + skipped, shipped + (skipped if credit.shipping else 0)
                first = value + line.due(start, ship_start, line.covered) - before
                found[n].runs.append(Run(taken, start, ship_start, credit.shipping > 0, first))
        value += line.due(*until, line.covered) - before
    return found


def to_bill(order: Order, lines: dict[int, int]) -> int:
    """The amount that was refunded for these units, in minor units. A withdrawn refund gave nothing back."""
    billed_units = units_refunded(order, lines)
    amounts = {n: units.amount(order.lines[n], units.units) for n, units in billed_units.items()}
    if any(refund.status == "withdrawn" for refund in order.refunds.values()):
        amounts = {n: min(amount, _given_back(order, n)) for n, amount in amounts.items()}
    return sum(amounts.values())


def _given_back(order: Order, line: int) -> int:
    """What refunds gave back for a line and was not billed again."""
    given = sum(
        purpose.amount
        for refund in order.refunds.values()
        if refund.status != "withdrawn"
        for purpose in refund.purposes
        if purpose.line == line
    )
    again = sum(
        x.units[line].amount(order.lines[line], x.lines[line]) for x in order.rebills.values() if line in x.lines
    )
    return max(0, given - again)
