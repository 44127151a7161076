"""The claims about an order at an instant, each derived once from the whole state.

A claim is an id and its values: amounts in minor units, instants, quantities by line. A language pack has the sentence
of each claim (``infra.documents.claims`` writes it). Pages and the command line describe an order's state by claims
only.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from domain.deadlines import live
from domain.instants import Instant
from domain.order import Case, Order, Request

IDS: Final = (
    "request-waits",
    "request-overdue",
    "request-without-deadline",
    "request-disputed",
    "request-disputed-before",
    "request-shipped",
    "offers-wait",
    "offers-overdue",
    "all-canceled",
    "units",
    "unpaid",
    "refund-on-its-way",
    "refund-failed",
    "refund-waiting",
    "chargeback-open",
    "refunded-separately",
    "paid-back-twice",
    "left-though-canceled",
    "customer-to-notify",
    "customer-to-answer",
    "customer-late",
    "customer-accepts",
    "customer-billed",
    "billing-again",
    "billing-failed",
    "customer-declined",
    "return-open",
    "lost-on-the-way",
    "case-until",
    "case-overdue",
    "case-paused",
    "case-open",
    "dispute-open",
    "nothing-shipped",
    "no-notice",
    "no-deadline",
)
"""The ids of all claims."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One statement about an order: its id and the values that its sentence uses."""

    id: str
    values: Mapping[str, Any] = field(default_factory=dict)


def claims(order: Order, now: Instant) -> list[Claim]:
    """Return the claims about an order's state, open requests, money, returns, cases and disputes."""
    requests = list(order.open_requests())
    found = [_request(order, request, now) for request in requests]
    if not any(order.awaits(request) for request in requests):
        found.append(_units(order, now))
    return [*found, *_money(order), *_left_though_canceled(order, now), *_after(order, now)]


def absences(order: Order) -> list[Claim]:
    """Return claims about missing shipping notices and missing deadlines."""
    found = []
    if not order.shipments:
        found.append(Claim("no-notice" if has_left(order) else "nothing-shipped"))
    if next(live(order), None) is None:
        found.append(Claim("no-deadline"))
    return found


def has_left(order: Order) -> bool:
    """Whether any unit is known to have left, whether or not a notice announced it or it was canceled."""
    lines = order.lines.values()
    return bool(order.parcels) or any(line.shipped or line.found_shipped for line in lines)


class InFlight(NamedTuple):
    """The parts of due refunds that are not confirmed, in minor units."""

    on_its_way: int
    failed: int
    """The parts whose last attempt failed."""
    waiting: int
    """The parts that wait for a chargeback."""


def refunds_in_flight(order: Order) -> InFlight:
    """Return what of the due refunds is on its way, failed, and waits for a chargeback."""
    on_its_way = failed = waiting = 0
    for refund in order.refunds.values():
        for part in refund.parts if refund.status == "due" else ():
            if part.waiting:
                waiting += part.left
            elif part.failed:
                failed += part.left
            else:
                on_its_way += part.left
    return InFlight(on_its_way, failed, waiting)


def with_carrier(order: Order) -> int:
    """Count the open units that a carrier tracks and no shipping notice has announced."""
    open_units = {line.number: line.open for line in order.lines.values()}
    tracked = 0
    for parcel in order.parcels:
        for number, units in parcel.lines.items() if not parcel.delivered else ():
            part = min(units, open_units[number])
            open_units[number] -= part
            tracked += part
    return tracked


# ---- the claims ------------------------------------------------------------------------------------------------------


def answer_by(order: Order, request: Request) -> Instant | None:
    """Return the deadline to answer a request or its offers; None if there is none."""
    if request.decide_by is not None:
        return request.decide_by
    return next((d.due_at for d in live(order) if (d.kind, d.ref) == ("alternatives", request.request_id)), None)


def _request(order: Order, request: Request, now: Instant) -> Claim:
    """The claim about an open request: who has to act and until when, or why nobody has to."""
    until, awaits = answer_by(order, request), order.awaits(request)
    values: dict[str, Any] = {
        "by": request.by,
        "other": awaits or "",
        "lines": dict(request.requested),
        "reason": request.reason,
        "offers": request.offers,
        "until": until,
    }
    if awaits == "support":
        return Claim("request-disputed", values)
    if awaits is None:
        disputed = any(dispute.about == request.request_id for dispute in order.disputes.values())
        return Claim("request-disputed-before" if disputed else "request-shipped", values)
    late = until is not None and until < now
    if request.offers:
        return Claim("offers-overdue" if late else "offers-wait", values)
    if until is None:
        return Claim("request-without-deadline", values)
    return Claim("request-overdue" if late else "request-waits", values)


def _units(order: Order, now: Instant) -> Claim:
    lines = order.lines.values()
    canceled = sum(line.canceled for line in lines)
    if not order.open_units and not order.shipped_units:
        return Claim("all-canceled")
    tracked = with_carrier(order)
    return Claim(
        "units",
        {
            "ordered": sum(line.ordered for line in lines),
            "shipped": order.shipped_units,
            "delivered": sum(min(line.delivered, line.shipped) for line in lines),
            "canceled": canceled,
            "tracked": tracked,
            "to_ship": order.open_units - tracked,
            "ship_by": order.ship_by,
            "late": order.ship_by is not None and order.ship_by < now,
        },
    )


def _money(order: Order) -> Iterator[Claim]:
    unpaid = order.terms.total - order.value_with_shipping - order.paid
    if unpaid > 0 and order.open_units:
        yield Claim("unpaid", {"amount": unpaid})
    on_its_way, failed, waiting = refunds_in_flight(order)
    if on_its_way:
        yield Claim("refund-on-its-way", {"amount": on_its_way})
    if failed:
        yield Claim("refund-failed", {"amount": failed})
    if waiting:
        yield Claim("refund-waiting", {"amount": waiting})
    demanded = sum(payment.chargeback.amount for payment in order.payments.values() if payment.chargeback is not None)
    if demanded:
        yield Claim("chargeback-open", {"amount": demanded})
    if order.others:
        yield refunded_separately(order)
    if order.kept < 0:
        yield Claim("paid-back-twice", {"amount": -order.kept})


def refunded_separately(order: Order) -> Claim:
    """The claim about all money that was given back outside the refunds. ``times``: when, one for each."""
    times = [other.recorded_at for other in order.others]
    return Claim("refunded-separately", {"amount": order.other_refunds_in_all, "times": times})


def _left_though_canceled(order: Order, now: Instant) -> Iterator[Claim]:
    """The claims about canceled units that shipped anyway, until their steps are closed."""
    found = order.found
    if found is None or found.stage in ("closed", "silent"):
        return
    yield Claim("left-though-canceled", {"lines": dict(found.lines)})
    if found.stage == "found":
        yield Claim("customer-to-notify")
    elif found.stage == "notified":
        until = next((d.due_at for d in live(order) if (d.kind, d.ref) == ("acknowledge", found.notice_id)), None)
        yield Claim("customer-late" if until is not None and until < now else "customer-to-answer", {"until": until})
    elif found.stage == "declined":
        yield Claim("customer-declined")
    else:
        open_rebills = [each for each in order.rebills.values() if each.status == "due"]
        unsettled = (each for each in order.rebills.values() if each.status == "confirmed" and each.memo_id is None)
        billed = sum(each.amount for each in unsettled)
        due = sum(each.amount for each in open_rebills)
        if any(each.failed for each in open_rebills):
            yield Claim("billing-failed", {"amount": sum(each.amount for each in open_rebills if each.failed)})
        elif due:
            yield Claim("billing-again", {"amount": due})
        elif billed:
            yield Claim("customer-billed", {"amount": billed})
        else:
            yield Claim("customer-accepts")


def _after(order: Order, now: Instant) -> Iterator[Claim]:
    """The claims about lost units and about open returns, cases and disputes."""
    lost = {line.number: line.undelivered for line in order.lines.values() if line.undelivered}
    if lost:
        yield Claim("lost-on-the-way", {"lines": lost})
    for back in order.returns.values():
        if back.status == "open":
            yield Claim("return-open", {"lines": back.left})
    for case in order.cases.values():
        if case.status == "open":
            yield _case(order, case, now)
    for dispute in order.disputes.values():
        if dispute.status == "open":
            yield Claim("dispute-open", {"dispute_id": dispute.dispute_id})


def _case(order: Order, case: Case, now: Instant) -> Claim:
    until = next((d.due_at for d in live(order) if (d.kind, d.ref) == ("case", case.case_id)), None)
    values: dict[str, Any] = {"lines": dict(case.lines), "reason": case.reason, "until": until, "kinds": case.awaited}
    if case.remaining is not None:
        return Claim("case-paused", values)
    if until is None:
        return Claim("case-open", values)
    return Claim("case-overdue" if until < now else "case-until", values)
