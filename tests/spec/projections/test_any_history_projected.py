"""Whatever happens, and however the log is cut into batches, the tables are the same and agree with the orders."""

import json
from collections import Counter
from datetime import date, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.engine.control_log import entries
from consumers.projection.projector import Projector
from domain import events as e
from domain.calendar import Length, local_date
from domain.deadlines import live
from domain.folding import apply
from domain.instants import EARLIEST, parse_instant
from domain.order import fresh
from domain.order_json import attention, money, status
from domain.reasons import SELLERS_REASONS
from domain.standing import Day, rate, window
from infra.documents.seller_dashboard import days_of
from projections.tables import (
    AUDIT_TRAIL,
    BUYER_STANDING,
    CANCELLATIONS,
    CASES,
    CREDIT_MEMOS,
    DEADLINES,
    DISPUTES,
    EVIDENCE,
    FEES,
    ORDER_LINES,
    ORDERS,
    OTHER_REFUNDS,
    PAYMENTS,
    REBILLS,
    REFUNDS,
    REQUESTS,
    RETURNS,
    SELLER_DAILY,
    SHIPMENTS,
)
from tests.effort import examples
from tests.spec.domain.story import Story
from tests.spec.domain.test_any_history import play, stories
from tests.spec.projections.histories import Log
from tests.spec.projections.memory_views import MemoryViews

several = st.lists(stories, min_size=1, max_size=3)


def written(stories: list[Story], log: Log) -> None:
    """The stories' commits in one log, in the order in which they were recorded."""
    commits = [
        (stamp.recorded_at, number, place, events, stamp)
        for number, story in enumerate(stories)
        for place, (events, stamp) in enumerate(story.commits)
    ]
    for recorded_at, number, _, events, stamp in sorted(commits, key=lambda each: each[:3]):
        actor = (stamp.actor_kind, stamp.actor_id)
        log.append([(f"acme/PO-{number}", entries(events))], recorded_at, actor, fingerprint=stamp.fingerprint)


@settings(max_examples=examples(60))
@given(several, st.integers(1, 7))
def test_the_tables_do_not_depend_on_batches_or_cached_orders(drawn: list[Any], limit: int) -> None:
    log = Log()
    written([play(*each)[0] for each in drawn], log)
    whole, cut = MemoryViews(), MemoryViews()

    one = Projector("journal", 0, log.state, whole)
    one.advance()
    other = Projector("journal", 0, log.state, cut, capacity=1)
    while other.advance(limit):
        pass

    assert whole.tables == cut.tables
    assert whole.positions == cut.positions
    assert not whole.tables["dead_letters"]


@settings(max_examples=examples(80))
@given(several)
def test_the_tables_agree_with_the_orders(drawn: list[Any]) -> None:
    log, views = Log(), MemoryViews()
    stories = [play(*each)[0] for each in drawn]
    written(stories, log)
    Projector("journal", 0, log.state, views).advance()

    events = views.rows(AUDIT_TRAIL)
    assert [row["position"] for row in events] == list(range(log.state.next_position))
    assert [row["event"] for row in events if row["order_id"] == "PO-0"] == stories[0].events()
    for number, story in enumerate(stories):
        agrees(views, f"PO-{number}", story)
    assert days_recounted(stories) == {
        (row["day"], name): row[name]
        for row in views.rows(SELLER_DAILY)
        for name in SELLER_DAILY.names[SELLER_DAILY.lead :]
        if row[name]
    }
    assert buyers_recounted(stories) == {
        (row["day"], name): row[name]
        for row in views.rows(BUYER_STANDING)
        for name in BUYER_STANDING.names[3:]
        if row[name]
    }


@settings(max_examples=examples(60))
@given(several, st.integers(0, 40), st.integers(1, 30))
def test_a_sellers_rate_by_the_table_is_the_rate_by_a_fold_of_the_log(drawn: list[Any], last: int, length: int) -> None:
    log, views = Log(), MemoryViews()
    stories = [play(*each)[0] for each in drawn]
    written(stories, log)
    Projector("journal", 0, log.state, views).advance()
    within = window(date(2026, 3, 25) + timedelta(days=last), Length(length, "days"), stories[0].here.terms.calendar)

    by_table = rate((day_of(str(row["day"]), row) for row in views.rows(SELLER_DAILY)), within)
    folded: dict[str, Counter[str]] = {}
    for story in stories:
        commits = [(stamp.recorded_at, [event for event, _ in events]) for events, stamp in story.commits]
        for day, counts in days_of(story.here, commits).items():
            folded.setdefault(day, Counter()).update(counts)

    assert rate((day_of(day, counts) for day, counts in folded.items()), within) == by_table
    recounted = days_recounted(stories)
    assert {
        (day, name): count for day, counts in folded.items() for name, count in counts.items() if count
    } == recounted


def day_of(day: str, counts: Any) -> Day:
    against = counts["lines_canceled_by_seller"] + counts["lines_auto_canceled"]
    return Day(date.fromisoformat(day), counts["lines_placed"], against)


def agrees(views: MemoryViews, order_id: str, story: Story) -> None:
    order = story.here
    row = views.row(ORDERS, order_id=order_id)
    assert (row["status"], row["version"]) == (status(order), order.version)
    assert row["attention"] == ",".join(attention(order, EARLIEST))
    assert {name: row[name] for name in money(order)} == money(order)
    late = row["late_from"]
    assert late is None or isinstance(late, int)
    for instant in (order.recorded_at, *(() if late is None else (late, late + 1))):
        assert ("late" in attention(order, instant)) == (late is not None and late < instant)
    for line in views.rows(ORDER_LINES, order_id=order_id):
        assert line["ordered"] == line["open"] + line["shipped"] + line["canceled"]  # type: ignore[operator]
        parts = views.rows(CANCELLATIONS, order_id=order_id, line=line["line"])
        assert sum(part["quantity"] for part in parts) == line["canceled"]  # type: ignore[misc]
        killed = [part for part in parts if part["cause"] == "fill_or_kill"]
        assert sum(part["quantity"] for part in killed) == line["auto_canceled"]  # type: ignore[misc]
    deadlines = {d.deadline_id: d.due_at for d in live(order)}
    assert {d["deadline_id"]: d["due_at"] for d in views.rows(DEADLINES, order_id=order_id)} == deadlines
    assert row["next_deadline_at"] == min(deadlines.values(), default=None)
    shown = story.shown
    for table, name, id in ((REQUESTS, "requests", "request_id"), (SHIPMENTS, "shipments", "shipment_id")):
        viewed = [(r[id], r["status"], json.loads(str(r["lines"]))) for r in views.rows(table, order_id=order_id)]
        assert sorted(viewed) == sorted((r[id], r["status"], r["lines"]) for r in shown[name])
    refunds = [(r["refund_id"], r["amount_minor"], r["status"]) for r in views.rows(REFUNDS, order_id=order_id)]
    assert refunds == [(r["refund_id"], r["amount_minor"], r["status"]) for r in shown["refunds"]]
    for other, id, states in (
        (RETURNS, "return_id", order.returns),
        (CASES, "case_id", order.cases),
        (DISPUTES, "dispute_id", {**order.dismissed, **order.disputes}),
        (REBILLS, "rebill_id", order.rebills),
    ):
        rows = {str(r[id]): r["status"] for r in views.rows(other, order_id=order_id)}
        shown_as = {name: getattr(each, "shown_status", each.status) for name, each in states.items()}
        assert rows == shown_as
    money_agrees(views, order_id, story)
    assert {r["evidence_id"] for r in views.rows(EVIDENCE, order_id=order_id)} == order.evidence.keys()
    operators_agree(views, order_id, story)
    memos = {r["memo_id"] for r in views.rows(CREDIT_MEMOS, order_id=order_id)}
    assert memos == {r.memo_id for r in order.rebills.values()} - {None}


def money_agrees(views: MemoryViews, order_id: str, story: Story) -> None:
    """Refunds, payments, fees and other refunds add up to the order's sums, and have what the order shows."""
    order, shown = story.here, story.shown
    refunds, payments = views.rows(REFUNDS, order_id=order_id), views.rows(PAYMENTS, order_id=order_id)
    others, fees = views.rows(OTHER_REFUNDS, order_id=order_id), views.rows(FEES, order_id=order_id)
    assert total(refunds, "due_minor") == order.refunds_due
    assert total(others, "amount_minor") == order.other_refunds_in_all
    assert total([r for r in others if r["refund_id"]], "amount_minor") == total(refunds, "settled_elsewhere_minor")
    for row, refund in zip(refunds, shown["refunds"], strict=True):
        names = ("refund_id", "failed", "waiting")
        assert [row[name] for name in names] == [refund[name] for name in names]
        assert [json.loads(str(row[name])) for name in ("parts", "causes")] == [refund["parts"], refund["causes"]]
        assert int(row["in_flight_minor"] or 0) + int(row["waiting_minor"] or 0) <= int(row["due_minor"] or 0)
    for table, name in ((payments, "payments"), (fees, "fees")):
        assert [{key: row[key] for key in each} for row, each in zip(table, shown[name], strict=True)] == shown[name]


def total(rows: list[dict[str, Any]], column: str) -> int:
    return sum(row[column] for row in rows)


def confirmed(story: Story) -> dict[str, int]:
    """When each confirmed refund was confirmed: the commit since which it has been."""
    found: dict[str, int] = {}
    order = fresh("acme", "PO-1")
    for events, stamp in story.commits:
        for event, at in events:
            apply(order, event, at, stamp)
        settled = {refund.refund_id for refund in order.refunds.values() if refund.status == "confirmed"}
        found = {id: found.get(id, stamp.recorded_at) for id in settled}
    return found


def operators_agree(views: MemoryViews, order_id: str, story: Story) -> None:
    """When requests were decided, refunds confirmed and parcels delivered, once more from the events alone."""
    decided: dict[str, int] = {}
    ship_by: int | None = None
    promised: dict[str, int | None] = {}
    delivered: dict[str, int] = {}
    for events, stamp in story.commits:
        for event, at in events:
            match event:
                case e.OrderPlaced():
                    ship_by = event.ship_by
                case e.ShipByRevised(proposed=False):
                    ship_by = event.ship_by
                case e.CancelRequested():
                    decided.pop(event.request_id, None)
                    if event.verdict.outcome == "granted":
                        decided[event.request_id] = stamp.recorded_at
                case e.CancelRefused() | e.CancelApproved() | e.CancelDeclined():
                    decided[event.request_id] = stamp.recorded_at
                case e.LineShipped() | e.LinePartiallyShipped():
                    promised.setdefault(event.shipment_id, ship_by)
                case e.Delivered():
                    for id in event.shipments:
                        delivered[id] = max(at, delivered.get(id, at))
                case e.DisputeDecided(outcome="grant"):
                    about = story.here.disputes[event.dispute_id].about
                    if about in story.here.requests:
                        decided.setdefault(about, stamp.recorded_at)
                case _:
                    pass
    requests = views.rows(REQUESTS, order_id=order_id)
    assert {r["request_id"]: r["decided_at"] for r in requests if r["decided_at"] is not None} == decided
    refunds = views.rows(REFUNDS, order_id=order_id)
    assert {r["refund_id"]: r["confirmed_at"] for r in refunds if r["confirmed_at"] is not None} == confirmed(story)
    shipments = views.rows(SHIPMENTS, order_id=order_id)
    assert {r["shipment_id"]: r["ship_by"] for r in shipments} == promised
    assert {r["shipment_id"]: r["delivered_at"] for r in shipments if r["delivered_at"] is not None} == delivered
    for line in views.rows(ORDER_LINES, order_id=order_id):
        parts = [int(r["amount_minor"] or 0) for r in views.rows(CANCELLATIONS, order_id=order_id, line=line["line"])]
        value = int(line["goods_minor"] or 0) + int(line["tax_minor"] or 0)
        assert min(parts, default=0) >= 0
        assert sum(parts) == value if line["canceled"] == line["ordered"] else sum(parts) <= value


def days_recounted(stories: list[Story]) -> Counter[tuple[str, str]]:
    """seller_daily once more, line by line from the events alone."""
    found: Counter[tuple[str, str]] = Counter()
    for story in stories:
        counted: set[int] = set()
        zone = story.here.terms.calendar.timezone
        for events, stamp in story.commits:
            day = local_date(stamp.recorded_at, zone).isoformat()
            for event, _ in events:
                if isinstance(event, e.OrderPlaced):
                    found[day, "orders_placed"] += 1
                    found[day, "lines_placed"] += len(event.lines)
                elif isinstance(event, e.RefundDue):
                    found[day, "refund_minor"] += event.amount
                elif isinstance(event, e.AutoCanceled):
                    if event.line not in counted:
                        found[day, "lines_auto_canceled"] += 1
                    counted.add(event.line)
                elif isinstance(event, e.LinesCanceled):
                    for part in event.lines:
                        if part.line not in counted and (column := column_of(part.cause, part.reason)) is not None:
                            found[day, column] += 1
                        counted.add(part.line)
    return +found


def buyers_recounted(stories: list[Story]) -> Counter[tuple[str, str]]:
    """buyer_standing once more: lines whose first cancellation the buyer had asked for."""
    found: Counter[tuple[str, str]] = Counter()
    for story in stories:
        counted: set[int] = set()
        zone = story.here.terms.calendar.timezone
        requested_by: dict[str, str] = {}
        for events, stamp in story.commits:
            day = local_date(stamp.recorded_at, zone).isoformat()
            for event, _ in events:
                if isinstance(event, e.OrderPlaced):
                    found[day, "orders_placed"] += 1
                    found[day, "lines_placed"] += len(event.lines)
                elif isinstance(event, e.CancelRequested):
                    requested_by[event.request_id] = event.by
                elif isinstance(event, e.AutoCanceled):
                    counted.add(event.line)
                elif isinstance(event, e.LinesCanceled):
                    for part in event.lines:
                        requested = (
                            part.cause in ("request", "dispute") and requested_by.get(part.request_id or "") != "seller"
                        )
                        if part.line not in counted and requested:
                            found[day, "lines_canceled_by_buyer"] += 1
                        counted.add(part.line)
    return +found


def column_of(cause: str, reason: str | None) -> str | None:
    if cause in ("support", "system"):
        return "lines_canceled_by_seller" if reason in SELLERS_REASONS else "lines_canceled_by_marketplace"
    return {
        "request": "lines_canceled_by_request",
        "dispute": "lines_canceled_by_request",
        "seller": "lines_canceled_by_seller",
        "late_ship": "lines_auto_canceled",
    }.get(cause)


def test_the_recount_is_no_tautology() -> None:
    story = Story().placed(lines=[{"line": 1, "sku": "A", "quantity": 2, "unit_price": "1.00"}])
    story.send("Ship", "2026-03-03T10:00:00Z", shipment_id="s1", lines=[{"line": 1, "quantity": 1}])
    assert days_recounted([story]) == {
        ("2026-03-02", "orders_placed"): 1,
        ("2026-03-02", "lines_placed"): 1,
        ("2026-03-03", "lines_auto_canceled"): 1,
        ("2026-03-03", "refund_minor"): 100,
    }
    assert parse_instant("2026-03-03T10:00:00Z") == story.here.recorded_at
