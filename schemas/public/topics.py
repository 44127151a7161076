"""The public topics by kind. A topic's name is ``PREFIX.KIND``; its partitions are the journal's, p to p."""

from dataclasses import dataclass
from typing import Final

EVENTS: Final = "order-events"
REFUNDS: Final = "refunds"
REBILLS: Final = "rebills"
CREDIT_MEMOS: Final = "credit-memos"
RESTOCK: Final = "restock"
NOTIFICATIONS: Final = "notifications"
DEAD_LETTERS: Final = "dead-letters"
PUBLISHED: Final = "published"
COMMANDS: Final = "commands"
OUTCOMES: Final = "outcomes"


@dataclass(frozen=True, slots=True)
class PublicTopic:
    """A topic of this kind: who reads it, what its records are, and the names of their contracts.

    ``contracts`` is empty where a record has no contract of its own (dead letters have the original bytes).
    """

    kind: str
    reader: str
    records: str
    contracts: tuple[str, ...] = ()


TOPICS: Final = (
    PublicTopic(EVENTS, "downstream services", "All events of all orders. Each record has one event."),
    PublicTopic(
        REFUNDS,
        "the payment service",
        "Instructions to refund money, and not to refund it after all. Each is written once.",
        ("RefundInstruction", "RefundStop"),
    ),
    PublicTopic(
        REBILLS,
        "the payment service",
        "Instructions to bill a customer again. Each is written once.",
        ("RebillInstruction",),
    ),
    PublicTopic(
        CREDIT_MEMOS,
        "accounts",
        "Instructions to pay a seller. Each is written once.",
        ("CreditMemoInstruction",),
    ),
    PublicTopic(
        RESTOCK,
        "the warehouse",
        "Instructions to move units into or out of stock. Each is written once.",
        ("RestockInstruction",),
    ),
    PublicTopic(
        NOTIFICATIONS,
        "mail",
        "Instructions to notify a buyer or a seller. Each is written once.",
        ("NotificationInstruction",),
    ),
    PublicTopic(
        DEAD_LETTERS,
        "operators",
        "Records that could not be read, projected or published, as their original bytes. Headers have the error.",
    ),
)
"""All topics that other services may read, apart from the journal itself."""

INSTRUCTIONS: Final = (REFUNDS, REBILLS, CREDIT_MEMOS, RESTOCK, NOTIFICATIONS)
"""Kinds whose records other services act on. Imported history writes none of them."""

WRITTEN: Final = (EVENTS, *INSTRUCTIONS, DEAD_LETTERS)
"""Kinds that the publisher writes."""


def topic_name(prefix: str, kind: str) -> str:
    """The topic of this kind."""
    return f"{prefix}.{kind}"
