"""RESCIND_REQUIRE turns the skip of a marked test into a failure."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from tests.architecture.planted import ROOT

TESTS = """
import pytest

from tests.needs import require

@pytest.mark.browser
def test_marked(): ...

@pytest.mark.browser
def test_marked_and_skipped_for_another_reason():
    pytest.skip("no display")

def test_asks():
    require("browser")

def test_plain(): ...
"""


def outcome(place: pathlib.Path, required: str, path: str) -> tuple[int, dict[str, int], str]:
    """The exit code, the counts and the whole output of a small suite of its own."""
    (place / "tests").mkdir(exist_ok=True)
    for module in (ROOT / "tests").glob("*.py"):  # conftest.py and its helpers
        shutil.copy(module, place / "tests")
    for part in ("broker", "postgresql"):
        shutil.copytree(ROOT / "tests" / part, place / "tests" / part, dirs_exist_ok=True)
    shutil.copy(ROOT / "pyproject.toml", place)
    (place / "tests/test_small.py").write_text(TESTS, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=place,
        env={
            **os.environ,
            "PYTHONPATH": str(place),
            "RESCIND_REQUIRE": required,
            "PATH": path,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    counts = (
        {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|skipped|error)", done.stdout.splitlines()[-1])}
        if done.stdout
        else {}
    )
    return done.returncode, counts, done.stdout + done.stderr


def test_a_test_whose_requirement_is_missing_is_skipped_with_the_reason(tmp_path: pathlib.Path) -> None:
    code, counts, output = outcome(tmp_path, "", "")
    assert (code, counts) == (0, {"passed": 1, "skipped": 3})
    assert "no chromium on the PATH" in output


def test_a_test_whose_required_dependency_is_missing_fails(tmp_path: pathlib.Path) -> None:
    code, counts, output = outcome(tmp_path, "postgresql,browser", "")
    assert (code, counts) == (1, {"passed": 1, "failed": 1, "error": 2})  # a marker is looked at before the test
    assert "RESCIND_REQUIRE asks for browser: no chromium on the PATH" in output


def test_a_marked_test_may_not_skip_itself_either(tmp_path: pathlib.Path) -> None:
    (tmp_path / "chromium").write_text("#!/bin/sh\n", encoding="utf-8")
    (tmp_path / "chromium").chmod(0o755)
    code, counts, output = outcome(tmp_path, "browser", str(tmp_path))
    assert (code, counts) == (1, {"passed": 3, "failed": 1})
    assert "this was skipped: Skipped: no display" in output


@pytest.mark.parametrize("names", ["chromium", "browser,kafak"])
def test_a_misspelt_name_stops_the_run(names: str, tmp_path: pathlib.Path) -> None:
    code, _, output = outcome(tmp_path, names, "")
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "RESCIND_REQUIRE names" in output
