"""Quantities by line as a cell of the tables."""

import json


def quantities(lines: dict[int, int]) -> str:
    return json.dumps([{"line": line, "quantity": quantity} for line, quantity in lines.items()])
