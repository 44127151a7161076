"""Computes the refunds of canceled units, in order to bill them again. See docs/reference/money.md, Rebilling.

Units are counted and never listed, because a line may have a billion of them.
"""

from domain.order import Billed, Order, Run


def billed(order: Order, line: int) -> int:
    """Return the number of units of a line that were billed again, confirmed or not."""
    return sum(x.lines.get(line, 0) for x in order.rebills.values())


def units_refunded(order: Order, lines: dict[int, int]) -> dict[int, Billed]:
    """Select canceled units of these lines for a rebilling, oldest first, without those that were already billed.

    All refunds together are f(V) = min(max(0, V − U), paid − O). Units are credited in an order, so each one covers a
    range [a, b) of V, and f(b) − f(a) was refunded for it.
    """
    unpaid = max(0, order.terms.total - order.paid)
    skip = {n: billed(order, n) for n in lines}
    left = dict(lines)
    found = {n: Billed(unpaid, order.paid - order.other_refunds) for n in lines}
    credited: dict[int, int] = {}
    value = 0
    for credit in order.credits:
        n, line = credit.line, order.lines[credit.line]
        before = credited.get(n, 0)
        credited[n] = before + credit.units
        if credit.canceled_at is not None and left.get(n):
            skipped = min(skip[n], credit.units)
            skip[n] -= skipped
            taken = min(left[n], credit.units - skipped)
            left[n] -= taken
            if taken:
                start = before + skipped
                found[n].runs.append(Run(taken, start, value + line.credit(start) - line.credit(before)))
        value += credit.value
    return found
