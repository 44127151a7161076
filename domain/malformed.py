"""Explains malformed commands: the field as a JSON pointer, and what to write there.

The permitted forms of texts are defined here with their sentences. A sentence never quotes the input.
"""

from typing import Any, Final

from pydantic import ValidationError

from domain.errors import BadInput
from domain.wording import counted

MOST_FIELDS: Final = 64
"""The most fields of an object in a command. No form has as many."""
MOST_ENTRIES: Final = 10_000
"""The most entries of a list in a command."""
PRINTABLE: Final = r"^[^\x00-\x1f\x7f]+$"
PRINTABLE_OR_EMPTY: Final = r"^[^\x00-\x1f\x7f]*$"
COMMAND_ID: Final = r"^[A-Za-z0-9._:\-]{1,100}$"
MARKETPLACE: Final = r"^[a-z0-9\-]{1,64}$"
ORDER_ID: Final = r"^[A-Za-z0-9._\-]{1,64}$"
AMOUNT: Final = r"^[0-9]{1,18}(\.[0-9]{1,9})?$"
SIGNED_AMOUNT: Final = r"^-?[0-9]{1,18}(\.[0-9]{1,9})?$"
SHA256: Final = r"^[0-9a-fA-F]{64}$"
CURRENCY: Final = r"^[A-Z]{3}$"
POLICY_NAME: Final = r"^[a-z0-9][a-z0-9\-]{0,63}(@[1-9][0-9]{0,8})?$"
MEDIA_TYPE: Final = r"^[\w.+\-]{1,60}/[\w.+\-]{1,60}$"

_FORMS: Final = {
    PRINTABLE: "must not be empty or hold control characters",
    PRINTABLE_OR_EMPTY: "must not hold control characters",
    COMMAND_ID: "must be 1 to 100 of A-Z a-z 0-9 . _ : -",
    MARKETPLACE: "must be 1 to 64 of a-z 0-9 -",
    ORDER_ID: "must be 1 to 64 of A-Z a-z 0-9 . _ -",
    AMOUNT: 'must be a decimal like "10.00", with at most 18 digits before the point',
    SIGNED_AMOUNT: 'must be a decimal like "0.01" or "-0.01", with at most 18 digits before the point',
    SHA256: "must be 64 hexadecimal digits",
    CURRENCY: "must be three capital letters, a code of ISO 4217 like USD",
    POLICY_NAME: "must be the name of a policy, id or id@version, like big-box or big-box@1",
    MEDIA_TYPE: "must be a media type like image/jpeg",
}
_OBJECTS: Final = {
    "Pick": 'must be a line number or {"line": 1, "quantity": 3}',
    "Actor": 'must be an object like {"kind": "buyer", "id": "b-7"}',
    "NewLine": "must be an object with line, sku, quantity and unit_price",
    "NewFee": "must be an object with fee_id and amount",
    "Covers": 'must be an object like {"line": 1, "amount": "10.00"}',
    "ListingRef": "must be an object with ref and sha256",
    "ReplacedOrder": "must be an object with order_id and lines",
}
_PLAIN: Final = {
    "missing": "the field is required",
    "extra_forbidden": "there is no such field",
    "string_type": "must be a string",
    "string_unicode": "must be text of whole characters",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "recursion_loop": "is nested in itself",
}


def check_shape(value: object) -> None:
    """Raise ``BadInput`` for the first null, or the first object or list that is larger than any form allows.

    Runs before any field is validated, so that a list of 100,000 wrong entries costs no more than its length.
    """
    if not _is_misshapen(value):
        return
    steps: list[object] = []
    message = _first_misshapen(value, steps)
    raise BadInput("".join(f"/{_step(step)}" for step in reversed(steps)), "form", message or "")


def _first_misshapen(value: object, steps: list[object]) -> str | None:
    """Describe the first misshapen part, or return None if there is none.

    The path to the part is added to ``steps``, innermost step first. Each value is visited once.
    """
    match value:
        case None:
            return "is null, which says nothing: leave it out"
        case dict() if len(value) > MOST_FIELDS:
            return f"must have at most {counted(MOST_FIELDS, 'field')}"
        case list() | tuple() if len(value) > MOST_ENTRIES:
            return f"must have at most {counted(MOST_ENTRIES, 'entry', 'entries')}"
        case dict() | list() | tuple():
            for step, part in value.items() if isinstance(value, dict) else enumerate(value):
                message = _first_misshapen(part, steps)
                if message is not None:
                    steps.append(step)
                    return message
        case _:
            pass
    return None


def _is_misshapen(value: object) -> bool:
    """Whether ``_first_misshapen`` would find anything. This check is fast, because most commands are well shaped."""
    if not isinstance(value, dict | list | tuple):
        return value is None
    if len(value) > (MOST_FIELDS if isinstance(value, dict) else MOST_ENTRIES):
        return True
    for part in value.values() if isinstance(value, dict) else value:
        if part is None:
            return True
        kind = part.__class__
        if kind is not str and kind is not int and _is_misshapen(part):
            return True
    return False


def translate_error(invalid: ValidationError) -> BadInput:
    """Translate the first validation error into a sentence with its JSON pointer."""
    error = invalid.errors(include_url=False)[0]
    pointer = "".join(f"/{_step(step)}" for step in error["loc"])
    return BadInput(pointer, "form", _sentence(error["type"], error.get("ctx", {}), error["input"], error["msg"]))


def _step(step: object) -> str:
    return str(step).replace("~", "~0").replace("/", "~1")


def _sentence(kind: str, about: dict[str, Any], value: object, otherwise: str) -> str:
    match kind:
        case "value_error":
            return otherwise.removeprefix("Value error, ")
        case "string_pattern_mismatch":
            pattern = str(about["pattern"])
            negative = pattern == AMOUNT and isinstance(value, str) and value.startswith("-")
            return "must not be negative" if negative else _FORMS.get(pattern, otherwise)
        case "string_too_short":
            return "must not be empty"
        case "string_too_long":
            return f"must have at most {counted(about['max_length'], 'character')}"
        case "too_short":
            return "must not be empty"
        case "too_long":
            return f"must have at most {counted(about['max_length'], 'entry', 'entries')}"
        case "greater_than_equal":
            return f"must be at least {about['ge']:,}"
        case "less_than_equal":
            return f"must be at most {about['le']:,}"
        case "literal_error":
            return f"must be one of {str(about['expected']).replace(' or ', ', ')}".replace("'", "")
        case "model_type" | "model_attributes_type" | "dict_type":
            return _OBJECTS.get(str(about.get("class_name")), "must be an object")
        case _:
            return _PLAIN.get(kind, otherwise)
