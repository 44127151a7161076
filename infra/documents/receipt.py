"""The receipt of an order (rule ``both-told``): which cancellations went through, or that none had as of an instant.

Made of the order and its history alone, so that it can be fetched at any time and is the same for everybody; what
became of the confirmations is the book's, and stands beside it.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from consumers.ports.notifications import Notification
from domain.instants import Instant, format_instant
from domain.notification_rules import CONFIRMATIONS
from domain.order import Order
from domain.order_json import money, status
from domain.references import reference_of

CANCELING: Final = ("LinesCanceled", "AutoCanceled")
ReceiptJson = Mapping[str, Any]


def receipt_of(
    order: Order, head: bytes, history: Iterable[ReceiptJson], as_of: Instant, notices: Sequence[Notification]
) -> dict[str, Any]:
    """The receipt as JSON. ``history``: the events recorded up to ``as_of``, as ``order history`` tells them."""
    terms = order.terms
    refunds = {refund.refund_id: refund for refund in order.refunds.values()}
    found = []
    for commit, entries in groupby(history, key=lambda told: told["commit"]):
        events = list(entries)
        lines = [line for told in events for line in _lines(told, order)]
        if not lines:
            continue
        due = next((told["data"] for told in events if told["event"] == "RefundDue"), None)
        refund = None if due is None else refunds.get(due["refund_id"])
        versions = {told["version"] for told in events}
        found.append(
            {
                "reference": reference_of(bytes.fromhex(commit)),
                "canceled_at": events[0]["recorded_at"],
                "by": events[0]["actor"],
                "lines": lines,
                "refund": None
                if refund is None
                else {
                    "refund_id": refund.refund_id,
                    "amount_minor": refund.amount,
                    "status": refund.status,
                    "failed": refund.failed,
                },
                "commit": commit,
                "version": events[-1]["version"],
                "told": [_told(notice) for notice in notices if notice.version in versions and _confirms(notice)],
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
        "money": money(order),
        "version": order.version,
        "head": head.hex(),
    }


def _lines(told: ReceiptJson, order: Order) -> Iterable[dict[str, Any]]:
    """What an event cancels."""
    data = told["data"]
    if told["event"] not in CANCELING or data is None:
        return
    for part in data["lines"] if told["event"] == "LinesCanceled" else [data]:
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


def _told(notice: Notification) -> dict[str, Any]:
    """How the confirmation to one side has come along; no address."""

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
