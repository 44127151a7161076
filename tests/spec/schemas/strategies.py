"""Values for a schema, drawn by Hypothesis, and the events that they are."""

from typing import Any

from hypothesis import strategies as st

from domain.instants import EARLIEST, LATEST
from schemas.codec import VALUE_RECORDS
from schemas.contracts import event_schema, named_types
from schemas.names import CLASS_OF, VERSION_OF

LONGS = (
    st.integers(-(2**63), 2**63 - 1)
    | st.integers(-130, 130)
    | st.sampled_from([-(2**63), 2**63 - 1, 63, 64, -64, -65, 4095, 4096])
)
INSTANTS = st.integers(EARLIEST, LATEST) | st.integers(1_600_000_000_000_000, 1_800_000_000_000_000)
TEXTS = st.text(max_size=12) | st.sampled_from(["", "x" * 63, "x" * 64, "ü" * 32, "\N{PACKAGE}" * 40, "seller-portal"])


def values(name: str, version: int) -> st.SearchStrategy[dict[str, Any]]:
    """Field values of one event, as fastavro takes them: records are dicts, instants are numbers."""
    schema = event_schema(name, version)
    return _values(schema, {part["name"]: part for part in named_types(schema)})


def _values(schema: Any, known: dict[str, Any]) -> st.SearchStrategy[Any]:
    if isinstance(schema, list):
        return st.none() | _values(schema[1], known)
    if isinstance(schema, str):
        primitive = {"string": TEXTS, "long": LONGS, "boolean": st.booleans()}
        return primitive[schema] if schema in primitive else _values(known[schema], known)
    if schema.get("logicalType") == "timestamp-micros":
        return INSTANTS
    match schema["type"]:
        case "fixed":
            return st.binary(min_size=schema["size"], max_size=schema["size"])
        case "array":
            return st.lists(_values(schema["items"], known), max_size=3)
        case "record":
            return st.fixed_dictionaries({field["name"]: _values(field["type"], known) for field in schema["fields"]})
        case other:
            raise AssertionError(f"no event has a {other}")


def built(name: str, fields: dict[str, Any]) -> Any:
    """The event whose current contract has these field values."""
    schema = event_schema(name, VERSION_OF[name])
    return _built(schema, fields, {part["name"]: part for part in named_types(schema)}, {**VALUE_RECORDS, **CLASS_OF})


def _built(schema: Any, value: Any, known: dict[str, Any], classes: dict[str, Any]) -> Any:
    schema = known.get(schema, schema) if isinstance(schema, str) else schema
    if isinstance(schema, list):
        return None if value is None else _built(schema[1], value, known, classes)
    if isinstance(schema, dict) and schema["type"] == "array":
        return tuple(_built(schema["items"], item, known, classes) for item in value)
    if isinstance(schema, dict) and schema["type"] == "record":
        return classes[schema["name"]](
            **{field["name"]: _built(field["type"], value[field["name"]], known, classes) for field in schema["fields"]}
        )
    return value
