"""A small second picture of one order: quantities, money, ids, deadlines.

Written from docs/reference/money.md and deadlines.md alone.

It is given what was accepted and computes the required state. Nothing of the domain is imported here.
"""

from typing import Any

from tests.simulation.money import shares
from tests.spec.model.records import Due, Line, Notice, Parcel, Request, Return, Units
from tests.spec.model.terms import FAULTS, Terms


class No(Exception):
    """Refused, with one of these rules: one where the contract orders its checks, several where it leaves room."""

    def __init__(self, *rules: str) -> None:
        super().__init__(*rules)
        self.rules = set(rules)


class Bad(Exception):
    """Malformed in the light of the order: it leaves nothing behind."""


def cents(text: str) -> int:
    """An amount with at most two decimals, in minor units."""
    whole, _, part = text.lstrip("-").partition(".")
    return (-1 if text.startswith("-") else 1) * (int(whole) * 100 + int(part.ljust(2, "0")))


class Ledger:
    """One order's quantities, money and deadlines."""

    def __init__(self, terms: Terms, order: dict[str, Any], at: int) -> None:
        self.terms = terms
        self.order_id = str(order["order_id"])
        self.placed_at = at
        self.format = order.get("sale_format", "fixed")
        self.lines: dict[int, Line] = {}
        rows = order["lines"]
        values = [x["quantity"] * cents(x["unit_price"]) - cents(x.get("discount", "0")) for x in rows]
        off = cents(order.get("discount", "0")) - cents(order.get("rounding", "0"))
        included = bool(order.get("tax_included", False))
        for row, value, share in zip(rows, values, shares(off, values), strict=True):
            units, tax = row["quantity"], 0 if included else cents(row.get("tax", "0"))
            self.lines[row["line"]] = Line(units, value - share, tax, open=units)
        self.shipping = cents(order.get("shipping", "0")) + (0 if included else cents(order.get("shipping_tax", "0")))
        self.total = sum(x.goods + x.tax for x in self.lines.values()) + self.shipping
        self.paid = self.total if order.get("paid", True) else 0
        self.other = self.instructed = self.rebilled_back = 0
        self.credits: list[tuple[int, int | None]] = []
        """Units counted in V, oldest first: of which line, and whether by a cancellation."""
        self.refunds: dict[str, list[Any]] = {}
        """refund id → amount, status, failed"""
        self.requests: dict[str, Request] = {}
        self.notices: dict[str, Notice] = {}
        self.parcels: list[Parcel] = []
        self.returns: dict[str, Return] = {}
        self.dues: list[Due] = []
        self.counted: dict[str, int] = {}
        self.ship_by: int | None = order.get("ship_by")
        self.proposed: int | None = None
        if terms.has("unpaid-auto-cancel") and not order.get("paid", True):
            by_then = terms.after(at, terms.setting("unpaid-auto-cancel", "after"))
            self.set("unpaid", order.get("pay_by") or by_then, self.order_id)
        self.late_ship()

    # ---- deadlines -----------------------------------------------------------------------------------------------

    def set(self, kind: str, at: int, ref: str) -> None:
        """Set a deadline under the next number of its kind, instead of an earlier one about the same matter."""
        self.dues = [due for due in self.dues if (due.kind, due.ref) != (kind, ref)]
        self.counted[kind] = self.counted.get(kind, 0) + 1
        self.dues.append(Due(kind, self.counted[kind], at, ref))

    def late_ship(self) -> None:
        """Set the deadline at which unshipped units are canceled automatically."""
        if self.terms.has("late-ship-auto-cancel") and self.ship_by is not None:
            length = self.terms.setting("late-ship-auto-cancel", "after-ship-by")
            self.set("late-ship", self.terms.after(self.ship_by, length), self.order_id)

    # ---- sums ----------------------------------------------------------------------------------------------------

    @property
    def open_units(self) -> int:
        return sum(x.open for x in self.lines.values())

    @property
    def shipped_units(self) -> int:
        return sum(x.shipped for x in self.lines.values())

    @property
    def value(self) -> int:
        """V: the value of units canceled, returned or refunded, with shipping once due."""
        shipped = any(notice.status != "void" for notice in self.notices.values())
        everything = all(x.canceled == x.ordered for x in self.lines.values()) and not shipped
        return sum(x.worth(x.credited) for x in self.lines.values()) + (self.shipping if everything else 0)

    @property
    def unpaid(self) -> bool:
        return self.paid < self.total - self.value

    def refunded(self, value: int) -> int:
        """The sum of all refunds if so much is due back, without rebillings."""
        return max(0, min(max(0, value - max(0, self.total - self.paid)), self.paid - self.other))

    def settle(self) -> None:
        """After a commit: one refund, of the increase."""
        due = self.refunded(self.value) + self.rebilled_back
        if due > self.instructed:
            self.refunds[f"refund-{len(self.refunds) + 1}"] = [due - self.instructed, "due", False]
            self.instructed = due

    def credit(self, number: int, count: int, canceled_at: int | None) -> None:
        """Count units in V. None: they were returned."""
        self.lines[number].credited += count
        self.credits += [(number, canceled_at)] * count

    # ---- requests ------------------------------------------------------------------------------------------------

    def waiting(self) -> list[tuple[str, Request]]:
        """The open requests."""
        return [(name, request) for name, request in self.requests.items() if request.status == "open"]

    def left(self, request: Request) -> tuple[Units, Units]:
        """Units of a request that are open, and shipped ones that may be returned. Unrequested units ship first."""
        here = {x: min(request.rest(x), self.lines[x].open) for x in request.asked}
        gone = {x: min(request.rest(x) - here[x], self.lines[x].free) for x in request.asked}
        return {x: n for x, n in here.items() if n}, {x: n for x, n in gone.items() if n > 0}

    def cancel(self, number: int, count: int, at: int, request: Request | None = None, killed: bool = False) -> None:
        """Cancel open units, requested ones first."""
        line = self.lines[number]
        line.open -= count
        if killed:
            line.killed += count
        else:
            line.plain += count
        self.credit(number, count, at)
        for each in self.requests.values():
            if (each.status == "open" or each is request) and number in each.asked:
                each.got[number] = min(each.asked[number], each.got.get(number, 0) + count)

    def close_answered(self) -> None:
        """Close requests without open units. Under mutual consent shipped units stay requested."""
        for _, request in self.waiting():
            here, gone = self.left(request)
            if not here and not (self.terms.mutual and gone):
                got = sum(request.got.values())
                whole = got == sum(request.asked.values())
                request.status = "approved" if whole else "partly" if got else "shipped"

    # ---- parcels -------------------------------------------------------------------------------------------------

    def tracked(self, number: int) -> bool:
        """Whether the carrier tracks a parcel with this line that has not arrived."""
        return any(x.lines.get(number) and not x.delivered for x in self.parcels) or any(
            x.status == "tracking" and number in x.lines for x in self.notices.values()
        )

    @property
    def all_delivered(self) -> bool:
        return self.shipped_units > 0 and all(x.delivered >= x.shipped for x in self.lines.values())

    @property
    def status(self) -> str:
        """The status as in ``order show``: the first that fits."""
        if not self.open_units and not self.shipped_units:
            return "canceled"
        if self.waiting():
            return "cancel_requested"
        if not self.open_units:
            return "delivered" if self.all_delivered else "shipped"
        if self.shipped_units:
            return "partly_shipped"
        if any(x.canceled for x in self.lines.values()):
            return "partly_canceled"
        return "unpaid" if self.unpaid else "open"

    # ---- returns -------------------------------------------------------------------------------------------------

    def postage(self, reason: str | None) -> str:
        """The side that pays if the platform does not: the policy's, else the buyer unless the goods are at fault."""
        postage = str(self.terms.setting("returns", "postage"))
        return postage if postage != "None" else "seller" if reason in FAULTS else "buyer"

    def open_return(self, lines: Units, about: str | None, pays: str, kind: str = "shipped", now: bool = False) -> None:
        """Open a return of these units."""
        name = f"return-{len(self.returns) + 1}"
        back = self.returns[name] = Return(dict(lines), about or name, pays, kind)
        if kind == "shipped":
            for number, count in lines.items():
                self.lines[number].returning += count
        if now:
            self.refund_return(back)

    def refund_return(self, back: Return) -> None:
        """Refund a return of shipped units, once."""
        if back.kind == "shipped" and not back.refunded:
            back.refunded = True
            for number, count in back.lines.items():
                self.credit(number, count, None)
