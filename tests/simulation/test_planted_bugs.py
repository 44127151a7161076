"""The oracles are worth something: each planted bug is caught, by the oracle that is there for it (README.md)."""

import pytest

from tests.simulation.oracles import Broken
from tests.simulation.runs import run

CAUGHT = {
    "hasty": ("O1", 0),
    "careless": ("O1", 0),
    "forgetful": ("O1", 0),
    "impatient": ("O1", 0),
    "early": ("O5", 39),
}
"""Planted bug → the oracle that catches it, and the first seed that does."""


@pytest.mark.parametrize("plant", CAUGHT)
def test_a_planted_bug_is_caught(plant: str) -> None:
    oracle, seed = CAUGHT[plant]
    broken = run(seed, plant).broken
    assert isinstance(broken, Broken), broken
    assert broken.oracle == oracle, broken
    assert run(seed).broken is None
