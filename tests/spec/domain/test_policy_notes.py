"""Settings of a policy without an effect are noted, and those with an effect are not."""

import pytest

from domain.policy import read_policy_toml
from domain.policy_notes import notes
from domain.presets import presets
from tests.spec.domain.story import Story, policy

SHOP = """
id = "corner-shop"
version = 1
rules = ["shipped-lock", "grace-window", "seller-has-final-say"]
"""
LISTED = 'rules = ["shipped-lock", "grace-window", "seller-has-final-say"]'


def noted(*changes: tuple[str, str], more: str = "") -> list[str]:
    text = SHOP
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    return notes(read_policy_toml(text + more).policy)


def test_no_preset_has_a_setting_without_effect() -> None:
    assert {document.policy.id: notes(document.policy) for document in presets()} == {
        document.policy.id: [] for document in presets()
    }


def test_a_table_without_its_rule_is_noted_but_where_the_table_is_enough() -> None:
    assert noted(('"grace-window", ', ""), more='[grace-window]\nlength = "2 hours"') == [
        "grace-window has a table and is not listed in rules: it is not in force"
    ]
    for table in ("[stalled-tracking]", "[unpaid-auto-cancel]", "[late-ship-auto-cancel]"):
        assert noted(more=table) == []


@pytest.mark.parametrize("last", ["seller-has-final-say", "window-of-the-store"])
def test_a_rule_behind_one_that_always_speaks_is_noted(last: str) -> None:
    rules = f'rules = ["{last}", "grace-window", "whole-lines-only", "unpaid-auto-cancel"]'
    never, for_sellers = (each for each in noted((LISTED, rules)) if "behind" in each)
    assert never == f"grace-window is listed behind {last}, which always speaks: it is never judged"
    assert for_sellers.startswith(f"whole-lines-only is listed behind {last}, ")
    assert for_sellers.endswith("it is judged for the seller's own cancellations alone")


def test_a_setting_noted_as_unused_decides_nothing() -> None:
    noted_by = {}
    for rules in ('"grace-window", "seller-has-final-say"', '"seller-has-final-say", "grace-window"'):
        shop = policy(f'id = "shop"\nversion = 1\nrules = [{rules}]')
        story = Story("shop", documents=(shop,)).placed()
        story.send("RequestCancel", "2026-03-02T10:01:00Z", request_id="r1", reason="other")
        noted_by[story.request()] = [note for note in notes(shop.policy) if "never judged" in note]
    assert noted_by == {
        "approved": [],
        "open": ["grace-window is listed behind seller-has-final-say, which always speaks: it is never judged"],
    }


def test_a_list_that_allows_nothing_is_noted_unless_lost_parcels_may_be_cancelled() -> None:
    locked = (LISTED, 'rules = ["shipped-lock"]')
    assert noted(locked) == ["no rule of the list allows a buyer's request or asks the seller: every one is refused"]
    assert noted(locked, more="[stalled-tracking]") == []


def test_a_silence_that_no_deadline_ends_is_noted() -> None:
    silent = '[seller-has-final-say]\nsilence = "cancels"\n'
    assert noted(more=silent) == [
        "seller-has-final-say.silence is cancels and there is no seller-has-final-say.deadline: nothing falls due"
    ]
    assert noted(more=silent + 'deadline = "3 days"') == []
    assert noted(more='[seller-has-final-say]\nsilence = "stays"') == [], "what it says is what happens"


def test_a_window_that_never_closes_and_a_limit_that_none_breaks_are_noted() -> None:
    store = ('"grace-window", "seller-has-final-say"', '"window-of-the-store"')
    assert noted(store) == ["window-of-the-store has neither length nor stage: it never closes"]
    assert noted(store, more='[window-of-the-store]\nstage = "until-fulfilment"') == []
    assert noted(more='[standing]\nlimit = "250 %"') == [
        "standing.limit is 250 % and no rate is above 100 %: every seller keeps it"
    ]
    assert noted(more='[standing]\nlimit = "100 %"') == []
