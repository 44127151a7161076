"""The story of one order as commands, each with its actor and its time after placing.

Commands after the end (now) are left out, so the stories of young orders are unfinished.
"""

import hashlib
from typing import Any

from domain.instants import DAY, HOUR, MINUTE, Instant, format_instant
from infra.demo.shops import Good, Shop

Body = dict[str, Any]


def minutes(count: float) -> int:
    return int(count * MINUTE)


def hours(count: float) -> int:
    return int(count * HOUR)


def days(count: float) -> int:
    return int(count * DAY)


def digest(text: str) -> str:
    """Return the SHA-256 of a text as hex."""
    return hashlib.sha256(text.encode()).hexdigest()


class Story:
    """The commands of one order in sequence. Times are microseconds after placing."""

    def __init__(
        self, plot: str, marketplace: str, order_id: str, shop: Shop, buyer_id: str, placed_at: Instant, end: Instant
    ) -> None:
        self.plot = plot
        self.marketplace = marketplace
        self.order_id = order_id
        self.shop = shop
        self.buyer_id = buyer_id
        self.placed_at = placed_at
        self.end = end
        self.commands: list[Body] = []
        self._last = placed_at

    def say(self, after: int, who: str, command: str, /, **fields: Any) -> None:
        """Add a command at a time after placing, but not before the previous one; left out if after the end."""
        at = max(self.placed_at + after, self._last)
        if at > self.end:
            return
        self._last = at
        names = {"buyer": self.buyer_id, "seller": self.shop.seller_id, "support": "agent-4", "system": "services"}
        self.commands.append(
            {
                "command": command,
                "command_id": f"demo-{len(self.commands) + 1}",
                "marketplace": self.marketplace,
                "order_id": self.order_id,
                "at": format_instant(at),
                "actor": {"kind": who, "id": names[who]},
                **fields,
            }
        )

    def at(self, after: int) -> str:
        """Return an instant after placing, as commands write it."""
        return format_instant(self.placed_at + after)

    # ---- common steps of stories ---------------------------------------------------------------------------------

    def place(
        self,
        *lines: tuple[Good, int],
        paid: bool = True,
        ship_by: int | None = None,
        listed: bool = False,
        **fields: Any,
    ) -> None:
        """Place the order with these goods and quantities. ``ship_by``: days after placing.

        ``listed``: each line has its listing as sold.
        """
        if ship_by is not None:
            fields["ship_by"] = self.at(days(ship_by))
        self.say(
            0,
            "system",
            "PlaceOrder",
            buyer_id=self.buyer_id,
            seller_id=self.shop.seller_id,
            currency=self.shop.currency,
            policy=self.shop.policy,
            timezone=self.shop.timezone,
            paid=paid,
            shipping=self.shop.shipping,
            lines=[
                {
                    "line": number,
                    "sku": good.sku,
                    "title": good.title,
                    "quantity": quantity,
                    "unit_price": good.price,
                    **({"listing": {"ref": f"{good.sku}@7", "sha256": digest(good.title)}} if listed else {}),
                }
                for number, (good, quantity) in enumerate(lines, 1)
            ],
            **fields,
        )

    def ask(self, after: int, reason: str, request: str = "r1", **fields: Any) -> None:
        """Request a cancellation as the buyer."""
        self.say(after, "buyer", "RequestCancel", request_id=request, reason=reason, **fields)

    def ship(self, after: int, notice: str = "asn-1", **fields: Any) -> None:
        """Send a shipping notice as the seller, for everything open unless lines are named."""
        self.say(
            after,
            "seller",
            "Ship",
            shipment_id=notice,
            carrier=self.shop.carrier,
            tracking_number=self.tracking_number(notice),
            **fields,
        )

    def track(self, after: int, notice: str = "asn-1") -> None:
        """Report the carrier's first scan of a notice's parcel."""
        self.say(
            after,
            "system",
            "StartTracking",
            carrier=self.shop.carrier,
            tracking_number=self.tracking_number(notice),
            shipment_id=notice,
        )

    def attach(self, after: int, who: str, about: str, evidence: str, kind: str, **fields: Any) -> None:
        """Add evidence by its hash and size; the demo stores no file."""
        self.say(
            after,
            who,
            "AttachEvidence",
            evidence_id=evidence,
            about=about,
            kind=kind,
            sha256=digest(self.order_id + evidence),
            media_type="application/pdf" if kind == "document" else "image/jpeg",
            size=214_310,
            **fields,
        )

    def deliver(self, after: int) -> None:
        """Report that everything shipped was delivered."""
        self.say(after, "system", "Deliver")

    def refunded(self, after: int, refund: str = "refund-1") -> None:
        """Confirm a refund as the payment service."""
        self.say(after, "system", "ConfirmRefund", refund_id=refund)

    def tracking_number(self, notice: str) -> str:
        """Return a tracking number made of the order and the notice, so that each differs."""
        digits = "".join(letter for letter in self.order_id + notice if letter.isdigit())
        return f"{self.shop.carrier.split()[0][:2].upper()}{digits:>012}"
