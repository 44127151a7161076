"""Sends the same command to the domain and to the model, and compares their results."""

import pathlib
from collections import Counter
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

from domain import events as e
from domain.commands import parse_command
from domain.decide import Decided, decide
from domain.eligibility_queries import as_of, may
from domain.instants import HOUR, Instant, format_instant, parse_instant
from domain.order import Order
from domain.policy import PolicyBook
from domain.presets import NAMES
from tests.presets import pinned
from tests.spec.acceptance.test_cases import POLICIES, Desk, market
from tests.spec.model.drawing import USUALLY
from tests.spec.model.model import World
from tests.spec.model.picture import compared, of_model, of_order, unsound
from tests.spec.model.racing import Written
from tests.spec.model.unsaid import open_question

ROOT: Final = pathlib.Path(__file__).parents[3]
TEXTS: Final = {name: (ROOT / f"domain/presets/{name}.toml").read_text(encoding="utf-8") for name in NAMES} | {
    path.stem: path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "tests/spec/acceptance/policies").glob("[!_]*.toml"))
}
"""Every policy that stories are played under."""
START: Final = parse_instant("2026-03-25T10:00:00Z")
"""A clock change in Europe lies four days ahead."""
WHO: Final = {"buyer": "b-1", "seller": "s-1", "support": "desk", "system": "shop"}
HERE: Final = market("acme")
STREAM: Final = "acme/PO-1"


class Differs(AssertionError):
    """The domain and the model do not agree."""


class DomainSide(Desk):
    """The domain's side: a desk that also records the events."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[tuple[e.Event, ...]] = []
        self.written: list[Written] = []
        self._command_id = ""

    def send(self, row: Mapping[str, Any]) -> str:
        self._command_id = row["command_id"]
        return super().send(row)

    def _record(self, stream: str, decided: Decided, at: Instant) -> None:
        super()._record(stream, decided, at)
        if stream == STREAM:
            self.events.append(tuple(event for event, _ in decided.events))
            reached = next((x.deadline_id for x in self.events[-1] if isinstance(x, e.DeadlineReached)), None)
            name = self._command_id if reached is None else f"deadline:{reached}"
            self.written.append((name, decided.events, at))

    @property
    def order(self) -> Order:
        return self.orders[STREAM]


class Comparison:
    """One story, played in the domain and in the model."""

    def __init__(
        self,
        policy: str,
        order: dict[str, Any] | None = None,
        *,
        texts: Mapping[str, str] = TEXTS,
        policies: PolicyBook = POLICIES,
    ) -> None:
        self.policy = policy
        self.domain, self.world = DomainSide(), World(texts[policy])
        self.domain.policies = policies
        self.now, self.count = START, 0
        self.log: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.outcomes: Counter[tuple[str, str]] = Counter()
        if order is not None:
            placed = {"buyer_id": "b-1", "seller_id": "s-1", "currency": "USD", "policy": pinned(policy), **order}
            self.send("PlaceOrder", None, 0, placed)

    def send(self, name: str, by: str | None, wait: Any, fields: dict[str, Any], order_id: str = "PO-1") -> str:
        """Send this command so much later, unless the contract leaves its outcome open. Returns the outcome."""
        body = self.body(name, by, wait, fields, order_id)
        return "" if self.leaves_open(body) else self.hear(body)

    def leaves_open(self, body: dict[str, Any]) -> str:
        """The open question of the contract that this command asks, if it asks one."""
        order = self.world.order
        if order is None or body.get("order_id") != order.order_id:
            return ""
        if any(due.at < self.now for due in order.live()):
            world = deepcopy(self.world)
            world.reach_until(self.now)
            assert world.order is not None
            order = world.order
        return open_question(order, body["command"], body)

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
        """Send the same body to both, and return the domain's outcome."""
        self.bodies.append(body)
        allowed = self.world.hear(dict(body))
        outcome = self.domain.send(body)
        outcome = "bad" if outcome.startswith("bad:") else outcome
        self.log.append(f"{body} → {outcome}")
        self.outcomes[body["command"], outcome.partition(":")[0]] += 1
        if outcome not in allowed:
            raise Differs(
                f"{body['command']}: the contract allows {sorted(allowed)}, the domain answered {outcome}\n{self}"
            )
        self.compare()
        return outcome

    def compare(self) -> None:
        """Fail if the domain and the model show different orders."""
        if self.world.order is None:
            return
        want, have = of_model(self.world.order, self.domain.order.recorded_at), of_order(self.domain.order)
        rebilled = sum(x.amount for x in self.world.order.bills.values() if x.status == "confirmed")
        wrong = compared(want, have) + unsound(have["money"], rebilled)
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

    # ---- eligibility, of the domain alone ------------------------------------------------------------------------

    def predicted_and_done(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """Eligibility's prediction for canceling everything now, and the outcome of such a request now."""
        order = as_of(self.domain.order, POLICIES, HERE, self.now)
        predicted = may("cancel", order, POLICIES, HERE, self.now)
        reason = POLICIES.named(self.policy)
        assert reason is not None
        request = {
            "command": "RequestCancel",
            "command_id": "eligibility",
            "marketplace": "acme",
            "order_id": "PO-1",
            "at": format_instant(self.now),
            "actor": {"kind": "buyer", "id": "b-1"},
            "request_id": "eligibility",
            "reason": reason.policy.reasons[0],
        }
        done = decide(order, parse_command(request), POLICIES, HERE, self.now)
        assert done.verdict is not None
        return (predicted.outcome, predicted.rule), (done.verdict.outcome, done.verdict.rule)
