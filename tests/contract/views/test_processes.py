"""Real processes: killed in the middle, and two on one set of views. Each part of the log is applied once."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from consumers.projection.projector import Part, Projector
from infra.settings import views_at
from infra.views.opening import open_views
from infra.views.replay import check
from tests.contract.views.places import Place, opened
from tests.contract.views.projecting import long_history

ROOT = Path(__file__).parents[3]


def start(place: Place) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.contract.views.projecting", place.url]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def position_of(process: "subprocess.Popen[str]") -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


@pytest.mark.parametrize("position", [6, 100])
def test_a_projecting_process_that_is_killed_leaves_rows_and_position_in_step(place: Place, position: int) -> None:
    process = start(place)
    while position_of(process) < position:
        pass
    process.kill()
    process.communicate()

    found = open_views(views_at(place.url))
    assert found.rebuilt is None
    views = found.views
    log = long_history().log
    parts: list[Any] = [Part("journal", 0, log.state)]
    report = check(views, parts)
    assert report.clean
    assert 0 < report.behind <= log.state.next_ordinal - position
    projector = Projector("journal", 0, log.state, views)
    while projector.advance():
        pass
    assert check(views, parts).clean
    views.close()


def test_two_processes_on_one_set_of_views_apply_each_part_of_the_log_once(place: Place) -> None:
    both = [start(place), start(place)]
    for process in both:
        process.communicate()
        assert process.returncode == 0

    views = opened(place)
    log = long_history().log
    report = check(views, [Part("journal", 0, log.state)])
    assert report.clean
    assert report.behind == 0
    assert report.rows["audit_trail"] == log.state.next_position
    views.close()
