"""The oracles hold whatever happens to the engines; 250 seeds, the same ones every time."""

import os
import subprocess
import sys

import pytest

from tests.simulation.runs import again, run

SEEDS = 250
AT_ONCE = 25


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_nothing_acknowledged_is_lost_and_nothing_happens_twice(first: int) -> None:
    answers: dict[str, int] = {}
    for seed in range(first, first + AT_ONCE):
        ran = run(seed)
        assert ran.broken is None, f"seed {seed}: {ran.broken}\nto see it again: {again(seed)}"
        for kind, times in ran.answers.items():
            answers[kind] = answers.get(kind, 0) + times
    assert {"accepted", "refused", "duplicate", "bad", "unavailable"} <= answers.keys()


@pytest.mark.slow
@pytest.mark.parametrize("first", range(SEEDS, 12 * SEEDS, 125))
def test_nothing_acknowledged_is_lost_in_many_more_worlds(first: int) -> None:
    for seed in range(first, first + 125):
        ran = run(seed)
        assert ran.broken is None, f"seed {seed}: {ran.broken}\nto see it again: {again(seed)}"


@pytest.mark.parametrize("seed", [3, 141])
def test_the_same_seed_gives_the_same_trace(seed: int) -> None:
    assert run(seed).trace == run(seed).trace


def test_the_same_seed_gives_the_same_trace_in_another_process() -> None:
    here = run(77)
    process = subprocess.run(
        [sys.executable, "-m", "tests.simulation", "--seed", "77"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "4242"},
    )
    assert f"seed 77: {here}" in process.stdout


def test_another_seed_gives_another_trace() -> None:
    assert run(1).trace != run(2).trace
