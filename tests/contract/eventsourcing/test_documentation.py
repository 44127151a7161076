"""The how-to runs exactly as documented."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from eventsourcing.persistence import Tracking

from infra.eventsourcing_journal import Factory
from tests.broker.fixtures import SECOND_GROUP, Kafka

ROOT = Path(__file__).parents[3]
HOW_TO = ROOT / "docs" / "how-to" / "eventsourcing-application.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", HOW_TO.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_somebody_elses_application_runs_on_the_journal_as_the_how_to_describes(tmp_path: Path) -> None:
    (tmp_path / "shelves.py").write_text(blocks("python")[0], encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = [sys.executable, "-W", "error", "shelves.py"]
    done = subprocess.run(run, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    assert done.stdout == blocks("text")[0]
    assert (tmp_path / "var" / "library" / "Application.sqlite").exists()


@pytest.mark.kafka
@pytest.mark.xdist_group(SECOND_GROUP)
def test_on_kafka_the_same_application_needs_another_url_and_nothing_else(tmp_path: Path, kafka: Kafka) -> None:
    program = blocks("python")[0]
    assert program.count('"sqlite:///var/library"') == 1
    (tmp_path / "shelves.py").write_text(program.replace("sqlite:///var/library", kafka.url()), encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = [sys.executable, "-W", "error", "shelves.py"]
    done = subprocess.run(run, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    assert done.stdout == blocks("text")[0]


def test_the_view_of_the_how_to_counts() -> None:
    names: dict[str, Any] = {"__name__": "how_to"}
    exec(blocks("python")[1], names)  # noqa: S102 - it is the page's own example
    factory = Factory({"JOURNAL_URL": f"memory:{uuid4()}"})
    view: Any = factory.tracking_recorder(names["BookCount"])
    for position in (3, 8):
        view.add_one(Tracking("shelves", position))
    assert view.count() == 2
    assert view.max_tracking_id("shelves") == 8
    factory.close()
