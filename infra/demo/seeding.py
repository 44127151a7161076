"""Seeding the demo: the past weeks of a marketplace, imported as history, so that it goes on from now.

The same instant gives the same commands, byte by byte. A store that was seeded before is left as it is; one whose
seeding was broken off is finished, as of the instant at which it began. One with orders of somebody's is not touched.
"""

import hashlib
import json
from collections import deque
from concurrent.futures import Future
from importlib import resources
from random import Random
from typing import Any, Final

from consumers.engine.engine import IMPORT, Engine
from consumers.engine.imports import stream_of
from consumers.engine.outcome import Outcome
from domain.commands import parse_command
from domain.instants import DAY, MINUTE, Instant, format_instant
from domain.policy import PolicyDocument, read_policy_toml
from infra.app import App
from infra.demo.shops import BUYERS, SHOPS, Shop
from infra.demo.stories import AFTERWARDS, CANCELING, COMMON, Tell, name
from infra.demo.story import Story
from infra.documents.demo_tour import MARKETPLACE, is_demo
from infra.runtime.import_lock import held

FIRST_NUMBER: Final = 40_101
FIRST_NUMBER_AFTERWARDS: Final = 41_101
"""Of the orders that show what comes after: a row of their own, so that one more renumbers no other story."""
EVERYDAY_ORDERS: Final = 170
PAST: Final = 24
"""Days that the demo looks back."""
WINDOW: Final = 512
"""Commands given to the engine and not yet answered."""
TIMEOUT: Final = 120.0
"""Seconds that one answer may take."""

Body = dict[str, Any]
Part = tuple[int, Tell, Shop, Random]
"""Age of the order in microseconds, its story, its shop, and where the story's chance comes from."""


class NotEmpty(Exception):
    """The store has orders that are not this demo's; nothing was written. The message says which."""


class SeedingFailed(Exception):
    """The demo could not be made; the message says why. Starting it again goes on."""


def orders(now: Instant) -> list[Story]:
    """Every order of the demo with its commands. Deterministic: ``now`` decides."""
    return _told(_canceling(), FIRST_NUMBER, now) + _told(_afterwards(), FIRST_NUMBER_AFTERWARDS, now)


def _canceling() -> list[Part]:
    """Everyday orders and those that show how cancelling is judged: one run of chance."""
    chance = Random(7_031)
    cast: list[Part] = []
    for plot in CANCELING:
        for _ in range(plot.times):
            cast += [(_age(chance, plot.youngest, plot.oldest), plot.tell, shop, chance) for shop in plot.shops]
    everyday = [tell for tell, weight in COMMON for _ in range(weight)]
    for number in range(EVERYDAY_ORDERS):
        youngest, oldest = (0.02, 2.5) if number % 4 == 0 else (1, PAST)
        cast.append((_age(chance, youngest, oldest), chance.choice(everyday), chance.choice(SHOPS), chance))
    return cast


def _afterwards() -> list[Part]:
    """Orders that show what comes after: a run of chance for each, so that one more shifts no other."""
    cast: list[Part] = []
    for plot in AFTERWARDS:
        for number in range(plot.times):
            for shop in plot.shops:
                chance = Random(f"{name(plot.tell)} {plot.youngest} {shop.seller_id} {number}")
                cast.append((_age(chance, plot.youngest, plot.oldest), plot.tell, shop, chance))
    return cast


def _told(cast: list[Part], first: int, now: Instant) -> list[Story]:
    """The stories of a cast, oldest first, numbered from ``first``."""
    told = []
    for number, (age, tell, shop, chance) in enumerate(sorted(cast, key=lambda part: -part[0]), first):
        story = Story(name(tell), MARKETPLACE, f"PO-{number}", shop, chance.choice(BUYERS), now - age, now)
        tell(story, chance)
        told.append(story)
    return told


def _age(chance: Random, youngest: float, oldest: float) -> int:
    """An age in whole minutes, as microseconds."""
    return round(chance.uniform(youngest, oldest) * DAY / MINUTE) * MINUTE


def commands(now: Instant) -> list[Body]:
    """Every command of the demo; those of one order in their order. The last of each order reaches its deadlines."""
    found: list[Body] = []
    for story in orders(now):
        found += story.commands
        found.append(
            {
                "command": "ReachDeadline",
                "command_id": "demo-now",
                "marketplace": MARKETPLACE,
                "order_id": story.order_id,
                "at": format_instant(now),
                "actor": {"kind": "system", "id": "services"},
                "deadline_id": "none",
            }
        )
    return found


def seed(app: App) -> int:
    """Make the demo's orders, unless they are there; how many commands were imported. A store that another release
    filled stays as it is. NotEmpty, SeedingFailed."""
    app.catch_up()
    begun = _begun_at(app)
    now = begun if begun is not None else app.clock() // MINUTE * MINUTE
    bodies = commands(now)
    source = hashlib.sha256(json.dumps(bodies, sort_keys=True).encode()).digest()
    if not _is_begun(app, source):
        other = _any_order(app)
        if other is not None and _was_filled(app):
            return 0
        if other is not None:
            raise NotEmpty(f"the store is not empty, and not filled by this demo (it has the order {other})")
    elif begun is not None and _is_closed(app, source):
        return 0
    with held(app.directory):
        _import(app, source, bodies, now)
    return len(bodies)


def _import(app: App, source: bytes, bodies: list[Body], now: Instant) -> None:
    """All of it as history, on the demo's own policy."""
    _done(app.engine.publish(policy()), "the demo's policy")
    _done(app.engine.open_import(MARKETPLACE, source), "the import")
    waiting: deque[tuple[Body, Future[Outcome]]] = deque()
    for body in bodies:
        waiting.append((body, app.engine.submit(parse_command(body), mode=IMPORT, rebuild=False)))
        if len(waiting) >= WINDOW:
            _take(*waiting.popleft())
    while waiting:
        _take(*waiting.popleft())
    _done(app.engine.close_import(MARKETPLACE, source, now), "the import's end")


def policy() -> PolicyDocument:
    """The demo's own policy: what none of the presets does."""
    return read_policy_toml((resources.files("infra.demo") / "tracked-parcels.toml").read_text(encoding="utf-8"))


def _take(body: Body, future: Future[Outcome]) -> None:
    """A refusal is part of the story; anything else that is not accepted is a mistake in it."""
    outcome = future.result(TIMEOUT)
    if outcome.kind not in ("accepted", "refused", "duplicate"):
        which = f"{body['command']} of {body['order_id']}"
        raise SeedingFailed(f"the demo stopped at {which}: {outcome.message or outcome.rule}")


def _done(written: Future[Outcome], what: str) -> None:
    outcome = written.result(TIMEOUT)
    if outcome.kind != "accepted":
        raise SeedingFailed(f"{what} could not be written: {outcome.message or outcome.rule}")


def _begun_at(app: App) -> Instant | None:
    """The instant as of which this store was seeded: its first order was placed a known time before it."""
    first = orders(0)[0]

    def look(engine: Engine) -> Instant | None:
        stream = f"{MARKETPLACE}/{first.order_id}"
        order = engine.orders.get(engine.partition(stream), stream).order
        return None if order is None or not order.exists else order.placed_at - first.placed_at

    return app.ask(look)


def _was_filled(app: App) -> bool:
    """Whether some release's demo filled it: its policy is published, which is nobody else's."""
    return app.ask(lambda engine: is_demo(engine.control.book))


def _is_begun(app: App, source: bytes) -> bool:
    """Whether the import of this very input was begun."""
    stream = stream_of(MARKETPLACE, source)
    return app.ask(lambda engine: any(each.head(stream) is not None for each in engine.followers.values()))


def _is_closed(app: App, source: bytes) -> bool:
    """Whether no import of this very input is open."""
    return app.ask(lambda engine: (MARKETPLACE, source) not in engine.imports.inputs(MARKETPLACE))


def _any_order(app: App) -> str | None:
    """Some order of the store; None where there is none."""

    def look(engine: Engine) -> str | None:
        for follower in engine.followers.values():
            after: str | None = None
            while names := follower.state.streams(after):
                found = next((name for name in names if not name.startswith("$")), None)
                if found is not None:
                    return found
                after = names[-1]
        return None

    return app.ask(look)
