"""Imports left open under simulation; and the oracle speaks."""

import pytest

from consumers.engine.engine import Engine
from consumers.engine.imports import Imports
from domain.instants import EARLIEST, Instant
from tests.simulation.left_open import LeftOpen
from tests.simulation.oracles import Broken, check

SEEDS = 40
AT_ONCE = 20


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_nothing_live_happens_while_an_import_is_open_and_nothing_of_then_happens_later(first: int) -> None:
    turned_away = spared = fired = 0
    for seed in range(first, first + AT_ONCE):
        world = LeftOpen(seed)
        world.run()
        check(world)
        turned_away += world.turned_away
        spared += world.spared
        fired += world.fired
    assert turned_away, "nobody asked for anything while it was open"
    assert spared, "nothing was due while it was open"
    assert fired, "no other marketplace continued"


class _Blind(Imports):
    """Sees no open import."""

    def is_open(self, partition: int, marketplace: str) -> bool:
        return False


class _Forgetful(Imports):
    """Does not know when the last one closed."""

    def closed_at(self, partition: int, marketplace: str) -> Instant:
        return EARLIEST


@pytest.mark.parametrize("wrong", [_Blind, _Forgetful])
def test_an_engine_that_does_not_mind_imports_is_caught(wrong: type[Imports]) -> None:
    def build(*given: object, **named: object) -> Engine:
        engine = Engine(*given, **named)  # type: ignore[arg-type]
        engine.imports.__class__ = wrong
        return engine

    def many() -> None:
        for seed in range(SEEDS):
            LeftOpen(seed, build).run()

    with pytest.raises(Broken, match="import: "):
        many()
