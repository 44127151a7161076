"""A story whose commands follow each other by a minute, for specifications of money.

``Counter("big-box", paid=False)`` has placed its order. ``does`` gives the next command.
"""

from typing import Any

from domain.instants import format_instant, parse_instant
from tests.spec.domain.story import Story

START = parse_instant("2026-03-02T10:00:00Z")
MINUTE = 60_000_000
TENS = [{"line": n, "sku": f"sku-{n}", "quantity": 1, "unit_price": "10.00"} for n in (1, 2)]
"""Two lines of 10.00."""


class Counter(Story):
    """An order at a shop's counter: paid, canceled and refunded minute by minute."""

    def __init__(self, preset: str = "big-box", documents: Any = (), **order: Any) -> None:
        super().__init__(preset, documents=documents)
        self.minutes = 0
        order.setdefault("lines", TENS)
        self.placed(**order)

    def does(self, name: str, by: str | None = None, **fields: Any) -> str:
        """Give a command a minute after the last one."""
        self.minutes += 1
        return self.send(name, format_instant(START + self.minutes * MINUTE), by=by, **fields)

    def cancels(self, *lines: Any) -> str:
        """The seller cancels these lines, or everything."""
        if not lines:
            return self.does("CancelLines", reason="out_of_stock")
        return self.does("CancelLines", reason="out_of_stock", lines=list(lines))

    @property
    def money(self) -> dict[str, int]:
        """The money that the order shows, by its short names."""
        return {name.removesuffix("_minor"): minor for name, minor in self.shown["money"].items()}

    def parts(self, number: int = 1) -> list[tuple[str, str, int]]:
        """(payment, kind, amount) of each part of a refund."""
        return [(x.payment_id, x.kind, x.amount) for x in self.here.refunds[f"refund-{number}"].parts]

    def causes(self, number: int = 1) -> list[tuple[str, int]]:
        """(cause, amount) of a refund."""
        return [(x.cause, x.amount) for x in self.here.refunds[f"refund-{number}"].causes]

    def statuses(self) -> list[str]:
        """The status of each refund."""
        return [refund.status for refund in self.here.refunds.values()]

    def payment(self, payment_id: str) -> tuple[int, int, int]:
        """(authorized, captured, refunded) of a payment."""
        shown = next(x for x in self.shown["payments"] if x["payment_id"] == payment_id)
        return shown["authorized_minor"], shown["captured_minor"], shown["refunded_minor"]
