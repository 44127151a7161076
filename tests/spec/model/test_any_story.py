"""Any story, of all commands by anybody at any time: the domain and a small model agree at every step.

The model is written from docs/reference and imports nothing of the domain's decisions. The invariants of any
story are stated here a second time: quantities and money, the steps of canceled but shipped, and that eligibility
predicts the outcome of a request.
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
from tests.spec.model.chapters import CHAPTERS, Step
from tests.spec.model.comparison import HERE, STREAM, TEXTS, Comparison
from tests.spec.model.drawing import FIELDS, orders, speakers, waits
from tests.spec.model.likely import EVERY, LIKELY
from tests.spec.model.racing import Log

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
"""Commands that two people may send at once about the same order."""
where = st.integers(0, 9)
"""Index into the commands sent so far, the last one first."""


def command_rule(kind: str) -> Any:
    """A rule of the machine: somebody sends a command of this kind."""

    def send(self: "AnyStory", by: str | None, wait: Any, fields: dict[str, Any]) -> None:
        self.step(kind, by, wait, fields)

    send.__name__ = re.sub(r"(?<!^)(?=[A-Z])", "_", kind).lower()
    command = rule(by=speakers, wait=waits, fields=FIELDS[kind])(send)
    return precondition(lambda self: self.may_send(kind))(command)


ORDINARY = 500
"""Stories of `make test`."""
STORIES = 2_000
"""Stories of one search, which holds all of them in memory."""
MOST = 10_000 if examples(1) >= 50 else ORDINARY
"""The night searches more. `make test-long` has no time for it: ten thousand stories take ten minutes of two cores."""


class AnyStory(RuleBasedStateMachine):
    """One order's story, and the checks of it."""

    story: Comparison

    @initialize(
        chapter=st.sampled_from(CHAPTERS),
        policy=st.sampled_from([None, None, *TEXTS]),
        order=orders,
        stop=st.integers(0, 2),
    )
    def begins(self, chapter: tuple[str, list[Step]], policy: str | None, order: dict[str, Any], stop: int) -> None:
        """An order is placed under a policy, and the story begins as a chapter does, or as most of one."""
        self.steps = 0
        self.story = Comparison(policy or chapter[0], order)
        for wait, kind, fields in chapter[1][: len(chapter[1]) - stop]:
            self.story.send(kind, None, wait, fields)

    def may_send(self, kind: str) -> bool:
        """Whether a command of this kind probably applies."""
        order = self.story.world.order
        return self.steps % EVERY == 0 or order is None or bool(LIKELY.get(kind, bool)(order))

    def step(self, kind: str, by: str | None, wait: Any, fields: dict[str, Any]) -> None:
        self.steps += 1
        self.story.send(kind, by, wait, fields)

    confirm_payment = command_rule("ConfirmPayment")
    record_other_refund = command_rule("RecordOtherRefund")
    capture_payment = command_rule("CapturePayment")
    release_payment = command_rule("ReleasePayment")
    withdraw_refund = command_rule("WithdrawRefund")
    open_chargeback = command_rule("OpenChargeback")
    close_chargeback = command_rule("CloseChargeback")
    withdraw_return = command_rule("WithdrawReturn")
    close_return = command_rule("CloseReturn")
    report_undelivered = command_rule("ReportUndelivered")
    send_message = command_rule("SendMessage")
    record_contact = command_rule("RecordContact")
    request_cancel = command_rule("RequestCancel")
    cancel_lines = command_rule("CancelLines")
    approve_cancel = command_rule("ApproveCancel")
    decline_cancel = command_rule("DeclineCancel")
    withdraw_cancel = command_rule("WithdrawCancel")
    take_alternative = command_rule("TakeAlternative")
    decline_alternatives = command_rule("DeclineAlternatives")
    start_fulfilment = command_rule("StartFulfilment")
    start_tracking = command_rule("StartTracking")
    tracking_moved = command_rule("TrackingMoved")
    ship = command_rule("Ship")
    void_shipment = command_rule("VoidShipment")
    revise_ship_by = command_rule("ReviseShipBy")
    deliver = command_rule("Deliver")
    confirm_refund = command_rule("ConfirmRefund")
    fail_refund = command_rule("FailRefund")
    confirm_notice = command_rule("ConfirmNotice")
    fail_notice = command_rule("FailNotice")
    report_shipped_after_cancel = command_rule("ReportShippedAfterCancel")
    notify_customer = command_rule("NotifyCustomer")
    acknowledge = command_rule("Acknowledge")
    attach_evidence = command_rule("AttachEvidence")
    rebill = command_rule("Rebill")
    confirm_rebill = command_rule("ConfirmRebill")
    fail_rebill = command_rule("FailRebill")
    issue_credit_memo = command_rule("IssueCreditMemo")
    open_case = command_rule("OpenCase")
    request_evidence = command_rule("RequestEvidence")
    accept_return = command_rule("AcceptReturn")
    decide_case = command_rule("DecideCase")
    request_return = command_rule("RequestReturn")
    start_return = command_rule("StartReturn")
    return_received = command_rule("ReturnReceived")
    open_dispute = command_rule("OpenDispute")
    escalate_dispute = command_rule("EscalateDispute")
    decide_dispute = command_rule("DecideDispute")
    appeal_dispute = command_rule("AppealDispute")
    reach_deadline = command_rule("ReachDeadline")
    erase_subject = command_rule("EraseSubject")
    place_legal_hold = command_rule("PlaceLegalHold")
    release_legal_hold = command_rule("ReleaseLegalHold")

    # ---- slightly wrong ------------------------------------------------------------------------------------------

    @rule(other=st.sampled_from([{}, {"sale_format": "auction"}, {"note": "unknown"}]), by=speakers)
    @precondition(lambda self: self.may_send("PlaceOrder"))
    def place_order(self, other: dict[str, Any], by: str | None) -> None:
        """The order is placed once more, as it was or with other content."""
        first = {k: v for k, v in self.story.bodies[0].items() if k not in ("command", "command_id", "at", "actor")}
        if "note" not in other:
            self.step("PlaceOrder", by, 0, {**first, **other})

    @rule(which=where, changed=st.booleans())
    def is_sent_again(self, which: int, changed: bool) -> None:
        """A command comes a second time under its id, as it was, or with other content."""
        self.steps += 1
        body = self.story.bodies[-1 - which % len(self.story.bodies)]
        other = {"actor": {"kind": "support", "id": "desk-2"}} if changed else {}
        self.story.hear({**body, "at": format_instant(self.story.now), **other})

    @rule(kind=st.sampled_from(["Ship", "CancelLines", "EraseSubject"]), data=st.data())
    @precondition(lambda self: self.steps % EVERY == 0)
    def goes_back_in_time(self, kind: str, data: st.DataObject) -> None:
        """A command has a time before the last one."""
        self.steps += 1
        self.story.send(kind, None, -1, data.draw(FIELDS[kind]))
        self.story.now += 1

    @rule(
        kind=st.sampled_from(sorted(set(FIELDS) - {"EraseSubject", "PlaceLegalHold", "ReleaseLegalHold"})),
        data=st.data(),
    )
    @precondition(lambda self: self.steps % EVERY == 0)
    def is_sent_to_another_order(self, kind: str, data: st.DataObject) -> None:
        self.steps += 1
        self.story.send(kind, None, 0, data.draw(FIELDS[kind]), order_id="PO-404")

    @rule(kind=st.sampled_from(RACERS), data=st.data(), behind=st.integers(1, 4))
    def is_decided_by_somebody_who_is_behind(self, kind: str, data: st.DataObject, behind: int) -> None:
        """Its parent is not the head, so it is superseded. It is decided again on the current order and sent."""
        domain, fields = self.story.domain, data.draw(FIELDS[kind])
        history = domain.written
        if len(history) <= behind or ("rule" not in fields and kind == "DecideDispute"):
            return
        before = domain.commits[STREAM][-1 - behind][1]
        copy = deepcopy(before)
        body = self.story.body(kind, None, 0, {k: v for k, v in fields.items() if k != "ago"})
        if self.story.leaves_open(body):
            return
        decided = decide(before, parse_command(body).seal(seal), POLICIES, HERE, self.story.now)
        assert before == copy, "deciding changed what it was decided on"
        if not decided.answer:
            log = Log(STREAM, history)
            written = (body["command_id"], decided.events, max(self.story.now, before.recorded_at))
            assert log.append(written, len(history) - behind) == "superseded"
            assert log.append(history[-1], len(history)) == "duplicate"
        self.steps += 1
        self.story.hear(body)

    # ---- what holds of every story -------------------------------------------------------------------------------

    @invariant()
    def a_request_has_the_outcome_that_eligibility_predicts(self) -> None:
        predicted, done = self.story.predicted_and_done()
        assert predicted == done, str(self.story)

    @invariant()
    def quantities_and_money_add_up(self) -> None:
        order = self.story.domain.order
        for line in order.lines.values():
            assert line.open + line.shipped + line.canceled == line.ordered, (
                "a unit is shipped and cancelled, or neither"
            )
            assert min(line.open, line.shipped, line.canceled, line.returning, line.came_back) >= 0
            assert line.credited <= line.ordered, "a unit is refunded twice"
        assert order.rebill_back <= order.rebills_confirmed, "more is due back of a rebilling than was billed"

    @invariant()
    def a_commit_has_at_most_one_refund_and_names_no_empty_quantity(self) -> None:
        """Of the last commit: those before it were looked at."""
        events = self.story.domain.events[-1]
        assert sum(isinstance(event, e.RefundDue) for event in events) <= 1
        if not any(isinstance(event, e.CancelRefused | e.ShipmentRefused) for event in events):
            for event in events:
                assert all(part.quantity > 0 for part in getattr(event, "lines", ())), f"no units: {event}"

    @invariant()
    def no_step_of_cancelled_but_shipped_is_skipped(self) -> None:
        """Found, notified, both accepted, billed, confirmed, paid: of a line never more than at the step before."""
        steps: dict[str, dict[int, int]] = {step: {} for step in ("found", "accepted", "billed")}
        notified, bills, confirmed, paid = 0, dict[str, int](), set[str](), set[str]()
        for event in (event for events in self.story.domain.events for event in events):
            match event:
                case e.ShippedAfterCancelFound():
                    add(steps["found"], event.lines)
                case e.CustomerNotified():
                    assert steps["found"], "notified of nothing"
                    notified += 1
                case e.RebillAccepted():
                    assert notified, "accepted without being notified"
                    notified = 0
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
def test_any_story_has_the_outcomes_of_the_contract(search: int) -> None:
    """If examples are derandomized, each search but the first begins elsewhere, by its number."""
    machine = type(AnyStory.__name__, (AnyStory,), {})
    if search and settings.default is not None and settings.default.derandomize:
        seed(search)(machine)
    stories = min(examples(ORDINARY), MOST, STORIES)
    run_state_machine_as_test(machine, settings=settings(max_examples=stories, stateful_step_count=25))


def test_every_kind_of_command_is_sent_by_a_rule_of_the_machine() -> None:
    rules = {found.function.__name__.title().replace("_", "") for found in AnyStory().rules}
    assert set(COMMANDS) <= rules


def test_every_kind_of_command_is_accepted_in_a_chapter_and_may_follow_some() -> None:
    accepted, likely = {"PlaceOrder"}, {"PlaceOrder"}
    for policy, steps in CHAPTERS:
        rows = [{"line": n, "sku": "A", "quantity": 2, "unit_price": "10.00"} for n in (1, 2)]
        story = Comparison(policy, {"lines": rows, "paid": policy != "general-store"})
        for wait, kind, fields in steps:
            story.send(kind, None, wait, fields)
            assert story.world.order is not None
            likely |= {name for name, holds in LIKELY.items() if holds(story.world.order)}
        accepted |= {kind for kind, outcome in story.outcomes if outcome == "accepted"}
    nothing_happens = {"ReachDeadline"}  # what is due was reached before it is judged
    assert accepted == set(COMMANDS) - nothing_happens
    assert likely | {"ReachDeadline", "EraseSubject", "PlaceLegalHold", "ReleaseLegalHold"} >= LIKELY.keys()
