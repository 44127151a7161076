"""Tables of what was said and what happened: messages, every event, policies."""

from typing import Final

from projections.tables.shape import MARKETPLACE, ORDER_ID, PARTITION, Column, Table, instant, number, text

MESSAGES: Final = Table(
    "messages",
    "facts",
    2,
    "One row a message between the parties, without its text: that is in the vault.",
    (
        PARTITION,
        number("position", "Position of its event (audit_trail)."),
        MARKETPLACE,
        ORDER_ID,
        text("message_id", "The message."),
        text("sender_kind", "buyer, seller, support or system."),
        text("sender_id", "Who sent it."),
        text("recipient", "buyer, seller or support."),
        text("about", "The request, case, dispute or return that it is about.", empty=True),
        instant("occurred_at", "When it was sent."),
        instant("recorded_at", "When that was recorded."),
        text("commitment", "HMAC of the text, hex."),
        text("reference", "Where the vault has the text."),
    ),
    (("marketplace", "order_id"),),
)

AUDIT_TRAIL: Final = Table(
    "audit_trail",
    "facts",
    2,
    "Every event of the journal, refusals included, as order history tells it.",
    (
        Column("partition", "integer", "The journal's partition."),
        number("position", "Dense number of the event in its partition, from 0."),
        text("marketplace", "The marketplace; null where the stream has none.", empty=True),
        text("order_id", "The order; null where the event is not an order's (subjects, imports).", empty=True),
        number("ordinal", "Dense number of its commit in the partition."),
        number("version", "The event's number in its stream, from 1."),
        text("event", "The event's stored name (events reference)."),
        instant("occurred_at", "When the world says it happened."),
        instant("recorded_at", "The engine's clock at the decision."),
        text("actor_kind", "buyer, seller, support or system."),
        text("actor_id", "Who said it."),
        text("commit", "Hash of its commit, hex."),
        Column("data", "json", "The event's fields."),
    ),
    (("marketplace", "order_id", "version"),),
)

POLICIES: Final = Table(
    "policies",
    "facts",
    2,
    "Every policy version that was published, from the control log.",
    (
        text("id", "The policy."),
        number("version", "Its version."),
        text("sha256", "SHA-256 of its document, hex."),
        Column("document", "json", "The canonical document."),
        instant("published_at", "When it was published (recorded)."),
        text("published_by", "Who published it."),
        number("position", "Position of the event in the control log."),
    ),
)
