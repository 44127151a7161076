"""Cancelled but shipped: five steps, in order, none skippable. RULES.md 3."""

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
from domain.decisions.returns import open_return
from domain.decisions.situation import Events, Situation, quantities, sealed_text
from domain.links import find_link
from domain.order import Order
from domain.verdict import fact

TO_ACKNOWLEDGE = Length(14, "days")
"""Silence for this long: not billed, no memo, closed as not acknowledged (rule ``acknowledge-both``)."""


def report_shipped_after_cancel(s: Situation, ask: ReportShippedAfterCancel) -> Events:
    """The seller says that cancelled units have left."""
    unknown = s.no_such_line(ask.lines)
    if unknown is not None:
        yield from s.refuse(unknown)
        return
    found: dict[int, int] = {}
    for pick in ask.lines or ():
        line = s.order.lines[pick.line]
        left = line.canceled - line.found_shipped
        wanted = left if pick.quantity is None else pick.quantity
        if not s.policy.cancelled_but_shipped or not left or wanted > left:
            yield from s.no(
                "nothing-canceled",
                f"Of line {pick.line} {left} cancelled units can have shipped.",
                fact("line", pick.line),
                fact("canceled", line.canceled),
                fact("reported", line.found_shipped),
            )
            return
        found[pick.line] = wanted
    yield e.ShippedAfterCancelFound("report", ask.carrier, ask.tracking_number, quantities(found))


def _missing(s: Situation, step: str, because: str) -> Events:
    return s.no("step-out-of-order", f"{because} (missing step: {step})", fact("missing", step))


def notify_customer(s: Situation, ask: NotifyCustomer) -> Events:
    """Step 1: told, with carrier and number, and with no link of any kind."""
    found = s.order.found
    if found is None or found.stage != "found":
        yield from _missing(
            s, "notify-customer", "There is nothing to tell: nothing cancelled is known to have shipped."
        )
        return
    text = ask.text.content
    link = find_link(text)
    if link is not None:
        yield from s.no(
            "notice-has-link", f"The message has what looks like a link: {link!r}.", fact("found", "a link")
        )
        return
    if not (_says(text, found.carrier) and _says(text, found.tracking_number)):
        yield from s.no(
            "notice-lacks-tracking",
            f"The message has to name the carrier ({found.carrier}) and the tracking number ({found.tracking_number}).",
            fact("carrier", found.carrier),
            fact("tracking_number", found.tracking_number),
        )
        return
    notice_id = s.order.next_id("notice")
    yield e.CustomerNotified(notice_id, sealed_text(ask.text), s.deadline("acknowledge", TO_ACKNOWLEDGE, notice_id))


def _says(text: str, what: str) -> bool:
    def bare(words: str) -> str:
        return "".join(words.split()).casefold()

    return bare(what) in bare(text)


def acknowledge(s: Situation, ask: Acknowledge) -> Events:
    """Step 2: both are accepted, or it is declined and the parcel may come back at the platform's cost."""
    found = s.order.found
    if found is None or found.stage != "notified" or found.notice_id is None:
        yield from _missing(s, "notify-customer", "The customer has not been told, or the time to answer is over.")
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
    yield from open_return(s, "rebill", None, dict(found.lines), refund="none", accepted=True, postage="platform")


def _evidenced(s: Situation, ids: tuple[str, ...]) -> bool:
    return bool(ids) and all(i in s.order.evidence and s.order.evidence[i].about == "rebill" for i in ids)


def rebill(s: Situation, ask: Rebill) -> Events:
    """Step 4: billed again for exactly what these units had refunded."""
    found = s.order.found
    unknown = s.no_such_line(ask.lines)
    if unknown is not None:
        yield from s.refuse(unknown)
        return
    if found is None or found.stage == "found":
        yield from _missing(s, "notify-customer", "The customer has not been told.")
        return
    if found.stage not in ("acknowledged", "closed"):
        yield from s.no(
            "memo-needs-acknowledgment",
            "The customer has not accepted both the item and the re-billing (missing step: acknowledge-both).",
            fact("missing", "acknowledge-both"),
        )
        return
    left = {n: q - billed(s.order, n) for n, q in acknowledged(s.order).items()}
    wanted = (
        {p.line: left.get(p.line, 0) if p.quantity is None else p.quantity for p in ask.lines} if ask.lines else left
    )
    wanted = {n: q for n, q in wanted.items() if q or ask.lines}
    if not wanted or any(q > left.get(n, 0) or q == 0 for n, q in wanted.items()):
        yield from _missing(s, "acknowledge-both", "No such units are acknowledged and not yet billed again.")
        return
    yield e.RebillDue(s.order.next_id("rebill"), rebill_amount(s.order, wanted), quantities(wanted))


def acknowledged(order: Order) -> dict[int, int]:
    """Units whose re-billing was accepted: what was found to have shipped, by line."""
    return {n: line.found_shipped for n, line in order.lines.items() if line.found_shipped}


def billed(order: Order, line: int) -> int:
    """Units of a line that were billed again, confirmed or not."""
    return sum(x.lines.get(line, 0) for x in order.rebills.values())


def rebill_amount(order: Order, lines: dict[int, int]) -> int:
    """What these cancelled units had refunded, the oldest first (COMMANDS.md 4).

    All refunds together are f(V) = min(max(0, V − U), paid − O); a unit that lies at [a, b) of V, in the order in which
    units were credited, had f(b) − f(a).
    """
    unpaid = max(0, order.terms.total - order.paid)

    def refunded(value: int) -> int:
        return max(0, min(max(0, value - unpaid), order.paid - order.other_refunds))

    skip = {n: billed(order, n) for n in lines}
    want = dict(lines)
    place: dict[int, int] = {}
    value = amount = 0
    for credit in order.credits:
        line = order.lines[credit.line]
        for _ in range(credit.units):
            k = place[credit.line] = place.get(credit.line, 0) + 1
            unit = line.credit(k) - line.credit(k - 1)
            if credit.canceled and credit.line in want:
                if skip[credit.line]:
                    skip[credit.line] -= 1
                elif want[credit.line]:
                    want[credit.line] -= 1
                    amount += refunded(value + unit) - refunded(value)
            value += unit
    return amount


def settle_rebill(s: Situation, ask: ConfirmRebill | FailRebill) -> Events:
    """The rebilling went through, or failed and stays due under its id."""
    found = s.order.rebills.get(ask.rebill_id)
    if found is None:
        yield from s.no("no-such-rebill", f"There is no rebilling {ask.rebill_id}.", fact("rebill_id", ask.rebill_id))
    elif found.status == "confirmed":
        yield from s.no("rebill-closed", f"{ask.rebill_id} is confirmed already.", ref=ask.rebill_id)
    elif isinstance(ask, ConfirmRebill):
        yield e.Rebilled(ask.rebill_id)
    else:
        yield e.RebillFailed(ask.rebill_id)


def issue_credit_memo(s: Situation, ask: IssueCreditMemo) -> Events:
    """Step 5: the seller is paid what was rebilled; never without the customer's acknowledgment."""
    found = s.order.found
    if found is None or found.stage not in ("acknowledged", "closed"):
        yield from s.no(
            "memo-needs-acknowledgment",
            "The customer has not accepted both the item and the re-billing.",
            fact("missing", "acknowledge-both"),
            ref=ask.rebill_id,
        )
        return
    rebilling = s.order.rebills.get(ask.rebill_id)
    if rebilling is None or rebilling.status != "confirmed":
        yield from _missing(s, "rebill", f"Rebilling {ask.rebill_id} is not confirmed.")
        return
    if rebilling.memo_id is not None:
        yield from s.no(
            "memo-exists", f"{ask.rebill_id} has memo {rebilling.memo_id}.", fact("memo_id", rebilling.memo_id)
        )
        return
    yield e.CreditMemoIssued(ask.memo_id, ask.rebill_id, rebilling.amount)
