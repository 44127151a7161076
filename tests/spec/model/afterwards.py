"""Cases, returns, disputes, evidence: docs/reference/after-shipment.md over the ledger.

If the contract orders its checks, they are in that order. If it does not (a return, a dispute that fails for several
reasons), any reason that holds is allowed.
"""

from dataclasses import dataclass, field
from typing import Any

from tests.spec.model.judging import Picks, named
from tests.spec.model.ledger import Bad, No
from tests.spec.model.rebilling import Rebilling
from tests.spec.model.records import Notice, Return, Units
from tests.spec.model.terms import FAULTS, Terms


@dataclass
class Case:
    """A case after delivery. ``rest``: business time left while its clock is paused; then nothing is ``due``."""

    lines: Units
    due: int | None
    reason: str = ""
    status: str = "open"
    rest: int | None = None
    awaited: set[str] = field(default_factory=set)


@dataclass
class Dispute:
    """A dispute about a request or a message."""

    about: str
    lines: Units
    evidence_until: int
    status: str = "open"
    appealed: bool = False
    appeal_until: int | None = None


class Afterwards(Rebilling):
    """Cases and returns after a shipment."""

    def __init__(self, terms: Terms, order: dict[str, object], at: int) -> None:
        super().__init__(terms, order, at)
        self.cases: dict[str, Case] = {}
        self.disputes: dict[str, Dispute] = {}
        self.messages: dict[str, str] = {}
        self.files: dict[tuple[str, str], int] = {}
        """Files given so far, by what they are about and the side that gave them."""

    def busy(self, lines: set[int]) -> bool:
        return self._disputed(lines) or any(self._in_case(x) for x in lines)

    def _disputed(self, lines: set[int]) -> bool:
        return any(x.status == "open" and lines & x.lines.keys() for x in self.disputes.values())

    def _in_case(self, number: int) -> int:
        return sum(case.lines.get(number, 0) for case in self.cases.values() if case.status == "open")

    def _free(self, number: int) -> int:
        """With the buyer, in no return and under no open case."""
        return max(0, self.lines[number].arrived - self._in_case(number))

    # ---- cases ---------------------------------------------------------------------------------------------------

    def open_case(self, by: str, at: int, case_id: str, reason: str, lines: Picks = None, text: str = "") -> None:
        picked = named(self, lines)
        if not self.terms.has("cases"):
            raise No("cases-off")
        if reason not in self.terms.setting("cases", "reasons"):
            raise No("case-reasons")
        self._delivered([x for x, _ in picked])
        asked = any(x in self.left(request)[1] for x, _ in picked for _, request in self.waiting())
        if asked or self._disputed({x for x, _ in picked}):
            raise No("one-open-request")
        if any(self._in_case(x) and self._free(x) < min(count or 1, self.lines[x].arrived or 1) for x, count in picked):
            raise No("one-open-request")
        self._in_time([x for x, _ in picked], self.terms.setting("cases", "days"), at, "case-window")
        self._with_the_buyer(picked, {x: self.lines[x].arrived for x, _ in picked})
        units = {x: count or self._free(x) for x, count in picked}
        self.cases[case_id] = Case(units, self.terms.after(at, "2 business days"), reason)
        self.set("case", self.terms.after(at, "2 business days"), case_id)

    def _delivered(self, lines: list[int]) -> None:
        """Before delivery: locked while it is tracked, else the answer points to a cancellation."""
        if rules := [self._early(x) for x in lines if not self.lines[x].delivered]:
            raise No(*rules)

    def _early(self, number: int) -> str:
        tracked = "tracking-lock" in self.terms.rules and self.tracked(number)
        return "tracking-lock" if tracked else "cancel-is-not-case"

    def _in_time(self, lines: list[int], days: int, at: int, rule: str) -> None:
        for x in lines:
            delivered_at = self.lines[x].delivered_at
            if delivered_at is not None and at > self.terms.after(delivered_at, f"{days} days"):
                raise No(rule)

    def _with_the_buyer(self, picked: list[tuple[int, int | None]], can: Units) -> None:
        """In a return already (answered with it), or more than is there."""
        for x, count in picked:
            if not can[x]:
                raise No("one-open-request" if self.lines[x].returning else "more-than-open")
            if (count or 0) > can[x]:
                raise No("more-than-open")

    def _open(self, case_id: str) -> Case:
        case = self.cases.get(case_id)
        if case is None or case.status != "open":
            raise No("case-closed", *([] if self.terms.has("cases") else ["cases-off"]))
        return case

    def decide_case(self, by: str, at: int, case_id: str, outcome: str, rule: str = "", note: str = "") -> None:
        case = self._open(case_id)
        case.status = "decided"
        if outcome == "return":
            self._start_return(case, case_id, at)

    def _start_return(self, case: Case, case_id: str, at: int, now: bool = False) -> bool:
        """What of a case no return covers yet is to come back."""
        lines = {x: min(count, self.lines[x].arrived) for x, count in case.lines.items()}
        lines = {x: count for x, count in lines.items() if count}
        if lines:
            self.open_return(lines, case_id, "platform", at=at, now=now, fault=case.reason in FAULTS)
        return bool(lines)

    def accept_return(self, by: str, at: int, about: str, refund_now: bool = False) -> None:
        case = self.cases.get(about)
        if case is not None and case.status == "open" and self._start_return(case, about, at, refund_now):
            case.status = "accepted"
            return
        back = self._return(about)
        if back is not None and (case is None or (refund_now and not back.refunded)):
            if refund_now:
                self.refund_return(back)
            return
        request = self.requests.get(about)
        if request is None or request.status != "open" or not self.left(request)[1]:
            raise No("case-closed")
        self.approve(request, about, at, refund_now)

    def request_evidence(self, by: str, at: int, about: str, kinds: list[str], until: int) -> None:
        if until <= at:
            raise Bad("until lies behind")
        if about in self.disputes and self.disputes[about].status == "open":
            return
        case = self.cases.get(about)
        if case is None or case.status != "open":
            raise No("case-closed")
        if case.rest is None:
            due = [x.at for x in self.dues if (x.kind, x.ref) == ("case", about)]
            case.rest = self.terms.worked(at, due[0]) if due else 0
        case.due, case.awaited = None, case.awaited | set(kinds)
        self.dues = [x for x in self.dues if (x.kind, x.ref) != ("case", about)]
        self.set("evidence", until, about)

    def resume(self, case_id: str, at: int) -> None:
        """The clock runs on with the business time that was left."""
        case = self.cases[case_id]
        self.dues = [x for x in self.dues if (x.kind, x.ref) != ("evidence", case_id)]
        assert case.rest is not None
        case.due = self.terms.work(at, case.rest)
        self.set("case", case.due, case_id)
        case.rest, case.awaited = None, set()

    def attach_evidence(
        self, by: str, at: int, evidence_id: str, about: str, kind: str, size: int, **_: object
    ) -> None:
        side = "support" if by == "system" else by
        known = (self.requests, self.cases, self.disputes, self.returns)
        if about != "rebill" and not any(about in x for x in known):
            raise No("nothing-to-dispute")
        if not self._takes_files(about, at):
            raise No("evidence-closed")
        if self.files.get((about, side), 0) >= 5 or size > 1_750_000:
            raise No("evidence-limits")
        self.files[about, side] = self.files.get((about, side), 0) + 1
        self.attached[evidence_id] = about
        case = self.cases.get(about)
        if case is not None and by == "buyer" and case.awaited:
            case.awaited -= {kind}
            if not case.awaited:
                self.resume(about, at)

    def _takes_files(self, about: str, at: int) -> bool:
        if about in self.cases:
            return self.cases[about].status == "open"
        if about in self.disputes:
            return self.disputes[about].status == "open" and at <= self.disputes[about].evidence_until
        if about in self.returns:
            return self.returns[about].status == "open"
        return about in self.requests or self.astray is not None

    # ---- returns -------------------------------------------------------------------------------------------------

    def request_return(self, by: str, at: int, reason: str, lines: Picks = None, text: str = "") -> None:
        if not self.terms.has("returns"):
            raise No("store-return", *(["no-such-line"] if any(x not in self.lines for x in _numbers(lines)) else []))
        picked, no = named(self, lines), set[str]()
        can = {x: self._returnable(x) for x, _ in picked}
        for x, count in picked:
            line = self.lines[x]
            in_case = self._in_case(x)
            if not (line.arrived or self.with_customer(x) or (line.delivered and line.delivered >= line.shipped)):
                no.add(self._early(x))
            if not can[x] or (count or 0) > can[x]:
                no.add("one-open-request" if in_case or line.returning else "more-than-open")
                if not in_case and can[x]:
                    no.add("more-than-open")
        if reason not in self.terms.setting("returns", "reasons"):
            no.add("store-return")
        try:
            self._in_time([x for x, _ in picked], self.terms.setting("returns", "days"), at, "store-return")
        except No as late:
            no |= late.rules
        if no:
            raise No(*no)
        wanted = {x: count or can[x] for x, count in picked}
        plain = {x: min(units, can[x] - self.with_customer(x)) for x, units in wanted.items()}
        for kind, units in (("shipped", plain), ("rebilled", {x: n - plain[x] for x, n in wanted.items()})):
            if any(units.values()):
                units = {x: n for x, n in units.items() if n}
                self.open_return(units, None, self.postage(reason), kind, at=at, fault=reason in FAULTS)

    def _returnable(self, number: int) -> int:
        """With the buyer, in no return and under no open case; or billed again."""
        return self._free(number) + self.with_customer(number)

    def _return(self, about: str) -> Return | None:
        """The open return of an id, or about a case or request."""
        if about in self.returns:
            back = self.returns[about]
            return back if back.status == "open" else None
        return next((x for x in self.returns.values() if x.about == about and x.status == "open"), None)

    def start_return(self, by: str, at: int, about: str, **_: object) -> None:
        back = self._return(about)
        if back is None:
            raise No("step-out-of-order")
        back.begun = True

    def return_received(
        self, by: str, at: int, about: str, lines: list[dict[str, Any]] | None = None, **_: object
    ) -> None:
        """All that is left, or what is said: of each line in one condition or several."""
        unseen = (x for name, x in self.returns.items() if about in (name, x.about) and x.status == "closed")
        back = self._return(about) or next(unseen, None)
        if back is None or not back.left:
            raise No("step-out-of-order")
        units = dict(back.left)
        if lines is not None:
            units = {}
            for row in lines:
                units[row["line"]] = units.get(row["line"], 0) + row["quantity"]
        if any(number not in self.lines for number in units):
            raise No("no-such-line", "more-than-open")
        if any(count > back.left.get(number, 0) for number, count in units.items()):
            raise No("more-than-open")
        if back.kind == "shipped":
            for x, count in units.items():
                self.lines[x].returned += count
        if back.status == "open":
            self._arrived(back, units)
        for x, count in units.items():
            back.got[x] = back.got.get(x, 0) + count
        back.delivered = False
        self.dues = [x for x in self.dues if x.kind != "return" or self.returns[x.ref] is not back]
        if not back.left:
            back.status = "received"

    def not_confirmed(self, return_id: str) -> None:
        """Shown delivered to the seller, and nothing said: refunded."""
        back = self.returns[return_id]
        self._arrived(back, dict(back.left))
        back.status = "closed"

    def _arrived(self, back: Return, units: Units) -> None:
        for x, count in units.items():
            line = self.lines[x]
            if back.kind == "shipped":
                line.returning -= count
                line.back += count
                self._pay_back(back, x, count)
        if back.kind == "rebilled":
            self.came_back(units)
        elif back.kind == "declined" and self.astray is not None and self.astray.stage == "declined":
            self.astray.stage = "closed" if units == back.left else "declined"

    def _pay_back(self, back: Return, number: int, count: int) -> None:
        """What a unit that comes back is worth; sent back by the carrier it has its line's shipping refunded too."""
        sent_back = self.sent_back(back)
        if sent_back:
            self.lines[number].sent_back += count
        if not back.refunded:
            cause = "undelivered|return" if back.outcome else "return"
            self.credit(number, count, cause, None, shipping=self.with_shipping(back) or sent_back)
        elif sent_back:
            self.credit_shipping(number, count, "undelivered|return")

    def sent_back(self, back: Return) -> bool:
        return back.outcome == "returned_to_sender"

    def withdraw_return(self, by: str, at: int, about: str) -> None:
        back = self._return(about)
        if back is None or back.begun or back.got or back.delivered or back.refunded:
            raise No("step-out-of-order")
        self.free(back, "withdrawn")

    def close_return(self, by: str, at: int, about: str, outcome: str, note: str = "", rule: str | None = None) -> None:
        """With refund: what is left is paid and does not count as returned. Without: by support, and units are free."""
        back = self._return(about)
        if back is None or (outcome == "no_refund" and by == "seller"):
            raise No("step-out-of-order")
        if outcome == "no_refund":
            self.free(back, "freed")
            return
        left = dict(back.left)
        self.refund_return(back)
        if back.kind == "shipped":
            for x, count in left.items():
                self.lines[x].returning -= count
                self.lines[x].back += count
        back.status = "closed"

    def lapse_return(self, return_id: str) -> None:
        self.free(self.returns[return_id], "lapsed")

    # ---- shipped, never delivered --------------------------------------------------------------------------------

    def report_undelivered(
        self,
        by: str,
        at: int,
        shipment_id: str,
        outcome: str,
        lines: Picks = None,
        refund_now: bool = False,
        note: str = "",
    ) -> None:
        notice = self.notices.get(shipment_id)
        if notice is None or notice.status == "void":
            raise No("no-such-shipment")
        said = named(self, lines) or [(x, None) for x in notice.lines]
        can = {x: self._may_be_reported(notice, x) for x, _ in said}
        wrong = {x for x, count in said if (count or 0) > can[x] or (lines is not None and not can[x])}
        if wrong or not any(can.values()):
            raise No(*self._why_not_reported(notice, {x: count for x, count in said if x in wrong or not wrong}, can))
        units = {x: count or can[x] for x, count in said if can[x]}
        for x, count in units.items():
            notice.reported[x] = notice.reported.get(x, 0) + count
            self.lines[x].lost += count
        notice.outcomes.add(outcome)
        if outcome in ("lost", "damaged_in_transit"):
            for x, count in units.items():
                self.lines[x].back += count
                self.lines[x].undelivered += count
                self.credit(x, count, "undelivered", at, shipping=True)
            for _, request in self.waiting():
                here, gone = self.left(request)
                if not here and not gone and request.asked.keys() & units.keys():
                    request.status = "approved"
        else:
            self.open_return(units, shipment_id, "", at=at, now=refund_now, outcome=outcome)

    def _may_be_reported(self, notice: Notice, number: int) -> int:
        """Units of a shipment that were neither delivered nor reported, and are in no return."""
        gone = notice.arrived.get(number, 0) + notice.reported.get(number, 0)
        return max(0, min(notice.lines.get(number, 0) - gone, self.lines[number].underway))

    @staticmethod
    def _why_not_reported(notice: Notice, said: dict[int, int | None], can: Units) -> set[str]:
        rules = set()
        for x in said:
            rules |= {"delivered-already"} if notice.arrived.get(x) else set()
            rules |= {"undelivered-already"} if notice.reported.get(x) else set()
            gone = notice.arrived.get(x, 0) + notice.reported.get(x, 0)
            rules |= {"one-open-request", "more-than-open"} if notice.lines.get(x, 0) > gone else set()
        if any(0 < can[x] < (count or 0) for x, count in said.items()) or not rules:
            rules |= {"more-than-open", "no-such-line", "one-open-request"}
        return rules


def _numbers(lines: Picks) -> list[int]:
    return [x if isinstance(x, int) else x["line"] for x in lines or ()]
