"""Two comparable pictures of an order, of the model and of the domain. Differences are mistakes."""

from typing import Any

from domain.instants import parse_instant
from domain.order import Order
from domain.order_json import show
from tests.spec.model.model import Model


def of_model(model: Model, at: int) -> dict[str, Any]:
    """The required state, from the model."""
    due = sum(amount for amount, status, _ in model.refunds.values() if status == "due")
    confirmed = sum(amount for amount, status, _ in model.refunds.values() if status == "confirmed")
    rebilled = sum(bill.amount for bill in model.bills.values() if bill.status == "confirmed")
    return {
        "status": model.status,
        "attention": _attention(model, at),
        "lines": {
            number: (x.open, x.shipped, x.canceled, x.killed, x.returned, x.rebilled)
            for number, x in model.lines.items()
        },
        "money": {
            "total_minor": model.total,
            "paid_minor": model.paid,
            "refund_due_minor": due,
            "refunded_minor": confirmed,
            "kept_minor": model.paid - due - confirmed - model.other + rebilled,
        },
        "requests": {
            name: (
                x.status,
                *((x.by, x.asked, x.decide_by) if x.status != "refused" else ()),
                *((x.rule, x.reason) if x.status == "open" else ()),
            )
            for name, x in model.requests.items()
        },
        "refunds": {name: (amount, status) for name, (amount, status, _) in model.refunds.items()},
        "shipments": {name: (x.status, x.lines) for name, x in model.notices.items()},
        "deadlines": [(x.name, x.at, x.ref) for x in model.live()],
        "returns": {name: (x.status, x.about, x.lines, x.pays) for name, x in model.returns.items()},
        "cases": {name: (x.status, x.lines) for name, x in model.cases.items()},
        "disputes": {name: x.status for name, x in model.disputes.items()},
        "rebills": {name: (x.amount, x.status, x.memo) for name, x in model.bills.items()},
    }


def _attention(model: Model, at: int) -> set[str]:
    late = model.ship_by is not None and model.ship_by < at and model.open_units > 0
    late |= any(x.status == "open" and x.due is not None and x.due < at for x in model.cases.values())
    states = {
        "shipped_after_cancel": model.astray is not None and model.astray.stage not in ("closed", "silent"),
        "case_open": any(x.status == "open" for x in model.cases.values()),
        "dispute_open": any(x.status == "open" for x in model.disputes.values()),
        "return_open": any(x.status == "open" for x in model.returns.values()),
        "late": late,
        "refund_failed": any(failed for _, _, failed in model.refunds.values()),
    }
    return {name for name, holds in states.items() if holds}


def of_order(order: Order) -> dict[str, Any]:
    """The domain's state: the output of ``order show``, completed from the order itself."""
    shown = show(order, None, order.recorded_at)
    waiting = {name: None if x.decide_by is None else x.decide_by for name, x in order.requests.items()}
    decided = {"grant": "granted", "deny": "denied", "return": "returned"}
    return {
        "status": shown["status"],
        "attention": set(shown["attention"]),
        "lines": {
            x["line"]: (x["open"], x["shipped"], x["canceled"], x["auto_canceled"], x["returned"], x["rebilled"])
            for x in shown["lines"]
        },
        "money": shown["money"],
        "requests": {
            x["request_id"]: (
                x["status"],
                *((x["by"], _units(x["lines"]), waiting[x["request_id"]]) if x["status"] != "refused" else ()),
                *((x["rule"], x["reason"]) if x["status"] == "open" else ()),
            )
            for x in shown["requests"]
        },
        "refunds": {x["refund_id"]: (x["amount_minor"], x["status"]) for x in shown["refunds"]},
        "shipments": {x["shipment_id"]: (x["status"], _units(x["lines"])) for x in shown["shipments"]},
        "deadlines": [(x["deadline_id"], parse_instant(x["due_at"]), x["ref"]) for x in shown["deadlines"]],
        "returns": {name: (x.status, x.about, x.lines, x.postage) for name, x in order.returns.items()},
        "cases": {name: (x.status, x.lines) for name, x in order.cases.items()},
        "disputes": {
            name: next((states for states, status in decided.items() if status == x.status), x.status)
            for name, x in order.disputes.items()
        },
        "rebills": {name: (x.amount, x.status, x.memo_id) for name, x in order.rebills.items()},
    }


def _units(rows: list[dict[str, int]]) -> dict[int, int]:
    return {row["line"]: row["quantity"] for row in rows}
