"""Canceled but shipped: five steps, over the ledger. Acknowledged units are recorded by line."""

from dataclasses import dataclass, field

from tests.spec.model.judging import Picks, named
from tests.spec.model.ledger import No
from tests.spec.model.parcels import Parcels
from tests.spec.model.records import Units


@dataclass
class Found:
    """A parcel that shipped although it was canceled, and its stage."""

    lines: Units
    unhandled: list[str]
    """Carriers and numbers that a notice has to name."""
    stage: str = "found"
    notice: str = ""
    notified: Units = field(default_factory=dict)
    """Units of the current notice, if more were found since."""


@dataclass
class Bill:
    """A rebilling: what it bills for each unit, by line."""

    units: dict[int, list[int]]
    status: str = "due"
    memo: str | None = None
    back: Units = field(default_factory=dict)
    """Units of it that were returned."""

    @property
    def amount(self) -> int:
        return sum(map(sum, self.units.values()))


class Rebilling(Parcels):
    """The steps after a parcel that should not have left."""

    astray: Found | None = None
    notices_sent = 0

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type]
        self.bills: dict[str, Bill] = {}
        self.attached: dict[str, str] = {}
        """Evidence: what it is about."""

    def found(self, lines: Units, carrier: str, number: str) -> None:
        """Units found before the customer has answered join this matter, and the notice has to name all of them."""
        for x, count in lines.items():
            self.lines[x].found += count
        here = self.astray
        if here is None or here.stage not in ("found", "notified"):
            self.astray = Found(dict(lines), [carrier, number])
            return
        if here.stage == "notified":
            here.stage, here.notified, here.unhandled = "found", dict(here.lines), []
        here.lines = {x: here.lines.get(x, 0) + lines.get(x, 0) for x in {**here.lines, **lines}}
        here.unhandled += [carrier, number]

    def report_shipped_after_cancel(
        self, by: str, at: int, carrier: str, tracking_number: str, lines: Picks = None
    ) -> None:
        units = {}
        for x, count in named(self, lines):
            left = self.lines[x].unfound
            units[x] = left if count is None else count
            if not self.terms.rebills or not left or units[x] > left:
                raise No("nothing-canceled")
        self.found(units, carrier, tracking_number)

    def notify_customer(self, by: str, at: int, text: str) -> None:
        """Notify the customer. A text with ``https://`` has a link; one without the words due lacks the number."""
        if self.astray is None or self.astray.stage != "found":
            raise No("step-out-of-order")
        if "https://" in text:
            raise No("notice-has-link")
        if any(word not in text for word in self.astray.unhandled):
            raise No("notice-lacks-tracking")
        self.notices_sent += 1
        self.astray.stage, self.astray.notice, self.astray.notified = "notified", f"notice-{self.notices_sent}", {}
        self.set("acknowledge", self.terms.after(at, "14 days"), self.astray.notice)

    def acknowledge(
        self, by: str, at: int, accepts_item: bool, accepts_rebilling: bool, evidence: tuple[str, ...] = ()
    ) -> None:
        if self.astray is None or self.astray.stage != "notified":
            raise No("step-out-of-order")
        both = accepts_item and accepts_rebilling
        if by == "support" and both and not (evidence and all(self.attached.get(x) == "rebill" for x in evidence)):
            raise No("evidence-of-acknowledgment")
        self.astray.stage = "acknowledged" if both else "declined"
        if both:
            for x, count in self.astray.lines.items():
                self.lines[x].accepted += count
        else:
            self.open_return(self.astray.lines, "rebill", "platform", "declined", at=at)

    def billed(self, number: int) -> int:
        """Units of a line that were billed again, confirmed or not."""
        return sum(len(bill.units.get(number, ())) for bill in self.bills.values())

    def rebill(self, by: str, at: int, lines: Picks = None) -> None:
        left = {x: line.accepted - self.billed(x) for x, line in self.lines.items()}
        picked = dict(named(self, lines)) if lines else {x: None for x, units in left.items() if units}
        wanted = {x: left[x] if count is None else count for x, count in picked.items()}
        if not wanted or any(not 0 < units <= left[x] for x, units in wanted.items()):
            stage = "" if self.astray is None else self.astray.stage
            raise No(
                "memo-needs-acknowledgment" if stage in ("notified", "declined", "silent") else "step-out-of-order"
            )
        self.bills[f"rebill-{len(self.bills) + 1}"] = Bill(self._had_refunded(wanted))

    def _had_refunded(self, wanted: Units) -> dict[int, list[int]]:
        """The refunds of canceled units, oldest first: each unit's place in V gives its part of all refunds."""
        skip = {x: self.billed(x) for x in wanted}
        units: dict[int, list[int]] = {x: [] for x in wanted}
        credited, shipping, value = dict.fromkeys(self.lines, 0), dict.fromkeys(self.lines, 0), 0
        for each in self.credits:
            for _ in range(each.count):
                x = each.line
                before = max(0, self.worth(self.lines[x], credited[x], shipping[x]) - self.covered(x))
                credited[x] += 1
                shipping[x] += each.shipping
                worth = max(0, self.worth(self.lines[x], credited[x], shipping[x]) - self.covered(x)) - before
                if each.canceled_at is not None and x in wanted and skip[x]:
                    skip[x] -= 1
                elif each.canceled_at is not None and x in wanted and len(units[x]) < wanted[x]:
                    units[x].append(self.had_refunded(value + worth) - self.had_refunded(value))
                value += worth
        return units

    def had_refunded(self, value: int) -> int:
        """What refunds of the order itself come to where so much is due back, nothing at least."""
        return max(0, self.refunded(value))

    def _bill(self, rebill_id: str) -> Bill:
        if rebill_id not in self.bills:
            raise No("no-such-rebill")
        if self.bills[rebill_id].status == "confirmed":
            raise No("rebill-closed")
        return self.bills[rebill_id]

    def confirm_rebill(self, by: str, at: int, rebill_id: str) -> None:
        bill = self._bill(rebill_id)
        bill.status = "confirmed"
        for x, units in bill.units.items():
            self.lines[x].rebilled += len(units)

    def fail_rebill(self, by: str, at: int, rebill_id: str) -> None:
        self._bill(rebill_id)

    def issue_credit_memo(self, by: str, at: int, memo_id: str, rebill_id: str) -> None:
        if not any(line.accepted for line in self.lines.values()):
            raise No("memo-needs-acknowledgment")
        bill = self.bills.get(rebill_id)
        if bill is None or bill.status != "confirmed":
            raise No("step-out-of-order")
        if bill.memo is not None:
            raise No("memo-exists")
        bill.memo = memo_id
        paid = sum(len(units) for each in self.bills.values() if each.memo for units in each.units.values())
        accepted = sum(line.accepted for line in self.lines.values())
        if self.astray is not None and self.astray.stage == "acknowledged" and paid >= accepted:
            self.astray.stage = "closed"

    def silence(self) -> None:
        """Close the notified units as not acknowledged, without bill and memo; units found since stay."""
        assert self.astray is not None
        if self.astray.stage == "notified":
            self.astray.stage = "silent"
            return
        for x, count in self.astray.notified.items():
            self.astray.lines[x] -= count
        self.astray.lines, self.astray.notified = {x: n for x, n in self.astray.lines.items() if n}, {}

    # ---- what comes back of it -----------------------------------------------------------------------------------

    def with_customer(self, number: int) -> int:
        """Rebilled units that are in no return and did not come back."""
        gone = ("withdrawn", "lapsed", "freed")
        back = sum(
            (x.got if x.status in gone else x.lines).get(number, 0)
            for x in self.returns.values()
            if x.kind == "rebilled"
        )
        return max(0, self.lines[number].rebilled - back)

    def came_back(self, lines: Units) -> None:
        """Refund the rebilled amount of returned units, the units billed first first."""
        for number, count in lines.items():
            for name, bill in self.bills.items():
                units, gone = bill.units.get(number, []), bill.back.get(number, 0)
                if bill.status == "confirmed" and count:
                    taken = units[gone : gone + count]
                    self.rebilled_back += sum(taken)
                    self.back_of_rebills.append((name, sum(taken)))
                    bill.back[number] = gone + len(taken)
                    count -= len(taken)
