"""Tables of cancellations: what was asked, and what was canceled."""

from typing import Final

from projections.tables.shape import (
    CURRENCY,
    CURRENCY_EXPONENT,
    MARKETPLACE,
    ORDER_ID,
    PARTITION,
    SELLER_ID,
    Column,
    Table,
    instant,
    minor,
    number,
    text,
)

REQUESTS: Final = Table(
    "requests",
    "state",
    3,
    "One row for each cancellation request, as it was last accepted. A request that was never accepted is "
    "shown as it was last refused.",
    (
        MARKETPLACE,
        ORDER_ID,
        text("request_id", "The request's id.", fixed=True),
        SELLER_ID,
        text("asked_by", "buyer, seller, support or system."),
        text("reason", "A code of the canonical reasons.", empty=True),
        Column("lines", "json", 'The requested units: [{"line", "quantity"}, …].'),
        text("status", "open, approved, partly, shipped, declined, withdrawn, refused."),
        instant("asked_at", "When the request was recorded."),
        instant("decide_by", "The instant until which the seller can decide.", empty=True),
        text("rule", "The rule of the latest verdict."),
        instant(
            "decided_at",
            "When it was recorded that the request was approved, declined or refused, or closed because nothing was "
            "left to decide. Empty while the request is open, and if it was withdrawn before a decision. A later "
            "decision of a dispute does not change it.",
            empty=True,
        ),
        text(
            "awaits",
            "The side that has to act: seller; buyer, also while an alternative is offered; support, while a "
            "dispute about it is open. Empty if nobody has to act, because the request is closed, a dispute decided "
            "it, or all its units have shipped.",
            empty=True,
        ),
    ),
    (
        ("marketplace", "status", "decide_by"),
        ("marketplace", "seller_id", "status", "decide_by"),
        ("marketplace", "awaits", "decide_by"),
        ("marketplace", "seller_id", "awaits", "decide_by"),
    ),
)

CANCELLATIONS: Final = Table(
    "cancellations",
    "facts",
    3,
    "One row for units of a line that were canceled together, for one cause.",
    (
        PARTITION,
        number("position", "Position of the event of the cancellation in audit_trail."),
        number("part", "Place of this row among the lines of that event, from 0."),
        MARKETPLACE,
        ORDER_ID,
        SELLER_ID,
        text(
            "cause",
            "request, seller, support, system, fill_or_kill, late_ship, unpaid or dispute. It is request also if the "
            "seller's own cancellation, or the seller's silence, carries out an open request. support and system are "
            "cancellations by the marketplace.",
        ),
        number("line", "The line's number."),
        number("quantity", "Units."),
        CURRENCY,
        CURRENCY_EXPONENT,
        minor(
            "amount_minor",
            "The cost of these units, which is their share of the line's goods and of the tax on top. No row includes "
            "shipping. The table refunds has what the buyer gets back.",
        ),
        text("reason", "A code of the canonical reasons.", empty=True),
        text("request_id", "The request that the cancellation carries out.", empty=True),
        text("shipment_id", "The shipping notice with which fill-or-kill canceled the units.", empty=True),
        text("reference", "The reference in the buyer's confirmation, like C-7F3K-9QXM."),
        instant("canceled_at", "When it was recorded."),
        Column("day", "day", "The local day of canceled_at, as in seller_daily."),
    ),
    (("marketplace", "order_id"), ("marketplace", "reference"), ("marketplace", "day")),
)
