"""Ruff's bans below infra: each one fires where it must, and none where it must not."""

import json
import subprocess
import sys
import tomllib

import pytest

from tests.architecture.planted import BELOW_INFRA, ROOT

BANNED = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"][
    "flake8-tidy-imports"
]["banned-api"]


def use_of(name: str) -> str:
    """One line that uses the banned module, function or method."""
    if name.startswith("datetime."):
        _, owner, method = name.split(".")
        return f"from datetime import {owner}; {owner}.{method}()"
    module, _, attribute = name.rpartition(".")
    return f"from {module} import {attribute}" if attribute[:1].isupper() or module == "uuid" else f"import {name}"


def findings(code: str, path: str) -> set[tuple[int, str]]:
    """The (line, rule) pairs that ruff finds in this code, as if it were in that file."""
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format", "json", "--stdin-filename", path, "-"],
        cwd=ROOT,
        input=code,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return {(found["location"]["row"], found["code"]) for found in json.loads(done.stdout)}


@pytest.mark.parametrize("package", BELOW_INFRA)
def test_every_banned_name_is_found_below_infra(package: str) -> None:
    lines = [use_of(name) for name in BANNED]
    found = findings("\n".join(lines) + "\n", f"{package}/planted.py")
    assert [line for n, line in enumerate(lines, 1) if (n, "TID251") not in found] == []


@pytest.mark.parametrize("path", ["infra/planted.py", "tests/spec/planted.py"])
def test_the_outside_may_use_them(path: str) -> None:
    found = findings("\n".join(map(use_of, BANNED)) + "\n", path)
    assert {n for n, rule in found if rule == "TID251"} == set()


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        ("import datetime\n\nNOW = datetime.datetime.now(datetime.UTC)\n", "TID251"),
        ("from datetime import UTC, datetime\n\nNOW = datetime.now(tz=UTC)\n", "TID251"),
        ("import datetime\n\nWHEN = datetime.datetime(2026, 3, 2)\n", "DTZ001"),
        ("TEXT = open('x').read()\n", "PTH123"),
        ("print('x')\n", "T201"),
        ("try:\n    pass\nexcept:\n    pass\n", "E722"),
        ("try:\n    pass\nexcept Exception:\n    pass\n", "BLE001"),
        ("from . import events\n", "TID252"),
        ("X = 1  # TODO: later\n", "FIX002"),
    ],
)
def test_code_that_reads_a_clock_or_hides_an_error_is_found(code: str, rule: str) -> None:
    assert rule in {found for _, found in findings(code, "domain/planted.py")}


def test_a_future_and_an_id_passed_in_are_values() -> None:
    imports = "from concurrent.futures import Future\nfrom uuid import UUID, uuid5\n"
    code = f'"""Planted."""\n\n{imports}\nUSED = (Future, UUID, uuid5)\n'
    assert findings(code, "consumers/planted.py") == set()
