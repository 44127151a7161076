"""The ten minutes of "write your own policy" are followed word for word, and the page describes the results."""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.xdist_group("write-a-policy")  # its fixture runs the whole page, once

ROOT = pathlib.Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/how-to/write-a-policy.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SCRIPTS = str(pathlib.Path(sys.executable).parent)
COMMANDS = [line for kind, text in BLOCKS if not kind for line in text.splitlines()]


def rescind(place: pathlib.Path, command: str) -> "subprocess.CompletedProcess[str]":
    """Run one command of the page, unchanged."""
    own = {k: v for k, v in os.environ.items() if not k.startswith("RESCIND_")}
    environment = {**own, "RESCIND_JOURNAL": f"sqlite:///{place}/shop/journal", "COLUMNS": "200"}
    words = command.replace(".venv/bin", SCRIPTS).split()
    return subprocess.run(words, cwd=place, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder with the files of the page."""
    place = tmp_path_factory.mktemp("policy")
    first, second, settings = (text for kind, text in BLOCKS if kind == "toml")
    (commands,) = (text for kind, text in BLOCKS if kind == "json")
    files = {
        "corner-shop.toml": first,
        "corner-shop-2.toml": second,
        "settings.toml": settings,
        "orders.jsonl": commands,
    }
    for name, text in files.items():
        (place / name).write_text(text, encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def outputs(place: pathlib.Path) -> dict[str, str]:
    """The output of each command of the page, run one after another."""
    found = {}
    for command in COMMANDS:
        done = rescind(place, command)
        assert done.returncode == 0, command + done.stdout + done.stderr
        found[command.removeprefix(".venv/bin/rescind ")] = done.stdout + done.stderr
    return found


def test_every_line_of_a_block_without_a_language_is_a_command() -> None:
    assert len(COMMANDS) == 10
    assert all(line.startswith(".venv/bin/rescind ") for line in COMMANDS)


def test_explain_describes_each_key_in_words_including_omitted_ones(outputs: dict[str, str]) -> None:
    explained = outputs["policy explain corner-shop"]
    assert "Applies until 2 hours after the order was placed, inclusive." in explained
    assert "The seller has 2 business days to answer." in explained
    assert "the request is closed and nothing is canceled" in explained
    assert "cases: off" in explained
    assert "corner-shop@1" in outputs["policy list"]


def test_three_hours_later_it_is_a_request_to_the_seller_and_before_that_it_is_granted(outputs: dict[str, str]) -> None:
    assert re.search(r"accepted\D+2\b", outputs["import orders.jsonl"])
    assert (
        "cancellation" in outputs["order show acme/PO-1"].lower()
        or "cancel_requested" in outputs["order show acme/PO-1"]
    )
    assert "2026-03-04" in outputs["order show acme/PO-1"], "until Wednesday"
    assert "grace-window" in outputs["order eligibility acme/PO-1 --as-of 2026-03-02T12:00:00Z"]


def test_whatif_and_diff_show_the_change_before_it_is_published(outputs: dict[str, str]) -> None:
    assert "grace-window" in outputs["whatif --policy corner-shop-2.toml"]
    diff = outputs["policy diff corner-shop corner-shop-2.toml"]
    assert re.search(r"grace-window.length +2 hours +4 hours", diff)


def test_an_order_retains_its_policy_version_and_a_new_order_takes_the_marketplaces_newest(
    place: pathlib.Path, outputs: dict[str, str]
) -> None:
    assert json.loads(outputs["order show acme/PO-1 --json"])["policy"]["version"] == 1
    first = json.loads((place / "orders.jsonl").read_text(encoding="utf-8").splitlines()[0])
    later = {k: v for k, v in first.items() if k != "policy"} | {"order_id": "PO-2", "at": "2026-03-05T10:00:00Z"}
    (place / "later.jsonl").write_text(json.dumps(later) + "\n", encoding="utf-8")
    assert rescind(place, ".venv/bin/rescind --config settings.toml import later.jsonl").returncode == 0
    shown = json.loads(rescind(place, ".venv/bin/rescind order show acme/PO-2 --json").stdout)
    assert (shown["policy"]["id"], shown["policy"]["version"]) == ("corner-shop", 2)


def test_a_key_that_there_is_not_is_refused_by_name(place: pathlib.Path, outputs: dict[str, str]) -> None:
    text = (place / "corner-shop.toml").read_text(encoding="utf-8")
    (place / "wrong.toml").write_text(text.replace("length", "lenght"), encoding="utf-8")
    done = rescind(place, ".venv/bin/rescind policy publish wrong.toml")
    assert done.returncode == 2
    assert "grace-window.lenght: there is no such key" in done.stderr
