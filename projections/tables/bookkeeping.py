"""Tables that the projector keeps for itself: what is parked, and how far it is."""

from typing import Final

from projections.tables.shape import Column, Table, number, text

DEAD_LETTERS: Final = Table(
    "dead_letters",
    "state",
    3,
    "Orders that are parked: an event of theirs could not be told by this release. Their rows stand as before it.",
    (
        text("log", "journal or control."),
        Column("partition", "integer", "The partition."),
        text("stream", "The stream that is parked: marketplace/order_id."),
        number("ordinal", "Ordinal of the first commit that was left out."),
        number("position", "Position of that commit's first event."),
        text("event", "The event, where it is known which.", empty=True),
        text("error", "What went wrong."),
    ),
)

POSITIONS: Final = Table(
    "positions",
    "state",
    2,
    "How far the tables have followed each partition; written in the transaction that writes the rows.",
    (
        text("log", "journal or control."),
        Column("partition", "integer", "The partition."),
        number("next_ordinal", "Ordinal of the first commit that is not in the tables."),
        number("next_position", "Position of the first event that is not in the tables."),
        text("last_commit", "Hash of the last commit that is in them, hex; empty before the first."),
        number("letters", "How often streams were parked or freed."),
    ),
)
