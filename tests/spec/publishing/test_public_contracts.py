"""The contracts of public records: each whole in itself, each with an id for ever, each version read by all others."""

import hashlib
import json
from importlib.resources import files

import fastavro
import pytest

from schemas.public.contracts import (
    EVENT_VERSIONS,
    INSTRUCTION_VERSIONS,
    all_contracts,
    event_contract,
    instruction_contract,
    schema_of,
    schema_text,
)
from schemas.public.ids import PinnedIds, contract_of, pinned
from schemas.public.topics import INSTRUCTIONS, TOPICS, WRITTEN
from tests.spec.schemas.compatibility import breaks

EVERY = all_contracts()
RELEASED = json.loads((files("schemas") / "public" / "released.json").read_text("utf-8"))
"""Contract → id and SHA-256 of its text, as released; it only grows."""


@pytest.mark.parametrize("contract", EVERY, ids=str)
def test_a_contract_can_be_handed_out_alone(contract) -> None:
    assert fastavro.parse_schema(json.loads(schema_text(contract)))
    assert schema_of(contract)["namespace"] + "." + schema_of(contract)["name"] == contract.name


def test_every_contract_has_an_id_and_no_two_share_one() -> None:
    assert set(pinned()) == set(EVERY)
    assert len(set(pinned().values())) == len(EVERY)
    assert all(contract_of(PinnedIds().id_of(contract)) == contract for contract in EVERY)


def test_a_released_schema_keeps_its_id_and_its_text() -> None:
    now = {str(c): [pinned()[c], hashlib.sha256(schema_text(c).encode()).hexdigest()] for c in EVERY}
    assert {name: now[name] for name in RELEASED} == RELEASED
    assert set(now) == set(RELEASED), "a new contract is released: add its line"


@pytest.mark.parametrize("name", INSTRUCTION_VERSIONS)
def test_every_version_of_an_instruction_reads_every_other(name: str) -> None:
    newest = instruction_contract(name)
    assert breaks({v: schema_of(newest._replace(version=v)) for v in range(1, newest.version + 1)}) == []


@pytest.mark.parametrize("name", EVENT_VERSIONS)
def test_every_version_of_a_public_event_reads_every_other(name: str) -> None:
    assert breaks({v: schema_of(event_contract(name, v)) for v in range(1, EVENT_VERSIONS[name] + 1)}) == []


def test_an_unknown_schema_id_is_reported_as_unknown() -> None:
    with pytest.raises(LookupError):
        PinnedIds().id_of(event_contract("Teleported", 1))
    with pytest.raises(LookupError):
        contract_of(99_999)


def test_every_topic_that_is_written_is_declared() -> None:
    assert set(WRITTEN) <= {topic.kind for topic in TOPICS}
    assert {c for topic in TOPICS if topic.kind in INSTRUCTIONS for c in topic.contracts} == set(INSTRUCTION_VERSIONS)
