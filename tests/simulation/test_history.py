"""An import that dies anywhere and is run again gives the same history as one that never did."""

import pytest

from tests.simulation.history import Import


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_an_import_that_died_and_was_run_again_has_the_same_bytes(first: int) -> None:
    lives = 0
    for seed in range(first, first + 20):
        broken, whole = Import(seed, dies=True), Import(seed, dies=False)
        assert broken.run() == whole.run(), f"seed {seed}"
        lives += broken.lives
    assert lives > 40
