"""The program of the how-to is run unchanged, against an engine that processes commands from the topic."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

from tests.broker.fixtures import GROUP, Kafka
from tests.integration.command_topic.stage import Stage

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group(GROUP)]

PAGE = (pathlib.Path(__file__).resolve().parents[3] / "docs/how-to/commands-topic.md").read_text(encoding="utf-8")
(PROGRAM,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
(PRINTED,) = re.findall(r"^It prints\n\n```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def printed(stage: Stage, place: pathlib.Path) -> str:
    """The program's output, run in any folder."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, stage.at.servers, stage.at.prefix],
        cwd=place,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_three_commands_are_sent_and_their_outcomes_read_also_a_second_time(
    kafka: Kafka, tmp_path: pathlib.Path
) -> None:
    with Stage(kafka, tmp_path) as stage, stage.open():
        assert printed(stage, tmp_path) == PRINTED
        assert printed(stage, tmp_path) == PRINTED
        found = stage.outcomes()["acme/PO-7001/notice-1"]
        assert ["rescind-replayed" in each["headers"] for each in found] == [False, True]
