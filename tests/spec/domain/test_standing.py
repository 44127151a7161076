"""Rule standing: what counts against whom, over which days, and when a rate is below its limit."""

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.calendar import Length
from domain.events import Calendar
from domain.policy_terms import Standing
from domain.standing import Day, Window, count_of, keeps, limit, rate, touched, window
from tests.spec.domain.story import Story

UTC = Calendar("UTC", ("sat", "sun"), ("2026-03-02",), None)
THURSDAY = date(2026, 3, 5)


@pytest.mark.rule("standing")
@pytest.mark.parametrize(
    ("cause", "reason", "count"),
    [
        ("seller", "out_of_stock", "by_seller"),
        ("seller", "buyer_asked", "by_seller"),  # with no request on record: it is the seller's own
        ("request", "changed_mind", "by_request"),
        ("dispute", None, "by_request"),
        ("fill_or_kill", None, "automatic"),
        ("late_ship", None, "automatic"),
        ("unpaid", "unpaid", None),
        ("support", "suspected_fraud", "by_marketplace"),
        ("support", "buyer_asked", "by_marketplace"),
        ("system", "suspected_fraud", "by_marketplace"),
        ("system", None, "by_marketplace"),
        ("system", "pricing_error", "by_seller"),
        ("support", "cannot_ship_there", "by_seller"),
    ],
)
def test_each_cause_counts_for_its_side_and_unpaid_for_nobody(cause: str, reason: str | None, count: str) -> None:
    assert count_of(cause, reason) == count


def counted_sides(story: Story, first: int) -> list[str]:
    """Whose standing the commit number ``first`` touched."""
    events, _ = story.commits[first]
    return list(touched(story.here, [event for event, _ in events]))


def test_a_buyer_request_that_only_the_seller_claims_counts_for_the_seller() -> None:
    story = Story().placed()
    assert story.send("CancelLines", "2026-03-02T11:00:00Z", reason="buyer_asked") == "accepted"
    assert counted_sides(story, -1) == ["seller"]


def test_a_cancellation_the_buyer_requested_counts_for_the_buyer_whoever_carries_it_out() -> None:
    story = Story().placed()
    story.send("RequestCancel", "2026-03-02T11:00:00Z", request_id="r1", reason="changed_mind")
    story.send("CancelLines", "2026-03-02T12:00:00Z")
    assert counted_sides(story, -1) == ["buyer"]


def test_a_cancellation_proposed_by_the_seller_and_approved_by_the_buyer_counts_for_neither() -> None:
    story = Story("mutual-consent").placed()
    story.send("RequestCancel", "2026-03-02T11:00:00Z", by="seller", request_id="r1", reason="out_of_stock")
    assert story.send("ApproveCancel", "2026-03-02T12:00:00Z", by="buyer", request_id="r1") == "accepted"
    assert counted_sides(story, -1) == []


def test_a_second_cancellation_of_a_line_touches_nobody_any_more() -> None:
    story = Story("big-box").placed(lines=[{"line": 1, "sku": "A", "quantity": 4, "unit_price": "1.00"}])
    part = [{"line": 1, "quantity": 1}]
    story.send("RequestCancel", "2026-03-02T11:00:00Z", request_id="r1", reason="changed_mind", lines=part)
    story.send("ApproveCancel", "2026-03-02T12:00:00Z", request_id="r1")
    assert story.send("CancelLines", "2026-03-02T13:00:00Z", reason="out_of_stock") == "accepted"
    assert counted_sides(story, -1) == []


def test_killing_the_rest_of_a_line_counts_for_the_seller() -> None:
    story = Story().placed(lines=[{"line": 1, "sku": "A", "quantity": 4, "unit_price": "1.00"}])
    story.send("Ship", "2026-03-02T11:00:00Z", shipment_id="s1", lines=[{"line": 1, "quantity": 1}])
    assert counted_sides(story, -1) == ["seller"]


@pytest.mark.parametrize(
    ("length", "first"),
    [
        (Length(7, "days"), date(2026, 2, 27)),
        (Length(1, "days"), THURSDAY),
        (Length(36, "hours"), date(2026, 3, 4)),
        (Length(30, "minutes"), THURSDAY),
        (Length(3, "business days"), date(2026, 3, 3)),
        (Length(4, "business days"), date(2026, 2, 27)),  # the weekend and the holiday on Monday do not count
    ],
)
def test_a_window_ends_today_and_begins_so_many_days_ago(length: Length, first: date) -> None:
    assert window(THURSDAY, length, UTC) == Window(first, THURSDAY)


days = st.lists(
    st.builds(
        Day, st.dates(date(2026, 2, 20), date(2026, 3, 10)), placed=st.integers(0, 50), against=st.integers(0, 50)
    ),
    max_size=30,
)


@given(days, st.integers(1, 14))
def test_a_rate_is_the_lines_that_count_over_the_lines_placed_in_the_window(given: list[Day], length: int) -> None:
    within = window(THURSDAY, Length(length, "days"), UTC)
    inside = [day for day in given if 0 <= (THURSDAY - day.day).days < length]
    found = rate(given, within)
    placed = sum(day.placed for day in inside)
    assert found == (None if not placed else Fraction(sum(day.against for day in inside), placed))


def test_a_rate_below_its_limit_passes_and_at_its_limit_fails() -> None:
    most = limit(Standing())
    assert most == Fraction(1, 40)
    assert keeps(Fraction(24, 1000), most)
    assert not keeps(Fraction(25, 1000), most)
    assert keeps(None, most), "nothing was placed"
    assert keeps(Fraction(1), None), "no limit is set"
    assert limit(None) is None
