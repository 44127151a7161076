"""A small second picture of one order: quantities, ids, deadlines, over its money.

Written from docs/reference/money.md and deadlines.md alone.

It is given what was accepted and computes the required state. Nothing of the domain is imported here.
"""

from typing import Any

from tests.spec.model.purse import Bad, No, Purse
from tests.spec.model.records import Credit, Due, Notice, Parcel, Request, Return, Units
from tests.spec.model.terms import FAULTS, Terms

__all__ = ["Bad", "Ledger", "No"]


class Ledger(Purse):
    """One order's quantities and deadlines."""

    def __init__(self, terms: Terms, order: dict[str, Any], at: int) -> None:
        super().__init__(terms, order)
        self.order_id = str(order["order_id"])
        self.placed_at = at
        self.format = order.get("sale_format", "fixed")
        self.requests: dict[str, Request] = {}
        self.notices: dict[str, Notice] = {}
        self.parcels: list[Parcel] = []
        self.returns: dict[str, Return] = {}
        self.dues: list[Due] = []
        self.counted: dict[str, int] = {}
        self.ship_by: int | None = order.get("ship_by")
        self.proposed: int | None = None
        self.emptied: dict[int, tuple[int, str, Request | None, bool]] = {}
        """Lines of which this commit canceled something: when, why, for whom, and whether by fill-or-kill."""
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

    def credit(self, number: int, count: int, cause: str, canceled_at: int | None, shipping: bool) -> None:
        """Count units in V; ``canceled_at`` None: they came back. ``shipping``: with their share of the line's."""
        line = self.lines[number]
        before = self.worth(line, line.credited, line.shipping_credited)
        line.credited += count
        line.shipping_credited += count * shipping
        worth = self.worth(line, line.credited, line.shipping_credited) - before
        self.fresh[cause] = self.fresh.get(cause, 0) + worth
        self.credits.append(Credit(number, count, cause, canceled_at, shipping))

    def credit_shipping(self, number: int, count: int, cause: str) -> None:
        """Count the line's shipping alone: the goods were refunded before."""
        line = self.lines[number]
        before = self.worth(line, line.credited, line.shipping_credited)
        line.shipping_credited += count
        worth = self.worth(line, line.credited, line.shipping_credited) - before
        self.fresh[cause] = self.fresh.get(cause, 0) + worth

    # ---- requests ------------------------------------------------------------------------------------------------

    def waiting(self) -> list[tuple[str, Request]]:
        """The open requests."""
        return [(name, request) for name, request in self.requests.items() if request.status == "open"]

    def left(self, request: Request) -> tuple[Units, Units]:
        """Units of a request that are open, and shipped ones that may be returned. Unrequested units ship first."""
        here = {x: min(request.rest(x), self.lines[x].open) for x in request.asked}
        gone = {x: min(request.rest(x) - here[x], self.lines[x].free) for x in request.asked}
        return {x: n for x, n in here.items() if n}, {x: n for x, n in gone.items() if n > 0}

    def cancel(
        self,
        number: int,
        count: int,
        at: int,
        request: Request | None = None,
        *,
        cause: str = "request",
        killed: bool = False,
    ) -> None:
        """Open units become canceled, those that an open request asks for first."""
        line = self.lines[number]
        line.open -= count
        if killed:
            line.killed += count
        else:
            line.plain += count
        self.credit(number, count, cause, at, shipping=True)
        self.emptied[number] = (at, cause, request, killed)
        for each in self.requests.values():
            if (each.status == "open" or each is request) and number in each.asked:
                each.got[number] = min(each.asked[number], each.got.get(number, 0) + count)

    def cancel_parts(self) -> None:
        """Where a cancellation left nothing of a line open, what is part of it is canceled too."""
        for number, (at, cause, request, killed) in list(self.emptied.items()):
            if not self.lines[number].open:
                for part, line in self.lines.items():
                    if line.part_of == number and line.open:
                        self.cancel(part, line.open, at, request, cause=cause, killed=killed)
        self.emptied.clear()

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
    def settled_by_the_carrier(self) -> bool:
        """Every shipped unit was delivered, or reported lost or damaged."""
        return all(x.delivered + x.undelivered >= x.shipped for x in self.lines.values())

    @property
    def status(self) -> str:
        """The status as in ``order show``: the first that fits."""
        if not self.open_units and not self.shipped_units:
            return "canceled"
        if self.waiting():
            return "cancel_requested"
        if not self.open_units and self.settled_by_the_carrier:
            return "delivered" if any(x.delivered for x in self.lines.values()) else "undelivered"
        if not self.open_units:
            return "shipped"
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

    def open_return(
        self,
        lines: Units,
        about: str | None,
        pays: str,
        kind: str = "shipped",
        *,
        at: int,
        now: bool = False,
        fault: bool = False,
        outcome: str = "",
        cause: str = "return",
    ) -> None:
        """Units are to come back."""
        name = f"return-{len(self.returns) + 1}"
        back = self.returns[name] = Return(dict(lines), about or name, pays, kind, fault=fault, outcome=outcome)
        back.begun = bool(outcome)
        if kind == "shipped":
            for number, count in lines.items():
                self.lines[number].returning += count
        if now:
            self.refund_return(back, cause)
        length = self.terms.setting("returns", "ship-within")
        if length is not None and not now and not back.begun and kind != "declined":
            self.set("return-ship", self.terms.after(at, length), name)

    def refund_return(self, back: Return, cause: str = "return") -> None:
        """Refund what has not come back yet of a return of shipped units, once."""
        if back.kind == "shipped" and not back.refunded:
            back.refunded = True
            for number, count in back.left.items():
                self.credit(number, count, cause, None, shipping=self.with_shipping(back, cause))

    def with_shipping(self, back: Return, cause: str = "return") -> bool:
        """Whether a return's units have their line's shipping refunded with the goods."""
        return back.fault or cause != "return"

    def free(self, back: Return, status: str) -> None:
        """A return ends without its units, and they can be returned again."""
        if back.kind == "shipped":
            for number, count in back.left.items():
                self.lines[number].returning -= count
        back.status = status
