"""Tables of an order as it stands: itself, its lines, its parcels, what falls due."""

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
    folded,
    instant,
    minor,
    number,
    text,
)

ORDERS: Final = Table(
    "orders",
    "state",
    2,
    "One row an order, as it stands after its last event.",
    (
        MARKETPLACE,
        ORDER_ID,
        text("po_number", "What people search for; the order_id where none was given.", fixed=True),
        text("checkout_id", "The checkout that it is a part of.", empty=True, fixed=True),
        text("buyer_id", "The order's buyer.", fixed=True),
        SELLER_ID,
        text("currency", "ISO 4217 code; every amount of the order is in its minor units.", fixed=True),
        CURRENCY_EXPONENT,
        text("sale_format", "fixed, offer or auction.", fixed=True),
        text(
            "status",
            "The first that fits: canceled, cancel_requested, undelivered, delivered, shipped, partly_shipped, "
            "partly_canceled, unpaid, open.",
        ),
        text(
            "attention",
            "What somebody should look at, comma-separated, empty for nothing: shipped_after_cancel, case_open, "
            "dispute_open, return_open, refund_failed, chargeback_open, paid_twice, stuck. What is late follows from "
            "late_from.",
        ),
        number("version", "Number of the order's events, refusals included."),
        text("policy_id", "The policy pinned at placing.", fixed=True),
        Column("policy_version", "integer", "Its version.", fixed=True),
        text("policy_sha256", "SHA-256 of its canonical document, hex.", fixed=True),
        instant("placed_at", "When it was placed (recorded).", fixed=True),
        instant("updated_at", "When its last event was recorded."),
        instant("ship_by", "By when the seller should ship.", empty=True),
        instant(
            "late_from",
            "It is late after this instant: its ship_by while units are open, or the due instant of an open case.",
            empty=True,
        ),
        instant("next_deadline_at", "The earliest due instant of its deadlines (table deadlines).", empty=True),
        minor("total_minor", "What the whole order costs; it never moves.", fixed=True),
        minor("paid_minor", "What came in."),
        minor("refund_due_minor", "Refunds instructed and not yet confirmed."),
        minor("refunded_minor", "Refunds confirmed."),
        minor("other_refunds_minor", "Given back outside cancellations."),
        minor("kept_minor", "paid − refund due − refunded − other refunds + rebills confirmed."),
        number("open_units", "Units still open, all lines."),
        number("shipped_units", "Units shipped."),
        number("canceled_units", "Units cancelled."),
        PARTITION,
    ),
    (
        (folded("po_number"), "marketplace"),
        ("marketplace", folded("po_number"), "order_id"),
        ("marketplace", folded("order_id")),
        ("marketplace", "placed_at", "order_id"),
        ("marketplace", "status", "placed_at", "order_id"),
        ("marketplace", "seller_id", "placed_at", "order_id"),
        ("marketplace", "seller_id", "status", "placed_at", "order_id"),
        ("marketplace", "buyer_id", "placed_at", "order_id"),
    ),
)

ORDER_LINES: Final = Table(
    "order_lines",
    "state",
    3,
    "One row a line. ordered = open + shipped + canceled, always.",
    (
        MARKETPLACE,
        ORDER_ID,
        Column("line", "integer", "The line's number.", fixed=True),
        text("sku", "What was ordered.", fixed=True),
        text("title", "Its title, where one was given.", empty=True, fixed=True),
        Column("ordered", "integer", "Units ordered.", fixed=True),
        number("open", "Units neither shipped nor cancelled."),
        number("shipped", "Units shipped."),
        number("canceled", "Units cancelled, for whatever cause."),
        number("auto_canceled", "Of these, units cancelled by fill-or-kill."),
        number("returned", "Shipped units that came back."),
        number("rebilled", "Cancelled units that shipped all the same and were billed again."),
        number("delivered", "Shipped units that reached the buyer."),
        CURRENCY,
        CURRENCY_EXPONENT,
        minor("goods_minor", "What the whole line gives back when cancelled, tax on top left out.", fixed=True),
        minor("tax_minor", "The tax on top that it gives back (0 where tax is included).", fixed=True),
    ),
    ((folded("sku"), "marketplace", "order_id"),),
)

SHIPMENTS: Final = Table(
    "shipments",
    "state",
    3,
    "One row a shipping notice that was accepted.",
    (
        MARKETPLACE,
        ORDER_ID,
        text("shipment_id", "The notice.", fixed=True),
        SELLER_ID,
        text("carrier", "Who carries it.", empty=True),
        text("tracking_number", "The carrier's number.", empty=True),
        text("status", "announced, tracking, delivered, void, lost, damaged, returning."),
        Column("lines", "json", 'What it ships: [{"line", "quantity"}, …].'),
        instant("occurred_at", "When it left.", fixed=True),
        instant("last_seen_at", "When the carrier last saw it."),
        instant(
            "ship_by",
            "The order's ship_by when the notice was accepted; a revision that comes later does not change it.",
            empty=True,
            fixed=True,
        ),
        instant("delivered_at", "When it was delivered (occurred), the last time if it was in parts.", empty=True),
    ),
    (("marketplace", "seller_id", "occurred_at"), (folded("tracking_number"), "marketplace", "order_id")),
)

DEADLINES: Final = Table(
    "deadlines",
    "state",
    3,
    "The deadlines that still apply; those that were reached or no longer matter are gone.",
    (
        MARKETPLACE,
        ORDER_ID,
        text("deadline_id", "The deadline, counted per order and kind.", fixed=True),
        text(
            "kind",
            "acknowledge, alternatives, appeal, case, confirmation, decide, evidence, late-ship, reminder, return, "
            "unpaid.",
        ),
        instant("due_at", "The last instant that is in time."),
        text("ref", "The id it is about."),
    ),
    (("due_at",),),
    owner=2,
)
