"""Finds e-mail addresses in ids (rule ``personal-data-in-id``).

Ids stand in the log for ever and cannot be erased. An id that a client invents must not identify a person.
"""

from itertools import pairwise
from typing import Final

from domain.commands import Command
from domain.errors import BadInput
from domain.order import Order

FIELDS: Final = ("buyer_id", "seller_id", "ticket", "correlation_id", "po_number", "checkout_id")
"""Fields of commands that are stored as ids, apart from the actor's id."""


def holds_address(text: str) -> bool:
    """Whether a text holds what looks like an e-mail address: ``[^@\\s]+@[^@\\s]+\\.[^@\\s]+``.

    Takes time linear in the length of the text, which the expression does not.
    """
    return "@" in text and any(
        before and not before[-1].isspace() and _is_host(after) for before, after in pairwise(text.split("@"))
    )


def _is_host(text: str) -> bool:
    """Whether a text begins with a word that has a dot inside."""
    return bool(text) and not text[0].isspace() and "." in text.split(None, 1)[0][1:-1]


def check_ids(order: Order, command: Command) -> None:
    """Raise ``BadInput`` for an id with an e-mail address that the order does not know yet.

    Ids that it knows are accepted, so that retries and commands about older orders go on.
    """
    found = {"/actor/id": command.actor.id}
    found |= {f"/{name}": value for name in FIELDS if (value := getattr(command, name, None)) is not None}
    for pointer, value in found.items():
        if holds_address(value) and value not in _known(order):
            raise BadInput(
                pointer,
                "personal-data-in-id",
                "holds an e-mail address, and ids can never be erased: send a pseudonym, such as a customer number",
            )


def _known(order: Order) -> set[str | None]:
    known: set[str | None] = {*order.personal_ids, *(dispute.ticket for dispute in order.disputes.values())}
    if order.placed is not None:
        terms = order.placed
        known |= {terms.buyer_id, terms.seller_id, terms.po_number, terms.checkout_id}
    return known
