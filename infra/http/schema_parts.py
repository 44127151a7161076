"""Pieces of which the OpenAPI document's schemas are made."""

from collections.abc import Iterable
from typing import Any, Final

Schema = dict[str, Any]


def text(description: str, **more: Any) -> Schema:
    """Return the schema of a string."""
    return {"type": "string", "description": description, **more}


def obj(description: str, properties: dict[str, Schema], *, optional: tuple[str, ...] = ()) -> Schema:
    """Return the schema of an object; every property is required that is not ``optional``."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "description": description, "properties": properties, "required": required}


def ref(name: str) -> Schema:
    """Return a reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def or_null(schema: Schema) -> Schema:
    """Return the schema of a value that may be null."""
    return {"anyOf": [schema, {"type": "null"}]}


def array(schema: Schema) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": schema}


def one_of(values: Iterable[str]) -> Schema:
    """Return the schema of a string that is one of these values."""
    return {"type": "string", "enum": list(values)}


INSTANT: Final = {"type": "string", "format": "date-time"}
MINOR: Final = {"type": "integer", "description": "Minor units of the order's currency."}
STRING: Final = {"type": "string"}
INTEGER: Final = {"type": "integer"}
BOOLEAN: Final = {"type": "boolean"}
