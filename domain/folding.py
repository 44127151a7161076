"""The fold: how each event changes an order. No other module changes an order's state.

``apply`` does not judge events, raises on no event that was decided for this order, and reads no clock.
"""

from collections.abc import Callable
from typing import Any, Final

from domain import events as e
from domain.instants import Instant
from domain.notification_rules import MARKS
from domain.order import (
    Case,
    Credit,
    Dispute,
    Evidence,
    Found,
    Line,
    Order,
    Parcel,
    Rebill,
    Refund,
    Request,
    Return,
    Shipment,
    Stamp,
)
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


def _credit(order: Order, line: Line, units: int, canceled_at: Instant | None) -> None:
    """Add the value of ``units`` of a line to the credited value V."""
    before = line.credit(line.credited)
    line.credited += units
    value = line.credit(line.credited) - before
    order.value_credited += value
    order.credits.append(Credit(line.number, units, value, canceled_at))


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
        x.line: Line(x.line, x.sku, x.title, x.quantity, x.goods, x.refundable_tax, x.listing, x.quantity)
        for x in event.lines
    }
    order.open_units = sum(line.ordered for line in order.lines.values())
    _set_deadlines(order, event.deadlines)


def _payment_received(order: Order, event: e.PaymentReceived, at: Instant, stamp: Stamp) -> None:
    if order.version == 1:
        order.paid_at_placing = True
    order.paid += event.amount


def _other_refund(order: Order, event: e.OtherRefundRecorded, at: Instant, stamp: Stamp) -> None:
    order.other_refunds += event.amount


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
        _credit(order, line, part.quantity, stamp.recorded_at)
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
    _credit(order, line, event.quantity, stamp.recorded_at)
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
        if s.status in ("announced", "tracking", "delivered")
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
        order.returns[event.return_id].delivered_at = at
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


def _refund_due(order: Order, event: e.RefundDue, at: Instant, stamp: Stamp) -> None:
    order.counters["refund"] = order.counters.get("refund", 0) + 1
    order.refunds[event.refund_id] = Refund(event.refund_id, event.amount, "due", False, stamp.recorded_at)
    order.refunds_instructed += event.amount


def _refund_confirmed(order: Order, event: e.RefundConfirmed, at: Instant, stamp: Stamp) -> None:
    refund = order.refunds[event.refund_id]
    refund.status, refund.failed, refund.confirmed_at = "confirmed", False, stamp.recorded_at
    order.refunds_confirmed += refund.amount


def _refund_failed(order: Order, event: e.RefundFailed, at: Instant, stamp: Stamp) -> None:
    order.refunds[event.refund_id].failed = True


def _shipped_after_cancel(order: Order, event: e.ShippedAfterCancelFound, at: Instant, stamp: Stamp) -> None:
    """Record canceled units that shipped, and merge them with earlier ones that the customer has not answered yet.

    The customer has to be notified of all of them again. Until then, the deadline to answer the earlier notice runs on.
    """
    lines = {part.line: part.quantity for part in event.lines}
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
    request = order.requests.get(event.about)
    if request is not None and request.status == "partly":
        request.status = "approved"
    if not canceled:
        for number, quantity in lines.items():
            order.lines[number].returning += quantity
    if request is not None and request.rule == "stalled-tracking":
        for number, quantity in lines.items():
            order.lines[number].lost += quantity
    if event.refund == "at_once":
        _refund_now(order, back)


def _refund_now(order: Order, back: Return) -> None:
    if back.refunded or back.canceled:
        return
    back.refunded = True
    for number, quantity in back.lines.items():
        _credit(order, order.lines[number], quantity, None)


def _return_accepted(order: Order, event: e.ReturnAccepted, at: Instant, stamp: Stamp) -> None:
    back = order.returns[event.return_id]
    back.accepted = True
    if event.refund_now:
        _refund_now(order, back)
    case = order.cases.get(event.about)
    if case is not None and case.status == "open":
        case.status, case.ended_at = "accepted", stamp.recorded_at


def _case_decided(order: Order, event: e.CaseDecided, at: Instant, stamp: Stamp) -> None:
    case = order.cases[event.case_id]
    case.status, case.outcome = "decided", event.outcome
    case.rule, case.ended_at = event.rule, stamp.recorded_at


def _return_started(order: Order, event: e.ReturnStarted, at: Instant, stamp: Stamp) -> None:
    _on_its_way_back(order.returns[event.return_id], event.carrier, event.tracking_number)


def _return_received(order: Order, event: e.ReturnReceived, at: Instant, stamp: Stamp) -> None:
    back = order.returns[event.return_id]
    refunded_unseen = back.status == "closed"
    back.status = "received" if event.cause == "received" else "closed"
    back.condition, back.ended_at = event.condition, stamp.recorded_at
    if refunded_unseen:
        for number, quantity in back.lines.items():
            order.lines[number].returned += 0 if back.canceled else quantity
        return
    if back.canceled:
        if order.found is not None and order.found.stage == "declined":
            order.found.stage = "closed"
        if back.refund == "none" and back.reason is not None:
            _rebilled_came_back(order, back)
        return
    for number, quantity in back.lines.items():
        line = order.lines[number]
        line.returning -= quantity
        line.came_back += quantity
        if event.cause == "received":
            line.returned += quantity
    _refund_now(order, back)


def _rebilled_came_back(order: Order, back: Return) -> None:
    """Make the amount rebilled for returned units due for refund, once for each unit."""
    for number, quantity in back.lines.items():
        left = quantity
        for rebill in order.rebills.values():
            if rebill.status != "confirmed":
                continue
            billed = rebill.units.get(number)
            if billed is None:
                continue
            line, before = order.lines[number], rebill.back.get(number, 0)
            taken = min(left, billed.units - before)
            order.rebill_back += billed.amount(line, before + taken) - billed.amount(line, before)
            rebill.back[number] = before + taken
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
    e.RefundDue: _refund_due,
    e.RefundConfirmed: _refund_confirmed,
    e.RefundFailed: _refund_failed,
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
