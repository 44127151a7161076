"""The fold: how each event changes an order. No other module changes an order's state.

``apply`` does not judge events, raises on no event that was decided for this order, and reads no clock.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from domain import events as e
from domain.balance import LAST_IN_FIRST_OUT, Instruction, draws, instruction
from domain.instants import Instant
from domain.notification_rules import MARKS
from domain.order import (
    Case,
    Chargeback,
    Credit,
    Dispute,
    Evidence,
    Found,
    Line,
    Order,
    OtherRefund,
    Owed,
    Parcel,
    Part,
    Payment,
    Rebill,
    Refund,
    Request,
    Return,
    Shipment,
    Stamp,
    fee_value,
)
from domain.reasons import FAULTS
from domain.rebilling import units_refunded


def apply(order: Order, event: e.Event, occurred_at: Instant, stamp: Stamp) -> None:
    """Apply one event to the order, in place."""
    kind = type(event)
    order.recorded_at = stamp.recorded_at
    _APPLY[kind](order, event, occurred_at, stamp)
    order.version = version = order.version + 1
    if "@" in stamp.actor_id or stamp.correlation_id is not None:
        _know_ids(order, stamp.actor_id, stamp.correlation_id)
    marks = MARKS.get(kind)
    if marks is not None:
        order.notified_bits |= (marks if marks.__class__ is int else marks(event)) << (2 * version)  # type: ignore[operator]


def _know_ids(order: Order, *ids: str | None) -> None:
    """Remember ids that may hold an e-mail address, so that they are accepted again."""
    for id in ids:
        if id is not None and "@" in id and id not in order.personal_ids:
            order.personal_ids |= {id}


def _credit(order: Order, line: Line, units: int, *, canceled_at: Instant | None, cause: str, shipping: bool) -> None:
    """Count ``units`` of a line in V, and in D what other refunds do not cover of them.

    With ``shipping``, their share of the line's shipping counts too. The order's shipping and fees follow once nothing
    can reach the buyer any more.
    """
    value = line.value_credited
    line.credited += units
    _credited(order, line, value, Credit(line.number, units, 0, canceled_at, cause, units if shipping else 0))


def _credit_shipping(order: Order, line: Line, units: int, *, cause: str) -> None:
    """Count the shipping of units of which the rest was credited before."""
    value = line.value_credited
    _credited(order, line, value, Credit(line.number, 0, 0, None, cause, units))


def _credited(order: Order, line: Line, before: int, credit: Credit) -> None:
    """Count a credit whose units are counted. ``before``: the value of all credits of the line until then."""
    line.shipping_credited += credit.shipping
    now = line.value_credited
    order.value_credited += now - before
    credit.value = now - before
    order.credits.append(credit)
    _owe(order, credit.cause, "line", line.number, None, max(0, now - line.covered) - max(0, before - line.covered))
    _credit_with_order(order, credit.cause)


def _credit_with_order(order: Order, cause: str) -> None:
    """Count the order's shipping and the fees with it, once nothing can reach the buyer any more."""
    if order.with_order_credited or not order.nothing_reached_the_buyer:
        return
    order.with_order_credited = True
    _owe(order, cause, "shipping", None, None, max(0, order.shipping_value - order.shipping_covered))
    for fee in order.terms.fees:
        covered = order.fees_covered.get(fee.fee_id, 0)
        _owe(order, cause, "fee", None, fee.fee_id, max(0, fee_value(fee) - covered))


def _owe(order: Order, cause: str, kind: str, line: int | None, fee_id: str | None, amount: int) -> None:
    if amount:
        order.value_owed += amount
        order.owed.append(Owed(cause, kind, line, fee_id, amount))


def _no_longer_owed(order: Order, kind: str, line: int | None, fee_id: str | None, amount: int) -> None:
    """Take an amount out of D that an other refund covers, and out of what is still owed for the same thing."""
    order.value_owed -= amount
    left: list[Owed] = []
    for owed in order.owed:
        part = min(amount, owed.amount) if (owed.kind, owed.line, owed.fee_id) == (kind, line, fee_id) else 0
        amount -= part
        if part < owed.amount:
            left.append(owed if not part else Owed(owed.cause, kind, line, fee_id, owed.amount - part))
    order.owed = left


def _set_deadlines(order: Order, deadlines: tuple[e.Deadline, ...]) -> None:
    for deadline in deadlines:
        order.deadlines.pop(order.deadline_of.get((deadline.kind, deadline.ref), ""), None)
        order.deadline_of[deadline.kind, deadline.ref] = deadline.deadline_id
        order.deadlines[deadline.deadline_id] = deadline
        order.deadlines_set[deadline.deadline_id] = order.recorded_at
        counter = f"{deadline.kind} deadline"
        order.counters[counter] = order.counters.get(counter, 0) + 1
        case = order.cases.get(deadline.ref)
        if case is not None and deadline.kind == "case":
            case.due_at = deadline.due_at


def _order_placed(order: Order, event: e.OrderPlaced, at: Instant, stamp: Stamp) -> None:
    order.placed = event
    order.placed_at = stamp.recorded_at
    order.placed_fingerprint = stamp.fingerprint
    order.ship_by = event.ship_by
    order.lines = {
        x.line: Line(
            x.line,
            x.sku,
            x.title,
            x.quantity,
            x.goods,
            x.refundable_tax,
            x.listing,
            x.quantity,
            shipping=x.shipping,
            shipping_tax=x.refundable_shipping_tax,
            part_of=x.part_of,
        )
        for x in event.lines
    }
    order.open_units = sum(line.ordered for line in order.lines.values())
    for line in event.lines:
        if line.part_of is not None:
            order.bundles.setdefault(line.part_of, []).append(line.line)
    _set_deadlines(order, event.deadlines)


def _payment_received(order: Order, event: e.PaymentReceived, at: Instant, stamp: Stamp) -> None:
    if order.version == 1:
        order.paid_at_placing = True
    order.paid += event.amount
    payment_id = event.payment_id or order.next_payment_id
    authorized = event.amount if event.state == "authorized" else 0
    order.payments[payment_id] = Payment(
        payment_id, event.method, event.amount, event.state, stamp.recorded_at, authorized, event.amount - authorized
    )
    if event.amount:
        order.holding[payment_id] = None


def _still_holds(order: Order, payment: Payment) -> None:
    """List a payment among those that hold money, or take it out."""
    if not payment.free:
        order.holding.pop(payment.payment_id, None)
    elif payment.payment_id not in order.holding:
        order.holding = {id: None for id, each in order.payments.items() if each.free}


def _payment_captured(order: Order, event: e.PaymentCaptured, at: Instant, stamp: Stamp) -> None:
    payment = order.payments[event.payment_id]
    payment.authorized -= event.amount
    payment.captured += event.amount


def _payment_released(order: Order, event: e.PaymentReleased, at: Instant, stamp: Stamp) -> None:
    """Release authorized money. It settles void parts first, oldest first; that money stays in what was paid."""
    payment, left = order.payments[event.payment_id], event.voided
    for refund in order.refunds.values():
        if not left or refund.status != "due":
            continue
        parts = []
        for part in refund.parts:
            if part.kind == "void" and part.payment_id == event.payment_id:
                settled = min(left, part.left)
                left -= settled
                confirmed = part.confirmed + settled
                whole = confirmed + part.elsewhere == part.amount
                part = replace(part, confirmed=confirmed, waiting=part.waiting and not whole, failed=False)
            parts.append(part)
        _settle_parts(order, refund, tuple(parts), stamp)
    payment.authorized -= event.amount - event.voided
    order.paid -= event.amount - event.voided
    _still_holds(order, payment)


def _other_refund(order: Order, event: e.OtherRefundRecorded, at: Instant, stamp: Stamp) -> None:
    id = event.other_refund_id or order.next_other_refund_id
    order.other_ids.setdefault(id, (event.amount, None, event.payment_id, event.covers))
    order.others.append(OtherRefund(id, event.amount, None, event.payment_id, event.covers, stamp.recorded_at))
    for share in event.draws or draws(order, event.amount, LAST_IN_FIRST_OUT):
        payment = order.payments[share.payment_id]
        payment.elsewhere += share.amount
        _still_holds(order, payment)
    order.other_refunds += event.amount
    for cover in event.covers:
        _covered(order, cover)


def _covered(order: Order, cover: e.Cover) -> None:
    """Count what an other refund covers of a line, the order's shipping or a fee."""
    if cover.kind == "line":
        assert cover.line is not None
        line = order.lines[cover.line]
        value, before = line.value_credited, line.covered
        line.covered = after = before + cover.amount
    elif cover.kind == "shipping":
        value, before = order.shipping_value if order.with_order_credited else 0, order.shipping_covered
        order.shipping_covered = after = before + cover.amount
    else:
        assert cover.fee_id is not None
        fee = next(fee for fee in order.terms.fees if fee.fee_id == cover.fee_id)
        value, before = fee_value(fee) if order.with_order_credited else 0, order.fees_covered.get(cover.fee_id, 0)
        order.fees_covered[cover.fee_id] = after = before + cover.amount
    less = max(0, value - before) - max(0, value - after)
    if less:
        _no_longer_owed(order, cover.kind, cover.line, cover.fee_id, less)


def _message_sent(order: Order, event: e.MessageSent, at: Instant, stamp: Stamp) -> None:
    order.ids[event.message_id] = stamp.fingerprint
    order.messages[event.message_id] = (stamp.actor_kind, stamp.recorded_at)


def _contact_recorded(order: Order, event: e.ContactRecorded, at: Instant, stamp: Stamp) -> None:
    order.ids[event.contact_id] = stamp.fingerprint
    _know_ids(order, event.ticket)


def _cancel_requested(order: Order, event: e.CancelRequested, at: Instant, stamp: Stamp) -> None:
    requested = {x.line: x.quantity for x in event.lines}
    decide_by = next((d.due_at for d in event.deadlines if d.kind == "decide"), None)
    if event.request_id in order.requests:
        del order.requests[event.request_id]
    order.requests[event.request_id] = Request(
        request_id=event.request_id,
        by=event.by,
        reason=event.reason,
        requested=requested,
        status="approved" if event.verdict.outcome == "granted" else "open",
        requested_at=stamp.recorded_at,
        decide_by=decide_by,
        rule=event.verdict.rule,
        here={n: order.lines[n].open for n in requested if n in order.lines},
        decided_at=stamp.recorded_at if event.verdict.outcome == "granted" else None,
    )
    for line in requested:
        known = order.requests_of_line.get(line, ())
        if event.request_id not in known:
            order.requests_of_line[line] = (*known, event.request_id)
    order.ids[event.request_id] = stamp.fingerprint
    _set_deadlines(order, event.deadlines)


def _alternative_offered(order: Order, event: e.AlternativeOffered, at: Instant, stamp: Stamp) -> None:
    request = order.requests[event.request_id]
    request.offers = event.offers
    request.behind = event.verdict
    _set_deadlines(order, event.deadlines)


def _alternative_taken(order: Order, event: e.AlternativeTaken, at: Instant, stamp: Stamp) -> None:
    if event.request_id is None:
        order.proposed_ship_by = None


def _alternatives_declined(order: Order, event: e.AlternativesDeclined, at: Instant, stamp: Stamp) -> None:
    if event.request_id is None:
        order.proposed_ship_by = None
        return
    request = order.requests[event.request_id]
    request.offers = ()
    if request.behind is not None:
        request.rule = request.behind.rule
    request.decide_by = next((d.due_at for d in event.deadlines if d.kind == "decide"), None)
    _set_deadlines(order, event.deadlines)


def _cancel_refused(order: Order, event: e.CancelRefused, at: Instant, stamp: Stamp) -> None:
    request = order.requests[event.request_id]
    request.status = "refused"
    request.rule = event.verdict.rule
    request.decided_at = stamp.recorded_at
    if request.requested_at == stamp.recorded_at and order.ids.get(event.request_id) == stamp.fingerprint:
        order.ids.pop(event.request_id, None)


def _cancel_approved(order: Order, event: e.CancelApproved, at: Instant, stamp: Stamp) -> None:
    request = order.requests[event.request_id]
    whole = all(order.got(request, n) + order.still_open(request, n) >= units for n, units in request.requested.items())
    request.status = "approved" if whole else "partly"
    request.rule = event.rule or request.rule
    request.decided_at = stamp.recorded_at


def _cancel_declined(order: Order, event: e.CancelDeclined, at: Instant, stamp: Stamp) -> None:
    request = order.requests[event.request_id]
    request.status = event.status
    request.rule = event.rule or request.rule
    request.decided_at = stamp.recorded_at


def _cancel_withdrawn(order: Order, event: e.CancelWithdrawn, at: Instant, stamp: Stamp) -> None:
    order.requests[event.request_id].status = "withdrawn"


def _lines_canceled(order: Order, event: e.LinesCanceled, at: Instant, stamp: Stamp) -> None:
    for part in event.lines:
        line = order.lines[part.line]
        line.open -= part.quantity
        order.open_units -= part.quantity
        line.canceled += part.quantity
        _canceled(line, stamp, part.cause, part.request_id)
        _credit(order, line, part.quantity, canceled_at=stamp.recorded_at, cause=part.cause, shipping=True)
        _count_for_requests(order, part.line, part.quantity, part.request_id)


def _canceled(line: Line, stamp: Stamp, cause: str, request_id: str | None) -> None:
    line.canceled_at, line.canceled_by = stamp.recorded_at, stamp.actor_kind
    line.canceled_as, line.canceled_for = cause, request_id


def _count_for_requests(order: Order, line: int, quantity: int, request_id: str | None) -> None:
    """Count canceled units of a line for its open requests, and for the request that the cancellation carries out."""
    for id in order.requests_of_line.get(line, ()):
        request = order.requests[id]
        requested = request.requested.get(line)
        if requested is not None and (request.status == "open" or request.request_id == request_id):
            request.canceled[line] = min(requested, request.canceled.get(line, 0) + quantity)


def _auto_canceled(order: Order, event: e.AutoCanceled, at: Instant, stamp: Stamp) -> None:
    line = order.lines[event.line]
    line.open -= event.quantity
    order.open_units -= event.quantity
    line.canceled += event.quantity
    line.auto_canceled += event.quantity
    _canceled(line, stamp, "fill_or_kill", None)
    shipment = order.shipments.get(event.shipment_id)
    if shipment is not None:
        shipment.killed[event.line] = shipment.killed.get(event.line, 0) + event.quantity
    _credit(order, line, event.quantity, canceled_at=stamp.recorded_at, cause="fill_or_kill", shipping=True)
    _count_for_requests(order, event.line, event.quantity, None)


def _fulfilment_started(order: Order, event: e.FulfilmentStarted, at: Instant, stamp: Stamp) -> None:
    for part in event.lines:
        line = order.lines[part.line]
        if line.fulfilment_at is None:
            line.fulfilment_at = stamp.recorded_at


def _tracking_started(order: Order, event: e.TrackingStarted, at: Instant, stamp: Stamp) -> None:
    _tracked(order, event, at)


def _tracking_moved(order: Order, event: e.TrackingMoved, at: Instant, stamp: Stamp) -> None:
    _tracked(order, event, at)


def _tracked(order: Order, event: e.TrackingStarted | e.TrackingMoved, at: Instant) -> None:
    back = order.returns.get(event.shipment_id or "")
    if back is not None:
        _on_its_way_back(back, event.carrier, event.tracking_number)
        return
    matches = [
        s
        for s in order.shipments.values()
        if s.status != "void"
        and (
            s.shipment_id == event.shipment_id
            or (event.shipment_id is None and (s.carrier, s.tracking_number) == (event.carrier, event.tracking_number))
        )
    ]
    for shipment in matches:
        if shipment.status == "announced":
            shipment.status = "tracking"
        shipment.carrier = shipment.carrier or event.carrier
        shipment.tracking_number = shipment.tracking_number or event.tracking_number
        shipment.last_seen = max(shipment.last_seen, at)
    for parcel in order.parcels:
        if (parcel.carrier, parcel.tracking_number) == (event.carrier, event.tracking_number):
            parcel.last_seen = max(parcel.last_seen, at)
            for part in event.lines:
                parcel.lines[part.line] = max(parcel.lines.get(part.line, 0), part.quantity)
            return
    rest = {x.line: x.quantity for x in event.lines if not any(x.line in shipment.lines for shipment in matches)}
    if rest:
        order.parcels.append(Parcel(event.carrier, event.tracking_number, event.shipment_id, rest, at))


def _on_its_way_back(back: Return, carrier: str | None, tracking_number: str | None) -> None:
    back.started = True
    back.carrier = back.carrier or carrier
    back.tracking_number = back.tracking_number or tracking_number


def _shipped(order: Order, event: e.LineShipped | e.LinePartiallyShipped, at: Instant, stamp: Stamp) -> None:
    line = order.lines[event.line]
    line.open -= event.quantity
    order.open_units -= event.quantity
    line.shipped += event.quantity
    order.ever_shipped = True
    shipment = order.shipments.get(event.shipment_id)
    if shipment is None:
        shipment = order.shipments[event.shipment_id] = Shipment(
            shipment_id=event.shipment_id,
            carrier=event.carrier,
            tracking_number=event.tracking_number,
            status="announced",
            lines={},
            occurred_at=at,
            last_seen=at,
            ship_by=order.ship_by,
        )
        order.ids[event.shipment_id] = stamp.fingerprint
    shipment.lines[event.line] = shipment.lines.get(event.line, 0) + event.quantity
    for parcel in order.parcels:
        if _announces(event, parcel):
            _announced(shipment, parcel, event.line, event.quantity)


def _announces(event: e.LineShipped | e.LinePartiallyShipped, parcel: Parcel) -> bool:
    """Whether a notice is about a tracked parcel: it names the parcel, or it names none and has a line of it."""
    if parcel.delivered or event.line not in parcel.lines:
        return False
    if event.shipment_id == parcel.shipment_id or event.tracking_number is None:
        return True
    return (event.carrier, event.tracking_number) == (parcel.carrier, parcel.tracking_number)


def _announced(shipment: Shipment, parcel: Parcel, line: int, quantity: int) -> None:
    """Move a parcel's units to its shipment, which is now under tracking."""
    if shipment.status == "announced":
        shipment.status = "tracking"
    shipment.carrier = shipment.carrier or parcel.carrier
    shipment.tracking_number = shipment.tracking_number or parcel.tracking_number
    shipment.last_seen = max(shipment.last_seen, parcel.last_seen)
    parcel.lines[line] -= quantity
    if parcel.lines[line] <= 0:
        del parcel.lines[line]


def _shipment_voided(order: Order, event: e.ShipmentVoided, at: Instant, stamp: Stamp) -> None:
    order.shipments[event.shipment_id].status = "void"
    for part in event.lines:
        line = order.lines[part.line]
        line.shipped -= part.quantity
        line.open += part.quantity
        order.open_units += part.quantity
    order.ever_shipped = any(s.status != "void" for s in order.shipments.values())


def _ship_by_revised(order: Order, event: e.ShipByRevised, at: Instant, stamp: Stamp) -> None:
    if event.proposed:
        order.proposed_ship_by = event.ship_by
        return
    order.ship_by = event.ship_by
    order.proposed_ship_by = None
    _set_deadlines(order, event.deadlines)


def _delivered(order: Order, event: e.Delivered, at: Instant, stamp: Stamp) -> None:
    _set_deadlines(order, event.deadlines)
    if event.return_id is not None:
        back = order.returns[event.return_id]
        back.delivered_at, back.is_awaited = at, True
        return
    for shipment_id in event.shipments:
        shipment = order.shipments[shipment_id]
        shipment.status = "delivered"
        shipment.last_seen = max(shipment.last_seen, at)
        shipment.delivered_at = max(shipment.delivered_at or at, at)
        for parcel in order.parcels:
            if parcel.shipment_id == shipment_id or (
                parcel.tracking_number == shipment.tracking_number and parcel.carrier == shipment.carrier
            ):
                parcel.delivered = True
    for part in event.lines:
        line = order.lines[part.line]
        line.delivered += part.quantity
        line.delivered_at = max(line.delivered_at or at, at)


GONE: Final = ("lost", "damaged_in_transit")
"""The outcomes of ``ParcelUndelivered`` after which nothing comes back."""
_STATUS_OF: Final = {"lost": "lost", "damaged_in_transit": "damaged"}
"""Outcome → the status of a shipment of which all units were reported; for the others, ``returning``."""


def _undelivered(order: Order, event: e.ParcelUndelivered, at: Instant, stamp: Stamp) -> None:
    shipment = order.shipments[event.shipment_id]
    reported = shipment.reported.setdefault(event.outcome, {})
    for part in event.lines:
        reported[part.line] = reported.get(part.line, 0) + part.quantity
        if event.outcome in GONE:
            line = order.lines[part.line]
            line.undelivered += part.quantity
            line.counted_lost += part.quantity if event.counts else 0
            _credit(order, line, part.quantity, canceled_at=None, cause="undelivered", shipping=True)
            _granted_as_lost(order, line, part.quantity)
    if shipment.all_reported:
        shipment.status_before, shipment.status = shipment.status, _STATUS_OF.get(event.outcome, "returning")
        order.parcels = [
            parcel
            for parcel in order.parcels
            if parcel.shipment_id != shipment.shipment_id
            and (parcel.carrier, parcel.tracking_number) != (shipment.carrier, shipment.tracking_number)
        ]


def _granted_as_lost(order: Order, line: Line, units: int) -> None:
    """Count lost units for the open requests that asked for them, and that no other unit can satisfy."""
    for id in order.requests_of_line.get(line.number, ()):
        request = order.requests[id]
        if request.status == "open":
            asked = request.requested[line.number] - order.got(request, line.number)
            shipped = asked - min(asked, line.open)
            lost = min(units, max(0, shipped - line.with_buyer_or_under_way))
            request.canceled[line.number] = order.got(request, line.number) + lost


def _refund_due(order: Order, event: e.RefundDue, at: Instant, stamp: Stamp) -> None:
    order.counters["refund"] = order.counters.get("refund", 0) + 1
    made: e.RefundDue | Instruction = event
    if not event.parts:  # Version 1 had no causes, parts and purposes.
        made = instruction(order, event.amount, LAST_IN_FIRST_OUT)
    parts = tuple(Part(x.payment_id, x.method, x.amount, x.kind, x.waiting) for x in made.parts)
    order.refunds[event.refund_id] = Refund(
        event.refund_id, event.amount, "due", False, stamp.recorded_at, None, parts, made.causes, made.purposes
    )
    order.refunds_instructed += event.amount
    order.refunds_due += event.amount
    over = sum(x.amount for x in made.purposes if x.kind == "excess")
    billed = sum(x.amount for x in made.purposes if x.kind == "rebill")
    order.excess_instructed += over
    order.rebill_instructed += billed
    _no_more_owed(order, event.amount - over - billed)
    for part in parts:
        payment = order.payments.get(part.payment_id)
        if payment is None:
            order.rebills[part.payment_id].back_instructed += part.amount
            continue
        if part.kind == "void":
            payment.voiding += part.amount
        else:
            payment.refunding += part.amount
        _still_holds(order, payment)


def _no_more_owed(order: Order, amount: int) -> None:
    """Take what a refund covers out of what is owed, the newest first (``balance.taken``)."""
    owed = order.owed
    while amount and owed:
        last = owed.pop()
        if last.amount > amount:
            owed.append(Owed(last.cause, last.kind, last.line, last.fee_id, last.amount - amount))
        amount -= min(amount, last.amount)


def _settle_parts(order: Order, refund: Refund, parts: tuple[Part, ...], stamp: Stamp, status: str = "") -> None:
    """Replace the parts of a refund, and count again what is due, refunded and given back elsewhere.

    Without a status, it follows from the parts: a refund is confirmed or settled elsewhere once no part is due.
    """
    order.refunds_due -= refund.due
    order.refunds_confirmed -= refund.refunded
    order.settled_elsewhere -= refund.elsewhere
    for old, new in zip(refund.parts, parts, strict=True):
        payment = order.payments.get(old.payment_id)
        if payment is not None and old is not new:
            payment.refunded += new.confirmed - old.confirmed
            if new.kind == "void":
                payment.voided += old.left - new.left
    before, refund.parts = refund.status, parts
    if not status:
        status = "due"
        if not any(part.left for part in parts):
            elsewhere = bool(parts) and not any(part.confirmed for part in parts)
            status = "settled_elsewhere" if elsewhere and refund.amount else "confirmed"
    refund.status, refund.failed = status, status == "due" and any(part.failed for part in parts)
    if status != "confirmed":
        refund.confirmed_at = None
    elif before != "confirmed":
        refund.confirmed_at = stamp.recorded_at
    order.refunds_due += refund.due
    order.refunds_confirmed += refund.refunded
    order.settled_elsewhere += refund.elsewhere


def _refund_confirmed(order: Order, event: e.RefundConfirmed, at: Instant, stamp: Stamp) -> None:
    refund = order.refunds[event.refund_id]
    parts = tuple(
        replace(part, confirmed=part.amount - part.elsewhere, waiting=False, failed=False)
        if event.payment_id in (None, part.payment_id)
        else part
        for part in refund.parts
    )
    _settle_parts(order, refund, parts, stamp)


def _refund_failed(order: Order, event: e.RefundFailed, at: Instant, stamp: Stamp) -> None:
    """Make a refund, or its part of one payment, due again. Without a payment, confirmed parts of a due one stay so."""
    refund = order.refunds[event.refund_id]
    if event.payment_id is not None:
        failed = [part.payment_id == event.payment_id for part in refund.parts]
    elif refund.status == "due":
        failed = [part.left > 0 for part in refund.parts]
    else:
        failed = [part.confirmed > 0 for part in refund.parts]
    parts = tuple(
        replace(part, confirmed=0, failed=True) if is_failed else part
        for part, is_failed in zip(refund.parts, failed, strict=True)
    )
    _settle_parts(order, refund, parts, stamp, "due")


def _other_refund_settled(order: Order, event: e.OtherRefundSettled, at: Instant, stamp: Stamp) -> None:
    refund, left = order.refunds[event.refund_id], event.amount
    parts = []
    for part in refund.parts:
        if event.payment_id in (None, part.payment_id):
            settled = min(left, part.left)
            left -= settled
            waits = part.waiting and part.left > settled
            part = replace(part, elsewhere=part.elsewhere + settled, waiting=waits, failed=False)
        parts.append(part)
    status = "settled_elsewhere" if event.payment_id is None else ""
    _settle_parts(order, refund, tuple(parts), stamp, status)
    key = event.amount, event.refund_id, event.payment_id, ()
    order.other_ids.setdefault(event.other_refund_id, key)
    order.others.append(
        OtherRefund(event.other_refund_id, event.amount, event.refund_id, event.payment_id, (), stamp.recorded_at)
    )


def _refund_withdrawn(order: Order, event: e.RefundWithdrawn, at: Instant, stamp: Stamp) -> None:
    """Withdraw a refund. Its payments hold the money again."""
    refund = order.refunds[event.refund_id]
    for part in refund.parts:
        payment = order.payments.get(part.payment_id)
        if payment is None:
            continue
        if part.kind == "void":
            payment.voiding -= part.left
        else:
            payment.refunding -= part.left
        _still_holds(order, payment)
    parts = tuple(replace(part, waiting=False, failed=False) for part in refund.parts)
    _settle_parts(order, refund, parts, stamp, "withdrawn")


def _chargeback_opened(order: Order, event: e.ChargebackOpened, at: Instant, stamp: Stamp) -> None:
    order.payments[event.payment_id].chargeback = Chargeback(event.amount, event.chargeback_id)


def _chargeback_closed(order: Order, event: e.ChargebackClosed, at: Instant, stamp: Stamp) -> None:
    order.payments[event.payment_id].chargeback = None
    for refund_id in dict.fromkeys(released.refund_id for released in event.released):
        refund = order.refunds[refund_id]
        refund.parts = tuple(
            replace(part, waiting=False) if part.payment_id == event.payment_id else part for part in refund.parts
        )


def _shipped_after_cancel(order: Order, event: e.ShippedAfterCancelFound, at: Instant, stamp: Stamp) -> None:
    """Record canceled units that shipped, and merge them with earlier ones that the customer has not answered yet.

    The customer has to be notified of all of them again. Until then, the deadline to answer the earlier notice runs on.
    """
    lines = {part.line: part.quantity for part in event.lines}
    if event.shipment_id is not None:
        order.shipments[event.shipment_id].is_found = True
    else:
        for number, quantity in lines.items():
            order.lines[number].found_shipped += quantity
    found = order.found
    unhandled: tuple[tuple[str, str], ...] = ((event.carrier, event.tracking_number),)
    if found is None or found.stage not in ("found", "notified"):
        order.found = Found(lines, unhandled)
        return
    notified = found.lines if found.stage == "notified" else found.notified
    lines = {n: found.lines.get(n, 0) + lines.get(n, 0) for n in (*found.lines, *lines)}
    unhandled = tuple(dict.fromkeys((*found.unhandled, *unhandled)))
    order.found = Found(lines, unhandled, found.notice_id, notified=notified)


def _rebill_accepted(order: Order, event: e.RebillAccepted, at: Instant, stamp: Stamp) -> None:
    for part in event.lines:
        order.lines[part.line].accepted += part.quantity


def _customer_notified(order: Order, event: e.CustomerNotified, at: Instant, stamp: Stamp) -> None:
    order.counters["notice"] = order.counters.get("notice", 0) + 1
    order.notices[event.notice_id] = "sent"
    if order.found is not None:
        order.found.notice_id = event.notice_id
        order.found.stage, order.found.unhandled, order.found.notified = "notified", (), {}
    _set_deadlines(order, event.deadlines)


def _found_stage(stage: str) -> Callable[[Order, Any, Instant, Stamp], None]:
    def advance(order: Order, event: object, at: Instant, stamp: Stamp) -> None:
        if order.found is not None:
            order.found.stage = stage

    return advance


def _rebill_due(order: Order, event: e.RebillDue, at: Instant, stamp: Stamp) -> None:
    order.counters["rebill"] = order.counters.get("rebill", 0) + 1
    lines = {x.line: x.quantity for x in event.lines}
    units = units_refunded(order, lines)
    order.rebills[event.rebill_id] = Rebill(event.rebill_id, event.amount, lines, due_at=stamp.recorded_at, units=units)


def _rebilled(order: Order, event: e.Rebilled, at: Instant, stamp: Stamp) -> None:
    rebill = order.rebills[event.rebill_id]
    rebill.status, rebill.failed, rebill.confirmed_at = "confirmed", False, stamp.recorded_at
    order.rebills_confirmed += rebill.amount
    for line, quantity in rebill.lines.items():
        order.lines[line].rebilled += quantity


def _rebill_failed(order: Order, event: e.RebillFailed, at: Instant, stamp: Stamp) -> None:
    order.rebills[event.rebill_id].failed = True


def _credit_memo(order: Order, event: e.CreditMemoIssued, at: Instant, stamp: Stamp) -> None:
    order.rebills[event.rebill_id].memo_id = event.memo_id
    order.ids[event.memo_id] = stamp.fingerprint
    if order.found is not None and order.found.stage == "acknowledged":
        billed = sum(sum(x.lines.values()) for x in order.rebills.values() if x.memo_id is not None)
        if billed >= sum(line.accepted for line in order.lines.values()):
            order.found.stage = "closed"


def _case_opened(order: Order, event: e.CaseOpened, at: Instant, stamp: Stamp) -> None:
    lines = {x.line: x.quantity for x in event.lines}
    order.cases[event.case_id] = Case(event.case_id, event.reason, lines, "open", stamp.recorded_at)
    order.ids[event.case_id] = stamp.fingerprint
    _set_deadlines(order, event.deadlines)


def _evidence_added(order: Order, event: e.EvidenceAdded, at: Instant, stamp: Stamp) -> None:
    order.evidence[event.evidence_id] = e_ = Evidence(event.evidence_id, event.about, event.side, event.kind)
    order.ids[event.evidence_id] = stamp.fingerprint
    case = order.cases.get(e_.about)
    if case is not None and event.side == "buyer":
        case.awaited = tuple(kind for kind in case.awaited if kind != event.kind)
    if case is not None and event.deadlines:
        case.remaining = None
        order.deadlines = {k: d for k, d in order.deadlines.items() if (d.kind, d.ref) != ("evidence", case.case_id)}
    _set_deadlines(order, event.deadlines)


def _evidence_requested(order: Order, event: e.EvidenceRequested, at: Instant, stamp: Stamp) -> None:
    case = order.cases.get(event.about)
    if case is not None:
        case.remaining, case.due_at = event.remaining, None
        case.awaited = tuple(dict.fromkeys((*case.awaited, *event.kinds)))
        order.deadlines = {k: d for k, d in order.deadlines.items() if (d.kind, d.ref) != ("case", case.case_id)}
    _set_deadlines(order, event.deadlines)


def _return_opened(order: Order, event: e.ReturnOpened, at: Instant, stamp: Stamp) -> None:
    order.counters["return"] = order.counters.get("return", 0) + 1
    lines = {x.line: x.quantity for x in event.lines}
    canceled = event.refund == "none"
    back = Return(event.return_id, event.about, event.reason, lines, event.postage, event.refund, canceled)
    back.opened_at = stamp.recorded_at
    order.returns[event.return_id] = back
    if event.undelivered is not None:
        shipment = order.shipments[event.about]
        back.undelivered = event.undelivered
        _on_its_way_back(back, shipment.carrier, shipment.tracking_number)
    request = order.requests.get(event.about)
    if request is not None and request.status == "partly":
        request.status = "approved"
    if not canceled:
        for number, quantity in lines.items():
            order.lines[number].returning += quantity
    is_stalled = request is not None and request.rule == "stalled-tracking"
    if is_stalled or event.undelivered is not None:
        for number, quantity in lines.items():
            order.lines[number].lost += quantity
    back.with_shipping = is_stalled or event.reason in FAULTS
    if event.refund == "at_once":
        _refund_now(order, back)


def _refund_now(order: Order, back: Return) -> None:
    """Credit what is left of a return. Units sent back to the sender carry their shipping on receipt only."""
    if back.refunded or back.canceled:
        return
    back.refunded = True
    for number, quantity in back.left.items():
        line = order.lines[number]
        _credit(order, line, quantity, canceled_at=None, cause="return", shipping=back.with_shipping)


def _return_accepted(order: Order, event: e.ReturnAccepted, at: Instant, stamp: Stamp) -> None:
    back = order.returns[event.return_id]
    back.accepted = True
    back.ship_by = next((d.due_at for d in event.deadlines if d.kind == "return-ship"), None)
    if event.refund_now:
        _refund_now(order, back)
    case = order.cases.get(event.about)
    if case is not None and case.status == "open":
        case.status, case.ended_at = "accepted", stamp.recorded_at
    _set_deadlines(order, event.deadlines)


def _case_decided(order: Order, event: e.CaseDecided, at: Instant, stamp: Stamp) -> None:
    case = order.cases[event.case_id]
    case.status, case.outcome = "decided", event.outcome
    case.rule, case.ended_at = event.rule, stamp.recorded_at


def _return_started(order: Order, event: e.ReturnStarted, at: Instant, stamp: Stamp) -> None:
    _on_its_way_back(order.returns[event.return_id], event.carrier, event.tracking_number)


def _return_received(order: Order, event: e.ReturnReceived, at: Instant, stamp: Stamp) -> None:
    back = order.returns[event.return_id]
    units: dict[int, int] = {}
    for part in event.lines:
        units[part.line] = units.get(part.line, 0) + part.quantity
    back.condition, back.is_awaited = event.condition, False
    if back.status == "closed":
        for number, quantity in (units or dict(back.unseen)).items():
            order.lines[number].returned += 0 if back.canceled else quantity
            back.unseen[number] -= quantity
        if not any(back.unseen.values()):
            back.status, back.ended_at = "received", stamp.recorded_at
        return
    units = units or back.left
    if event.cause == "received":
        for number, quantity in units.items():
            order.lines[number].returned += 0 if back.canceled else quantity
    else:
        back.unseen = dict(units)
    _came_back(order, back, units)
    if not back.left:
        back.status, back.ended_at = "received" if event.cause == "received" else "closed", stamp.recorded_at
        _all_came_back(order, back)


def _came_back(order: Order, back: Return, units: dict[int, int]) -> None:
    """Take units out of a return, refunded: they came back, or it was closed with a refund."""
    for number, quantity in units.items():
        back.received[number] = back.received.get(number, 0) + quantity
    if back.canceled:
        if back.reason is not None:
            _rebilled_came_back(order, units)
        return
    is_sent_back = back.undelivered == "returned_to_sender"
    for number, quantity in units.items():
        line = order.lines[number]
        line.returning -= quantity
        line.came_back += quantity
        if is_sent_back:
            line.sent_back += quantity
        if not back.refunded:
            shipping = back.with_shipping or is_sent_back
            _credit(order, line, quantity, canceled_at=None, cause="return", shipping=shipping)
        elif is_sent_back:
            _credit_shipping(order, line, quantity, cause="return")


def _all_came_back(order: Order, back: Return) -> None:
    """Settle a return of which nothing is left."""
    if not back.canceled:
        back.refunded = True
    elif back.reason is None and order.found is not None and order.found.stage == "declined":
        order.found.stage = "closed"


def _return_withdrawn(order: Order, event: e.ReturnWithdrawn, at: Instant, stamp: Stamp) -> None:
    back = order.returns[event.return_id]
    _free(order, back)
    back.status, back.ended_at = event.cause, stamp.recorded_at


def _free(order: Order, back: Return) -> None:
    """Free what is left of a return. Units on their way back to the sender count as under way to the buyer again."""
    if back.canceled:
        return
    shipment = order.shipments.get(back.about) if back.undelivered is not None else None
    for number, quantity in back.left.items():
        line = order.lines[number]
        line.returning -= quantity
        if shipment is not None and back.undelivered is not None:
            line.lost -= quantity
            shipment.reported[back.undelivered][number] -= quantity
    if shipment is not None and shipment.status_before is not None:
        shipment.status, shipment.status_before = shipment.status_before, None


def _return_closed(order: Order, event: e.ReturnClosed, at: Instant, stamp: Stamp) -> None:
    back = order.returns[event.return_id]
    if event.outcome == "refund":
        back.unseen = back.left
        _came_back(order, back, back.unseen)
        _all_came_back(order, back)
    else:
        _free(order, back)
        if back.canceled:
            _all_came_back(order, back)
    back.status, back.ended_at, back.is_awaited = "closed", stamp.recorded_at, False


def _rebilled_came_back(order: Order, units: dict[int, int]) -> None:
    """Make the amount rebilled for returned units due for refund, once for each unit."""
    for number, quantity in units.items():
        left = quantity
        for rebill in order.rebills.values():
            if rebill.status != "confirmed":
                continue
            billed = rebill.units.get(number)
            if billed is None:
                continue
            line, before = order.lines[number], rebill.back.get(number, 0)
            taken = min(left, billed.units - before)
            amount = billed.amount(line, before + taken) - billed.amount(line, before)
            rebill.back[number] = before + taken
            if rebill.back == rebill.lines:
                amount = rebill.amount - rebill.back_amount
            amount = min(amount, rebill.amount - rebill.back_amount)
            rebill.back_amount += amount
            order.rebill_back += amount
            left -= taken


def _dispute_opened(order: Order, event: e.DisputeOpened, at: Instant, stamp: Stamp) -> None:
    lines = _lines_of_dispute(order, event.about)
    evidence_until = next((d.due_at for d in event.deadlines if d.kind == "evidence"), None)
    order.disputes[event.dispute_id] = Dispute(
        event.dispute_id, event.about, event.by, "open", stamp.recorded_at, lines, evidence_until
    )
    order.ids[event.dispute_id] = stamp.fingerprint
    _set_deadlines(order, event.deadlines)


def _lines_of_dispute(order: Order, about: str) -> dict[int, int]:
    """The units that a dispute is about: the request's quantities, or all units if it is about a message."""
    request = order.requests.get(about)
    return dict(request.requested) if request is not None else {n: x.ordered for n, x in order.lines.items()}


def _dispute_escalated(order: Order, event: e.DisputeEscalated, at: Instant, stamp: Stamp) -> None:
    order.disputes[event.dispute_id].ticket = event.ticket


def _dispute_dismissed(order: Order, event: e.DisputeDismissed, at: Instant, stamp: Stamp) -> None:
    """Record a dispute that was opened too late. A late appeal changes nothing."""
    if event.dispute_id not in order.disputes:
        order.dismissed[event.dispute_id] = Dispute(
            event.dispute_id,
            event.about,
            stamp.actor_kind,
            "dismissed",
            stamp.recorded_at,
            _lines_of_dispute(order, event.about),
            rule=event.verdict.rule,
        )


def _dispute_decided(order: Order, event: e.DisputeDecided, at: Instant, stamp: Stamp) -> None:
    dispute = order.disputes[event.dispute_id]
    dispute.status = {"grant": "granted", "deny": "denied", "return": "returned"}[event.outcome]
    dispute.decisions += 1
    dispute.rule, dispute.decided_at = event.rule, stamp.recorded_at
    dispute.appeal_until = next((d.due_at for d in event.deadlines if d.kind == "appeal"), None)
    _set_deadlines(order, event.deadlines)
    request = order.requests.get(dispute.about)
    if request is not None and event.outcome == "grant":
        request.status = "approved"
        if request.decided_at is None:
            request.decided_at = stamp.recorded_at


def _dispute_appealed(order: Order, event: e.DisputeAppealed, at: Instant, stamp: Stamp) -> None:
    dispute = order.disputes[event.dispute_id]
    dispute.status, dispute.appealed = "open", True


def _not_acknowledged(found: Found) -> None:
    """Close the units of the notice that the customer did not answer. Units found later go through their own steps."""
    if found.stage == "notified":
        found.stage = "silent"
    elif found.notified:
        left = {n: quantity - found.notified.get(n, 0) for n, quantity in found.lines.items()}
        found.lines = {n: quantity for n, quantity in left.items() if quantity}
        found.notice_id, found.notified = None, {}


def _deadline_reached(order: Order, event: e.DeadlineReached, at: Instant, stamp: Stamp) -> None:
    order.deadlines.pop(event.deadline_id, None)
    if event.kind == "acknowledge" and order.found is not None:
        _not_acknowledged(order.found)
    if event.kind == "evidence" and event.ref in order.cases:
        order.cases[event.ref].remaining, order.cases[event.ref].awaited = None, ()
    _set_deadlines(order, event.deadlines)


def _notice(status: str) -> Callable[[Order, Any, Instant, Stamp], None]:
    def mark(order: Order, event: Any, at: Instant, stamp: Stamp) -> None:
        order.notices[event.notice_id] = status

    return mark


def _subject_erased(order: Order, event: e.SubjectErased, at: Instant, stamp: Stamp) -> None:
    order.erased = True


def _hold_placed(order: Order, event: e.LegalHoldPlaced, at: Instant, stamp: Stamp) -> None:
    order.holds[event.hold_id] = stamp.fingerprint
    order.ids[event.hold_id] = stamp.fingerprint


def _hold_released(order: Order, event: e.LegalHoldReleased, at: Instant, stamp: Stamp) -> None:
    order.holds.pop(event.hold_id, None)


def _nothing(order: Order, event: object, at: Instant, stamp: Stamp) -> None:
    """Change nothing: the event matters to readers only."""


_APPLY: Final[dict[type, Callable[[Order, Any, Instant, Stamp], None]]] = {
    e.OrderPlaced: _order_placed,
    e.PaymentReceived: _payment_received,
    e.PaymentCaptured: _payment_captured,
    e.PaymentReleased: _payment_released,
    e.OtherRefundRecorded: _other_refund,
    e.MessageSent: _message_sent,
    e.ContactRecorded: _contact_recorded,
    e.CancelRequested: _cancel_requested,
    e.AlternativeOffered: _alternative_offered,
    e.AlternativeTaken: _alternative_taken,
    e.AlternativesDeclined: _alternatives_declined,
    e.CancelRefused: _cancel_refused,
    e.CancelApproved: _cancel_approved,
    e.CancelDeclined: _cancel_declined,
    e.CancelWithdrawn: _cancel_withdrawn,
    e.LinesCanceled: _lines_canceled,
    e.AutoCanceled: _auto_canceled,
    e.FulfilmentStarted: _fulfilment_started,
    e.TrackingStarted: _tracking_started,
    e.TrackingMoved: _tracking_moved,
    e.LineShipped: _shipped,
    e.LinePartiallyShipped: _shipped,
    e.ShipmentRefused: _nothing,
    e.ShipmentVoided: _shipment_voided,
    e.ShipByRevised: _ship_by_revised,
    e.Delivered: _delivered,
    e.ParcelUndelivered: _undelivered,
    e.RefundDue: _refund_due,
    e.RefundConfirmed: _refund_confirmed,
    e.RefundFailed: _refund_failed,
    e.OtherRefundSettled: _other_refund_settled,
    e.RefundWithdrawn: _refund_withdrawn,
    e.ChargebackOpened: _chargeback_opened,
    e.ChargebackClosed: _chargeback_closed,
    e.ShippedAfterCancelFound: _shipped_after_cancel,
    e.CustomerNotified: _customer_notified,
    e.CustomerAcknowledged: _found_stage("acknowledged"),
    e.CustomerDeclined: _found_stage("declined"),
    e.RebillAccepted: _rebill_accepted,
    e.RebillDue: _rebill_due,
    e.Rebilled: _rebilled,
    e.RebillFailed: _rebill_failed,
    e.CreditMemoIssued: _credit_memo,
    e.CommandRefused: _nothing,
    e.CaseOpened: _case_opened,
    e.EvidenceAdded: _evidence_added,
    e.EvidenceRequested: _evidence_requested,
    e.ReturnOpened: _return_opened,
    e.ReturnAccepted: _return_accepted,
    e.CaseDecided: _case_decided,
    e.ReturnStarted: _return_started,
    e.ReturnReceived: _return_received,
    e.ReturnWithdrawn: _return_withdrawn,
    e.ReturnClosed: _return_closed,
    e.DisputeOpened: _dispute_opened,
    e.DisputeEscalated: _dispute_escalated,
    e.DisputeDecided: _dispute_decided,
    e.DisputeDismissed: _dispute_dismissed,
    e.DisputeAppealed: _dispute_appealed,
    e.DeadlineReached: _deadline_reached,
    e.ConfirmationDelivered: _notice("delivered"),
    e.NoticeFailed: _notice("failed"),
    e.SubjectErased: _subject_erased,
    e.LegalHoldPlaced: _hold_placed,
    e.LegalHoldReleased: _hold_released,
    e.JournalCreated: _nothing,
    e.PolicyPublished: _nothing,
    e.ImportOpened: _nothing,
    e.ImportClosed: _nothing,
}
