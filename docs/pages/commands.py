"""Commands: what they carry and whose they are; and their JSON Schema."""

import json

from docs.pages.text import NOTE, cell
from domain import commands
from infra.api import command_schema


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
