"""The public topics: what is on them, as a page and as an AsyncAPI document."""

import json
from importlib import metadata
from typing import Any

from docs.pages.command_topics import ASYNCHRONOUS, header_schema, messages, operations
from docs.pages.events import fields_table
from docs.pages.text import NOTE, cell
from infra.kafka.topics import wanted_settings
from schemas.public.contracts import (
    EVENT_NAMESPACE,
    INSTRUCTION_VERSIONS,
    Contract,
    all_contracts,
    frame_schema,
    instruction_contract,
    schema_of,
)
from schemas.public.ids import pinned
from schemas.public.topics import COMMANDS, DEAD_LETTERS, EVENTS, OUTCOMES, PUBLISHED, TOPICS, PublicTopic

SOURCE = "`schemas/public/`"

HEADERS: list[tuple[str, str, str]] = [
    ("ce_specversion", "1.0", "The version of CloudEvents."),
    ("ce_id", "acme/PO-1001/4", "This record, for ever: the order and its version, or the instruction's id."),
    ("ce_source", "/rescind/acme", "The marketplace."),
    ("ce_type", "rescind.order.LineShipped", "The contract of the body."),
    ("ce_subject", "acme/PO-1001", "The order; the record's key too."),
    ("ce_time", "2026-03-02T11:00:00Z", "When it happened (`occurred_at`)."),
    ("rescind-position", "3:1042", "The partition, and the event's place in it: dense, without holes."),
    ("rescind-ordinal", "977", "The commit's number in the partition."),
    ("rescind-commit", "9f2c…", "The commit's hash, hex: what a proof is asked for with."),
    ("rescind-version", "4", "The order's number of events, with this one."),
]
LETTER_HEADERS: list[tuple[str, str, str]] = [
    ("rescind-letter", "journal:0:17", "This letter, for ever."),
    ("rescind-error", "an order is stuck", "What went wrong."),
    (
        "rescind-origin",
        "journal",
        "journal (malformed), views (cannot be told), publisher (cannot be published), commands (no command).",
    ),
    ("rescind-place", "rescind.journal", "The log that the bytes stand in."),
    ("rescind-partition", "0", "The partition there."),
    ("rescind-offset", "17", "The record there."),
    ("rescind-index", "0", "The commit in that record; absent for a whole record."),
    ("rescind-stream", "acme/PO-1001", "The order, where it is known."),
    ("rescind-ordinal", "977", "The commit's number in the partition; absent for what was never admitted."),
    ("rescind-event", "LineShipped", "The event, where it is known which."),
]


def _contracts_of(topic: PublicTopic) -> list[Contract]:
    if topic.kind == EVENTS:
        return [each for each in all_contracts() if each.name.startswith(f"{EVENT_NAMESPACE}.")]
    return [each for each in all_contracts() if each.name.rpartition(".")[2] in topic.contracts]


def _message_name(contract: Contract) -> str:
    return f"{contract.name.rpartition('.')[2]}.{contract.version}"


# ---- AsyncAPI -------------------------------------------------------------------------------------------------------


def asyncapi() -> str:
    """The AsyncAPI document, as JSON."""
    document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "rescind: public topics",
            "version": metadata.version("rescind"),
            "description": "What rescind tells other services. Each record is there once and in the log's order for "
            "readers with isolation level read_committed.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/vnd.apache.avro",
        "channels": {
            **{topic.kind: _channel(topic) for topic in TOPICS},
            **{kind: _channel_of(kind, reader, records, [name]) for kind, reader, records, name in ASYNCHRONOUS},
        },
        "operations": {
            **operations(),
            **{
                f"write-{topic.kind}": {
                    "action": "send",
                    "channel": {"$ref": f"#/channels/{topic.kind}"},
                    "summary": topic.records,
                }
                for topic in TOPICS
                if _contracts_of(topic) or topic.kind == DEAD_LETTERS
            },
        },
        "components": {
            "messages": {
                **{_message_name(contract): _message(contract) for contract in all_contracts()},
                "DeadLetter": {
                    "name": "DeadLetter",
                    "title": "Dead letter",
                    "summary": "The original bytes, whatever they are.",
                    "contentType": "application/octet-stream",
                    "headers": header_schema(LETTER_HEADERS),
                    "payload": {"type": "string", "format": "binary"},
                },
                **messages(),
            },
            "messageTraits": {"cloudEvent": {"headers": header_schema(HEADERS)}},
        },
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _channel(topic: PublicTopic) -> dict[str, Any]:
    names = ["DeadLetter"] if topic.kind == DEAD_LETTERS else [_message_name(c) for c in _contracts_of(topic)]
    return _channel_of(topic.kind, topic.reader, topic.records, names)


def _channel_of(kind: str, reader: str, records: str, names: list[str]) -> dict[str, Any]:
    settings = wanted_settings(3)
    return {
        "address": f"{{prefix}}.{kind}",
        "title": kind,
        "description": f"{records} For {reader}.",
        "parameters": {"prefix": {"description": "What the journal's URL names.", "default": "rescind"}},
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {
            "kafka": {
                "topicConfiguration": {"cleanup.policy": ["delete"], "retention.ms": int(settings["retention.ms"])},
                "bindingVersion": "0.5.0",
            }
        },
    }


def _message(contract: Contract) -> dict[str, Any]:
    schema = schema_of(contract)
    return {
        "name": contract.name,
        "title": schema["name"],
        "summary": schema["doc"],
        "contentType": "application/vnd.apache.avro",
        "x-schema-id": pinned()[contract],
        "traits": [{"$ref": "#/components/messageTraits/cloudEvent"}],
        "payload": {"schemaFormat": "application/vnd.apache.avro+json;version=1.9.0", "schema": schema},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": "marketplace/order_id"},
                "schemaIdLocation": "payload",
                "schemaIdPayloadEncoding": "confluent",
                "schemaLookupStrategy": "RecordNameStrategy",
                "bindingVersion": "0.5.0",
            }
        },
    }


# ---- the page -------------------------------------------------------------------------------------------------------


def topics_page() -> str:
    """What is on each public topic."""
    lines = [
        "# Public topics",
        "",
        NOTE.format(source=SOURCE),
        "",
        "What rescind tells other services ([how to read it](../how-to/consume-order-events.md)). Every record is on",
        "its topic once, and in the log's order, for readers with `isolation.level=read_committed`: an event and how",
        "far was published are written in one transaction. Topics are named `PREFIX.KIND`, have the journal's",
        "partitions, p to p, and keep everything. The form, exactly: {download}`AsyncAPI document <asyncapi.json>`.",
        "",
        "| topic | for | |",
        "|---|---|---|",
        *(f"| `{topic.kind}` | {topic.reader} | {cell(topic.records)} |" for topic in TOPICS),
        f"| `{PUBLISHED}` | ourselves | How far each partition is published; compacted. |",
        *(f"| `{kind}` | {reader} | {cell(records)} |" for kind, reader, records, _ in ASYNCHRONOUS),
        "",
        f"`{COMMANDS}` and `{OUTCOMES}` are JSON ([send commands by a topic](../how-to/commands-topic.md)). A command",
        "may come by any partition: the engine passes it on to its order's, by murmur2 of the key, and its outcome",
        "stands there. The rest of this page is about the other topics.",
        "",
        "Key: `marketplace/order_id`. Value: Avro behind Confluent's framing (a zero byte, the schema's id in 4 bytes,",
        "big-endian, the body). The id is the schema registry's where one is set, else the one in the table below; ids",
        "are never given twice. Contracts evolve so that every version reads every other (`FULL_TRANSITIVE`).",
        "",
        "An event's `ce_id` and an instruction's `instruction_id` follow from the log alone. They are what to remember",
        "where something must be done once: a reader that fails between doing and committing its offset reads again.",
        "",
        "What an import writes is history: its events are published, with `history` true, and nobody is instructed.",
        "Where publishing begins on a journal that holds something already, `order-events` begins with its first",
        "event, and instructions where it was enabled.",
        "",
        "## Headers",
        "",
        "CloudEvents in Kafka's binary mode, and where it stands in the log.",
        "",
        "| header | like | |",
        "|---|---|---|",
        *(f"| `{name}` | `{example}` | {cell(what)} |" for name, example, what in HEADERS),
        "",
        "A dead letter has these instead, and the bytes that it was:",
        "",
        "| header | like | |",
        "|---|---|---|",
        *(f"| `{name}` | `{example}` | {cell(what)} |" for name, example, what in LETTER_HEADERS),
        "",
        "## order-events",
        "",
        "A record is named `rescind.order.EVENT`. It has these fields, and in `data` the fields of the event",
        "([Events](events.md)).",
        "",
        *fields_table(frame_schema()),
    ]
    for topic in TOPICS:
        for name in topic.contracts:
            contract = instruction_contract(name)
            schema = schema_of(contract)
            lines += [f"## {topic.kind}", "", f"`{contract.name}`: {cell(schema['doc'])}", "", *fields_table(schema)]
    units = next(
        field for field in schema_of(instruction_contract("RestockInstruction"))["fields"] if field["name"] == "lines"
    )
    lines += ["`Units`: " + cell(units["type"]["items"]["doc"]), "", *fields_table(units["type"]["items"])]
    lines += [
        "## Schema ids",
        "",
        "| id | contract | version |",
        "|---|---|---|",
        *(f"| {pinned()[c]} | `{c.name}` | {c.version} |" for c in sorted(all_contracts(), key=pinned().__getitem__)),
        "",
    ]
    assert set(INSTRUCTION_VERSIONS) <= {name for topic in TOPICS for name in topic.contracts}
    return "\n".join(lines)
