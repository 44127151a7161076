"""The results of `rescind whatif`: what it counts, and its JSON. Nothing is read or printed here."""

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from domain.instants import Instant, format_instant

if TYPE_CHECKING:
    from domain.policy import PolicyDocument
    from domain.whatif import Answer, Flip, Life


@dataclass(slots=True)
class OrderComparison:
    """The result for one order; pairs are (as recorded, under the other policy)."""

    marketplace: str
    order_id: str
    seller_id: str
    buyer_id: str
    currency: str
    statuses: tuple[str, str]
    canceled: tuple[int, int]
    refunds: tuple[int, int]
    flips: "list[Flip]"
    differs: bool
    events: int
    stimuli: int
    undecided: int
    lost: dict[str, int]

    @classmethod
    def of(cls, life: "Life") -> "OrderComparison":
        """Compare the two lives of an order at their end."""
        order, terms = life.before, life.before.terms
        return cls(
            order.marketplace,
            order.order_id,
            terms.seller_id,
            terms.buyer_id,
            terms.currency,
            life.statuses,
            life.canceled,
            life.refunds,
            life.flips,
            life.differs,
            life.events,
            life.stimuli,
            life.undecided,
            dict(life.lost),
        )

    def json(self) -> dict[str, Any]:
        """Return the comparison as JSON, for the resume file."""
        values = {name: getattr(self, name) for name in self.__slots__}
        values["flips"] = [(flip.at, flip.what, flip.ref, flip.before, flip.after) for flip in self.flips]
        return values

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "OrderComparison":
        """Read a comparison from the resume file."""
        from domain.whatif import Answer, Flip

        flips = [
            Flip(at, what, ref, Answer(*before), Answer(*after)) for at, what, ref, before, after in values["flips"]
        ]
        pairs = {name: tuple(values[name]) for name in ("statuses", "canceled", "refunds")}
        return cls(**{**values, **pairs, "flips": flips})


@dataclass(slots=True)
class WhatIfReport:
    """Totals over all orders of the period. ``changed``: the orders with a different result."""

    document: "PolicyDocument"
    since: Instant | None
    until: Instant | None
    end: Instant = 0
    orders: int = 0
    events: int = 0
    stimuli: int = 0
    undecided: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    unreadable: list[str] = field(default_factory=list)
    refunds: dict[str, list[int]] = field(default_factory=dict)
    units: list[int] = field(default_factory=lambda: [0, 0])
    changed: list[OrderComparison] = field(default_factory=list)

    def add(self, order: OrderComparison) -> None:
        """Add an order to the totals."""
        self.orders += 1
        self.events += order.events
        self.stimuli += order.stimuli
        self.undecided += order.undecided
        self.lost.update(order.lost)
        paid_back = self.refunds.setdefault(order.currency, [0, 0])
        for side in (0, 1):
            paid_back[side] += order.refunds[side]
            self.units[side] += order.canceled[side]
        if order.differs:
            self.changed.append(order)

    @property
    def rows(self) -> int:
        """Number of rows of the CSV."""
        return sum(max(1, len(order.flips)) for order in self.changed)

    def flips(self) -> list[dict[str, Any]]:
        """Group answers that differ in the same way; the most frequent first."""
        found: dict[tuple[str, Answer, Answer], list[OrderComparison]] = {}
        for life in self.changed:
            for flip in life.flips:
                found.setdefault((flip.what, flip.before, flip.after), []).append(life)
        rows = [
            {
                "what": what,
                "before": before._asdict(),
                "after": after._asdict(),
                "count": len(lives),
                "orders": len({id(life) for life in lives}),
                "sellers": len({(x.marketplace, x.seller_id) for x in lives}),
                "buyers": len({(x.marketplace, x.buyer_id) for x in lives}),
            }
            for (what, before, after), lives in found.items()
        ]
        return sorted(rows, key=lambda x: (-x["count"], x["what"], str(x["before"]), str(x["after"])))

    def sellers(self) -> list[dict[str, Any]]:
        """Sum up the differences by seller and currency; the largest amount first."""
        found: dict[tuple[str, str, str], list[OrderComparison]] = {}
        for life in self.changed:
            found.setdefault((life.marketplace, life.seller_id, life.currency), []).append(life)
        rows = [
            {
                "marketplace": marketplace,
                "seller_id": seller,
                "orders": len(lives),
                "flips": sum(len(life.flips) for life in lives),
                **_moved(currency, sum(x.refunds[0] for x in lives), sum(x.refunds[1] for x in lives)),
            }
            for (marketplace, seller, currency), lives in found.items()
        ]
        return sorted(rows, key=lambda x: (-abs(x["difference_minor"]), -x["flips"], x["marketplace"], x["seller_id"]))

    def json(self) -> dict[str, Any]:
        """Return the whole report as JSON."""
        policy = self.document.policy
        return {
            "policy": {"id": policy.id, "version": policy.version, "sha256": self.document.sha256.hex()},
            "since": _time(self.since),
            "until": _time(self.until),
            "end": _time(self.end) if self.orders else None,
            "orders": self.orders,
            "events": self.events,
            "stimuli": self.stimuli,
            "not_said_again": dict(sorted(self.lost.items())),
            "unreadable": self.unreadable,
            "orders_changed": len(self.changed),
            "undecided": self.undecided,
            "units_canceled": {"before": self.units[0], "after": self.units[1]},
            "money": [_moved(currency, *sums) for currency, sums in sorted(self.refunds.items())],
            "flips": self.flips(),
            "sellers": self.sellers(),
            "changed": [_changed(order) for order in self.changed],
        }


def _time(instant: Instant | None) -> str | None:
    return None if instant is None else format_instant(instant)


def _moved(currency: str, before: int, after: int) -> dict[str, Any]:
    return {
        "currency": currency,
        "refunds_minor_before": before,
        "refunds_minor_after": after,
        "difference_minor": after - before,
    }


def _changed(life: OrderComparison) -> dict[str, Any]:
    return {
        "marketplace": life.marketplace,
        "order_id": life.order_id,
        "seller_id": life.seller_id,
        "buyer_id": life.buyer_id,
        "status": dict(zip(("before", "after"), life.statuses, strict=True)),
        "units_canceled": dict(zip(("before", "after"), life.canceled, strict=True)),
        **_moved(life.currency, *life.refunds),
        "flips": [
            {
                "at": format_instant(flip.at),
                "what": flip.what,
                "ref": flip.ref,
                "before": flip.before._asdict(),
                "after": flip.after._asdict(),
            }
            for flip in life.flips
        ],
    }
