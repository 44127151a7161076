"""The AsyncAPI document holds together: what it refers to is there, and nothing that is published is missing."""

import json
from collections.abc import Iterator
from functools import reduce
from typing import Any

import pytest

from consumers.command_topic.gateway import InputRecord
from consumers.engine.outcome import Outcome, refused, unavailable
from consumers.log.dead_letters import DeadLetter
from consumers.ports.public_log import PublicRecord
from docs.pages.public_topics import asyncapi
from schemas.framing import unframe
from schemas.public.contracts import all_contracts, schema_of
from schemas.public.ids import contract_of, pinned
from schemas.public.topics import COMMANDS, EVENTS, INSTRUCTIONS, OUTCOMES, TOPICS
from tests.spec.commands.test_form import DELIVER, ELSEWHERE, HERE, KEY, the_form
from tests.spec.publishing.test_types import one_of_every_kind

DOCUMENT = json.loads(asyncapi())


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"]
        for inner in part.values():
            yield from references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from references(inner)


def test_every_reference_leads_somewhere() -> None:
    found = set(references(DOCUMENT))
    assert found
    for reference in found:
        assert reduce(lambda part, step: part[step], reference.removeprefix("#/").split("/"), DOCUMENT)


def test_every_topic_is_a_channel() -> None:
    addresses = {name: channel["address"] for name, channel in DOCUMENT["channels"].items()}
    assert addresses == {kind: f"{{prefix}}.{kind}" for kind in (*(each.kind for each in TOPICS), COMMANDS, OUTCOMES)}


@pytest.mark.parametrize("contract", all_contracts(), ids=str)
def test_every_contract_is_a_message_with_its_id(contract) -> None:
    message = DOCUMENT["components"]["messages"][f"{contract.name.rpartition('.')[2]}.{contract.version}"]
    assert message["x-schema-id"] == pinned()[contract]
    assert message["payload"]["schema"] == schema_of(contract)
    used = {reference for channel in DOCUMENT["channels"].values() for reference in references(channel)}
    assert f"#/components/messages/{contract.name.rpartition('.')[2]}.{contract.version}" in used


# ---- headers: as they are on records, in both directions -------------------------------------------------------------


def document_of(message: str) -> tuple[set[str], set[str], dict[str, str]]:
    """The headers of a message: all that it may have, those that it always has, and those whose value is fixed."""
    found = DOCUMENT["components"]["messages"][message]
    traits = [
        reduce(lambda part, step: part[step], trait["$ref"][2:].split("/"), DOCUMENT)
        for trait in found.get("traits", ())
    ]
    parts = [each["headers"] for each in (*traits, found)]
    names = {name for part in parts for name in part["properties"]}
    required = {name for part in parts for name in part.get("required", ())}
    fixed = {n: p["const"] for part in parts for n, p in part["properties"].items() if "const" in p}
    return names, required, fixed


def agrees(record: PublicRecord, message: str) -> None:
    """A record has the headers that the document says, and no others."""
    names, required, fixed = document_of(message)
    headers = {name: value.decode() for name, value in record.headers}
    assert required <= set(headers) <= names
    assert {name: headers[name] for name in fixed} == fixed


def test_events_and_instructions_have_exactly_the_headers_of_the_document() -> None:
    records = one_of_every_kind()
    assert {record.kind for record in records} == {EVENTS, *INSTRUCTIONS}
    for record in records:
        contract = contract_of(unframe(record.value)[0])
        message = f"{contract.name.rpartition('.')[2]}.{contract.version}"
        agrees(record, message)
        assert {name for name, _ in record.headers} == document_of(message)[1]
        assert (
            dict(record.headers)["content-type"] == DOCUMENT["components"]["messages"][message]["contentType"].encode()
        )


def test_every_header_of_a_dead_letter_is_documented_and_each_that_is_documented_is_on_one() -> None:
    full = DeadLetter(
        "journal:0:17", "journal", "odd", b"k", b"v", "rescind.journal", 0, 17, 0, "acme/PO-1", 9, "LineShipped"
    )
    bare = DeadLetter("journal:0:17", "journal", "odd", b"k", b"v", "rescind.journal", 0, None, None, None, None)
    for letter in (full, bare):
        agrees(letter.record, "DeadLetter")
        stated = dict(letter.record.headers)["content-type"].decode()
        assert stated == DOCUMENT["components"]["messages"]["DeadLetter"]["contentType"]
    assert {name for name, _ in full.record.headers} == document_of("DeadLetter")[0]
    assert {name for name, _ in bare.record.headers} == document_of("DeadLetter")[1]


def test_every_header_of_a_command_and_of_its_outcome_is_documented() -> None:
    form = the_form()
    headers = {"rescind-ask": b"mine", "rescind-if-match": b"1", "rescind-confirm": b"required"}
    command = form.read(InputRecord(ELSEWHERE, 17, KEY, json.dumps(DELIVER).encode(), headers))
    assert form.ready(command) is None
    copy = form.forwarded(command)
    agrees(copy, "Command")
    assert {name for name, _ in copy.headers} == document_of("Command")[0]
    there = form.read(InputRecord(HERE, 3, copy.key, copy.value, dict(copy.headers)))
    outcomes = [
        Outcome("accepted"),
        unavailable("busy", "later"),
        Outcome("duplicate", original=refused("shipped-lock")),
    ]
    records = [record for outcome in outcomes for record in form.outcome_records(there, outcome)]
    for record in records:
        agrees(record, "Outcome")
    stated = {name for record in records for name, _ in record.headers}
    assert document_of("Outcome")[0] - stated <= {"etag", "location", "rescind-position"}, (
        "those that name an order's state"
    )
