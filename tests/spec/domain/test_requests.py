"""Making, answering and withdrawing a request, and what else closes it."""

import pytest

from domain.calendar import parse_length
from domain.commands import parse_command
from domain.decide import decide
from domain.eligibility_queries import ACTIONS
from domain.errors import BadInput
from domain.instants import parse_instant
from schemas.codec import verdict_data
from tests.spec.domain.story import Story, policy

TWO = [
    {"line": 1, "sku": "A", "quantity": 1, "unit_price": "20.00"},
    {"line": 2, "sku": "B", "quantity": 1, "unit_price": "30.00"},
]
TEN = [{"line": 1, "sku": "A", "quantity": 10, "unit_price": "10.00"}]
SILENT = """id = "silent-{silence}"
version = 1
rules = ["shipped-lock", "seller-has-final-say"]
[seller-has-final-say]
deadline = "1 day"
silence = "{silence}"
"""


def test_approving_a_request_that_a_shipment_overtook_in_part_approves_it_partly() -> None:
    story = Story("big-box").placed(lines=TWO)
    story.send("RequestCancel", "2026-03-02T11:00:00Z", request_id="r1", reason="other")
    story.send("Ship", "2026-03-02T12:00:00Z", shipment_id="asn-1", lines=[1])
    assert story.request() == "open"
    assert story.send("ApproveCancel", "2026-03-02T13:00:00Z", request_id="r1") == "accepted"
    assert (story.request(), story.line(1), story.line(2)) == ("partly", (0, 1, 0), (0, 0, 1))


@pytest.mark.rule("shipment-answers")
def test_a_shipment_of_all_that_was_asked_for_closes_the_request_as_shipped() -> None:
    story = Story().placed(lines=TWO)
    story.send("RequestCancel", "2026-03-02T11:00:00Z", request_id="r1", reason="other", lines=[1])
    story.send("Ship", "2026-03-02T12:00:00Z", shipment_id="asn-1", lines=[1])
    assert (story.request(), story.events(-1)) == ("shipped", ["LineShipped", "CancelDeclined"])


def test_a_shipment_of_units_that_nobody_asked_about_leaves_a_request_for_the_others_open() -> None:
    story = Story("big-box").placed(lines=TEN)
    story.send(
        "RequestCancel", "2026-03-02T11:00:00Z", request_id="r1", reason="other", lines=[{"line": 1, "quantity": 4}]
    )
    story.send("Ship", "2026-03-02T12:00:00Z", shipment_id="asn-1", lines=[{"line": 1, "quantity": 6}])
    assert story.request() == "open"
    story.send("Ship", "2026-03-02T13:00:00Z", shipment_id="asn-2", lines=[{"line": 1, "quantity": 1}])
    story.send("ApproveCancel", "2026-03-02T14:00:00Z", request_id="r1")
    assert (story.request(), story.line()) == ("partly", (0, 7, 3))


def test_fill_or_kill_that_cancels_all_that_was_asked_for_approves_the_request() -> None:
    story = Story().placed(lines=[*TEN, {**TWO[1]}])
    kill = policy('id = "kill"\nversion = 1\nrules = ["seller-has-final-say"]\nfill-or-kill = true\n')
    story = Story("kill", documents=(kill,)).placed(lines=TEN)
    story.send("RequestCancel", "2026-03-02T11:00:00Z", request_id="r1", lines=[{"line": 1, "quantity": 4}])
    story.send("Ship", "2026-03-02T12:00:00Z", shipment_id="asn-1", lines=[{"line": 1, "quantity": 3}])
    assert (story.request(), story.line()) == ("approved", (0, 3, 7))


def test_the_sellers_own_cancellation_carries_out_the_buyers_request_with_the_buyers_reason() -> None:
    story = Story().placed(lines=TWO)
    story.send("RequestCancel", "2026-03-02T11:00:00Z", request_id="r1", reason="found_cheaper", lines=[1])
    assert story.send("CancelLines", "2026-03-02T12:00:00Z") == "refused:reason-required"
    assert story.send("CancelLines", "2026-03-02T12:00:00Z", reason="out_of_stock") == "accepted"
    parts = story.commits[-1][0][0][0].lines  # type: ignore[union-attr]
    assert [(p.line, p.cause, p.reason) for p in parts] == [  # type: ignore[union-attr]
        (1, "request", "found_cheaper"),
        (2, "seller", "out_of_stock"),
    ]
    assert story.request() == "approved"


def test_a_refused_request_leaves_its_id_free() -> None:
    story = Story().placed()
    assert story.send("RequestCancel", "2026-03-02T11:00:00Z", request_id="r1") == "refused:reason-required"
    assert story.send("RequestCancel", "2026-03-02T12:00:00Z", request_id="r1", reason="other") == "accepted"
    assert [r["status"] for r in story.shown["requests"]] == ["open"]


def test_silence_that_stays_leaves_the_request_open_and_it_can_still_be_approved() -> None:
    story = Story("peer-to-peer").placed()
    story.send("RequestCancel", "2026-03-02T14:00:00Z", request_id="r1")
    assert story.send("ApproveCancel", "2026-03-06T14:00:00Z", request_id="r1") == "accepted"
    assert (story.request(), story.events().count("DeadlineReached")) == ("approved", 1)


def test_silence_that_cancels_carries_the_request_out_at_the_deadline() -> None:
    story = Story("silent-cancels", documents=(policy(SILENT.format(silence="cancels")),)).placed()
    story.send("RequestCancel", "2026-03-02T11:00:00Z", request_id="r1")
    assert story.send("Ship", "2026-03-03T11:00:00.000001Z", shipment_id="asn-1") == "refused:cancel-is-final"
    assert (story.request(), story.line()) == ("approved", (0, 0, 1))
    assert story.events(-2) == ["DeadlineReached", "CancelApproved", "LinesCanceled", "RefundDue"]


def test_silence_that_cancels_is_in_time_for_a_shipment_at_the_deadline_itself() -> None:
    story = Story("silent-cancels", documents=(policy(SILENT.format(silence="cancels")),)).placed()
    story.send("RequestCancel", "2026-03-02T11:00:00Z", request_id="r1")
    assert story.send("Ship", "2026-03-03T11:00:00Z", shipment_id="asn-1") == "accepted"
    assert story.request() == "shipped"


def test_silence_that_closes_declines_the_request() -> None:
    story = Story("silent-closes", documents=(policy(SILENT.format(silence="closes")),)).placed()
    story.send("RequestCancel", "2026-03-02T11:00:00Z", request_id="r1")
    assert story.send("ApproveCancel", "2026-03-04T11:00:00Z", request_id="r1") == "refused:request-closed"
    assert (story.request(), story.line()) == ("declined", (1, 0, 0))


def test_a_lock_that_came_down_closes_the_request_as_refused_when_the_seller_approves() -> None:
    locked = policy('id = "locked"\nversion = 1\nrules = ["tracking-lock", "seller-has-final-say"]\n')
    story = Story("locked", documents=(locked,)).placed()
    story.send("RequestCancel", "2026-03-02T11:00:00Z", request_id="r1")
    story.send("StartTracking", "2026-03-02T12:00:00Z", carrier="UPS", tracking_number="1Z")
    assert story.send("ApproveCancel", "2026-03-02T13:00:00Z", request_id="r1") == "refused:tracking-lock"
    assert (story.request(), story.line()) == ("refused", (1, 0, 0))


@pytest.mark.rule("stalled-tracking")
def test_a_parcel_that_counts_as_lost_is_refunded_at_once_and_the_quantity_stays_shipped() -> None:
    lost = policy('id = "lost"\nversion = 1\nrules = ["shipped-lock"]\n[stalled-tracking]\nafter = "7 days"\n')
    story = Story("lost", documents=(lost,)).placed()
    story.send("Ship", "2026-03-03T10:00:00Z", shipment_id="asn-1", carrier="UPS", tracking_number="1Z")
    story.send("TrackingMoved", "2026-03-04T10:00:00Z", carrier="UPS", tracking_number="1Z")
    early = story.send("RequestCancel", "2026-03-11T09:59:59.999999Z", request_id="r1")
    assert (early, story.changes("cancel", "2026-03-11T09:00:00Z")) == ("refused:shipped-lock", "2026-03-11T10:00:00Z")
    assert story.send("RequestCancel", "2026-03-11T10:00:00Z", request_id="r2") == "accepted"
    assert (story.line(), story.refunds, story.request("r2")) == ((0, 1, 0), [2500], "approved")
    assert story.here.returns["return-1"].accepted


def test_a_seller_may_propose_only_where_mutual_consent_is_in_force() -> None:
    story = Story("seller-portal").placed()
    assert (
        story.send("RequestCancel", "2026-03-02T11:00:00Z", by="seller", request_id="r1", reason="other")
        == "refused:not-yours"
    )
    assert story.events() == ["OrderPlaced", "PaymentReceived"]


def test_support_names_the_rule_it_rests_on() -> None:
    story = Story().placed()
    story.send("RequestCancel", "2026-03-02T11:00:00Z", request_id="r1", reason="other")
    assert story.send("ApproveCancel", "2026-03-02T12:00:00Z", by="support", request_id="r1") == "bad:/rule"
    assert (
        story.send("ApproveCancel", "2026-03-02T12:00:00Z", by="support", request_id="r1", rule="kindness")
        == "bad:/rule"
    )
    assert (
        story.send("ApproveCancel", "2026-03-02T12:00:00Z", by="support", request_id="r1", rule="grace-window")
        == "accepted"
    )


def test_a_command_that_names_one_line_that_cannot_be_done_does_none_of_it() -> None:
    story = Story("big-box").placed(lines=TWO)
    story.send("Ship", "2026-03-02T11:00:00Z", shipment_id="asn-1", lines=[1])
    assert (
        story.send("CancelLines", "2026-03-02T12:00:00Z", lines=[2, 1], reason="out_of_stock") == "refused:shipped-lock"
    )
    assert story.line(2) == (1, 0, 0)


def test_more_than_open_and_an_unknown_line_are_refused_by_name() -> None:
    story = Story("big-box").placed(lines=TEN)
    too_many = [{"line": 1, "quantity": 11}]
    assert story.send("CancelLines", "2026-03-02T12:00:00Z", lines=too_many, reason="other") == "refused:more-than-open"
    assert story.send("CancelLines", "2026-03-02T12:00:00Z", lines=[7], reason="other") == "refused:no-such-line"
    assert (
        story.send("RequestCancel", "2026-03-02T12:00:00Z", request_id="r1", lines=[7], reason="other")
        == "refused:no-such-line"
    )
    assert story.send("Ship", "2026-03-02T12:00:00Z", shipment_id="s1", lines=[7]) == "refused:no-such-line"


def test_lengths_are_read_in_all_their_units() -> None:
    assert [str(parse_length(x)) for x in ("1 minute", "24 hours", "3 days", "2 business days")] == [
        "1 minute",
        "24 hours",
        "3 days",
        "2 business days",
    ]


def test_an_action_still_possible_is_an_option_and_not_a_verdict() -> None:
    story = Story("peer-to-peer").placed()
    story.send("Ship", "2026-03-02T11:00:00Z", shipment_id="asn-1")
    story.send("Deliver", "2026-03-04T11:00:00Z")
    verdicts = [verdict_data(story.may(action, "2026-03-20T10:00:00Z")) for action in ACTIONS]
    assert [verdict["action"] for verdict in verdicts] == list(ACTIONS)
    assert not any("action" in instead for verdict in verdicts for instead in verdict["instead"])


def test_a_request_about_units_in_an_agreed_return_is_answered_with_that_return() -> None:
    story = Story("mutual-consent").placed()
    story.send("Ship", "2026-03-03T10:00:00Z", shipment_id="asn-1")
    story.send("RequestCancel", "2026-03-04T10:00:00Z", request_id="r1")
    story.send("ApproveCancel", "2026-03-05T10:00:00Z", request_id="r1")
    assert story.send("RequestCancel", "2026-03-06T10:00:00Z", request_id="r2") == "refused:one-open-request"
    story.send("ReturnReceived", "2026-03-10T10:00:00Z", about="return-1")
    assert (
        story.send("RequestCancel", "2026-03-11T10:00:00Z", request_id="r3") == "refused:mutual-consent-after-shipment"
    )


def test_a_line_wholly_in_a_return_refuses_the_lines_named_with_it() -> None:
    two = [{"line": n, "sku": f"A-{n}", "quantity": 1, "unit_price": "25.00"} for n in (1, 2)]
    story = Story("mutual-consent").placed(lines=two)
    story.send("Ship", "2026-03-02T11:00:00Z", shipment_id="s1", lines=[1])
    story.send("RequestCancel", "2026-03-02T12:00:00Z", request_id="r1", reason="other", lines=[1])
    story.send("ApproveCancel", "2026-03-02T13:00:00Z", request_id="r1")
    both = story.send("RequestCancel", "2026-03-03T10:00:00Z", request_id="r2", reason="other", lines=[1, 2])
    assert both == "refused:one-open-request"
    assert story.request("r2") == "refused"
    assert story.send("RequestCancel", "2026-03-03T11:00:00Z", request_id="r3", reason="other", lines=[2]) == "accepted"


def test_an_occurrence_in_the_future_of_the_engines_clock_is_bad() -> None:
    story = Story().placed()
    command = parse_command(
        {
            "command": "StartTracking",
            "command_id": "late",
            "marketplace": "acme",
            "order_id": "PO-1",
            "actor": {"kind": "seller", "id": "s-1"},
            "carrier": "UPS",
            "tracking_number": "1Z",
            "occurred_at": "2999-01-01T00:00:00Z",
        }
    )
    with pytest.raises(BadInput, match="future"):
        decide(story.order, command, story.policies, story.market, parse_instant("2026-03-02T11:00:00Z"))
