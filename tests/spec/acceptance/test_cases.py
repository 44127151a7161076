"""The contract as cases: commands in, outcomes and the order afterwards. The form is that of the rule cases.

``cases.jsonl`` and ``second-edition.jsonl`` (money and parcels as shops have them) hold one case a line; ``policies/``
are published first, ``settings.toml`` names the marketplaces. A case whose rule is not built yet is listed in
``waiting_cases.txt`` and must really fail. Once it fits, it is removed from the list.

Everything runs in memory: commands are parsed, authorised, answered from their id, deadlines are reached, and the
result is shown by ``show``. Columns of views and raw lines are tested at the command line, with the same file.
"""

import json
import pathlib
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from domain.commands import parse_command
from domain.decide import Decided, authorise, decide, due, reach
from domain.eligibility_queries import eligibility
from domain.errors import BadInput
from domain.events import Sealed
from domain.instants import Instant, format_instant, parse_instant
from domain.marketplace_settings import MarketSettings
from domain.order import Order
from domain.order_json import show
from domain.policy import PolicyBook, read_policy_toml
from domain.presets import presets

HERE = pathlib.Path(__file__).parent
IDS = ("refund_id", "request_id", "shipment_id", "deadline_id", "line")
SETTINGS = tomllib.loads((HERE / "settings.toml").read_text(encoding="utf-8"))["marketplaces"]
EDITIONS = ("cases.jsonl", "second-edition.jsonl")
CASES = [json.loads(line) for name in EDITIONS for line in (HERE / name).read_text(encoding="utf-8").splitlines()]
WAITING = HERE / "waiting_cases.txt"


def waiting() -> list[str]:
    """Ids of the listed cases."""
    lines = (line.partition("#")[0].strip() for line in WAITING.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]


def book() -> PolicyBook:
    """The presets and the good policies of the folder; a file whose name begins with ``_`` is one to be refused."""
    found = PolicyBook()
    for preset in presets():
        found = found.with_published(preset.published)
    for path in sorted((HERE / "policies").glob("[!_]*.toml")):
        found = found.with_published(read_policy_toml(path.read_text(encoding="utf-8")).published)
    return found


POLICIES = book()


def market(name: str) -> MarketSettings:
    """Settings of a marketplace, key by key from the default one where it says nothing."""
    merged = {**SETTINGS["default"], **SETTINGS.get(name, {})}
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in merged.items()}
    return MarketSettings(**fields)


def seal(field: str, text: str) -> Sealed:
    """A vault that stores nothing."""
    return Sealed(bytes(32), f"{field}:{len(text)}")


class Desk:
    """Orders by stream, as one import leaves them."""

    policies = POLICIES

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.commits: dict[str, list[tuple[Instant, Order, list[str]]]] = {}
        self.answered: dict[tuple[str, str], bytes] = {}

    def send(self, row: Mapping[str, Any]) -> str:
        """Send a command. Returns ``accepted``, ``refused:RULE``, ``duplicate`` or ``bad:WHY``."""
        try:
            command = parse_command(row)
            if command.at is None:
                return "bad:/at"
            stream, now, here = command.stream, command.at, market(command.marketplace)
            no = authorise(self.orders.get(stream), command)
            if no is not None:
                return f"refused:{no}"
            known = self.answered.get((stream, command.command_id))
            if known is not None:
                return "duplicate" if known == command.fingerprint else "bad:command-id-reused"
            if self.commits.get(stream, [(now,)])[-1][0] > now:
                return "bad:goes-back-in-time"
            command.seal(seal)
            self.reach_until(stream, now, here)
            decided = decide(self.orders.get(stream), command, self.policies, here, now)
        except BadInput as bad:
            return f"bad:{bad}"
        if decided.answer:
            return "duplicate" if decided.refused is None else f"refused:{decided.refused}"
        self._record(stream, decided, now)
        self.answered[stream, command.command_id] = command.fingerprint
        return "accepted" if decided.refused is None else f"refused:{decided.refused}"

    def reach_until(self, stream: str, now: Instant, here: MarketSettings) -> None:
        """Reach every deadline of a stream before an instant."""
        while (order := self.orders.get(stream)) is not None and order.exists and (waiting := due(order, now)):
            at = max(waiting[0].due_at, order.recorded_at)
            self._record(stream, reach(order, waiting[0], self.policies, here, at), at)

    def _record(self, stream: str, decided: Decided, at: Instant) -> None:
        self.orders[stream] = decided.order
        names = [type(event).__name__ for event, _ in decided.events]
        self.commits.setdefault(stream, []).append((at, decided.order, names))
        for line in decided.order.lines.values():
            assert line.ordered == line.open + line.shipped + line.canceled, line

    def as_of(self, stream: str, instant: Instant) -> Order:
        """The order as its commits up to an instant left it."""
        return [order for at, order, _ in self.commits[stream] if at <= instant][-1]


def fits(want: str, got: str) -> bool:
    """Whether a result is one of those that a case allows."""
    return any(
        one == got
        or (one == "bad" and got.startswith("bad:"))
        or (one.startswith("bad:") and got.startswith("bad:") and one[4:].lower() in got.lower())
        or (one == "refused:*" and got.startswith("refused:"))
        for one in want.split("|")
    )


def differs(want: Any, have: Any, path: str = "") -> list[str]:
    """Where ``have`` is not what ``want``, a partial picture, says."""
    if isinstance(want, dict):
        if not isinstance(have, dict):
            return [f"{path}: expected {want}, actual {have}"]
        differences: list[str] = []
        for key, part in want.items():
            if key == "attention":
                differences += [
                    f"attention: expected {x}, actual {have.get(key)}" for x in part if x not in have.get(key, ())
                ]
            elif key == "attention_lacks":
                differences += [
                    f"attention: {x} is there, expected not" for x in part if x in have.get("attention", ())
                ]
            elif key != "order_id":
                differences += differs(part, have.get(key), f"{path}.{key}")
        return differences
    if isinstance(want, list) and all(isinstance(x, dict) for x in want):
        rows = have if isinstance(have, list) else []
        whole = path == ".refunds" or not want
        differences = [f"{path}: expected {len(want)}, actual {rows}"] if whole and len(want) != len(rows) else []
        return differences + [x for row in want for x in _row_differs(row, rows, path)]
    return [] if want == have else [f"{path}: expected {want!r}, actual {have!r}"]


def _row_differs(want: dict[str, Any], rows: list[Any], path: str) -> list[str]:
    key = next((name for name in IDS if name in want), None)
    found = [row for row in rows if (row.get(key) == want[key] if key else not differs(want, row))]
    if not found:
        return [f"{path}: expected {want}, actual {rows}"]
    return min((differs(want, row, f"{path}[{want[key]}]") for row in found), key=len) if key else []


def events_differ(expect: dict[str, Any], commits: list[tuple[Instant, Order, list[str]]]) -> list[str]:
    """Names, order, counts and company of a history's events."""
    groups = [Counter(names) for _, _, names in commits]
    names = [name for _, _, here in commits for name in here]
    differences = [
        f"expected {want} in one commit, actual {[n for _, _, n in commits]}"
        for want in expect.get("together", ())
        if all(Counter(want) - group for group in groups)
    ]
    for event, instant in expect.get("recorded", {}).items():
        first = next((format_instant(at) for at, _, here in commits if event in here), None)
        differences += [] if first == instant else [f"expected first {event} recorded at {instant}, actual {first}"]
    rest = iter(names)
    if not all(any(name == other for other in rest) for name in expect.get("events", ())):
        differences.append(f"expected in this order {expect['events']}, actual {names}")
    have = Counter(names)
    return differences + [
        f"expected {n} {name}, actual {have[name]}"
        for name, n in expect.get("event_counts", {}).items()
        if have[name] != n
    ]


def eligibility_differs(queries: Iterable[dict[str, Any]], desk: Desk, stream: str, here: MarketSettings) -> list[str]:
    """Verdicts as of an instant."""
    differences: list[str] = []
    for want in queries:
        instant = parse_instant(want["as_of"])
        for verdict in eligibility(desk.as_of(stream, instant), POLICIES, here, instant):
            if verdict.action == want["action"]:
                turns = None if verdict.next_change_at is None else format_instant(verdict.next_change_at)
                have = {
                    "outcome": verdict.outcome,
                    "allowed": verdict.allowed,
                    "rule": verdict.rule,
                    "next_change_at": turns,
                }
                part = {key: want[key] for key in have if key in want}
                differences += [f"{want['action']} as of {want['as_of']}: {x}" for x in differs(part, have)]
    return differences


def shown(order: Order | None) -> dict[str, Any]:
    """What ``order show`` prints, without a head."""
    return {} if order is None else show(order, None, order.recorded_at)


def judge(case: dict[str, Any]) -> list[str]:
    """List the differences between a case's results and its expectations."""
    desk, expect, differences = Desk(), case["expect"], list[str]()
    for number, (row, want) in enumerate(zip(case["commands"], expect["results"], strict=True), 1):
        if "raw" not in row:
            got = desk.send(row)
            if not fits(want, got):
                differences.append(
                    f"command {number} {row['command']} at {row.get('at')}: expected {want}, actual {got}"
                )
    place = case["commands"][0].get("marketplace", "cases") if case["commands"] else "cases"
    stream, here = f"{place}/{case['id']}", market(place)
    for name, want in (expect.get("orders") or ({case["id"]: expect["order"]} if "order" in expect else {})).items():
        differences += [f"{name}{x}" for x in differs(want, shown(desk.orders.get(f"{place}/{name}")))]
    if {"events", "event_counts", "together", "recorded"} & expect.keys():
        differences += events_differ(expect, desk.commits.get(stream, []))
    differences += eligibility_differs(expect.get("eligibility", ()), desk, stream, here)
    for step in expect.get("publish", ()):
        differences += published_differs(step)
    for until in sorted(expect.get("until", ()), key=lambda x: parse_instant(x["t"])):
        desk.reach_until(stream, parse_instant(until["t"]), here)
        differences += [f"--until {until['t']}: {x}" for x in differs(until["order"], shown(desk.orders.get(stream)))]
    return differences


def published_differs(step: dict[str, Any]) -> list[str]:
    """A policy file is taken, or refused by the name of what is wrong with it."""
    try:
        read_policy_toml((HERE / "policies" / step["file"]).read_text(encoding="utf-8"))
    except BadInput as bad:
        return [] if step["says"] is not None and step["says"] in str(bad) else [f"{step['file']}: {bad}"]
    return [] if step["says"] is None else [f"{step['file']}: expected refused, naming {step['says']}"]


@pytest.mark.parametrize("case", [pytest.param(x, id=x["id"]) for x in CASES if x["id"] not in waiting()])
def test_every_case_of_the_contract_has_its_outcome(case: dict[str, Any]) -> None:
    assert judge(case) == [], f"{case['rule']}: {case['title']}"


def test_a_case_that_fits_is_not_listed_as_waiting() -> None:
    listed = set(waiting())
    assert [case["id"] for case in CASES if case["id"] in listed and judge(case) == []] == []


def test_every_case_has_an_id_of_its_own() -> None:
    assert len({case["id"] for case in CASES}) == len(CASES)
