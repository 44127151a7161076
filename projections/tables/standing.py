"""The tables of placed and canceled lines by local day: seller_daily and buyer_standing."""

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
    "The numbers of the seller's dashboard, by local day and currency. The local day is the day of the "
    "recorded time in the time zone pinned on the order. An order counts only in the row of its own "
    "currency, so a sum over currencies counts nothing twice. Amounts of several currencies cannot be added. "
    "A canceled line counts once, on the day and under the cause of its first cancellation. A line canceled "
    "because it was not paid counts in none of the causes. The seller's rate is (canceled by seller + "
    "auto-canceled) ÷ lines placed.",
    (
        MARKETPLACE,
        SELLER_ID,
        Column("day", "day", "The local day, like 2026-03-02."),
        CURRENCY,
        CURRENCY_EXPONENT,
        number("orders_placed", "Orders placed."),
        number("lines_placed", "Lines of these orders."),
        number("lines_canceled_by_request", "Lines canceled first by a request or a granted dispute."),
        number(
            "lines_canceled_by_seller",
            "Lines canceled first by the seller, or by the marketplace for a seller's reason (out_of_stock, "
            "cannot_ship_there, pricing_error, shipped_too_late).",
        ),
        number(
            "lines_canceled_by_marketplace",
            "Lines canceled first by the marketplace (its support or a system) for another reason. They count "
            "against nobody.",
        ),
        number("lines_auto_canceled", "Lines canceled first by fill-or-kill, or because they shipped too late."),
        minor("refund_minor", "Total of the refunds that became due on that day, in this currency."),
    ),
)

BUYER_STANDING: Final = Table(
    "buyer_standing",
    "sums",
    3,
    "The lines that each buyer bought and canceled, by local day as in seller_daily. A canceled line counts "
    "once, on the day of its first cancellation, and only if the buyer requested that cancellation. The "
    "buyer's rate is lines canceled ÷ lines placed.",
    (
        MARKETPLACE,
        text("buyer_id", "The buyer's id.", fixed=True),
        Column("day", "day", "The local day, like 2026-03-02."),
        number("orders_placed", "Orders placed."),
        number("lines_placed", "Lines of these orders."),
        number("lines_canceled_by_buyer", "Lines canceled first by a request of the buyer, or by a granted dispute."),
    ),
)
