"""Recommends a course from the record alone: proceed, escalate, abandon and return, or settle or complete.

A recommendation decides nothing. It names its facts and the amount at stake, and leaves the choice to people.
"""

from dataclasses import dataclass
from typing import Final

from domain import events as e
from domain.checklist import Gap, Item, shipped_before
from domain.instants import Instant
from domain.order import Case, Dispute, Order, fee_value
from domain.record import Record

ENOUGH: Final = 30
"""The least number of decided disputes for a marketplace's own figures to be shown."""


@dataclass(frozen=True, slots=True)
class Course:
    """A possible course of action, its risk, and its duration."""

    course: str
    risk: str
    takes: str


PROCEED: Final = Course("proceed", "Loss, if the evidence is weak.", "weeks to months")
ESCALATE: Final = Course("escalate", "Cost and delay.", "several months or more")
ABANDON: Final = Course("abandon-and-return", "The return may be refused.", "weeks")
SETTLE: Final = Course("settle-or-complete", "Only the deadlines that run in the meantime.", "days")


@dataclass(frozen=True, slots=True)
class Precedents:
    """Outcomes of a marketplace's own disputes: the number decided, the number granted, and the median days."""

    decided: int
    granted: int
    median_days: int

    @property
    def enough(self) -> bool:
        return self.decided >= ENOUGH


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The course, its facts, and the amount at stake in minor units of the order's currency."""

    course: Course
    facts: tuple[str, ...]
    at_stake: int
    arbitration_fee: str | None
    precedents: Precedents | None
    """None if there were too few of them."""


def recommend_dispute(
    order: Order,
    record: Record,
    dispute: Dispute,
    checklist: tuple[Item, ...],
    now: Instant,
    *,
    fee: str | None = None,
    precedents: Precedents | None = None,
) -> Recommendation:
    """Recommend the first course for a dispute whose facts are on record."""
    course, facts = _dispute_course(order, record, dispute, checklist, now)
    return _made(order, course, facts, dispute.lines, fee, precedents)


def recommend_case(
    order: Order,
    case: Case,
    checklist: tuple[Item, ...],
    *,
    fee: str | None = None,
    precedents: Precedents | None = None,
) -> Recommendation:
    """Recommend the first course for a case whose facts are on record."""
    open_gaps = [gap.gap for gap in gaps(checklist) if gap.closable]
    if case.status == "accepted" or case.outcome == "return":
        course, facts = SETTLE, ["the return is agreed or ordered: what remains is to send it back"]
    elif case.outcome == "deny":
        course, facts = ABANDON, ["the case was denied"]
    elif case.awaited:
        course, facts = SETTLE, [f"the platform waits for: {', '.join(case.awaited)}"]
    elif open_gaps:
        course, facts = SETTLE, [f"gaps that can still be closed: {', '.join(dict.fromkeys(open_gaps))}"]
    else:
        course, facts = PROCEED, ["the claim and its evidence are on record"]
    return _made(order, course, tuple(facts), case.lines, fee, precedents)


def gaps(checklist: tuple[Item, ...]) -> list[Gap]:
    """Return every gap of a checklist, in its order."""
    return [gap for item in checklist for gap in item.gaps]


def _made(
    order: Order,
    course: Course,
    facts: tuple[str, ...],
    lines: dict[int, int],
    fee: str | None,
    precedents: Precedents | None,
) -> Recommendation:
    shown = precedents if precedents is not None and precedents.enough else None
    return Recommendation(course, facts, at_stake(order, lines), fee, shown)


def _dispute_course(
    order: Order, record: Record, dispute: Dispute, checklist: tuple[Item, ...], now: Instant
) -> tuple[Course, tuple[str, ...]]:
    if dispute.status in ("granted", "returned"):
        return SETTLE, (f"the dispute was {dispute.status}: what remains is to complete it",)
    request = order.requests.get(dispute.about)
    requests = [x for x in record if request is not None and _asks(x.event, request.request_id)]
    if request is None and order.ever_shipped:
        return ABANDON, ("it shipped before there was any request: it was asked by message only",)
    if requests and shipped_before(record, requests[-1]):
        return ABANDON, (f"it had shipped before request {dispute.about} was made",)
    missed = [gap for gap in gaps(checklist) if gap.gap == "missed-deadline" and gap.stage != "during"]
    if missed:
        return ABANDON, (f"the window lapsed: {missed[0].consequence}",)
    if dispute.status == "denied":
        left = "a second decision: it is final here" if dispute.appealed else "the time to appeal is open"
        return ESCALATE, ("the platform denied the dispute", left)
    closable = [gap for gap in gaps(checklist) if gap.closable and gap.severity in ("high", "critical")]
    if closable:
        named = ", ".join(dict.fromkeys(gap.gap for gap in closable))
        return SETTLE, (f"gaps that can still be closed: {named}",)
    answer = next(item for item in checklist if item.item == "answer")
    return PROCEED, ("it was asked in time", answer.said)


def _asks(event: e.Event, request_id: str) -> bool:
    return isinstance(event, e.CancelRequested) and event.request_id == request_id


def at_stake(order: Order, lines: dict[int, int]) -> int:
    """Return the amount that could still be refunded for these units: their value, at most the unrefunded payment."""
    value = 0
    for number, units in lines.items():
        line = order.lines[number]
        left = min(units, line.ordered - line.credited)
        shipped = min(units, line.ordered - line.shipping_credited)
        now = line.due(line.credited, line.shipping_credited, line.covered)
        value += line.due(line.credited + left, line.shipping_credited + shipped, line.covered) - now
    whole = all(lines.get(number, 0) + line.credited >= line.ordered for number, line in order.lines.items())
    if whole and not order.ever_shipped and not order.with_order_credited:
        value += max(0, order.shipping_value - order.shipping_covered)
        value += sum(max(0, fee_value(x) - order.fees_covered.get(x.fee_id, 0)) for x in order.terms.fees)
    return max(0, min(value, order.paid - order.other_refunds - order.refunds_instructed))
