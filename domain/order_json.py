"""The public view of an order: status, attention, and the JSON of ``order show``.

See docs/reference/orders.md.
"""

from typing import Any

from domain.deadlines import live, number
from domain.events import PlacedFee
from domain.instants import Instant, format_instant
from domain.order import Line, Order, Part, Payment, Refund, Request, Return, Shipment


def status(order: Order) -> str:
    """Return the status: the first that applies, in the order of docs/reference/orders.md, Status."""
    open_units = order.open_units
    shipped = order.shipped_units
    if not open_units and not shipped:
        return "canceled"
    if any(order.open_requests()):
        return "cancel_requested"
    if not open_units:
        if order.all_shipped_is_lost:
            return "undelivered"
        return "delivered" if order.all_shipped_is_delivered else "shipped"
    if shipped:
        return "partly_shipped"
    if any(line.canceled for line in order.lines.values()):
        return "partly_canceled"
    return "unpaid" if order.is_unpaid else "open"


def attention(order: Order, at: Instant) -> list[str]:
    """Return what needs attention as of an instant: shipped_after_cancel, case_open, dispute_open, …"""
    needs = []
    if order.found is not None and order.found.stage not in ("closed", "silent"):
        needs.append("shipped_after_cancel")
    if any(case.status == "open" for case in order.cases.values()):
        needs.append("case_open")
    if any(dispute.status == "open" for dispute in order.disputes.values()):
        needs.append("dispute_open")
    if any(back.status == "open" for back in order.returns.values()):
        needs.append("return_open")
    late_to_ship = order.ship_by is not None and order.ship_by < at and order.open_units > 0
    if late_to_ship or any(x.status == "open" and x.due_at is not None and x.due_at < at for x in order.cases.values()):
        needs.append("late")
    if any(refund.failed for refund in order.refunds.values()):
        needs.append("refund_failed")
    if any(payment.chargeback is not None for payment in order.payments.values()):
        needs.append("chargeback_open")
    if order.kept < 0:
        needs.append("paid_twice")
    return needs


def money(order: Order) -> dict[str, int]:
    """Return minor units: paid + rebills confirmed = kept + refunded + due + other refunds (``money-adds-up``)."""
    return {
        "total_minor": order.terms.total,
        "paid_minor": order.paid,
        "refund_due_minor": order.refunds_due,
        "refunded_minor": order.refunds_confirmed,
        "other_refunds_minor": order.other_refunds_in_all,
        "kept_minor": order.kept,
    }


def shown_part(part: Part) -> dict[str, Any]:
    """Return a part of a refund, as orders and tables show it."""
    return {
        "payment_id": part.payment_id,
        "method": part.method,
        "amount_minor": part.amount,
        "kind": part.kind,
        "waiting": part.waiting,
    }


def _refund(refund: Refund) -> dict[str, Any]:
    return {
        "refund_id": refund.refund_id,
        "amount_minor": refund.amount,
        "status": refund.status,
        "failed": refund.failed,
        "waiting": refund.waiting,
        "parts": [shown_part(part) for part in refund.parts],
        "causes": [{"cause": each.cause, "amount_minor": each.amount} for each in refund.causes],
    }


def _quantities(lines: dict[int, int]) -> list[dict[str, int]]:
    return [{"line": line, "quantity": quantity} for line, quantity in lines.items()]


def _request(request: Request) -> dict[str, Any]:
    return {
        "request_id": request.request_id,
        "by": request.by,
        "reason": request.reason,
        "lines": _quantities(request.requested),
        "status": request.status,
        "asked_at": format_instant(request.requested_at),
        "decide_by": None if request.decide_by is None else format_instant(request.decide_by),
        "rule": request.rule,
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "line": line.number,
        "sku": line.sku,
        "title": line.title,
        "ordered": line.ordered,
        "open": line.open,
        "shipped": line.shipped,
        "canceled": line.canceled,
        "auto_canceled": line.auto_canceled,
        "returned": line.returned,
        "rebilled": line.rebilled,
        "undelivered": line.undelivered,
    }


def _fee(fee: PlacedFee) -> dict[str, Any]:
    return {
        "fee_id": fee.fee_id,
        "title": fee.title,
        "amount_minor": fee.amount,
        "tax_minor": fee.tax,
        "refundable": fee.refundable,
    }


def _payment(payment: Payment) -> dict[str, Any]:
    return {
        "payment_id": payment.payment_id,
        "method": payment.method,
        "authorized_minor": payment.authorized,
        "captured_minor": payment.captured,
        "refunded_minor": payment.refunded,
    }


def _shipment(shipment: Shipment) -> dict[str, Any]:
    return {
        "shipment_id": shipment.shipment_id,
        "carrier": shipment.carrier,
        "tracking_number": shipment.tracking_number,
        "status": shipment.status,
        "lines": _quantities(shipment.lines),
        "occurred_at": format_instant(shipment.occurred_at),
    }


def _return(back: Return) -> dict[str, Any]:
    return {
        "return_id": back.return_id,
        "about": back.about,
        "reason": back.reason,
        "status": back.shown_status,
        "lines": _quantities(back.lines),
        "received": _quantities(back.received),
        "ship_by": None if back.ship_by is None else format_instant(back.ship_by),
    }


def show(order: Order, head: bytes | None, at: Instant, *, unreadable: bool = False) -> dict[str, Any]:
    """Return the JSON of ``order show`` as of the instant ``at``. ``head`` is the hash of the last commit."""
    terms = order.terms
    return {
        "marketplace": order.marketplace,
        "order_id": order.order_id,
        "po_number": terms.po_number,
        "checkout_id": terms.checkout_id,
        "seller_id": terms.seller_id,
        "buyer_id": terms.buyer_id,
        "currency": terms.currency,
        "status": status(order),
        "attention": [*attention(order, at), *(["stuck"] if unreadable else [])],
        "version": order.version,
        "policy": {"id": terms.policy.id, "version": terms.policy.version, "sha256": terms.policy.sha256.hex()},
        "placed_at": format_instant(order.placed_at),
        "ship_by": None if order.ship_by is None else format_instant(order.ship_by),
        "lines": [_line(line) for line in order.lines.values()],
        "money": money(order),
        "requests": [_request(request) for request in order.requests.values()],
        "fees": [_fee(fee) for fee in terms.fees],
        "payments": [_payment(payment) for payment in order.payments.values()],
        "refunds": [_refund(refund) for refund in order.refunds.values()],
        "shipments": [_shipment(shipment) for shipment in order.shipments.values()],
        "returns": [_return(back) for back in order.returns.values()],
        "deadlines": [
            {"deadline_id": d.deadline_id, "kind": d.kind, "due_at": format_instant(d.due_at), "ref": d.ref}
            for d in sorted(live(order), key=lambda d: (d.due_at, d.kind, number(d)))
        ],
        "head": None if head is None else head.hex(),
        "at": format_instant(at),
    }
