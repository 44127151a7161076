"""The same command told to the domain and to the model, and what they make of it compared."""

import pathlib
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from domain import events as e
from domain.commands import parse_command
from domain.decide import Decided, decide
from domain.eligibility_queries import as_of, may
from domain.instants import HOUR, Instant, format_instant, parse_instant
from domain.order import Order
from domain.presets import NAMES
from tests.presets import pinned
from tests.spec.acceptance.test_cases import POLICIES, Desk, market
from tests.spec.model.drawing import USUALLY
from tests.spec.model.model import World
from tests.spec.model.picture import of_model, of_order
from tests.spec.model.racing import Written

ROOT: Final = pathlib.Path(__file__).parents[3]
TEXTS: Final = {name: (ROOT / f"domain/presets/{name}.toml").read_text(encoding="utf-8") for name in NAMES} | {
    path.stem: path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "tests/spec/acceptance/policies").glob("[!_]*.toml"))
}
"""Every policy that stories are told under."""
START: Final = parse_instant("2026-03-25T10:00:00Z")
"""A clock change in Europe lies four days ahead."""
WHO: Final = {"buyer": "b-1", "seller": "s-1", "support": "desk", "system": "shop"}
HERE: Final = market("acme")
STREAM: Final = "acme/PO-1"


class Differs(AssertionError):
    """The domain and the model do not agree."""


class Told(Desk):
    """The domain's side: a desk that also keeps what happened."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[tuple[e.Event, ...]] = []
        self.written: list[Written] = []
        self._saying = ""

    def say(self, row: Mapping[str, Any]) -> str:
        self._saying = row["command_id"]
        return super().say(row)

    def _keep(self, stream: str, decided: Decided, at: Instant) -> None:
        super()._keep(stream, decided, at)
        if stream == STREAM:
            self.events.append(tuple(event for event, _ in decided.events))
            reached = next((x.deadline_id for x in self.events[-1] if isinstance(x, e.DeadlineReached)), None)
            name = self._saying if reached is None else f"deadline:{reached}"
            self.written.append((name, decided.events, at))

    @property
    def order(self) -> Order:
        return self.orders[STREAM]


class Telling:
    """One story, told twice."""

    def __init__(self, policy: str, order: dict[str, Any]) -> None:
        self.policy = policy
        self.told, self.world = Told(), World(TEXTS[policy])
        self.now, self.count = START, 0
        self.log: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.outcomes: Counter[tuple[str, str]] = Counter()
        placed = {"buyer_id": "b-1", "seller_id": "s-1", "currency": "USD", "policy": pinned(policy), **order}
        self.say("PlaceOrder", None, 0, placed)

    def say(self, name: str, by: str | None, wait: Any, fields: dict[str, Any], order_id: str = "PO-1") -> str:
        """Somebody says this, so much later; what it came to."""
        return self.hear(self.body(name, by, wait, fields, order_id))

    def body(
        self, name: str, by: str | None, wait: Any, fields: dict[str, Any], order_id: str = "PO-1"
    ) -> dict[str, Any]:
        """The command as JSON."""
        self.now = self.later(wait)
        kind = by or USUALLY.get(name, "seller")
        who = {"kind": "buyer", "id": "b-2"} if kind == "stranger" else {"kind": kind, "id": WHO[kind]}
        self.count += 1
        body: dict[str, Any] = {"command": name, "command_id": f"c{self.count}", "marketplace": "acme", "actor": who}
        body |= {"at": format_instant(self.now), **({} if "subject" in fields else {"order_id": order_id}), **fields}
        if "ago" in body:
            body["occurred_at"] = format_instant(self.now - body.pop("ago"))
        if isinstance(body.get("until"), int):
            body["until"] = format_instant(self.now + body["until"])
        return body

    def hear(self, body: dict[str, Any]) -> str:
        """The very same bytes to both."""
        self.bodies.append(body)
        allowed = self.world.hear(dict(body))
        said = self.told.say(body)
        said = "bad" if said.startswith("bad:") else said
        self.log.append(f"{body} → {said}")
        self.outcomes[body["command"], said.partition(":")[0]] += 1
        if said not in allowed:
            raise Differs(f"{body['command']}: the contract says {sorted(allowed)}, the domain {said}\n{self}")
        self.compare()
        return said

    def compare(self) -> None:
        """The same picture twice."""
        if self.world.order is None:
            return
        want, have = of_model(self.world.order, self.told.order.recorded_at), of_order(self.told.order)
        wrong = [
            f"{key}: the contract says {want[key]}, the domain {have[key]}" for key in want if want[key] != have[key]
        ]
        if wrong:
            raise Differs("\n".join([*wrong, str(self)]))

    def __str__(self) -> str:
        return "\n".join([self.policy, *self.log])

    def later(self, wait: Any) -> Instant:
        """The instant so much later; ``due``: the next deadline, ``turn``: the next end of a window; ``past`` it."""
        if isinstance(wait, int):
            return self.now + wait
        order = self.world.order
        assert order is not None
        points = [x.at for x in order.live()] if wait.endswith("due") else order.turns()
        return min((x for x in points if x >= self.now), default=self.now + HOUR) + wait.startswith("past")

    # ---- what is asked of the domain alone -----------------------------------------------------------------------

    def asking_and_doing(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """What eligibility says of cancelling everything now, and what asking for it now comes to."""
        order = as_of(self.told.order, POLICIES, HERE, self.now)
        says = may("cancel", order, POLICIES, HERE, self.now)
        reason = POLICIES.named(self.policy)
        assert reason is not None
        ask = {
            "command": "RequestCancel",
            "command_id": "asking",
            "marketplace": "acme",
            "order_id": "PO-1",
            "at": format_instant(self.now),
            "actor": {"kind": "buyer", "id": "b-1"},
            "request_id": "asking",
            "reason": reason.policy.reasons[0],
        }
        done = decide(order, parse_command(ask), POLICIES, HERE, self.now)
        assert done.verdict is not None
        return (says.outcome, says.rule), (done.verdict.outcome, done.verdict.rule)
