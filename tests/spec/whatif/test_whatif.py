"""Orders under another policy, with differences counted by hand: one order a story."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.command_reconstruction import NotReconstructible, stimulus
from domain.commands import Command
from domain.instants import MINUTE, Instant, parse_instant
from domain.order_json import show
from domain.policy import PolicyDocument
from domain.whatif import Life, OtherPolicy
from tests.effort import examples
from tests.presets import pinned
from tests.spec.domain.story import Story
from tests.spec.domain.test_any_history import (
    COMMANDS,
    DELIVERED,
    LOST,
    SHIPPED,
    Step,
    command,
    later,
    orders,
    play,
    stories,
)

TEN = [{"line": 1, "sku": "A-1", "quantity": 10, "unit_price": "10.00"}]
TWO = [
    {"line": 1, "sku": "A-1", "quantity": 2, "unit_price": "10.00"},
    {"line": 2, "sku": "B-1", "quantity": 1, "unit_price": "7.00"},
]
LATER = "2026-06-01T00:00:00Z"


def life_under(story: Story, policy: str, end: str | Instant = LATER) -> Life:
    """The story's order under the other policy; both lives end at ``end``."""
    document = story.policies.named(pinned(policy))
    assert document is not None
    return life_under_document(story, document, end)


def life_under_document(story: Story, document: PolicyDocument, end: str | Instant = LATER) -> Life:
    question = OtherPolicy(document, story.policies, story.market)
    life = question.live("acme/PO-1", story.commits)
    assert life is not None
    return question.end(life, parse_instant(end) if isinstance(end, str) else end)


def differences(life: Life) -> list[tuple[str, str, str | None, str, str | None]]:
    """Every flip: (what, outcome and rule before, outcome and rule after)."""
    return [(flip.what, *flip.before, *flip.after) for flip in life.flips]


def units(life: Life, line: int = 1) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """(open, shipped, cancelled) of a line: before and after."""
    before, after = (order.lines[line] for order in (life.before, life.after))
    return (before.open, before.shipped, before.canceled), (after.open, after.shipped, after.canceled)


# ---- the differences -------------------------------------------------------------------------------------------------


def test_a_rest_that_fill_or_kill_canceled_ships_where_nothing_is_killed() -> None:
    story = Story().placed(lines=TEN)
    assert (
        story.send("Ship", "2026-03-03T10:00:00Z", shipment_id="s1", lines=[{"line": 1, "quantity": 4}]) == "accepted"
    )
    assert (
        story.send("Ship", "2026-03-04T10:00:00Z", shipment_id="s2", lines=[{"line": 1, "quantity": 6}])
        == "refused:auto-canceled-is-final"
    )
    life = life_under(story, "big-box")
    assert differences(life) == [
        ("Ship", "shipped_rest_canceled", "fill-or-kill", "accepted", None),
        ("Ship", "refused", "auto-canceled-is-final", "accepted", None),
    ]
    assert units(life) == ((0, 4, 6), (0, 10, 0))
    assert (life.refunds, life.statuses) == ((6000, 0), ("shipped", "shipped"))


def test_and_the_other_way_round_the_second_notice_is_too_late() -> None:
    story = Story("big-box").placed(lines=TEN)
    story.send("Ship", "2026-03-03T10:00:00Z", shipment_id="s1", lines=[{"line": 1, "quantity": 4}])
    story.send("Ship", "2026-03-04T10:00:00Z", shipment_id="s2", lines=[{"line": 1, "quantity": 6}])
    life = life_under(story, "seller-portal")
    assert differences(life) == [
        ("Ship", "accepted", None, "shipped_rest_canceled", "fill-or-kill"),
        ("Ship", "accepted", None, "refused", "auto-canceled-is-final"),
    ]
    assert (units(life), life.refunds) == (((0, 10, 0), (0, 4, 6)), (0, 6000))


def test_units_that_the_other_policy_cancels_at_once_can_no_longer_ship() -> None:
    story = Story().placed(lines=TWO, shipping="5.00")
    story.send("RequestCancel", "2026-03-02T11:00:00Z", request_id="r1", reason="changed_mind")
    story.send("DeclineCancel", "2026-03-02T12:00:00Z", request_id="r1")
    story.send("Ship", "2026-03-02T13:00:00Z", shipment_id="s1")
    story.send("Deliver", "2026-03-05T13:00:00Z")
    life = life_under(story, "peer-to-peer")
    assert differences(life) == [
        ("RequestCancel", "asked", "seller-has-final-say", "granted", "grace-window"),
        ("DeclineCancel", "accepted", None, "moot", "request-closed"),
        ("Ship", "accepted", None, "refused", "cancel-is-final"),
        ("Deliver", "accepted", None, "refused", "nothing-shipped"),
    ]
    assert (life.refunds, life.statuses, life.canceled) == ((0, 3200), ("delivered", "canceled"), (0, 3))


def test_a_notice_of_everything_open_ships_what_the_other_policy_left_open() -> None:
    story = Story().placed(lines=TWO)
    story.send("RequestCancel", "2026-03-02T11:00:00Z", request_id="r1", reason="other", lines=[2])
    story.send("DeclineCancel", "2026-03-02T12:00:00Z", request_id="r1")
    story.send("Ship", "2026-03-02T13:00:00Z", shipment_id="s1")
    life = life_under(story, "peer-to-peer")
    assert [flip.what for flip in life.flips] == ["RequestCancel", "DeclineCancel"]
    assert (units(life, 1), units(life, 2)) == (((0, 2, 0), (0, 2, 0)), ((0, 1, 0), (0, 0, 1)))


def test_a_notice_that_names_its_lines_is_refused_for_one_that_was_canceled() -> None:
    story = Story().placed(lines=TWO)
    story.send("RequestCancel", "2026-03-02T11:00:00Z", request_id="r1", reason="other", lines=[2])
    story.send("DeclineCancel", "2026-03-02T12:00:00Z", request_id="r1")
    story.send("Ship", "2026-03-02T13:00:00Z", shipment_id="s1", lines=[1, 2])
    assert differences(life_under(story, "peer-to-peer"))[-1] == (
        "Ship",
        "accepted",
        None,
        "refused",
        "cancel-is-final",
    )


def test_the_other_policys_deadlines_are_reached_before_later_commands() -> None:
    story = Story().placed(lines=TEN, ship_by="2026-03-05T00:00:00Z")
    story.send("Ship", "2026-03-09T00:00:00.000001Z", shipment_id="s1")
    life = life_under(story, "big-box")
    assert differences(life) == [
        ("deadline:late-ship", "nothing", None, "canceled", "late-ship-auto-cancel"),
        ("Ship", "accepted", None, "refused", "cancel-is-final"),
    ]
    assert life.refunds == (0, 10000)


def test_a_shipment_at_the_last_instant_is_in_time_under_both() -> None:
    story = Story().placed(lines=TEN, ship_by="2026-03-05T00:00:00Z")
    story.send("Ship", "2026-03-09T00:00:00Z", shipment_id="s1")
    assert differences(life_under(story, "big-box")) == []


def test_deadlines_after_the_end_are_not_reached() -> None:
    story = Story().placed(lines=TEN, ship_by="2026-03-05T00:00:00Z")
    assert differences(life_under(story, "big-box", "2026-03-09T00:00:00Z")) == []
    assert len(differences(life_under(story, "big-box", "2026-03-09T00:00:00.000001Z"))) == 1


def test_deadlines_of_the_recorded_policy_are_no_facts_under_another() -> None:
    story = Story("big-box").placed(lines=TEN, ship_by="2026-03-05T00:00:00Z")
    assert story.send("Ship", "2026-03-10T00:00:00Z", shipment_id="s1") == "refused:cancel-is-final"
    life = life_under(story, "seller-portal")
    assert differences(life) == [
        ("deadline:late-ship", "canceled", "late-ship-auto-cancel", "nothing", None),
        ("Ship", "refused", "cancel-is-final", "accepted", None),
    ]
    assert (units(life), life.refunds) == (((0, 0, 10), (0, 10, 0)), (10000, 0))


def test_silence_counts_by_the_other_policy() -> None:
    story = Story("auction-house").placed(lines=TEN, paid=False)
    story.send("RequestCancel", "2026-03-02T10:30:00Z", request_id="r1", reason="changed_mind")
    life = life_under(story, "seller-portal")
    assert differences(life) == [("deadline:decide", "canceled", "seller-has-final-say", "nothing", None)]
    assert (life.undecided, life.statuses) == (1, ("canceled", "cancel_requested"))


def test_a_request_that_was_refused_waits_for_an_answer_that_nobody_gave() -> None:
    story = Story("auction-house").placed(lines=TEN)
    assert story.send("RequestCancel", "2026-03-02T12:00:00Z", request_id="r1") == "refused:request-window"
    life = life_under(story, "big-box")
    assert differences(life) == [("RequestCancel", "refused", "request-window", "refused", "reason-required")]
    life = life_under(story, "mutual-consent", "2026-03-03T00:00:00Z")
    assert differences(life) == [("RequestCancel", "refused", "request-window", "asked", "seller-has-final-say")]
    assert life.undecided == 1


def test_a_payment_after_a_cancellation_is_refunded() -> None:
    story = Story().placed(lines=TEN, paid=False, ship_by="2026-03-05T00:00:00Z")
    story.send("ConfirmPayment", "2026-03-12T00:00:00Z", amount="100.00")
    assert life_under(story, "big-box").refunds == (0, 10000)


def test_facts_about_money_and_parcels_are_the_same_under_another_policy() -> None:
    story = Story("big-box").placed(lines=TWO, paid=False)
    for at, name, fields in (
        ("02T11:00", "ConfirmPayment", {"amount": "20.00", "payment_id": "gift", "method": "gift_card"}),
        ("02T11:01", "ConfirmPayment", {"amount": "9.00", "payment_id": "card", "state": "authorized"}),
        ("02T12:00", "Ship", {"shipment_id": "s1", "lines": [1]}),
        ("02T13:00", "OpenChargeback", {"payment_id": "gift", "amount": "20.00"}),
        ("05T10:00", "ReportUndelivered", {"shipment_id": "s1", "outcome": "lost", "note": "It is gone."}),
        ("06T10:00", "CloseChargeback", {"payment_id": "gift", "outcome": "lost", "amount": "12.00"}),
        ("06T11:00", "RecordOtherRefund", {"amount": "1.00", "covers": [{"line": 2, "amount": "1.00"}]}),
        ("06T12:00", "ReleasePayment", {"payment_id": "card"}),
        ("06T13:00", "WithdrawRefund", {"by": "system", "refund_id": "refund-2", "note": "A mistake."}),
    ):
        assert story.send(name, f"2026-03-{at}:00Z", **fields) == "accepted", name
    for policy in ("big-box", "seller-portal", "general-store"):
        life = life_under(story, policy, "2026-03-06T14:00:00Z")
        assert (differences(life), dict(life.lost)) == ([], {})
        before, after = (show(x, None, parse_instant("2026-03-06T14:00:00Z")) for x in (life.before, life.after))
        for part in ("money", "payments", "refunds"):
            assert before[part] == after[part]


def test_both_lives_end_at_the_same_instant_also_where_the_record_ends_earlier() -> None:
    story = Story("big-box").placed(lines=TEN, ship_by="2026-03-05T00:00:00Z")
    life = life_under(story, "big-box")
    assert (differences(life), life.canceled) == ([], (10, 10)), (
        "the recorded deadline is due as well, though nobody came"
    )


def test_a_command_unknown_to_the_other_policy_is_reported() -> None:
    story = Story("mutual-consent").placed(lines=TEN)
    life_under_document = {"request_id": "r1", "reason": "out_of_stock"}
    assert story.send("RequestCancel", "2026-03-02T11:00:00Z", by="seller", **life_under_document) == "accepted"
    assert differences(life_under(story, "big-box")) == [
        ("RequestCancel", "asked", "seller-has-final-say", "refused", "not-yours"),
    ]


def test_an_order_that_was_never_placed_has_no_other_life() -> None:
    story = Story().placed()
    question = OtherPolicy(LOST, story.policies, story.market)
    assert question.live("acme/PO-1", []) is None
    assert question.live("acme/PO-1", story.commits[1:]) is None


def test_facts_missing_from_the_record_are_counted_not_guessed() -> None:
    story = Story().placed(lines=TEN)
    assert story.send("OpenCase", "2026-03-03T10:00:00Z", case_id="k1", reason="wrong_item", lines=[1]).startswith(
        "ref"
    )
    life = life_under(story, "peer-to-peer")
    assert (dict(life.lost), differences(life), life.stimuli) == ({"OpenCase": 1}, [], 1)


def test_a_sellers_refused_cancellation_is_known_by_its_fingerprint() -> None:
    story = Story().placed(lines=TWO)
    assert story.send("CancelLines", "2026-03-03T10:00:00Z", lines=[2]) == "refused:reason-required"
    life = life_under(story, "auction-house")
    assert differences(life) == [("CancelLines", "refused", "reason-required", "granted", "seller-has-final-say")]
    assert life.refunds == (0, 700)


# ---- reconstructed commands ------------------------------------------------------------------------------------------


def reconstructed(story: Story) -> list[Command | NotReconstructible | None]:
    """The commands reconstructed from each commit."""
    question = OtherPolicy(story.policies.named("big-box@1") or LOST, story.policies, story.market)
    found = []
    for number, (events, stamp) in enumerate(story.commits):
        life = question.live("acme/PO-1", story.commits[:number])
        found.append(stimulus(life.before if life is not None else story.here, events, stamp))
    return found


def lines_of(story: Story) -> Any:
    last = reconstructed(story)[-1]
    assert not isinstance(last, NotReconstructible)
    picks = getattr(last, "lines", None)
    return picks if picks is None else [(pick.line, pick.quantity) for pick in picks]


def test_the_fingerprint_shows_whether_a_selection_named_its_lines() -> None:
    for lines, picks in (
        (None, None),
        ([1, 2], [(1, None), (2, None)]),
        ([{"line": 1, "quantity": 2}, {"line": 2, "quantity": 1}], [(1, 2), (2, 1)]),
        ([2], [(2, None)]),
    ):
        story = Story().placed(lines=TWO)
        selection: Any = {} if lines is None else {"lines": lines}
        story.send("RequestCancel", "2026-03-02T11:00:00Z", request_id="r1", reason="other", **selection)
        assert lines_of(story) == picks
        story = Story().placed(lines=TWO)
        story.send("Ship", "2026-03-02T11:00:00Z", shipment_id="s1", occurred_at="2026-03-02T10:30:00Z", **selection)
        assert lines_of(story) == picks


def test_deadlines_are_no_stimuli() -> None:
    story = Story("big-box").placed(lines=TEN, ship_by="2026-03-05T00:00:00Z")
    story.reach_until(parse_instant(LATER))
    assert reconstructed(story)[1:] == [None]


# ---- whatever happened -----------------------------------------------------------------------------------------------


about = st.sampled_from(["return-1", "return-1", "return-2", "s9", "k1"])
part = st.builds(
    lambda n, quantity, condition: {"line": n, "quantity": quantity, "condition": condition},
    st.sampled_from([1, 1, 2]),
    st.sampled_from([1, 1, 2]),
    st.sampled_from(["sellable", "damaged"]),
)
PARCELS = st.one_of(
    command(
        "ReportUndelivered",
        shipment_id=st.sampled_from(["s9", "s9", "s1"]),
        outcome=st.sampled_from(["lost", "damaged_in_transit", "returned_to_sender", "refused"]),
        lines=st.sampled_from([None, [1], [{"line": 1, "quantity": 1}]]),
        refund_now=st.sampled_from([None, True]),
        note=st.sampled_from([None, "It never came."]),
    ),
    command("ReturnReceived", about=about, lines=st.lists(part, min_size=1, max_size=2, unique_by=str)),
    command("WithdrawReturn", about=about),
    command("CloseReturn", about=about, outcome="refund"),
    command("CloseReturn", "support", about=about, outcome="no_refund", rule="store-return", note="It never came."),
    command("Deliver", shipment_id="s9"),
)
RETURNING: Step = ("RequestReturn", None, {"lines": [1], "reason": "wrong_item"})
stories_of_parcels = st.tuples(
    st.sampled_from(["general-store@2", "big-box@2", "mutual-consent", "peer-to-peer", "lost-parcels"]),
    orders,
    st.builds(
        lambda before, after: [*((MINUTE, step) for step in before), *after],
        st.sampled_from([[SHIPPED], [SHIPPED], [SHIPPED, DELIVERED], [SHIPPED, DELIVERED, RETURNING]]),
        st.lists(st.tuples(later, st.booleans().flatmap(lambda of: PARCELS if of else COMMANDS)), max_size=10),
    ),
)


@settings(max_examples=examples(150))
@given(stories | stories_of_parcels)
def test_under_its_own_policy_every_order_ends_as_recorded(played_story: Any) -> None:
    preset, order, steps = played_story
    story, now = play(preset, order, steps)
    document = LOST if preset == "lost-parcels" else story.policies.named(pinned(preset))
    assert document is not None
    life = life_under_document(story, document, now)
    assert differences(life) == []
    before, after = (show(x, None, now) for x in (life.before, life.after))
    differing = {key for key in before if before[key] != after[key]} - {"version"}
    assert differing == set(), "what is lost was refused, and changed nothing"


@settings(max_examples=examples(100))
@given(stories | stories_of_parcels)
def test_under_any_other_policy_units_and_money_add_up(played_story: Any) -> None:
    story, now = play(*played_story)
    life = life_under_document(story, LOST, now)
    for order in (life.before, life.after):
        for line in order.lines.values():
            assert line.ordered == line.open + line.shipped + line.canceled
        assert 0 <= order.refunds_instructed <= order.paid
    assert life.before == story.here or life.before.version > story.here.version
