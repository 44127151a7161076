"""Policies come from the control log: the last one there is the newest, and its content never changes."""

import pytest

from consumers.engine.control_log import ControlLog
from consumers.engine.outcome import Outcome
from consumers.ports.journal import JournalMismatch
from domain.events import OrderPlaced, PolicyPublished
from domain.policy import PolicyDocument, read_policy_toml
from infra.journals.memory import MemoryLog
from infra.local_state import memory_local_state
from schemas.codec import encode_event
from schemas.commit import ZERO_HASH, Commit, EventEntry, StreamEntry, encode_commit
from schemas.record import encode_record
from tests.spec.engine.desk import MORNING, Desk, place, ship


def shop(version: int = 1, title: str = "Corner shop") -> PolicyDocument:
    rules = '["shipped-lock", "seller-has-final-say"]'
    return read_policy_toml(f'id = "corner-shop"\nversion = {version}\ntitle = "{title}"\nrules = {rules}\n')


def publish(desk: Desk, document: PolicyDocument, engine: int = 0) -> Outcome:
    future = desk.engines[engine].publish(document)
    desk.run(desk.engines[engine])
    return future.result(0)


def test_an_order_is_pinned_to_the_newest_policy_by_the_log() -> None:
    desk = Desk(policy="corner-shop")
    engine = desk.engine()
    assert publish(desk, shop(7)).kind == "accepted"
    assert publish(desk, shop(2)).kind == "accepted"
    outcome = desk.answer(engine, place())
    placed = outcome.events[0][0]
    assert isinstance(placed, OrderPlaced)
    assert placed.policy == shop(2).ref


def test_a_version_is_published_once_and_its_content_never_changes() -> None:
    desk = Desk()
    desk.engine()
    assert publish(desk, shop()).kind == "accepted"
    assert publish(desk, shop()).kind == "accepted"
    other = publish(desk, shop(title="Another shop"))
    assert (other.kind, other.rule) == ("refused", "policy-exists")
    published = [read for read in desk.control().follower.state.commits() if "corner" in read.commit.streams[0].stream]
    assert len(published) == 1


def test_of_two_processes_that_publish_at_once_one_wins() -> None:
    desk = Desk()
    one, other = desk.engine(), desk.engine()
    answers = [one.publish(shop()), other.publish(shop(title="Another shop"))]
    for engine in (one, other):
        engine.take(desk.clock)
    desk.run()
    assert answers[0].result(0).kind == "accepted"
    assert answers[1].result(0).rule == "policy-exists"


def test_no_such_policy_is_answered_only_after_the_control_log_was_read_to_its_end() -> None:
    desk = Desk()
    engine = desk.engine()
    desk.publish(shop())
    future = desk.send(engine, place(policy="corner-shop"))
    engine.take(desk.clock)
    engine.work(desk.clock)
    assert not future.done()
    desk.run()
    assert future.result(0).kind == "accepted"
    unknown = desk.answer(engine, place("p2", "acme/PO-2", policy="nowhere"))
    assert (unknown.kind, unknown.rule, unknown.commit_position) == ("refused", "no-such-policy", None)
    assert desk.answer(engine, ship("s", 1, order="acme/PO-2")).rule == "no-such-order"


def test_an_order_whose_pinned_policy_is_not_known_yet_waits_for_it() -> None:
    desk = Desk()
    one, other = desk.engine(), desk.engine()
    publish(desk, shop())
    desk.answer(one, place(policy="corner-shop"))
    other.follow(0, desk.clock)
    assert other.control.book.newest("corner-shop") is None
    future = desk.send(other, ship("s1", 10))
    other.take(desk.clock)
    other.work(desk.clock)
    assert not future.done()
    desk.run()
    assert future.result(0).kind == "accepted"


def test_an_order_pinned_to_a_policy_that_nobody_published_is_not_decided() -> None:
    desk = Desk()
    engine = desk.engine()
    desk.answer(engine, place())
    elsewhere = Desk()
    publishing = elsewhere.engine()
    publish(elsewhere, shop())
    elsewhere.answer(publishing, place(policy="corner-shop", order="acme/PO-2"))
    desk.log.records[0].append(elsewhere.log.records[0][0]._replace(offset=1))
    outcome = desk.answer(engine, ship("s1", 10, order="acme/PO-2"))
    assert (outcome.kind, outcome.rule) == ("unavailable", "policy-unknown")
    assert desk.answer(engine, ship("s1", 10)).kind == "accepted"


def test_a_policy_that_this_release_cannot_read_still_occupies_its_version() -> None:
    desk = Desk()
    engine = desk.engine()
    newer = PolicyPublished("future", 1, b"\x07" * 32, '{"id":"future","rules":["telepathy"],"version":1}')
    name, version, data = encode_event(newer)
    part = StreamEntry("$policy/future", "chain", ZERO_HASH, 0, (EventEntry(0, name, version, MORNING, data),))
    commit = Commit(1, bytes(15) + b"\xff", None, None, None, None, None, MORNING, "newer", (part,))
    desk.control_log.journal("newer").append(0, b"", encode_record("newer", [encode_commit(commit)]))
    desk.run()
    assert ("future", 1) in engine.control.policies.unreadable
    assert desk.answer(engine, place(policy="future")).rule == "no-such-policy"
    mine = read_policy_toml('id = "future"\nversion = 1\nrules = ["shipped-lock"]\n')
    assert publish(desk, mine).rule == "policy-exists"


def test_the_control_log_records_the_number_of_partitions_once() -> None:
    desk = Desk(partitions=3)
    control = desk.control()
    assert control.partitions == 3
    control.create(5, MORNING, lambda settled: None)
    while control.step(MORNING):
        pass
    assert desk.control().partitions == 3
    control.agree(3)
    with pytest.raises(JournalMismatch, match="3 partitions"):
        control.agree(4)


def test_a_control_log_has_one_partition() -> None:
    log = MemoryLog(2, lambda: MORNING)
    with pytest.raises(JournalMismatch, match="exactly one"):
        ControlLog(log.journal(), memory_local_state(0, 2), "w", lambda: bytes(16))
