"""The outcome that each command must have (docs/reference/decisions.md), and the order afterwards.

``World.hear`` takes a command as JSON and returns the outcomes that the contract allows, mostly one. The model then is
the required state of the order. It imports nothing of the domain.
"""

import re
from datetime import datetime
from typing import Any, Final

from tests.spec.model.disputing import Disputing
from tests.spec.model.ledger import Bad, No, cents
from tests.spec.model.records import Due
from tests.spec.model.terms import Terms, micros

BUYERS: Final = frozenset({
    "RequestCancel", "SendMessage", "RecordContact", "ApproveCancel", "DeclineCancel", "WithdrawCancel",
    "TakeAlternative", "DeclineAlternatives", "Acknowledge", "AttachEvidence", "OpenCase", "RequestReturn",
    "OpenDispute", "EscalateDispute", "AppealDispute",
})  # fmt: skip
SELLERS: Final = frozenset({
    "RequestCancel", "SendMessage", "RecordContact", "CancelLines", "ApproveCancel", "DeclineCancel",
    "WithdrawCancel", "StartFulfilment", "StartTracking", "TrackingMoved", "Ship", "ReviseShipBy", "Deliver",
    "ReportShippedAfterCancel", "NotifyCustomer", "AttachEvidence", "AcceptReturn", "StartReturn",
    "ReturnReceived", "OpenDispute", "EscalateDispute", "AppealDispute",
})  # fmt: skip
"""Whose commands these are; support and system may give any."""
CLAIMS: Final = {
    "RequestCancel": "request_id",
    "SendMessage": "message_id",
    "RecordContact": "contact_id",
    "Ship": "shipment_id",
    "AttachEvidence": "evidence_id",
    "OpenCase": "case_id",
    "OpenDispute": "dispute_id",
    "IssueCreditMemo": "memo_id",
    "PlaceLegalHold": "hold_id",
}
"""The id that each of these takes, once it is accepted."""
RULED: Final = ("ApproveCancel", "DeclineCancel", "CancelLines", "DecideCase", "DecideDispute")
SUBJECTS: Final = ("EraseSubject", "PlaceLegalHold", "ReleaseLegalHold")
COMMON: Final = ("command", "command_id", "marketplace", "order_id", "at", "actor", "correlation_id", "confirmation")
NOT_CONTENT: Final = ("command_id", "at", "correlation_id", "confirmation", "text", "note", "representative")
INSTANTS: Final = ("occurred_at", "until", "ship_by", "pay_by")


def instant(text: str) -> int:
    """UTC microseconds."""
    return micros(datetime.fromisoformat(text))


class Model(Disputing):
    """One order."""

    def __init__(self, terms: Terms, order: dict[str, Any], at: int) -> None:
        super().__init__(terms, order, at)
        self.taken: dict[str, Any] = {}
        """Ids that were taken, with what they were taken for."""

    def send(self, name: str, by: str, at: int, fields: dict[str, Any], content: Any) -> None:
        """Judge the command and carry it out; ``No`` if refused. Consequences follow in either case."""
        claim = CLAIMS.get(name)
        if claim is not None and fields[claim] in self.taken:
            if self.taken[fields[claim]] != content:
                raise No("shipment-exists" if name == "Ship" else "id-exists")
            return
        before = set(self.notices)
        try:
            getattr(self, re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower())(by, at, **fields)
            if claim is not None:
                self.taken[fields[claim]] = content
            self.taken.update(dict.fromkeys(self.notices.keys() - before - self.taken.keys(), content))
        finally:
            self.close_answered()
            self.settle()

    # ---- money ---------------------------------------------------------------------------------------------------

    def confirm_payment(self, by: str, at: int, amount: str, occurred_at: int | None = None) -> None:
        if self.paid + cents(amount) > self.total:
            raise No("paid-already")
        self.paid += cents(amount)

    def record_other_refund(self, by: str, at: int, amount: str, note: str = "") -> None:
        if cents(amount) > self.paid - (self.instructed - self.rebilled_back) - self.other:
            raise No("more-than-paid")
        self.other += cents(amount)

    def confirm_refund(self, by: str, at: int, refund_id: str, note: str = "") -> None:
        self._refund(refund_id)[1:] = ["confirmed", False]

    def fail_refund(self, by: str, at: int, refund_id: str, note: str = "") -> None:
        self._refund(refund_id)[2] = True

    def _refund(self, refund_id: str) -> list[Any]:
        if refund_id not in self.refunds:
            raise No("no-such-refund")
        if self.refunds[refund_id][1] == "confirmed":
            raise No("refund-closed")
        return self.refunds[refund_id]

    # ---- talking -------------------------------------------------------------------------------------------------

    def send_message(self, by: str, at: int, message_id: str, to: str, text: str, **_: Any) -> None:
        self.messages[message_id] = by

    def record_contact(self, by: str, at: int, contact_id: str, channel: str, **_: Any) -> None:
        """It is taken down, and changes nothing."""

    def confirm_notice(self, by: str, at: int, notice_id: str) -> None:
        """Only the customer's notices (``notice-N``) and the first of all, of the placing, are confirmed here."""
        if notice_id != "told-1-buyer" and notice_id not in {f"notice-{n + 1}" for n in range(self.notices_sent)}:
            raise No("no-such-notice")

    fail_notice = confirm_notice

    # ---- deadlines -----------------------------------------------------------------------------------------------

    def applies(self, due: Due) -> bool:
        """Whether reaching it would still mean something: moot ones are not listed."""
        match due.kind:
            case "decide" | "alternatives":
                request = self.requests[due.ref]
                return request.status == "open" and bool(request.offers) is (due.kind == "alternatives")
            case "unpaid":
                return self.open_units > 0 and self.unpaid
            case "late-ship":
                return any(x.open and not self.tracked(n) for n, x in self.lines.items())
            case "acknowledge":
                here = self.astray
                return here is not None and here.notice == due.ref and (here.stage == "notified" or bool(here.notified))
            case "case":
                return self.cases[due.ref].status == "open"
            case "evidence":
                return (self.cases.get(due.ref) or self.disputes[due.ref]).status == "open"
            case "appeal":
                return self.disputes[due.ref].status != "open" and not self.disputes[due.ref].appealed
            case _:
                return self.returns[due.ref].status == "open"

    def live(self) -> list[Due]:
        """The deadlines that are listed, in the order in which they are reached."""
        return sorted(filter(self.applies, self.dues), key=lambda d: (d.at, d.kind, d.number))

    def turns(self) -> list[int]:
        """Instants at which a window of the policy closes or opens."""
        terms, found = self.terms, []
        for table, key in (("grace-window", "length"), ("request-window", "length"), ("window-of-the-store", "length")):
            if terms.setting(table, key) is not None:
                found.append(terms.after(self.placed_at, terms.setting(table, key)))
        late = self.placed_at if terms.setting("not-shipped-in-time", "from") == "purchase" else self.ship_by
        if late is not None:
            found.append(terms.after(late, terms.setting("not-shipped-in-time", "after")))
        if terms.has("disputes"):
            found.append(terms.after(self.placed_at, terms.setting("disputes", "request")))
        days = [f"{terms.setting(table, 'days')} days" for table in ("cases", "returns") if terms.has(table)]
        arrived = [line.delivered_at for line in self.lines.values() if line.delivered_at is not None]
        found += [terms.after(at, length) for at in arrived for length in days]
        stalled = terms.setting("stalled-tracking", "after")
        seen = [x.seen for x in self.notices.values()] + [x.seen for x in self.parcels]
        return found + [terms.after(at, stalled) - 1 for at in seen]

    def reach(self, due: Due, at: int) -> None:
        """One deadline's effects, at the later of its due instant and the order's last."""
        self.dues.remove(due)
        try:
            match due.kind:
                case "decide":
                    self.silent(due.ref, at)
                case "alternatives":
                    self.carry_on(due.ref, at)
                case "unpaid" | "late-ship":
                    for number, line in self.lines.items():
                        if line.open and not (due.kind == "late-ship" and self.tracked(number)):
                            self.cancel(number, line.open, at)
                case "acknowledge":
                    self.silence()
                case "evidence" if due.ref in self.cases:
                    self.resume(due.ref, at)
                case "return":
                    self.not_confirmed(due.ref)
                case _:
                    pass
        except No:
            pass  # a lock came down: the silence cancels nothing
        self.close_answered()
        self.settle()


class World:
    """An order, the subjects, and the commands answered already."""

    def __init__(self, policy: str) -> None:
        self.policy = policy
        self.order: Model | None = None
        self.placed: Any = None
        self.last: dict[str, int] = {}
        self.answered: dict[tuple[str, str], Any] = {}
        self.holds: dict[str, set[str]] = {}
        self.held: dict[tuple[str, str], Any] = {}

    def hear(self, body: dict[str, Any]) -> set[str]:
        """The outcomes that this command may have, in the order of the checks."""
        name, by, at = body["command"], body["actor"]["kind"], instant(body["at"])
        stream = f"subject/{body['subject']}" if name in SUBJECTS else body["order_id"]
        content = {key: value for key, value in body.items() if key not in NOT_CONTENT}
        if self._malformed(body, at):
            return {"bad"}
        if (rule := self._not_theirs(body)) is not None:
            return {f"refused:{rule}"}
        if (stream, body["command_id"]) in self.answered:
            return {"duplicate" if self.answered[stream, body["command_id"]] == content else "bad"}
        if at < self.last.get(stream, 0):
            return {"bad"}
        if name not in SUBJECTS:
            self.reach_until(at)
        if name == "ReachDeadline":
            return {"duplicate"}
        if name == "RequestCancel" and by == "seller" and self.order is not None and not self.order.terms.mutual:
            return {"refused:not-yours"}
        outcomes = {"accepted"}
        try:
            self._send(name, by, at, body, content)
        except No as no:
            outcomes = {f"refused:{rule}" for rule in no.rules}
        except Bad:
            return {"bad"}
        self.answered[stream, body["command_id"]] = content
        self.last[stream] = at
        return outcomes

    def _malformed(self, body: dict[str, Any], at: int) -> bool:
        late = "occurred_at" in body and instant(body["occurred_at"]) > at
        ruled = body["command"] in RULED and body["actor"]["kind"] == "support" and "rule" not in body
        named = [
            x if isinstance(x, int) else x["line"] for x in body.get("lines") or () if body["command"] != "PlaceOrder"
        ]
        return late or ruled or len(set(named)) < len(named) or body.get(CLAIMS.get(body["command"], "")) == "refund-1"

    def _not_theirs(self, body: dict[str, Any]) -> str | None:
        """``no-such-order``, ``not-yours``: whose command it is, of whom, and whose request."""
        name, by = body["command"], body["actor"]["kind"]
        here = self.order is not None and body.get("order_id") == self.order.order_id
        if not here and name not in ("PlaceOrder", *SUBJECTS):
            return "no-such-order"
        if by in ("support", "system"):
            return None
        own = body["actor"]["id"] == {"buyer": "b-1", "seller": "s-1"}[by]
        if not here or not own or name not in (BUYERS if by == "buyer" else SELLERS):
            return "not-yours"
        assert self.order is not None
        request = self.order.requests.get(body.get("about" if name == "AcceptReturn" else "request_id", ""))
        if request is None or name not in ("ApproveCancel", "DeclineCancel", "WithdrawCancel", "AcceptReturn"):
            return None
        if name == "AcceptReturn" and request.status != "open":
            return None
        return "not-yours" if (request.by == by) is not (name == "WithdrawCancel") else None

    def reach_until(self, now: int) -> list[str]:
        """Reach the order's deadlines before an instant; their ids."""
        names = []
        while self.order is not None and (waiting := [x for x in self.order.live() if x.at < now]):
            last = self.last[self.order.order_id] = max(self.last[self.order.order_id], waiting[0].at)
            self.order.reach(waiting[0], last)
            names.append(waiting[0].name)
        return names

    def _send(self, name: str, by: str, at: int, body: dict[str, Any], content: Any) -> None:
        fields: dict[str, Any] = {}
        fields |= {
            key: instant(value) if key in INSTANTS else value for key, value in body.items() if key not in COMMON
        }
        if name == "PlaceOrder":
            if self.order is None:
                self.placed = content
                self.order = Model(Terms(self.policy, fields.get("timezone", "UTC")), {**body, **fields}, at)
            elif content != self.placed:
                raise No("order-exists")
        elif name in SUBJECTS:
            self._subject(name, fields["subject"], fields.get("hold_id", ""), content)
        else:
            assert self.order is not None
            self.order.send(name, by, at, fields, content)

    def _subject(self, name: str, subject: str, hold: str, content: Any) -> None:
        holds = self.holds.setdefault(subject, set())
        if name == "PlaceLegalHold":
            if self.held.setdefault((subject, hold), content) != content:
                raise No("id-exists")
            if self.held[subject, hold] is content:
                holds.add(hold)
        elif name == "ReleaseLegalHold":
            holds.discard(hold)
        elif holds:
            raise No("legal-hold")
