"""Mixed load on the same orders by several engines: new commands, and earlier ones again under the same id.

Everything that was asked is written down with all that was answered, for the oracles.
"""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from time import monotonic, time_ns
from typing import Any

from domain.commands import parse_command
from domain.errors import BadInput
from tests.chaos.engines import Engine
from tests.simulation.traffic import MARKETS, Body, Traffic

UNSETTLED = ("unknown", "unavailable")
"""Answers after which the client sends the same command id again."""
ORDERS = 40
"""Orders that are alive at the same time: both engines work on each."""

Answer = tuple[str, str | None, tuple[int, int, str] | None]
"""Kind, rule, and partition, ordinal and hash of the commit that records it."""
AT_ITS_POSITION = -1
"""Instead of an ordinal: the answering process knew only the position of the commit's last event."""


@dataclass(eq=False, slots=True)
class Attempt:
    """One request to one life of an engine. ``asked`` and ``heard`` are moments: numbers that only grow."""

    intent: "Intent"
    body: Body
    fingerprint: bytes
    engine: str
    asked: int
    began: float
    answer: Answer | None = None
    heard: int = 0
    lost: bool = False
    """Its process was killed before it answered."""


@dataclass(eq=False, slots=True)
class Intent:
    """A command that somebody wants done."""

    body: Body
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def key(self) -> tuple[str, str]:
        return f"{self.body['marketplace']}/{self.body['order_id']}", self.body["command_id"]

    @property
    def settled(self) -> bool:
        """Whether its first body has a definite answer."""
        return any(
            attempt.answer is not None and attempt.answer[0] not in UNSETTLED and attempt.body is self.body
            for attempt in self.attempts
        )


class Load:
    """Sends commands to ``engines``, at most ``in_flight`` at a time each and ``rate`` a second all together."""

    def __init__(self, rng: Random, engines: Sequence[Engine], in_flight: int, rate: float) -> None:
        self.intents: list[Intent] = []
        self.open: dict[int, tuple[Engine, int, Attempt]] = {}
        self.kinds: Counter[str] = Counter()
        self.lost = 0
        self.passed_on = 0
        """Answers with a commit from another process than the one that got the command."""
        self.latencies: list[float] = []
        self.silence = 0.0
        """The longest time without a definite answer, in seconds."""
        self._rng = rng
        self._traffic = Traffic(rng, sorted(MARKETS), ORDERS)
        self._engines = engines
        self._in_flight = in_flight
        self._rate = rate
        self._unsettled: deque[Intent] = deque()
        self._moment = 0
        self._allowance = 0.0
        self._stepped = self._last_definite = monotonic()

    def step(self) -> None:
        """Send as many commands as there is room for."""
        now = monotonic()
        self._allowance = min(self._allowance + (now - self._stepped) * self._rate, 2.0 * self._in_flight)
        self._stepped = now
        while self._allowance >= 1 and (ready := self._ready()):
            self._allowance -= 1
            self._act(ready)

    def settle(self) -> bool:
        """Send only commands without an answer again. Return whether everything is answered."""
        while self._unsettled and (ready := self._ready()):
            self._send(self._rng.choice(ready), self._unsettled.popleft())
        return not self._unsettled and not self.open

    def retry_all(self, most: int) -> None:
        """Queue up to ``most`` earlier commands, so that ``settle`` sends them once more, to any engine."""
        self._unsettled.extend(self._rng.sample(self.intents, min(most, len(self.intents))))

    def _ready(self) -> list[Engine]:
        busy = Counter(engine.name for engine, _, _ in self.open.values())
        return [engine for engine in self._engines if engine.ready and busy[engine.name] < self._in_flight]

    def _act(self, ready: list[Engine]) -> None:
        rng = self._rng
        engine = rng.choice(ready)
        chance = rng.random()
        if self._unsettled and chance < 0.5:
            self._send(engine, self._unsettled.popleft())
        elif self.intents and chance > 0.85:
            intent = rng.choice(self.intents[-200:])
            self._send(engine, intent, self._traffic.twisted(intent.body) if rng.random() < 0.1 else intent.body)
        else:
            intent = Intent(self._traffic.next(time_ns() // 1000))
            self.intents.append(intent)
            for each in ready if rng.random() < 0.1 else [engine]:  # at both at once: they race
                self._send(each, intent)

    def _send(self, engine: Engine, intent: Intent, body: Body | None = None) -> None:
        body = intent.body if body is None else body
        try:
            fingerprint = parse_command(dict(body)).fingerprint
        except BadInput:
            fingerprint = b""
        self._moment += 1
        attempt = Attempt(intent, body, fingerprint, engine.name, self._moment, monotonic())
        intent.attempts.append(attempt)
        self.open[self._moment] = engine, engine.life, attempt
        engine.send([self._moment, body])

    def heard(self, number: int, kind: str, rule: str | None, commit_position: list[Any] | None) -> None:
        """An engine has answered."""
        _, _, attempt = self.open.pop(number)
        self._moment += 1
        attempt.heard = self._moment
        if commit_position is not None and len(commit_position) == 2:
            self.passed_on += 1
            commit_position = [commit_position[0], AT_ITS_POSITION, str(commit_position[1])]
        place = None if commit_position is None else (commit_position[0], commit_position[1], commit_position[2])
        attempt.answer = kind, rule, place
        self.kinds[kind] += 1
        now = monotonic()
        self.latencies.append(now - attempt.began)
        if kind in UNSETTLED:
            self._unsettled.append(attempt.intent)
            return
        self.silence = max(self.silence, now - self._last_definite)
        self._last_definite = now
        if kind == "accepted":
            self._traffic.heard(attempt.body)

    def owed(self) -> str:
        """Describe the commands without an answer in a sentence: their number, and the oldest."""
        waits = [f"{engine.name} owes {attempt.intent.key}" for engine, _, attempt in self.open.values()]
        unsettled = [f"{intent.key} was answered {intent.attempts[-1].answer}" for intent in self._unsettled]
        oldest = "; ".join([*waits[:3], *unsettled[:3]])
        return f"{len(waits)} answers are owed, {len(unsettled)} are requested again; {oldest}"

    def gone(self, engine: Engine, life: int) -> None:
        """A life of an engine is over, and with it every answer that it owed."""
        owed = [number for number, (who, when, _) in self.open.items() if who is engine and when == life]
        for number in owed:
            attempt = self.open.pop(number)[2]
            attempt.lost = True
            self.lost += 1
            self._unsettled.append(attempt.intent)
