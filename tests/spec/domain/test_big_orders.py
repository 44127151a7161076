"""Twice the lines take at most about twice the steps, also where every line has a request or a deadline of its own."""

from collections.abc import Callable
from typing import Any

import pytest

from domain.decide import due, reach
from domain.eligibility_queries import as_of, eligibility, may
from domain.events import Verdict
from domain.instants import DAY, Instant, format_instant, parse_instant
from domain.marketplace_settings import MarketSettings
from domain.order import Order
from tests.spec.claims.states import BOOK, of_cases, of_random_orders
from tests.spec.domain.story import Story, book, policy
from tests.steps import counting, too_many

OFFERS = policy("""id = "offers"
version = 1
rules = ["tracking-lock", "alternatives-first", "grace-window", "seller-has-final-say"]
[alternatives-first]
deadline = "1 minute"
[seller-has-final-say]
deadline = "1 hour"
silence = "cancels"
[late-ship-auto-cancel]
after-ship-by = "4 days"
""")
MARKET = MarketSettings()


def asked_for_each_line(lines: int, **order: Any) -> tuple[Story, Instant]:
    """An order with a request to cancel for each line, all asked at the same instant; the story and that instant."""
    numbers = range(10_001, 10_001 + lines)
    placed = [{"line": n, "sku": "A", "quantity": 5, "unit_price": "1.00"} for n in numbers]
    story = Story("offers", documents=(OFFERS,)).placed(lines=placed, ship_by="2026-03-03T10:00:00Z", **order)
    if not order.get("paid", True):
        for n in numbers:
            story.say("ConfirmPayment", "2026-03-02T13:29:00Z", amount="2.50", payment_id=f"p{n}", method="card")
    for n in numbers:
        asked: dict[str, Any] = {"request_id": f"r{n}", "reason": "changed_mind", "lines": [n]}
        assert story.say("RequestCancel", "2026-03-02T13:30:00Z", **asked) == "accepted"
    return story, parse_instant("2026-03-02T13:30:00Z")


def half_paid_in_as_many_payments(lines: int) -> tuple[Story, Instant]:
    """The same, half paid by a payment for each line, so that half of what is canceled is owed and not refunded."""
    return asked_for_each_line(lines, paid=False)


def tracked_by_as_many_parcels(lines: int) -> tuple[Story, Instant]:
    """An order each of whose lines a carrier tracks in a parcel of its own."""
    numbers = range(10_001, 10_001 + lines)
    placed = [{"line": n, "sku": "A", "quantity": 1, "unit_price": "1.00"} for n in numbers]
    story = Story("offers", documents=(OFFERS,)).placed(lines=placed, ship_by="2026-03-03T10:00:00Z")
    for n in numbers:
        parcel: dict[str, Any] = {"carrier": "UPS", "tracking_number": f"T{n}", "lines": [n]}
        assert story.say("StartTracking", "2026-03-02T11:00:00Z", **parcel) == "accepted"
    return story, parse_instant("2026-03-02T11:00:00Z")


def _eligibility(order: Order, now: Instant) -> object:
    return eligibility(order, book(OFFERS), MARKET, now)


def _ship(order: Order, now: Instant) -> object:
    return may("ship", order, book(OFFERS), MARKET, now)


def _later(order: Order, now: Instant) -> object:
    return as_of(order, book(OFFERS), MARKET, now + 30 * DAY)


@pytest.mark.parametrize("ask", [_eligibility, _ship, _later])
@pytest.mark.parametrize("make", [asked_for_each_line, tracked_by_as_many_parcels, half_paid_in_as_many_payments])
def test_a_question_about_twice_the_lines_takes_twice_the_steps(
    make: Callable[[int], tuple[Story, Instant]], ask: Callable[[Order, Instant], object]
) -> None:
    """It copied the order up to 10,000 times."""
    size = 100
    steps = []
    for lines in (size, 2 * size):
        story, now = make(lines)
        with counting() as counter:
            steps.append(counter.of(lambda order=story.here, now=now: ask(order, now)))  # type: ignore[misc]
    assert not too_many(steps[0], steps[1], size)


def test_as_of_reaches_every_deadline_that_is_due() -> None:
    """It had stopped after 100, and said that the other requests still wait."""
    story, now = asked_for_each_line(150)
    for later in (now + 1 * DAY, now + 30 * DAY):
        order = as_of(story.here, book(OFFERS), MARKET, later)
        assert not any(order.open_requests())
        assert sum(line.canceled for line in order.lines.values()) == 750
        assert sum(refund.amount for refund in order.refunds.values()) == 75_000


def test_the_next_change_of_many_requests_is_a_microsecond_after_the_last_instant() -> None:
    """It had been a microsecond later for every hundred deadlines."""
    story, now = asked_for_each_line(150)
    cancel = next(each for each in _verdicts(story, now) if each.action == "cancel")
    assert cancel.rule == "one-open-request"
    assert cancel.next_change_at is not None
    assert format_instant(cancel.next_change_at) == "2026-03-02T14:31:00.000001Z"


def _verdicts(story: Story, now: Instant) -> list[Verdict]:
    return eligibility(story.here, book(OFFERS), MARKET, now)


def test_reaching_many_deadlines_comes_to_what_reaching_each_alone_does() -> None:
    reached = 0
    for state in (*of_random_orders(140), *of_cases(every=4)):
        order, until = state.order, state.at + 400 * DAY
        while waiting := due(order, until):
            order = reach(order, waiting[0], BOOK, state.market, max(waiting[0].due_at, order.recorded_at)).order
            reached += 1
        assert as_of(state.order, BOOK, state.market, until) == order, state.name
    assert reached > 300
