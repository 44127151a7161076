"""The acceptance cases, run through the command line as anybody would run them.

They are not part of this repository: they are looked for in ../shared/cases, or in $RESCIND_SHARED/cases. There are two
editions of them, and this repository has cases of its own for the second. A case whose rule is not built yet is listed
in tests/spec/acceptance/waiting_cases.txt and must really fail. Once it fits, it is removed from the list.
"""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

from tests.integration.cli.forked import serving
from tests.spec.acceptance.test_cases import EDITIONS, HERE, WAITING, waiting

ROOT = pathlib.Path(__file__).resolve().parents[3]
SHARED = pathlib.Path(os.environ.get("RESCIND_SHARED") or "../shared")
CASES = (SHARED if SHARED.is_absolute() else ROOT / SHARED).resolve() / "cases"
OWN = HERE / EDITIONS[1]
RESCIND = pathlib.Path(sys.executable).with_name("rescind")

# All of this folder's work is done by processes of its own; one worker runs it, and the other runs the rest.
pytestmark = pytest.mark.xdist_group("cases")


@pytest.fixture(scope="module")
def cases() -> dict[str, str]:
    """Every case of both editions by its id, as its line of the file, with those of this repository."""
    paths = [*(CASES / name for name in EDITIONS), OWN]
    missing = [str(p) for p in (CASES / "run.py", *paths) if not p.is_file()]
    if missing:
        reason = (
            f"the acceptance cases are missing: {', '.join(missing)}; RESCIND_SHARED names the folder that has cases/"
        )
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    lines = [line for path in paths for line in path.read_text(encoding="utf-8").splitlines()]
    found = {json.loads(line)["id"]: line for line in lines}
    assert len(found) == len(lines), "two cases have the same id"
    return found


def with_one_way(line: str) -> str:
    """A case without ``refused:*`` beside ``bad``: run.py counts such a result twice, and here it is always bad."""
    case = json.loads(line)
    results = case["expect"]["results"]
    case["expect"]["results"] = ["bad" if result == "bad|refused:*" else result for result in results]
    return json.dumps(case)


def run(
    lines: list[str],
    place: pathlib.Path,
    *options: str,
    directory: pathlib.Path | None = None,
    rescind: str = str(RESCIND),
) -> tuple[int, set[str], str]:
    """Run these cases: exit code, ids of those that differ, and all output. ``directory``: where processes store their
    own files if the journal is elsewhere. ``rescind``: the command to call."""
    chosen = place / "cases.jsonl"
    chosen.write_text("\n".join(map(with_one_way, lines)) + "\n", encoding="utf-8")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RESCIND_")}
    if directory is not None:
        environment["RESCIND_DIRECTORY"] = str(directory)
    done = subprocess.run(
        [sys.executable, "-B", str(CASES / "run.py"), "--rescind", rescind, "--cases", str(chosen), *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
        env=environment,
    )
    output = done.stdout + done.stderr
    if output.startswith("import: "):
        pytest.fail(f"the import itself failed: {output[-4000:]}", pytrace=False)
    assert re.search(rf"^rules: \d+ of {len(lines)} cases fit$", output, re.MULTILINE), output[-4000:]
    return done.returncode, set(re.findall(r"^DIFF (\S+) ", output, re.MULTILINE)), output


def test_the_list_of_those_that_wait_names_cases_once(cases: dict[str, str]) -> None:
    listed = waiting()
    assert len(listed) == len(set(listed))
    assert set(listed) <= set(cases)


def test_every_case_fits_but_those_that_wait(cases: dict[str, str], tmp_path: pathlib.Path) -> None:
    lines = [line for case, line in cases.items() if case not in waiting()]
    with serving() as rescind:
        code, differ, output = run(lines, tmp_path, "--twice", rescind=rescind)
    assert (code, differ) == (0, set()), output[-12000:]


def test_waiting_cases_do_not_fit_yet(cases: dict[str, str], tmp_path: pathlib.Path) -> None:
    listed = [case for case in waiting() if case in cases]
    if listed:
        _, differ, output = run([cases[case] for case in listed], tmp_path, "--each")
        assert sorted(set(listed) - differ) == [], f"these fit now; take them out of {WAITING.name}\n{output[-4000:]}"
