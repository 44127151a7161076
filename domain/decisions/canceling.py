"""Cancellation requests, answers to them, and the seller's own cancellations. See docs/reference/cancellation.md."""

from collections.abc import Iterable
from dataclasses import replace

from domain import events as e
from domain.calendar import after
from domain.commands import (
    ApproveCancel,
    CancelLines,
    DeclineAlternatives,
    DeclineCancel,
    Pick,
    RequestCancel,
    TakeAlternative,
    WithdrawCancel,
)
from domain.decisions.context import DecisionContext, Events, quantities, sealed
from domain.decisions.open_case_files import case_is_open, dispute_is_open
from domain.decisions.returns import in_return, never_arrived, open_return
from domain.errors import BadInput
from domain.instants import Instant, format_instant
from domain.order import Line, Request
from domain.rules import LineSelection, RuleInput, judge, locks, turning_points
from domain.rules.automatic import LateShipAutoCancel
from domain.rules.consent import SellerHasFinalSay
from domain.rules.parcels import MutualConsent
from domain.rules.requests import AlternativesFirst
from domain.verdict import (
    AGREE_AFTER_DELIVERY,
    ASK_SELLER,
    CHOOSE,
    CONTACT,
    DISPUTE,
    GRANTED,
    NEW_ORDER,
    OPEN_CASE,
    REFUSED,
    RETURN_AFTER_DELIVERY,
    WAIT_FOR_ANSWER,
    WAIT_FOR_DECISION,
    Ruling,
    fact,
    instant,
    of_line,
    refused,
)

DISPUTABLE = ("declined", "shipped", "partly")
"""Statuses of closed requests that can be disputed."""

# ---- the requested units -----------------------------------------------------------------------------------------


def targets(s: DecisionContext, lines: tuple[Pick, ...] | None) -> list[LineSelection]:
    """Resolve a selection to units: open ones, or shipped ones if none is open. Under mutual consent, to both."""
    order = s.order
    if lines is None:
        still_open = [LineSelection(line, line.open, 0) for line in order.lines.values() if line.open]
        return still_open or [
            LineSelection(x, 0, x.with_buyer_or_under_way) for x in order.lines.values() if x.with_buyer_or_under_way
        ]
    return [_target(s, order.lines[pick.line], pick.quantity) for pick in lines]


def _target(s: DecisionContext, line: Line, quantity: int | None) -> LineSelection:
    if s.policy.mutual_consent or not line.open:
        units = line.open + line.with_buyer_or_under_way if quantity is None else quantity
        still_open = min(units, line.open)
        return LineSelection(line, still_open, min(units - still_open, line.with_buyer_or_under_way))
    return LineSelection(line, line.open if quantity is None else quantity, 0)


def question(
    s: DecisionContext, lines: tuple[Pick, ...] | None, reason: str | None, *, by: str, own: bool
) -> RuleInput:
    """Build the rules' input for a command."""
    return RuleInput(s.order, s.policy, s.now, by, own, lines is not None, targets(s, lines), reason)


def judge_cancel(s: DecisionContext, q: RuleInput, lines: tuple[Pick, ...] | None) -> Ruling:
    """Judge a cancellation: first by the rules that hold for every order, then by the policy's list.
    See docs/reference/cancellation.md, How a cancellation is judged.
    """
    ruling = (
        s.no_such_line(lines)
        or _delivered(s, lines)
        or _canceled_before(s, lines)
        or _lost(s, lines)
        or _more_than_open(s, lines)
        or (None if q.own else _open_before(s, q))
    )
    if ruling is not None:
        return ruling
    ruling = judge(q)
    if ruling.outcome != REFUSED and _nothing_of_one(s, q):
        return _coming_back(s, q)
    if ruling.outcome != REFUSED and ruling.rule not in ("mutual-consent-after-shipment", "stalled-tracking"):
        gone = next((t.line.number for t in q.targets if not t.open), None)
        if gone is not None and not s.policy.mutual_consent:
            return refused("more-than-open", f"Nothing of line {gone} is open.", fact("line", gone))
    return ruling


def _nothing_of_one(s: DecisionContext, q: RuleInput) -> bool:
    """Whether the selection has no units or, under mutual consent, any of its lines has none."""
    meant = [bool(t.units) for t in q.targets]
    return not all(meant) if s.policy.mutual_consent and meant else not any(meant)


def _coming_back(s: DecisionContext, q: RuleInput) -> Ruling:
    """Refuse under mutual consent, because all units of a line or of the order are in a return or came back."""
    gone = {t.line.number for t in q.targets if not t.units} or s.order.lines.keys()
    for back in s.order.returns.values():
        if back.status == "open" and gone & back.lines.keys() and not q.own:
            return in_return(back, "It")
    lost = next((s.order.lines[n] for n in gone if s.order.lines[n].undelivered), None)
    if lost is not None:
        return never_arrived(lost)
    return refused(
        "mutual-consent-after-shipment", "It has shipped, and is in a return or came back.", instead=(NEW_ORDER,)
    )


def _delivered(s: DecisionContext, lines: tuple[Pick, ...] | None) -> Ruling | None:
    """Refuse by ``case-is-not-cancel`` if the units were delivered. The buyer needs a case or a return instead."""
    if s.policy.mutual_consent:
        return None
    if lines is None:
        here = s.order.open_units == 0 and s.order.all_shipped_is_delivered
        number = None
    else:
        named = (s.order.lines[pick.line] for pick in lines)
        number = next((x.number for x in named if not x.open and x.delivered and x.all_arrived_or_lost), None)
        here = number is not None
    if not here:
        return None
    instead = []
    if s.policy.cases is not None:
        instead.append(OPEN_CASE)
    if s.policy.returns is not None and s.policy.returns.reasons:
        instead.append(RETURN_AFTER_DELIVERY)
    what = "It" if number is None else f"Line {number}"
    return refused(
        "case-is-not-cancel", f"{what} has been delivered, so there is nothing left to cancel.", instead=tuple(instead)
    )


def _canceled_before(s: DecisionContext, lines: tuple[Pick, ...] | None) -> Ruling | None:
    """Refuse canceled lines by ``already-canceled``, or by ``auto-canceled-is-final`` after fill-or-kill."""
    order = s.order
    if lines is None:
        if order.open_units or order.shipped_units:
            return None
        gone: Iterable[Line] = order.lines.values()
    else:
        gone = (order.lines[pick.line] for pick in lines)
    for line in gone:
        if line.open or not line.canceled or (s.policy.mutual_consent and line.with_buyer_or_under_way):
            continue
        when = instant("canceled_at", line.canceled_at or order.recorded_at)
        if line.auto_canceled:
            return refused(
                "auto-canceled-is-final",
                f"{of_line(line.auto_canceled, line.number, 'cancelled by fill or kill')}, and that is final.",
                fact("line", line.number),
                when,
                instead=(NEW_ORDER,),
            )
        return refused(
            "already-canceled",
            f"Line {line.number} is cancelled already: {_by_whom(s, line)}, at "
            f"{format_instant(line.canceled_at or order.recorded_at)}.",
            fact("line", line.number),
            fact("canceled", line.canceled),
            when,
            fact("canceled_by", line.canceled_by),
            fact("cause", line.canceled_as),
            *(() if line.canceled_for is None else (fact("request_id", line.canceled_for),)),
            instead=(NEW_ORDER,),
        )
    return None


def _lost(s: DecisionContext, lines: tuple[Pick, ...] | None) -> Ruling | None:
    """Refuse lines of which nothing is left, because what shipped of them was lost or damaged on its way."""
    if lines is None:
        named = list(s.order.lines.values()) if s.order.all_shipped_is_lost and not s.order.open_units else []
    else:
        named = [s.order.lines[pick.line] for pick in lines]
    gone = (x for x in named if x.undelivered and not x.open and x.undelivered == x.shipped)
    lost = next(gone, None)
    return None if lost is None else never_arrived(lost)


def _by_whom(s: DecisionContext, line: Line) -> str:
    """Name who or what last canceled units of a line."""
    request = s.order.requests.get(line.canceled_for or "")
    match line.canceled_as:
        case "request" if request is not None:
            return f"as the {request.by} asked by request {request.request_id}"
        case "dispute" if request is not None:
            return f"by the decision of a dispute about request {request.request_id}"
        case "dispute":
            return "by the decision of a dispute"
        case "late_ship":
            return "by itself, because it had not shipped in time"
        case "unpaid":
            return "by itself, because it had not been paid for in time"
        case "seller":
            return "by the seller"
        case _:
            return "by support"


def _more_than_open(s: DecisionContext, lines: tuple[Pick, ...] | None) -> Ruling | None:
    what = "open or shipped" if s.policy.mutual_consent else "open"
    for pick in lines or ():
        line = s.order.lines[pick.line]
        can = line.open + (line.with_buyer_or_under_way if s.policy.mutual_consent else 0)
        if pick.quantity is not None and can and pick.quantity > can:
            return refused(
                "more-than-open",
                f"{of_line(can, line.number, what)}, not {pick.quantity}.",
                fact("line", line.number),
                fact("open", can),
                fact("asked", pick.quantity),
            )
    return None


def _open_before(s: DecisionContext, q: RuleInput) -> Ruling | None:
    """Refuse by ``one-open-request`` if an open request, case or dispute is about the same line."""
    lines = {target.line.number for target in q.targets}
    for request in s.order.open_requests():
        if lines & request.asked.keys():
            until = () if request.decide_by is None else (instant("decide_by", request.decide_by),)
            because, instead = _open_already(s, request)
            return refused(
                "one-open-request",
                f"Request {request.request_id} is open already{because}.",
                fact("request_id", request.request_id),
                fact("status", request.status),
                *until,
                instead=instead,
            )
    return in_case_or_dispute(s, lines)


def _open_already(s: DecisionContext, request: Request) -> tuple[str, tuple[e.Instead, ...]]:
    """Return what an open request waits for, as the end of a sentence, and the options instead of a new request."""
    match s.order.awaits(request):
        case "support":
            return " and a dispute about it is open", (WAIT_FOR_DECISION, CONTACT)
        case None:
            return ", and nobody has to answer it", (CONTACT,)
        case _ if request.offers:
            return " and the buyer has to choose among the offers", (CHOOSE, CONTACT)
        case _:
            return " and waits for an answer", ()


def in_case_or_dispute(s: DecisionContext, lines: set[int]) -> Ruling | None:
    """Refuse by ``one-open-request`` if an open case or dispute is about one of these lines."""
    for case in s.order.cases.values():
        if case.status == "open" and (shared := lines & case.lines.keys()):
            return case_is_open(case, min(shared))
    return disputed(s, lines)


def disputed(s: DecisionContext, lines: set[int]) -> Ruling | None:
    """Refuse by ``one-open-request`` if an open dispute is about one of these lines."""
    for dispute in s.order.disputes.values():
        if dispute.status == "open" and (shared := lines & dispute.lines.keys()):
            return dispute_is_open(dispute, min(shared))
    return None


# ---- requesting --------------------------------------------------------------------------------------------------


def request_cancel(s: DecisionContext, ask: RequestCancel) -> Events:
    """Decide a request of the buyer or, under mutual consent, of the seller to cancel lines."""
    by = "seller" if ask.actor.kind == "seller" else "buyer"
    unknown = s.no_such_line(ask.lines)
    q = question(s, None if unknown else ask.lines, ask.reason, by=by, own=False)
    ruling = unknown or judge_cancel(s, q, ask.lines)
    verdict = s.verdict("cancel", ruling, None if unknown else _changes_at(s, ask, q))
    requested = (
        {p.line: p.quantity or 0 for p in ask.lines or ()} if unknown else {t.line.number: t.units for t in q.targets}
    )
    waits = _decide_by(s, ruling, ask.request_id)
    yield e.CancelRequested(ask.request_id, by, ask.reason, quantities(requested), sealed(ask.text), verdict, waits)
    match ruling.outcome:
        case "granted":
            yield from _carry_out_granted(s, q, ruling, s.order.requests[ask.request_id])
        case "offer_alternatives":
            assert ruling.behind is not None
            yield e.AlternativeOffered(
                ask.request_id,
                s.policy.terms(AlternativesFirst).offers,
                s.verdict("cancel", ruling.behind),
                s.deadline("alternatives", s.policy.terms(AlternativesFirst).deadline, ask.request_id),
            )
        case "refused":
            yield e.CancelRefused(ask.request_id, verdict)
        case _:
            return


def _changes_at(s: DecisionContext, ask: RequestCancel, q: RuleInput) -> Instant | None:
    """Return when the answer to this request would change if nothing else happened."""

    def again(later: DecisionContext) -> Ruling:
        return judge_cancel(later, question(later, ask.lines, ask.reason, by=q.by, own=False), ask.lines)

    return s.foresee(s, again, turning_points(q))


def _carry_out_granted(s: DecisionContext, q: RuleInput, ruling: Ruling, request: Request) -> Events:
    if ruling.rule == "stalled-tracking":
        lost = {t.line.number: min(t.shipped, t.line.under_way) for t in q.targets}
        yield from open_return(s, request.request_id, request.reason, lost, refund="at_once")
        return
    yield from _cancel(s, {t.line.number: t.open for t in q.targets}, request)


def _cancel(s: DecisionContext, lines: dict[int, int], request: Request) -> Events:
    """Cancel units as requested."""
    parts = tuple(
        e.CanceledLine(line, quantity, "request", request.reason, request.request_id)
        for line, quantity in lines.items()
        if quantity
    )
    if parts:
        yield e.LinesCanceled(parts, None)


def _decide_by(s: DecisionContext, ruling: Ruling, request_id: str) -> tuple[e.Deadline, ...]:
    """The deadline of the side that has to answer, if the ruling asks a side."""
    if ruling.outcome != ASK_SELLER:
        return ()
    return s.deadline("decide", terms_to_answer(s, ruling.rule).deadline, request_id)


def terms_to_answer(s: DecisionContext, rule: str | None) -> SellerHasFinalSay | MutualConsent:
    """Return the terms (deadline, effect of silence) of the rule under which a side has to answer."""
    mutual = rule == "mutual-consent-after-shipment"
    return s.policy.terms(MutualConsent) if mutual else s.policy.terms(SellerHasFinalSay)


# ---- answering ---------------------------------------------------------------------------------------------------


def _the_open_request(s: DecisionContext, request_id: str) -> Request | Ruling:
    request = s.order.requests.get(request_id)
    if request is None:
        return refused("no-such-request", f"There is no request {request_id}.", fact("request_id", request_id))
    if request.status != "open":
        return refused(
            "request-closed",
            f"Request {request_id} is closed: {request.status}.",
            fact("request_id", request_id),
            fact("status", request.status),
            instead=(DISPUTE,) if s.policy.disputes is not None and request.status in DISPUTABLE else (),
        )
    return request


def approve_cancel(s: DecisionContext, ask: ApproveCancel) -> Events:
    """Approve a request. Open units are canceled; under mutual consent, shipped units may be returned."""
    request = _the_open_request(s, ask.request_id)
    if isinstance(request, Ruling):
        yield from s.refuse(request, ask.request_id)
        return
    approved = e.CancelApproved(ask.request_id, "approved", ask.rule, ask.refund_now, sealed(ask.note))
    yield from carry_out(s, request, approved)


def carry_out(s: DecisionContext, request: Request, approved: e.CancelApproved) -> Events:
    """Carry out an approval, after the locks are judged again for the remaining units."""
    here = open_part(s, request)
    gone = shipped_part(s, request) if s.policy.mutual_consent else {}
    if here and (lock := locks(_of_request(s, request, here, {}))) is not None:
        yield e.CancelRefused(request.request_id, s.verdict("cancel", lock))
        return
    if gone and (lock := locks(_of_request(s, request, {}, gone))) is not None:
        because = "The parcel is on its way: the request stays open, and can be agreed to once it is delivered."
        yield from s.refuse(replace(lock, because=because, instead=(AGREE_AFTER_DELIVERY,)), request.request_id)
        return
    yield approved
    yield from _cancel(s, here, request)
    if gone:
        refund = "at_once" if approved.refund_now else "on_receipt"
        yield from open_return(s, request.request_id, request.reason, gone, refund=refund)


def open_part(s: DecisionContext, request: Request) -> dict[int, int]:
    """Units of a request that are still open, by line."""
    parts = {line: s.order.still_open(request, line) for line in request.asked}
    return {line: units for line, units in parts.items() if units}


def shipped_part(s: DecisionContext, request: Request) -> dict[int, int]:
    """Units of a request that shipped and are neither back nor in a return, by line."""
    parts = {line: s.order.asked_and_shipped(request, line) for line in request.asked}
    return {line: units for line, units in parts.items() if units}


def _of_request(s: DecisionContext, request: Request, here: dict[int, int], gone: dict[int, int]) -> RuleInput:
    found = [LineSelection(s.order.lines[n], units, 0) for n, units in here.items()]
    found += [LineSelection(s.order.lines[n], 0, units) for n, units in gone.items()]
    return RuleInput(s.order, s.policy, s.now, request.by, False, True, found, request.reason)


def decline_cancel(s: DecisionContext, ask: DeclineCancel) -> Events:
    """Decline a request."""
    request = _the_open_request(s, ask.request_id)
    if isinstance(request, Ruling):
        yield from s.refuse(request, ask.request_id)
        return
    yield e.CancelDeclined(ask.request_id, "declined", "declined", ask.rule, sealed(ask.note))


def withdraw_cancel(s: DecisionContext, ask: WithdrawCancel) -> Events:
    """Withdraw a request."""
    request = _the_open_request(s, ask.request_id)
    if isinstance(request, Ruling):
        yield from s.refuse(request, ask.request_id)
        return
    yield e.CancelWithdrawn(ask.request_id, "withdrawn")


# ---- alternatives ------------------------------------------------------------------------------------------------


def take_alternative(s: DecisionContext, ask: TakeAlternative) -> Events:
    """Take an offer. The request is withdrawn, or the proposed ship-by takes effect."""
    if ask.request_id is None:
        ship_by = s.order.proposed_ship_by
        if ship_by is None or not s.order.open_units or ask.kind not in (None, "wait"):
            yield from _no_ship_by(s)
            return
        yield e.AlternativeTaken(None, "wait")
        yield e.ShipByRevised(ship_by, False, late_ship_deadline(s, ship_by))
        return
    request = _the_open_request(s, ask.request_id)
    if isinstance(request, Ruling):
        yield from s.refuse(request, ask.request_id)
        return
    if ask.kind is None and request.offers:
        raise BadInput("/kind", "form", f"the field is required: one of {', '.join(request.offers)}")
    if not request.offers:
        yield from _nothing_for(s, request)
        return
    if ask.kind not in request.offers:
        offered = ", ".join(request.offers)
        yield from s.no(
            "nothing-offered", f"What was offered for request {ask.request_id}: {offered}.", ref=ask.request_id
        )
        return
    yield e.AlternativeTaken(ask.request_id, str(ask.kind))
    yield e.CancelWithdrawn(ask.request_id, "alternative")


def _no_ship_by(s: DecisionContext) -> Events:
    """Refuse an answer to a ship-by that is not proposed, or by which nothing can ship any more."""
    ship_by, wait = s.order.proposed_ship_by, (CONTACT,)
    if ship_by is None:
        return s.no("nothing-offered", "No later ship-by is proposed.", instead=wait)
    if not s.order.open_units:
        return s.no("nothing-offered", "Nothing of the order is open, so no ship-by is left to agree on.", instead=wait)
    return s.no("nothing-offered", f"What is proposed is to wait, until {format_instant(ship_by)}.")


def _nothing_for(s: DecisionContext, request: Request) -> Events:
    waits = s.order.awaits(request) in ("buyer", "seller")
    return s.no(
        "nothing-offered",
        f"Nothing is offered for request {request.request_id}{': it waits for an answer' if waits else ''}.",
        instead=(WAIT_FOR_ANSWER, CONTACT) if waits else (CONTACT,),
        ref=request.request_id,
    )


def late_ship_deadline(s: DecisionContext, ship_by: int) -> tuple[e.Deadline, ...]:
    """The deadline that a ship-by sets, if late-ship is on."""
    late_ship = s.policy.terms_if_on(LateShipAutoCancel)
    if late_ship is None:
        return ()
    due_at = after(ship_by, late_ship.after_ship_by, s.calendar)
    return (e.Deadline(s.order.next_deadline_id("late-ship"), "late-ship", due_at, s.order.order_id),)


def decline_alternatives(s: DecisionContext, ask: DeclineAlternatives) -> Events:
    """Decline the offers, so that the request continues."""
    if ask.request_id is None:
        if s.order.proposed_ship_by is None or not s.order.open_units:
            yield from _no_ship_by(s)
            return
        yield e.AlternativesDeclined(None, "declined", ())
        return
    request = _the_open_request(s, ask.request_id)
    if isinstance(request, Ruling):
        yield from s.refuse(request, ask.request_id)
        return
    if not request.offers:
        yield from _nothing_for(s, request)
        return
    yield from carry_on(s, request, "declined")


def carry_on(s: DecisionContext, request: Request, cause: str) -> Events:
    """Continue a request after its alternatives: windows as of the request (``request.behind``), locks as of now."""
    assert request.behind is not None
    behind = request.behind
    asks = behind.outcome == ASK_SELLER
    lock = locks(_of_request(s, request, open_part(s, request), {}))
    waits: tuple[e.Deadline, ...] = ()
    if asks and lock is None:
        waits = s.deadline("decide", terms_to_answer(s, behind.rule).deadline, request.request_id)
    yield e.AlternativesDeclined(request.request_id, cause, waits)
    if lock is not None:
        yield e.CancelRefused(request.request_id, s.verdict("cancel", lock))
    elif behind.outcome == GRANTED:
        yield from _cancel(s, open_part(s, request), request)


# ---- the seller's own cancellations ------------------------------------------------------------------------------


def cancel_lines(s: DecisionContext, ask: CancelLines) -> Events:
    """Cancel lines as the seller, or as support by a rule. Units of a buyer's open request carry out that request."""
    unknown = s.no_such_line(ask.lines)
    q = question(s, None if unknown else ask.lines, ask.reason, by=ask.actor.kind, own=True)
    requested = {} if unknown else _requested_of(s, q)
    q.covered = frozenset(t.line.number for t in q.targets if requested.get(t.line.number, (0, None))[0] >= t.open)
    ruling = unknown or judge_cancel(s, q, ask.lines)
    verdict = s.verdict("cancel", ruling, None)
    if ruling.outcome == REFUSED:
        yield e.CommandRefused(ask.command, None, verdict)
        return
    cause = "support" if ask.actor.kind == "support" else "seller"
    parts: list[e.CanceledLine] = []
    for target in q.targets:
        number = target.line.number
        units, request = requested.get(number, (0, None))
        if request is not None and units:
            parts.append(e.CanceledLine(number, units, "request", request.reason, request.request_id))
        if target.open > units:
            parts.append(e.CanceledLine(number, target.open - units, cause, ask.reason, None))
    yield e.LinesCanceled(tuple(parts), verdict)


def _requested_of(s: DecisionContext, q: RuleInput) -> dict[int, tuple[int, Request | None]]:
    """Line → number of its selected units that a buyer's open request covers, and that request."""
    found: dict[int, tuple[int, Request | None]] = {}
    for request in s.order.open_requests():
        for target in q.targets:
            number = target.line.number
            if request.by == "buyer" and number in request.asked:
                found[number] = (min(target.open, s.order.still_open(request, number)), request)
    return found
