"""The README's first minute is true: the output of `make run` and of the commands, except dates, paths and hashes."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SCRIPTS = str(Path(sys.executable).parent)
README = (ROOT / "README.md").read_text(encoding="utf-8")


def shown() -> dict[str, list[str]]:
    """Command of the README's console blocks -> the lines below it."""
    found: dict[str, list[str]] = {}
    for block in re.findall(r"^```console\n(.*?)^```$", README, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found[line[2:]] = []
            else:
                found[list(found)[-1]].append(line)
    return found


def plain(text: str) -> list[str]:
    """Lines without what differs from run to run."""
    text = re.sub(r"\b[0-9a-f]{64}\b", "HASH", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?Z", "TIME", text)
    text = re.sub(r"/\S+/var|/\S*/pytest-\S+", "FOLDER", re.sub(r"127\.0\.0\.1:\d+", "ADDRESS", text))
    return [line.rstrip() for line in text.strip("\n").splitlines()]


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[str], Path]]:
    """The output of `make run` once everything is installed, and the folder of the store that it serves."""
    data = tmp_path_factory.mktemp("first") / "var"
    command = [sys.executable, str(ROOT / "deploy/make_run.py"), str(data), "127.0.0.1", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as run:
        assert run.stdout is not None
        lines: list[str] = []
        while not lines or "listening" not in lines[-1]:
            line = run.stdout.readline()
            assert line, lines
            lines.append(line)
        yield lines, data
        run.send_signal(signal.SIGTERM)
        assert run.wait(60) == 0


def test_make_run_prints_what_the_readme_shows(printed: tuple[list[str], Path]) -> None:
    first, *rest = shown()["make run"]
    assert first.removeprefix("make: ") in (ROOT / "Makefile").read_text(encoding="utf-8").replace("$(VENV)", ".venv")
    on_standard_output = [line for line in plain("\n".join(rest)) if "filling" not in line]
    assert on_standard_output == plain("".join(printed[0]))


@pytest.mark.parametrize("command", [command for command in shown() if command.startswith(".venv/bin/rescind ")])
def test_a_command_prints_what_the_readme_shows(printed: tuple[list[str], Path], command: str) -> None:
    own = {key: value for key, value in os.environ.items() if not key.startswith("RESCIND_")}
    done = subprocess.run(
        command.replace(".venv/bin", SCRIPTS).split(),
        env={**own, "RESCIND_JOURNAL": f"sqlite:///{printed[1]}/journal", "COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = plain("\n".join(shown()[command]))
    output = plain(done.stdout)
    if lines[-1] == "...":  # the README shows its beginning only
        lines.pop()
        output = output[: len(lines)]
    assert output == lines, f"the README shows an older answer; this is the answer of today:\n{done.stdout}"
