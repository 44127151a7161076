"""Tables of money that moves back and forth: payments, fees, refunds, other refunds, rebillings, credit memos."""

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

PAYMENTS: Final = Table(
    "payments",
    "state",
    3,
    "One row for each payment of an order, and what became of its money.",
    (
        MARKETPLACE,
        ORDER_ID,
        text("payment_id", "The payment's id.", fixed=True),
        text("method", "card, bank, wallet, gift_card, store_credit, cash or other.", fixed=True),
        text(
            "state",
            "authorized while any of it is authorized and not captured, then captured. released if the whole "
            "authorization lapsed.",
        ),
        minor("authorized_minor", "The amount that is authorized and not captured. Voided money stays in it."),
        minor("captured_minor", "The amount that is captured."),
        minor("refunded_minor", "The amount of the refunds to this payment that are confirmed."),
        minor("other_refunds_minor", "The amount of it that was given back elsewhere (other_refunds)."),
        minor("chargeback_minor", "The amount that an open chargeback demands back. 0 if none is open."),
        CURRENCY,
        CURRENCY_EXPONENT,
        instant("paid_at", "When the payment was recorded.", fixed=True),
    ),
)

FEES: Final = Table(
    "fees",
    "state",
    3,
    "One row for each fee of an order.",
    (
        MARKETPLACE,
        ORDER_ID,
        text("fee_id", "The fee's id.", fixed=True),
        text("title", "What the fee is for, if a title was given.", empty=True, fixed=True),
        CURRENCY,
        CURRENCY_EXPONENT,
        minor("amount_minor", "The amount, without the tax on top.", fixed=True),
        minor("tax_minor", "The fee's tax, on top of the amount or included in it.", fixed=True),
        text("refundable", "never, or with-order: refunded together with the order's shipping.", fixed=True),
    ),
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
        text(
            "status",
            "due, confirmed, settled_elsewhere or withdrawn. It is settled_elsewhere if the money was given back in "
            "another way, and withdrawn if it was instructed by mistake. A confirmed refund that fails is due again.",
        ),
        flag("failed", "1 while the latest attempt has failed, otherwise 0."),
        flag("waiting", "1 while any of it waits for a chargeback of its payment to end, otherwise 0."),
        minor(
            "due_minor",
            "The amount that counts as due (orders.refund_due_minor). Until the last part is confirmed, it is "
            "everything that was not settled elsewhere.",
        ),
        minor(
            "in_flight_minor",
            "The amount that the payment service has to pay out now: the parts that are neither confirmed, settled "
            "elsewhere, waiting nor withdrawn.",
        ),
        minor("waiting_minor", "The amount that waits for a chargeback. It is due and not instructed."),
        minor("settled_elsewhere_minor", "The amount that was given back outside the refund (other_refunds)."),
        Column("causes", "json", 'What made it due: [{"cause", "amount_minor"}, …].', fixed=True),
        Column(
            "parts",
            "json",
            'The payments that it goes back to: [{"payment_id", "method", "amount_minor", "kind", "waiting"}, …]. '
            "kind is refund, or void for money that was only authorized.",
        ),
        instant("due_at", "When the instruction was recorded.", fixed=True),
        instant("confirmed_at", "When the confirmation was recorded.", empty=True),
    ),
    (("marketplace", "status", "due_at"),),
)

OTHER_REFUNDS: Final = Table(
    "other_refunds",
    "state",
    3,
    "One row for each amount that was given back outside the engine's refunds. A chargeback that was lost can have "
    "several rows under one id.",
    (
        MARKETPLACE,
        ORDER_ID,
        Column("number", "integer", "Its number among the other refunds of the order, from 1.", fixed=True),
        text("other_refund_id", "The id of the other refund.", fixed=True),
        text("refund_id", "The refund that it settled, in whole or in part.", empty=True, fixed=True),
        text("payment_id", "The payment that it was taken from, where one was named.", empty=True, fixed=True),
        CURRENCY,
        CURRENCY_EXPONENT,
        minor("amount_minor", "The amount.", fixed=True),
        Column(
            "covers",
            "json",
            'What it was for: [{"kind", "line", "fee_id", "amount_minor"}, …]. kind is line, shipping (of the order) '
            "or fee. The rest of the amount is unassigned.",
            fixed=True,
        ),
        instant("at", "When it was recorded.", fixed=True),
    ),
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
