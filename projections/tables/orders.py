"""The tables of an order's current state: orders, order_lines, shipments and deadlines."""

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
    "One row for each order, with its state after its last event.",
    (
        MARKETPLACE,
        ORDER_ID,
        text(
            "po_number",
            "The purchase-order number that people search for. It is the order_id if the order was placed without one.",
            fixed=True,
        ),
        text("checkout_id", "The checkout that the order is part of.", empty=True, fixed=True),
        text("buyer_id", "The id of the order's buyer.", fixed=True),
        SELLER_ID,
        text(
            "currency",
            "ISO 4217 code of the order's currency. Every amount of the order is in its minor units.",
            fixed=True,
        ),
        CURRENCY_EXPONENT,
        text("sale_format", "fixed, offer or auction.", fixed=True),
        text(
            "status",
            "The first of these that applies: canceled, cancel_requested, undelivered, delivered, shipped, "
            "partly_shipped, partly_canceled, unpaid, open.",
        ),
        text(
            "attention",
            "Reasons why somebody should look at the order, comma-separated: shipped_after_cancel, case_open, "
            "dispute_open, return_open, refund_failed, chargeback_open, paid_twice, stuck. Empty if there is none. The "
            "column late_from shows whether the order is late.",
        ),
        number("version", "Number of the order's events. Refusals count."),
        text("policy_id", "Id of the policy that was pinned when the order was placed.", fixed=True),
        Column("policy_version", "integer", "The policy's version.", fixed=True),
        text("policy_sha256", "SHA-256 of the policy's canonical document, in hex.", fixed=True),
        instant("placed_at", "When placing the order was recorded.", fixed=True),
        instant("updated_at", "When the order's last event was recorded."),
        instant("ship_by", "The instant by which the seller should ship.", empty=True),
        instant(
            "late_from",
            "The order is late after this instant. It is the order's ship_by while units are open, or the due "
            "instant of an open case.",
            empty=True,
        ),
        instant("next_deadline_at", "The earliest due_at of the order's rows in the table deadlines.", empty=True),
        minor("total_minor", "The cost of the whole order. This amount never changes.", fixed=True),
        minor("paid_minor", "Total of the payments, authorized money included."),
        minor("refund_due_minor", "Total of the refunds that are due, those that wait for a chargeback included."),
        minor("refunded_minor", "Total of the refunds that are confirmed."),
        minor("other_refunds_minor", "Total of the money given back outside these refunds (other_refunds)."),
        minor(
            "kept_minor",
            "paid − refunds due − refunded − other refunds + confirmed rebills. It is negative if money was given back "
            "twice.",
        ),
        number("open_units", "Units of all lines that are still open."),
        number("shipped_units", "Units shipped."),
        number("canceled_units", "Units canceled."),
        PARTITION,
    ),
    (
        (folded("po_number"), "marketplace"),
        ("marketplace", folded("po_number"), "order_id"),
        ("marketplace", folded("order_id")),
        ("marketplace", folded("checkout_id"), "order_id"),
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
    "One row for each line. It always holds that ordered = open + shipped + canceled.",
    (
        MARKETPLACE,
        ORDER_ID,
        Column("line", "integer", "The line's number.", fixed=True),
        text("sku", "The stock-keeping unit that was ordered.", fixed=True),
        text("title", "The item's title, if one was given.", empty=True, fixed=True),
        Column("ordered", "integer", "Units ordered.", fixed=True),
        number("open", "Units neither shipped nor canceled."),
        number("shipped", "Units shipped."),
        number("canceled", "Units canceled, for any cause."),
        number("auto_canceled", "Units of these that fill-or-kill canceled."),
        number("returned", "Shipped units that were returned."),
        number("rebilled", "Canceled units that shipped anyway and were billed again."),
        number("delivered", "Shipped units that reached the buyer."),
        number("undelivered", "Shipped units that were lost or damaged in transit."),
        Column("part_of", "integer", "The line of the bundle that the line is part of.", empty=True, fixed=True),
        CURRENCY,
        CURRENCY_EXPONENT,
        minor(
            "goods_minor",
            "Refund for the whole line if it is canceled, without the tax on top of the price.",
            fixed=True,
        ),
        minor("tax_minor", "Refund of the tax on top of the price. It is 0 if prices include tax.", fixed=True),
        minor("shipping_minor", "Refund of the line's own shipping, without the tax on top.", fixed=True),
        minor(
            "shipping_tax_minor",
            "Refund of the tax on top of this shipping. It is 0 if prices include tax.",
            fixed=True,
        ),
    ),
    ((folded("sku"), "marketplace", "order_id"),),
)

SHIPMENTS: Final = Table(
    "shipments",
    "state",
    3,
    "One row for each shipping notice that was accepted.",
    (
        MARKETPLACE,
        ORDER_ID,
        text("shipment_id", "The shipping notice's id.", fixed=True),
        SELLER_ID,
        text("carrier", "The carrier's name.", empty=True),
        text("tracking_number", "The carrier's tracking number.", empty=True),
        text("status", "announced, tracking, delivered, void, lost, damaged or returning."),
        Column("lines", "json", 'The units in the shipment: [{"line", "quantity"}, …].'),
        instant("occurred_at", "When the shipment left.", fixed=True),
        instant("last_seen_at", "When the carrier last scanned the shipment."),
        instant(
            "ship_by",
            "The order's ship_by when the notice was accepted. A later revision does not change it.",
            empty=True,
            fixed=True,
        ),
        instant(
            "delivered_at",
            "When the shipment was delivered. If it was delivered in parts, this is the last delivery.",
            empty=True,
        ),
    ),
    (("marketplace", "seller_id", "occurred_at"), (folded("shipment_id"), "marketplace", "order_id")),
)

TRACKING_NUMBERS: Final = Table(
    "tracking_numbers",
    "facts",
    4,
    "One row each time that a command gave a tracking number: search finds the order by it.",
    (
        MARKETPLACE,
        ORDER_ID,
        text("tracking_number", "The carrier's number."),
        number("position", "Position of its event (audit_trail)."),
        text("source", "shipment (a shipping notice), tracking (a scan), shipped_after_cancel, or return."),
        text("carrier", "Who carries it.", empty=True),
        text("ref", "The shipping notice or the return that it is of, where one was named.", empty=True),
        instant("named_at", "When it was given (recorded)."),
    ),
    ((folded("tracking_number"), "marketplace", "order_id"),),
)

DEADLINES: Final = Table(
    "deadlines",
    "state",
    3,
    "The deadlines that still apply. A deadline that was reached, or no longer matters, has no row.",
    (
        MARKETPLACE,
        ORDER_ID,
        text("deadline_id", "The deadline's id, counted per order and kind.", fixed=True),
        text(
            "kind",
            "acknowledge, alternatives, appeal, case, confirmation, decide, evidence, late-ship, reminder, return, "
            "return-ship or unpaid.",
        ),
        instant("due_at", "The last instant that is in time."),
        text("ref", "The id of what the deadline is for, for example a request."),
    ),
    (("due_at",),),
    owner=2,
)
