"""Writes golden lines for stored events that have none yet: ``python -m tests.golden.writing``.

It only adds. A line that is there is never written again: bytes like it lie in somebody's journal.
"""

import json
from pathlib import Path
from typing import Any

from domain.instants import parse_instant
from schemas.codec import encode_event, event_data
from schemas.contracts import event_schema, named_types
from schemas.names import CURRENT
from tests.spec.schemas.strategies import built

EVENTS = Path(__file__).parent / "events"

NOON = parse_instant("2026-03-02T12:00:00.000001Z")
VALUES: dict[str, Any] = {
    "because": "The window of 3 hours closed at 13:00 – “the seller decides”.",
    "buyer_id": "b-7",
    "by": "buyer",
    "carrier": "USPS",
    "cause": "request",
    "currency": "BRL",
    "document": '{"id":"corner-shop","rules":["shipped-lock","grace-window"],"version":1}',
    "due_at": parse_instant("1969-07-20T20:17:40Z"),
    "holidays": "2026-12-25",
    "kind": "decide",
    "marketplace": "acme",
    "next_change_at": parse_instant("9999-12-31T23:59:59.999999Z"),
    "outcome": "granted",
    "po_number": "PO-1001",
    "reason": "ordered_by_mistake",
    "rounding": -1,
    "rule": "grace-window",
    "seller_id": "s-3",
    "timezone": "America/Sao_Paulo",
    "title": "Lâmpada de mesa – 電気スタンド 💡",
    "total": 9_007_199_254_740_993,
    "tracking_number": "9400 1000 0000 0000 0000 00",
    "unit_price": 99_999_999,
    "weekend": "sun",
}
"""The values of some fields in the examples; the others have their own name, 1, noon or true."""


def example(schema: Any, field: str, full: bool, known: dict[str, Any], turn: int = 0) -> Any:
    """A value of a type: ``full`` has everything that may be absent and two of each list, else nothing and none."""
    schema = known.get(schema, schema) if isinstance(schema, str) else schema
    if isinstance(schema, list):
        return example(schema[1], field, full, known, turn) if full else None
    if schema == "string":
        return f"{VALUES.get(field, field)}{f'-{turn}' if turn else ''}"
    if schema == "boolean":
        return full
    if schema == "long":
        return int(VALUES.get(field, 1)) + turn
    if schema["type"] == "array":
        return [example(schema["items"], field, full, known, turn) for turn in range(2)] if full else []
    if schema["type"] == "fixed":
        return bytes(range(turn, turn + schema["size"]))
    if schema["type"] == "long":
        return VALUES.get(field, NOON) + turn
    return {part["name"]: example(part["type"], part["name"], full, known, turn) for part in schema["fields"]}


def main() -> None:
    """Add the lines of every current version that has none."""
    for _, name, version in CURRENT:
        path = EVENTS / f"{name}.{version}.jsonl"
        if path.exists():
            continue
        schema = event_schema(name, version)
        known = {part["name"]: part for part in named_types(schema)}
        lines = []
        for full in (True, False):
            event = built(name, example(schema, name, full, known))
            line = {"name": name, "schema_version": version, "body": encode_event(event)[2].hex()}
            lines.append(json.dumps(line | {"data": event_data(event)}, ensure_ascii=False) + "\n")
        path.write_text("".join(dict.fromkeys(lines)), "utf-8")


if __name__ == "__main__":
    main()
