"""Real processes: killed in the middle, and two on one set of views. Each part of the log is applied once."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from consumers.projector import Part, Projector
from infra.views.replay import check
from infra.views.sqlite import open_sqlite_views
from tests.contract.views.projecting import long_history

ROOT = Path(__file__).parents[3]


def start(path: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.contract.views.projecting", str(path)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def said(process: "subprocess.Popen[str]") -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


@pytest.mark.parametrize("position", [6, 100])
def test_a_projecting_process_that_is_killed_leaves_rows_and_position_in_step(tmp_path: Path, position: int) -> None:
    path = tmp_path / "views.sqlite"
    process = start(path)
    while said(process) < position:
        pass
    process.kill()
    process.communicate()

    opened = open_sqlite_views(path)
    assert opened.made_anew is None
    log = long_history().log
    parts: list[Any] = [Part("journal", 0, log.state)]
    report = check(opened.views, parts)
    assert report.clean
    assert 0 < report.behind <= log.state.next_ordinal - position
    projector = Projector("journal", 0, log.state, opened.views)
    while projector.advance():
        pass
    assert check(opened.views, parts).clean
    opened.views.close()


def test_two_processes_on_one_set_of_views_apply_each_part_of_the_log_once(tmp_path: Path) -> None:
    path = tmp_path / "views.sqlite"
    both = [start(path), start(path)]
    for process in both:
        process.communicate()
        assert process.returncode == 0

    views = open_sqlite_views(path).views
    log = long_history().log
    report = check(views, [Part("journal", 0, log.state)])
    assert report.clean
    assert report.behind == 0
    assert report.rows["audit_trail"] == log.state.next_position
    views.close()
