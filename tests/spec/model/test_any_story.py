"""Any story, of all commands by anybody at any time, told to the domain and to a small model: they agree at every step.

The model is written from docs/reference and imports nothing of the domain's decisions. What must hold of any
story is said once more here in its own words: quantities and money, the steps of what was cancelled but shipped, and
that asking comes to what eligibility said of it.
"""

import re
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from domain import events as e
from domain.commands import COMMANDS, parse_command
from domain.decide import decide
from domain.instants import format_instant
from tests.effort import examples
from tests.spec.acceptance.test_cases import POLICIES, seal
from tests.spec.model.chapters import CHAPTERS, Said
from tests.spec.model.drawing import FIELDS, orders, speakers, waits
from tests.spec.model.likely import EVERY, LIKELY
from tests.spec.model.racing import Log
from tests.spec.model.telling import HERE, STREAM, TEXTS, Telling

RACERS = (
    "Ship",
    "CancelLines",
    "RequestCancel",
    "ApproveCancel",
    "RequestReturn",
    "DecideDispute",
    "Acknowledge",
    "Rebill",
)
"""What two people may say at once of the same order."""
where = st.integers(0, 9)
"""Which of those that were said so far, the last one first."""


def says(kind: str) -> Any:
    """A rule of the machine: somebody says a command of this kind."""

    def say(self: "AnyStory", by: str | None, wait: Any, fields: dict[str, Any]) -> None:
        self.step(kind, by, wait, fields)

    say.__name__ = re.sub(r"(?<!^)(?=[A-Z])", "_", kind).lower()
    said = rule(by=speakers, wait=waits, fields=FIELDS[kind])(say)
    return precondition(lambda self: self.may_say(kind))(said)


ORDINARY = 500
"""Stories of `make test`."""
STORIES = 2_000
"""Of one search, which keeps all of them in memory."""
MOST = 10_000
"""Of all searches, also where `make test-long` asks for more."""


class AnyStory(RuleBasedStateMachine):
    """One order's story, and what is said of it."""

    story: Telling

    @initialize(
        chapter=st.sampled_from(CHAPTERS),
        policy=st.sampled_from([None, None, *TEXTS]),
        order=orders,
        stop=st.integers(0, 2),
    )
    def begins(self, chapter: tuple[str, list[Said]], policy: str | None, order: dict[str, Any], stop: int) -> None:
        """An order is placed under a policy, and the story begins as a chapter does, or as most of one."""
        self.steps = 0
        self.story = Telling(policy or chapter[0], order)
        for wait, kind, fields in chapter[1][: len(chapter[1]) - stop]:
            self.story.say(kind, None, wait, fields)

    def may_say(self, kind: str) -> bool:
        """Mostly what has something to talk about."""
        order = self.story.world.order
        return self.steps % EVERY == 0 or order is None or bool(LIKELY.get(kind, bool)(order))

    def step(self, kind: str, by: str | None, wait: Any, fields: dict[str, Any]) -> None:
        self.steps += 1
        self.story.say(kind, by, wait, fields)

    confirm_payment = says("ConfirmPayment")
    record_other_refund = says("RecordOtherRefund")
    send_message = says("SendMessage")
    record_contact = says("RecordContact")
    request_cancel = says("RequestCancel")
    cancel_lines = says("CancelLines")
    approve_cancel = says("ApproveCancel")
    decline_cancel = says("DeclineCancel")
    withdraw_cancel = says("WithdrawCancel")
    take_alternative = says("TakeAlternative")
    decline_alternatives = says("DeclineAlternatives")
    start_fulfilment = says("StartFulfilment")
    start_tracking = says("StartTracking")
    tracking_moved = says("TrackingMoved")
    ship = says("Ship")
    void_shipment = says("VoidShipment")
    revise_ship_by = says("ReviseShipBy")
    deliver = says("Deliver")
    confirm_refund = says("ConfirmRefund")
    fail_refund = says("FailRefund")
    confirm_notice = says("ConfirmNotice")
    fail_notice = says("FailNotice")
    report_shipped_after_cancel = says("ReportShippedAfterCancel")
    notify_customer = says("NotifyCustomer")
    acknowledge = says("Acknowledge")
    attach_evidence = says("AttachEvidence")
    rebill = says("Rebill")
    confirm_rebill = says("ConfirmRebill")
    fail_rebill = says("FailRebill")
    issue_credit_memo = says("IssueCreditMemo")
    open_case = says("OpenCase")
    request_evidence = says("RequestEvidence")
    accept_return = says("AcceptReturn")
    decide_case = says("DecideCase")
    request_return = says("RequestReturn")
    start_return = says("StartReturn")
    return_received = says("ReturnReceived")
    open_dispute = says("OpenDispute")
    escalate_dispute = says("EscalateDispute")
    decide_dispute = says("DecideDispute")
    appeal_dispute = says("AppealDispute")
    reach_deadline = says("ReachDeadline")
    erase_subject = says("EraseSubject")
    place_legal_hold = says("PlaceLegalHold")
    release_legal_hold = says("ReleaseLegalHold")

    # ---- slightly wrong ------------------------------------------------------------------------------------------

    @rule(other=st.sampled_from([{}, {"sale_format": "auction"}, {"note": "unknown"}]), by=speakers)
    @precondition(lambda self: self.may_say("PlaceOrder"))
    def place_order(self, other: dict[str, Any], by: str | None) -> None:
        """The order is placed once more, as it was or with other content."""
        first = {k: v for k, v in self.story.bodies[0].items() if k not in ("command", "command_id", "at", "actor")}
        if "note" not in other:
            self.step("PlaceOrder", by, 0, {**first, **other})

    @rule(which=where, changed=st.booleans())
    def is_said_again(self, which: int, changed: bool) -> None:
        """A command comes a second time under its id, as it was, or with other content."""
        self.steps += 1
        body = self.story.bodies[-1 - which % len(self.story.bodies)]
        other = {"actor": {"kind": "support", "id": "desk-2"}} if changed else {}
        self.story.hear({**body, "at": format_instant(self.story.now), **other})

    @rule(kind=st.sampled_from(["Ship", "CancelLines", "EraseSubject"]), data=st.data())
    @precondition(lambda self: self.steps % EVERY == 0)
    def goes_back_in_time(self, kind: str, data: st.DataObject) -> None:
        """It is said of a time before the last."""
        self.steps += 1
        self.story.say(kind, None, -1, data.draw(FIELDS[kind]))
        self.story.now += 1

    @rule(
        kind=st.sampled_from(sorted(set(FIELDS) - {"EraseSubject", "PlaceLegalHold", "ReleaseLegalHold"})),
        data=st.data(),
    )
    @precondition(lambda self: self.steps % EVERY == 0)
    def is_said_of_another_order(self, kind: str, data: st.DataObject) -> None:
        self.steps += 1
        self.story.say(kind, None, 0, data.draw(FIELDS[kind]), order_id="PO-404")

    @rule(kind=st.sampled_from(RACERS), data=st.data(), behind=st.integers(1, 4))
    def is_decided_by_somebody_who_is_behind(self, kind: str, data: st.DataObject, behind: int) -> None:
        """Its parent is not the head: it never happened. It is decided again on what is, and said as that."""
        told, fields = self.story.told, data.draw(FIELDS[kind])
        history = told.written
        if len(history) <= behind or ("rule" not in fields and kind == "DecideDispute"):
            return
        before = told.commits[STREAM][-1 - behind][1]
        kept = deepcopy(before)
        body = self.story.body(kind, None, 0, {k: v for k, v in fields.items() if k != "ago"})
        decided = decide(before, parse_command(body).seal(seal), POLICIES, HERE, self.story.now)
        assert before == kept, "deciding changed what it was decided on"
        if not decided.answer:
            log = Log(STREAM, history)
            written = (body["command_id"], decided.events, max(self.story.now, before.recorded_at))
            assert log.append(written, len(history) - behind) == "superseded"
            assert log.append(history[-1], len(history)) == "duplicate"
        self.steps += 1
        self.story.hear(body)

    # ---- what holds of every story -------------------------------------------------------------------------------

    @invariant()
    def asking_comes_to_what_eligibility_says(self) -> None:
        said, done = self.story.asking_and_doing()
        assert said == done, str(self.story)

    @invariant()
    def quantities_and_money_add_up(self) -> None:
        order = self.story.told.order
        for line in order.lines.values():
            assert line.open + line.shipped + line.canceled == line.ordered, (
                "a unit is shipped and cancelled, or neither"
            )
            assert min(line.open, line.shipped, line.canceled, line.returning, line.came_back) >= 0
            assert line.credited <= line.ordered, "a unit is refunded twice"
        given = sum(refund.amount for refund in order.refunds.values())
        assert given <= order.paid - order.other_refunds + order.rebill_back or order.other_refunds
        assert order.rebill_back <= order.rebills_confirmed, "more is due back of a rebilling than was billed"

    @invariant()
    def a_commit_has_at_most_one_refund_and_says_nothing_of_no_units(self) -> None:
        """Of the last commit: those before it were looked at."""
        events = self.story.told.events[-1]
        assert sum(isinstance(event, e.RefundDue) for event in events) <= 1
        if not any(isinstance(event, e.CancelRefused | e.ShipmentRefused) for event in events):
            for event in events:
                assert all(part.quantity > 0 for part in getattr(event, "lines", ())), f"no units: {event}"

    @invariant()
    def no_step_of_cancelled_but_shipped_is_skipped(self) -> None:
        """Found, told, both accepted, billed, confirmed, paid: of a line never more than at the step before."""
        steps: dict[str, dict[int, int]] = {step: {} for step in ("found", "accepted", "billed")}
        told, bills, confirmed, paid = 0, dict[str, int](), set[str](), set[str]()
        for event in (event for events in self.story.told.events for event in events):
            match event:
                case e.ShippedAfterCancelFound():
                    add(steps["found"], event.lines)
                case e.CustomerNotified():
                    assert steps["found"], "told of nothing"
                    told += 1
                case e.RebillAccepted():
                    assert told, "accepted without being told"
                    told = 0
                    add(steps["accepted"], event.lines)
                case e.RebillDue():
                    add(steps["billed"], event.lines)
                    bills[event.rebill_id] = event.amount
                case e.Rebilled():
                    confirmed.add(event.rebill_id)
                case e.CreditMemoIssued():
                    assert event.rebill_id in confirmed - paid, "a memo without a confirmed rebilling of its own"
                    assert event.amount == bills[event.rebill_id], "a memo of another amount"
                    paid.add(event.rebill_id)
                case _:
                    continue
            for earlier, later in (("found", "accepted"), ("accepted", "billed")):
                for number, units in steps[later].items():
                    assert units <= steps[earlier].get(number, 0), f"{later} before it was {earlier}"


def add(to: dict[int, int], lines: tuple[e.LineQuantity, ...]) -> None:
    for part in lines:
        to[part.line] = to.get(part.line, 0) + part.quantity


@pytest.mark.random
@pytest.mark.parametrize("search", range(max(1, min(examples(ORDINARY), MOST) // STORIES)))
def test_any_story_comes_to_what_the_contract_says(search: int) -> None:
    """Where the examples are the same every time, each search but the first begins elsewhere, by its number."""
    machine = type(AnyStory.__name__, (AnyStory,), {})
    if search and settings.default is not None and settings.default.derandomize:
        seed(search)(machine)
    stories = min(examples(ORDINARY), STORIES)
    run_state_machine_as_test(machine, settings=settings(max_examples=stories, stateful_step_count=25))


def test_every_kind_of_command_is_said_by_a_rule_of_the_machine() -> None:
    rules = {found.function.__name__.title().replace("_", "") for found in AnyStory().rules}
    assert set(COMMANDS) <= rules


def test_every_kind_of_command_is_accepted_in_a_chapter_and_may_be_said_after_some() -> None:
    accepted, likely = {"PlaceOrder"}, {"PlaceOrder"}
    for policy, said in CHAPTERS:
        rows = [{"line": n, "sku": "A", "quantity": 2, "unit_price": "10.00"} for n in (1, 2)]
        story = Telling(policy, {"lines": rows, "paid": policy != "general-store"})
        for wait, kind, fields in said:
            story.say(kind, None, wait, fields)
            assert story.world.order is not None
            likely |= {name for name, holds in LIKELY.items() if holds(story.world.order)}
        accepted |= {kind for kind, outcome in story.outcomes if outcome == "accepted"}
    nothing_happens = {"ReachDeadline"}  # what is due was reached before it is judged
    assert accepted == set(COMMANDS) - nothing_happens
    assert likely | {"ReachDeadline", "EraseSubject", "PlaceLegalHold", "ReleaseLegalHold"} >= LIKELY.keys()
