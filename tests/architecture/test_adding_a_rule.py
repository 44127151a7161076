"""CONTRIBUTING's "Add a rule" works to the letter, and every step of it is needed."""

import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable

import pytest

from tests.architecture.planted import ROOT

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## Add a rule")[1].split("\n## ")[0]
STEPS = re.split(r"^\*\*\d\.", PAGE, flags=re.MULTILINE)[1:]
BLOCKS = [block for step in STEPS for block in re.findall(r"```\w+\n((?:# |<!-- ).*?)```", step, re.DOTALL)]
COMMANDS = [line.split()[1:] for line in PAGE.splitlines() if line.startswith(".venv/bin/python ")]


def copy_of_the_project(place: pathlib.Path) -> pathlib.Path:
    """Everything that the checks of a rule read, copied into `place`."""
    for folder in ("domain", "schemas", "projections", "consumers", "infra", "docs", "tests"):
        unneeded = shutil.ignore_patterns("__pycache__", "_build")
        shutil.copytree(ROOT / folder, place / folder, ignore=unneeded)
    for file in ("pyproject.toml", "CONTRIBUTING.md", "CHANGELOG.md"):
        shutil.copy(ROOT / file, place)
    return place


def versions(place: pathlib.Path) -> list[int]:
    """Return the versions of the page's preset that the copy has, in ascending order."""
    numbers = [re.sub(r"\D", "", file.name) for file in (place / "domain/presets").glob("big-box*.toml")]
    return sorted(int(number or 1) for number in numbers)


def add_a_version(place: pathlib.Path) -> None:
    """Add a next version of the page's preset, with other terms, as somebody else's change would."""
    number = versions(place)[-1] + 1
    text = (place / "domain/presets/big-box.toml").read_text(encoding="utf-8")
    text = text.replace("version = 1", f"version = {number}").replace("days = 30", "days = 45")
    (place / f"domain/presets/big-box.{number}.toml").write_text(text, encoding="utf-8")


def blocks(place: pathlib.Path) -> list[str]:
    """Return the page's blocks. Where they say version 3 of the preset, they say its next version in this copy."""
    number = versions(place)[-1] + 1
    return [re.sub(r"(big-box[.@]|^version = )3\b", rf"\g<1>{number}", block, flags=re.MULTILINE) for block in BLOCKS]


def add(block: str, place: pathlib.Path) -> str:
    """Follow one step: the block's first line names the file, whose end it goes to, its imports to the others."""
    first, _, text = block.partition("\n")
    name = re.sub(r"^(# |<!-- )|( -->)$", "", first)
    file = place / name
    if name == "CHANGELOG.md":
        before, heading, after = file.read_text(encoding="utf-8").partition("### Added\n")
        file.write_text(before + heading + text + after, encoding="utf-8")
        return name
    if name == "docs/reference/cancellation.md":
        before, last_row, after = file.read_text(encoding="utf-8").partition("| `seller-has-final-say` |")
        file.write_text(before + text + last_row + after, encoding="utf-8")
        return name
    imports = "".join(line + "\n" for line in text.splitlines() if line.startswith("from "))
    body = "".join(line + "\n" for line in text.splitlines() if not line.startswith("from "))
    if not file.exists():
        file.write_text(body, encoding="utf-8")
        return name
    docstring, mark, rest = file.read_text(encoding="utf-8").partition('"""\n\n')
    file.write_text(f"{docstring}{mark}{imports}{rest}\n\n{body}", encoding="utf-8")
    return name


def run(command: Iterable[str], place: pathlib.Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-B", *command],
        cwd=place,
        env={"PYTHONPATH": str(place), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def checks(place: pathlib.Path, *, quick: bool) -> list[subprocess.CompletedProcess[str]]:
    """Write the reference and run the checks that the page names; ``quick``: without the demo and the other specs."""
    generate, check = COMMANDS
    if quick:
        check = [*check[:2], *(part for part in check[2:] if "rule" in part)]
    pytest_options = ["-p", "no:cacheprovider", "-q", "-m", "not slow and not random"]
    return [run(generate, place), run([*check, *pytest_options], place)]


def test_the_page_has_five_steps_with_six_files_and_two_commands() -> None:
    names = [block.partition("\n")[0] for block in BLOCKS]
    assert len(STEPS) == 5
    assert len(BLOCKS) == len(set(names)) == 6
    assert len(COMMANDS) == 2


@pytest.mark.slow
def test_following_every_step_gives_a_rule_whose_checks_all_pass(tmp_path: pathlib.Path) -> None:
    place = copy_of_the_project(tmp_path)
    for block in blocks(place):
        add(block, place)
    for done in checks(place, quick=False):
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert "bulk-order-final" in (place / "docs/reference/rules.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("left_out", [None, *(pytest.param(step, marks=pytest.mark.slow) for step in range(6))])
def test_the_checks_notice_a_step_that_is_left_out(tmp_path: pathlib.Path, left_out: int | None) -> None:
    place = copy_of_the_project(tmp_path)
    add_a_version(place)
    for number, block in enumerate(blocks(place)):
        if number != left_out:
            add(block, place)
    *_, checked = checks(place, quick=True)
    assert (checked.returncode == 0) is (left_out is None), checked.stdout[-3000:] + checked.stderr
