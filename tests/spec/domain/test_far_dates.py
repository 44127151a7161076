"""Dates at the ends of time: any date can be a "never" in the year 9999, and the order can still be judged."""

from typing import Any
from zoneinfo import available_timezones

import pytest

from domain.calendar import Length, after, after_business_time, business_time_between, local_date, local_time
from domain.deadlines import live
from domain.eligibility_queries import ACTIONS
from domain.events import Calendar
from domain.instants import DAY, EARLIEST, LATEST, format_instant, parse_instant
from domain.marketplace_settings import MarketSettings
from domain.standing import window
from infra.documents.formatting import clock, exact, moment, short_moment
from infra.documents.packs import pack
from tests.spec.domain.story import Story, policy

NEVER = "9999-12-31T23:59:59Z"
LAST = "9999-12-31T23:59:59.999999Z"
MORNING = "2026-03-02T11:00:00Z"
LATE = policy("""id = "late"
version = 1
rules = ["tracking-lock", "not-shipped-in-time", "accepted-offer-final", "seller-has-final-say"]
[not-shipped-in-time]
from = "ship-by"
[seller-has-final-say]
deadline = "3 days"
silence = "cancels"
[cases]
[returns]
[disputes]
""")
EAST, WEST = MarketSettings(timezone="Pacific/Kiritimati"), MarketSettings(timezone="Etc/GMT+12")


def judged(story: Story, at: str) -> list[str | None]:
    """When each of the five answers would change; every one of them has to be there."""
    return [story.changes(action, at) for action in ACTIONS]


@pytest.mark.parametrize("length", ["1 minutes", "7 hours", "4 days", "7 business days", "3660 days"])
@pytest.mark.parametrize("timezone", ["UTC", "Pacific/Kiritimati", "Etc/GMT+12", "America/New_York", "Asia/Tokyo"])
def test_an_end_after_the_last_instant_is_the_last_instant_and_never_before_its_start(
    length: str, timezone: str
) -> None:
    calendar = Calendar(timezone, ("sat", "sun"), (), "US")
    count, _, unit = length.partition(" ")
    for start in (LATEST, LATEST - 1, parse_instant(NEVER), parse_instant("9999-12-31T12:00:00Z"), LATEST - 3 * DAY):
        found = after(start, Length(int(count), unit), calendar)
        assert start <= found <= LATEST
    assert after(LATEST - DAY, Length(3, "days"), calendar) == LATEST
    assert after(EARLIEST, Length(int(count), unit), calendar) > EARLIEST


def test_every_zone_has_a_local_time_at_both_ends() -> None:
    for name in sorted(available_timezones()):
        assert local_date(LATEST, name).year == 9999
        assert local_date(EARLIEST, name).year == 1
        assert local_time(LATEST - 2 * DAY, name).year == 9999


def test_business_time_ends_with_time_itself() -> None:
    calendar = Calendar("Asia/Tokyo", ("sat", "sun"), (), None)
    assert after_business_time(LATEST - DAY, 3 * DAY, calendar) == LATEST
    assert 0 < business_time_between(LATEST - 3 * DAY, LATEST, calendar) <= 3 * DAY
    never_open = Calendar("UTC", ("mon", "tue", "wed", "thu", "fri", "sat", "sun"), (), None)
    assert after(parse_instant(MORNING), Length(2, "business days"), never_open) == LATEST


def test_a_window_of_days_begins_with_time_itself() -> None:
    calendar = Calendar("UTC", ("sat", "sun"), (), None)
    first = local_date(EARLIEST, "UTC")
    for unit in ("days", "business days"):
        assert window(first, Length(7, unit), calendar).first == first


@pytest.mark.parametrize("preset", ["big-box", "everything-store"])
@pytest.mark.parametrize("market", [MarketSettings(), EAST, WEST])
def test_a_line_that_can_never_ship_late_is_never_canceled_for_it(preset: str, market: MarketSettings) -> None:
    story = Story(preset, market=market).placed(ship_by=NEVER)
    (deadline,) = live(story.here)
    assert format_instant(deadline.due_at) == LAST
    assert judged(story, MORNING)[1] is None
    assert judged(story, LAST)[1] is None
    story.reach_until(LATEST)
    assert story.line() == (1, 0, 0)


@pytest.mark.parametrize("market", [MarketSettings(), EAST, WEST])
def test_a_ship_by_that_is_put_off_for_ever_is_taken_like_any_other(market: MarketSettings) -> None:
    story = Story("everything-store", market=market).placed(ship_by="2026-03-05T00:00:00Z")
    assert story.send("ReviseShipBy", MORNING, ship_by="9999-12-25T00:00:00Z") == "accepted"
    assert story.send("TakeAlternative", MORNING, kind="wait") == "accepted"
    assert story.send("ReviseShipBy", MORNING, ship_by=NEVER) == "accepted"
    assert story.send("TakeAlternative", MORNING, kind="wait") == "accepted"
    assert [format_instant(d.due_at) for d in live(story.here)] == [LAST]
    judged(story, MORNING)


def test_evidence_that_is_awaited_for_ever_leaves_the_case_one_to_be_judged() -> None:
    story = Story("late", documents=(LATE,), market=EAST).placed()
    story.send("Ship", MORNING, shipment_id="s1")
    story.send("Deliver", MORNING, shipment_id="s1")
    assert story.send("OpenCase", MORNING, case_id="k1", reason="wrong_item", lines=[1]) == "accepted"
    evidence: dict[str, Any] = {"about": "k1", "kinds": ["photo"]}
    assert story.send("RequestEvidence", MORNING, **evidence, until=NEVER) == "accepted"
    judged(story, MORNING)
    assert story.send("RequestEvidence", MORNING, **evidence, until=LAST) == "accepted"
    judged(story, MORNING)


@pytest.mark.parametrize("ship_by", [NEVER, "9999-12-25T00:00:00Z"])
@pytest.mark.parametrize("market", [MarketSettings(), EAST, WEST])
def test_not_shipped_in_time_never_applies_to_a_line_without_a_ship_by(ship_by: str, market: MarketSettings) -> None:
    story = Story("late", documents=(LATE,), market=market).placed(ship_by=ship_by, sale_format="offer")
    cancel = story.may("cancel", MORNING)
    assert (cancel.rule, cancel.next_change_at) == ("accepted-offer-final", None)
    assert [each.option for each in cancel.instead] == ["contact"]
    assert story.may("cancel", LAST).rule == "accepted-offer-final"
    assert story.send("RequestCancel", MORNING, request_id="r1", reason="other") == "refused:accepted-offer-final"


@pytest.mark.parametrize(
    "preset", ["peer-to-peer", "mutual-consent", "general-store", "auction-house", "everything-store"]
)
@pytest.mark.parametrize("market", [MarketSettings(), EAST, WEST])
@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", NEVER, LAST])
def test_an_order_of_the_first_or_the_last_second_is_judged(preset: str, market: MarketSettings, at: str) -> None:
    story = Story(preset, market=market).placed(at, ship_by=at, paid=False)
    judged(story, at)
    assert story.send("RequestCancel", at, request_id="r1", reason="other") in ("accepted", "refused:reason-required")
    judged(story, at)
    judged(story, LAST)


def test_pages_and_letters_write_the_ends_of_time_in_every_zone() -> None:
    for zone in ("UTC", "Pacific/Kiritimati", "Etc/GMT+12", "America/New_York"):
        for instant in (EARLIEST, LATEST):
            year = "9999" if instant == LATEST else " 1"
            assert year in moment(instant, zone)
            assert year in short_moment(instant, zone, parse_instant(MORNING))
            assert format_instant(instant) in exact(instant, zone)
            assert ":" in clock(instant, zone)
            assert year in pack("en").moment(instant, zone)
