"""The page of events, written from the contracts that they are stored by."""

import json
import re
from importlib import resources
from typing import Any

from docs.pages.text import NOTE, cell


def type_name(avro: Any) -> str:
    """Name an Avro type in a few words. Named records are described in a section of their own."""
    if isinstance(avro, list):
        return " or ".join(type_name(branch) for branch in avro if branch != "null") + ", or none"
    if isinstance(avro, str):
        return avro.rpartition(".")[2]
    match avro["type"]:
        case "array":
            return f"list of {type_name(avro['items'])}"
        case "record" | "fixed" | "enum":
            return str(avro["name"])
        case _:
            return "instant" if avro.get("logicalType") == "timestamp-micros" else type_name(avro["type"])


def parts(avro: Any, found: dict[str, dict[str, Any]]) -> None:
    """Collect the named types inside a type, by name."""
    if isinstance(avro, list):
        for branch in avro:
            parts(branch, found)
    elif isinstance(avro, dict):
        if avro["type"] in ("record", "fixed", "enum"):
            found.setdefault(avro["name"], avro)
        parts(avro.get("items"), found)
        for field in avro.get("fields", ()):
            parts(field["type"], found)


def fields_table(record: dict[str, Any]) -> list[str]:
    rows = [f"| `{f['name']}` | {type_name(f['type'])} | {cell(f.get('doc', ''))} |" for f in record["fields"]]
    return ["| field | type | |", "|---|---|---|", *rows, ""] if rows else ["No fields.", ""]


def event_page() -> str:
    """Write the page with every event in its newest version, and then the named types in them."""
    newest: dict[str, tuple[int, dict[str, Any]]] = {}
    for file in resources.files("schemas.events").iterdir():
        if match := re.fullmatch(r"(\w+)\.(\d+)\.avsc", file.name):
            schema = json.loads(file.read_text(encoding="utf-8"))
            newest[match[1]] = max(newest.get(match[1], (0, {})), (int(match[2]), schema), key=lambda pair: pair[0])
    inside: dict[str, dict[str, Any]] = {}
    lines = [
        "# Events",
        "",
        NOTE.format(source="`schemas/events/`"),
        "",
        "Events are the stored facts, named in the past tense. The commit of an event has the times when it happened",
        "and was recorded, and the actor. Amounts are minor units, instants microseconds since 1970 in UTC. A name is",
        "a storage format and never changes.",
        "",
    ]
    for name, (version, schema) in sorted(newest.items()):
        lines += [f"## {name}", "", f"{cell(schema.get('doc', ''))} (version {version})", "", *fields_table(schema)]
        for field in schema["fields"]:
            parts(field["type"], inside)
    lines += ["# Parts of events", ""]
    for name, schema in sorted(inside.items()):
        lines += [f"## {name}", "", cell(schema.get("doc", "")), ""]
        lines += fields_table(schema) if schema["type"] == "record" else []
    return "\n".join(lines).rstrip() + "\n"
