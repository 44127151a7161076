"""Fulfillment, tracking, shipping notices and delivery.

Rules ``fill-or-kill``, ``tracking-lock``, ``shipment-answers``; see docs/reference/cancellation.md.
"""

from collections import Counter

from domain import events as e
from domain.commands import (
    Deliver,
    Pick,
    ReviseShipBy,
    Ship,
    StartFulfilment,
    StartTracking,
    TrackingMoved,
    VoidShipment,
)
from domain.decisions.canceling import late_ship_deadline
from domain.decisions.context import DecisionContext, Events, quantities, sealed_text
from domain.decisions.returns import return_delivered
from domain.decisions.undelivered import no_shipment, reported_already
from domain.order import Line, Shipment
from domain.verdict import CONTACT, NEW_ORDER, REPORT_SHIPPED, Ruling, fact, granted, of_line, refused


def _altogether(s: DecisionContext, *lines: int) -> Events:
    """Refuse the whole command, because the named lines or the whole order are canceled."""
    what = " and ".join(f"line {number}" for number in lines) or "it"
    inputs = tuple(fact("line", number) for number in lines)
    return s.no("canceled-altogether", f"Everything of {what} is cancelled.", *inputs, instead=_for_canceled(s))


def _for_canceled(s: DecisionContext) -> tuple[e.Instead, ...]:
    """The options for canceled units. If the policy has the steps, units that shipped anyway can be reported."""
    return (NEW_ORDER, REPORT_SHIPPED) if s.policy.cancelled_but_shipped else (NEW_ORDER, CONTACT)


def start_fulfilment(s: DecisionContext, ask: StartFulfilment) -> Events:
    """Record that picking, packing or labeling began, which ends the stage until-fulfilment for these lines."""
    unknown = s.no_such_line(ask.lines)
    if unknown is not None:
        yield from s.refuse(unknown)
        return
    parts: dict[int, int] = {}
    for line, quantity in _named(s, ask.lines):
        if ask.lines is not None and not (line.open or line.shipped):
            yield from _altogether(s, line.number)
            return
        left = line.ordered - line.canceled
        if quantity is not None and quantity > left:
            because = f"{of_line(left, line.number, 'open or shipped')}, not {quantity}."
            yield from s.no("more-than-open", because, fact("line", line.number))
            return
        here = quantity if quantity is not None else line.open or line.shipped
        if here:
            parts[line.number] = here
    if not parts:
        yield from _altogether(s)
        return
    yield e.FulfilmentStarted(ask.stage, quantities(parts))


def _named(s: DecisionContext, picks: tuple[Pick, ...] | None) -> list[tuple[Line, int | None]]:
    if picks is None:
        return [(line, None) for line in s.order.lines.values()]
    return [(s.order.lines[pick.line], pick.quantity) for pick in picks]


# ---- tracking ----------------------------------------------------------------------------------------------------


def track(s: DecisionContext, ask: StartTracking | TrackingMoved) -> Events:
    """Record a carrier's scan. It locks the parcel's lines.

    If the scan is from before a cancellation of units in the parcel, they count as canceled but shipped.
    """
    unknown = s.no_such_line(ask.lines)
    if unknown is not None:
        yield from s.refuse(unknown)
        return
    back = s.order.returns.get(ask.shipment_id or "")
    if back is not None:
        if not back.started:
            yield e.ReturnStarted(back.return_id, ask.carrier, ask.tracking_number)
        return
    for line, quantity in _named(s, ask.lines or ()):
        if quantity is not None and quantity > line.ordered:
            because = f"{line.ordered} of line {line.number} were ordered, not {quantity}."
            yield from s.no("more-than-open", because, fact("line", line.number), fact("asked", quantity))
            return
    named = _canceled_units_named(s, ask)
    canceled = _canceled_after_the_scan(s, ask, named)
    known = ask.lines is None and any(line.found_shipped for line in s.order.lines.values())
    if named and not canceled and not known:
        yield from _altogether(s, *(() if len(named) == len(s.order.lines) else sorted(named)))
        return
    tracked = _tracked_units(s, ask)
    made = e.TrackingStarted if isinstance(ask, StartTracking) else e.TrackingMoved
    yield made(ask.carrier, ask.tracking_number, ask.shipment_id, quantities(tracked))
    if canceled:
        yield e.ShippedAfterCancelFound("scan", ask.carrier, ask.tracking_number, quantities(canceled))


def _canceled_units_named(s: DecisionContext, ask: StartTracking | TrackingMoved) -> dict[int, int]:
    """Return the canceled units that a scan is about: it names them, or the order has no other units."""
    order = s.order
    void = order.shipments.get(ask.shipment_id or "")
    if ask.lines is not None:
        named = _named(s, ask.lines)
    elif void is not None and void.status == "void":
        named = [(order.lines[n], quantity) for n, quantity in void.lines.items()]
    elif not order.open_units and not order.shipped_units:
        named = _named(s, None)
    else:
        return {}
    found = {}
    for line, quantity in named:
        if line.open or line.shipped or not line.canceled:
            continue
        left = line.canceled - line.found_shipped
        found[line.number] = left if quantity is None else min(quantity, left)
    return {number: units for number, units in found.items() if units > 0}


def _canceled_after_the_scan(
    s: DecisionContext, ask: StartTracking | TrackingMoved, canceled: dict[int, int]
) -> dict[int, int]:
    """Return which of these units left before they were canceled; none if a line named by the scan has no such unit."""
    if not s.policy.cancelled_but_shipped:
        return {}
    scanned_at = ask.happened_at if ask.happened_at is not None else s.now
    later = Counter[int]()
    for credit in s.order.credits:
        if credit.canceled_at is not None and scanned_at < credit.canceled_at:
            later[credit.line] += credit.units
    units = {n: min(left, later[n] - s.order.lines[n].found_shipped) for n, left in canceled.items()}
    gone = {n: quantity for n, quantity in units.items() if quantity > 0}
    return gone if ask.lines is None or gone.keys() == canceled.keys() else {}


def _tracked_units(s: DecisionContext, ask: StartTracking | TrackingMoved) -> dict[int, int]:
    """Return the units in the parcel: the named lines, else those of its known shipment, else all open units."""
    if ask.lines is not None:
        named = {x.number: q if q is not None else x.open or x.shipped for x, q in _named(s, ask.lines)}
        return {number: units for number, units in named.items() if units}
    shipment = announced(s, ask)
    if shipment is not None:
        return dict(shipment.lines)
    parcel = next(
        (p for p in s.order.parcels if (p.carrier, p.tracking_number) == (ask.carrier, ask.tracking_number)), None
    )
    if parcel is not None:
        return dict(parcel.lines)
    still_open = {line.number: line.open for line in s.order.lines.values() if line.open}
    return still_open or {line.number: line.shipped for line in s.order.lines.values() if line.shipped > line.delivered}


def announced(s: DecisionContext, ask: StartTracking | TrackingMoved) -> Shipment | None:
    """Find the shipping notice of a scan by its id, else by carrier and tracking number."""
    if ask.shipment_id is not None:
        found = s.order.shipments.get(ask.shipment_id)
        return found if found is not None and found.status != "void" else None
    for shipment in s.order.shipments.values():
        if shipment.status != "void" and (shipment.carrier, shipment.tracking_number) == (
            ask.carrier,
            ask.tracking_number,
        ):
            return shipment
    return None


# ---- notices -----------------------------------------------------------------------------------------------------


def judge_ship(s: DecisionContext, lines: tuple[Pick, ...] | None) -> Ruling:
    """Judge whether these units can ship. A refusal says why a line has too few open units."""
    unknown = s.no_such_line(lines)
    if unknown is not None:
        return unknown
    if lines is None:
        if s.order.open_units:
            return granted("shipment-answers", "What is open can ship.")
        blocked = sorted(s.order.lines.values(), key=lambda x: (not x.auto_canceled, not x.canceled, x.number))
        return _not_open(s, blocked[0])
    for line, quantity in _named(s, lines):
        if line.open == 0 or (quantity is not None and quantity > line.open):
            return _not_open(s, line)
    return granted("shipment-answers", "It can ship.")


def _not_open(s: DecisionContext, line: Line) -> Ruling:
    inputs = (
        fact("line", line.number),
        fact("open", line.open),
        fact("shipped", line.shipped),
        fact("canceled", line.canceled),
    )
    if line.auto_canceled:
        return refused(
            "auto-canceled-is-final",
            f"{of_line(line.auto_canceled, line.number, 'cancelled')}, by fill or kill when a part of it shipped. "
            "That is final.",
            *inputs,
            instead=_for_canceled(s),
        )
    if line.canceled:
        return refused(
            "cancel-is-final",
            f"{of_line(line.canceled, line.number, 'cancelled')}, and a cancellation cannot be undone.",
            *inputs,
            instead=_for_canceled(s),
        )
    return refused(
        "ships-more-than-open",
        f"{of_line(line.open, line.number, 'open')}, and no more than that can ship.",
        *inputs,
        instead=(CONTACT,),
    )


def ship(s: DecisionContext, ask: Ship) -> Events:
    """Ship the units of a notice. Under fill-or-kill, the rest of their lines is canceled in the same commit."""
    ruling = judge_ship(s, ask.lines)
    if ruling.outcome == "refused":
        named = {p.line: p.quantity or 0 for p in ask.lines or ()}
        yield e.ShipmentRefused(ask.shipment_id, quantities(named), s.verdict("ship", ruling))
        return
    for line, quantity in _named(s, ask.lines):
        if not line.open:
            continue
        number, rest = line.number, line.open - (quantity or line.open)
        made = e.LinePartiallyShipped if rest else e.LineShipped
        yield made(ask.shipment_id, number, quantity or line.open, ask.carrier, ask.tracking_number)
        if rest and s.policy.fill_or_kill:
            yield e.AutoCanceled(number, rest, ask.shipment_id)


def void_shipment(s: DecisionContext, ask: VoidShipment) -> Events:
    """Void a mistaken notice. Its quantities are open again; units that fill-or-kill canceled stay canceled."""
    shipment = s.order.shipments.get(ask.shipment_id)
    if shipment is None or shipment.status == "void":
        yield from s.no(
            "no-such-shipment", no_shipment(shipment, ask.shipment_id), fact("shipment_id", ask.shipment_id)
        )
        return
    gone = any(s.order.lines[n].with_buyer_or_under_way < q for n, q in shipment.lines.items())
    if shipment.status != "announced" or gone or shipment.is_reported:
        where = {"tracking": "is under way", "delivered": "has been delivered"}
        otherwise = "is in a return, or came back, in part or whole"
        if shipment.is_reported:
            otherwise = "left, and is reported as undelivered, in part or whole"
        what = where.get(shipment.status, otherwise)
        yield from s.no(
            "tracking-lock",
            f"Shipment {ask.shipment_id} {what}, so its notice was no mistake.",
            fact("shipment_id", ask.shipment_id),
            fact("status", shipment.status),
            instead=(CONTACT,),
            ref=ask.shipment_id,
        )
        return
    yield e.ShipmentVoided(ask.shipment_id, quantities(shipment.lines), sealed_text(ask.note))


def _nothing_shipped(s: DecisionContext) -> str:
    """Say why there is nothing to deliver: nothing left, or only canceled units did."""
    if s.order.parcels or any(line.found_shipped for line in s.order.lines.values()):
        return "What has left was cancelled before: there is no shipment of the order that could be delivered."
    return "Nothing has shipped."


def revise_ship_by(s: DecisionContext, ask: ReviseShipBy) -> Events:
    """Set a new ship-by. An earlier one applies at once, a later one is a proposal until the buyer takes it."""
    if not s.order.open_units:
        yield from s.no("nothing-open", "Nothing of the order is open.")
        return
    if ask.ship_by == s.order.ship_by:
        return
    if s.order.ship_by is not None and ask.ship_by > s.order.ship_by:
        yield e.ShipByRevised(ask.ship_by, True, ())
    else:
        yield e.ShipByRevised(ask.ship_by, False, late_ship_deadline(s, ask.ship_by))


# ---- delivery ----------------------------------------------------------------------------------------------------


def deliver(s: DecisionContext, ask: Deliver) -> Events:
    """Record that parcels reached the buyer. Open lines under tracking are shipped first."""
    back = s.order.returns.get(ask.shipment_id or "")
    if back is not None:
        yield from return_delivered(s, ask, back)
        return
    before = {
        x.shipment_id: {n: x.to_deliver(n) for n in x.lines}
        for x in s.order.shipments.values()
        if x.status == "delivered"
    }
    yield from _ship_what_is_tracked(s, ask.shipment_id)
    known = [x for x in s.order.shipments.values() if x.status != "void"]
    if ask.shipment_id is not None:
        known = [x for x in known if x.shipment_id == ask.shipment_id]
    if not known:
        rule = "nothing-shipped" if ask.shipment_id is None else "no-such-shipment"
        named = s.order.shipments.get(ask.shipment_id or "")
        because = _nothing_shipped(s) if ask.shipment_id is None else no_shipment(named, ask.shipment_id)
        yield from s.no(rule, because, ref=ask.shipment_id)
        return
    now = {x.shipment_id: {n: x.to_deliver(n) for n in x.lines} for x in known}
    arrived = [x for x in known if not x.all_reported and now[x.shipment_id] != before.get(x.shipment_id)]
    if not arrived:
        if all(x.all_reported for x in known):
            yield from _reported_but_delivered(s, known)
        return
    lines = Counter[int]()
    for shipment in arrived:  # A shipment that was already delivered may have gained another parcel.
        lines.update(now[shipment.shipment_id])
        lines.subtract(before.get(shipment.shipment_id, {}))
    yield e.Delivered(tuple(x.shipment_id for x in arrived), quantities(+lines), None, ())


def _reported_but_delivered(s: DecisionContext, shipments: list[Shipment]) -> Events:
    """Judge a delivery of parcels that were reported as undelivered.

    What was lost and refunded counts as canceled but shipped: the customer is asked to be billed again.
    """
    other = next((x for x in shipments if not x.all_lost), None)
    if other is not None or not s.policy.cancelled_but_shipped:
        yield from s.refuse(reported_already(other or shipments[0]))
        return
    for shipment in shipments:
        if not shipment.is_found:
            carrier, number, lines = shipment.carrier or "", shipment.tracking_number or "", quantities(shipment.lines)
            yield e.ShippedAfterCancelFound("delivery", carrier, number, lines, shipment.shipment_id)


def _ship_what_is_tracked(s: DecisionContext, shipment_id: str | None) -> Events:
    for parcel in list(s.order.parcels):
        named = s.order.shipments.get(parcel.shipment_id or "")
        void = named is not None and named.status == "void"  # It needs a shipment of its own.
        name = parcel.tracking_number if parcel.shipment_id is None or void else parcel.shipment_id
        if parcel.delivered or shipment_id not in (None, name):
            continue
        for number, units in list(parcel.lines.items()):
            line = s.order.lines[number]
            quantity = min(units, line.open)
            if quantity:
                made = e.LinePartiallyShipped if quantity < line.open else e.LineShipped
                yield made(name, number, quantity, parcel.carrier, parcel.tracking_number)
