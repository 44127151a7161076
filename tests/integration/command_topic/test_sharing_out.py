"""Members of the group, polled by hand: every partition is assigned in the end, whatever happens in between."""

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
from tests.integration.command_topic.stage import Stage, placed, wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group(GROUP)]


class Members:
    """Intakes of one stage, by name."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.all: dict[str, CommandConsumer] = {}

    def join(self, name: str) -> CommandConsumer:
        """A new member, or a member of this name that has restarted."""
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


def test_a_member_that_restarts_during_a_move_leaves_no_partition_unassigned(members: Members) -> None:
    one = members.join("one")
    wait_until(members.share_all)
    coordinator = one._consumer._coordinator
    request_rejoin = coordinator.request_rejoin
    coordinator.request_rejoin = lambda: (
        None if one._moves[1:] else request_rejoin()
    )  # it leaves before it requests the second half
    members.join("two")

    def let_go() -> bool:
        members.poll()
        return len(one.assigned) < 4

    wait_until(let_go)
    members.join("one")
    wait_until(members.share_all)
    wait_until(lambda: members.share_all() and all(each.assigned for each in members.all.values()))


def test_a_member_that_rejoins_at_once_gets_its_partitions_and_the_others_retain_theirs(members: Members) -> None:
    members.join("one")
    two = members.join("two")
    wait_until(lambda: members.share_all() and all(each.assigned for each in members.all.values()))
    before = {name: each.assigned for name, each in members.all.items()}
    two.moves()
    one = members.join("one")
    wait_until(lambda: members.share_all() and one.joined)
    assert {name: each.assigned for name, each in members.all.items()} == before
    assert two.moves() == []


def test_the_membership_that_is_committed_with_is_of_the_polls_own_generation(members: Members) -> None:
    one = members.join("one")
    assert one.membership is None
    wait_until(members.share_all)
    first = one.membership
    assert first is not None
    members.join("two")
    wait_until(lambda: members.share_all() and all(each.assigned for each in members.all.values()))
    second = one.membership
    assert second is not None
    assert second.generation_id > first.generation_id
    one.close()
    assert one.membership is None


def test_records_are_read_with_their_headers_from_the_offset_of_the_group(members: Members) -> None:
    one = members.join("one")
    sent = members.stage.send(placed("PO-1"), [("rescind-ask", b"mine")])
    found = []

    def arrived() -> bool:
        found.extend(one.poll(0.3, 10))
        return bool(found)

    wait_until(arrived)
    assert (found[0].partition, found[0].offset, found[0].key) == (*sent, b"acme/PO-1")
    assert found[0].headers == {"rescind-ask": b"mine"}
    assert one.behind({}) == 0
    assert one.behind({sent[0]: sent[1]}) == 1
    one.rewind()
    found.clear()
    wait_until(arrived)
    assert found[0].offset == sent[1]


def test_a_member_that_receives_nothing_although_there_are_records_reports_it_and_can_rejoin(
    members: Members, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infra.command_topic.consumer._LOOK", 0.5)
    one = members.join("one")
    wait_until(members.share_all)
    one._consumer.pause(*one._consumer.assignment())  # simulates a client that has forgotten to read
    members.stage.send(placed("PO-1"))
    with pytest.raises(CommandsUnavailable, match="has more, and nothing comes"):
        wait_until(lambda: bool(one.poll(0.1, 10)))
    one = members.join("one")
    wait_until(lambda: bool(one.poll(0.3, 10)))


def test_short_polls_are_enough_to_become_a_member_and_to_stay_one(members: Members) -> None:
    one, two = members.join("one"), members.join("two")
    shared: list[set[int]] = []
    stopping = threading.Event()

    def poll_until_stopped(each: CommandConsumer) -> None:
        while not stopping.is_set():
            each.poll(0, 10)

    threads = [threading.Thread(target=poll_until_stopped, args=(each,), daemon=True) for each in (one, two)]
    for thread in threads:
        thread.start()

    def all_shared() -> bool:
        shared.append(set(one.assigned) | set(two.assigned))
        return one.settled and two.settled and shared[-1] == set(range(4)) and bool(one.assigned and two.assigned)

    wait_until(all_shared)
    stopping.set()
    for thread in threads:
        thread.join()


def test_a_member_that_cannot_rejoin_reports_it(members: Members) -> None:
    one = members.join("one")
    wait_until(members.share_all)
    wait_until(lambda: bool(one.poll(0.1, 1) or one.settled))
    one._consumer._coordinator.state = MemberState.REBALANCING  # as observed: the member is stuck
    with pytest.raises(CommandsUnavailable, match="lost its way"):
        one.poll(0, 1)


def test_a_member_removed_while_joining_takes_over_no_partition_that_others_may_have_answered(
    members: Members,
) -> None:
    one = members.join("one")
    wait_until(members.share_all)
    wait_until(lambda: not one.poll(0.1, 1) and one.settled)
    sent = members.stage.send(placed("PO-1"))
    wait_until(lambda: bool(one.poll(0.3, 1)))
    one.moves()
    before = one.membership
    assert before is not None
    coordinator = one._consumer._coordinator
    coordinator.rejoining = True  # it had begun to join, and the group gave it up before it was heard
    coordinator.reset_generation()
    found = []

    def arrived_again() -> bool:
        found.extend(one.poll(0.3, 1))
        return bool(found)

    wait_until(arrived_again)
    assert one.membership is not None
    assert one.membership.member_id != before.member_id
    assert ("went", frozenset(range(4))) in one.moves()
    assert (found[0].partition, found[0].offset) == sent
