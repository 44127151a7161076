"""Returns: their opening by consent, by the policy's terms or by a decision, their shipment and their receipt."""

from domain import events as e
from domain.calendar import Length, after
from domain.commands import (
    CloseReturn,
    Deliver,
    Pick,
    Received,
    RequestReturn,
    ReturnReceived,
    StartReturn,
    WithdrawReturn,
)
from domain.decisions.context import DecisionContext, Events, quantities, sealed
from domain.decisions.open_case_files import case_is_open
from domain.order import Line, Return
from domain.reasons import FAULTS
from domain.verdict import (
    CANCEL_IT,
    CLOSE_WITH_REFUND,
    CONTACT,
    NEW_ORDER,
    OPEN_CASE,
    REPORT_LOST,
    RETURN_AFTER_DELIVERY,
    WAIT_FOR_BILL,
    Ruling,
    fact,
    granted,
    instant,
    of_line,
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
    postage: str | None = None,
    undelivered: str | None = None,
) -> Events:
    """Open and accept a return of these units, under an id that the engine assigns.

    ``undelivered``: the outcome of the report that opens it, because its units are on their way back to the sender.
    """
    return_id = s.order.next_id("return")
    pays = postage or _postage(s, reason)
    yield e.ReturnOpened(return_id, about or return_id, reason, quantities(lines), pays, refund, undelivered)
    back = s.order.returns[return_id]
    waits = () if undelivered is not None else to_send(s, back)
    yield e.ReturnAccepted(return_id, about or return_id, refund == "at_once", waits)


def to_send(s: DecisionContext, back: Return) -> tuple[e.Deadline, ...]:
    """The deadline by which a return has to be sent, if the policy sets one and a refund still waits for its parcel."""
    terms = s.policy.returns
    if terms is None or back.refunded or _is_declined(back):
        return ()
    return s.deadline("return-ship", terms.ship_within, back.return_id)


def _is_declined(back: Return) -> bool:
    """Whether the buyer declined to be billed again for its units, so that they are refunded already."""
    return back.canceled and back.reason is None


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
            return with_us_no_more(s, line)
        if pick.quantity is not None and pick.quantity > can:
            return refused(
                "more-than-open", f"{can or 'None'} of line {line.number} can come back.", fact("line", line.number)
            )
    if lines is None and not wanted:
        return with_us_no_more(s, named[0])
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
        if line.returnable or rebilled_here(s, line) or (line.delivered and line.all_arrived_or_lost):
            continue
        if not line.open and not line.under_way and (gone := _not_coming(s, line)) is not None:
            return gone
        if s.policy.lists("tracking-lock") and s.order.under_tracking(line.number):
            return refused(
                "tracking-lock",
                f"Line {line.number} is on its way; it can come back once it is delivered.",
                fact("line", line.number),
                instead=(RETURN_AFTER_DELIVERY, REPORT_LOST),
            )
        if not line.open and not line.shipped:
            return canceled_and_not_here(s, line)
        return refused(
            "cancel-is-not-case",
            f"Line {line.number} has not been delivered, and only what was delivered can be returned.",
            fact("line", line.number),
            instead=(cancel_or(s, line, RETURN_AFTER_DELIVERY), REPORT_LOST),
        )
    return None


def _not_coming(s: DecisionContext, line: Line) -> Ruling | None:
    """Refuse, because what shipped of the line never arrives: it was lost, or is in a return or back."""
    if line.undelivered and not line.returning:
        return never_arrived(line)
    return with_us_no_more(s, line) if line.returning or line.came_back else None


def never_arrived(line: Line) -> Ruling:
    """Refuse, because the line was lost or damaged on its way, and what was paid for it is refunded."""
    return refused(
        "undelivered-already",
        f"{of_line(line.undelivered, line.number, 'lost or damaged on the way')}, so nothing of it is with the buyer.",
        fact("line", line.number),
        fact("undelivered", line.undelivered),
        instead=(NEW_ORDER, CONTACT),
    )


def the_case_over(s: DecisionContext, line: Line) -> Ruling:
    """Refuse, because an open case is about units of the line."""
    case = next(x for x in s.order.cases.values() if x.status == "open" and line.number in x.lines)
    return case_is_open(case, line.number)


def canceled_and_not_here(s: DecisionContext, line: Line) -> Ruling:
    """Refuse, because the whole line is canceled and nothing of it was delivered as ordered."""
    waits = any(x.status == "due" and x.lines.get(line.number) for x in s.order.rebills.values())
    because, instead = f"Line {line.number} is cancelled: nothing of it was delivered.", CONTACT
    if waits:
        because = (
            f"Line {line.number} is cancelled and left all the same; what is billed again for it is not confirmed."
        )
        instead = WAIT_FOR_BILL
    elif rebilled_here(s, line):
        because = f"Line {line.number} is cancelled and was billed again: it can be sent back, and no case be opened."
        instead = RETURN_AFTER_DELIVERY if s.policy.returns is not None else CONTACT
    elif line.rebilled:
        because = f"Line {line.number} is cancelled, and what left all the same came back, or is in a return."
    return refused("cancel-is-not-case", because, fact("line", line.number), instead=(instead,))


def cancel_or(s: DecisionContext, line: Line, afterwards: e.Instead) -> e.Instead:
    """Return the option for a line before delivery: to cancel it if possible, else the option ``afterwards``.

    A line can be canceled while units of it are open, or at any time under mutual consent.
    """
    return CANCEL_IT if line.open or s.policy.mutual_consent else afterwards


def with_us_no_more(s: DecisionContext, line: Line) -> Ruling:
    """Refuse, because the buyer has no units of the line: they are in a return or came back."""
    back = return_of(s, {line.number})
    if back is not None:
        return in_return(back, f"Line {line.number}", fact("line", line.number))
    return refused("more-than-open", f"All of line {line.number} has come back.", fact("line", line.number))


def return_of(s: DecisionContext, lines: set[int]) -> Return | None:
    """Find the open return of units of one of these lines. Rebilled units count only where nothing else is in one."""
    found = [x for x in s.order.returns.values() if x.status == "open" and lines & x.left.keys()]
    return next((x for x in found if not x.canceled), next(iter(found), None))


def in_return(back: Return, what: str, *inputs: e.Input) -> Ruling:
    """Refuse by ``one-open-request``, because ``what`` is in an open return, and say how it can end."""
    return refused(
        "one-open-request",
        f"{what} is in return {back.return_id} already.",
        *inputs,
        fact("return_id", back.return_id),
        instead=out_of_return(back),
    )


def out_of_return(back: Return) -> tuple[e.Instead, ...]:
    """The options for units in an open return: to withdraw it, or to wait until it is received."""
    if may_withdraw(back):
        return (e.Instead("withdraw_return", f"Send it, or withdraw return {back.return_id}.", back.ship_by), CONTACT)
    return (e.Instead("wait", f"Wait until return {back.return_id} is received or closed.", None), CONTACT)


def may_withdraw(back: Return) -> bool:
    """Whether a return can be withdrawn: nothing of it was sent, came back or was refunded."""
    return back.status == "open" and not (back.is_under_way or back.refunded or _is_declined(back))


def rebilled_here(s: DecisionContext, line: Line) -> int:
    """The number of rebilled units of a line that are with the customer."""
    back = 0
    for each in s.order.returns.values():
        if each.canceled and each.reason is not None:
            taken = each.lines if each.status == "open" else each.received
            back += taken.get(line.number, 0)
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
        yield from open_return(s, "", ask.reason, back, refund="on_receipt")
    if rebilled:
        yield from open_return(s, "", ask.reason, rebilled, refund="none")


def find_return(s: DecisionContext, about: str) -> Return | None:
    """Find the open return with this id, or about this case or request."""
    found = s.order.returns.get(about)
    if found is None:
        found = next((x for x in s.order.returns.values() if x.about == about and x.status == "open"), None)
    return found if found is not None and found.status == "open" else None


def _refunded_unseen(s: DecisionContext, about: str) -> Return | None:
    """Find a return that was closed with a refund and of which something has not been received."""
    return next(
        (x for x in s.order.returns.values() if about in (x.return_id, x.about) and any(x.unseen.values())), None
    )


_ENDED = {
    "received": "was received",
    "withdrawn": "was withdrawn",
    "lapsed": "was not sent in time and lapsed",
}
"""Status of a return → how it ended."""


def _no_return(s: DecisionContext, about: str) -> Events:
    over = next((x for x in s.order.returns.values() if about in (x.return_id, x.about)), None)
    if over is not None:
        closed = "was closed with its refund" if over.refunded else "was closed without a refund"
        because = f"Return {over.return_id} {_ENDED.get(over.status, closed)} already."
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
    """Record that returned units are back. Their refund is instructed in the same commit.

    A return that was closed with a refund can still be received, so that its goods go back to stock.
    """
    back = find_return(s, ask.about) or _refunded_unseen(s, ask.about)
    if back is None:
        yield from _no_return(s, ask.about)
        return
    left = back.left if back.status == "open" else {n: units for n, units in back.unseen.items() if units}
    if ask.lines is None:
        received = received_lines(left, ask.condition)
    else:
        unknown = s.no_such_line(tuple(Pick(line=each.line) for each in ask.lines)) or _more_than_left(
            back, left, ask.lines
        )
        if unknown is not None:
            yield from s.refuse(unknown, back.return_id)
            return
        received = tuple(
            e.ReceivedLine(each.line, each.quantity or left[each.line], each.condition) for each in ask.lines
        )
    conditions = {each.condition for each in received}
    yield e.ReturnReceived(back.return_id, conditions.pop() if len(conditions) == 1 else None, "received", received)


def _more_than_left(back: Return, left: dict[int, int], received: tuple[Received, ...]) -> Ruling | None:
    """Refuse a receipt of more units than are left of a return."""
    for number in dict.fromkeys(each.line for each in received):
        units, can = sum(each.quantity or 1 for each in received if each.line == number), left.get(number, 0)
        if units > can:
            what = f"left of return {back.return_id}" if number in back.lines else f"in return {back.return_id}"
            return refused(
                "more-than-open",
                f"{of_line(can, number, what)}, not {units}.",
                fact("line", number),
                fact("left", can),
                fact("received", units),
            )
    return None


def received_lines(units: dict[int, int], condition: str | None) -> tuple[e.ReceivedLine, ...]:
    """Convert units that came back in one condition to the records that events hold."""
    return tuple(e.ReceivedLine(number, quantity, condition) for number, quantity in units.items())


def withdraw_return(s: DecisionContext, ask: WithdrawReturn) -> Events:
    """Withdraw a return of which nothing was sent. Its units can be returned again."""
    back = find_return(s, ask.about)
    if back is None:
        yield from _no_return(s, ask.about)
    elif not may_withdraw(back):
        yield from s.no(
            "step-out-of-order",
            f"{_under_way(back)}, so it can no longer be withdrawn.",
            fact("return_id", back.return_id),
            instead=(CONTACT,),
            ref=back.return_id,
        )
    else:
        yield e.ReturnWithdrawn(back.return_id, "withdrawn")


def _under_way(back: Return) -> str:
    if back.received:
        return f"A part of return {back.return_id} came back"
    if back.is_under_way:
        return f"Return {back.return_id} is under way"
    return f"Return {back.return_id} is refunded"


def close_return(s: DecisionContext, ask: CloseReturn) -> Events:
    """Close a return of which something does not come back: with its refund or, as support, without one."""
    back = find_return(s, ask.about)
    if back is None:
        yield from _no_return(s, ask.about)
        return
    if ask.outcome == "no_refund" and (ask.actor.kind == "seller" or back.refunded):
        because = (
            f"Return {back.return_id} is refunded already, so it can only be closed as refunded."
            if back.refunded
            else "Only support closes a return without a refund."
        )
        instead = (CLOSE_WITH_REFUND,) if back.refunded else (CLOSE_WITH_REFUND, CONTACT)
        yield from s.no(
            "step-out-of-order", because, fact("return_id", back.return_id), instead=instead, ref=back.return_id
        )
        return
    yield e.ReturnClosed(back.return_id, ask.outcome, ask.rule, sealed(ask.note))


def return_delivered(s: DecisionContext, ask: Deliver, back: Return) -> Events:
    """Record that a return reached the seller, which starts the seller's deadline to confirm it."""
    if back.status != "open" or back.is_awaited:
        return
    waits: tuple[e.Deadline, ...] = ()
    if not _is_declined(back):  # A declined rebilling was never billed, so no refund is due.
        start = ask.happened_at if ask.happened_at is not None else s.now
        waits = s.deadline("return", NOT_CONFIRMED, back.return_id, start)
    yield e.Delivered((), quantities(back.left), back.return_id, waits)
