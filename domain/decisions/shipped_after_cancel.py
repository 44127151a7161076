"""Canceled units that shipped anyway: five steps, in order, of which none can be left out.

See docs/reference/after-shipment.md, Canceled but shipped.
"""

from domain import events as e
from domain.calendar import Length
from domain.commands import (
    Acknowledge,
    ConfirmRebill,
    FailRebill,
    IssueCreditMemo,
    NotifyCustomer,
    Rebill,
    ReportShippedAfterCancel,
)
from domain.decisions.context import DecisionContext, Events, quantities, sealed_text
from domain.decisions.returns import open_return
from domain.links import find_link
from domain.order import Found
from domain.rebilling import billed, to_bill
from domain.verdict import CONTACT, REPORT_SHIPPED, WAIT_FOR_ANSWER, fact

TO_ACKNOWLEDGE = Length(14, "days")
"""After this long without an answer, the steps end without a rebilling or memo (rule ``acknowledge-both``)."""


def report_shipped_after_cancel(s: DecisionContext, ask: ReportShippedAfterCancel) -> Events:
    """Report as the seller that canceled units have shipped."""
    unknown = s.no_such_line(ask.lines)
    if unknown is not None:
        yield from s.refuse(unknown)
        return
    found: dict[int, int] = {}
    for pick in ask.lines or ():
        line = s.order.lines[pick.line]
        left = line.canceled - line.found_shipped
        wanted = left if pick.quantity is None else pick.quantity
        if not s.policy.cancelled_but_shipped:
            yield from s.no(
                "nothing-canceled", "The policy of this order has no steps for what was cancelled but shipped."
            )
            return
        if not left or wanted > left:
            yield from s.no(
                "nothing-canceled",
                f"{left or 'None'} of line {pick.line} can be reported: cancelled, and not yet known to have shipped.",
                fact("line", pick.line),
                fact("canceled", line.canceled),
                fact("reported", line.found_shipped),
            )
            return
        found[pick.line] = wanted
    yield e.ShippedAfterCancelFound("report", ask.carrier, ask.tracking_number, quantities(found))


def _missing(s: DecisionContext, step: str, because: str) -> Events:
    return s.no("step-out-of-order", f"{because} (missing step: {step})", fact("missing", step))


def notify_customer(s: DecisionContext, ask: NotifyCustomer) -> Events:
    """Step 1: notify the customer, with carrier and tracking number and without a link."""
    found = s.order.found
    if found is None or found.stage != "found":
        yield from _nothing_to_notify(s, found)
        return
    text = ask.text.content
    link = find_link(text)
    if link is not None:
        yield from s.no(
            "notice-has-link", f"The message has what looks like a link: {link!r}.", fact("found", "a link")
        )
        return
    for carrier, number in found.unhandled:
        if not (_says(text, carrier) and _says(text, number)):
            yield from s.no(
                "notice-lacks-tracking",
                f"The message has to name the carrier ({carrier}) and the tracking number ({number}).",
                fact("carrier", carrier),
                fact("tracking_number", number),
            )
            return
    notice_id = s.order.next_id("notice")
    yield e.CustomerNotified(notice_id, sealed_text(ask.text), s.deadline("acknowledge", TO_ACKNOWLEDGE, notice_id))


def _nothing_to_notify(s: DecisionContext, found: Found | None) -> Events:
    """Refuse a notification, because nothing was found or the customer was already notified of everything."""
    if found is None:
        because = "There is nothing to tell: nothing cancelled is known to have shipped. It has to be reported first."
        return s.no("step-out-of-order", because, instead=(REPORT_SHIPPED,))
    if found.stage == "notified":
        because = f"The customer has been told of {_lines(found.lines)} already, and has not answered yet."
        return s.no("step-out-of-order", because, fact("notice_id", found.notice_id), instead=(WAIT_FOR_ANSWER,))
    because = f"The customer has been told of all that was found: {_answer(found)}."
    return s.no("step-out-of-order", because, fact("notice_id", found.notice_id), instead=(REPORT_SHIPPED, CONTACT))


def _lines(lines: dict[int, int]) -> str:
    return " and ".join(f"line {number}" for number in lines)


def _answer(found: Found) -> str:
    """Say how the matter ended after the customer was notified."""
    return {
        "acknowledged": "both were accepted",
        "declined": "it was declined",
        "silent": "the time to answer is over, and it is closed as not acknowledged",
    }.get(found.stage, "it is closed")


def _says(text: str, what: str) -> bool:
    def bare(words: str) -> str:
        return "".join(words.split()).casefold()

    return bare(what) in bare(text)


def acknowledge(s: DecisionContext, ask: Acknowledge) -> Events:
    """Step 2: accept both the item and the rebilling, or decline and return the parcel at the platform's cost."""
    found = s.order.found
    if found is None or found.stage != "notified" or found.notice_id is None:
        yield from _nothing_to_answer(s, found)
        return
    both = ask.accepts_item and ask.accepts_rebilling
    if ask.actor.kind == "support" and both and not _evidenced(s, ask.evidence):
        yield from s.no(
            "evidence-of-acknowledgment",
            "Support acknowledges for the customer only with the messages: attach them to rebill and name them.",
        )
        return
    if both:
        yield e.CustomerAcknowledged(found.notice_id, ask.evidence)
        yield e.RebillAccepted(quantities(found.lines))
        return
    yield e.CustomerDeclined(found.notice_id, ask.accepts_item, ask.accepts_rebilling, ask.evidence)
    yield from open_return(s, "rebill", None, dict(found.lines), refund="none", postage="platform")


def _nothing_to_answer(s: DecisionContext, found: Found | None) -> Events:
    """Refuse an answer, because the customer was not notified of all units or the matter is over."""
    if found is None:
        return _missing(s, "notify-customer", "The customer has been told of nothing that shipped although cancelled.")
    if found.stage == "found":
        return _missing(s, "notify-customer", _not_notified(found))
    because = f"There is nothing left to answer: {_answer(found)}."
    return s.no("step-out-of-order", because, fact("notice_id", found.notice_id), instead=(CONTACT,))


def _not_notified(found: Found) -> str:
    """Name the lines of which the customer was not notified. A new notification covers all of them."""
    if not found.told:
        return "The customer has not been told."
    since = {n: quantity for n, quantity in found.lines.items() if quantity > found.told.get(n, 0)}
    return f"The customer has been told of {_lines(found.told)}, and not yet of {_lines(since)}, which was found since."


def _evidenced(s: DecisionContext, ids: tuple[str, ...]) -> bool:
    return bool(ids) and all(i in s.order.evidence and s.order.evidence[i].about == "rebill" for i in ids)


def rebill(s: DecisionContext, ask: Rebill) -> Events:
    """Step 4: bill the customer again for exactly what was refunded for these units."""
    found = s.order.found
    unknown = s.no_such_line(ask.lines)
    if unknown is not None:
        yield from s.refuse(unknown)
        return
    left = {n: line.accepted - billed(s.order, n) for n, line in s.order.lines.items()}
    if ask.lines:
        wanted = {p.line: left[p.line] if p.quantity is None else p.quantity for p in ask.lines}
    else:
        wanted = {n: units for n, units in left.items() if units}
    if not wanted or any(not 0 < units <= left[n] for n, units in wanted.items()):
        yield from _not_acknowledged(s, found, wanted, left)
        return
    yield e.RebillDue(s.order.next_id("rebill"), to_bill(s.order, wanted), quantities(wanted))


def _not_acknowledged(s: DecisionContext, found: Found | None, wanted: dict[int, int], left: dict[int, int]) -> Events:
    """Refuse a rebilling of units that were not accepted or were already billed again. Names the missing step."""
    too_many = next((n for n, units in wanted.items() if not 0 < units <= left[n]), None)
    if found is None:
        yield from _missing(s, "notify-customer", "The customer has not been told.")
    elif found.stage == "found":
        yield from _missing(s, "notify-customer", _not_notified(found))
    elif found.stage not in ("acknowledged", "closed"):
        yield from s.no(
            "memo-needs-acknowledgment",
            "The customer has not accepted both the item and the re-billing (missing step: acknowledge-both).",
            fact("missing", "acknowledge-both"),
        )
    elif any(line.accepted for line in s.order.lines.values()) and (
        too_many is None or s.order.lines[too_many].accepted
    ):
        yield from s.no("step-out-of-order", _billed_already(too_many, wanted, left), instead=(CONTACT,))
    else:
        what = "Nothing" if too_many is None else f"Nothing of line {too_many}"
        yield from _missing(s, "acknowledge-both", f"{what} is acknowledged.")


def _billed_already(line: int | None, wanted: dict[int, int], left: dict[int, int]) -> str:
    if line is None:
        return "All that was acknowledged has been billed again."
    if not left[line]:
        return f"All of line {line} that was acknowledged has been billed again."
    return f"{left[line]} of line {line} are acknowledged and not yet billed again, not {wanted[line]}."


def settle_rebill(s: DecisionContext, ask: ConfirmRebill | FailRebill) -> Events:
    """Record that a rebilling was confirmed or failed. A failed one stays due under its id."""
    found = s.order.rebills.get(ask.rebill_id)
    if found is None:
        yield from s.no("no-such-rebill", f"There is no rebilling {ask.rebill_id}.", fact("rebill_id", ask.rebill_id))
    elif found.status == "confirmed":
        yield from s.no("rebill-closed", f"{ask.rebill_id} is confirmed already.", ref=ask.rebill_id)
    elif isinstance(ask, ConfirmRebill):
        yield e.Rebilled(ask.rebill_id)
    else:
        yield e.RebillFailed(ask.rebill_id)


def issue_credit_memo(s: DecisionContext, ask: IssueCreditMemo) -> Events:
    """Step 5: pay the seller the rebilled amount, never without the customer's acknowledgment."""
    if not any(line.accepted for line in s.order.lines.values()):
        yield from s.no(
            "memo-needs-acknowledgment",
            "The customer has not accepted both the item and the re-billing.",
            fact("missing", "acknowledge-both"),
            ref=ask.rebill_id,
        )
        return
    rebilling = s.order.rebills.get(ask.rebill_id)
    if rebilling is None:
        yield from _missing(s, "rebill", f"There is no rebilling {ask.rebill_id}.")
        return
    if rebilling.status != "confirmed":
        yield from _missing(s, "rebill", f"Rebilling {ask.rebill_id} is not confirmed.")
        return
    if rebilling.memo_id is not None:
        yield from s.no(
            "memo-exists", f"{ask.rebill_id} has memo {rebilling.memo_id}.", fact("memo_id", rebilling.memo_id)
        )
        return
    yield e.CreditMemoIssued(ask.memo_id, ask.rebill_id, rebilling.amount)
