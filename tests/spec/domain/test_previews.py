"""The preview says what a command does, and who must confirm it: over every step of the acceptance cases."""

from typing import Any

import pytest

from domain.commands import Command, ReachDeadline, parse_command
from domain.errors import BadInput
from domain.instants import EARLIEST, Instant, parse_instant
from domain.order import Order
from domain.preview import ALWAYS, Preview, preview
from tests.spec.acceptance.test_cases import CASES, POLICIES, Desk, market
from tests.spec.domain.story import WHO, Story

MONDAY, TUESDAY, FRIDAY = "2026-03-02T10:00:00Z", "2026-03-03T10:00:00Z", "2026-03-06T10:00:00Z"


def would(story: Story, name: str, at: str, by: str, closed_at: Instant = EARLIEST, **fields: Any) -> Preview:
    """The preview of a command about the story's order, as somebody's who is known to it."""
    kind, who = WHO[by]
    body = {"command": name, "command_id": "look", "marketplace": "acme", "order_id": "PO-1"}
    command = parse_command({**body, "actor": {"kind": kind, "id": who}, **fields})
    return preview(story.here, command, story.policies, story.market, parse_instant(at), closed_at)


# ---- deadlines that are due ------------------------------------------------------------------------------------------


def late() -> Story:
    """An order whose late-ship deadline, 7 March 10:00, nobody has reached yet."""
    return Story("big-box").placed(MONDAY, ship_by=TUESDAY)


@pytest.mark.parametrize(("by", "name"), [("buyer", "RequestCancel"), ("seller", "CancelLines")])
def test_a_deadline_that_is_due_and_not_fired_has_canceled_already(by: str, name: str) -> None:
    fields: dict[str, Any] = {"request_id": "r1"} if by == "buyer" else {}
    before = would(late(), name, "2026-03-07T10:00:00Z", by, reason="other", **fields)
    after = would(late(), name, "2026-03-07T10:00:00.000001Z", by, reason="other", **fields)
    assert (before.refused, after.refused) == (None, "already-canceled")
    assert after.confirmation is None
    assert "cancelled already" in after.sentence()
    assert after.order.version > before.order.version


def test_what_a_due_deadline_canceled_cannot_ship() -> None:
    shown = would(late(), "Ship", "2026-03-08T10:00:00Z", "seller", shipment_id="asn-1")
    assert (shown.refused, shown.ships) == ("cancel-is-final", {})


def test_a_deadline_that_was_left_by_an_import_never_fires() -> None:
    closed_at = parse_instant("2026-03-08T10:00:00Z")
    shown = would(late(), "CancelLines", "2026-03-08T10:00:00Z", "seller", closed_at, reason="other")
    assert shown.cancels == {1: 1}


# ---- what a command does at once -------------------------------------------------------------------------------------


def test_a_ship_by_in_the_past_is_shown_with_what_it_cancels() -> None:
    shown = would(late(), "ReviseShipBy", TUESDAY, "seller", ship_by="2026-02-01T10:00:00Z")
    assert (shown.cancels, shown.refund, shown.standing) == ({1: 1}, 2500, ["seller"])
    assert shown.confirmed_by == "seller"


def test_a_ship_by_that_passed_before_it_was_taken_is_shown_with_what_it_cancels() -> None:
    """An import was closed on 15 March, so the late-ship deadline of the first ship-by never fires."""
    story = late()
    assert story.say("ReviseShipBy", TUESDAY, ship_by=FRIDAY) == "accepted"
    early = would(story, "TakeAlternative", TUESDAY, "buyer", kind="wait")
    assert (early.cancels, early.confirmed_by) == ({}, None)
    closed_at = parse_instant("2026-03-15T00:00:00Z")
    shown = would(story, "TakeAlternative", "2026-03-20T10:00:00Z", "buyer", closed_at, kind="wait")
    assert (shown.cancels, shown.confirmed_by) == ({1: 1}, "buyer")


@pytest.mark.parametrize(
    ("preset", "name", "by", "fields", "does"),
    [
        ("seller-portal", "ApproveCancel", "seller", {}, "Cancels 1 of line 1; it cannot be undone."),
        ("general-store", "DeclineAlternatives", "buyer", {}, "Cancels 1 of line 1; it cannot be undone."),
        ("general-store", "TakeAlternative", "buyer", {"kind": "wait"}, "Cancels nothing."),
        ("seller-portal", "DeclineCancel", "seller", {}, "Cancels nothing."),
    ],
)
def test_an_answer_to_a_request_says_what_it_does(
    preset: str, name: str, by: str, fields: dict[str, Any], does: str
) -> None:
    story = Story(preset).placed(MONDAY)
    assert story.say("RequestCancel", TUESDAY, request_id="r1", reason="other") == "accepted"
    shown = would(story, name, TUESDAY, by, request_id="r1", **fields)
    assert shown.sentence().startswith(does)
    assert (shown.confirmed_by == by) == (does != "Cancels nothing.")


def test_a_withdrawn_return_says_what_it_frees_and_needs_no_confirmation() -> None:
    story = Story("big-box").placed(MONDAY)
    story.say("Ship", TUESDAY, shipment_id="p1")
    story.say("Deliver", TUESDAY)
    story.say("RequestReturn", TUESDAY, reason="changed_mind", lines=[1])
    shown = would(story, "WithdrawReturn", FRIDAY, "buyer", about="return-1")
    assert shown.sentence() == "Withdraws the return of 1 of line 1; nothing is refunded for it."
    assert (shown.lines, shown.refund, shown.confirmed_by) == ({1: 1}, 0, None)
    assert shown.confirmation is not None


@pytest.mark.parametrize(
    ("outcome", "refund", "says"),
    [
        ("lost", 2500, "Reports 1 of line 1 as not delivered; the quantity stays shipped."),
        (
            "refused",
            0,
            "Reports 1 of line 1 as not delivered; the quantity stays shipped. A return opens for 1 of line 1.",
        ),
    ],
)
def test_a_report_of_a_parcel_says_what_is_refunded_or_comes_back(outcome: str, refund: int, says: str) -> None:
    story = Story("big-box").placed(MONDAY)
    story.say("Ship", TUESDAY, shipment_id="p1")
    shown = would(story, "ReportUndelivered", FRIDAY, "seller", shipment_id="p1", outcome=outcome)
    assert (shown.sentence(), shown.refund, shown.confirmed_by) == (says, refund, None)
    assert shown.lines == {1: 1}


def test_declining_offers_where_the_seller_then_decides_says_so() -> None:
    story = Story("general-store").placed(MONDAY)
    assert story.say("RequestCancel", TUESDAY, request_id="r1", reason="other") == "accepted"
    request = story.here.requests["r1"]
    assert request.behind is not None
    object.__setattr__(request.behind, "outcome", "ask_seller")
    shown = would(story, "DeclineAlternatives", TUESDAY, "buyer", request_id="r1")
    assert shown.sentence().startswith("Asks to cancel 1 of line 1; the other side decides.")
    assert (shown.standing, shown.confirmed_by) == (["buyer"], "buyer")


def test_declining_a_later_ship_by_ends_nothing_and_needs_no_confirmation() -> None:
    story = late()
    assert story.say("ReviseShipBy", TUESDAY, ship_by=FRIDAY) == "accepted"
    shown = would(story, "DeclineAlternatives", TUESDAY, "buyer")
    assert (shown.cancels, shown.confirmed_by, shown.sentence()) == ({}, None, "Cancels nothing.")


# ---- nothing is written ----------------------------------------------------------------------------------------------


def test_a_preview_changes_neither_the_order_nor_the_command() -> None:
    story = Story().placed(MONDAY)
    before = story.here.copy()
    body = {"command": "RequestCancel", "command_id": "c", "marketplace": "acme", "order_id": "PO-1"}
    actor = {"kind": "buyer", "id": "b-1"}
    command = parse_command({**body, "actor": actor, "request_id": "r1", "reason": "other", "text": "Please."})
    preview(story.here, command, story.policies, story.market, parse_instant(TUESDAY))
    assert story.here == before
    text: Any = getattr(command, "text")  # noqa: B009 - only some commands have one
    assert text.sealed is None, "the command can still be sealed for the vault"


# ---- every step of the acceptance cases ------------------------------------------------------------------------------


def command_of(row: dict[str, Any]) -> Command | None:
    """The command of a row that can be read, else None."""
    try:
        command = parse_command(row)
    except BadInput:
        return None
    return command if command.at is not None else None


def looked_ahead(desk: Desk, command: Command, now: Instant) -> Preview | None:
    order = desk.orders.get(command.stream)
    if order is None or not order.exists or now < order.recorded_at:
        return None
    if (command.stream, command.command_id) in desk.answered or isinstance(command, ReachDeadline):
        return None
    try:
        return preview(order, command, POLICIES, market(command.marketplace), now)
    except BadInput:
        return None


def lost(before: Order, after: Order) -> dict[int, int]:
    """Units that were canceled meanwhile, by line."""
    units = {n: line.canceled - before.lines[n].canceled for n, line in after.lines.items()}
    return {n: quantity for n, quantity in units.items() if quantity}


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
def test_a_preview_is_what_then_happens_and_a_person_confirms_what_cancels(case: dict[str, Any]) -> None:
    desk = Desk()
    for row in case["commands"]:
        command = None if "raw" in row else command_of(row)
        if command is None or command.at is None:
            continue
        now = command.at
        shown = looked_ahead(desk, command, now)
        said = desk.say(row)
        if shown is None:
            continue
        after = desk.orders[command.stream]
        assert said == ("accepted" if shown.refused is None else f"refused:{shown.refused}"), (row, shown)
        if shown.refused is not None:
            assert (shown.confirmation, shown.confirmed_by) == (None, None)
            continue
        desk.reach_until(command.stream, now, market(command.marketplace))
        now_due = desk.orders[command.stream]
        together = {n: shown.cancels.get(n, 0) + shown.kills.get(n, 0) for n in {*shown.cancels, *shown.kills}}
        assert together == lost(shown.order, now_due), (row, shown.sentence())
        assert shown.refund == now_due.refunds_instructed - shown.order.refunds_instructed
        by = command.actor.kind
        if (
            by in ("buyer", "seller")
            and (together or isinstance(command, ALWAYS))
            and after.version > shown.order.version
        ):
            assert shown.confirmed_by == by
            assert "confirmation" in type(command).model_fields, f"{command.command} cancels and cannot be confirmed"
        elif by not in ("buyer", "seller"):
            assert shown.confirmed_by is None


def test_the_cases_cancel_by_every_command_that_can() -> None:
    """What a person can cancel by is what takes a confirmation; the cases show most of it."""
    seen: set[str] = set()
    for case in CASES:
        desk = Desk()
        for row in case["commands"]:
            command = None if "raw" in row else command_of(row)
            if command is None or command.at is None:
                continue
            shown = looked_ahead(desk, command, command.at)
            desk.say(row)
            if shown is not None and (shown.cancels or shown.kills) and command.actor.kind in ("buyer", "seller"):
                seen.add(command.command)
    assert {"RequestCancel", "CancelLines", "ApproveCancel", "Ship", "DeclineAlternatives"} <= seen
