"""Disputes about how a request went: docs/reference/after-shipment.md over the ledger."""

from tests.spec.model.afterwards import Afterwards, Dispute
from tests.spec.model.ledger import No
from tests.spec.model.records import Units


class Disputing(Afterwards):
    """Disputes."""

    def open_dispute(self, by: str, at: int, dispute_id: str, about: str, text: str = "") -> None:
        if not self.terms.has("disputes"):
            raise No("disputes-off")
        if not self._disputable(about, at):
            raise No("nothing-to-dispute")
        request = self.requests.get(about)
        lines = {x: line.ordered for x, line in self.lines.items()} if request is None else request.asked
        no = {"dispute-closed" for x in self.disputes.values() if x.about == about and x.status != "open"}
        others = any(name != about and lines.keys() & x.asked.keys() for name, x in self.waiting())
        if others or self.busy(set(lines)):
            no.add("one-open-request")
        if at > self.terms.after(self.placed_at, self.terms.setting("disputes", "request")):
            no.add("too-late")
        if no:
            raise No(*no)
        until = self.terms.after(at, self.terms.setting("disputes", "evidence"))
        self.disputes[dispute_id] = Dispute(about, dict(lines), until)
        self.set("evidence", until, dispute_id)

    def _disputable(self, about: str, at: int) -> bool:
        """Declined, past its deadline, overtaken by a shipment; or a message in which the buyer wrote."""
        request = self.requests.get(about)
        if request is None:
            return self.messages.get(about) == "buyer"
        past = request.decide_by is not None and request.decide_by < at
        here = self.left(request)[0]
        overtaken = any(n > request.got.get(x, 0) + here.get(x, 0) for x, n in request.here.items())
        return (request.status == "open" and (past or overtaken)) or request.status in ("declined", "shipped", "partly")

    def _dispute(self, dispute_id: str, status: str = "open") -> Dispute:
        if not self.terms.has("disputes"):
            raise No("disputes-off", "dispute-closed")
        dispute = self.disputes.get(dispute_id)
        if dispute is None or (dispute.status == "open") is not (status == "open"):
            raise No("dispute-closed")
        return dispute

    def escalate_dispute(self, by: str, at: int, dispute_id: str, ticket: str, **_: object) -> None:
        self._dispute(dispute_id)

    def decide_dispute(self, by: str, at: int, dispute_id: str, outcome: str, rule: str = "", note: str = "") -> None:
        """Granting cancels what is open, locks don't bind; shipped units are returned. The second decision is final."""
        dispute = self._dispute(dispute_id)
        dispute.status, dispute.appeal_until = outcome, None
        if not dispute.appealed:
            dispute.appeal_until = self.terms.after(at, self.terms.setting("disputes", "appeal"))
            self.set("appeal", dispute.appeal_until, dispute_id)
        request = self.requests.get(dispute.about)
        here, gone = self._all() if request is None else self.left(request)
        if outcome == "grant":
            if request is not None:
                request.status = "approved"
            for number, count in here.items():
                self.cancel(number, count, at, request, cause="dispute")
        if outcome != "deny" and gone:
            self.open_return(gone, dispute_id, "platform", at=at)

    def _all(self) -> tuple[Units, Units]:
        here = {x: line.open for x, line in self.lines.items() if line.open}
        return here, {x: line.free for x, line in self.lines.items() if line.free}

    def appeal_dispute(self, by: str, at: int, dispute_id: str, text: str = "") -> None:
        dispute = self._dispute(dispute_id, "decided")
        if dispute.appealed:
            raise No("dispute-closed")
        if dispute.appeal_until is not None and at > dispute.appeal_until:
            raise No("too-late")
        dispute.status, dispute.appealed = "open", True
