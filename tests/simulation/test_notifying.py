"""O4: at most one message per (order, template, sequence), and nobody is forgotten; and the oracle speaks."""

from collections import Counter

import pytest

from tests.simulation.notifying import NotifiedWorld, check_notifications
from tests.simulation.oracles import Broken, check

SEEDS = 60
AT_ONCE = 20


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_both_told_at_most_once_whatever_happens(first: int) -> None:
    states: Counter[str] = Counter()
    endings = 0
    for seed in range(first, first + AT_ONCE):
        world = NotifiedWorld(seed)
        world.run()
        check(world)
        states += check_notifications(world)
        endings += world.endings
    assert {"handed", "unknown", "failed", "no-address"} <= states.keys()
    assert endings > AT_ONCE, "a notifier that never ends proves nothing"


def test_a_notifier_that_resends_an_unsettled_message_is_caught() -> None:
    def once_only() -> None:
        for seed in range(SEEDS):
            world = NotifiedWorld(seed, sends_unknown=True)
            world.run()
            check_notifications(world)

    with pytest.raises(Broken, match=r"O4: the message .* went out 2 times"):
        once_only()
