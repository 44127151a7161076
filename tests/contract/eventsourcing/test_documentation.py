"""The how-to is run as it stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

from eventsourcing.persistence import Tracking

from infra.eventsourcing_journal import Factory

ROOT = Path(__file__).parents[3]
HOW_TO = ROOT / "docs" / "how-to" / "eventsourcing-application.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", HOW_TO.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_somebody_elses_application_runs_on_the_journal_as_the_how_to_says(tmp_path: Path) -> None:
    (tmp_path / "shelves.py").write_text(blocks("python")[0], encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = [sys.executable, "-W", "error", "shelves.py"]
    done = subprocess.run(run, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    assert done.stdout == blocks("text")[0]
    assert (tmp_path / "var" / "library" / "Application.sqlite").exists()


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
