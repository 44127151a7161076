"""Writes the pages of docs/reference that follow from the code: commands and their JSON Schema, events, rules, presets.

`make docs` runs it. The pages are kept in the repository, so that they can be read there, and a test compares them.
"""

import json
import pathlib
import re
import sys
from importlib import resources
from typing import Any

from domain import commands, rulebook
from infra.http import command_schema

HERE = pathlib.Path(__file__).parent / "reference"
NOTE = "This page is written by `make docs` from {source}; do not edit it here."


def command_form() -> str:
    """The JSON Schema of one line of a commands file."""
    names, definitions = command_schema.definitions()
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "rescind: a command",
        "description": "One line of a commands file. In an import `at` is required too. What needs the order to be "
        "judged (decimals of its currency, lines that exist, whose order it is) is not said here.",
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in names],
        "$defs": definitions,
    }
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("``", "`").split())


def command_page() -> str:
    common = commands.Command.model_fields
    rows = []
    for name, model in commands.COMMANDS.items():
        fields = [(n, f) for n, f in model.model_fields.items() if n not in common]
        shown = ", ".join(f"**`{n}`**" if f.is_required() else f"`{n}`" for n, f in fields)
        who = (
            "anybody"
            if len(model.WHO) == 4
            else ", ".join(k for k in ("buyer", "seller", "support", "system") if k in model.WHO)
        )
        rows.append(f"| `{name}` | {who} | {shown} | {cell(model.__doc__ or '')} |")
    shared = ", ".join(f"**`{n}`**" if f.is_required() else f"`{n}`" for n, f in common.items())
    return "\n".join(
        [
            "# Commands",
            "",
            NOTE.format(source="`domain/commands.py`"),
            "",
            "A command is a JSON object; a file has one on every line. Fields in **bold** are required, and an unknown",
            f"field is an error. Every command has {shared}.",
            "An import requires `at` as well. The form, exactly: {download}`JSON Schema <commands.schema.json>`.",
            "",
            "| command | whose | fields | |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


def type_name(avro: Any) -> str:
    """An Avro type in a few words; named records are described where they first occur."""
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
    """Every event in its newest version, then the parts that they are made of."""
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
        "What is stored: facts in the past tense. When it happened and was recorded, and who said it, stand beside the",
        "event in its commit. Amounts are minor units, instants microseconds since 1970 in UTC. A name is a storage",
        "format and never changes.",
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


SECTIONS = {
    1: "Who may cancel what, and when",
    2: "What a cancellation does",
    3: "Cancelled but shipped",
    4: "Cases and returns after delivery",
    5: "Disputes and evidence",
    0: "Answers to a command that the order contradicts",
}


def rule_page() -> str:
    """Every id that a refusal can name, by subject."""
    lines = [
        "# Rules",
        "",
        NOTE.format(source="`domain/rulebook.py`"),
        "",
        "Each rule has one id, the same in the code, in a refusal, in the tables and here. A policy lists the rules in",
        "force in the order in which they are judged, with their parameters ([the policy file](policy.md)); the first",
        "that speaks decides.",
        "",
    ]
    for section, title in SECTIONS.items():
        rows = [
            f"| `{rule}` | {cell(sentence)} |" for rule, (where, sentence) in rulebook.RULES.items() if where == section
        ]
        lines += [f"## {title}", "", "| id | rule |", "|---|---|", *rows, ""] if rows else []
    return "\n".join(lines)


def preset_page() -> str:
    """The policies that a new journal begins with."""
    lines = ["# Presets", "", NOTE.format(source="`domain/presets/`"), ""]
    lines += [
        "Published as version 1 when a journal is created. Start from one for [a policy of your own](policy.md).",
        "",
    ]
    files = (f for f in resources.files("domain.presets").iterdir() if f.name.endswith(".toml"))
    for file in sorted(files, key=lambda f: f.name):
        lines += [
            f"## {file.name.removesuffix('.toml')}",
            "",
            "```toml",
            file.read_text(encoding="utf-8").strip(),
            "```",
            "",
        ]
    return "\n".join(lines)


PAGES = {
    "commands.schema.json": command_form,
    "commands.md": command_page,
    "events.md": event_page,
    "presets.md": preset_page,
    "rules.md": rule_page,
}


def main() -> None:
    """Write every page that differs."""
    for name, page in PAGES.items():
        path, text = HERE / name, page()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"written: docs/reference/{name}\n")


if __name__ == "__main__":
    main()
