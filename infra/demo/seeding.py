"""Seeds the demo: imports the past weeks of a marketplace, which then continues from now.

The same instant always gives the same commands. A seeded store stays as it is. An interrupted seeding is finished as of
the instant at which it began. A store with other orders is not touched.
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
"""First number of the stories after a cancellation; separate, so that a new story does not renumber others."""
EVERYDAY_ORDERS: Final = 170
PAST: Final = 24
"""Days that the demo goes back."""
WINDOW: Final = 512
"""Commands submitted and not yet answered, at most."""
TIMEOUT: Final = 120.0
"""Seconds that one outcome may take."""

Body = dict[str, Any]
Part = tuple[int, Tell, Shop, Random]
"""Age of the order in microseconds, its story, its shop, and the random generator of the story."""


class NotEmpty(Exception):
    """The store has orders that are not this demo's; nothing was written. The message names one."""


class SeedingFailed(Exception):
    """The demo could not be seeded; the message says why. Starting it again continues."""


def orders(now: Instant) -> list[Story]:
    """Return every order of the demo with its commands; depends on ``now`` alone."""
    return _stories(_canceling(), FIRST_NUMBER, now) + _stories(_afterwards(), FIRST_NUMBER_AFTERWARDS, now)


def _canceling() -> list[Part]:
    """Return everyday orders and those that show the cancellation rules; all share one random generator."""
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
    """Return orders that show what follows; each has its own random generator, so that a new one changes no other."""
    cast: list[Part] = []
    for plot in AFTERWARDS:
        for number in range(plot.times):
            for shop in plot.shops:
                chance = Random(f"{name(plot.tell)} {plot.youngest} {shop.seller_id} {number}")
                cast.append((_age(chance, plot.youngest, plot.oldest), plot.tell, shop, chance))
    return cast


def _stories(cast: list[Part], first: int, now: Instant) -> list[Story]:
    """Return the stories of a cast, oldest first, numbered from ``first``."""
    stories = []
    for number, (age, tell, shop, chance) in enumerate(sorted(cast, key=lambda part: -part[0]), first):
        story = Story(name(tell), MARKETPLACE, f"PO-{number}", shop, chance.choice(BUYERS), now - age, now)
        tell(story, chance)
        stories.append(story)
    return stories


def _age(chance: Random, youngest: float, oldest: float) -> int:
    """Return a random age in whole minutes, as microseconds."""
    return round(chance.uniform(youngest, oldest) * DAY / MINUTE) * MINUTE


def commands(now: Instant) -> list[Body]:
    """Return every command of the demo, grouped by order. The last command of an order applies its deadlines."""
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
    """Import the demo's orders unless they exist, and return the number of commands. NotEmpty, SeedingFailed.

    A store that another release seeded stays as it is.
    """
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
            raise NotEmpty(f"the store has orders that are not from this demo, such as {other}")
    elif begun is not None and _is_closed(app, source):
        return 0
    with held(app.directory):
        _import(app, source, bodies, now)
    return len(bodies)


def _import(app: App, source: bytes, bodies: list[Body], now: Instant) -> None:
    """Import the commands as history, under the demo's own policy."""
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
    """Return the demo's own policy, which shows rules that no preset uses."""
    return read_policy_toml((resources.files("infra.demo") / "tracked-parcels.toml").read_text(encoding="utf-8"))


def _take(body: Body, future: Future[Outcome]) -> None:
    """Wait for an outcome. A refusal is part of the story; any other failure is an error of the demo."""
    outcome = future.result(TIMEOUT)
    if outcome.kind not in ("accepted", "refused", "duplicate"):
        which = f"{body['command']} of {body['order_id']}"
        raise SeedingFailed(f"the demo stopped at {which}: {outcome.message or outcome.rule}")


def _done(written: Future[Outcome], what: str) -> None:
    outcome = written.result(TIMEOUT)
    if outcome.kind != "accepted":
        raise SeedingFailed(f"{what} could not be written: {outcome.message or outcome.rule}")


def _begun_at(app: App) -> Instant | None:
    """Return the instant as of which this store was seeded, computed from its first order; None if it was not."""
    first = orders(0)[0]

    def look(engine: Engine) -> Instant | None:
        stream = f"{MARKETPLACE}/{first.order_id}"
        order = engine.orders.get(engine.partition(stream), stream).order
        return None if order is None or not order.exists else order.placed_at - first.placed_at

    return app.ask(look)


def _was_filled(app: App) -> bool:
    """True if the demo of some release seeded the store, because the demo's own policy is published."""
    return app.ask(lambda engine: is_demo(engine.control.book))


def _is_begun(app: App, source: bytes) -> bool:
    """True if the import of this input was begun."""
    stream = stream_of(MARKETPLACE, source)
    return app.ask(lambda engine: any(each.head(stream) is not None for each in engine.followers.values()))


def _is_closed(app: App, source: bytes) -> bool:
    """True if the import of this input is not open."""
    return app.ask(lambda engine: (MARKETPLACE, source) not in engine.imports.inputs(MARKETPLACE))


def _any_order(app: App) -> str | None:
    """Return some order of the store; None if there is none."""

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
