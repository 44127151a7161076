"""Members of the group, polled by hand: every partition is somebody's in the end, whatever happens in between."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from kafka.structs import MemberState

from infra.addresses.kafka import Security
from infra.command_topic.committed_offsets import CommandsUnavailable
from infra.command_topic.consumer import CommandConsumer
from tests.broker.fixtures import GROUP, Kafka
from tests.integration.command_topic.stage import Stage, placed, soon

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group(GROUP)]


class Members:
    """Intakes of one stage, by name."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.all: dict[str, CommandConsumer] = {}

    def join(self, name: str) -> CommandConsumer:
        """A member, or the same one anew, as after a restart."""
        before = self.all.get(name)
        if before is not None:
            before.close()
        self.all[name] = CommandConsumer(self.stage.at, Security(), name, self.stage.partitions)
        self.all[name].open()
        return self.all[name]

    def poll(self) -> None:
        for each in self.all.values():
            each.poll(0.3, 10)

    def share_all(self) -> bool:
        """Whether each partition is one member's, after another poll."""
        self.poll()
        had = [partition for each in self.all.values() for partition in each.assigned]
        return sorted(had) == list(range(self.stage.partitions))

    def close(self) -> None:
        for each in self.all.values():
            each.close()


@pytest.fixture
def members(kafka: Kafka, tmp_path: Path) -> Iterator[Members]:
    with ExitStack() as closing:
        found = Members(closing.enter_context(Stage(kafka, tmp_path, 4)))
        closing.callback(found.close)
        yield found


def test_who_goes_in_the_middle_of_a_move_and_comes_back_leaves_nothing_to_nobody(members: Members) -> None:
    one = members.join("one")
    soon(members.share_all)
    coordinator = one._consumer._coordinator
    asks = coordinator.request_rejoin
    coordinator.request_rejoin = lambda: (
        None if one._moves[1:] else asks()
    )  # it goes before it asks for the second half
    members.join("two")

    def let_go() -> bool:
        members.poll()
        return len(one.assigned) < 4

    soon(let_go)
    members.join("one")
    soon(members.share_all)
    soon(lambda: members.share_all() and all(each.assigned for each in members.all.values()))


def test_who_comes_back_at_once_has_what_it_had_and_the_others_keep_theirs(members: Members) -> None:
    members.join("one")
    two = members.join("two")
    soon(lambda: members.share_all() and all(each.assigned for each in members.all.values()))
    before = {name: each.assigned for name, each in members.all.items()}
    two.moves()
    one = members.join("one")
    soon(lambda: members.share_all() and one.joined)
    assert {name: each.assigned for name, each in members.all.items()} == before
    assert two.moves() == []


def test_the_membership_that_is_committed_with_is_of_the_polls_own_generation(members: Members) -> None:
    one = members.join("one")
    assert one.membership is None
    soon(members.share_all)
    first = one.membership
    assert first is not None
    members.join("two")
    soon(lambda: members.share_all() and all(each.assigned for each in members.all.values()))
    second = one.membership
    assert second is not None
    assert second.generation_id > first.generation_id
    one.close()
    assert one.membership is None


def test_records_come_with_their_headers_from_where_the_group_is(members: Members) -> None:
    one = members.join("one")
    sent = members.stage.send(placed("PO-1"), [("rescind-ask", b"mine")])
    found = []

    def came() -> bool:
        found.extend(one.poll(0.3, 10))
        return bool(found)

    soon(came)
    assert (found[0].partition, found[0].offset, found[0].key) == (*sent, b"acme/PO-1")
    assert found[0].headers == {"rescind-ask": b"mine"}
    assert one.behind({}) == 0
    assert one.behind({sent[0]: sent[1]}) == 1
    one.rewind()
    found.clear()
    soon(came)
    assert found[0].offset == sent[1]


def test_a_member_to_whom_nothing_comes_though_there_is_something_says_so_and_begins_anew(
    members: Members, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.command_topic.consumer._LOOK", 0.5)
    one = members.join("one")
    soon(members.share_all)
    one._consumer.pause(*one._consumer.assignment())  # stands for a client that has forgotten to read
    members.stage.send(placed("PO-1"))
    with pytest.raises(CommandsUnavailable, match="has more, and nothing comes"):
        soon(lambda: bool(one.poll(0.1, 10)))
    one = members.join("one")
    soon(lambda: bool(one.poll(0.3, 10)))


def test_short_polls_are_enough_to_become_a_member_and_to_stay_one(members: Members) -> None:
    one, two = members.join("one"), members.join("two")
    shared: list[set[int]] = []
    stopping = threading.Event()

    def keep_polling(each: CommandConsumer) -> None:
        while not stopping.is_set():
            each.poll(0, 10)

    threads = [threading.Thread(target=keep_polling, args=(each,), daemon=True) for each in (one, two)]
    for thread in threads:
        thread.start()

    def all_shared() -> bool:
        shared.append(set(one.assigned) | set(two.assigned))
        return one.settled and two.settled and shared[-1] == set(range(4)) and bool(one.assigned and two.assigned)

    soon(all_shared)
    stopping.set()
    for thread in threads:
        thread.join()


def test_a_member_that_has_lost_its_way_says_so(members: Members) -> None:
    one = members.join("one")
    soon(members.share_all)
    soon(lambda: bool(one.poll(0.1, 1) or one.settled))
    one._consumer._coordinator.state = MemberState.REBALANCING  # as it was seen: and nothing goes on
    with pytest.raises(CommandsUnavailable, match="lost its way"):
        one.poll(0, 1)


def test_who_was_put_out_in_the_middle_of_joining_takes_nothing_for_its_own_that_others_may_have_answered(
    members: Members,
) -> None:
    one = members.join("one")
    soon(members.share_all)
    soon(lambda: not one.poll(0.1, 1) and one.settled)
    sent = members.stage.send(placed("PO-1"))
    soon(lambda: bool(one.poll(0.3, 1)))
    one.moves()
    before = one.membership
    assert before is not None
    coordinator = one._consumer._coordinator
    coordinator.rejoining = True  # it had begun to join, and the group gave it up before it was heard
    coordinator.reset_generation()
    found = []

    def came_again() -> bool:
        found.extend(one.poll(0.3, 1))
        return bool(found)

    soon(came_again)
    assert one.membership is not None
    assert one.membership.member_id != before.member_id
    assert ("went", frozenset(range(4))) in one.moves()
    assert (found[0].partition, found[0].offset) == sent
