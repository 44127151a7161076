"""Each import contract is broken once, in a copy, to see it fail: a contract that cannot fail checks nothing."""

import pathlib
import tomllib

import pytest

from tests.architecture.planted import ROOT, copy_of_the_project, lint_imports

# contract id: the module that is planted, and the import in it that the contract forbids
VIOLATIONS = [
    ("one-way", "domain/planted.py", "import schemas"),
    ("one-way", "domain/planted.py", "import infra.cli"),
    ("one-way", "schemas/planted.py", "import projections"),
    ("one-way", "projections/planted.py", "import schemas"),
    ("one-way", "projections/planted.py", "import consumers"),
    ("one-way", "consumers/planted.py", "import infra"),
    ("loops", "consumers/ports/planted.py", "import consumers.log.admission"),
    ("loops", "consumers/log/planted.py", "import consumers.engine.engine"),
    ("loops", "consumers/erasing/planted.py", "import consumers.notifying.notifier"),
    ("loops", "consumers/engine/planted.py", "import consumers.command_topic.gateway"),
    ("rooms", "infra/http/planted.py", "import infra.web.pages"),
    ("rooms", "infra/command_topic/planted.py", "import infra.http.routes"),
    ("rooms", "infra/vault/planted.py", "import infra.store.opening"),
    ("rooms", "infra/publishing/planted.py", "import infra.notifications.runner"),
    ("rooms", "infra/kafka/planted.py", "import infra.journals.sqlite"),
    ("no-outside", "consumers/planted.py", "import sqlite3"),
    ("no-outside", "schemas/planted.py", "import kafka"),
    ("no-outside", "projections/planted.py", "import fastapi"),
    ("pure-domain", "domain/planted.py", "import fastavro"),
    ("no-tests", "infra/planted.py", "import tests.needs"),
    ("no-tests", "consumers/planted.py", "import pytest"),
]


def contracts() -> dict[str, str]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {c["id"]: c["name"] for c in settings["tool"]["importlinter"]["contracts"]}


def test_every_contract_is_among_those_that_are_broken_here() -> None:
    assert set(contracts()) == {contract for contract, _, _ in VIOLATIONS}


@pytest.mark.parametrize(("contract", "module", "line"), VIOLATIONS)
def test_a_planted_import_breaks_its_contract(contract: str, module: str, line: str, tmp_path: pathlib.Path) -> None:
    place = copy_of_the_project(tmp_path)
    (place / module).write_text(f'"""Planted."""\n\n{line}\n', encoding="utf-8")

    result = lint_imports(place, contract)

    assert result.returncode == 1, result.stdout + result.stderr
    assert f"{contracts()[contract]} BROKEN" in " ".join(result.stdout.split())
    assert module.removesuffix(".py").replace("/", ".") in result.stdout


def test_the_project_itself_passes_every_import_contract(tmp_path: pathlib.Path) -> None:
    place = copy_of_the_project(tmp_path)
    for contract in contracts():
        result = lint_imports(place, contract)
        assert result.returncode == 0, result.stdout + result.stderr
