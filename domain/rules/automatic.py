"""Rules that act by a deadline. Placing an order sets it, ``domain.decisions.deadline_effects`` has its effects."""

from typing import Annotated

from domain.calendar import Length
from domain.policy_terms import Key, LengthField, Table
from domain.rules.registry import Kind, Rule, register


class UnpaidAutoCancel(Table):
    """Parameters of ``unpaid-auto-cancel``."""

    after: Annotated[
        LengthField,
        Key(
            "length",
            lambda v: f"Open units are canceled if the order is not paid within {v} of placing, or by its own pay_by.",
        ),
    ] = Length(4, "days")


register(
    Rule(
        "unpaid-auto-cancel",
        "An order that is not paid for in time is canceled automatically.",
        Kind.AUTOMATIC,
        {"en": "It was not paid in time.", "de": "Sie wurde nicht rechtzeitig bezahlt."},
        terms=UnpaidAutoCancel,
        table_is_enough=True,
        deadline="unpaid",
    )
)


class LateShipAutoCancel(Table):
    """Parameters of ``late-ship-auto-cancel``."""

    after_ship_by: Annotated[
        LengthField, Key("length", lambda v: f"Open units are canceled {v} after the order's ship_by.")
    ] = Length(4, "days")


register(
    Rule(
        "late-ship-auto-cancel",
        "Open lines that are not shipped by a deadline are canceled automatically.",
        Kind.AUTOMATIC,
        {"en": "It was not shipped in time.", "de": "Sie wurde nicht rechtzeitig versandt."},
        terms=LateShipAutoCancel,
        table_is_enough=True,
        deadline="late-ship",
    )
)
