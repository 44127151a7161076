"""What `rescind whatif` counts, and its JSON. Nothing is read or printed here."""

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from domain.instants import Instant, format_instant

if TYPE_CHECKING:
    from domain.policy import PolicyDocument
    from domain.whatif import Answer, Life


@dataclass(slots=True)
class Report:
    """The answers of all orders of the period, counted. ``changed``: the orders that come to something else."""

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
    changed: list["Life"] = field(default_factory=list)

    def add(self, life: "Life") -> None:
        """Count an order whose two lives are at their end."""
        self.orders += 1
        self.events += life.events
        self.stimuli += life.stimuli
        self.undecided += life.undecided
        self.lost += life.lost
        paid_back = self.refunds.setdefault(life.before.terms.currency, [0, 0])
        for side in (0, 1):
            paid_back[side] += life.refunds[side]
            self.units[side] += life.canceled[side]
        if life.differs:
            self.changed.append(life)

    @property
    def rows(self) -> int:
        """Rows of the CSV."""
        return sum(max(1, len(life.flips)) for life in self.changed)

    def flips(self) -> list[dict[str, Any]]:
        """Answers that differ in the same way, together; the most frequent first."""
        found: dict[tuple[str, Answer, Answer], list[Life]] = {}
        for life in self.changed:
            for flip in life.flips:
                found.setdefault((flip.what, flip.before, flip.after), []).append(life)
        told = [
            {
                "what": what,
                "before": before._asdict(),
                "after": after._asdict(),
                "count": len(lives),
                "orders": len({id(life) for life in lives}),
                "sellers": len({(x.before.marketplace, x.before.terms.seller_id) for x in lives}),
                "buyers": len({(x.before.marketplace, x.before.terms.buyer_id) for x in lives}),
            }
            for (what, before, after), lives in found.items()
        ]
        return sorted(told, key=lambda x: (-x["count"], x["what"], str(x["before"]), str(x["after"])))

    def sellers(self) -> list[dict[str, Any]]:
        """What it comes to for each seller, and in each currency; where most money moves first."""
        found: dict[tuple[str, str, str], list[Life]] = {}
        for life in self.changed:
            terms = life.before.terms
            found.setdefault((life.before.marketplace, terms.seller_id, terms.currency), []).append(life)
        told = [
            {
                "marketplace": marketplace,
                "seller_id": seller,
                "orders": len(lives),
                "flips": sum(len(life.flips) for life in lives),
                **_moved(currency, sum(x.refunds[0] for x in lives), sum(x.refunds[1] for x in lives)),
            }
            for (marketplace, seller, currency), lives in found.items()
        ]
        return sorted(told, key=lambda x: (-abs(x["difference_minor"]), -x["flips"], x["marketplace"], x["seller_id"]))

    def told(self) -> dict[str, Any]:
        """The whole as JSON has it."""
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
            "changed": [_changed(life) for life in self.changed],
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


def _changed(life: "Life") -> dict[str, Any]:
    terms = life.before.terms
    return {
        "marketplace": life.before.marketplace,
        "order_id": life.before.order_id,
        "seller_id": terms.seller_id,
        "buyer_id": terms.buyer_id,
        "status": dict(zip(("before", "after"), life.statuses, strict=True)),
        "units_canceled": dict(zip(("before", "after"), life.canceled, strict=True)),
        **_moved(terms.currency, *life.refunds),
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
