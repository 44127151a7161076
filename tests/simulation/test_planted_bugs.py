"""The oracles are worth something: each planted bug is caught, by the oracle that is there for it (README.md)."""

import pytest

from tests.simulation.oracles import Broken
from tests.simulation.runs import run

CAUGHT_BY = {"hasty": "O1", "careless": "O1", "forgetful": "O1", "impatient": "O1", "early": "O5"}
"""Planted bug → the oracle that catches it."""
SEEDS = 100


@pytest.mark.parametrize("plant", CAUGHT_BY)
def test_a_planted_bug_is_caught(plant: str) -> None:
    found = next((seed for seed in range(SEEDS) if run(seed, plant).broken is not None), None)
    assert found is not None, f"{SEEDS} seeds, and nobody noticed"
    broken = run(found, plant).broken
    assert isinstance(broken, Broken), broken
    assert broken.oracle == CAUGHT_BY[plant], broken
    assert run(found).broken is None
