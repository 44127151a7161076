"""The public topics and their records, as a page and as an AsyncAPI document."""

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
from schemas.public.topics import COMMANDS, DEAD_LETTERS, EVENTS, OUTCOMES, PUBLISHED, REFUNDS, TOPICS, PublicTopic

SOURCE = "`schemas/public/`"

HEADERS: list[tuple[str, str, str]] = [
    ("ce_specversion", "1.0", "The version of CloudEvents."),
    ("ce_id", "acme/PO-1001/4", "The permanent id of this record: the order and its version, or the instruction's id."),
    ("ce_source", "/rescind/acme", "The marketplace."),
    ("content-type", CONTENT_TYPE, "Avro, after the framing."),
    ("ce_type", "rescind.order.LineShipped", "The contract of the body."),
    (
        "ce_dataschema",
        "urn:rescind:rescind.order.LineShipped:1",
        "The contract and its version, as a name that does not depend on schema ids.",
    ),
    ("ce_subject", "acme/PO-1001", "The order, which is also the record's key."),
    ("ce_time", "2026-03-02T11:00:00Z", "When it happened (`occurred_at`)."),
    (
        "rescind-position",
        "3:1042",
        "The partition, and the event's place among all events there. Unpublished events leave gaps.",
    ),
    ("rescind-ordinal", "977", "The commit's number in the partition."),
    ("rescind-commit", "9f2c…", "The commit's hash in hex, with which you can request a proof."),
    ("rescind-version", "4", "The order's number of events, this one included."),
]
LETTER_HEADERS: list[tuple[str, str, str]] = [
    ("rescind-letter", "journal:0:17", "The permanent id of this dead letter."),
    ("rescind-error", "an order is stuck", "The error."),
    (
        "rescind-origin",
        "journal",
        "journal (malformed), views (cannot be projected), publisher (cannot be published), commands (not a command).",
    ),
    ("rescind-place", "rescind.journal", "The log that has the bytes."),
    ("rescind-partition", "0", "The partition of that log."),
    ("rescind-offset", "17", "The record's offset in that partition."),
    ("rescind-index", "0", "The commit in that record; absent for a whole record."),
    ("rescind-stream", "acme/PO-1001", "The order, if it is known."),
    ("rescind-ordinal", "977", "The commit's number in the partition; absent if it was never admitted."),
    ("rescind-event", "LineShipped", "The event, if it is known."),
    ("content-type", LETTER_TYPE, "Arbitrary bytes."),
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
            "description": "What the engine publishes for other services. Readers with isolation level read_committed "
            "see each record once and in the log's order.",
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
                    "summary": "The original bytes.",
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
        "parameters": {"prefix": {"description": "The prefix in the journal's URL.", "default": "rescind"}},
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
    """Write the page about the records of each public topic."""
    return "\n".join([*_overview(), *_headers(), *_files(), *_records(), *_ids()])


def _overview() -> list[str]:
    return [
        "# Public topics",
        "",
        NOTE.format(source=SOURCE),
        "",
        "The engine publishes these topics for other services ([how to read them](../how-to/consume-order-events.md)).",
        "Readers with `isolation.level=read_committed` see every record of a topic once, and in the log's order,",
        "because an event and the publishing progress are written in one transaction. Topics are named `PREFIX.KIND`,",
        "have the same partitions as the journal, and retain everything. The exact form is in the",
        "{download}`AsyncAPI document <asyncapi.json>`.",
        "",
        "| topic | for | |",
        "|---|---|---|",
        *(f"| `{topic.kind}` | {topic.reader} | {cell(topic.records)} |" for topic in TOPICS),
        f"| `{PUBLISHED}` | rescind itself | How far each partition is published; compacted. |",
        *(f"| `{kind}` | {reader} | {cell(records)} |" for kind, reader, records, _ in ASYNCHRONOUS),
        "",
        f"`{COMMANDS}` and `{OUTCOMES}` are JSON ([send commands through a topic](../how-to/commands-topic.md)). A",
        "command may arrive in any partition. The engine forwards it to its order's, by murmur2 of the key, and writes",
        "the outcome there. The rest of this page is about the other topics.",
        "",
        "Key: `marketplace/order_id`. Value: Avro after Confluent's framing (a zero byte, the schema's id in 4 bytes,",
        "big-endian, the body). The id is the schema registry's if one is set, else the one in the table below. Ids",
        "are never reused. Contracts evolve so that every version reads every other (`FULL_TRANSITIVE`).",
        "",
        "A registry has each contract under the subject that is its name, such as `rescind.order.LineShipped` or",
        "`rescind.instructions.RefundInstruction` (RecordNameStrategy: no topic, no `-value`), with the compatibility",
        "`FULL_TRANSITIVE` set on that subject. A contract is registered when its first record is published. Its",
        "versions there are the contract's, in their order.",
        "",
        "An event's `ce_id` and an instruction's `instruction_id` follow from the log alone. Store them if something",
        "must be done once, because a reader that fails between its work and the commit of its offset reads the record",
        "again.",
        "",
        "An import writes history: its events are published, with `history` true, but no instructions. If publishing",
        "begins on a journal that already has events, `order-events` begins with the first event, and instructions",
        "begin where publishing was enabled. If a journal was published under another prefix before, its instructions",
        "continue where that prefix ended.",
        "",
        "A topic that cannot be written does not stop the others. When it can be written again, it gets every record",
        "once, in order.",
        "",
    ]


def _headers() -> list[str]:
    return [
        "## Headers",
        "",
        "The headers follow CloudEvents in Kafka's binary mode, and add the record's place in the log.",
        "",
        "| header | like | |",
        "|---|---|---|",
        *(f"| `{name}` | `{example}` | {cell(what)} |" for name, example, what in HEADERS),
        "",
        "`rescind-position` counts every event of the journal's partition. Events about people and about imports are",
        "counted but not published, so the positions have gaps. An order that was left out and is published later has",
        "lower positions than its neighbors on the topic. An event and its instructions have the same position.",
        "`rescind-version` shows whether an event of an order is missing.",
        "",
        "A dead letter has these headers instead, and the original bytes:",
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
        "The AsyncAPI document and a registry have each contract in one piece. A parser that reads several of",
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
    """Describe the fields of the records of each topic."""
    lines = [
        "## order-events",
        "",
        "A record is named `rescind.order.EVENT`. It has these fields, and in `data` the fields of the event",
        "([Events](events.md)).",
        "",
        *fields_table(frame_schema()),
    ]
    shared: dict[str, dict[str, Any]] = {}
    for topic in TOPICS:
        lines += [f"## {topic.kind}", ""] if topic.contracts else []
        for name in topic.contracts:
            contract = instruction_contract(name)
            schema = schema_of(contract)
            lines += [f"`{contract.name}`: {cell(schema['doc'])}", "", *fields_table(schema)]
            inner = [field["type"]["items"] for field in schema["fields"] if "items" in field["type"]]
            shared |= {each["name"]: each for each in inner}
        lines += _STOPS if topic.kind == REFUNDS else []
    for each in shared.values():
        lines += [f"`{each['name']}`: {cell(each['doc'])}", "", *fields_table(each)]
    return lines


_STOPS = [
    "Parts of a refund that [wait for a chargeback](money.md#chargebacks) are not instructed. If a refund waits as a",
    "whole, nothing is written. When the chargeback is closed, the parts that it releases are one instruction for each",
    "refund, once, with the `instruction_id` `marketplace/order_id/REFUND.VERSION`. `VERSION` is the number of the",
    "event `ChargebackClosed` in the order's history.",
    "",
    "A refund that was withdrawn or given back elsewhere after its instruction has one `RefundStop`, with the",
    "`instruction_id` `marketplace/order_id/stop-REFUND`. It is behind the instruction in the same partition. What was",
    "paid before it arrived stays paid. Report it to support, because `ConfirmRefund` is refused by `refund-closed`.",
    "Select records by `ce_type` or by the schema, because the topic has both kinds. What a lost chargeback took was",
    "never instructed, and has no `RefundStop`.",
    "",
]


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
