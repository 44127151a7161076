"""The tables messages, audit_trail and policies."""

from typing import Final

from projections.tables.shape import MARKETPLACE, ORDER_ID, PARTITION, Column, Table, instant, number, text

MESSAGES: Final = Table(
    "messages",
    "facts",
    2,
    "One row for each message between the parties. Its text is in the vault.",
    (
        PARTITION,
        number("position", "Position of the event in audit_trail."),
        MARKETPLACE,
        ORDER_ID,
        text("message_id", "The message's id."),
        text("sender_kind", "buyer, seller, support or system."),
        text("sender_id", "The sender's id."),
        text("recipient", "buyer, seller or support."),
        text("about", "The request, case, dispute or return that the message is about.", empty=True),
        instant("occurred_at", "When the message was sent."),
        instant("recorded_at", "When the message was recorded."),
        text("commitment", "HMAC of the text, in hex."),
        text("reference", "The vault's reference of the text."),
    ),
    (("marketplace", "order_id"),),
)

AUDIT_TRAIL: Final = Table(
    "audit_trail",
    "facts",
    2,
    "One row for each event of the journal, as `rescind order history` shows it. Refusals are included.",
    (
        Column("partition", "integer", "The journal's partition."),
        number("position", "Number of the event in its partition, from 0 without gaps."),
        text("marketplace", "The marketplace. Empty if the event belongs to no marketplace.", empty=True),
        text("order_id", "The order. Empty if the event belongs to a subject or an import.", empty=True),
        number("ordinal", "Number of the event's commit in the partition, from 0 without gaps."),
        number("version", "The event's number in its stream, from 1."),
        text("event", "The event's stored name, as in the reference of events."),
        instant("occurred_at", "When it happened, by the claim of the command."),
        instant("recorded_at", "The time of the engine's clock at the decision."),
        text("actor_kind", "buyer, seller, support or system."),
        text("actor_id", "The id of the person or system that gave the command."),
        text("commit", "Hash of the event's commit, in hex."),
        Column("data", "json", "The event's fields."),
    ),
    (("marketplace", "order_id", "version"),),
)

POLICIES: Final = Table(
    "policies",
    "facts",
    2,
    "One row for each policy version that was published in the control log.",
    (
        text("id", "The policy's id."),
        number("version", "The policy's version."),
        text("sha256", "SHA-256 of the policy's document, in hex."),
        Column("document", "json", "The canonical document."),
        instant("published_at", "When publishing the policy was recorded."),
        text("published_by", "The id of the person who published the policy."),
        number("position", "Position of the event in the control log."),
    ),
)
