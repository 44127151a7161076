"""Tables of cancellations: what was asked, and what was cancelled."""

from typing import Final

from projections.tables.shape import MARKETPLACE, ORDER_ID, PARTITION, SELLER_ID, Column, Table, instant, number, text

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
    ),
    (("marketplace", "status", "decide_by"), ("marketplace", "seller_id", "status", "decide_by")),
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
            "support, fill_or_kill, late_ship, unpaid, dispute.",
        ),
        number("line", "The line's number."),
        number("quantity", "Units."),
        text("reason", "A canonical reason.", empty=True),
        text("request_id", "The request that it carries out.", empty=True),
        text("shipment_id", "The notice by which fill-or-kill cancelled it.", empty=True),
        text("reference", "The reference that the buyer's confirmation carries, like C-7F3K-9QXM."),
        instant("canceled_at", "When (recorded)."),
    ),
    (("marketplace", "order_id"), ("marketplace", "reference")),
)
