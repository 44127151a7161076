"""The receipt of an order (rule ``both-told``): its cancellations, or that there were none as of an instant.

It is built from the order and its history alone, so it is the same at any time and for everybody. Only the delivery
states of the confirmations come from the delivery store.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from consumers.ports.notifications import Notification
from domain.instants import Instant, format_instant
from domain.notification_rules import CONFIRMATIONS
from domain.order import Order, Refund
from domain.order_json import money, status
from domain.references import reference_of

CANCELING: Final = ("LinesCanceled", "AutoCanceled")
EventJson = Mapping[str, Any]


def receipt_of(
    order: Order, head: bytes, history: Iterable[EventJson], as_of: Instant, notices: Sequence[Notification]
) -> dict[str, Any]:
    """Build the receipt as JSON. ``history``: the events recorded up to ``as_of``, as JSON (docs/reference/http.md)."""
    terms = order.terms
    refunds = {refund.refund_id: refund for refund in order.refunds.values()}
    found = []
    for commit, entries in groupby(history, key=lambda event: event["commit"]):
        events = list(entries)
        lines = [line for event in events for line in _lines(event, order)]
        if not lines:
            continue
        due = next((event["data"] for event in events if event["event"] == "RefundDue"), None)
        refund = None if due is None else refunds.get(due["refund_id"])
        versions = {event["version"] for event in events}
        found.append(
            {
                "reference": reference_of(bytes.fromhex(commit)),
                "canceled_at": events[0]["recorded_at"],
                "by": events[0]["actor"],
                "lines": lines,
                "refund": None if refund is None else _refund(refund),
                "commit": commit,
                "version": events[-1]["version"],
                "told": [_delivery(notice) for notice in notices if notice.version in versions and _confirms(notice)],
            }
        )
    ordered = sum(line.ordered for line in order.lines.values())
    canceled = sum(line.canceled for line in order.lines.values())
    return {
        "marketplace": order.marketplace,
        "order_id": order.order_id,
        "po_number": terms.po_number,
        "buyer_id": terms.buyer_id,
        "seller_id": terms.seller_id,
        "currency": terms.currency,
        "as_of": format_instant(as_of),
        "timezone": terms.calendar.timezone,
        "canceled": "not" if not canceled else "partly" if canceled < ordered else "whole",
        "status": status(order),
        "ordered": ordered,
        "canceled_units": canceled,
        "policy": {"id": terms.policy.id, "version": terms.policy.version, "sha256": terms.policy.sha256.hex()},
        "cancellations": found,
        "other_refunds": [
            {
                "other_refund_id": other.other_refund_id,
                "amount_minor": other.amount,
                "refund_id": other.refund_id,
                "at": format_instant(other.recorded_at),
            }
            for other in order.others
        ],
        "money": money(order),
        "version": order.version,
        "head": head.hex(),
    }


def _refund(refund: Refund) -> dict[str, Any]:
    """Return the refund of a cancellation. Its last six amounts add up to its amount."""
    due = [part for part in refund.parts if refund.status == "due"]
    waiting = sum(part.left for part in due if part.waiting)
    failed = sum(part.left for part in due if part.failed and not part.waiting)
    return {
        "refund_id": refund.refund_id,
        "amount_minor": refund.amount,
        "status": refund.status,
        "failed": refund.failed,
        "waiting": refund.waiting,
        "on_its_way_minor": sum(part.left for part in due) - failed - waiting,
        "failed_minor": failed,
        "waiting_minor": waiting,
        "refunded_minor": sum(part.confirmed for part in refund.parts),
        "settled_elsewhere_minor": refund.elsewhere,
        "withdrawn_minor": sum(part.left for part in refund.parts) if refund.status == "withdrawn" else 0,
    }


def _lines(event: EventJson, order: Order) -> Iterable[dict[str, Any]]:
    """Yield the lines that an event cancels."""
    data = event["data"]
    if event["event"] not in CANCELING or data is None:
        return
    for part in data["lines"] if event["event"] == "LinesCanceled" else [data]:
        line = order.lines[part["line"]]
        yield {
            "line": line.number,
            "sku": line.sku,
            "title": line.title,
            "quantity": part["quantity"],
            "cause": part.get("cause", "fill_or_kill"),
            "reason": part.get("reason"),
            "request_id": part.get("request_id"),
        }


def _confirms(notice: Notification) -> bool:
    return notice.template in CONFIRMATIONS


def _delivery(notice: Notification) -> dict[str, Any]:
    """Return the delivery state of the confirmation to one side, without the address."""

    def at(instant: Instant | None) -> str | None:
        return None if instant is None else format_instant(instant)

    return {
        "notice_id": notice.notice_id,
        "audience": notice.audience,
        "state": notice.state,
        "handed_over_at": at(notice.handed_at),
        "delivered_at": at(notice.delivered_at),
        "failed_at": at(notice.failed_at),
        "first_seen_at": at(notice.seen_at),
    }
