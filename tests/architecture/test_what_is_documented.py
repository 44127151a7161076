"""Generated pages of docs/reference are current, and the schema of commands agrees with the parser."""

import copy
import json
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, get_args

import jsonschema
import pytest
from pydantic import BaseModel

from docs.generate import PAGES
from domain.commands import COMMANDS, parse_command
from domain.errors import BadInput
from domain.policy import PolicyFile
from domain.policy_terms import keys, tables
from tests.architecture.planted import ROOT

REFERENCE = ROOT / "docs" / "reference"


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_generated_page_is_current(name: str) -> None:
    committed = (REFERENCE / name).read_text(encoding="utf-8")
    assert PAGES[name]() == committed, f"docs/reference/{name} does not match the code; run: make docs"


def test_the_order_of_the_checks_has_every_check_of_the_command_handler() -> None:
    handler = (ROOT / "consumers/engine/command_handler.py").read_text(encoding="utf-8")
    checks = handler.split("def handle(")[1].split("def _decide(")[0]
    codes = re.findall(r'(?:unavailable\(|bad\("/at", )"([a-z-]+)"', checks)
    section = (REFERENCE / "decisions.md").read_text(encoding="utf-8").split("## Order of the checks\n")[1]
    outside = {"form", "journal-unavailable"}  # the first step of the list, and an append that failed
    assert {"order-stuck", "policy-unknown", "goes-back-in-time"} <= set(codes)
    assert [code for code in codes if code not in outside and f"`{code}`" not in section.split("\n## ")[0]] == []


def test_the_page_about_measuring_says_what_every_bench_is() -> None:
    from tests.bench.__main__ import BENCHES

    page = (ROOT / "docs/how-to/measure.md").read_text(encoding="utf-8")
    assert [name for name in BENCHES if f"\n| {name} | " not in page] == []


PLACED: dict[str, Any] = {
    "command": "PlaceOrder",
    "command_id": "c1",
    "marketplace": "acme",
    "order_id": "PO-1001",
    "at": "2026-03-02T10:00:00Z",
    "actor": {"kind": "system", "id": "checkout"},
    "buyer_id": "b-7",
    "seller_id": "s-3",
    "currency": "USD",
    "lines": [{"line": 1, "sku": "A-1", "quantity": 10, "unit_price": "10.00"}],
}
REQUEST: dict[str, Any] = {
    **{k: PLACED[k] for k in ("marketplace", "order_id", "at")},
    "command": "RequestCancel",
    "command_id": "c2",
    "actor": {"kind": "buyer", "id": "b-7"},
    "request_id": "r1",
    "lines": [1, {"line": 2, "quantity": 3}],
    "reason": "ordered_by_mistake",
    "text": "Sorry!\nI took the wrong one.",
}
# what is changed in a good command (None: taken away), and whether it is good afterwards
CHANGES: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    (PLACED, {}, True),
    (REQUEST, {}, True),
    (REQUEST, {"lines": None}, True),
    (REQUEST, {"at": None}, True),
    (REQUEST, {"at": 1772445600}, False),
    (REQUEST, {"lines": []}, False),
    (REQUEST, {"lines": ["1"]}, False),
    (REQUEST, {"lines": [0]}, False),
    (REQUEST, {"lines": [{"line": 1, "quantity": 0}]}, False),
    (REQUEST, {"reason": "because"}, False),
    (REQUEST, {"request_id": None}, False),
    (REQUEST, {"text": 5}, False),
    (REQUEST, {"colour": "red"}, False),
    (REQUEST, {"command": "CancelOrder"}, False),
    (REQUEST, {"command": None}, False),
    (REQUEST, {"command_id": "a b"}, False),
    (REQUEST, {"actor": {"kind": "courier", "id": "x"}}, False),
    (PLACED, {"marketplace": "Acme"}, False),
    (PLACED, {"currency": "usd"}, False),
    (PLACED, {"paid": "yes"}, False),
    (PLACED, {"rounding": "-0.01"}, True),
    (PLACED, {"discount": "-0.01"}, False),
    (PLACED, {"discount": 1}, False),
    (PLACED, {"lines": [{"line": 1, "sku": "A-1", "quantity": 1}]}, False),
]


@pytest.mark.parametrize(("body", "change", "good"), CHANGES)
def test_the_published_schema_and_the_parser_agree(body: dict[str, Any], change: dict[str, Any], good: bool) -> None:
    changed = {k: v for k, v in {**copy.deepcopy(body), **change}.items() if v is not None}
    schema = json.loads((REFERENCE / "commands.schema.json").read_text(encoding="utf-8"))

    assert jsonschema.Draft202012Validator(schema).is_valid(changed) is good
    if good:
        assert parse_command(changed).command == changed["command"]
    else:
        with pytest.raises(BadInput):
            parse_command(changed)


def test_the_published_schema_is_a_schema_of_every_command() -> None:
    schema = json.loads((REFERENCE / "commands.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert {branch["$ref"].removeprefix("#/$defs/") for branch in schema["oneOf"]} == set(COMMANDS)


def keys_of_a_policy(model: type[BaseModel] = PolicyFile, table: str = "") -> Iterator[tuple[str, str]]:
    """Every (table, key) that a policy file may have; a key outside of any table has an empty one."""
    for name, field in model.model_fields.items():
        key = field.alias or name.replace("_", "-")
        inner = [
            t
            for t in (field.annotation, *get_args(field.annotation))
            if isinstance(t, type) and issubclass(t, BaseModel)
        ]
        if inner:
            yield from keys_of_a_policy(inner[0], key)
        else:
            yield table, key


def test_every_key_of_a_policy_file_is_described() -> None:
    page = (REFERENCE / "policy-keys.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:3] for line in page.splitlines() if line.startswith("| ")]
    described = {(table.strip(" `[]"), key) for table, keys in rows for key in re.findall(r"`([a-z-]+)`", keys)}
    assert set(keys_of_a_policy()) - described == set()
    assert described - set(keys_of_a_policy()) == set()


def test_every_key_of_a_policy_is_explained_in_words() -> None:
    explained = {("", key) for key, *_ in keys(PolicyFile)}
    explained |= {(table, key) for table, model in tables(PolicyFile) for key, *_ in keys(model)}
    assert explained == set(keys_of_a_policy())


def pages() -> list[pathlib.Path]:
    return [p for p in (ROOT / "docs").rglob("*.md") if "_build" not in p.parts]


def test_every_page_of_the_documentation_begins_with_its_title() -> None:
    assert [str(p.relative_to(ROOT)) for p in pages() if not p.read_text(encoding="utf-8").startswith("# ")] == []


def shell_lines(page: pathlib.Path) -> Iterator[str]:
    """The lines of a page's blocks that are for a shell."""
    for kind, text in re.findall(
        r"^ *```(\w*)\n(.*?)^ *```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    ):
        if kind in ("", "text", "sh", "bash", "console"):
            yield from text.splitlines()


def test_the_url_of_a_store_is_quoted_in_every_command() -> None:
    lines = [line for page in (*pages(), ROOT / "README.md", ROOT / "CONTRIBUTING.md") for line in shell_lines(page)]
    with_one = [line for line in lines if re.search(r"(kafka|postgresql|sqlite)://", line)]
    assert len(with_one) > 10
    assert [line for line in with_one if re.search(r"""(?<!["'])(kafka|postgresql|sqlite)://""", line)] == []
    assert [line for line in lines if re.search(r"""(?<!["'])https?://[^\s"']*[?&]""", line)] == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_every_link_of_these_pages_has_a_target(name: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / name).read_text(encoding="utf-8"))
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_documentation_builds_without_a_warning(tmp_path: pathlib.Path) -> None:
    build = [sys.executable, "-B", "-m", "sphinx", "--fail-on-warning", "--quiet", "-b", "html"]
    done = subprocess.run(
        [*build, "-d", str(tmp_path / "cache"), str(ROOT / "docs"), str(tmp_path / "html")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "html/index.html").is_file()


PATH = re.compile(
    r"`((?:domain|schemas|projections|consumers|infra|tests|docs|deploy|requirements)/[\w/.-]*\w(?:\.\w+|/))`"
)


@pytest.mark.parametrize(
    "name", ["CONTRIBUTING.md", "docs/explanation/architecture.md", "docs/integrate.md", "docs/run.md"]
)
def test_every_file_and_folder_that_these_pages_name_exists(name: str) -> None:
    named = PATH.findall((ROOT / name).read_text(encoding="utf-8"))
    assert named
    assert [path for path in named if "NAME" not in path and not (ROOT / path).exists()] == []
