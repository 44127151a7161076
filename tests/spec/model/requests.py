"""Requests, answers, alternatives and the seller's own: docs/reference/cancellation.md over the ledger.

Every command is a method of its name: it raises ``No`` or ``Bad``, or carries out what was accepted. ``by`` is the kind
of actor, ``at`` the command's instant.
"""

from tests.spec.model.judging import (
    Matter,
    Picks,
    behind,
    judge,
    locked,
    meant,
    more_than_open,
    nothing_left,
    nothing_to_request,
    of_request,
    off_the_list,
    own,
)
from tests.spec.model.ledger import Bad, Ledger, No
from tests.spec.model.records import Request, Units


class Requests(Ledger):
    """Requests."""

    def busy(self, lines: set[int]) -> bool:
        """Whether a case or dispute is open over one of these lines."""
        raise NotImplementedError

    def request_cancel(
        self, by: str, at: int, request_id: str, lines: Picks = None, reason: str | None = None, text: str = ""
    ) -> None:
        side = "seller" if by == "seller" else "buyer"
        try:
            it, outcome, rule = self._judged(side, at, lines, reason)
        except No:
            self.requests[request_id] = Request(side, {}, reason, "refused")
            raise
        wanted = {x.line: x.open + x.shipped for x in it.parts}
        request = self.requests[request_id] = Request(side, wanted, reason, rule=rule)
        request.here = {x.line: x.open for x in it.parts}
        if outcome == "offer":
            request.offers = tuple(self.terms.setting("alternatives-first", "offers"))
            request.behind = behind(self, it)
            length = self.terms.setting("alternatives-first", "deadline")
            self.set("alternatives", self.terms.after(at, length), request_id)
        elif outcome == "ask":
            self._wait(request_id, rule, at)
        elif rule == "stalled-tracking":
            request.status = "approved"
            lost = {x.line: min(x.shipped, self.lines[x.line].underway) for x in it.parts}
            self.open_return(lost, request_id, self.postage(reason), at=at, now=True, cause="undelivered|return")
            for number, count in lost.items():
                self.lines[number].lost += count
        else:
            for part in it.parts:
                self.cancel(part.line, part.open, at, request)
            request.status = "approved"

    def _judged(self, side: str, at: int, lines: Picks, reason: str | None) -> tuple[Matter, str, str]:
        """Judge the checks of every order first, in their order, then the policy."""
        nothing_left(self, lines)
        more_than_open(self, lines)
        it = Matter(meant(self, lines), at, side, reason, lines is None)
        mine = {x.line for x in it.parts}
        if self.busy(mine) or any(mine & request.asked.keys() for _, request in self.waiting()):
            raise No("one-open-request")
        outcome, rule = judge(self, it)
        if outcome == "refused":
            raise No(rule)
        if off_the_list(self, reason):
            raise No("reason-required")
        nothing_to_request(self, it, rule)
        return it, outcome, rule

    def _wait(self, request_id: str, rule: str, at: int) -> None:
        """Wait for the other side's answer until its deadline."""
        request = self.requests[request_id]
        request.rule, request.decide_by = rule, None
        length = self.terms.setting(rule, "deadline")
        if length is not None:
            request.decide_by = self.terms.after(at, length)
            self.set("decide", request.decide_by, request_id)

    def cancel_lines(
        self, by: str, at: int, lines: Picks = None, reason: str | None = None, rule: str | None = None
    ) -> None:
        nothing_left(self, lines)
        more_than_open(self, lines)
        it = Matter(meant(self, lines), at, "own", reason, lines is None)
        asked: Units = {}
        for _, request in self.waiting():
            if request.by == "buyer":
                asked.update(self.left(request)[0])
        own(self, it, {x.line for x in it.parts if asked.get(x.line, 0) >= x.open})
        for part in it.parts:
            covered = asked.get(part.line, 0)
            cause = by if not covered else "request" if covered >= part.open and by == "seller" else f"{by}|request"
            self.cancel(part.line, part.open, at, cause=cause)

    # ---- answering -----------------------------------------------------------------------------------------------

    def _open_request(self, request_id: str) -> Request:
        if request_id not in self.requests:
            raise No("no-such-request")
        if self.requests[request_id].status != "open":
            raise No("request-closed")
        return self.requests[request_id]

    def approve_cancel(
        self, by: str, at: int, request_id: str, refund_now: bool = False, rule: str | None = None, note: str = ""
    ) -> None:
        self.approve(self._open_request(request_id), request_id, at, refund_now)

    def approve(self, request: Request, request_id: str, at: int, refund_now: bool = False) -> None:
        """Locks judged at that moment over what is still open of it; under mutual consent shipped units are returned.

        A lock in force closes the request; of a parcel that both still talk about it refuses the approval alone.
        """
        here, gone = self.left(request)
        if not self.terms.mutual:
            gone = {}
        if "tracking-lock" in self.terms.rules:
            if locked(self, of_request(here, {})):
                request.status = "refused"
                raise No("tracking-lock")
            if locked(self, of_request({}, gone)):
                raise No("tracking-lock")
        whole = all(request.rest(x) == here.get(x, 0) for x in request.asked)
        request.status = "approved" if whole or gone else "partly"
        for number, count in here.items():
            self.cancel(number, count, at, request)
        if gone:
            self.open_return(gone, request_id, self.postage(request.reason), at=at, now=refund_now)

    def decline_cancel(
        self, by: str, at: int, request_id: str, refund_now: bool = False, rule: str | None = None, note: str = ""
    ) -> None:
        self._open_request(request_id).status = "declined"

    def withdraw_cancel(self, by: str, at: int, request_id: str) -> None:
        self._open_request(request_id).status = "withdrawn"

    def silent(self, request_id: str, at: int) -> None:
        """Nobody decided in time."""
        request = self.requests[request_id]
        silence = self.terms.setting(request.rule, "silence", "stays")
        if silence == "cancels" or (silence == "cancels-if-unpaid" and self.unpaid):
            self.approve(request, request_id, at)
        elif silence != "stays":
            request.status = "declined"

    # ---- alternatives --------------------------------------------------------------------------------------------

    def take_alternative(self, by: str, at: int, request_id: str | None = None, kind: str | None = None) -> None:
        if request_id is None:
            if self.proposed is None or not self.open_units or kind not in (None, "wait"):
                raise No("nothing-offered")
            self.ship_by, self.proposed = self.proposed, None
            self.late_ship()
            return
        request = self._open_request(request_id)
        if request.offers and kind is None:
            raise Bad("which of them")
        if kind not in request.offers:
            raise No("nothing-offered")
        request.status = "withdrawn"

    def decline_alternatives(self, by: str, at: int, request_id: str | None = None, kind: str | None = None) -> None:
        if request_id is None:
            if self.proposed is None or not self.open_units:
                raise No("nothing-offered")
            self.proposed = None
            return
        if not self._open_request(request_id).offers:
            raise No("nothing-offered")
        self.carry_on(request_id, at)

    def carry_on(self, request_id: str, at: int) -> None:
        """Declined or silent: windows as of the request, locks as of now."""
        request = self.requests[request_id]
        request.offers = ()
        outcome, rule = request.behind
        here, _ = self.left(request)
        if "tracking-lock" in self.terms.rules and locked(self, of_request(here, {})):
            request.status = "refused"
            raise No("tracking-lock")
        if outcome == "ask":
            self._wait(request_id, rule, at)
            return
        request.rule = rule  # also for units shipped since, which stay requested under mutual consent
        for number, count in here.items():
            self.cancel(number, count, at, request)
