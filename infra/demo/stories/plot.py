"""Plots, and the beginnings that most stories share."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from infra.demo.shops import REASONS, Shop
from infra.demo.story import Story

Tell = Callable[[Story, Random], None]


@dataclass(frozen=True, slots=True)
class Plot:
    """A story, its shops (one order each, ``times`` times), and the range of its orders' ages in days."""

    tell: Tell
    shops: tuple[Shop, ...]
    youngest: float
    oldest: float
    times: int = 1


CAST: Final[list[Plot]] = []
"""The plots of stories that say themselves where they happen, in the order of registration."""


def happens_in(*shops: Shop, youngest: float, oldest: float) -> Callable[[Tell], Tell]:
    """Let a story happen in these shops, an order each. The ages of the orders are in days."""

    def register(tell: Tell) -> Tell:
        CAST.append(Plot(tell, shops, youngest, oldest))
        return tell

    return register


SHOWN: Final[dict[str, Tell]] = {}
"""Rule → the story that shows it. Every rule has one: there is no rule that nothing can record."""
FURTHER: Final[dict[str, Tell]] = {}
"""Something else that the rules bring about, such as "found by a scan" → the story that shows it."""


def shows_rule(*rules: str) -> Callable[[Tell], Tell]:
    """Register a story as the one that shows these rules. A test walks them: the history really shows each."""
    return _register(SHOWN, rules)


def shows(*what: str) -> Callable[[Tell], Tell]:
    """Register a story as the one that shows something that is no rule."""
    return _register(FURTHER, what)


def _register(table: dict[str, Tell], keys: tuple[str, ...]) -> Callable[[Tell], Tell]:
    def register(tell: Tell) -> Tell:
        for key in keys:
            if key in table:
                raise ValueError(f"{key} is shown by two stories: {name(table[key])} and {name(tell)}")
            table[key] = tell
        return tell

    return register


def name(tell: Tell) -> str:
    """Return the name of a story: its function's name."""
    return tell.__name__


def basket(s: Story, chance: Random, lines: int = 2) -> None:
    """Place an order of one to ``lines`` different goods."""
    goods = chance.sample(s.shop.goods, chance.randint(1, min(lines, len(s.shop.goods))))
    s.place(*((good, chance.randint(1, s.shop.most)) for good in goods), ship_by=chance.choice((3, 4, 5)))


def one(s: Story, quantity: int = 1, good: int = 0, **fields: object) -> None:
    """Place an order of one good."""
    s.place((s.shop.goods[good], quantity), **{"ship_by": 4, **fields})  # type: ignore[arg-type]


def why(chance: Random) -> str:
    return chance.choice(REASONS)
