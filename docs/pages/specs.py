"""Finds the specification of each rule: the test that is marked ``@pytest.mark.rule("its-id")``."""

import ast
import pathlib
from functools import cache

TESTS = pathlib.Path(__file__).parents[2] / "tests"
MARK = "mark.rule("


@cache
def specifications() -> dict[str, tuple[str, str]]:
    """Map each rule to its file in ``tests/`` and the name of its test. ValueError if two tests have the same rule."""
    found: dict[str, tuple[str, str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if MARK not in text:
            continue
        for test in ast.parse(text).body:
            for rule in _rules(test):
                if rule in found:
                    raise ValueError(f"{rule} has two specifications: {found[rule]} and {path.name}, {test!r}")
                assert isinstance(test, ast.FunctionDef)
                found[rule] = (path.relative_to(TESTS).as_posix(), test.name)
    return found


def _rules(test: ast.stmt) -> list[str]:
    """List the rules that a test is marked with."""
    if not isinstance(test, ast.FunctionDef):
        return []
    marks = [d for d in test.decorator_list if isinstance(d, ast.Call) and ast.unparse(d.func) == "pytest.mark.rule"]
    return [str(rule.value) for mark in marks for rule in mark.args if isinstance(rule, ast.Constant)]
