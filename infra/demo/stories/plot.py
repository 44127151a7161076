"""What a plot is, and what most stories begin with."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from infra.demo.shops import REASONS, Shop
from infra.demo.story import Story

Tell = Callable[[Story, Random], None]


@dataclass(frozen=True, slots=True)
class Plot:
    """A story, the shops it happens in (an order each, in turn, ``times`` over), and the age of its orders in days."""

    tell: Tell
    shops: tuple[Shop, ...]
    youngest: float
    oldest: float
    times: int = 1


def name(tell: Tell) -> str:
    """What a story is called: its function's name."""
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
