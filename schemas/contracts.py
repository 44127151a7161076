"""Reads the Avro contracts of events from ``schemas/events``, in files named NAME.VERSION.avsc.

Each file is complete, shared records included, so that it can be registered or distributed alone.
"""

import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def event_schema(name: str, version: int) -> dict[str, Any]:
    """Return the contract of an event as parsed JSON, which callers must not change.

    Raises FileNotFoundError if there is no such version.
    """
    text = files("schemas").joinpath("events", f"{name}.{version}.avsc").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def named_types(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield every record and fixed that a schema defines, outermost first."""
    if isinstance(schema, list):
        for branch in schema:
            yield from named_types(branch)
    elif isinstance(schema, dict):
        if "name" in schema:
            yield schema
        for field in schema.get("fields", ()):
            yield from named_types(field["type"])
        yield from named_types(schema.get("items"))
