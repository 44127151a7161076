"""What cancelled units had refunded, unit by unit: the basis of billing them again (COMMANDS.md 4)."""

from domain.order import Order


def billed(order: Order, line: int) -> int:
    """Units of a line that were billed again, confirmed or not."""
    return sum(x.lines.get(line, 0) for x in order.rebills.values())


def units_refunded(order: Order, lines: dict[int, int]) -> dict[int, tuple[int, ...]]:
    """What each of these cancelled units had refunded, in minor units: the oldest first, those billed already left out.

    All refunds together are f(V) = min(max(0, V − U), paid − O); a unit that lies at [a, b) of V, in the order in which
    units were credited, had f(b) − f(a).
    """
    unpaid = max(0, order.terms.total - order.paid)

    def refunded(value: int) -> int:
        return max(0, min(max(0, value - unpaid), order.paid - order.other_refunds))

    skip = {n: billed(order, n) for n in lines}
    found: dict[int, list[int]] = {n: [] for n in lines}
    place: dict[int, int] = {}
    value = 0
    for credit in order.credits:
        line = order.lines[credit.line]
        for _ in range(credit.units):
            k = place[credit.line] = place.get(credit.line, 0) + 1
            unit = line.credit(k) - line.credit(k - 1)
            if credit.canceled_at is not None and credit.line in lines:
                if skip[credit.line]:
                    skip[credit.line] -= 1
                elif len(found[credit.line]) < lines[credit.line]:
                    found[credit.line].append(refunded(value + unit) - refunded(value))
            value += unit
    return {n: tuple(units) for n, units in found.items()}
