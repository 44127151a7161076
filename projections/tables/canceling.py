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
    "One row a request to cancel, as last accepted, else as last refused.",
    (
        MARKETPLACE,
        ORDER_ID,
        text("request_id", "The request.", fixed=True),
        SELLER_ID,
        text("asked_by", "buyer, seller, support or system."),
        text("reason", "A canonical reason.", empty=True),
        Column("lines", "json", 'What it asks for: [{"line", "quantity"}, …].'),
        text("status", "open, approved, partly, shipped, declined, withdrawn, refused."),
        instant("asked_at", "When it was asked (recorded)."),
        instant("decide_by", "Until when the seller is to decide.", empty=True),
        text("rule", "The rule that spoke last."),
        instant(
            "decided_at",
            "When it was approved, declined, refused, or closed because nothing of it was left to decide (recorded); "
            "empty while it is open, and where it was withdrawn undecided. A dispute that is decided later leaves it.",
            empty=True,
        ),
        text(
            "awaits",
            "Who has to act on it: seller; buyer, also while something else is offered; support, while a dispute is "
            "open about it. Empty: nobody, since it is closed, a dispute decided it, or all of it has shipped since.",
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
    "One row for units of a line that were cancelled at once for one cause.",
    (
        PARTITION,
        number("position", "Position of the event that says so (audit_trail)."),
        number("part", "Its place among the lines of that event, from 0."),
        MARKETPLACE,
        ORDER_ID,
        SELLER_ID,
        text(
            "cause",
            "request (also where the seller's own cancellation, or silence, carries out an open request), seller, "
            "support, system, fill_or_kill, late_ship, unpaid, dispute.",
        ),
        number("line", "The line's number."),
        number("quantity", "Units."),
        CURRENCY,
        CURRENCY_EXPONENT,
        minor(
            "amount_minor",
            "What these units cost: their share of the line's goods and of the tax on top. Shipping is in no row. What "
            "of it goes back to the buyer is in refunds.",
        ),
        text("reason", "A canonical reason.", empty=True),
        text("request_id", "The request that it carries out.", empty=True),
        text("shipment_id", "The notice by which fill-or-kill cancelled it.", empty=True),
        text("reference", "The reference that the buyer's confirmation carries, like C-7F3K-9QXM."),
        instant("canceled_at", "When (recorded)."),
        Column("day", "day", "The local day of canceled_at, as in seller_daily."),
    ),
    (("marketplace", "order_id"), ("marketplace", "reference"), ("marketplace", "day")),
)
