"""The JSON Schema of commands as they are read: for the OpenAPI document and docs/reference/commands.schema.json."""

from functools import cache, partial
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from domain import commands
from domain.reasons import BUYERS_REASONS, CANCEL_REASONS

Schema = dict[str, Any]

INSTANT: Final[Schema] = {
    "type": "string",
    "format": "date-time",
    "description": "RFC 3339 with offset, at most 6 decimals.",
}
SELECTION: Final[Schema] = {
    "type": "array",
    "minItems": 1,
    "description": "Line numbers, or lines with a quantity, or both mixed; a line at most once. Left out: all of it.",
    "items": {"anyOf": [{"$ref": "#/$defs/LineNumber"}, {"$ref": "#/$defs/Pick"}]},
}
LINE_NUMBER: Final[Schema] = {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}


class FormSchema(GenerateJsonSchema):
    """The JSON that is read, where a model's own type is what it becomes."""

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        function: Any = schema["function"]["function"]
        if isinstance(function, partial):
            return {"type": "string", "enum": list(function.args[0])}
        match function.__name__:
            case "_instant":
                return INSTANT
            case "_asked_for":
                offered = f"What a buyer is offered: {', '.join(BUYERS_REASONS)}."
                return {"type": "string", "enum": list(CANCEL_REASONS), "description": offered}
            case "_sealed_later":
                return {
                    "type": "string",
                    "maxLength": commands.MAX_TEXT,
                    "description": "Free text; it goes to the vault.",
                }
            case "_picks":
                self.generate_inner(schema["schema"])  # so that Pick gets its definition
                return SELECTION
            case "_has_none":
                return {"not": {}}
            case name:
                raise LookupError(f"infra/api/command_schema.py does not know what {name} reads")


def plain(schema: Any) -> Any:
    """Without pydantic's titles, and without null: a field that has nothing to say is left out."""
    if isinstance(schema, list):
        return [plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("anyOf", [])[1:] == [{"type": "null"}]:
        schema = {**{k: v for k, v in schema.items() if k != "anyOf"}, **schema["anyOf"][0]}
    kept = {
        k: v for k, v in schema.items() if not (k == "title" and isinstance(v, str)) and (k, v) != ("default", None)
    }
    if "properties" in kept:
        kept["properties"] = {name: plain(value) for name, value in kept["properties"].items()}
    return {k: v if k == "properties" else plain(v) for k, v in kept.items()}


@cache
def definitions() -> tuple[tuple[str, ...], dict[str, Schema]]:
    """The names of the commands in their order, and every definition that they need, by name; not to be changed."""
    models: list[tuple[type[commands.Command], JsonSchemaMode]] = [
        (model, "validation") for model in commands.COMMANDS.values()
    ]
    _, whole = models_json_schema(models, schema_generator=FormSchema, ref_template="#/$defs/{model}")
    found = {name: plain(schema) for name, schema in sorted(whole["$defs"].items())}
    found["LineNumber"] = LINE_NUMBER
    return tuple(model.__name__ for model, _ in models), found
