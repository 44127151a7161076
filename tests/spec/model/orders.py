"""Random orders told to the model and to another: the domain, or a model that is wrong on purpose.

``python -m tests.spec.model --orders 20000`` tells as many. A seed is a story; one that differs is told again with ever
less in it, for as long as it still differs.
"""

import pathlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from domain.instants import parse_instant
from domain.policy import PolicyBook, read_policy_toml
from domain.presets import NAMES
from tests.spec.acceptance.test_cases import POLICIES
from tests.spec.model.authoring import Author, Body
from tests.spec.model.comparison import ROOT, TEXTS, Comparison, Differs
from tests.spec.model.model import Model, World
from tests.spec.model.picture import compared, of_model


def newest(name: str) -> str:
    """The document of a preset's newest version."""
    later = sorted((ROOT / "domain/presets").glob(f"{name}.*.toml"), key=lambda path: int(path.suffixes[0][1:]))
    return (later[-1] if later else ROOT / f"domain/presets/{name}.toml").read_text(encoding="utf-8")


FOLDER: Final = pathlib.Path(__file__).with_name("policies")
DOCUMENTS: Final = (
    TEXTS
    | {name: newest(name) for name in NAMES}
    | {path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.toml"))}
)
"""Every policy that orders are placed under, as text."""
Tell = Callable[[list[Body]], str | None]
"""Tells a story, and says where the two differ."""


@cache
def policies() -> PolicyBook:
    """The same, as the domain reads them."""
    book = POLICIES
    for path in sorted(FOLDER.glob("*.toml")):
        book = book.with_published(read_policy_toml(path.read_text(encoding="utf-8")).published)
    return book


def story(seed: object) -> list[Body]:
    """What is said in it."""
    return Author(seed, DOCUMENTS).write()


def told_to_the_domain(bodies: list[Body], seen: Counter[tuple[str, str]] | None = None) -> str | None:
    """Where the domain and the model first differ."""
    telling = Comparison(bodies[0]["policy"], texts=DOCUMENTS, policies=policies())
    try:
        for body in bodies:
            telling.now = parse_instant(body["at"])
            if telling.leaves_open(body):
                return None
            telling.hear(body)
    except Differs as differs:
        return str(differs)
    if seen is not None:
        seen.update(telling.outcomes)
    return None


def told_to(wrong: type[Model]) -> Tell:
    """The same of a model with a fault in it."""

    def tell(bodies: list[Body]) -> str | None:
        text = DOCUMENTS[bodies[0]["policy"]]
        right, other = World(text), World(text, wrong)
        for body in bodies:
            want, have = right.hear(dict(body)), other.hear(dict(body))
            if want != have:
                return f"{body}: {sorted(want)}, {sorted(have)}"
            if right.order is not None and other.order is not None:
                at = right.last["PO-1"]
                if differ := compared(of_model(right.order, at), of_model(other.order, at)):
                    return f"{body}: {'; '.join(differ)}"
        return None

    return tell


@dataclass(frozen=True, slots=True)
class Found:
    """A story that differs: as it was drawn, and the least of it that still differs."""

    seed: str
    said: str
    bodies: list[Body]

    def __str__(self) -> str:
        again = f"python -m tests.spec.model --seed '{self.seed}'"
        return f"order {self.seed} differs; see it again: {again}\n{self.said}"


def tell(seed: str, to: Tell) -> Found | None:
    """Tell one story; None if they agree."""
    bodies = story(seed)
    if to(bodies) is None:
        return None
    least = shrunk(bodies, to)
    return Found(seed, to(least) or "", least)


def kind(said: str | None) -> str | None:
    """What differs: a part of the picture, or what a kind of command comes to."""
    return None if said is None else said.partition(":")[0]


def shrunk(bodies: list[Body], to: Tell) -> list[Body]:
    """Less and less of a story, for as long as it differs alike: whole stretches, single commands, fields, lines."""
    alike = kind(to(bodies))

    def still(fewer: list[Body]) -> bool:
        try:
            return kind(to(fewer)) == alike
        except Exception:  # noqa: BLE001 (a story without its middle may make no sense)
            return False

    changed = True
    while changed:
        changed = False
        for fewer in _smaller(bodies):
            if still(fewer):
                bodies, changed = fewer, True
                break
    return bodies


def _smaller(bodies: list[Body]) -> Iterator[list[Body]]:
    first, rest = bodies[0], bodies[1:]
    size = len(rest) // 2
    while size:
        for start in range(len(rest) - size, -1, -size):
            yield [first, *rest[:start], *rest[start + size :]]
        size //= 2
    for key in ("fees", "discount", "rounding", "shipping", "shipping_tax", "tax_included", "ship_by"):
        if key in first:
            yield [{k: v for k, v in first.items() if k != key}, *rest]
    lines: list[dict[str, Any]] = first["lines"]
    for number in range(len(lines) - 1, 0, -1):
        yield [{**first, "lines": lines[:number] + lines[number + 1 :]}, *rest]
    for number, row in enumerate(lines):
        for key in ("discount", "tax", "shipping", "shipping_tax", "part_of"):
            if key in row:
                less = {k: v for k, v in row.items() if k != key}
                yield [{**first, "lines": [*lines[:number], less, *lines[number + 1 :]]}, *rest]
