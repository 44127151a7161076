"""The payments of an order and what becomes of their money, from events alone. Written from docs/reference/money.md.

``Tenders.take`` returns a sentence if an event contradicts the document, and None otherwise.
"""

from dataclasses import dataclass, field
from typing import Protocol

from domain import events as e


class Money(Protocol):
    """What the parts of a refund depend on, besides the payments."""

    @property
    def excess(self) -> int:
        """The money paid beyond the total."""
        ...

    @property
    def rebilled_back(self) -> int:
        """The rebilled amount that is due back."""
        ...


@dataclass(slots=True)
class Tender:
    """A payment. ``authorized`` includes what was voided."""

    authorized: int
    captured: int
    voids: int = 0
    """Authorized money in parts of refunds that were not withdrawn."""
    refunds: int = 0
    """Captured money in such parts."""
    elsewhere: int = 0
    """Other refunds that were taken from it: captured money first."""
    disputed: bool = False
    """Whether a chargeback is open."""

    def free(self) -> tuple[int, int]:
        """What it still holds: authorized, and captured."""
        captured = self.captured - self.refunds
        beyond = max(0, self.elsewhere - max(0, captured))
        return max(0, self.authorized - self.voids - beyond), max(0, captured - self.elsewhere)


@dataclass(slots=True)
class Share:
    """The part of a refund that goes back to one payment."""

    payment_id: str
    kind: str
    amount: int
    waits: bool
    confirmed: int = 0
    elsewhere: int = 0

    @property
    def left(self) -> int:
        return self.amount - self.confirmed - self.elsewhere


@dataclass(slots=True)
class Paid:
    """A refund: its parts, what it is for, and its status."""

    amount: int
    parts: list[Share]
    purposes: tuple[e.RefundPurpose, ...]
    status: str = "due"
    to_pay: int = 0
    """What was instructed: the parts that did not wait, and those that a closed chargeback released."""
    stopped: bool = False
    """Whether it was withdrawn or settled elsewhere after something of it was instructed."""

    def follow_parts(self) -> None:
        """It is confirmed once no part is due, or settled elsewhere if nothing was confirmed."""
        if any(part.left for part in self.parts):
            self.status = "due"
        else:
            self.status = "confirmed" if any(part.confirmed for part in self.parts) else "settled_elsewhere"

    @property
    def elsewhere(self) -> int:
        return sum(part.elsewhere for part in self.parts)


@dataclass(slots=True)
class Tenders:
    """All payments and refunds of an order."""

    payments: dict[str, Tender] = field(default_factory=dict)
    refunds: dict[str, Paid] = field(default_factory=dict)
    paid: int = 0

    def take(self, event: e.Event, money: Money) -> str | None:
        """One event, in the order of the log. Returns what is wrong with it."""
        match event:
            case e.PaymentReceived():
                self.paid += event.amount
                name = event.payment_id or f"payment-{len(self.payments) + 1}"
                authorized = event.amount if event.state == "authorized" else 0
                self.payments[name] = Tender(authorized, event.amount - authorized)
            case e.PaymentCaptured(payment_id=payment_id, amount=amount):
                tender = self.payments[payment_id]
                tender.authorized -= amount
                tender.captured += amount
                if tender.authorized < tender.voids:
                    return f"{payment_id}: what a void waits for was captured"
            case e.PaymentReleased():
                return self._released(event)
            case e.OtherRefundRecorded(draws=draws, amount=amount):
                for draw in draws:
                    self.payments[draw.payment_id].elsewhere += draw.amount
                if sum(draw.amount for draw in draws) != amount:
                    return f"an other refund of {amount} is taken from payments in other amounts"
            case e.OtherRefundSettled():
                return self._settled(event)
            case e.RefundDue():
                return self._due(event, money)
            case e.RefundConfirmed(refund_id=refund_id, payment_id=payment_id):
                for part in self.refunds[refund_id].parts:
                    if payment_id in (None, part.payment_id):
                        part.confirmed, part.waits = part.amount - part.elsewhere, False
                self.refunds[refund_id].follow_parts()
            case e.RefundFailed(refund_id=refund_id, payment_id=payment_id):
                refund = self.refunds[refund_id]
                for part in refund.parts:
                    is_due = part.left > 0 or refund.status == "confirmed"
                    if part.payment_id == payment_id or (payment_id is None and is_due):
                        part.confirmed = 0
                refund.status = "due"
            case e.RefundWithdrawn(refund_id=refund_id):
                self._withdrawn(self.refunds[refund_id])
            case e.ChargebackOpened(payment_id=payment_id):
                self.payments[payment_id].disputed = True
            case e.ChargebackClosed():
                return self._closed(event)
            case _:
                pass
        return None

    def _due(self, event: e.RefundDue, money: Money) -> str | None:
        """A refund of the right parts: rebilled money first, then the last payment, its authorized money first."""
        before = [purpose for refund in self.refunds.values() for purpose in refund.purposes]
        over = min(event.amount, max(0, money.excess - _sum(before, "excess")))
        billed = min(event.amount - over, max(0, money.rebilled_back - _sum(before, "rebill")))
        expected: list[tuple[str, str, int, bool]] = []
        left = event.amount - billed
        for payment_id, tender in reversed(self.payments.items()):
            for kind, free in zip(("void", "refund"), tender.free(), strict=True):
                if share := min(left, free):
                    expected.append((payment_id, kind, share, tender.disputed))
                    left -= share
        parts = [Share(x.payment_id, x.kind, x.amount, x.waiting) for x in event.parts]
        refund = self.refunds[event.refund_id] = Paid(event.amount, parts, event.purposes)
        refund.to_pay = sum(part.amount for part in parts if not part.waits)
        of_payments = [part for part in parts if part.payment_id in self.payments]
        for part in of_payments:
            tender = self.payments[part.payment_id]
            if part.kind == "void":
                tender.voids += part.amount
            else:
                tender.refunds += part.amount
        named = f"{event.refund_id} of {event.amount}"
        if [(x.payment_id, x.kind, x.amount, x.waits) for x in of_payments] != expected:
            return f"{named} has the parts {event.parts}, and should have {expected}"
        sums = [sum(x.amount for x in each) for each in (event.causes, event.parts, event.purposes)]
        if sums != [event.amount] * 3:
            return f"{named}: causes, parts and purposes add up to {sums}"
        if (_sum(event.purposes, "excess"), _sum(event.purposes, "rebill")) != (over, billed):
            return f"{named} is for {event.purposes}, of which {over} is excess and {billed} was billed again"
        return None

    def _released(self, event: e.PaymentReleased) -> str | None:
        """Authorized money lapsed. It confirms void parts that are due, the oldest first."""
        tender, left = self.payments[event.payment_id], event.voided
        for refund in self.refunds.values():
            for part in refund.parts if refund.status == "due" else ():
                if part.kind == "void" and part.payment_id == event.payment_id:
                    confirmed = min(left, part.left)
                    left -= confirmed
                    part.confirmed += confirmed
                    part.waits = part.waits and part.left > 0
            if refund.status == "due":
                refund.follow_parts()
        tender.authorized -= event.amount - event.voided
        self.paid -= event.amount - event.voided
        if left or tender.authorized < tender.voids:
            return f"{event.payment_id}: {event.amount} lapsed, and {event.voided} of it settled voids"
        return None

    def _settled(self, event: e.OtherRefundSettled) -> str | None:
        refund, left = self.refunds[event.refund_id], event.amount
        for part in refund.parts:
            if event.payment_id in (None, part.payment_id):
                settled = min(left, part.left)
                left -= settled
                part.elsewhere += settled
                part.waits = part.waits and part.left > 0
        refund.follow_parts()
        if event.payment_id is None:
            refund.status, refund.stopped = "settled_elsewhere", refund.to_pay > 0
        return f"{event.refund_id} was settled with {left} too much" if left else None

    def _withdrawn(self, refund: Paid) -> None:
        """Its payments hold again what was not confirmed."""
        for part in refund.parts:
            part.waits = False
            tender = self.payments.get(part.payment_id)
            if tender is not None and part.kind == "void":
                tender.voids -= part.left
            elif tender is not None:
                tender.refunds -= part.left
        refund.status, refund.stopped = "withdrawn", refund.to_pay > 0

    def _closed(self, event: e.ChargebackClosed) -> str | None:
        """What was taken settles the oldest parts. The rest of what waited goes out."""
        self.payments[event.payment_id].disputed = False
        taken, expected = event.amount, []
        for refund_id, refund in self.refunds.items():
            for part in refund.parts if refund.status == "due" else ():
                if part.payment_id == event.payment_id and part.waits:
                    rest = part.left - min(taken, part.left)
                    taken -= part.left - rest
                    part.waits = False
                    refund.to_pay += rest
                    if rest:
                        expected.append((refund_id, part.kind, rest))
        if [(x.refund_id, x.kind, x.amount) for x in event.released] != expected:
            return f"the chargeback of {event.payment_id} released {event.released}, and should {expected}"
        return None

    def forget_instructions(self) -> None:
        """Imported history instructs nobody."""
        for refund in self.refunds.values():
            refund.to_pay, refund.stopped = 0, False

    @property
    def instructed(self) -> int:
        """All refunds ever."""
        return sum(refund.amount for refund in self.refunds.values())

    @property
    def any_withdrawn(self) -> bool:
        return any(refund.status == "withdrawn" for refund in self.refunds.values())

    def given_for(self, line: int) -> int:
        """What refunds that were not withdrawn gave back for a line."""
        kept = (refund for refund in self.refunds.values() if refund.status != "withdrawn")
        return sum(purpose.amount for refund in kept for purpose in refund.purposes if purpose.line == line)

    @property
    def shown(self) -> tuple[int, int, int]:
        """What an order shows as due, as refunded, and as given back elsewhere to settle a refund."""
        due = sum(x.amount - x.elsewhere for x in self.refunds.values() if x.status == "due")
        whole = sum(x.amount - x.elsewhere for x in self.refunds.values() if x.status == "confirmed")
        ended = [x for x in self.refunds.values() if x.status in ("withdrawn", "settled_elsewhere")]
        part = sum(part.confirmed for refund in ended for part in refund.parts)
        return due, whole + part, sum(refund.elsewhere for refund in self.refunds.values())


def _sum(purposes: tuple[e.RefundPurpose, ...] | list[e.RefundPurpose], kind: str) -> int:
    return sum(purpose.amount for purpose in purposes if purpose.kind == kind)
