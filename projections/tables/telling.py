"""The table of what buyers and sellers are told. How a notice went out is not here: the log does not know it."""

from typing import Final

from projections.tables.shape import MARKETPLACE, ORDER_ID, PARTITION, Table, instant, number, text

NOTIFICATIONS: Final = Table(
    "notifications",
    "facts",
    3,
    "What buyers and sellers are told, and what is known of its delivery: one row when a notice came about (told), and "
    "one for each report (delivered, failed). Nobody is told of what an import wrote. Whether and when a notice was "
    "handed over is what `rescind notices` says.",
    (
        PARTITION,
        number("position", "Position of the event that tells or reports (audit_trail)."),
        text("audience", "buyer or seller."),
        MARKETPLACE,
        ORDER_ID,
        text("notice_id", "The notice: told-VERSION-AUDIENCE, remind-DEADLINE-AUDIENCE, or notice-1, notice-2, …"),
        text("step", "told, delivered or failed."),
        text("recipient_id", "That buyer or seller."),
        text("event", "The event's stored name."),
        number("version", "The event's number in the order's history, from 1."),
        text("template", "What it is about; of what was told.", empty=True),
        text("reference", "Of a cancellation: its reference.", empty=True),
        instant("recorded_at", "When (recorded)."),
    ),
    (("marketplace", "order_id"), ("marketplace", "notice_id")),
)
