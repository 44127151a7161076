"""The public topics: what is on them, as a page and as an AsyncAPI document."""

import json
from importlib import metadata
from typing import Any

from docs.pages.command_topics import ASYNCHRONOUS, header_schema, messages, operations
from docs.pages.events import fields_table
from docs.pages.text import NOTE, cell
from infra.kafka.admin import wanted_settings
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
from schemas.public.records import CONTENT_TYPE, LETTER_TYPE, contract_headers
from schemas.public.topics import COMMANDS, DEAD_LETTERS, EVENTS, OUTCOMES, PUBLISHED, TOPICS, PublicTopic

SOURCE = "`schemas/public/`"

HEADERS: list[tuple[str, str, str]] = [
    ("ce_specversion", "1.0", "The version of CloudEvents."),
    ("ce_id", "acme/PO-1001/4", "This record, for ever: the order and its version, or the instruction's id."),
    ("ce_source", "/rescind/acme", "The marketplace."),
    ("content-type", CONTENT_TYPE, "Avro, behind the framing."),
    ("ce_type", "rescind.order.LineShipped", "The contract of the body."),
    (
        "ce_dataschema",
        "urn:rescind:rescind.order.LineShipped:1",
        "The contract and its version, as a name: whoever gives out schema ids, it is the same.",
    ),
    ("ce_subject", "acme/PO-1001", "The order; the record's key too."),
    ("ce_time", "2026-03-02T11:00:00Z", "When it happened (`occurred_at`)."),
    (
        "rescind-position",
        "3:1042",
        "The partition, and the event's place among all events there; with holes, for what is not on the topic.",
    ),
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
    ("content-type", LETTER_TYPE, "Bytes, whatever they are."),
]
LETTER_ALWAYS = ("rescind-letter", "rescind-error", "rescind-origin", "rescind-place", "rescind-partition")
"""Headers that every dead letter has."""


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
        "defaultContentType": CONTENT_TYPE,
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
                    "contentType": LETTER_TYPE,
                    "headers": header_schema(LETTER_HEADERS, (*LETTER_ALWAYS, "content-type")),
                    "payload": {"type": "string", "format": "binary"},
                },
                **messages(),
            },
            "messageTraits": {"cloudEvent": {"headers": header_schema(HEADERS, [name for name, _, _ in HEADERS])}},
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
        "contentType": CONTENT_TYPE,
        "x-schema-id": pinned()[contract],
        "x-registry-subject": contract.name,
        "headers": {
            "type": "object",
            "properties": {name: {"const": value.decode()} for name, value in contract_headers(contract)},
        },
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
    return "\n".join([*_overview(), *_headers(), *_files(), *_records(), *_ids()])


def _overview() -> list[str]:
    return [
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
        "A registry has each contract under the subject that is its name, such as `rescind.order.LineShipped` or",
        "`rescind.instructions.RefundInstruction` (RecordNameStrategy: no topic, no `-value`), with the compatibility",
        "`FULL_TRANSITIVE` set on that subject. A contract is registered when its first record goes out; its versions",
        "there are the contract's, in their order.",
        "",
        "An event's `ce_id` and an instruction's `instruction_id` follow from the log alone. They are what to remember",
        "where something must be done once: a reader that fails between doing and committing its offset reads again.",
        "",
        "What an import writes is history: its events are published, with `history` true, and nobody is instructed.",
        "Where publishing begins on a journal that holds something already, `order-events` begins with its first",
        "event, and instructions where it was enabled. A journal that was published under another prefix before",
        "goes on with its instructions where that one ended.",
        "",
        "A topic that cannot be written holds up no other. It has every record once, in order, once it can be written",
        "again.",
        "",
    ]


def _headers() -> list[str]:
    return [
        "## Headers",
        "",
        "CloudEvents in Kafka's binary mode, and where it stands in the log.",
        "",
        "| header | like | |",
        "|---|---|---|",
        *(f"| `{name}` | `{example}` | {cell(what)} |" for name, example, what in HEADERS),
        "",
        "`rescind-position` counts every event of the journal's partition. Those about people and about imports are",
        "counted and not published, so it has holes. An order that was left out and is published later has lower ones",
        "than its neighbors on the topic. An event and its instructions have the same one. `rescind-version` shows",
        "whether an event of an order is missing.",
        "",
        "A dead letter has these instead, and the bytes that it was:",
        "",
        "| header | like | |",
        "|---|---|---|",
        *(f"| `{name}` | `{example}` | {cell(what)} |" for name, example, what in LETTER_HEADERS),
        "",
    ]


def _files() -> list[str]:
    return [
        "## Schemas as files",
        "",
        "The AsyncAPI document and a registry have each contract whole in itself. A parser that is to know several of",
        "them at once, such as Java's, refuses the second one that defines a shared type (\"Can't redefine\"). For it",
        "the package has `schemas/public/types`: one `.avsc` for each named type and for each message, without nested",
        "types, and `order.txt` with the order in which one parser reads them:",
        "",
        "```java",
        "Schema.Parser parser = new Schema.Parser();",
        'for (String name : Files.readAllLines(folder.resolve("order.txt"))) {',
        "  parser.parse(folder.resolve(name).toFile());",
        "}",
        'Schema schema = parser.getTypes().get("rescind.order.LineShipped");',
        "```",
        "",
    ]


def _records() -> list[str]:
    """The fields of the records of each topic."""
    lines = [
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
    return [*lines, "`Units`: " + cell(units["type"]["items"]["doc"]), "", *fields_table(units["type"]["items"])]


def _ids() -> list[str]:
    assert set(INSTRUCTION_VERSIONS) <= {name for topic in TOPICS for name in topic.contracts}
    return [
        "## Schema ids",
        "",
        "| id | contract | version |",
        "|---|---|---|",
        *(f"| {pinned()[c]} | `{c.name}` | {c.version} |" for c in sorted(all_contracts(), key=pinned().__getitem__)),
        "",
    ]
