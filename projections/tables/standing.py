"""Tables of who cancels how much, by local day."""

from typing import Final

from projections.tables.shape import (
    CURRENCY,
    CURRENCY_EXPONENT,
    MARKETPLACE,
    SELLER_ID,
    Column,
    Table,
    minor,
    number,
    text,
)

SELLER_DAILY: Final = Table(
    "seller_daily",
    "sums",
    4,
    "The seller's dashboard in numbers, by local day (the zone pinned on the order, by recorded time) and the orders' "
    "currency. An order counts in the row of its own currency only, so the sum over currencies counts nothing twice; "
    "amounts of several currencies cannot be added. A line that is "
    "cancelled counts once, on the day and under the cause that first cancelled any of it; unpaid counts for nobody. "
    "The seller's rate is (by seller + auto-cancelled) ÷ lines placed.",
    (
        MARKETPLACE,
        SELLER_ID,
        Column("day", "day", "The local day, like 2026-03-02."),
        CURRENCY,
        CURRENCY_EXPONENT,
        number("orders_placed", "Orders placed."),
        number("lines_placed", "Lines of these."),
        number("lines_canceled_by_request", "Cancelled first by a request or a granted dispute."),
        number(
            "lines_canceled_by_seller",
            "Canceled first by the seller, or by the marketplace for a seller's reason (out_of_stock, "
            "cannot_ship_there, pricing_error, shipped_too_late).",
        ),
        number(
            "lines_canceled_by_marketplace",
            "Canceled first by the marketplace (its support or a system) for another reason. Counts against nobody.",
        ),
        number("lines_auto_canceled", "Cancelled first by fill-or-kill or because they shipped too late."),
        minor("refund_minor", "Refunds instructed that day, of this currency."),
    ),
)

BUYER_STANDING: Final = Table(
    "buyer_standing",
    "sums",
    3,
    "What each buyer bought and had cancelled, by local day as in seller_daily; a line counts once, on the day that "
    "first cancelled any of it, and only if the buyer asked for that. The buyer's rate is lines cancelled ÷ lines "
    "placed.",
    (
        MARKETPLACE,
        text("buyer_id", "The buyer.", fixed=True),
        Column("day", "day", "The local day, like 2026-03-02."),
        number("orders_placed", "Orders placed."),
        number("lines_placed", "Lines of these."),
        number(
            "lines_canceled_by_buyer", "Cancelled first by a request of the buyer's, or by a dispute that was granted."
        ),
    ),
)
