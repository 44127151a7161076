"""The topics of commands and outcomes in the AsyncAPI document."""

from collections.abc import Sequence
from typing import Any, get_args

from consumers.engine.outcome import Kind
from schemas.public.topics import COMMANDS, OUTCOMES

COMMAND_HEADERS: list[tuple[str, str, str]] = [
    ("rescind-ask", "17", "A value of the sender's choice, at most 1,000 bytes; it is returned with the outcome."),
    ("rescind-if-match", "4", "The version that the order must have."),
    ("rescind-confirm", "required", "The command comes from a person and needs the confirmation of a preview."),
    (
        "rescind-input",
        "k3Jq…:0:511",
        "Only on a copy that the engine wrote: the original record in another partition.",
    ),
]
OUTCOME_HEADERS: list[tuple[str, str, str]] = [
    ("rescind-status", "409", "The status that HTTP would have."),
    ("rescind-input", "k3Jq…:3:1042", "The record that it answers, as it was sent: topic id, partition and offset."),
    ("rescind-passed-on", "k3Jq…:5:977", "The copy that was decided, if the command arrived in another partition."),
    ("rescind-ask", "17", "As the command had it."),
    ("content-type", "application/problem+json", "As over HTTP. The next headers are there if HTTP has them."),
    ("etag", '"5"', "The order's version."),
    ("location", "/v1/acme/orders/PO-1001", "Where a new order is."),
    ("rescind-position", "3:1042", "The token that a reader sends to read what this command wrote."),
    ("rescind-replayed", "true", "The command was answered before: this is the first answer."),
    ("retry-after", "1", "Seconds to wait before sending the command again."),
]
ASYNCHRONOUS = (
    (COMMANDS, "bulk and asynchronous writers", "Commands. Each record has one, which is decided once.", "Command"),
    (OUTCOMES, "senders of commands", "The outcome of each command, once.", "Outcome"),
)
"""Topics of commands, which exist with the setting ``commands``: kind, readers or writers, records, and the message's
name."""


def header_schema(headers: list[tuple[str, str, str]], always: Sequence[str] = ()) -> dict[str, Any]:
    """Make the JSON Schema of headers (name, example, meaning). ``always`` names those that every record has."""
    return {
        "type": "object",
        **({"required": list(always)} if always else {}),
        "properties": {
            name: {"type": "string", "description": what, "examples": [example]} for name, example, what in headers
        },
    }


def operations() -> dict[str, Any]:
    """Describe what the engine does with these topics."""
    return {
        "take-commands": {
            "action": "receive",
            "channel": {"$ref": f"#/channels/{COMMANDS}"},
            "summary": "Each command is decided once, also if it is sent twice under its id.",
            "reply": {"channel": {"$ref": f"#/channels/{OUTCOMES}"}},
        },
    }


def messages() -> dict[str, Any]:
    """Describe the messages on these topics."""
    return {
        "Command": {
            "name": "Command",
            "title": "Command",
            "summary": "A command as in commands.schema.json. Send texts as commitments of the vault, or over HTTP.",
            "contentType": "application/json",
            "headers": header_schema(COMMAND_HEADERS),
            "payload": {
                "type": "object",
                "required": ["command", "command_id", "marketplace", "actor"],
                "description": "One of the commands of commands.schema.json. A text may be replaced with "
                '{"commitment", "reference"}.',
            },
            "bindings": {"kafka": {"key": {"type": "string", "description": "marketplace/order_id"}}},
        },
        "Outcome": {
            "name": "Outcome",
            "title": "Outcome",
            "summary": "The body that HTTP answers with, with `outcome` added.",
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
                        "description": "Members that were left out to keep the record within its limit.",
                    },
                },
            },
            "bindings": {"kafka": {"key": {"type": "string", "description": "marketplace/order_id/command_id"}}},
        },
    }
