"""Stored events stay readable: the bytes of every version of every event, and their meaning."""

import io
import json
from pathlib import Path
from typing import Any

import fastavro
import pytest

from schemas.codec import decode_event, encode_event, event_data
from schemas.contracts import event_schema
from schemas.names import CURRENT, VERSION_OF
from tests.spec.schemas.showing import shown, without_logical_types

FILES = sorted(Path(__file__).parent.glob("*.jsonl"))
LINES = [
    pytest.param(json.loads(line), id=f"{path.stem}-{number}")
    for path in FILES
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
]


def test_every_version_of_every_event_has_its_golden_bytes() -> None:
    assert {path.stem for path in FILES} == {f"{n}.{v}" for _, n, last in CURRENT for v in range(1, last + 1)}
    for path in FILES:
        name, version = path.stem.split(".")
        for line in map(json.loads, path.read_text("utf-8").splitlines()):
            assert (line["name"], line["schema_version"]) == (name, int(version))


@pytest.mark.parametrize("line", LINES)
def test_stored_bytes_still_mean_what_they_meant_when_written(line: dict[str, Any]) -> None:
    """Read by fastavro with the contract of that version: our own codec has no part in it."""
    schema = event_schema(line["name"], line["schema_version"])
    stored = io.BytesIO(bytes.fromhex(line["body"]))
    fields = fastavro.schemaless_reader(stored, fastavro.parse_schema(without_logical_types(schema)), None)
    assert shown(schema, fields) == line["data"]
    assert stored.read() == b""


@pytest.mark.parametrize("line", LINES)
def test_stored_bytes_are_read_as_an_event_of_today(line: dict[str, Any]) -> None:
    name, version, body = line["name"], line["schema_version"], bytes.fromhex(line["body"])
    event = decode_event(name, version, body)
    today, current, again = encode_event(event)
    assert (today, current) == (name, VERSION_OF[name])
    if version == current:
        assert again == body
        assert event_data(event) == line["data"]
