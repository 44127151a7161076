"""Every state that the acceptance cases, the demo and the golden stores go through: each commit of each order."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from domain import events as e
from domain.decide import Decided
from domain.instants import Instant, format_instant, parse_instant
from domain.marketplace_settings import MarketSettings
from domain.order import Order
from domain.policy import PolicyBook
from infra.demo import seeding
from infra.settings import load_settings
from infra.store.reader import open_reader
from schemas.codec import event_data
from tests.golden.stores import unpack
from tests.golden.writing_stores import CASES as SETTINGS_OF_CASES
from tests.spec.acceptance.test_cases import CASES, POLICIES, Desk, market
from tests.spec.claims.random_orders import random_orders

NOW = "2026-03-30T12:00:00Z"
BOOK: PolicyBook = POLICIES.with_published(seeding.policy().published)


@dataclass(frozen=True, slots=True)
class State:
    """An order after one commit: what the commit decided, who gave the command, and the history so far."""

    name: str
    order: Order
    at: Instant
    events: tuple[e.Event, ...]
    actor: str
    history: tuple[dict[str, Any], ...]
    market: MarketSettings

    @property
    def commit(self) -> bytes:
        return bytes.fromhex(self.history[-1]["commit"])


class Recorder(Desk):
    """A desk that records every commit with its events."""

    policies = BOOK

    def __init__(self) -> None:
        super().__init__()
        self.states: list[State] = []
        self._actor = "system"
        self._histories: dict[str, tuple[dict[str, Any], ...]] = {}

    def send(self, row: Mapping[str, Any]) -> str:
        actor = row.get("actor")
        self._actor = str(actor.get("kind")) if isinstance(actor, dict) else "system"
        return super().send(row)

    def reach_until(self, stream: str, now: Instant, here: MarketSettings) -> None:
        previous, self._actor = self._actor, "engine"
        super().reach_until(stream, now, here)
        self._actor = previous

    def _record(self, stream: str, decided: Decided, at: Instant) -> None:
        super()._record(stream, decided, at)
        before = self._histories.get(stream, ())
        rows = history_rows(stream, len(before), at, self._actor, [event for event, _ in decided.events])
        history = self._histories[stream] = (*before, *rows)
        events = tuple(event for event, _ in decided.events)
        here = market(stream.partition("/")[0])
        if decided.order.exists and history:
            self.states.append(State(f"{stream}@{len(history)}", decided.order, at, events, self._actor, history, here))


def history_rows(stream: str, version: int, at: Instant, actor: str, events: list[e.Event]) -> list[dict[str, Any]]:
    """A commit's events as ``order history`` has them."""
    commit = hashlib.sha256(f"{stream} {version}".encode()).hexdigest()
    return [
        {
            "version": number,
            "ordinal": version,
            "event": type(event).__name__,
            "occurred_at": format_instant(at),
            "recorded_at": format_instant(at),
            "actor": {"kind": actor, "id": "x"},
            "commit": commit,
            "data": event_data(event),
        }
        for number, event in enumerate(events, version + 1)
    ]


def of_cases(every: int = 1) -> Iterator[State]:
    """Of each so many-th acceptance case."""
    for number in range(0, len(CASES), every):
        yield from _of_case(number)


@cache
def _of_case(number: int) -> list[State]:
    case = CASES[number]
    desk = Recorder()
    for row in case["commands"]:
        if "raw" not in row:
            desk.send(row)
    for until in case["expect"].get("until", ()):
        for stream in list(desk.orders):
            desk.reach_until(stream, parse_instant(until["t"]), market(stream.partition("/")[0]))
    return desk.states


def of_the_demo() -> Iterator[State]:
    """Of every story of the demo."""
    desk = Recorder()
    for row in seeding.commands(parse_instant(NOW)):
        desk.send(row)
    yield from desk.states


@cache
def of_random_orders(count: int, seed: int = 1) -> list[State]:
    """Of so many orders with random histories."""
    desk = Recorder()
    for row in random_orders(seed, count):
        desk.send(row)
    return desk.states


def of_a_golden_store(name: str, into: Path) -> Iterator[State]:
    """Of every order of a store that an earlier release left."""
    settings = load_settings(str(SETTINGS_OF_CASES / "settings.toml"), journal=f"sqlite:///{unpack(name, into)}")
    with open_reader(settings) as reader:
        for follower in reader.followers.values():
            for stream in follower.state.streams(None, 10_000):
                if stream.startswith("$"):
                    continue
                rows = list(reader.history(stream))
                commits = list(reader.commits(stream))
                number = 0
                for at, events in commits:
                    number += len(events)
                    folded = reader.as_of(stream, at)
                    last = folded.order is not None and folded.order.version == number
                    if last and folded.order is not None and folded.order.exists:
                        here = settings.market(folded.order.marketplace)
                        actor = rows[number - 1]["actor"]["kind"] if rows[number - 1]["actor"] else "engine"
                        name_of = f"{stream}@{number}"
                        yield State(name_of, folded.order, at, tuple(events), actor, tuple(rows[:number]), here)
