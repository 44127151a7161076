"""Both sides are notified (rule ``both-told``): at most one message a template and sequence, whatever breaks."""

import re

import pytest

from consumers.notifying.notifier import NotifierLimits
from consumers.ports.notifications import Message
from domain.instants import DAY, parse_instant
from tests.spec.notifications.desk import Desk, Killed

NOON = "2026-03-02T12:00:00Z"


def test_both_told_one_commit_sends_one_message_to_each_side() -> None:
    desk = Desk()
    desk.canceled()
    desk.run(NOON)
    assert [who for who, _ in desk.subjects()] == ["b-1", "b-1", "s-1"]
    placed, buyers, sellers = desk.carrier.taken
    assert "how to cancel it" in placed.subject
    assert re.fullmatch(r"Order PO-1: the rest is canceled, reference C-\w{4}-\w{4}", buyers.subject)
    assert "The following has shipped:" in buyers.text and "70.00 USD will be refunded to you" in buyers.text
    assert "70.00 USD will be refunded to the buyer" in sellers.text
    assert set(desk.states().values()) == {"handed"}


def test_on_placing_the_buyer_learns_until_when_how_and_under_which_policy_to_cancel() -> None:
    desk = Desk()
    desk.history.place(policy="peer-to-peer", timezone="Europe/Berlin")
    desk.run(NOON)
    [mail] = desk.carrier.taken
    assert mail.subject == "Order PO-1: you can cancel it until 2 March 2026, 14:00 (Europe/Berlin)"
    assert "Policy peer-to-peer 1, rule grace-window" in mail.text and "choose Cancel" in mail.text


def test_nothing_is_sent_twice_however_often_the_notifier_runs_and_restarts() -> None:
    desk = Desk()
    desk.canceled()
    for _ in range(3):
        desk.run(NOON)
        desk.start()
    assert len(desk.carrier.taken) == len({mail.message_id for mail in desk.carrier.taken}) == 3


@pytest.mark.parametrize("moment", ["killed before", "killed behind"])
def test_a_process_that_ends_between_intent_and_answer_leaves_it_unknown_and_sends_nothing_by_itself(
    moment: str,
) -> None:
    desk = Desk()
    desk.canceled()
    desk.carrier.fails = [moment]
    with pytest.raises(Killed):
        desk.run(NOON)
    taken = len(desk.carrier.taken)
    desk.start()
    desk.run("2026-03-02T12:05:00Z")
    assert desk.states()["told-1-buyer"] == "unknown"
    assert len(desk.carrier.taken) == taken + 2, "the two other letters alone"
    letter = desk.book.message_of("acme/PO-1", "told-1-buyer")
    assert letter is not None
    desk.book.again(letter)
    desk.run("2026-03-02T12:06:00Z")
    assert desk.states()["told-1-buyer"] == "handed"
    assert len({mail.message_id for mail in desk.carrier.taken}) == len(desk.carrier.taken), "another sequence"


@pytest.mark.parametrize("moment", ["killed before", "killed behind"])
def test_a_carrier_that_knows_which_messages_it_accepted_settles_them(moment: str) -> None:
    desk = Desk(knows=True)
    desk.canceled()
    desk.carrier.fails = [moment]
    with pytest.raises(Killed):
        desk.run(NOON)
    desk.start()
    desk.run("2026-03-02T12:05:00Z")
    assert set(desk.states().values()) == {"handed"}
    assert len({mail.message_id for mail in desk.carrier.taken}) == len(desk.carrier.taken) == 3


def test_an_unavailable_carrier_is_tried_again_later_and_one_that_refuses_is_not() -> None:
    desk = Desk()
    desk.canceled()
    desk.carrier.fails = ["away", "refuses"]
    desk.run(NOON)
    assert desk.notifier.trouble == "the carrier is away" and desk.carrier.taken == []
    desk.run("2026-03-02T12:00:30Z")
    assert desk.carrier.taken == []
    desk.run("2026-03-02T12:02:00Z")
    assert sorted(set(desk.states().values())) == ["failed", "handed"]
    assert desk.notifier.trouble is None and len(desk.carrier.taken) == 2


def test_a_person_without_an_address_is_not_notified_and_that_is_on_the_record() -> None:
    desk = Desk()
    desk.people.without = {"b-1"}
    desk.canceled()
    desk.run(NOON)
    assert desk.states()["told-4-buyer"] == "no-address" and desk.states()["told-4-seller"] == "handed"
    desk.people.without = set()
    letter = desk.book.message_of("acme/PO-1", "told-4-buyer")
    assert letter is not None and desk.book.again(letter, key="k1") and not desk.book.again(letter, key="k1")
    desk.run(NOON)
    assert desk.states()["told-4-buyer"] == "handed" and desk.subjects()[-1][0] == "b-1"


def test_import_is_history_and_goes_out_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    desk.canceled()
    monkeypatch.setattr("consumers.notifying.notification_mapper.HISTORY", "test")  # as if an import had written it
    desk.run(NOON)
    assert desk.carrier.taken == [] and desk.states() == {}


def test_a_notification_too_old_when_first_seen_waits_for_people() -> None:
    desk = Desk()
    desk.canceled()
    desk.run("2026-04-02T12:00:00Z")
    assert desk.carrier.taken == [] and set(desk.states().values()) == {"too-old"}


def test_a_confirmation_that_nobody_confirms_is_sent_once_more_and_no_more() -> None:
    desk = Desk()
    desk.canceled()
    desk.run(NOON)
    desk.run("2026-03-04T11:59:00Z")
    assert len(desk.carrier.taken) == 3
    desk.run("2026-03-04T12:00:30Z")
    assert len(desk.carrier.taken) == 4
    assert "another copy" in desk.carrier.taken[-1].text and "reference" in desk.carrier.taken[-1].subject
    assert desk.book.overdue(parse_instant("2026-03-04T12:01:00Z")) > 0
    desk.run("2026-03-20T12:00:00Z")
    assert len(desk.carrier.taken) == 4


@pytest.mark.parametrize("report", ["ConfirmNotice", "seen"])
def test_a_confirmation_that_was_delivered_or_seen_is_not_followed_up(report: str) -> None:
    desk = Desk()
    desk.canceled()
    desk.run(NOON)
    if report == "seen":
        desk.book.see("acme/PO-1", "buyer", parse_instant("2026-03-02T13:00:00Z"))
    else:
        desk.history.send(report, at="2026-03-02T13:00:00Z", notice_id="told-4-buyer")
    desk.run("2026-03-05T12:00:00Z")
    assert len(desk.carrier.taken) == 3
    notice = desk.book.find("acme/PO-1", "told-4-buyer")
    assert notice is not None and (notice.delivered_at or notice.seen_at) == parse_instant("2026-03-02T13:00:00Z")


def test_a_deadline_of_theirs_is_reminded_of_once_before_it_passes() -> None:
    desk = Desk()
    desk.history.place(policy="mutual-consent")
    desk.history.send("RequestCancel", at="2026-03-02T11:00:00Z", actor="buyer", request_id="r1", reason="other")
    desk.run(NOON)
    sent_before = len(desk.carrier.taken)
    desk.run("2026-03-04T10:59:00Z")
    assert len(desk.carrier.taken) == sent_before
    for at in ("2026-03-04T11:00:30Z", "2026-03-04T12:00:00Z", "2026-03-05T10:00:00Z"):
        desk.run(at)
    assert desk.subjects()[sent_before:] == [("s-1", "Order PO-1: reminder, due 5 March 2026, 11:00 (UTC)")]
    assert desk.states()["remind-decide-1-seller"] == "handed"


def test_a_short_time_is_not_reminded_of_in_its_first_half() -> None:
    desk = Desk()
    desk.history.place(policy="general-store")
    desk.history.send("RequestCancel", at="2026-03-02T11:00:00Z", actor="buyer", request_id="r1", reason="other")
    desk.run(NOON)
    assert not [notice for notice in desk.states() if notice.startswith("remind")]
    desk.run("2026-03-02T23:00:30Z")
    assert desk.states()["remind-alternatives-1-buyer"] == "handed"


def test_a_settled_matter_gets_no_reminder() -> None:
    desk = Desk()
    desk.history.place(policy="mutual-consent")
    desk.history.send("RequestCancel", at="2026-03-02T11:00:00Z", actor="buyer", request_id="r1", reason="other")
    desk.history.send("WithdrawCancel", at="2026-03-03T11:00:00Z", actor="buyer", request_id="r1")
    desk.run("2026-03-05T10:00:00Z")
    assert not [notice for notice in desk.states() if notice.startswith("remind")]


def test_where_the_topics_reader_sends_nothing_is_handed_over_here() -> None:
    desk = Desk()
    desk.start(post=False)
    desk.canceled()
    desk.run(NOON)
    assert desk.carrier.taken == [] and {n.carrier for n in desk.book.of("acme/PO-1")} == {"topic"}


def test_the_policys_own_time_to_confirm_goes_before_the_setting() -> None:
    from domain.policy import read_policy_toml

    text = 'id = "x"\nversion = 1\nrules = ["seller-has-final-say"]\n[both-told]\nconfirmed-within = "3 hours"\n'
    assert str(read_policy_toml(text).policy.both_told.confirmed_within) == "3 hours"
    desk = Desk(limits=NotifierLimits(too_old=40 * DAY))
    desk.canceled()
    desk.run(NOON)
    letter = desk.book.message_of("acme/PO-1", "told-4-buyer")
    assert isinstance(letter, Message)
    assert letter.first.follow_up_at == parse_instant("2026-03-04T12:00:00Z")


def test_a_reminder_that_waited_until_there_was_nothing_to_remind_of_is_moot() -> None:
    desk = Desk()
    desk.history.place(policy="mutual-consent")
    desk.history.send("RequestCancel", at="2026-03-02T11:00:00Z", actor="buyer", request_id="r1", reason="other")
    desk.run(NOON)
    sent_before = len(desk.carrier.taken)
    desk.carrier.fails = ["away"]
    desk.run("2026-03-04T11:30:00Z")
    assert desk.states()["remind-decide-1-seller"] == "waiting"
    desk.history.send("WithdrawCancel", at="2026-03-04T11:30:30Z", actor="buyer", request_id="r1")
    desk.run("2026-03-04T12:00:00Z")
    assert desk.states()["remind-decide-1-seller"] == "moot"
    assert not any("until" in mail.subject for mail in desk.carrier.taken[sent_before:])
