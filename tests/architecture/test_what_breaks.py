"""Every row of docs/explanation/when-things-break.md names tests that are there."""

import ast
import re

import pytest

from tests.architecture.planted import ROOT

PAGE = (ROOT / "docs/explanation/when-things-break.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| what breaks")]


@pytest.mark.parametrize("row", ROWS, ids=[row.split(" | ")[0].removeprefix("| ") for row in ROWS])
def test_every_row_names_tests_that_exist(row: str) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row)
    assert named, "a row names no test"
    for file, name in named:
        functions = {
            each.name
            for each in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8")))
            if isinstance(each, ast.FunctionDef)
        }
        assert name in functions, f"{file} has no {name}"


def test_every_row_of_the_design_has_one() -> None:
    assert len(ROWS) >= 20
