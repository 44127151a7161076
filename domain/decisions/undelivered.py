"""Shipped units that do not reach the buyer: lost, damaged in transit, returned to the sender, or refused.

See docs/reference/after-shipment.md, Undelivered parcels.
"""

from domain import events as e
from domain.commands import Pick, ReportUndelivered
from domain.decisions.context import DecisionContext, Events, quantities, sealed
from domain.decisions.returns import in_return, open_return, return_of
from domain.order import Shipment
from domain.policy_terms import Standing
from domain.verdict import CONTACT, Ruling, fact, of_line, refused

BACK = ("returned_to_sender", "refused")
"""The outcomes after which the units come back to the seller."""


def undelivered_units(s: DecisionContext, shipment: Shipment) -> dict[int, int]:
    """The units of a shipment that can be reported as undelivered: still on their way, and in no return."""
    if shipment.status in ("void", "delivered"):
        return {}
    units = {n: min(shipment.to_deliver(n), s.order.lines[n].under_way) for n in shipment.lines}
    return {n: quantity for n, quantity in units.items() if quantity > 0}


def report_undelivered(s: DecisionContext, ask: ReportUndelivered) -> Events:
    """Report units of a shipment as undelivered.

    What is lost or damaged is refunded at once. For what comes back, a return opens, which is under way.
    """
    shipment = s.order.shipments.get(ask.shipment_id)
    if shipment is None or shipment.status == "void":
        because = no_shipment(shipment, ask.shipment_id)
        yield from s.no("no-such-shipment", because, fact("shipment_id", ask.shipment_id), ref=ask.shipment_id)
        return
    left = undelivered_units(s, shipment)
    elsewhere = ask.lines is not None and not any(pick.line in shipment.lines for pick in ask.lines)
    ruling = (
        s.no_such_line(ask.lines)
        or (None if elsewhere else _nothing_left(s, shipment, left))
        or _too_many(s, shipment, left, ask.lines)
    )
    if ruling is not None:
        yield from s.refuse(ruling, ask.shipment_id)
        return
    units = left if ask.lines is None else {p.line: p.quantity or left[p.line] for p in ask.lines}
    at_once = ask.refund_now and ask.outcome in BACK
    yield e.ParcelUndelivered(
        ask.shipment_id, ask.outcome, quantities(units), at_once, sealed(ask.note), _counts(s, ask.outcome)
    )
    if ask.outcome in BACK:
        refund = "at_once" if at_once else "on_receipt"
        yield from open_return(
            s, ask.shipment_id, None, units, refund=refund, postage="seller", undelivered=ask.outcome
        )


def _counts(s: DecisionContext, outcome: str) -> bool:
    """Whether the units count as canceled by the seller (policy key ``lost`` of ``[standing]``)."""
    terms = s.policy.standing or Standing()
    return terms.lost and outcome not in BACK


def no_shipment(shipment: Shipment | None, shipment_id: str) -> str:
    """Say why there is no such shipment: it never existed, or its notice was voided."""
    if shipment is None:
        return f"There is no shipment {shipment_id}."
    return f"Shipment {shipment_id} is void: its notice was a mistake, and nothing left by it."


def _nothing_left(s: DecisionContext, shipment: Shipment, left: dict[int, int]) -> Ruling | None:
    """Refuse a report of a shipment of which nothing is on its way any more."""
    if left:
        return None
    named = fact("shipment_id", shipment.shipment_id)
    if shipment.status == "delivered":
        return refused(
            "delivered-already", f"Shipment {shipment.shipment_id} has been delivered.", named, instead=(CONTACT,)
        )
    if shipment.all_reported:
        return reported_already(shipment)
    back = return_of(s, set(shipment.lines))
    what = f"What is left of shipment {shipment.shipment_id}"
    if back is not None:
        return in_return(back, what, named)
    return refused("more-than-open", f"{what} came back.", named, instead=(CONTACT,))


def reported_already(shipment: Shipment) -> Ruling:
    """Refuse, because all of a shipment was reported as undelivered."""
    outcomes = [outcome.replace("_", " ") for outcome, lines in shipment.reported.items() if any(lines.values())]
    return refused(
        "undelivered-already",
        f"Shipment {shipment.shipment_id} is reported as {' and '.join(outcomes)} already.",
        fact("shipment_id", shipment.shipment_id),
        fact("status", shipment.status),
        instead=(CONTACT,),
    )


def _too_many(
    s: DecisionContext, shipment: Shipment, left: dict[int, int], picks: tuple[Pick, ...] | None
) -> Ruling | None:
    """Refuse a report of more units of a line than are on their way in the shipment."""
    for pick in picks or ():
        number, can = pick.line, left.get(pick.line, 0)
        if can and (pick.quantity or 1) <= can:
            continue
        inputs = fact("shipment_id", shipment.shipment_id), fact("line", number)
        if not can and number in shipment.lines and not shipment.to_deliver(number):
            because = f"All of line {number} in shipment {shipment.shipment_id} is reported already."
            return refused("undelivered-already", because, *inputs, instead=(CONTACT,))
        back = return_of(s, {number}) if number in shipment.lines and not can else None
        if back is not None:
            return in_return(back, f"Line {number}", *inputs)
        what = f"on the way in shipment {shipment.shipment_id}"
        return refused("more-than-open", f"{of_line(can, number, what)}.", *inputs, fact("on_the_way", can))
    return None
