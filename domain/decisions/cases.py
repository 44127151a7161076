"""Cases after delivery, and evidence for open matters. See docs/reference/after-shipment.md, Cases."""

from domain import events as e
from domain.calendar import Length, after, after_business_time, business_time_between
from domain.commands import AcceptReturn, AttachEvidence, DecideCase, OpenCase, Pick, RequestEvidence
from domain.decisions.canceling import carry_out, disputed, shipped_part
from domain.decisions.context import DecisionContext, Events, quantities, sealed
from domain.decisions.open_case_files import request_is_open
from domain.decisions.returns import (
    cancel_or,
    canceled_and_not_here,
    find_return,
    free,
    in_case,
    judge_return,
    never_arrived,
    open_return,
    the_case_over,
    to_send,
    with_us_no_more,
)
from domain.errors import BadInput
from domain.events import Instead
from domain.order import Case, Line
from domain.verdict import (
    CASE_AFTER_DELIVERY,
    CONTACT,
    REPORT_LOST,
    RETURN_AFTER_DELIVERY,
    Ruling,
    fact,
    granted,
    instant,
    refused,
)

ABOUT_WHAT_IS = Instead("again", "Attach it to a request, case, dispute or return that there is.", None)
TO_DECIDE = Length(2, "business days")
"""The platform's time to decide a case. No case is decided automatically (rule ``case-decision-time``)."""
MOST_FILES = 5
LARGEST_FILE = 1_750_000
"""Bytes."""


def judge_case(s: DecisionContext, lines: tuple[Pick, ...] | None, reason: str | None) -> Ruling:
    """Judge whether a case can be opened. ``reason`` None: for a listed reason. ``lines`` None: for any line."""
    if lines is None:
        alone = (judge_case(s, (Pick(line=number),), reason) for number in s.order.lines)
        if (yes := next((ruling for ruling in alone if ruling.outcome == "granted"), None)) is not None:
            return yes
    unknown = s.no_such_line(lines)
    if unknown is not None:
        return unknown
    terms = s.policy.cases
    if terms is None:
        return refused("cases-off", "The policy of this order has no cases.", instead=(CONTACT,))
    if reason is not None and reason not in terms.reasons:
        return refused(
            "case-reasons",
            f"{reason} does not open a case; these do: {', '.join(terms.reasons)}.",
            fact("reason", reason),
            instead=_returned(s, reason),
        )
    if lines is None:
        named = [x for x in s.order.lines.values() if x.delivered] or list(s.order.lines.values())
    else:
        named = [s.order.lines[p.line] for p in lines]
    for line in named:
        if line.delivered:
            continue
        if s.policy.lists("tracking-lock") and s.order.under_tracking(line.number):
            return refused(
                "tracking-lock",
                f"Line {line.number} is on its way.",
                fact("line", line.number),
                instead=(CASE_AFTER_DELIVERY, REPORT_LOST, CONTACT),
            )
        if not line.open and not line.shipped:
            return canceled_and_not_here(s, line)
        if line.undelivered and not line.open and line.all_arrived_or_lost:
            return never_arrived(line)
        return refused(
            "cancel-is-not-case",
            f"Line {line.number} has not been delivered: a case is for what was.",
            fact("line", line.number),
            instead=(cancel_or(s, line, CASE_AFTER_DELIVERY), REPORT_LOST),
        )
    numbers = {x.number for x in named}
    busy = _in_request(s, numbers) or _in_cases(s, lines, named) or disputed(s, numbers)
    if busy is not None:
        return busy
    for line in named:
        closes = after(line.delivered_at or s.now, Length(terms.days, "days"), s.calendar)
        if s.now > closes:
            return refused(
                "case-window",
                "The time in which a case can be opened is over.",
                instant("until", closes),
                instead=_too_late(s, lines),
            )
    return _not_here(s, lines, named) or granted("case-reasons", "A case can be opened.")


def _returned(s: DecisionContext, reason: str) -> tuple[Instead, ...]:
    """The options for a reason that opens no case: a return, if the policy's return terms list the reason."""
    terms = s.policy.returns
    return (RETURN_AFTER_DELIVERY, CONTACT) if terms is not None and reason in terms.reasons else (CONTACT,)


def _too_late(s: DecisionContext, lines: tuple[Pick, ...] | None) -> tuple[Instead, ...]:
    """The options after the case window: a return, if it would still be granted."""
    returned = judge_return(s, lines, None).outcome == "granted"
    return (RETURN_AFTER_DELIVERY, CONTACT) if returned else (CONTACT,)


def _not_here(s: DecisionContext, lines: tuple[Pick, ...] | None, named: list[Line]) -> Ruling | None:
    """Refuse if the selected units are in a return or came back."""
    if lines is None:
        return None if any(line.returnable for line in named) else with_us_no_more(s, named[0])
    for pick in lines:
        line = s.order.lines[pick.line]
        can = line.returnable
        if not can:
            return with_us_no_more(s, line)
        if pick.quantity is not None and pick.quantity > can:
            return refused(
                "more-than-open", f"{can} of line {line.number} are with the buyer.", fact("line", line.number)
            )
    return None


def _in_cases(s: DecisionContext, lines: tuple[Pick, ...] | None, named: list[Line]) -> Ruling | None:
    """Refuse if an open case leaves too few units of a line for another case."""
    wanted = {p.line: p.quantity or 1 for p in lines or ()}
    for line in named:
        if in_case(s, line) and free(s, line) < min(wanted.get(line.number, 1), line.returnable or 1):
            return the_case_over(s, line)
    return None


def _in_request(s: DecisionContext, lines: set[int]) -> Ruling | None:
    """Refuse if, under mutual consent, an open request covers shipped units of these lines."""
    for request in s.order.open_requests():
        shared = lines & request.asked.keys()
        in_its_order = request.asked if len(shared) > 1 else shared
        first = next((n for n in in_its_order if n in shared and s.order.asked_and_shipped(request, n)), None)
        if first is not None:
            return request_is_open(request, first)
    return None


def open_case(s: DecisionContext, ask: OpenCase) -> Events:
    """Open a case, because a delivered item is not as promised."""
    ruling = judge_case(s, ask.lines, ask.reason)
    if ruling.outcome != "granted":
        yield from s.refuse(ruling, ask.case_id)
        return
    lines = {p.line: p.quantity or free(s, s.order.lines[p.line]) for p in ask.lines}
    waits = s.deadline("case", TO_DECIDE, ask.case_id)
    yield e.CaseOpened(ask.case_id, ask.reason, quantities(lines), sealed(ask.text), waits)


def _no_case(s: DecisionContext, about: str) -> Events:
    return s.no("case-closed", f"There is no open case {about}.", fact("about", about), ref=about)


def accept_return(s: DecisionContext, ask: AcceptReturn) -> Events:
    """Accept a return for a case, an open return, or a request for shipped units."""
    case = s.order.cases.get(ask.about)
    if case is not None and case.status == "open" and (still := _with_the_buyer(s, case)):
        refund = "at_once" if ask.refund_now else "on_receipt"
        yield from open_return(s, case.case_id, case.reason, still, refund=refund, postage="platform")
        return
    back = find_return(s, ask.about)
    if back is not None and not back.accepted:
        waits = () if ask.refund_now else to_send(s, back)
        yield e.ReturnAccepted(back.return_id, back.about, ask.refund_now, waits)
        return
    if back is not None and ask.refund_now and not back.refunded:
        yield e.ReturnAccepted(back.return_id, back.about, True)
        return
    if back is not None and case is None:
        return
    request = s.order.requests.get(ask.about)
    if request is not None and request.status == "open" and shipped_part(s, request):
        yield from carry_out(s, request, e.CancelApproved(request.request_id, "approved", None, ask.refund_now, None))
        return
    yield from s.no(
        "case-closed", f"There is nothing open under {ask.about} to accept.", fact("about", ask.about), ref=ask.about
    )


def decide_case(s: DecisionContext, ask: DecideCase) -> Events:
    """Decide a case by a rule. The outcome ``return`` opens a return at the platform's cost."""
    case = s.order.cases.get(ask.case_id)
    if case is None or case.status != "open":
        yield from _no_case(s, ask.case_id)
        return
    yield e.CaseDecided(ask.case_id, ask.outcome, ask.rule or "case-reasons", sealed(ask.note))
    still = _with_the_buyer(s, case)
    if ask.outcome == "return" and still:
        yield from open_return(s, case.case_id, case.reason, still, refund="on_receipt", postage="platform")


def _with_the_buyer(s: DecisionContext, case: Case) -> dict[int, int]:
    """The units of a case that no return covers. A granted appeal may have opened a return for some of them."""
    still = {n: min(quantity, s.order.lines[n].returnable) for n, quantity in case.lines.items()}
    return {n: quantity for n, quantity in still.items() if quantity}


def request_evidence(s: DecisionContext, ask: RequestEvidence) -> Events:
    """Request more evidence. A case's decision deadline is paused until it arrives or ``until`` has passed."""
    if ask.until <= s.now:
        raise BadInput("/until", "form", "must lie after the command's instant")
    dispute = s.order.disputes.get(ask.about)
    if dispute is not None and dispute.status == "open":
        yield e.EvidenceRequested(ask.about, ask.kinds, ask.until, 0, ())
        return
    case = s.order.cases.get(ask.about)
    if case is None or case.status != "open":
        yield from _no_case(s, ask.about)
        return
    left = case.remaining if case.remaining is not None else _left(s, case)
    waits = (e.Deadline(s.order.next_deadline_id("evidence"), "evidence", ask.until, case.case_id),)
    yield e.EvidenceRequested(ask.about, ask.kinds, ask.until, left, waits)


def _left(s: DecisionContext, case: Case) -> int:
    """The business time left until the case is due, in microseconds."""
    due = next((d for d in s.order.deadlines.values() if d.kind == "case" and d.ref == case.case_id), None)
    return 0 if due is None else business_time_between(s.now, due.due_at, s.calendar)


def resumed(s: DecisionContext, case: Case) -> tuple[e.Deadline, ...]:
    """The case's new deadline, after the business time that was left when it was paused."""
    if case.remaining is None:
        return ()
    due_at = after_business_time(s.now, case.remaining, s.calendar)
    return (e.Deadline(s.order.next_deadline_id("case"), "case", due_at, case.case_id),)


def attach_evidence(s: DecisionContext, ask: AttachEvidence) -> Events:
    """Attach a file or message to a matter that takes evidence."""
    side = "support" if ask.actor.kind == "system" else ask.actor.kind
    if not _known(s, ask.about):
        yield from s.no(
            "nothing-to-dispute",
            f"There is no request, case, dispute or return {ask.about}.",
            fact("about", ask.about),
            instead=(ABOUT_WHAT_IS, CONTACT),
            ref=ask.evidence_id,
        )
        return
    if not _takes_evidence(s, ask.about):
        yield from s.no(
            "evidence-closed",
            f"{ask.about} takes no evidence (any more).",
            fact("about", ask.about),
            ref=ask.evidence_id,
        )
        return
    given = sum(1 for x in s.order.evidence.values() if x.about == ask.about and x.side == side)
    if given >= MOST_FILES or ask.size > LARGEST_FILE:
        yield from s.no(
            "evidence-limits",
            f"At most {MOST_FILES} files a side, of at most {LARGEST_FILE} bytes each.",
            fact("files", given),
            fact("size", ask.size),
            ref=ask.evidence_id,
        )
        return
    case = s.order.cases.get(ask.about)
    given_all = case is not None and side == "buyer" and set(case.awaited) == {ask.kind}
    waits = resumed(s, case) if case is not None and given_all else ()
    yield e.EvidenceAdded(
        ask.evidence_id,
        ask.about,
        side,
        ask.kind,
        bytes.fromhex(ask.sha256),
        ask.media_type,
        ask.size,
        ask.origin,
        ask.source,
        sealed(ask.note),
        ask.claimed_at,
        waits,
    )


def _known(s: DecisionContext, about: str) -> bool:
    """Whether the order has a matter with this id. ``rebill`` names the steps for canceled units that shipped."""
    order = s.order
    return about == "rebill" or any(
        about in known for known in (order.requests, order.cases, order.disputes, order.returns)
    )


def _takes_evidence(s: DecisionContext, about: str) -> bool:
    order = s.order
    if about == "rebill":
        return order.found is not None
    if (case := order.cases.get(about)) is not None:
        return case.status == "open"
    if (dispute := order.disputes.get(about)) is not None:
        until = dispute.evidence_until
        return dispute.status == "open" and (until is None or s.now <= until)
    if (back := order.returns.get(about)) is not None:
        return back.status == "open"
    return about in order.requests
