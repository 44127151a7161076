"""Tables that the projector keeps for itself: what is parked, and how far it is."""

from typing import Final

from projections.tables.shape import Column, Table, number, text

DEAD_LETTERS: Final = Table(
    "dead_letters",
    "state",
    3,
    "One row for each parked order. An order is parked if this release cannot project one of its events. The "
    "order's rows stay as they were before that event.",
    (
        text("log", "journal or control."),
        Column("partition", "integer", "The partition."),
        text("stream", "The parked stream: marketplace/order_id."),
        number("ordinal", "Ordinal of the first commit that was skipped."),
        number("position", "Position of that commit's first event."),
        text("event", "The event's stored name, if it is known.", empty=True),
        text("error", "The error."),
    ),
)

POSITIONS: Final = Table(
    "positions",
    "state",
    2,
    "How far the tables have followed each partition. This table is written in the same transaction as the rows.",
    (
        text("log", "journal or control."),
        Column("partition", "integer", "The partition."),
        number("next_ordinal", "Ordinal of the first commit that is not in the tables."),
        number("next_position", "Position of the first event that is not in the tables."),
        text("last_commit", "Hash of the last commit that is in the tables, in hex. Empty before the first commit."),
        number("letters", "How often a stream was parked or released."),
    ),
)
