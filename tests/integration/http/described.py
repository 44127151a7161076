"""Checks answers against the schemas that the OpenAPI document has for them."""

from functools import cache
from typing import Any

import httpx
import jsonschema

from infra.http.openapi import COMPONENTS


@cache
def _validator(component: str) -> Any:
    schema = {"$ref": f"#/components/schemas/{component}", "components": {"schemas": _closed(COMPONENTS)}}
    return jsonschema.Draft202012Validator(schema)


def _closed(schema: Any) -> Any:
    """The schema with no room for a field that it does not describe."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    return {**closed, "additionalProperties": False} if "properties" in closed and "type" in closed else closed


def check_described(component: str, document: Any) -> None:
    """AssertionError if a document is not as its component says, or has a field that the component does not name."""
    wrong = sorted(_validator(component).iter_errors(document), key=str)
    assert not wrong, f"{component}: {[(list(each.absolute_path), each.message[:200]) for each in wrong]}"


def check_answer(answer: httpx.Response, *, preview: bool = False) -> None:
    """Check the answer to a write or to a preview."""
    component = "Problem" if answer.status_code >= 400 else "Preview" if preview else "Accepted"
    check_described(component, answer.json())
