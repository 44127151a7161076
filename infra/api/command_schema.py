"""The JSON Schema of commands, for the OpenAPI document and docs/reference/commands.schema.json."""

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
    "description": "Line numbers or lines with a quantity; each line at most once. Without it: all lines.",
    "items": {"anyOf": [{"$ref": "#/$defs/LineNumber"}, {"$ref": "#/$defs/Pick"}]},
}
RECEIVED: Final = (
    "Line numbers or lines with quantity and condition; each line at most once per condition. Without it: all lines."
)
LINE_NUMBER: Final[Schema] = {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}


class FormSchema(GenerateJsonSchema):
    """Generates the schema of the JSON that is read, not of the types that models turn it into."""

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        function: Any = schema["function"]["function"]
        if isinstance(function, partial):
            return {"type": "string", "enum": list(function.args[0])}
        match function.__name__:
            case "_instant":
                return INSTANT
            case "_asked_for":
                offered = f"Offered to buyers: {', '.join(BUYERS_REASONS)}."
                return {"type": "string", "enum": list(CANCEL_REASONS), "description": offered}
            case "_sealed_later":
                return {
                    "type": "string",
                    "maxLength": commands.MAX_TEXT,
                    "description": "Free text; it is stored in the vault.",
                }
            case "_picks":
                inner = self.generate_inner(schema["schema"])  # so that Pick or Received gets its definition
                of_lines = {"anyOf": [SELECTION["items"]["anyOf"][0], inner["items"]]}
                if "Received" in inner["items"]["$ref"]:
                    return {**SELECTION, "description": RECEIVED, "items": of_lines}
                return SELECTION
            case "_picks_or_none":
                self.generate_inner(schema["schema"])
                return {**SELECTION, "minItems": 0, "description": "Lines of the earlier order, or quantities of them."}
            case "_has_none":
                return {"not": {}}
            case name:
                raise LookupError(f"infra/api/command_schema.py does not know what {name} reads")


def plain(schema: Any) -> Any:
    """Return the schema without pydantic's titles and without null; an optional field is left out instead."""
    if isinstance(schema, list):
        return [plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("anyOf", [])[1:] == [{"type": "null"}]:
        schema = {**{k: v for k, v in schema.items() if k != "anyOf"}, **schema["anyOf"][0]}
    cleaned = {
        k: v for k, v in schema.items() if not (k == "title" and isinstance(v, str)) and (k, v) != ("default", None)
    }
    if "properties" in cleaned:
        cleaned["properties"] = {name: plain(value) for name, value in cleaned["properties"].items()}
    return {k: v if k == "properties" else plain(v) for k, v in cleaned.items()}


@cache
def definitions() -> tuple[tuple[str, ...], dict[str, Schema]]:
    """Return the commands' names in order, and every definition that they need, by name. Do not modify the result."""
    models: list[tuple[type[commands.Command], JsonSchemaMode]] = [
        (model, "validation") for model in commands.COMMANDS.values()
    ]
    _, whole = models_json_schema(models, schema_generator=FormSchema, ref_template="#/$defs/{model}")
    found = {name: plain(schema) for name, schema in sorted(whole["$defs"].items())}
    found["LineNumber"] = LINE_NUMBER
    return tuple(model.__name__ for model, _ in models), found
