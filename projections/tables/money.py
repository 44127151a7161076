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
    "One row for each instruction to refund money.",
    (
        MARKETPLACE,
        ORDER_ID,
        text("refund_id", "The refund's id, counted per order.", fixed=True),
        SELLER_ID,
        CURRENCY,
        CURRENCY_EXPONENT,
        minor("amount_minor", "The amount.", fixed=True),
        text("status", "due until it is confirmed, then confirmed."),
        flag("failed", "1 while the latest attempt has failed, otherwise 0."),
        instant("due_at", "When the instruction was recorded.", fixed=True),
        instant("confirmed_at", "When the confirmation was recorded.", empty=True),
    ),
    (("marketplace", "status", "due_at"),),
)

REBILLS: Final = Table(
    "rebills",
    "state",
    3,
    "One row for each instruction to bill the customer again, for canceled units that shipped anyway.",
    (
        MARKETPLACE,
        ORDER_ID,
        text("rebill_id", "The rebill's id, counted per order.", fixed=True),
        SELLER_ID,
        CURRENCY,
        CURRENCY_EXPONENT,
        minor("amount_minor", "The amount. It is exactly what was refunded for these units.", fixed=True),
        Column("lines", "json", 'The units that are billed again: [{"line", "quantity"}, …].', fixed=True),
        text("status", "due until it is confirmed, then confirmed."),
        flag("failed", "1 while the latest attempt has failed, otherwise 0."),
        text("memo_id", "The credit memo that paid the seller.", empty=True),
        instant("due_at", "When the instruction was recorded.", fixed=True),
        instant("confirmed_at", "When the confirmation was recorded.", empty=True),
    ),
    (("marketplace", "status", "due_at"),),
)

CREDIT_MEMOS: Final = Table(
    "credit_memos",
    "facts",
    3,
    "One row for each credit memo. A credit memo pays the seller the amount that was rebilled.",
    (
        MARKETPLACE,
        ORDER_ID,
        text("memo_id", "The memo's id."),
        text("rebill_id", "The rebill that the memo is for."),
        SELLER_ID,
        CURRENCY,
        CURRENCY_EXPONENT,
        minor("amount_minor", "The amount."),
        instant("issued_at", "When issuing the memo was recorded."),
        number("position", "Position of the event in audit_trail."),
    ),
)
