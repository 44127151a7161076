"""`make test-nightly`: every part runs, a failure is reported, and the last line says what was run and found."""

import sys

import pytest

from tests.nightly import Part, night, parts


def small(name: str, program: str) -> Part:
    """A part that runs one line of Python."""
    return Part(name, [[sys.executable, "-c", program]], r"^\d+ runs|^seed", {})


def test_a_failed_part_stops_none_and_fails_the_night(capfd: pytest.CaptureFixture[str]) -> None:
    wanted = [small("one", "print('seed 3: broken'); raise SystemExit(1)"), small("two", "print('7 runs in 1 s')")]
    assert night(wanted) == 1
    last = capfd.readouterr().out.splitlines()[-1]
    assert last == "nightly: one: FAILED (seed 3: broken, 0 min); two: ok (7 runs in 1 s, 0 min)"
    assert night(wanted[1:]) == 0


def test_a_night_runs_the_simulation_as_its_command_line_takes_it(capfd: pytest.CaptureFixture[str]) -> None:
    simulation, _, whole, shared, examples = parts(4, 2, 10, 50, 1_000_000, 7)
    assert night([simulation]) == 0
    assert capfd.readouterr().out.splitlines()[-1].startswith("nightly: 4 seeds from 1000000: ok (2 runs in")
    assert [command[-1] for command in (*whole.commands, *shared.commands)] == ["--quiet", "--share"]
    assert examples.environment["RESCIND_EXAMPLES"] == "50"


def test_a_night_tells_random_orders_as_their_command_line_takes_them(capfd: pytest.CaptureFixture[str]) -> None:
    orders = parts(4, 2, 10, 50, 1_000_000, 7)[1]
    assert night([orders]) == 0
    assert (
        capfd.readouterr().out.splitlines()[-1].startswith("nightly: 2 orders from 1000000: ok (1 orders from 100000")
    )
