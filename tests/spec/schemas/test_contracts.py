"""Dataclasses, name table and Avro contracts say the same, so that none of them can change without the others."""

import dataclasses
import json
import types
import typing
from typing import Any

import avro.schema
import fastavro
import pytest

from domain import events
from schemas.codec import VALUE_RECORDS
from schemas.contracts import named_types
from schemas.names import CLASS_OF, CURRENT, NAME_OF, VERSION_OF
from tests.spec.schemas import drafting
from tests.spec.schemas.drafting import FOLDER, draft, fingerprint, path_of, sentences, without_sentences

IDS = [name for _, name, _ in CURRENT]
STORED = [(of, name, json.loads(path_of(name, version).read_text("utf-8"))) for of, name, version in CURRENT]
EVERY_FILE = sorted(FOLDER.glob("*.avsc"))


def test_every_event_has_a_stored_name_and_no_two_share_one() -> None:
    assert tuple(of for of, _, _ in CURRENT) == typing.get_args(events.Event)
    assert len(NAME_OF) == len(CLASS_OF) == len(VERSION_OF) == len(CURRENT)


def test_every_record_of_the_events_module_is_an_event_or_part_of_one() -> None:
    facts = {name for name, of in vars(events).items() if dataclasses.is_dataclass(of)}
    parts = {key for _, _, schema in STORED for key in sentences(schema) if "." not in key} - {"Sha256"}
    assert facts == parts | {of.__name__ for of, _, _ in CURRENT}
    assert set(VALUE_RECORDS) == parts - CLASS_OF.keys(), "schemas.codec has to know the class of every shared record"
    assert set(drafting.SHAPES) == facts


def test_every_version_up_to_the_current_has_its_file_and_no_other_file_is_there() -> None:
    wanted = {path_of(name, v).name for _, name, version in CURRENT for v in range(1, version + 1)}
    assert {path.name for path in EVERY_FILE} == wanted


@pytest.mark.parametrize(("of", "name", "schema"), STORED, ids=IDS)
def test_the_contract_is_the_dataclass_field_by_field(of: type, name: str, schema: dict[str, Any]) -> None:
    assert without_sentences(schema) == without_sentences(draft(of.__name__, name, {}))


@pytest.mark.parametrize(("of", "name", "schema"), STORED, ids=IDS)
def test_the_contract_is_the_class_as_python_sees_it(of: type, name: str, schema: dict[str, Any]) -> None:
    """Compare evaluated annotations with the schema, without the drafting tool."""
    assert schema["name"] == name
    assert schema["namespace"] == "rescind.events"
    _same(of, schema, {})


def _same(annotation: Any, schema: Any, known: dict[str, Any]) -> None:
    if isinstance(schema, str) and schema in known:
        schema = known[schema]
    if isinstance(annotation, types.UnionType):
        inner, nothing = typing.get_args(annotation)
        assert nothing is types.NoneType
        assert schema[0] == "null"
        _same(inner, schema[1], known)
    elif typing.get_origin(annotation) is tuple:
        inner, more = typing.get_args(annotation)
        assert more is Ellipsis
        assert schema["type"] == "array"
        _same(inner, schema["items"], known)
    elif dataclasses.is_dataclass(annotation):
        assert schema["type"] == "record"
        known[schema["name"]] = schema
        fields = dataclasses.fields(annotation)
        assert [field.name for field in fields] == [field["name"] for field in schema["fields"]]
        for field, written in zip(fields, schema["fields"], strict=True):
            _same(field.type, written["type"], known)
            has_default = field.default is not dataclasses.MISSING
            assert ("default" in written) is (isinstance(field.type, types.UnionType) or has_default)
            default = written.get("default")
            assert (tuple(default) if isinstance(default, list) else default) == (
                field.default if has_default else None
            )
    elif annotation is bytes:
        assert (schema["type"], schema["name"], schema["size"]) == ("fixed", "Sha256", 32)
        known["Sha256"] = schema
    else:
        plain = schema["type"] if isinstance(schema, dict) else schema
        assert plain == {int: "long", str: "string", bool: "boolean"}[annotation]


def test_instants_are_instants_on_both_sides() -> None:
    instant = {"type": "long", "logicalType": "timestamp-micros"}
    for of, _, schema in STORED:
        _, fields = drafting.SHAPES[of.__name__]
        for (name, annotation, _), field in zip(fields, schema["fields"], strict=True):
            written = field["type"][1] if isinstance(field["type"], list) else field["type"]
            assert (written == instant) is annotation.startswith("Instant"), f"{of.__name__}.{name}"


@pytest.mark.parametrize(("of", "name", "schema"), STORED, ids=IDS)
def test_every_record_and_field_is_documented(of: type, name: str, schema: dict[str, Any]) -> None:
    silent = [at for at, text in sentences(schema).items() if not text.strip()]
    assert silent == []


def test_a_shared_record_is_the_same_in_every_schema() -> None:
    seen: dict[str, Any] = {}
    for _, name, schema in STORED:
        within = {part["name"]: part for part in named_types(schema)}
        for part, definition in within.items():
            if part != name:
                whole = _whole(definition, within)
                assert seen.setdefault(part, whole) == whole, part


def _whole(schema: Any, within: dict[str, Any]) -> Any:
    """A definition with the names of others inside it replaced by their definitions."""
    if isinstance(schema, str):
        return _whole(within[schema], within) if schema in within else schema
    if isinstance(schema, list):
        return [_whole(branch, within) for branch in schema]
    if "fields" in schema:
        return schema | {"fields": [field | {"type": _whole(field["type"], within)} for field in schema["fields"]]}
    return schema | {"items": _whole(schema["items"], within)} if "items" in schema else schema


@pytest.mark.parametrize("path", EVERY_FILE, ids=lambda path: path.stem)
def test_two_other_implementations_read_the_contract(path: Any) -> None:
    text = path.read_text("utf-8")
    avro.schema.parse(text)
    fastavro.parse_schema(json.loads(text))


def test_a_released_contract_never_changes_but_in_its_sentences() -> None:
    noted = drafting.released()
    assert {at: fingerprint(json.loads((FOLDER / f"{at}.avsc").read_text("utf-8"))) for at in noted} == noted
    earlier = {f"{name}.{v}" for _, name, version in CURRENT for v in range(1, version)}
    assert earlier <= noted.keys(), "a version with a successor is released"
