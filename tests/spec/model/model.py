"""The outcome that each command must have (docs/reference/decisions.md), and the order afterwards.

``World.hear`` takes a command as JSON and returns the outcomes that the contract allows, mostly one. The model then is
the required state of the order. It imports nothing of the domain.
"""

import re
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from tests.spec.model.disputing import Disputing
from tests.spec.model.ledger import Bad, No
from tests.spec.model.records import Due
from tests.spec.model.terms import Terms, micros

BUYERS: Final = frozenset({
    "RequestCancel", "SendMessage", "RecordContact", "ApproveCancel", "DeclineCancel", "WithdrawCancel",
    "TakeAlternative", "DeclineAlternatives", "Acknowledge", "AttachEvidence", "OpenCase", "RequestReturn",
    "OpenDispute", "EscalateDispute", "AppealDispute", "WithdrawReturn",
})  # fmt: skip
SELLERS: Final = frozenset({
    "RequestCancel", "SendMessage", "RecordContact", "CancelLines", "ApproveCancel", "DeclineCancel",
    "WithdrawCancel", "StartFulfilment", "StartTracking", "TrackingMoved", "Ship", "ReviseShipBy", "Deliver",
    "ReportShippedAfterCancel", "NotifyCustomer", "AttachEvidence", "AcceptReturn", "StartReturn",
    "ReturnReceived", "OpenDispute", "EscalateDispute", "AppealDispute", "CloseReturn", "ReportUndelivered",
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
RULED: Final = (
    "ApproveCancel", "DeclineCancel", "CancelLines", "DecideCase", "DecideDispute", "WithdrawRefund", "CloseReturn",
)  # fmt: skip
MONEY: Final = {"ConfirmPayment": "payment_id", "RecordOtherRefund": "other_refund_id"}
"""The command id stands for an id that is left out."""
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
        self.begin()
        try:
            getattr(self, re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower())(by, at, **fields)
            if claim is not None:
                self.taken[fields[claim]] = content
            self.taken.update(dict.fromkeys(self.notices.keys() - before - self.taken.keys(), content))
        finally:
            self.cancel_parts()
            self.close_answered()
            self.settle()

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
            case "return-ship":
                back = self.returns[due.ref]
                return back.status == "open" and not (back.begun or back.got or back.delivered or back.refunded)
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
        self.begin()
        try:
            match due.kind:
                case "decide":
                    self.silent(due.ref, at)
                case "alternatives":
                    self.carry_on(due.ref, at)
                case "unpaid" | "late-ship":
                    for number, line in self.lines.items():
                        if line.open and not (due.kind == "late-ship" and self.tracked(number)):
                            self.cancel(number, line.open, at, cause=due.kind.replace("-", "_"))
                case "acknowledge":
                    self.silence()
                case "evidence" if due.ref in self.cases:
                    self.resume(due.ref, at)
                case "return":
                    self.not_confirmed(due.ref)
                case "return-ship":
                    self.lapse_return(due.ref)
                case _:
                    pass
        except No:
            pass  # a lock came down: the silence cancels nothing
        self.cancel_parts()
        self.close_answered()
        self.settle()


class World:
    """An order, the subjects, and the commands answered already."""

    def __init__(self, policy: str, model: type[Model] = Model) -> None:
        self.policy = policy
        self.model = model
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
            outcomes = {f"refused:{rule}" for rule in no.rules | self._lost(name)}
        except Bad:
            return {"bad"}
        self.answered[stream, body["command_id"]] = content
        self.last[stream] = at
        return outcomes

    def _lost(self, name: str) -> set[str]:
        """Of units that are lost the contract does not say by which rule they cannot be canceled or come back."""
        asked = name in ("RequestCancel", "CancelLines", "RequestReturn", "OpenCase")
        lost = self.order is not None and any(line.undelivered for line in self.order.lines.values())
        if not asked or not lost:
            return set()
        # The others of a shipment were delivered: what is left of it is no matter of a cancellation either way.
        return {"undelivered-already"} | ({"case-is-not-cancel"} if "Cancel" in name else set())

    def _malformed(self, body: dict[str, Any], at: int) -> bool:
        if body["command"] == "ReturnReceived":
            return _received_badly(body, at)
        if _money_badly(body):
            return True
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
        if name in MONEY:
            fields.setdefault(MONEY[name], body["command_id"])
        if name == "PlaceOrder":
            if self.order is None:
                self.placed = content
                self.order = self.model(Terms(self.policy, fields.get("timezone", "UTC")), {**body, **fields}, at)
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


def _received_badly(body: dict[str, Any], at: int) -> bool:
    """Lines and one condition for all, a line twice in one condition, of no units, or not yet."""
    rows = body.get("lines")
    late = "occurred_at" in body and instant(body["occurred_at"]) > at
    if rows is None:
        return late or body.get("condition", "sellable") not in ("sellable", "damaged")
    twice = len({(x["line"], x["condition"]) for x in rows}) < len(rows)
    odd = any(x["quantity"] < 1 or x["condition"] not in ("sellable", "damaged") for x in rows)
    return late or "condition" in body or twice or odd or not rows


def _money_badly(body: dict[str, Any]) -> bool:
    """What of money and parcels is malformed by itself."""
    match body["command"]:
        case "ConfirmPayment":
            return re.fullmatch(r"payment-\d+", body.get("payment_id", "")) is not None
        case "RecordOtherRefund":
            rows = body.get("covers") or []
            things = [str(x.get("line", x.get("fee_id", "shipping"))) for x in rows]
            over = sum(Decimal(x.get("amount", x.get("shipping", "0"))) for x in rows) > Decimal(body["amount"])
            return over or len(set(things)) < len(things) or ("refund_id" in body and "covers" in body)
        case "ReportUndelivered":
            return body["outcome"] not in ("lost", "damaged_in_transit", "returned_to_sender", "refused")
        case "CloseReturn":
            return body["outcome"] not in ("refund", "no_refund")
        case "WithdrawRefund":
            return not body.get("note")
        case "CloseChargeback":
            return body["outcome"] not in ("won", "lost")
        case _:
            return False
