"""Versions of a stored event read each other, all of them, and the check that says so can fail."""

import json
from copy import deepcopy
from typing import Any

import pytest

from schemas.names import CURRENT
from tests.spec.schemas.compatibility import breaks
from tests.spec.schemas.drafting import path_of


def versions_of(name: str, current: int) -> dict[int, Any]:
    return {v: json.loads(path_of(name, v).read_text("utf-8")) for v in range(1, current + 1)}


@pytest.mark.parametrize(("name", "current"), [(name, version) for _, name, version in CURRENT])
def test_every_version_of_an_event_reads_every_other(name: str, current: int) -> None:
    versions = versions_of(name, current)
    assert breaks(versions) == []
    assert breaks({1: versions[current], 2: deepcopy(versions[current])}) == []


SHIPMENT = versions_of("LinePartiallyShipped", 1)[1]


def changed(**new: Any) -> dict[str, Any]:
    """LinePartiallyShipped with one field set to another type, or taken out (None)."""
    schema: dict[str, Any] = deepcopy(SHIPMENT)
    for name, type_ in new.items():
        field = next(field for field in schema["fields"] if field["name"] == name)
        if type_ is None:
            schema["fields"].remove(field)
        else:
            field.pop("default", None)
            field["type"] = type_
    return schema


def with_field(**field: Any) -> dict[str, Any]:
    schema: dict[str, Any] = deepcopy(SHIPMENT)
    schema["fields"].append(field)
    return schema


INSTANT = {"type": "long", "logicalType": "timestamp-micros"}
BREAKING = {
    "a new field without a default": with_field(name="weight", type="long"),
    "a field without a default is gone": changed(quantity=None),
    "a number became a text": changed(quantity="string"),
    "what may be absent is demanded": changed(carrier="string"),
    "what was there may be absent": changed(shipment_id=["null", "string"]),
    "a number became an instant": changed(quantity=INSTANT),
    "the record has another name": {**SHIPMENT, "name": "LinePartlyShipped"},
}


@pytest.mark.parametrize("newer", BREAKING.values(), ids=BREAKING.keys())
def test_a_change_that_breaks_one_direction_is_caught(newer: dict[str, Any]) -> None:
    assert breaks({1: SHIPMENT, 2: newer}) != []


@pytest.mark.parametrize(
    "newer",
    [with_field(name="weight", type=["null", "long"], default=None), changed(carrier=None)],
    ids=["a new field with a default", "a field with a default is gone"],
)
def test_a_change_that_breaks_nothing_is_let_through(newer: dict[str, Any]) -> None:
    assert breaks({1: SHIPMENT, 2: newer}) == []


def test_versions_that_are_not_neighbours_are_compared_too() -> None:
    dropped = changed(carrier=None)
    again = deepcopy(dropped)
    again["fields"].append({"name": "carrier", "type": ["null", "long"], "default": None})
    assert breaks({1: SHIPMENT, 2: dropped}) == []
    assert breaks({1: dropped, 2: again}) == []
    assert breaks({1: SHIPMENT, 2: dropped, 3: again}) != []
