"""The order page: the values that its template shows. Reads an order and its history, decides nothing.

A sentence at the top says how the order is doing. Every yes and no comes with its reason, its deadline and what can be
done instead.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any, Final

from domain.claims import absences, answer_by, claims
from domain.deadlines import live, number
from domain.events import Instead, PlacedLine, Verdict
from domain.instants import Instant, format_instant, parse_instant
from domain.order import Order, Part, Refund, Request
from domain.order_json import attention, money, status
from domain.policy import Policy
from domain.rules.consent import SellerHasFinalSay
from domain.rules.parcels import MutualConsent
from domain.wording import counted
from infra.documents import words
from infra.documents.claims import OrderWriter
from infra.documents.formatting import (
    amount,
    exact,
    from_now,
    moment,
    short_moment,
    time_left,
    units,
)
from infra.documents.packs import LANGUAGES, pack

EventJson = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class When:
    """An instant as a page shows it: its text, the exact time for hovering, and RFC 3339 for machines."""

    text: str
    exact: str
    iso: str


def when(instant: Instant, zone: str, now: Instant) -> When:
    """Write an instant in a zone, with the year where it is not this year."""
    return When(short_moment(instant, zone, now), exact(instant, zone), format_instant(instant))


SIDES: Final = ("buyer", "seller")
"""Those whose answer a request can wait for until a deadline."""


@dataclass(frozen=True, slots=True)
class MarketTerms:
    """The marketplace's settings and the order's policy, as far as the page needs them."""

    contact: str | None = None
    """How to reach the marketplace."""
    policy: Policy | None = None
    """None while this process does not know the policy."""


class OrderPage:
    """The values that the order template shows, as of ``now``, in the order's own time zone."""

    def __init__(
        self,
        order: Order,
        head: bytes | None,
        history: Iterable[EventJson],
        verdicts: Sequence[Verdict],
        now: Instant,
        *,
        unreadable: str | None = None,
        market: MarketTerms | None = None,
    ) -> None:
        """``unreadable``: why this release cannot decide on the order, if so."""
        self.order = order
        self.terms = order.terms
        self.head = None if head is None else head.hex()
        self.now = now
        self.unreadable = unreadable
        self._market = market or MarketTerms()
        self.policy_unknown = self._market.policy is None and unreadable is None
        self.zone = order.terms.calendar.timezone
        self.currency = order.terms.currency
        self._writer = OrderWriter(order, pack(LANGUAGES[0]), self._with_time_left, lambda at: from_now(at, now))
        self.status = words.STATUS[status(order)]
        self.attention = [words.ATTENTION.get(each, each) for each in attention(order, now)]
        self.verdicts = [self._verdict(each) for each in verdicts]
        self.timeline = list(self._timeline(history))

    # ---- the top --------------------------------------------------------------------------------------------------

    @property
    def sentence(self) -> str:
        """How the order is doing, in a few sentences."""
        return " ".join(self._writer.all(claims(self.order, self.now)))

    @property
    def absent(self) -> str:
        """The sentences that say that there are no shipments or deadlines."""
        return " ".join(self._writer.all(absences(self.order)))

    @property
    def stop(self) -> list[dict[str, Any]]:
        """Open requests about units that are still to ship: a warning to whoever packs (rule ``shipment-answers``).

        ``answered``: whether a shipping notice answers the request; None where this process does not know the policy
        yet.
        """
        policy = self._market.policy
        return [
            {
                "id": request.request_id,
                "by": request.by,
                "other": awaits,
                "offered": bool(request.offers),
                "what": self._writer.what(waiting),
                "answered": None if policy is None else not policy.mutual_consent,
            }
            for request in self.order.open_requests()
            if (awaits := self.order.awaits(request)) is not None
            and (waiting := {n: q for n in request.requested if (q := self.order.still_open(request, n))})
        ]

    @property
    def without_answer(self) -> list[str]:
        """What happens to each request that waits for a side, if that side does not answer."""
        return [text for request in self.order.open_requests() if (text := self._without_answer(request)) is not None]

    @property
    def needs_answer(self) -> bool:
        """Whether somebody has to act on a request, a case, a dispute or canceled items that shipped."""
        pending = {"shipped_after_cancel", "case_open", "dispute_open"}
        requests = self.order.open_requests()
        return any(map(self.order.awaits, requests)) or not pending.isdisjoint(attention(self.order, self.now))

    def _without_answer(self, request: Request) -> str | None:
        """None if nobody has to answer, if the time to answer is over, or while the policy is not known."""
        until, policy = answer_by(self.order, request), self._market.policy
        if policy is None or self.order.awaits(request) not in SIDES:
            return None
        due = until is not None and until >= self.now
        if request.offers:
            return words.NO_CHOICE if due else None
        mutual = request.rule == "mutual-consent-after-shipment"
        silence = (policy.terms(MutualConsent) if mutual else policy.terms(SellerHasFinalSay)).silence
        if silence == "stays" or until is None:
            return words.WITHOUT_ANSWER["stays"]
        if silence == "cancels-if-unpaid":
            silence = "cancels-if-unpaid" if self.order.is_unpaid else "closes"
        return words.WITHOUT_ANSWER[silence] if due else None

    @property
    def case_files(self) -> list[tuple[str, str]]:
        """The order's disputes and cases; each has a page."""
        return [("Dispute", name) for name in self.order.disputes] + [("Case", name) for name in self.order.cases]

    def _with_time_left(self, due: Instant) -> str:
        return f"{moment(due, self.zone)} ({time_left(due, self.now)})"

    # ---- tables ---------------------------------------------------------------------------------------------------

    @cached_property
    def lines(self) -> list[dict[str, Any]]:
        placed = {line.line: line for line in self.terms.lines}
        return [
            {
                "line": line,
                "price": self._price(placed[line.number]),
                "shipping": amount(line.shipping + line.shipping_tax, self.currency) if line.shipping else None,
                "value": amount(line.value, self.currency),
            }
            for line in self.order.lines.values()
        ]

    def _price(self, line: PlacedLine) -> str:
        """The unit price as it was given. It may have more decimals than the currency, or be absent."""
        if line.price is not None:
            return line.price
        return amount(line.unit_price, self.currency) if line.amount is None else ""

    @cached_property
    def sums(self) -> dict[str, int]:
        """Units of all lines, by state."""
        lines = self.order.lines.values()
        names = ("ordered", "open", "shipped", "canceled", "auto_canceled", "returned", "rebilled", "undelivered")
        return {name: sum(getattr(line, name) for line in lines) for name in names}

    @property
    def money_rows(self) -> list[tuple[str, int, bool]]:
        """Rows of the money table: name, signed amount, whether to show it. They add up to ``left_with_seller``."""
        amounts = money(self.order)
        rows = [
            ("Paid by the buyer", amounts["paid_minor"], True),
            ("Refunds due", -amounts["refund_due_minor"], True),
            ("Refunds paid", -amounts["refunded_minor"], True),
            ("Refunded separately", -self.order.other_refunds_in_all, self.order.other_refunds_in_all != 0),
            ("Billed again and paid", self.order.rebills_confirmed, self.order.rebills_confirmed != 0),
        ]
        return [row for row in rows if row[2]]

    @property
    def left_with_seller(self) -> int:
        return money(self.order)["kept_minor"]

    @property
    def refunds(self) -> list[dict[str, Any]]:
        return [
            {
                "id": refund.refund_id,
                "amount": amount(refund.amount, self.currency),
                "status": words.REFUND[_refund_status(refund)],
                "when": self.when(refund.due_at),
                "causes": words.listed([words.REFUND_CAUSE.get(each.cause, each.cause) for each in refund.causes]),
                "parts": [self._part(part) for part in refund.parts] if _is_shared(refund) else [],
            }
            for refund in self.order.refunds.values()
        ]

    def _part(self, part: Part) -> str:
        """Write the part of a refund that goes back to one payment, and how far it is."""
        method = words.METHOD.get(part.method, part.method)
        state = "waits for a chargeback" if part.waiting else "failed" if part.failed else "due"
        if not part.left:
            state = (
                "refunded separately"
                if part.elsewhere and not part.confirmed
                else "released"
                if (part.kind == "void")
                else "refunded"
            )
        elif part.elsewhere:
            state += f", {amount(part.elsewhere, self.currency)} refunded separately"
        return f"{amount(part.amount, self.currency)} to {part.payment_id} ({method}): {state}"

    @property
    def payments(self) -> list[dict[str, Any]]:
        """The payments. A single one without method, authorization or chargeback says no more than the money table."""
        payments = list(self.order.payments.values())
        plain = len(payments) == 1 and payments[0].method == "other" and not payments[0].authorized
        if plain and payments[0].chargeback is None:
            return []
        return [
            {
                "id": payment.payment_id,
                "method": words.METHOD.get(payment.method, payment.method),
                "authorized": payment.authorized,
                "captured": payment.captured,
                "refunded": payment.refunded,
                "separately": payment.elsewhere,
                "chargeback": None if payment.chargeback is None else amount(payment.chargeback.amount, self.currency),
                "when": self.when(payment.received_at),
            }
            for payment in payments
        ]

    @property
    def fees(self) -> list[dict[str, Any]]:
        return [
            {
                "id": fee.fee_id,
                "title": fee.title,
                "refundable": fee.refundable == "with-order",
                "amount": amount(fee.amount, self.currency),
                "tax": amount(fee.tax, self.currency),
            }
            for fee in self.terms.fees
        ]

    @property
    def other_refunds(self) -> list[dict[str, Any]]:
        """Amounts that were refunded separately: when, how much, and what for."""
        return [
            {
                "id": other.other_refund_id,
                "amount": amount(other.amount, self.currency),
                "refund": other.refund_id,
                "covers": words.covered(
                    [
                        {"kind": each.kind, "line": each.line, "fee_id": each.fee_id, "amount": each.amount}
                        for each in other.covers
                    ],
                    self._writer,
                ),
                "when": self.when(other.recorded_at),
            }
            for other in self.order.others
        ]

    @property
    def returns(self) -> list[dict[str, Any]]:
        return [
            {
                "id": back.return_id,
                "status": words.RETURN["part" if back.received and back.status == "open" else back.shown_status],
                "what": self._writer.items(back.lines),
                "received": self._writer.items(back.received) if back.received and back.status == "open" else None,
                "carrier": back.carrier,
                "tracking_number": back.tracking_number,
                "opened": self.when(back.opened_at),
                "ship_by": None
                if back.ship_by is None or back.status != "open" or back.is_under_way
                else self.when(back.ship_by),
            }
            for back in self.order.returns.values()
        ]

    @property
    def requests(self) -> list[dict[str, Any]]:
        return [self._request(request) for request in reversed(self.order.requests.values())]

    def _request(self, request: Request) -> dict[str, Any]:
        until = answer_by(self.order, request)
        return {
            "id": request.request_id,
            "by": request.by,
            "reason": words.reason(request.reason),
            "what": self._writer.what(request.requested),
            "status": words.REQUEST[request.status],
            "requested": self.when(request.requested_at),
            "until": None if until is None else self.when(until),
            "left": time_left(until, self.now) if until is not None and self.order.awaits(request) in SIDES else None,
            "rule": request.rule,
        }

    @property
    def shipments(self) -> list[dict[str, Any]]:
        return [
            {
                "id": shipment.shipment_id,
                "carrier": shipment.carrier,
                "tracking_number": shipment.tracking_number,
                "status": words.SHIPMENT[shipment.status],
                "what": self._writer.what(shipment.lines),
                "killed": self._writer.items(shipment.killed) if shipment.killed else None,
                "when": self.when(shipment.occurred_at),
            }
            for shipment in self.order.shipments.values()
        ]

    @property
    def deadlines(self) -> list[dict[str, Any]]:
        found = sorted(live(self.order), key=lambda d: (d.due_at, d.kind, number(d)))
        return [
            {
                "what": words.DEADLINE.get(deadline.kind, deadline.kind),
                "when": self.when(deadline.due_at),
                "left": time_left(deadline.due_at, self.now),
                "ref": deadline.ref if deadline.ref != self.order.order_id else None,
            }
            for deadline in found
        ]

    # ---- verdicts ---------------------------------------------------------------------------------------------------

    def _verdict(self, verdict: Verdict) -> dict[str, Any]:
        change = verdict.next_change_at
        answer, signal = words.ANSWER[verdict.outcome]
        return {
            "action": verdict.action,
            "question": words.QUESTION.get(verdict.action, verdict.action),
            "name": words.ACTION.get(verdict.action, verdict.action),
            "answer": answer,
            "signal": signal,
            "outcome": verdict.outcome,
            "because": self._in_zone(verdict.because),
            "rule": verdict.rule,
            "policy": verdict.policy,
            "instead": [
                (self._instead(each), None if each.until is None else self.when(each.until)) for each in verdict.instead
            ],
            "changes": None if change is None else self.when(change),
            "changes_in": None if change is None else from_now(change, self.now),
        }

    def _instead(self, each: Instead) -> str:
        """Write an option that remains. To contact the marketplace, it says also how, and which order to name."""
        if each.option != "contact" or self._market.contact is None:
            return self._in_zone(each.text)
        return (
            f"{each.text} {self._market.contact}. Give the order number {self.order.marketplace}/{self.order.order_id}."
        )

    # ---- the timeline -----------------------------------------------------------------------------------------------

    def _timeline(self, history: Iterable[EventJson]) -> Iterable[dict[str, Any]]:
        """One entry per commit, newest first, with the events that were decided together."""
        commits = [list(group) for _, group in groupby(history, key=lambda event: event["ordinal"])]
        for events in reversed(commits):
            first, last = events[0], events[-1]
            recorded = parse_instant(first["recorded_at"])
            occurred = parse_instant(first["occurred_at"])
            verdict = next((v for each in reversed(events) if (v := (each["data"] or {}).get("verdict"))), None)
            no = verdict if verdict is not None and verdict["outcome"] == "refused" else None
            yield {
                "recorded": self.when(recorded),
                "occurred": self.when(occurred) if occurred != recorded else None,
                "actor": first["actor"],
                "version": last["version"],
                "commit": last["commit"],
                "as_of": format_instant(recorded),
                "facts": [
                    {
                        "text": words.event_sentence(each["event"], each["data"], self._writer)
                        if each["data"] is not None
                        else f"{each['event']}: {each['unreadable']}",
                        "name": each["event"],
                        "no": each["event"] in _NO,
                    }
                    for each in events
                ],
                "rules": rules_of(events),
                "because": None if no is None else self._in_zone(no["because"]),
                "instead": [] if no is None else [self._in_zone(each["text"]) for each in no["instead"]],
            }

    def when(self, instant: Instant) -> When:
        """Write an instant in the order's zone."""
        return when(instant, self.zone, self.now)

    def _in_zone(self, text: str) -> str:
        """Write the instants in a verdict's sentence as the page writes its other times."""
        return _INSTANT.sub(lambda found: self.when(parse_instant(found[0])).text, text)

    def money(self, minor: int) -> str:
        return f"{amount(minor, self.currency)} {self.currency}"

    @property
    def summary(self) -> str:
        return f"{counted(len(self.order.lines), 'item')}, {units(self.sums['ordered'])}"


def _refund_status(refund: Refund) -> str:
    """The status of a refund for words.REFUND: failed and waiting ones are due."""
    if refund.status != "due":
        return refund.status
    return "failed" if refund.failed else "waiting" if refund.waiting else "due"


def _is_shared(refund: Refund) -> bool:
    """Whether its parts say more than the refund itself."""
    return len(refund.parts) > 1 or any(part.elsewhere or part.kind == "void" for part in refund.parts)


_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
"""An instant in a verdict's sentence, which is stored as it was decided."""

_NO = frozenset({"CancelRefused", "CommandRefused", "ShipmentRefused", "DisputeDismissed"})


_EFFECTS = {"unpaid": "unpaid-auto-cancel", "late_ship": "late-ship-auto-cancel"}
"""Cause of a cancellation without a verdict → the rule that it is the effect of."""


def rules_of(events: Sequence[EventJson]) -> list[str]:
    """The rules that a commit is based on: those its events name, those whose effects they are, the verdict's last."""
    found: list[str] = []
    for each in events:
        data = each["data"] or {}
        if each["event"] == "AutoCanceled":
            found.append("fill-or-kill")
        if each["event"] == "LinesCanceled":
            found += [_EFFECTS[part["cause"]] for part in data["lines"] if part["cause"] in _EFFECTS]
        if data.get("rule"):
            found.append(str(data["rule"]))
    verdicts = [v for each in events if (v := (each["data"] or {}).get("verdict"))]
    found += [str(verdict["rule"]) for verdict in verdicts[-1:]]
    return list(dict.fromkeys(found))
