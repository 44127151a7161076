"""The AsyncAPI document holds together: what it refers to is there, and nothing that is published is missing."""

import json
from collections.abc import Iterator
from functools import reduce
from typing import Any

import pytest

from docs.pages.public_topics import asyncapi
from schemas.public.contracts import all_contracts, schema_of
from schemas.public.ids import pinned
from schemas.public.topics import COMMANDS, OUTCOMES, TOPICS

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
