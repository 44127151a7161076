"""The table notifications. It does not show whether a notification was sent, because the log does not have that."""

from typing import Final

from projections.tables.shape import MARKETPLACE, ORDER_ID, PARTITION, Table, instant, number, text

NOTIFICATIONS: Final = Table(
    "notifications",
    "facts",
    3,
    "Notifications of buyers and sellers, and reports of their delivery. A notification has one row in which "
    "step is told, and one row for each report, in which step is delivered or failed. Nobody is notified of "
    "imported history. `rescind notices` shows whether and when a notification was sent.",
    (
        PARTITION,
        number(
            "position",
            "Position in audit_trail of the event that caused the notification, or that reports its delivery.",
        ),
        text("audience", "buyer or seller."),
        MARKETPLACE,
        ORDER_ID,
        text(
            "notice_id",
            "The notification's id: told-VERSION-AUDIENCE, remind-DEADLINE-AUDIENCE, or notice-1, notice-2, …",
        ),
        text("step", "told, delivered or failed."),
        text("recipient_id", "The id of that buyer or seller."),
        text("event", "The event's stored name."),
        number("version", "The event's number in the order's history, from 1."),
        text("template", "The name of the notification's template, in a row in which step is told.", empty=True),
        text("reference", "The reference of the cancellation, if the notification is about one.", empty=True),
        instant("recorded_at", "When it was recorded."),
    ),
    (("marketplace", "order_id"), ("marketplace", "notice_id")),
)
