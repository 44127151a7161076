"""The seller's queue: a request is in the queue if and only if it is open and the seller has to act on it."""

from typing import Any

import pytest

from domain.commands import parse_command
from domain.decide import decide
from domain.instants import parse_instant
from domain.order import Order, Request
from projections.orders import state_rows
from projections.tables import REQUESTS
from tests.spec.acceptance.test_cases import CASES, POLICIES, Desk, market
from tests.spec.domain.story import Story

MONDAY, TUESDAY, FRIDAY = "2026-03-02T10:00:00Z", "2026-03-03T10:00:00Z", "2026-03-06T10:00:00Z"


def queued(order: Order, side: str = "seller") -> set[str]:
    """Requests whose row in the views says that this side has to act."""
    rows = [row for table, found in state_rows(order, 0) if table is REQUESTS for row in found]
    return {
        str(each["request_id"])
        for row in rows
        if (each := dict(zip(REQUESTS.names, row, strict=True)))["awaits"] == side
    }


def accepts(order: Order, name: str, by: str, **fields: Any) -> bool:
    """Whether a side's command about the order would be accepted right after its last commit."""
    actor = {"kind": by, "id": order.terms.buyer_id if by == "buyer" else order.terms.seller_id}
    names = {"command_id": "try", "marketplace": order.marketplace, "order_id": order.order_id}
    command = parse_command({"command": name, "actor": actor, **names, **fields})
    return decide(order, command, POLICIES, market(order.marketplace), order.recorded_at).refused is None


def is_the_sellers_turn(order: Order, request: Request) -> bool:
    """The expected queue, from what the domain accepts and what the order shows."""
    name = request.request_id
    if not accepts(order, "DeclineCancel", "seller", request_id=name):
        return False  # closed, or the seller's own
    offers = ("wait", "address", "exchange", "credit")
    if any(accepts(order, "TakeAlternative", "buyer", request_id=name, kind=kind) for kind in offers):
        return False  # something else is offered: the buyer chooses
    if any(dispute.about == name for dispute in order.disputes.values()):
        return False  # the platform decides it, or has
    if any(order.still_open(request, number) for number in request.requested):
        return True
    return not order.overtaken(request)  # asked of a parcel, not overtaken by one


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
def test_a_request_is_in_the_queue_if_and_only_if_the_seller_has_to_act(case: dict[str, Any]) -> None:
    desk = Desk()
    for row in case["commands"]:
        if "raw" in row:
            continue
        desk.send(row)
        for order in desk.orders.values():
            if order.exists:
                expected = {r.request_id for r in order.requests.values() if is_the_sellers_turn(order, r)}
                assert queued(order) == expected, row


def requested(preset: str, **fields: Any) -> Story:
    story = Story(preset).placed(MONDAY)
    assert story.send("RequestCancel", TUESDAY, request_id="r1", reason="other", **fields) == "accepted"
    return story


def test_a_request_waits_for_the_seller_also_when_it_is_overdue() -> None:
    story = requested("mutual-consent")
    assert queued(story.here) == {"r1"}
    story.reach_until(parse_instant("2026-03-20T10:00:00Z"))
    assert (story.request(), queued(story.here)) == ("open", {"r1"})


def test_a_request_that_the_shipment_answered_waits_for_nobody() -> None:
    story = requested("mutual-consent")
    assert story.send("Ship", FRIDAY, shipment_id="asn-1") == "accepted"
    assert story.request() == "open", "under mutual consent it can still be agreed to"
    assert story.here.awaits(story.here.requests["r1"]) is None


def test_a_request_about_shipped_units_waits_for_the_other_side() -> None:
    story = Story("mutual-consent").placed(MONDAY)
    assert story.send("Ship", TUESDAY, shipment_id="asn-1") == "accepted"
    assert story.send("RequestCancel", FRIDAY, request_id="r1", reason="other") == "accepted"
    assert queued(story.here) == {"r1"}


def test_a_proposal_of_the_sellers_waits_for_the_buyer() -> None:
    story = requested("mutual-consent", by="seller")
    assert (queued(story.here), queued(story.here, "buyer")) == (set(), {"r1"})


def test_while_something_else_is_offered_it_is_the_buyers_turn() -> None:
    story = requested("general-store")
    assert (queued(story.here), queued(story.here, "buyer")) == (set(), {"r1"})


def test_a_dispute_removes_a_request_from_the_queue_and_its_decision_does_not_restore_it() -> None:
    story = requested("mutual-consent")
    story.reach_until(parse_instant("2026-03-20T10:00:00Z"))
    assert story.send("OpenDispute", "2026-03-20T10:00:00Z", by="buyer", dispute_id="d1", about="r1") == "accepted"
    assert (queued(story.here), queued(story.here, "support")) == (set(), {"r1"})
    decided = {"dispute_id": "d1", "outcome": "deny", "rule": "seller-has-final-say"}
    assert story.send("DecideDispute", "2026-03-21T10:00:00Z", by="support", **decided) == "accepted"
    assert story.request() == "open"
    assert (queued(story.here), queued(story.here, "support")) == (set(), set())
    assert story.send("AppealDispute", "2026-03-22T10:00:00Z", dispute_id="d1") == "accepted"
    assert queued(story.here, "support") == {"r1"}
