"""Returns: their opening by consent, by the policy's terms or by a decision, their shipment and their receipt."""

from domain import events as e
from domain.calendar import Length, after
from domain.commands import Deliver, Pick, RequestReturn, ReturnReceived, StartReturn
from domain.decisions.context import DecisionContext, Events, quantities
from domain.decisions.open_case_files import case_is_open
from domain.order import Line, Return
from domain.reasons import FAULTS
from domain.verdict import (
    CANCEL_IT,
    CONTACT,
    OPEN_CASE,
    RETURN_AFTER_DELIVERY,
    WAIT_FOR_BILL,
    Ruling,
    fact,
    granted,
    instant,
    refused,
)

NOT_CONFIRMED = Length(5, "days")
"""A return is refunded this long after its delivery if the seller stays silent (rule ``return-not-confirmed``)."""


def open_return(
    s: DecisionContext,
    about: str,
    reason: str | None,
    lines: dict[int, int],
    *,
    refund: str,
    accepted: bool,
    postage: str | None = None,
) -> Events:
    """Open a return of these units, under an id that the engine assigns."""
    return_id = s.order.next_id("return")
    pays = postage or _postage(s, reason)
    yield e.ReturnOpened(return_id, about or return_id, reason, quantities(lines), pays, refund)
    if accepted:
        yield e.ReturnAccepted(return_id, about or return_id, refund == "at_once")


def _postage(s: DecisionContext, reason: str | None) -> str:
    terms = s.policy.returns.postage if s.policy.returns is not None else "buyer-unless-at-fault"
    if terms != "buyer-unless-at-fault":
        return terms
    return "seller" if reason in FAULTS else "buyer"


def in_case(s: DecisionContext, line: Line) -> int:
    """The number of units of a line that are in an open case (rule ``one-open-request``)."""
    return sum(case.lines.get(line.number, 0) for case in s.order.cases.values() if case.status == "open")


def free(s: DecisionContext, line: Line) -> int:
    """The number of units for which a return can be requested: with the buyer, and in no open case."""
    return max(0, line.returnable - in_case(s, line))


def judge_return(s: DecisionContext, lines: tuple[Pick, ...] | None, reason: str | None) -> Ruling:
    """Judge whether lines can be returned. ``reason`` None: for a listed reason. ``lines`` None: for any line.
    Rule ``store-return``.
    """
    if lines is None:
        alone = (judge_return(s, (Pick(line=number),), reason) for number in s.order.lines)
        if (yes := next((ruling for ruling in alone if ruling.outcome == "granted"), None)) is not None:
            return yes
    terms = s.policy.returns
    if terms is None or not terms.reasons:
        instead = (OPEN_CASE,) if s.policy.cases is not None else (CONTACT,)
        return refused("store-return", "The policy of this order has no returns on request.", instead=instead)
    unknown = s.no_such_line(lines)
    if unknown is not None:
        return unknown
    named = [s.order.lines[p.line] for p in lines] if lines is not None else list(s.order.lines.values())
    wanted = named if lines is not None else [line for line in named if line.returnable or rebilled_here(s, line)]
    early = _before_delivery(s, wanted or named)
    if early is not None:
        return early
    if reason is not None and reason not in terms.reasons:
        return refused(
            "store-return",
            f"{reason} is not among the reasons for a return here: {', '.join(terms.reasons)}.",
            fact("reason", reason),
            instead=(CONTACT,),
        )
    for pick in lines or ():
        line = s.order.lines[pick.line]
        can = free(s, line) + rebilled_here(s, line)
        if in_case(s, line) and (pick.quantity or 1) > can:
            return the_case_over(s, line)
        if not can:
            return with_us_no_more(line)
        if pick.quantity is not None and pick.quantity > can:
            return refused(
                "more-than-open", f"{can or 'None'} of line {line.number} can come back.", fact("line", line.number)
            )
    if lines is None and not wanted:
        return with_us_no_more(named[0])
    if lines is None and not any(free(s, line) + rebilled_here(s, line) for line in wanted):
        return the_case_over(s, wanted[0])
    for line in wanted:
        closes = None if line.delivered_at is None else after(line.delivered_at, Length(terms.days, "days"), s.calendar)
        if closes is not None and s.now > closes:
            return refused(
                "store-return", "The time for a return is over.", instant("until", closes), instead=(CONTACT,)
            )
    return granted("store-return", "It can be sent back.")


def _before_delivery(s: DecisionContext, lines: list[Line]) -> Ruling | None:
    """Refuse before delivery: by the lock while a line is under tracking, else because it can be canceled."""
    for line in lines:
        if line.returnable or rebilled_here(s, line) or (line.delivered and line.delivered >= line.shipped):
            continue
        if s.policy.lists("tracking-lock") and s.order.under_tracking(line.number):
            return refused(
                "tracking-lock",
                f"Line {line.number} is on its way; it can come back once it is delivered.",
                fact("line", line.number),
                instead=(RETURN_AFTER_DELIVERY,),
            )
        if not line.open and not line.shipped:
            return canceled_and_not_here(s, line)
        return refused(
            "cancel-is-not-case",
            f"Line {line.number} has not been delivered: before that it can be canceled, not returned.",
            fact("line", line.number),
            instead=(cancel_or(s, line, RETURN_AFTER_DELIVERY),),
        )
    return None


def the_case_over(s: DecisionContext, line: Line) -> Ruling:
    """Refuse, because an open case is about units of the line."""
    case = next(x for x in s.order.cases.values() if x.status == "open" and line.number in x.lines)
    return case_is_open(case, line.number)


def canceled_and_not_here(s: DecisionContext, line: Line) -> Ruling:
    """Refuse, because the whole line is canceled and nothing of it was delivered as ordered."""
    waits = any(x.status == "due" and x.lines.get(line.number) for x in s.order.rebills.values())
    because, instead = f"Line {line.number} is canceled: nothing of it was delivered.", CONTACT
    if waits:
        because = f"Line {line.number} is canceled but shipped anyway, and its rebilling is not confirmed yet."
        instead = WAIT_FOR_BILL
    elif rebilled_here(s, line):
        because = f"Line {line.number} is canceled and was billed again. It can be returned, but no case can be opened."
        instead = RETURN_AFTER_DELIVERY if s.policy.returns is not None else CONTACT
    elif line.rebilled:
        because = f"Line {line.number} is canceled, and the units that shipped anyway came back or are in a return."
    return refused("cancel-is-not-case", because, fact("line", line.number), instead=(instead,))


def cancel_or(s: DecisionContext, line: Line, afterwards: e.Instead) -> e.Instead:
    """Return the option for a line before delivery: to cancel it if possible, else the option ``afterwards``.

    A line can be canceled while units of it are open, or at any time under mutual consent.
    """
    return CANCEL_IT if line.open or s.policy.mutual_consent else afterwards


def with_us_no_more(line: Line) -> Ruling:
    """Refuse, because the buyer has no units of the line: they are in a return or came back."""
    if line.returning:
        return refused("one-open-request", f"Line {line.number} is in a return already.", fact("line", line.number))
    return refused("more-than-open", f"All of line {line.number} has come back.", fact("line", line.number))


def rebilled_here(s: DecisionContext, line: Line) -> int:
    """The number of rebilled units of a line that are with the customer."""
    back = sum(x.lines.get(line.number, 0) for x in s.order.returns.values() if x.canceled and x.reason is not None)
    return max(0, line.rebilled - back)


def request_return(s: DecisionContext, ask: RequestReturn) -> Events:
    """Request a return. Within the policy's terms, it is opened and accepted at once."""
    ruling = judge_return(s, ask.lines, ask.reason)
    if ruling.outcome != "granted":
        yield from s.refuse(ruling)
        return
    back: dict[int, int] = {}
    rebilled: dict[int, int] = {}
    for pick in ask.lines:
        line = s.order.lines[pick.line]
        can = free(s, line)
        wanted = pick.quantity or can + rebilled_here(s, line)
        if min(wanted, can):
            back[line.number] = min(wanted, can)
        if wanted > can:
            rebilled[line.number] = wanted - can
    if back:
        yield from open_return(s, "", ask.reason, back, refund="on_receipt", accepted=True)
    if rebilled:
        yield from open_return(s, "", ask.reason, rebilled, refund="none", accepted=True)


def find_return(s: DecisionContext, about: str) -> Return | None:
    """Find the open return with this id, or about this case or request."""
    found = s.order.returns.get(about)
    if found is None:
        found = next((x for x in s.order.returns.values() if x.about == about and x.status == "open"), None)
    return found if found is not None and found.status == "open" else None


def _refunded_unseen(s: DecisionContext, about: str) -> Return | None:
    """Find a return that ``return-not-confirmed`` closed and that has not been received."""
    return next((x for x in s.order.returns.values() if about in (x.return_id, x.about) and x.status == "closed"), None)


def _no_return(s: DecisionContext, about: str) -> Events:
    over = next((x for x in s.order.returns.values() if about in (x.return_id, x.about)), None)
    if over is not None:
        how = "was received" if over.status == "received" else "was refunded, as nobody confirmed it"
        because = f"Return {over.return_id} {how} already."
        return s.no("step-out-of-order", because, fact("about", about), instead=(CONTACT,), ref=about)
    because = f"There is no open return {about}; it has to be accepted first (store-return, seller-may-accept)."
    return s.no("step-out-of-order", because, fact("about", about), ref=about)


def start_return(s: DecisionContext, ask: StartReturn) -> Events:
    """Record that the returned parcel is on its way."""
    back = find_return(s, ask.about)
    if back is None:
        yield from _no_return(s, ask.about)
    elif not back.started:
        yield e.ReturnStarted(back.return_id, ask.carrier, ask.tracking_number)


def return_received(s: DecisionContext, ask: ReturnReceived) -> Events:
    """Record that the returned units are back. Their refund is instructed in the same commit.

    A return that was refunded because nobody confirmed it can still be received, so that its goods go back to stock.
    """
    back = find_return(s, ask.about) or _refunded_unseen(s, ask.about)
    if back is None:
        yield from _no_return(s, ask.about)
        return
    yield e.ReturnReceived(back.return_id, ask.condition, "received")


def return_delivered(s: DecisionContext, ask: Deliver, back: Return) -> Events:
    """Record that a return reached the seller, which starts the seller's deadline to confirm it."""
    if back.status != "open" or back.delivered_at is not None:
        return
    waits: tuple[e.Deadline, ...] = ()
    if not back.canceled or back.reason is not None:  # A declined rebilling was never billed, so no refund is due.
        start = ask.happened_at if ask.happened_at is not None else s.now
        waits = s.deadline("return", NOT_CONFIRMED, back.return_id, start)
    yield e.Delivered((), quantities(back.lines), back.return_id, waits)
