"""What an order's refunds come to: docs/reference/money.md, one small method a sentence, over lines, fees and payments.

Nothing of the domain is imported here. Amounts are in minor units. Every formula is a method of its own, so that a test
can swap it for a wrong one and see that the comparison notices.
"""

from typing import Any, Final

from tests.simulation.money import shares
from tests.spec.model.records import Credit, Fee, Line, Other, Payment, Refund
from tests.spec.model.terms import Terms

DECIMALS: Final = {"USD": 2, "EUR": 2, "JPY": 0, "KWD": 3}
"""Of the currencies that stories are told in."""


def minor(text: str, currency: str) -> int:
    """An amount in minor units."""
    whole, _, part = text.lstrip("-").partition(".")
    places = DECIMALS[currency]
    return (-1 if text.startswith("-") else 1) * int(whole + part.ljust(places, "0")[:places])


class Sums:
    """One order's prices and what of them is due back."""

    def __init__(self, terms: Terms, order: dict[str, Any]) -> None:
        self.terms = terms
        self.currency: str = order.get("currency", "USD")
        self.included = bool(order.get("tax_included", False))
        self.lines: dict[int, Line] = {}
        rows = order["lines"]
        values = [self.goods(x) - self.minor(x.get("discount", "0")) for x in rows]
        off = self.minor(order.get("discount", "0")) - self.minor(order.get("rounding", "0"))
        for row, value, share in zip(rows, values, shares(off, values), strict=True):
            units = row["quantity"]
            self.lines[row["line"]] = Line(
                units,
                value - share,
                self.tax(row, "tax"),
                open=units,
                shipping=self.minor(row.get("shipping", "0")),
                shipping_tax=self.tax(row, "shipping_tax"),
                part_of=row.get("part_of"),
            )
        self.shipping = self.minor(order.get("shipping", "0")) + self.tax(order, "shipping_tax")
        self.fees = {
            x["fee_id"]: Fee(self.minor(x["amount"]), self.tax(x, "tax"), x.get("refundable", "never"))
            for x in order.get("fees", ())
        }
        self.payments: dict[str, Payment] = {}
        self.refunds: dict[str, Refund] = {}
        self.others: dict[str, Other] = {}
        self.credits: list[Credit] = []
        """Units counted in V, oldest first."""
        self.instructed = self.rebilled_back = 0
        self.back_of_rebills: list[tuple[str, int]] = []
        """Money of rebillings that is due back and not instructed yet, by rebilling."""
        self.total = (
            sum(x.goods + x.tax + x.shipping + x.shipping_tax for x in self.lines.values())
            + sum(x.amount + x.tax for x in self.fees.values())
            + self.shipping
        )

    # ---- prices --------------------------------------------------------------------------------------------------

    def minor(self, text: str) -> int:
        return minor(text, self.currency)

    def goods(self, row: dict[str, Any]) -> int:
        """A line's goods before its discount: said for the whole line, or so many times the price."""
        if "amount" in row:
            return self.minor(row["amount"])
        return int(row["quantity"]) * self.minor(row["unit_price"])

    def tax(self, row: dict[str, Any], name: str) -> int:
        """Where prices hold their tax, it is information."""
        return 0 if self.included else self.minor(row.get(name, "0"))

    # ---- V: what is due back of each thing -----------------------------------------------------------------------

    def share(self, amount: int, units: int, first: int) -> int:
        """What the first so many of all units carry: rounded up."""
        return -(-first * amount // units)

    def goods_back(self, line: Line, units: int) -> int:
        return self.share(line.goods, line.ordered, units)

    def tax_back(self, line: Line, units: int) -> int:
        return self.share(line.tax, line.ordered, units)

    def shipping_back(self, line: Line, units: int) -> int:
        """Shipping and its tax, each shared by itself."""
        return self.share(line.shipping, line.ordered, units) + self.share(line.shipping_tax, line.ordered, units)

    def worth(self, line: Line, credited: int, shipping_credited: int) -> int:
        """What is due back of a line for so many units, and for so many of its shipping."""
        return (
            self.goods_back(line, credited)
            + self.tax_back(line, credited)
            + self.shipping_back(line, shipping_credited)
        )

    @property
    def nothing_reached_the_buyer(self) -> bool:
        """Everything is canceled, or was lost, damaged or sent back on its way; nothing is open."""
        return all(not x.open and x.shipped == x.undelivered + x.sent_back for x in self.lines.values())

    def shipping_due(self) -> int:
        """Of the order's shipping."""
        return self.shipping if self.nothing_reached_the_buyer else 0

    def fee_due(self, fee: Fee) -> int:
        """It goes back with the order's shipping, or never."""
        back = fee.refundable == "with-order" and self.nothing_reached_the_buyer
        return fee.amount + fee.tax if back else 0

    def things(self) -> dict[object, int]:
        """V of every line, of the order's shipping, and of every fee."""
        found: dict[object, int] = {
            number: self.worth(x, x.credited, x.shipping_credited) for number, x in self.lines.items()
        }
        found["shipping"] = self.shipping_due()
        return found | {("fee", name): self.fee_due(fee) for name, fee in self.fees.items()}

    @property
    def value(self) -> int:
        """V of the whole order."""
        return sum(self.things().values())

    # ---- O, D, U, X ----------------------------------------------------------------------------------------------

    def covered(self, thing: object) -> int:
        """O: what other refunds gave back for it."""
        return sum(x.covers.get(thing, 0) for x in self.others.values())

    def due_back(self) -> int:
        """D: of each thing what is due back and was not given back for it elsewhere."""
        return sum(max(0, value - self.covered(thing)) for thing, value in self.things().items())

    @property
    def paid(self) -> int:
        """Captured and authorized."""
        return sum(x.captured + x.authorized for x in self.payments.values())

    @property
    def other(self) -> int:
        """All other refunds; those that settle a refund are counted with it."""
        return sum(x.amount for x in self.others.values())

    def never_paid(self) -> int:
        """U."""
        return max(0, self.total - self.paid)

    def excess(self) -> int:
        """X."""
        return max(0, self.paid - self.total)

    def most(self) -> int:
        """What refunds of the order itself cannot exceed."""
        return min(self.paid, self.total) - self.other

    def refunded(self, due_back: int) -> int:
        """What the refunds of the order itself come to where so much is due back."""
        return min(max(0, due_back - self.never_paid()), self.most())

    def to_instruct(self) -> int:
        """What all refunds ever instructed sum to; what was billed again and is due back stands beside it."""
        return self.refunded(self.due_back()) + self.excess() + self.rebilled_back

    @property
    def unpaid(self) -> bool:
        return self.paid < self.total - self.value

    # ---- what is shown -------------------------------------------------------------------------------------------

    @property
    def settled(self) -> int:
        """What other refunds settled of the engine's own."""
        return sum(x.settled for x in self.refunds.values() if not x.withdrawn)

    def shown(self) -> dict[str, int]:
        """Refunds by what became of them. What is due counts as a whole until its last part is confirmed."""
        live = [x for x in self.refunds.values() if not x.withdrawn]
        due = sum(x.amount - x.settled for x in live if x.status == "due")
        confirmed = sum(x.amount - x.settled for x in live if x.status == "confirmed")
        return {
            "total_minor": self.total,
            "paid_minor": self.paid,
            "refund_due_minor": due,
            "refunded_minor": confirmed,
            "other_refunds_minor": self.other + self.settled,
        }
