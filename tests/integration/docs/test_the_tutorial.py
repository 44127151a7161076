"""The tutorial is followed word for word: its commands are run, and their output is as the page shows."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.xdist_group("tutorial")  # its fixture runs the whole page, once

ROOT = pathlib.Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/tutorial/first-cancellation.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SCRIPTS = str(pathlib.Path(sys.executable).parent)


def commands() -> list[str]:
    return [line for kind, text in BLOCKS if not kind for line in text.splitlines() if line.startswith(".venv/bin/")]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The output of each command of the page, run one after another in a folder of its own."""
    place = tmp_path_factory.mktemp("tutorial")
    for line in (line for _, text in BLOCKS for line in text.splitlines() if line.startswith("mkdir -p ")):
        (place / line.removeprefix("mkdir -p ")).mkdir(parents=True)
    (lines,) = (text for kind, text in BLOCKS if kind == "json")
    (place / "var/first.jsonl").write_text(lines, encoding="utf-8")
    own = {k: v for k, v in os.environ.items() if not k.startswith("RESCIND_")}
    environment = {**own, "RESCIND_JOURNAL": f"sqlite:///{place}/var/tutorial/journal", "COLUMNS": "120"}
    output = {}
    for command in [*commands(), ".venv/bin/rescind import var/first.jsonl"]:
        words = command.replace(".venv/bin", SCRIPTS).split()
        done = subprocess.run(
            words, cwd=place, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, command + done.stdout + done.stderr
        output[f"again: {command}" if command in output else command] = done.stdout + done.stderr
    return output


def test_the_page_names_every_command_that_it_needs() -> None:
    assert len(commands()) == 5


def test_two_are_accepted_and_one_is_refused_by_its_rule(outputs: dict[str, str]) -> None:
    first = outputs[".venv/bin/rescind import var/first.jsonl"]
    assert "3 read" in first
    assert re.search(r"accepted\D+2\b", first)
    assert re.search(r"auto-canceled-is-final\D+1\b", first)


def test_importing_the_same_file_again_reports_three_duplicates(outputs: dict[str, str]) -> None:
    repeated = outputs["again: .venv/bin/rescind import var/first.jsonl"]
    assert re.search(r"duplicates?\D+3\b", repeated)
    assert re.search(r"accepted\D+0\b", repeated)


def test_the_order_shows_three_shipped_and_seven_canceled_and_its_history_the_refusal(outputs: dict[str, str]) -> None:
    shown = outputs[".venv/bin/rescind order show acme/PO-1001"]
    assert re.search(r"Lamp +10 +0 +3 +7 ", shown)
    assert "70.00 USD, due" in shown
    assert "auto-canceled-is-final" in outputs[".venv/bin/rescind order history acme/PO-1001"]


def test_as_of_the_day_before_nothing_had_shipped(outputs: dict[str, str]) -> None:
    before = outputs[".venv/bin/rescind order show acme/PO-1001 --as-of 2026-03-02T12:00:00Z"]
    assert re.search(r"Lamp +10 +10 +0 +0", before)
    assert "asn-1" not in before
