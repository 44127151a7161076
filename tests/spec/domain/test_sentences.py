"""What a refusal says is true of the order, of whoever reads it and of the policy; and what it advises can be done."""

from typing import Any

import pytest

from tests.spec.domain.story import Story, policy

MORNING = "2026-03-02T11:00:00Z"
TEN = [{"line": 1, "sku": "A-1", "quantity": 10, "unit_price": "1.00"}]
PARCEL: dict[str, Any] = {"carrier": "UPS", "tracking_number": "1Z9"}
ASK: dict[str, Any] = {"request_id": "r1", "reason": "other"}


def of(rules: str, tables: str = "") -> Story:
    document = policy(f'id = "shop"\nversion = 1\nrules = [{rules}]\n{tables}')
    return Story("shop", documents=(document,)).placed(lines=TEN)


def instead(story: Story) -> list[str]:
    return [each.option for each in story.refusal.instead]


def test_a_seller_sends_nothing_back_and_has_no_order_to_place() -> None:
    locks = '"tracking-lock", "shipped-lock", "seller-has-final-say"'
    story = of(locks, "[returns]\n[cases]")
    story.say("StartTracking", MORNING, **PARCEL)
    own = {"reason": "out_of_stock"}
    assert story.say("CancelLines", MORNING, **own) == "refused:tracking-lock"
    assert instead(story) == ["contact"]
    assert story.say("RequestCancel", MORNING, **ASK) == "refused:tracking-lock"
    assert instead(story) == ["return", "contact"]
    story = of(locks, "[returns]\n[cases]")
    story.say("Ship", MORNING, shipment_id="s1")
    assert story.say("CancelLines", MORNING, **own) == "refused:shipped-lock"
    assert instead(story) == ["contact"]
    assert story.say("CancelLines", MORNING, by="support", rule="shipped-lock", **own) == "refused:shipped-lock"
    assert instead(story) == ["return"], "support contacts nobody"
    story = of(locks)
    too_many = [{"line": 1, "quantity": 11}]
    assert story.say("StartFulfilment", MORNING, lines=too_many) == "refused:more-than-open"
    assert story.refusal.because == "10 of line 1 are open or shipped, not 11."
    story.say("CancelLines", MORNING, **own)
    assert story.say("StartFulfilment", MORNING) == "refused:canceled-altogether"
    assert story.refusal.instead[0].text == "Have a new order placed for the quantity, linked to this one."


def test_under_mutual_consent_there_are_so_many_open_or_shipped() -> None:
    story = Story("mutual-consent").placed(lines=TEN)
    story.say("Ship", MORNING, shipment_id="s1", lines=[{"line": 1, "quantity": 2}])
    story.say("CancelLines", MORNING, reason="other", lines=[{"line": 1, "quantity": 8}])
    too_many = [{"line": 1, "quantity": 3}]
    assert story.say("RequestCancel", MORNING, lines=too_many, **ASK) == "refused:more-than-open"
    assert story.refusal.because == "2 of line 1 are open or shipped, not 3."


@pytest.mark.parametrize(
    ("lock", "said"),
    [('"shipped-lock"', {}), ('"tracking-lock", "shipped-lock"', PARCEL)],
)
def test_a_lock_says_from_when_on_the_parcel_counts_as_lost(lock: str, said: dict[str, Any]) -> None:
    story = of(f'{lock}, "seller-has-final-say"', '[stalled-tracking]\nafter = "7 days"')
    story.say("Ship", MORNING, shipment_id="s1", carrier="UPS", tracking_number="1Z9")
    if said:
        story.say("StartTracking", MORNING, **said)
    assert story.say("RequestCancel", "2026-03-03T11:00:00Z", **ASK).startswith("refused:")
    assert story.refusal.rule == lock.split('"')[1]
    assert instead(story) == ["wait", "ask_seller", "contact"]
    assert story.refusal.instead[0].text == "Ask again from 2026-03-09T11:00:00Z."
    assert story.refusal.next_change_at == story.refusal.instead[0].until
    assert story.say("CancelLines", "2026-03-03T11:00:00Z", reason="other").startswith("refused:")
    assert instead(story) == ["contact"], "a seller's own cancellation is not let through by it"
    assert story.say("RequestCancel", "2026-03-09T11:00:00Z", **ASK) == "accepted"


def test_a_store_without_returns_is_named_once() -> None:
    story = of('"window-of-the-store"', '[window-of-the-store]\nlength = "1 days"')
    assert story.say("RequestCancel", "2026-03-09T11:00:00Z", **ASK) == "refused:window-of-the-store"
    assert instead(story) == ["contact"]
    story = of('"window-of-the-store"', '[returns]\n[window-of-the-store]\nstage = "until-fulfilment"')
    story.say("StartFulfilment", MORNING)
    assert story.say("RequestCancel", MORNING, **ASK) == "refused:window-of-the-store"
    assert instead(story) == ["contact", "return"]


@pytest.mark.parametrize(
    ("rules", "at", "refused", "sentence", "other"),
    [
        ('"grace-window"', MORNING, "", "", []),
        (
            '"grace-window"',
            "2026-03-09T11:00:00Z",
            "grace-window",
            "No rule of this order's policy allows it any more.",
            ["contact"],
        ),
        ('"shipped-lock"', MORNING, "seller-has-final-say", "The policy of this order does not allow it.", ["contact"]),
        ('"request-window"', MORNING, "request-window", "The policy of this order does not allow it.", ["contact"]),
        (
            '"not-shipped-in-time"',
            MORNING,
            "not-shipped-in-time",
            "No rule of this order's policy allows it now.",
            ["wait", "contact"],
        ),
        (
            '"grace-window", "not-shipped-in-time"',
            "2026-03-03T11:00:00Z",
            "not-shipped-in-time",
            "No rule of this order's policy allows it any more.",
            ["wait", "contact"],
        ),
    ],
)
def test_what_no_rule_allows_is_said_as_the_policy_has_it(
    rules: str, at: str, refused: str, sentence: str, other: list[str]
) -> None:
    story = of(rules)
    assert story.say("RequestCancel", at, **ASK) == (f"refused:{refused}" if refused else "accepted")
    if refused:
        assert (story.refusal.because, instead(story)) == (sentence, other)


def test_a_voided_notice_is_told_from_one_that_never_was() -> None:
    story = Story("big-box").placed(lines=TEN)
    story.say("Ship", MORNING, shipment_id="s1")
    assert story.say("VoidShipment", MORNING, shipment_id="s1", note="not packed") == "accepted"
    for name, fields in (("VoidShipment", {"note": "again"}), ("Deliver", {})):
        assert story.say(name, MORNING, shipment_id="s1", **fields) == "refused:no-such-shipment"
        assert story.refusal.because == "Shipment s1 is void: its notice was a mistake, and nothing left by it."
        assert story.say(name, MORNING, shipment_id="s9", **fields) == "refused:no-such-shipment"
        assert story.refusal.because == "There is no shipment s9."


def test_a_notice_that_was_no_mistake_is_told_with_what_became_of_it() -> None:
    void: dict[str, Any] = {"shipment_id": "s1", "note": "not packed"}
    story = Story("big-box").placed(lines=TEN)
    story.say("Ship", MORNING, shipment_id="s1", **PARCEL)
    story.say("StartTracking", MORNING, **PARCEL)
    assert story.say("VoidShipment", MORNING, **void) == "refused:tracking-lock"
    assert story.refusal.because == "Shipment s1 is under way, so its notice was no mistake."
    assert instead(story) == ["check"]
    story.say("Deliver", MORNING, shipment_id="s1")
    assert story.say("VoidShipment", MORNING, **void) == "refused:tracking-lock"
    assert story.refusal.because == "Shipment s1 has been delivered, so its notice was no mistake."
    story = Story("mutual-consent").placed(lines=TEN)
    story.say("Ship", MORNING, shipment_id="s1")
    story.say("RequestCancel", MORNING, **ASK)
    story.say("ApproveCancel", MORNING, request_id="r1")
    assert story.say("VoidShipment", MORNING, **void) == "refused:tracking-lock"
    assert story.refusal.because == (
        "Shipment s1 is in a return, or came back, in part or whole, so its notice was no mistake."
    )


@pytest.mark.parametrize(
    ("ordered", "shipped", "sentence"),
    [
        (1, 1, "None of line 1 is open, and no more than that can ship."),
        (2, 1, "1 of line 1 is open, and no more than that can ship."),
        (4, 1, "3 of line 1 are open, and no more than that can ship."),
    ],
)
def test_one_is_and_several_are(ordered: int, shipped: int, sentence: str) -> None:
    lines = [{"line": 1, "sku": "A-1", "quantity": ordered, "unit_price": "1.00"}]
    story = Story("big-box").placed(lines=lines)
    story.say("Ship", MORNING, shipment_id="s1", lines=[{"line": 1, "quantity": shipped}])
    assert story.may("ship", MORNING).because in (sentence, "What is open can ship.")
    too_many = [{"line": 1, "quantity": ordered}]
    assert story.say("Ship", MORNING, shipment_id="s2", lines=too_many) == "refused:ships-more-than-open"
    assert story.last is not None and story.last.verdict is not None
    assert story.last.verdict.because == sentence


def test_one_that_was_cancelled_is_told_as_one() -> None:
    lines = [{"line": 1, "sku": "A-1", "quantity": 2, "unit_price": "1.00"}]
    for preset, sentence in (
        ("big-box", "1 of line 1 is cancelled, and a cancellation cannot be undone."),
        ("seller-portal", "1 of line 1 is cancelled, by fill or kill when a part of it shipped. That is final."),
    ):
        story = Story(preset).placed(lines=lines)
        one = [{"line": 1, "quantity": 1}]
        if preset == "big-box":
            story.say("CancelLines", MORNING, reason="out_of_stock", lines=one)
        story.say("Ship", MORNING, shipment_id="s1", lines=one)
        story.say("Ship", MORNING, shipment_id="s2", lines=one)
        assert story.last is not None and story.last.verdict is not None
        assert story.last.verdict.because == sentence
