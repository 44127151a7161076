"""Cases, returns, disputes, evidence: docs/reference/after-shipment.md over the ledger.

If the contract orders its checks, they are in that order. If it does not (a return, a dispute that fails for several
reasons), any reason that holds is allowed.
"""

from dataclasses import dataclass, field

from tests.spec.model.judging import Picks, named
from tests.spec.model.ledger import Bad, No
from tests.spec.model.rebilling import Rebilling
from tests.spec.model.records import Return, Units
from tests.spec.model.terms import Terms


@dataclass
class Case:
    """A case after delivery. ``rest``: business time left while its clock is paused; then nothing is ``due``."""

    lines: Units
    due: int | None
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
        self.cases[case_id] = Case(units, self.terms.after(at, "2 business days"))
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
            self._start_return(case, case_id)

    def _start_return(self, case: Case, case_id: str, now: bool = False) -> bool:
        """Open a return of the case's units that no return covers yet."""
        lines = {x: min(count, self.lines[x].arrived) for x, count in case.lines.items()}
        lines = {x: count for x, count in lines.items() if count}
        if lines:
            self.open_return(lines, case_id, "platform", now=now)
        return bool(lines)

    def accept_return(self, by: str, at: int, about: str, refund_now: bool = False) -> None:
        case = self.cases.get(about)
        if case is not None and case.status == "open" and self._start_return(case, about, refund_now):
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
                self.open_return({x: n for x, n in units.items() if n}, None, self.postage(reason), kind)

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
        if self._return(about) is None:
            raise No("step-out-of-order")

    def return_received(self, by: str, at: int, about: str, **_: object) -> None:
        unseen = (x for name, x in self.returns.items() if about in (name, x.about) and x.status == "closed")
        back = self._return(about) or next(unseen, None)
        if back is None:
            raise No("step-out-of-order")
        if back.kind == "shipped":
            for x, count in back.lines.items():
                self.lines[x].returned += count
        if back.status == "open":
            self._arrived(back)
        back.status = "received"

    def not_confirmed(self, return_id: str) -> None:
        """Refund a return that was delivered to the seller without an answer."""
        self._arrived(self.returns[return_id])
        self.returns[return_id].status = "closed"

    def _arrived(self, back: Return) -> None:
        for x, count in back.lines.items():
            line = self.lines[x]
            if back.kind == "shipped":
                line.returning -= count
                line.back += count
        if back.kind == "rebilled":
            self.came_back(back.lines)
        elif back.kind == "declined" and self.astray is not None and self.astray.stage == "declined":
            self.astray.stage = "closed"
        self.refund_return(back)


def _numbers(lines: Picks) -> list[int]:
    return [x if isinstance(x, int) else x["line"] for x in lines or ()]
