"""A copy of the five packages that a test may spoil, to see that the checks notice."""

import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = ("domain", "schemas", "projections", "consumers", "infra")
BELOW_INFRA = PACKAGES[:-1]


def copy_of_the_project(place: pathlib.Path) -> pathlib.Path:
    """The packages' modules and pyproject.toml, copied into `place`."""
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, place / package, ignore=shutil.ignore_patterns("__pycache__", "static", "*.avsc")
        )
    shutil.copy(ROOT / "pyproject.toml", place)
    return place


def lint_imports(place: pathlib.Path, contract: str) -> subprocess.CompletedProcess[str]:
    """Run import-linter with one contract on that tree."""
    command = "import sys; from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-B", "-c", command, "--contract", contract, "--no-cache"],
        cwd=place,
        env={"PYTHONPATH": str(place), "PATH": "", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
