"""Every dotted name of ours that a docstring, comment or page mentions exists, so that a move leaves no dead
mention."""

import importlib
import re
from pathlib import Path

import pytest

from tests.architecture.planted import ROOT

ROOMS = ("domain", "projections", "consumers", "schemas", "infra")
MENTION = re.compile(r"``((?:domain|projections|consumers|schemas|infra)(?:\.\w+)+)(?:\([^`]*\))?``")
PAGE_MENTION = re.compile(r"`((?:domain|projections|consumers|schemas|infra)(?:\.\w+)+)`")
DATA_FILES = {"avsc", "toml", "json", "html", "css", "py"}


def files() -> list[Path]:
    code = [path for room in (*ROOMS, "tests", "docs") for path in (ROOT / room).rglob("*.py")]
    pages = [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    return [path for path in (*code, *pages) if "_build" not in path.parts]


def mentions(path: Path) -> set[str]:
    pattern = PAGE_MENTION if path.suffix == ".md" else MENTION
    return {name for name in pattern.findall(path.read_text(encoding="utf-8")) if name.split(".")[-1] not in DATA_FILES}


def exists(name: str) -> bool:
    """Whether a dotted name is a module, or an attribute that can be reached from one."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            if part not in getattr(found, "__annotations__", {}) and not hasattr(found, part):
                return False
            found = getattr(found, part, None)
        return True
    return False


def test_every_name_of_ours_in_a_text_exists() -> None:
    dead = {f"{path.relative_to(ROOT)}: {name}" for path in files() for name in mentions(path) if not exists(name)}
    assert sorted(dead) == []


@pytest.mark.parametrize(
    ("name", "there"), [("domain.order.Order", True), ("domain.order.Ordre", False), ("infra.nowhere.x", False)]
)
def test_a_name_that_is_not_there_is_noticed(name: str, there: bool) -> None:
    assert exists(name) is there
