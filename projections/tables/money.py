"""Tables of money that moves back and forth: refunds, rebillings, credit memos."""

from typing import Final

from projections.tables.shape import (
    CURRENCY,
    CURRENCY_EXPONENT,
    MARKETPLACE,
    ORDER_ID,
    SELLER_ID,
    Column,
    Table,
    flag,
    instant,
    minor,
    number,
    text,
)

REFUNDS: Final = Table(
    "refunds",
    "state",
    3,
    "One row an instruction to give money back.",
    (
        MARKETPLACE,
        ORDER_ID,
        text("refund_id", "The refund, counted per order.", fixed=True),
        SELLER_ID,
        CURRENCY,
        CURRENCY_EXPONENT,
        minor("amount_minor", "How much.", fixed=True),
        text("status", "due until confirmed, then confirmed."),
        flag("failed", "1 while the last try failed."),
        instant("due_at", "When it was instructed (recorded).", fixed=True),
        instant("confirmed_at", "When it was confirmed (recorded).", empty=True),
    ),
    (("marketplace", "status", "due_at"),),
)

REBILLS: Final = Table(
    "rebills",
    "state",
    3,
    "One row an instruction to bill the customer again, for cancelled units that shipped all the same.",
    (
        MARKETPLACE,
        ORDER_ID,
        text("rebill_id", "The rebilling, counted per order.", fixed=True),
        SELLER_ID,
        CURRENCY,
        CURRENCY_EXPONENT,
        minor("amount_minor", "Exactly what had been refunded for these units.", fixed=True),
        Column("lines", "json", 'What it is for: [{"line", "quantity"}, …].', fixed=True),
        text("status", "due until confirmed, then confirmed."),
        flag("failed", "1 while the last try failed."),
        text("memo_id", "The credit memo by which the seller was paid.", empty=True),
        instant("due_at", "When it was instructed (recorded).", fixed=True),
        instant("confirmed_at", "When it was confirmed (recorded).", empty=True),
    ),
    (("marketplace", "status", "due_at"),),
)

CREDIT_MEMOS: Final = Table(
    "credit_memos",
    "facts",
    3,
    "One row a credit memo: the seller is paid the amount rebilled.",
    (
        MARKETPLACE,
        ORDER_ID,
        text("memo_id", "The memo."),
        text("rebill_id", "The rebilling that it is for."),
        SELLER_ID,
        CURRENCY,
        CURRENCY_EXPONENT,
        minor("amount_minor", "How much."),
        instant("issued_at", "When it was issued (recorded)."),
        number("position", "Position of its event (audit_trail)."),
    ),
)
