"""Draft an Avro schema from an event's dataclass: the shape an .avsc must have, and a first version to start from.

``python -m tests.spec.schemas.drafting`` writes the current version of every event that is not released yet and keeps
the sentences that are there already; a new field comes with an empty one, which a test refuses until somebody has
written it. ``--release`` notes every version that is not noted yet in ``schemas/events/released.json``: from then on
it is never written again, a change is a new version (schemas/names.py), whose new fields have defaults. Where
that is not enough, it comes with an upcaster (schemas/upcasting.py).

``schemas/public/types`` is written from the contracts of public records: each named type in a file of its own, the
others by their names, and in ``order.txt`` the order in which one parser reads them all.

The files are the contract, this is a tool: tests compare the two in both directions.
"""

import ast
import hashlib
import inspect
import json
import sys
from pathlib import Path
from typing import Any

import schemas
from domain import events
from schemas.contracts import named_types
from schemas.names import CURRENT
from schemas.public.contracts import all_contracts, schema_of

NAMESPACE = "rescind.events"
FOLDER = Path(schemas.__path__[0]) / "events"
RELEASED = FOLDER / "released.json"
TYPES = FOLDER.parent / "public" / "types"
ORDER = TYPES / "order.txt"

type_of = {"int": "long", "str": "string", "bool": "boolean"}
NO_DEFAULT = object()


def shapes(source: str) -> dict[str, tuple[str, list[tuple[str, str, Any]]]]:
    """Class name → (docstring, [(field, annotation as written, default)]) of a module of facts, nothing evaluated.

    The source is read because ``Instant`` is ``int`` once it is evaluated, and a timestamp here.
    """
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef):
            fields = [
                (f.target.id, ast.unparse(f.annotation), NO_DEFAULT if f.value is None else ast.literal_eval(f.value))
                for f in node.body
                if isinstance(f, ast.AnnAssign) and isinstance(f.target, ast.Name)
            ]
            found[node.name] = (inspect.cleandoc(ast.get_docstring(node) or ""), fields)
    return found


SHAPES = shapes(inspect.getsource(events))


def draft(of: str, name: str, sentences_of: dict[str, str]) -> dict[str, Any]:
    """The schema of the event class called ``of``, stored as ``name``.

    A record's doc is its class's docstring; ``sentences_of`` has those of fields: ``Record.field`` → text.
    """
    return _record(of, name, sentences_of, set(), NAMESPACE)


def _record(of: str, name: str, sentences_of: dict[str, str], seen: set[str], namespace: str | None) -> dict[str, Any]:
    doc, fields = SHAPES[of]
    schema: dict[str, Any] = {"type": "record", "name": name}
    if namespace is not None:
        schema["namespace"] = namespace
    schema["doc"] = " ".join(doc.split()).replace("``", "`")
    schema["fields"] = [_field(name, *field, sentences_of, seen) for field in fields]
    return schema


def _field(
    record: str, field: str, annotation: str, default: Any, sentences_of: dict[str, str], seen: set[str]
) -> dict[str, Any]:
    made: dict[str, Any] = {"name": field, "type": _type(annotation, sentences_of, seen)}
    if annotation.endswith(" | None"):
        made["default"] = None
    elif default is not NO_DEFAULT:
        made["default"] = list(default) if isinstance(default, tuple) else default
    made["doc"] = sentences_of.get(f"{record}.{field}", "")
    return made


def _type(annotation: str, sentences_of: dict[str, str], seen: set[str]) -> Any:
    if annotation.endswith(" | None"):
        return ["null", _type(annotation.removesuffix(" | None"), sentences_of, seen)]
    if annotation.startswith("tuple["):
        return {"type": "array", "items": _type(annotation[len("tuple[") : -len(", ...]")], sentences_of, seen)}
    if annotation in type_of:
        return type_of[annotation]
    if annotation == "Instant":
        return {"type": "long", "logicalType": "timestamp-micros"}
    name = "Sha256" if annotation == "bytes" else annotation
    if name in seen:
        return name
    seen.add(name)
    if name == "Sha256":
        return {"type": "fixed", "name": "Sha256", "size": 32, "doc": "A SHA-256, or an HMAC with it: 32 bytes."}
    return _record(name, name, sentences_of, seen, None)


def sentences(schema: Any) -> dict[str, str]:
    """Every ``doc`` of a schema, by ``Record``, ``Fixed`` or ``Record.field``."""
    sentences_of: dict[str, str] = {}
    if isinstance(schema, list):
        for branch in schema:
            sentences_of.update(sentences(branch))
    elif isinstance(schema, dict):
        if "name" in schema:
            sentences_of[schema["name"]] = schema.get("doc", "")
        for field in schema.get("fields", ()):
            sentences_of.update(sentences(field["type"]))
            sentences_of[f"{schema['name']}.{field['name']}"] = field.get("doc", "")
        for below in ("items", "type"):
            if isinstance(schema.get(below), dict | list):
                sentences_of.update(sentences(schema[below]))
    return sentences_of


def without_sentences(schema: Any) -> Any:
    """The schema without its ``doc``: what a release binds itself to."""
    if isinstance(schema, list):
        return [without_sentences(part) for part in schema]
    if isinstance(schema, dict):
        return {key: without_sentences(part) for key, part in schema.items() if key != "doc"}
    return schema


def fingerprint(schema: Any) -> str:
    """SHA-256 (hex) of a schema without its sentences."""
    text = json.dumps(without_sentences(schema), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def path_of(name: str, version: int) -> Path:
    """The file of a version of an event's schema."""
    return FOLDER / f"{name}.{version}.avsc"


def text_of(schema: Any, depth: int = 0) -> str:
    """How a schema is written into its file: JSON, a part on one line where it fits."""
    flat = json.dumps(schema, ensure_ascii=False)
    end = "\n" if depth == 0 else ""
    if len(flat) + 2 * depth < 118 or not isinstance(schema, dict | list):
        return flat + end
    pad = "\n" + "  " * (depth + 1)
    opening, closing = "{}" if isinstance(schema, dict) else "[]"
    if isinstance(schema, dict):
        parts = [f"{json.dumps(key)}: {text_of(value, depth + 1)}" for key, value in schema.items()]
    else:
        parts = [text_of(value, depth + 1) for value in schema]
    return opening + pad + f",{pad}".join(parts) + pad[:-2] + closing + end


def public_types() -> dict[str, Any]:
    """Full name → schema of every named type of public records, none within another, each after those that it names.

    Of a record that has several versions it is the newest: it reads all of them.
    """
    found: dict[str, Any] = {}

    def flat(schema: Any, namespace: str) -> Any:
        if isinstance(schema, list):
            return [flat(branch, namespace) for branch in schema]
        if isinstance(schema, str):
            return f"{namespace}.{schema}" if schema[0].isupper() and "." not in schema else schema
        if "name" not in schema:
            return {key: flat(part, namespace) if key in ("type", "items") else part for key, part in schema.items()}
        namespace = schema.get("namespace", namespace)
        name = f"{namespace}.{schema['name']}"
        own = {"type": schema["type"], "name": schema["name"], "namespace": namespace, **schema}
        if "fields" in schema:
            own["fields"] = [{**field, "type": flat(field["type"], namespace)} for field in schema["fields"]]
        if found.setdefault(name, own) != own:
            raise ValueError(f"two contracts define {name}, and not alike")
        return name

    newest = {contract.name: contract for contract in sorted(all_contracts(), key=lambda each: each.version)}
    for contract in newest.values():
        flat(schema_of(contract), "")
    return found


def type_files() -> dict[str, str]:
    """Name → text of every file of ``schemas/public/types``."""
    types = public_types()
    files = {f"{name}.avsc": text_of(schema) for name, schema in types.items()}
    return files | {ORDER.name: "".join(f"{name}.avsc\n" for name in types)}


def released() -> dict[str, str]:
    """``NAME.VERSION`` → fingerprint of every released schema."""
    noted: dict[str, str] = json.loads(RELEASED.read_text("utf-8")) if RELEASED.exists() else {}
    return noted


def with_released_sentences(schema: Any, noted: dict[str, str]) -> Any:
    """The schema, whose shared records say what they say in released contracts that have the same fields of them."""
    said: dict[tuple[str, tuple[str, ...]], str] = {}
    for path in sorted(FOLDER.glob("*.avsc")):
        if path.stem in noted:
            _, *shared = named_types(json.loads(path.read_text("utf-8")))
            said.update({_with_fields(part): part["doc"] for part in shared})
    _, *shared = named_types(schema)
    for part in shared:
        part["doc"] = said.get(_with_fields(part), part["doc"])
    return schema


def _with_fields(record: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    return record["name"], tuple(field["name"] for field in record.get("fields", ()))


def main(arguments: list[str]) -> None:
    """Write what is not released, and with ``--release`` note it as released."""
    noted = released()
    sentences_of: dict[str, str] = {}
    for path in sorted(FOLDER.glob("*.avsc")):
        sentences_of.update({key: text for key, text in sentences(json.loads(path.read_text("utf-8"))).items() if text})
    for of, name, version in CURRENT:
        path = path_of(name, version)
        if f"{name}.{version}" not in noted:
            schema = with_released_sentences(draft(of.__name__, name, sentences_of), noted)
            path.write_text(text_of(schema), "utf-8")
        if "--release" in arguments:
            noted.setdefault(f"{name}.{version}", fingerprint(json.loads(path.read_text("utf-8"))))
    if "--release" in arguments:
        RELEASED.write_text(json.dumps(noted, indent=2) + "\n", "utf-8")
    TYPES.mkdir(exist_ok=True)
    for name, text in type_files().items():
        (TYPES / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
