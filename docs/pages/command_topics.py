"""The topics of commands and outcomes, as the AsyncAPI document has them."""

from collections.abc import Sequence
from typing import Any, get_args

from consumers.engine.outcome import Kind
from schemas.public.topics import COMMANDS, OUTCOMES

COMMAND_HEADERS: list[tuple[str, str, str]] = [
    ("rescind-ask", "17", "Who asks, in their own words, at most 1,000 bytes; it comes back with the outcome."),
    ("rescind-if-match", "4", "The version that the order must have."),
    ("rescind-confirm", "required", "A person's own call, which needs the confirmation of a preview."),
    (
        "rescind-input",
        "k3Jq…:0:511",
        "Only on a copy that the engine wrote: the record that came by another partition.",
    ),
]
OUTCOME_HEADERS: list[tuple[str, str, str]] = [
    ("rescind-status", "409", "The status that HTTP would have."),
    ("rescind-input", "k3Jq…:3:1042", "The record that it answers, as it was sent: topic id, partition and offset."),
    ("rescind-passed-on", "k3Jq…:5:977", "The copy that was decided, where it came by another partition."),
    ("rescind-ask", "17", "As the command had it."),
    ("content-type", "application/problem+json", "As over HTTP; so are the next ones, where HTTP has them."),
    ("etag", '"5"', "The order's version."),
    ("location", "/v1/acme/orders/PO-1001", "Where a new order is."),
    ("rescind-position", "3:1042", "What a reader sends along to read what this wrote."),
    ("rescind-replayed", "true", "It was answered before: this is the first answer."),
    ("retry-after", "1", "Seconds after which asking again makes sense."),
]
ASYNCHRONOUS = (
    (COMMANDS, "bulk and asynchronous writers", "Commands, one a record, each decided once.", "Command"),
    (OUTCOMES, "whoever sent a command", "What became of each command, once.", "Outcome"),
)
"""Topics of commands, which are there with the setting ``commands``: kind, for whom, what is on them, and the
message's name."""


def header_schema(headers: list[tuple[str, str, str]], always: Sequence[str] = ()) -> dict[str, Any]:
    """What headers look like: name, example, what it says; and which ones every record has."""
    return {
        "type": "object",
        **({"required": list(always)} if always else {}),
        "properties": {
            name: {"type": "string", "description": what, "examples": [example]} for name, example, what in headers
        },
    }


def operations() -> dict[str, Any]:
    """What the engine does with them."""
    return {
        "take-commands": {
            "action": "receive",
            "channel": {"$ref": f"#/channels/{COMMANDS}"},
            "summary": "Each command is decided once, also if it is sent twice under its id.",
            "reply": {"channel": {"$ref": f"#/channels/{OUTCOMES}"}},
        },
    }


def messages() -> dict[str, Any]:
    """What is on them."""
    return {
        "Command": {
            "name": "Command",
            "title": "Command",
            "summary": "As in commands.schema.json; texts better as the vault gave them, or over HTTP.",
            "contentType": "application/json",
            "headers": header_schema(COMMAND_HEADERS),
            "payload": {
                "type": "object",
                "required": ["command", "command_id", "marketplace", "actor"],
                "description": "One of the commands of commands.schema.json. In place of a text may stand "
                '{"commitment", "reference"}.',
            },
            "bindings": {"kafka": {"key": {"type": "string", "description": "marketplace/order_id"}}},
        },
        "Outcome": {
            "name": "Outcome",
            "title": "Outcome",
            "summary": "What HTTP answers, with `outcome` before it.",
            "contentType": "application/json",
            "headers": header_schema(OUTCOME_HEADERS, ["rescind-status", "rescind-input", "content-type"]),
            "payload": {
                "type": "object",
                "required": ["outcome"],
                "properties": {
                    "outcome": {"enum": list(get_args(Kind))},
                    "left_out": {
                        "type": "array",
                        "items": {"type": "string"},
                        "description": "Members that would have made it longer than a record may be.",
                    },
                },
            },
            "bindings": {"kafka": {"key": {"type": "string", "description": "marketplace/order_id/command_id"}}},
        },
    }
