"""One sentence per event, for the timeline that people read. What is not worded here shows its fields."""

from collections.abc import Callable
from typing import Any, Final

from domain.wording import counted
from infra.cli.printing import money, when

Data = dict[str, Any]
Money = Callable[[int], str]


def sentence(event: str, data: Data | None, currency: str) -> str:
    """What happened, in one line."""
    if data is None:
        return "written by a newer release; this one cannot read it"

    def amount(minor: int) -> str:
        return f"{money(minor, currency)} {currency}"

    made = _SENTENCES.get(event)
    return made(data, amount) if made is not None else _fields(data)


def lines(parts: list[Data]) -> str:
    """``line 1 (3), line 2``; a line without a quantity was named as a whole, and refused."""
    return ", ".join(f"line {each['line']}" + f" ({each['quantity']})" * bool(each["quantity"]) for each in parts) or (
        "no lines"
    )


def _fields(data: Data) -> str:
    shown = {k: v for k, v in data.items() if v not in (None, [], ()) and not isinstance(v, dict | list)}
    return ", ".join(f"{name} {value}" for name, value in shown.items())


def _because(data: Data) -> str:
    verdict = data["verdict"]
    return f"refused by {verdict['rule']}: {verdict['because']}"


def _placed(d: Data, amount: Money) -> str:
    units = sum(line["quantity"] for line in d["lines"])
    policy = f"{d['policy']['id']}@{d['policy']['version']}"
    return (
        f"{counted(units, 'unit')} on {counted(len(d['lines']), 'line')}, {amount(d['total'])}, buyer {d['buyer_id']}, "
        f"seller {d['seller_id']}, policy {policy}"
    )


def _requested(d: Data, amount: Money) -> str:
    verdict = d["verdict"]
    asks = f"{d['request_id']} by {d['by']}: {lines(d['lines'])}" + (f", {d['reason']}" if d["reason"] else "")
    return f"{asks}; {verdict['outcome'].replace('_', ' ')} by {verdict['rule']}"


def _canceled(d: Data, amount: Money) -> str:
    causes = sorted({part["cause"] for part in d["lines"]})
    reasons = sorted({part["reason"] for part in d["lines"] if part["reason"]})
    return f"{lines(d['lines'])}, cause {', '.join(causes)}" + (f", reason {', '.join(reasons)}" if reasons else "")


def _shipped(d: Data, amount: Money) -> str:
    parcel = f" with {d['carrier']} {d['tracking_number']}" if d["tracking_number"] else ""
    return f"line {d['line']} ({d['quantity']}) by notice {d['shipment_id']}{parcel}"


def _tracked(d: Data, amount: Money) -> str:
    return f"{d['carrier']} {d['tracking_number']}: {lines(d['lines'])}"


_SENTENCES: Final[dict[str, Callable[[Data, Money], str]]] = {
    "OrderPlaced": _placed,
    "PaymentReceived": lambda d, amount: amount(d["amount"]),
    "OtherRefundRecorded": lambda d, amount: f"{amount(d['amount'])} given back outside a cancellation",
    "MessageSent": lambda d, amount: f"{d['message_id']} to {d['to']}" + (f" about {d['about']}" if d["about"] else ""),
    "CancelRequested": _requested,
    "AlternativeOffered": lambda d, amount: f"{', '.join(d['offers'])} instead of {d['request_id']}",
    "CancelRefused": lambda d, amount: f"{d['request_id']}: {_because(d)}",
    "CommandRefused": lambda d, amount: f"{d['command']}: {_because(d)}",
    "ShipmentRefused": lambda d, amount: f"{d['shipment_id']}: {_because(d)}",
    "DisputeDismissed": lambda d, amount: f"{d['dispute_id']}: {_because(d)}",
    "CancelApproved": lambda d, amount: f"{d['request_id']}, {d['cause']}" + (f" ({d['rule']})" if d["rule"] else ""),
    "CancelDeclined": lambda d, amount: f"{d['request_id']}, {d['cause']}: now {d['status']}",
    "LinesCanceled": _canceled,
    "AutoCanceled": lambda d, amount: (
        f"line {d['line']} ({d['quantity']}): notice {d['shipment_id']} did not fill it (fill-or-kill)"
    ),
    "FulfilmentStarted": lambda d, amount: f"{d['stage']}: {lines(d['lines'])}",
    "TrackingStarted": _tracked,
    "TrackingMoved": _tracked,
    "LineShipped": _shipped,
    "LinePartiallyShipped": _shipped,
    "ShipByRevised": lambda d, amount: f"{'proposed: ' if d['proposed'] else ''}{when(d['ship_by'])}",
    "Delivered": lambda d, amount: f"{', '.join(d['shipments']) or d['return_id']}: {lines(d['lines'])}",
    "RefundDue": lambda d, amount: f"{d['refund_id']}: {amount(d['amount'])} for {lines(d['lines'])}",
    "ShippedAfterCancelFound": lambda d, amount: f"{lines(d['lines'])} left with {d['carrier']} {d['tracking_number']}",
    "RebillDue": lambda d, amount: f"{d['rebill_id']}: {amount(d['amount'])} for {lines(d['lines'])}",
    "CreditMemoIssued": lambda d, amount: f"{d['memo_id']}: {amount(d['amount'])} for {d['rebill_id']}",
    "CaseOpened": lambda d, amount: f"{d['case_id']}: {d['reason']}, {lines(d['lines'])}",
    "EvidenceRequested": lambda d, amount: f"{', '.join(d['kinds'])} about {d['about']} until {when(d['until'])}",
    "ReturnOpened": lambda d, amount: f"{d['return_id']}: {lines(d['lines'])}, refund {d['refund']}",
    "DeadlineReached": lambda d, amount: f"{d['kind']} of {d['ref']}, due {when(d['due_at'])}",
}
