"""The same picture of an order twice: as the model has it, and as the domain shows it. Differences are mistakes.

Where the contract leaves room a part of the picture is a set of what it allows.
"""

from typing import Any, Final

from domain.instants import parse_instant
from domain.order import Order
from domain.order_json import show
from tests.spec.model.model import Model
from tests.spec.model.records import Notice, Part, Refund, Return


class AnyOf(frozenset[Any]):
    """What is there must be one of these."""

    def __eq__(self, other: object) -> bool:
        return other in self if not isinstance(other, AnyOf) else frozenset.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = frozenset.__hash__


class Anything:
    """The contract does not say what is there."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


class Causes:
    """Amount by cause where that is certain; else the causes that there can be, and what they sum to."""

    def __init__(self, refund: Refund) -> None:
        self.known, self.may, self.amount = refund.causes, refund.may, refund.amount

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Causes):
            return (self.known, self.amount) == (other.known, other.amount)
        if not isinstance(other, dict):
            return False
        if self.known is not None:
            return self.known == other
        return other.keys() <= self.may and sum(other.values()) == self.amount and all(x > 0 for x in other.values())

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return str(self.known if self.known is not None else f"{self.amount} for some of {sorted(self.may)}")


GONE: Final = {
    "lost": "lost",
    "damaged_in_transit": "damaged",
    "returned_to_sender": "returning",
    "refused": "returning",
}
"""A shipment's status where all of it was reported like this."""


def of_model(model: Model, at: int) -> dict[str, Any]:
    """What must be true."""
    money = model.shown()
    rebilled = sum(bill.amount for bill in model.bills.values() if bill.status == "confirmed")
    kept = money["paid_minor"] + rebilled
    kept -= money["refund_due_minor"] + money["refunded_minor"] + money["other_refunds_minor"]
    return {
        "status": model.status,
        "attention": _attention(model, at, kept),
        "lines": {
            number: (x.open, x.shipped, x.canceled, x.killed, x.returned, x.rebilled, x.undelivered)
            for number, x in model.lines.items()
        },
        "money": {**money, "kept_minor": kept},
        "requests": {
            name: (
                x.status,
                *((x.by, x.asked, x.decide_by) if x.status != "refused" else ()),
                *((x.rule, x.reason) if x.status == "open" else ()),
            )
            for name, x in model.requests.items()
        },
        "refunds": {name: (x.amount, x.status, x.failed, x.waiting) for name, x in model.refunds.items()},
        "parts": {name: _parts(model, x.parts) for name, x in model.refunds.items()},
        "causes": {name: Causes(x) for name, x in model.refunds.items()},
        "payments": {name: _payment(model, name) for name in model.payments},
        "shipments": {name: (_shipment(x), x.lines) for name, x in model.notices.items()},
        "deadlines": [(x.name, x.at, x.ref) for x in model.live()],
        "returns": {name: _return(x) for name, x in model.returns.items()},
        "cases": {name: (x.status, x.lines) for name, x in model.cases.items()},
        "disputes": {name: x.status for name, x in model.disputes.items()},
        "rebills": {name: (x.amount, x.status, x.memo) for name, x in model.bills.items()},
    }


def _parts(model: Model, parts: list[Part]) -> Any:
    """Where more was instructed than is due, the contract does not say by which money the next goes back."""
    if model.less_was_due and model.bills:
        return Anything()
    return [(x.payment_id, x.method, x.amount, x.kind) for x in parts]


def _payment(model: Model, name: str) -> tuple[Any, ...]:
    """Whether voided money is still shown as authorized the contract does not say."""
    payment, parts = model.payments[name], model.parts_of(name)
    refunded: Any = sum(x.amount - x.settled for x in parts if x.confirmed)
    if model.less_was_due and model.bills:
        refunded = Anything()
    authorized = AnyOf({payment.authorized, payment.authorized - model.voided(name)})
    return payment.method, authorized, payment.captured, refunded


def _shipment(notice: Notice) -> Any:
    """One of which only a part was reported is shown like one without."""
    if notice.found or (notice.reported and notice.arrived):
        return AnyOf({"announced", "tracking", "delivered", *GONE.values()})
    if notice.reported == notice.lines:
        return AnyOf({GONE[x] for x in notice.outcomes})
    return notice.status


def _return(back: Return) -> Any:
    """Under way counts as started; freed by support is shown as closed."""
    if back.status == "open":
        status = AnyOf({"open", "started"} if back.got or back.delivered else {"started" if back.begun else "open"})
        return status, back.about
    return AnyOf({"closed" if back.status == "freed" else back.status}), back.about


def _attention(model: Model, at: int, kept: int) -> set[str]:
    late = model.ship_by is not None and model.ship_by < at and model.open_units > 0
    late |= any(x.status == "open" and x.due is not None and x.due < at for x in model.cases.values())
    states = {
        "shipped_after_cancel": model.astray is not None and model.astray.stage not in ("closed", "silent"),
        "case_open": any(x.status == "open" for x in model.cases.values()),
        "dispute_open": any(x.status == "open" for x in model.disputes.values()),
        "return_open": any(x.status == "open" for x in model.returns.values()),
        "late": late,
        "refund_failed": any(x.failed for x in model.refunds.values()),
        "chargeback_open": bool(model.chargebacks),
        "paid_twice": kept < 0,
    }
    return {name for name, holds in states.items() if holds}


def of_order(order: Order) -> dict[str, Any]:
    """The domain's state: the output of ``order show``, completed from the order itself."""
    shown = show(order, None, order.recorded_at)
    waiting = {name: None if x.decide_by is None else x.decide_by for name, x in order.requests.items()}
    decided = {"grant": "granted", "deny": "denied", "return": "returned"}
    about = {name: x.about for name, x in order.returns.items()}
    return {
        "status": shown["status"],
        "attention": set(shown["attention"]),
        "lines": {
            x["line"]: (
                *(x["open"], x["shipped"], x["canceled"], x["auto_canceled"]),
                *(x["returned"], x["rebilled"], x["undelivered"]),
            )
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
        "refunds": {
            x["refund_id"]: (x["amount_minor"], x["status"], x["failed"], x["waiting"]) for x in shown["refunds"]
        },
        "parts": {
            x["refund_id"]: [(p["payment_id"], p["method"], p["amount_minor"], p["kind"]) for p in x["parts"]]
            for x in shown["refunds"]
        },
        "causes": {x["refund_id"]: {c["cause"]: c["amount_minor"] for c in x["causes"]} for x in shown["refunds"]},
        "payments": {
            x["payment_id"]: (x["method"], x["authorized_minor"], x["captured_minor"], x["refunded_minor"])
            for x in shown["payments"]
        },
        "shipments": {x["shipment_id"]: (x["status"], _units(x["lines"])) for x in shown["shipments"]},
        "deadlines": [(x["deadline_id"], parse_instant(x["due_at"]), x["ref"]) for x in shown["deadlines"]],
        "returns": {x["return_id"]: (x["status"], about[x["return_id"]]) for x in shown["returns"]},
        "cases": {name: (x.status, x.lines) for name, x in order.cases.items()},
        "disputes": {
            name: next((states for states, status in decided.items() if status == x.status), x.status)
            for name, x in order.disputes.items()
        },
        "rebills": {name: (x.amount, x.status, x.memo_id) for name, x in order.rebills.items()},
    }


def compared(want: dict[str, Any], have: dict[str, Any]) -> list[str]:
    """What differs, part by part of the picture."""
    return [
        f"{key}: the contract says {want[key]}, the domain {have[key]}" for key in want if _differ(want[key], have[key])
    ]


def _differ(want: Any, have: Any) -> bool:
    """Whether these differ, part by part: the model's side judges."""
    if isinstance(want, dict) and isinstance(have, dict):
        return want.keys() != have.keys() or any(_differ(want[key], have[key]) for key in want)
    if isinstance(want, tuple | list) and isinstance(have, tuple | list):
        return len(want) != len(have) or any(_differ(one, other) for one, other in zip(want, have, strict=True))
    return bool(want != have)


def unsound(shown: dict[str, int], rebilled: int) -> list[str]:
    """What of an order's sums does not add up."""
    out = shown["kept_minor"] + shown["refunded_minor"] + shown["refund_due_minor"] + shown["other_refunds_minor"]
    return [] if shown["paid_minor"] + rebilled == out else [f"paid and billed again is not {out}: {shown}"]


def _units(rows: list[dict[str, int]]) -> dict[int, int]:
    return {row["line"]: row["quantity"] for row in rows}
