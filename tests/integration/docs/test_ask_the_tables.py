"""docs/how-to/ask-the-tables.md: every query runs on both databases and returns what the orders' histories have.

The store is one that an earlier release left, with a history of operators' matters imported on top of it. The tables
are therefore rebuilt by this release first.
"""

import json
import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from math import ceil
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

from domain.calendar import local_date
from domain.instants import DAY, SECOND, format_instant, parse_instant
from domain.money import exponent
from infra.settings import load_settings
from infra.store.order_search import all_orders
from infra.store.reader import Reader, open_reader
from projections.tables import SCHEMA_VERSION
from tests.golden.stores import unpack
from tests.golden.writing_stores import CASES
from tests.integration.cli.driving import Store
from tests.integration.docs.operators import NOW, commands
from tests.postgresql.fixtures import new_schema

PAGE: Final = Path(__file__).parents[3] / "docs" / "how-to" / "ask-the-tables.md"
NOW_AT: Final = parse_instant(NOW)
DATABASES: Final = ("SQLite", pytest.param("PostgreSQL", marks=pytest.mark.postgresql))
MARKETPLACES: Final = ("acme", "cases", "shop")
Row = tuple[Any, ...]


# ---- the page --------------------------------------------------------------------------------------------------------


@dataclass
class Question:
    """One of the page: its query for each database, and the answer that it shows."""

    title: str
    queries: dict[str, str] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    answer: list[list[str]] = field(default_factory=list)


def questions() -> list[Question]:
    """The page's sections."""
    found: list[Question] = []
    text = PAGE.read_text(encoding="utf-8")
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        question = Question(section.splitlines()[0])
        for databases, query in re.findall(r"^### ([^\n]+)\n\n```sql\n(.*?)```", section, re.MULTILINE | re.DOTALL):
            for database in ("SQLite", "PostgreSQL") if databases == "Both databases" else (databases,):
                question.queries[database] = query
        table = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
        rows = [[cell.strip() for cell in line] for line in table]
        question.names, question.answer = (rows[0], rows[2:]) if rows else ([], [])
        found.append(question)
    return found


QUESTIONS: Final = questions()


# ---- the store -------------------------------------------------------------------------------------------------------


@dataclass
class Places:
    """Equal tables in both databases, and the log to compare them with."""

    store: Store
    postgresql: str | None
    reader: Reader

    def run_query(self, database: str, query: str) -> tuple[list[str], list[Row]]:
        """The query's columns and rows, as of NOW; cells as Python has them, instants as text."""
        if database == "SQLite":
            with closing(sqlite3.connect(f"file:{self.store.views}?mode=ro", uri=True)) as db:
                cursor = db.execute(query.replace("'now'", f"'{NOW}'"))
                return [column[0] for column in cursor.description], cursor.fetchall()
        assert self.postgresql is not None
        with psycopg.connect(self.postgresql) as db:
            result = db.execute(query.replace("now()", f"timestamptz '{NOW}'").replace("%", "%%").encode())
            names = [column.name for column in result.description or ()]
            return names, [tuple(map(_cell, row)) for row in result.fetchall()]


def _cell(cell: Any) -> Any:
    match cell:
        case Decimal():
            return int(cell) if cell == cell.to_integral_value() and cell.as_tuple().exponent == 0 else float(cell)
        case datetime():
            return format_instant(round(cell.astimezone(UTC).timestamp() * SECOND))
        case _:
            return cell


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Places]:
    place = unpack("0.1.0", tmp_path_factory.mktemp("operators"))
    settings = {"RESCIND_CONFIG": str(CASES / "settings.toml"), "RESCIND_JOURNAL": f"sqlite:///{place}?partitions=3"}
    store = Store(place, more=settings)
    done = store.rescind("import", store.file(commands()), "--json")
    assert "its tables were of version 3" in done.err
    totals = done.json
    assert (totals["bad"], totals["refused"]) == (0, {"auto-canceled-is-final": 1}), totals
    url = None
    if any(item.get_closest_marker("postgresql") for item in request.session.items):
        url = new_schema(request.getfixturevalue("postgresql_server"))
        store.rescind("import", "-", "--views", url)
    with open_reader(load_settings(settings["RESCIND_CONFIG"], journal=settings["RESCIND_JOURNAL"])) as reader:
        yield Places(store, url, reader)


# ---- the same from the histories -------------------------------------------------------------------------------------

Event = dict[str, Any]


@dataclass
class Story:
    """One order, by nothing but its history."""

    order_id: str
    events: list[Event]

    @property
    def terms(self) -> dict[str, Any]:
        placed: dict[str, Any] = self.events[0]["data"]
        return placed

    @property
    def money(self) -> tuple[str, int]:
        currency = self.terms["currency"]
        decimals = exponent(currency)
        assert decimals is not None
        return currency, decimals

    def all(self, *names: str) -> list[Event]:
        return [event for event in self.events if event["event"] in names]

    def day(self, event: Event) -> str:
        return local_date(parse_instant(event["recorded_at"]), self.terms["calendar"]["timezone"]).isoformat()

    def canceled(self) -> Iterator[tuple[Event, dict[str, Any], int]]:
        """Each cancellation with its data, and the cost of its units by the shares of docs/reference/money.md."""
        credited: Counter[int] = Counter()
        lines = {line["line"]: line for line in self.terms["lines"]}
        returns: dict[str, Event] = {}

        def cost(line: int, units: int) -> int:
            first, goods, tax = credited[line], lines[line]["goods"], lines[line]["refundable_tax"]
            credited[line] += units
            ordered = lines[line]["quantity"]
            return sum(_unit(goods, ordered, n) + _unit(tax, ordered, n) for n in range(first, first + units))

        def back(event: Event) -> None:
            if returns.pop(event["data"]["return_id"], None) is None:
                return
            for part in opened[event["data"]["return_id"]]["data"]["lines"]:
                cost(part["line"], part["quantity"])

        opened = {event["data"]["return_id"]: event for event in self.all("ReturnOpened")}
        for event in self.events:
            data = event["data"]
            match event["event"]:
                case "LinesCanceled":
                    for part in data["lines"]:
                        yield event, part, cost(part["line"], part["quantity"])
                case "AutoCanceled":
                    part = {**data, "cause": "fill_or_kill", "reason": None}
                    yield event, part, cost(data["line"], data["quantity"])
                case "ReturnOpened" if data["refund"] != "none":
                    returns[data["return_id"]] = event
                    if data["refund"] == "at_once":
                        back(event)
                case "ReturnAccepted" if data["refund_now"]:
                    back(event)
                case "ReturnReceived":
                    back(event)
                case _:
                    pass

    def requests(self) -> dict[str, dict[str, Any]]:
        """Request id → actor, reason, times, decision and its time, as of the last request."""
        found: dict[str, dict[str, Any]] = {}
        for event in self.events:
            data, at = event["data"], event["recorded_at"]
            due = {d["kind"]: d["due_at"] for d in data.get("deadlines") or ()}
            match event["event"]:
                case "CancelRequested":
                    found.pop(data["request_id"], None)
                    granted = data["verdict"]["outcome"] == "granted"
                    found[data["request_id"]] = {
                        **data,
                        "asked_at": at,
                        "decide_by": due.get("decide"),
                        "decided_at": at if granted else None,
                        "status": "decided" if granted else "open",
                    }
                case "CancelRefused" | "CancelApproved" | "CancelDeclined":
                    found[data["request_id"]] |= {"decided_at": at, "status": "decided"}
                case "CancelWithdrawn":
                    found[data["request_id"]]["status"] = "withdrawn"
                case "AlternativesDeclined" if data["request_id"] is not None:
                    found[data["request_id"]]["decide_by"] = due.get("decide")
                case "DisputeDecided" if data["outcome"] == "grant":
                    [about] = [e["data"]["about"] for e in self.all("DisputeOpened") if _same_dispute(e, event)]
                    if about in found:
                        found[about]["status"] = "decided"
                        found[about]["decided_at"] = found[about]["decided_at"] or at
        return found

    def waits(self, id: str, request: dict[str, Any]) -> bool:
        """Whether the buyer or the seller still has to answer: no dispute is about it, and not all of it has shipped
        since the request."""
        if request["status"] != "open" or any(each["data"]["about"] == id for each in self.all("DisputeOpened")):
            return False
        still, then = self._open_units(), self._open_units(request["asked_at"])
        return any(still[part["line"]] or part["quantity"] > then[part["line"]] for part in request["lines"])

    def _open_units(self, until: str | None = None) -> Counter[int]:
        """Units of each line that are open, by now or by an instant."""
        left = Counter({line["line"]: line["quantity"] for line in self.terms["lines"]})
        for event in self.all("LinesCanceled", "AutoCanceled", "LineShipped", "LinePartiallyShipped"):
            if until is None or parse_instant(event["recorded_at"]) <= parse_instant(until):
                for part in event["data"].get("lines", [event["data"]]):
                    left[part["line"]] -= part["quantity"]
        return left


def _same_dispute(opened: Event, decided: Event) -> bool:
    return bool(opened["data"]["dispute_id"] == decided["data"]["dispute_id"])


def _unit(amount: int, units: int, number: int) -> int:
    """The share of an amount for the unit of this number, from 0."""
    each, rest = divmod(amount, units)
    return each + (number < rest)


def stories(reader: Reader, marketplace: str) -> list[Story]:
    found = []
    for stream, folded in all_orders(reader, f"{marketplace}/"):
        if folded.order is not None and folded.order.exists:
            found.append(Story(stream.partition("/")[2], list(reader.history(stream))))
    return found


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 1) if whole else None


def cancellation_rate(histories: list[Story]) -> Iterable[Row]:
    placed: Counter[tuple[str, str]] = Counter()
    canceled: dict[Row, set[tuple[str, int]]] = defaultdict(set)
    for story in histories:
        seller = story.terms["seller_id"]
        placed[seller, story.day(story.events[0])] += len(story.terms["lines"])
        for event, part, _ in story.canceled():
            key = (seller, story.day(event), part["cause"], part["reason"] or "")
            canceled[key].add((story.order_id, part["line"]))
    for key, lines in sorted(canceled.items()):
        seller, day, *_ = key
        yield (*key, len(lines), placed[seller, day], _percent(len(lines), placed[seller, day]))


def _rebills_due(story: Story) -> Iterator[tuple[Event, int]]:
    """Rebillings that nobody has confirmed, and whether the last try failed."""
    done = {event["data"]["rebill_id"] for event in story.all("Rebilled")}
    wrong = {event["data"]["rebill_id"] for event in story.all("RebillFailed")}
    for event in story.all("RebillDue"):
        if event["data"]["rebill_id"] not in done:
            yield event, int(event["data"]["rebill_id"] in wrong)


@dataclass
class Owed:
    """The part of a refund that goes back to one payment, as far as it is neither confirmed nor settled elsewhere."""

    payment: str | None
    amount: int
    waits: bool
    left: int

    def settle(self, amount: int) -> int:
        """Take this much of it at most. Returns what is left of the amount."""
        settled = min(amount, self.left)
        self.left -= settled
        return amount - settled


def _refunds_due(story: Story) -> Iterator[tuple[Event, int, int]]:
    """Refunds that the payment service still has to pay, whether the last try failed, and how much of them."""
    due: dict[str, tuple[Event, list[Owed]]] = {}
    wrong: set[str] = set()
    for event in story.events:
        data = event["data"]
        if event["event"] == "RefundDue":
            given = data["parts"] or [{"payment_id": None, "amount": data["amount"], "waiting": False}]
            parts = [Owed(x["payment_id"], x["amount"], x["waiting"], x["amount"]) for x in given]
            due[data["refund_id"]] = event, parts
        for released in data["released"] if event["event"] == "ChargebackClosed" else ():
            for part in due[released["refund_id"]][1]:
                part.waits = part.waits and part.payment != data["payment_id"]
        if event["event"] not in ("RefundConfirmed", "RefundFailed", "RefundWithdrawn", "OtherRefundSettled"):
            continue
        payment, left = data.get("payment_id"), data.get("amount", 0)
        for part in due[data["refund_id"]][1]:
            if payment in (None, part.payment):
                match event["event"]:
                    case "RefundFailed":
                        part.left = part.amount
                        wrong.add(data["refund_id"])
                    case "OtherRefundSettled":
                        left = part.settle(left)
                    case _:
                        part.left = 0
    for id, (event, parts) in due.items():
        left = sum(part.left for part in parts if not part.waits)
        if left:
            yield event, int(id in wrong), left


def money_in_flight(histories: list[Story]) -> Iterable[Row]:
    found: dict[Row, list[int]] = defaultdict(lambda: [0, 0, 0])
    for story in histories:
        rebills = ((event, failed, event["data"]["amount"]) for event, failed in _rebills_due(story))
        for kind, instructions in (("refund", _refunds_due(story)), ("rebill", rebills)):
            for _, failed, amount in instructions:
                sums = found[kind, *story.money]
                sums[0] += 1
                sums[1] += failed
                sums[2] += amount
    for kind in ("refund", "rebill"):
        yield from ((*key, *sums) for key, sums in sorted(found.items()) if key[0] == kind)


def refunds_overdue(histories: list[Story]) -> Iterable[Row]:
    found = []
    for story in histories:
        for event, failed, amount in _refunds_due(story):
            at, data = parse_instant(event["recorded_at"]), event["data"]
            if at < NOW_AT - 3 * DAY:
                of = (story.order_id, data["refund_id"], story.terms["seller_id"])
                found.append((at, (*of, *story.money, amount, failed, event["recorded_at"])))
    return [row for _, row in sorted(found)]


def requests_overdue(histories: list[Story]) -> Iterable[Row]:
    found = []
    for story in histories:
        for id, request in story.requests().items():
            due = request["decide_by"]
            if story.waits(id, request) and due is not None and parse_instant(due) < NOW_AT:
                by = (request["by"], request["reason"], request["asked_at"], due)
                found.append((parse_instant(due), (story.order_id, id, story.terms["seller_id"], *by)))
    return [row for _, row in sorted(found)]


def fill_or_kill(histories: list[Story]) -> Iterable[Row]:
    orders: dict[Row, set[str]] = defaultdict(set)
    sums: dict[Row, list[int]] = defaultdict(lambda: [0, 0])
    for story in histories:
        for _, part, amount in story.canceled():
            if part["cause"] == "fill_or_kill":
                key = (story.terms["seller_id"], *story.money)
                orders[key].add(story.order_id)
                sums[key][0] += part["quantity"]
                sums[key][1] += amount
    return [(*key, len(orders[key]), *sums[key]) for key in sorted(orders)]


def time_to_decide(histories: list[Story]) -> Iterable[Row]:
    waited: dict[str, list[int]] = defaultdict(list)
    for story in histories:
        for request in story.requests().values():
            if request["decided_at"] is not None:
                requested, decided = (parse_instant(request[name]) // SECOND for name in ("asked_at", "decided_at"))
                if decided > requested:
                    waited[story.terms["seller_id"]].append(decided - requested)
    for seller, seconds in sorted(waited.items()):
        seconds.sort()
        number = len(seconds)
        yield seller, number, seconds[ceil(number / 2) - 1], seconds[ceil(number * 95 / 100) - 1]


STEPS: Final = (
    "ShippedAfterCancelFound",
    "CustomerNotified",
    "CustomerAcknowledged",
    "CustomerDeclined",
    "RebillDue",
    "RebillFailed",
    "Rebilled",
    "CreditMemoIssued",
)


def rebilling(histories: list[Story]) -> Iterable[Row]:
    found: dict[Row, list[int]] = defaultdict(lambda: [0, 0])
    for story in histories:
        if story.all("ShippedAfterCancelFound"):
            sums = found[story.all(*STEPS)[-1]["event"], *story.money]
            sums[0] += 1
            sums[1] += sum(event["data"]["amount"] for event in story.all("RebillDue"))
    return [(*key, *sums) for key, sums in sorted(found.items())]


def disputes(histories: list[Story]) -> Iterable[Row]:
    found: dict[Row, list[int]] = defaultdict(lambda: [0, 0])
    outcomes = {"grant": "granted", "deny": "denied", "return": "returned"}
    for story in histories:
        state: dict[str, list[Any]] = {}
        for event in story.all("DisputeOpened", "DisputeDecided", "DisputeAppealed", "DisputeDismissed"):
            id, data = event["data"]["dispute_id"], event["data"]
            match event["event"]:
                case "DisputeOpened":
                    state[id] = ["open", "", 0]
                case "DisputeDecided":
                    state[id][:2] = [outcomes[data["outcome"]], data["rule"]]
                case "DisputeAppealed":
                    state[id][0], state[id][2] = "open", 1
                case "DisputeDismissed" if id not in state:
                    state[id] = ["dismissed", data["verdict"]["rule"], 0]
        for status, rule, appealed in state.values():
            found[status, rule][0] += 1
            found[status, rule][1] += appealed
    return [(*key, *sums) for key, sums in sorted(found.items())]


def shipped_late(histories: list[Story]) -> Iterable[Row]:
    found: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for story in histories:
        ship_by = story.terms["ship_by"]
        parcels: dict[str, bool | None] = {}
        for event in story.events:
            data = event["data"]
            match event["event"]:
                case "ShipByRevised" if not data["proposed"]:
                    ship_by = data["ship_by"]
                case "LineShipped" | "LinePartiallyShipped":
                    late = None if ship_by is None else parse_instant(event["occurred_at"]) > parse_instant(ship_by)
                    parcels.setdefault(data["shipment_id"], late)
                case "ShipmentVoided":
                    del parcels[data["shipment_id"]]
                case _:
                    pass
        for late in parcels.values():
            if late is not None:
                found[story.terms["seller_id"]][0] += 1
                found[story.terms["seller_id"]][1] += late
    return [(seller, *sums, _percent(sums[1], sums[0])) for seller, sums in sorted(found.items())]


def trail(histories: list[Story]) -> Iterable[Row]:
    for story in histories:
        if story.order_id == "short-1":
            for event in story.events:
                rule = (event["data"].get("verdict") or {}).get("rule")
                actor = event["actor"]
                yield event["version"], event["recorded_at"], event["event"], actor["kind"], actor["id"], rule


ANSWERS: Final[tuple[Callable[[list[Story]], Iterable[Row]], ...]] = (
    cancellation_rate,
    money_in_flight,
    refunds_overdue,
    requests_overdue,
    fill_or_kill,
    time_to_decide,
    rebilling,
    disputes,
    shipped_late,
    trail,
)


# ---- comparing -------------------------------------------------------------------------------------------------------


def plainly(rows: Iterable[Row]) -> list[Row]:
    """Rows whose rounded numbers are compared by what rounding may differ in."""
    return [tuple(pytest.approx(cell, abs=0.051) if isinstance(cell, float) else cell for cell in row) for row in rows]


def shown(rows: Iterable[Row]) -> list[list[str]]:
    """Rows as the page writes them."""
    return [["" if cell is None else str(cell) for cell in row] for row in rows]


def test_the_page_has_ten_questions_each_for_both_databases() -> None:
    assert len(QUESTIONS) == len(ANSWERS) == 10
    assert all(question.queries.keys() == {"SQLite", "PostgreSQL"} for question in QUESTIONS)


@pytest.mark.parametrize("database", DATABASES)
@pytest.mark.parametrize("number", range(10), ids=[answer.__name__ for answer in ANSWERS])
def test_a_query_returns_what_the_histories_have_and_the_page_shows(places: Places, number: int, database: str) -> None:
    question, answer = QUESTIONS[number], ANSWERS[number]
    found = 0
    for marketplace in MARKETPLACES:
        query = question.queries[database].replace("'acme'", f"'{marketplace}'")
        _, rows = places.run_query(database, query)
        assert rows == plainly(answer(stories(places.reader, marketplace))), marketplace
        found += len(rows)
    names, rows = places.run_query(database, question.queries[database])
    assert (question.names, question.answer) == (names, shown(rows))
    assert found > len(rows) > 0 or number == 9, "the earlier release's store has something of it, too"


@pytest.mark.parametrize("database", DATABASES)
def test_the_tables_that_this_release_rebuilt_agree_with_the_journal(places: Places, database: str) -> None:
    checked = ["replay", "--check", "--json"]
    if database == "PostgreSQL":
        assert places.postgresql is not None
        checked += ["--views", places.postgresql]
        with psycopg.connect(places.postgresql) as db:
            query = "SELECT obj_description('positions'::regclass)"
            [comment] = db.execute(query).fetchone() or ("",)
            earlier = comment.replace(f"version {SCHEMA_VERSION},", "version 3,")
            db.execute(psycopg.sql.SQL("COMMENT ON VIEW positions IS {}").format(earlier))
        done = places.store.rescind("import", "-", "--views", places.postgresql)
        assert "the tables were of version 3" in done.err

    report = places.store.rescind(*checked).json

    assert report["clean"], report
    assert report["rows"]["orders"] > 300


@pytest.mark.parametrize("database", DATABASES)
def test_json_is_read_by_the_same_operators_in_both_databases(places: Places, database: str) -> None:
    query = "SELECT count(*) FROM requests WHERE lines -> 0 ->> 'quantity' = '1' OR CAST(lines AS text) = '[]'"
    if database == "SQLite":
        query = query.replace("= '1'", "= 1")
    [[number]] = places.run_query(database, query)[1]
    rows = [json.loads(row[0]) for row in places.run_query("SQLite", "SELECT lines FROM requests")[1]]
    assert number == sum(not lines or lines[0]["quantity"] == 1 for lines in rows) > 0
