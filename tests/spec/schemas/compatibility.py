"""FULL_TRANSITIVE: whatever one version of a schema writes, every other version reads, earlier and later ones.

Apache Avro's own checker decides, in both directions for every pair. It does not look at logical types, so a number
that becomes an instant is found here.
"""

import json
from itertools import combinations
from typing import Any

from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import parse

Schema = Any


def breaks(versions: dict[int, Schema]) -> list[str]:
    """List the violations of FULL_TRANSITIVE between these versions of one schema (as JSON values)."""
    found = []
    for older, newer in combinations(sorted(versions), 2):
        for reader, writer in ((older, newer), (newer, older)):
            answer = ReaderWriterCompatibilityChecker().get_compatibility(
                parse(json.dumps(versions[reader])), parse(json.dumps(versions[writer]))
            )
            if answer.compatibility is not SchemaCompatibilityType.compatible:
                found.append(f"version {reader} does not read version {writer}: {sorted(answer.messages)}")
        before, after = logical_types(versions[older]), logical_types(versions[newer])
        found += [
            f"{at} is {before[at] or 'plain'} in version {older} and {after[at] or 'plain'} in version {newer}"
            for at in sorted(before.keys() & after.keys())
            if before[at] != after[at]
        ]
    return found


def logical_types(schema: Schema, at: str = "") -> dict[str, str | None]:
    """Path of each number → its logical type or None."""
    if schema == "long":
        return {at: None}
    if isinstance(schema, list):
        return {path: found for branch in schema for path, found in logical_types(branch, at).items()}
    if isinstance(schema, dict):
        if schema["type"] == "long":
            return {at: schema.get("logicalType")}
        if schema["type"] == "array":
            return logical_types(schema["items"], f"{at}[]")
        return {
            path: found
            for field in schema.get("fields", ())
            for path, found in logical_types(field["type"], f"{at}/{field['name']}").items()
        }
    return {}
