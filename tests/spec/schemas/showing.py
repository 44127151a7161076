"""The JSON form of an event once more, slowly, by its contract alone: what ``event_data`` is compared with."""

from typing import Any

from domain.instants import format_instant
from schemas.contracts import named_types


def shown(schema: Any, value: Any) -> Any:
    """The JSON form of ``value``, a dataclass or the dict of its fields."""
    return _shown(schema, value, {part["name"]: part for part in named_types(schema)})


def _shown(schema: Any, value: Any, known: dict[str, Any]) -> Any:
    schema = known.get(schema, schema) if isinstance(schema, str) else schema
    if isinstance(schema, list):
        return None if value is None else _shown(schema[1], value, known)
    if isinstance(schema, str):
        return value
    if schema.get("logicalType") == "timestamp-micros":
        return format_instant(value)
    if schema["type"] == "fixed":
        return value.hex()
    if schema["type"] == "array":
        return [_shown(schema["items"], item, known) for item in value]
    form = {}
    for field in schema["fields"]:
        name = field["name"]
        form[name] = _shown(field["type"], value[name] if isinstance(value, dict) else getattr(value, name), known)
    if schema["name"] == "Verdict":
        form["allowed"] = form["outcome"] == "granted"
        form["inputs"] = {one["name"]: one["value"] for one in form["inputs"]}
    return form


def without_logical_types(schema: Any) -> Any:
    """fastavro reads an instant into a datetime, which cannot say all of them; without its meaning it is a number."""
    if isinstance(schema, list):
        return [without_logical_types(part) for part in schema]
    if isinstance(schema, dict):
        return {key: without_logical_types(part) for key, part in schema.items() if key != "logicalType"}
    return schema
