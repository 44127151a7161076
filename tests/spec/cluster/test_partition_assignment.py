"""Partitions assigned to a process and revoked from it, with their listeners; on a fake engine and on the real one, in
files and in memory."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from consumers.engine.background_tasks import Interrupted
from consumers.log.follower import Follower
from consumers.ports.journal import JournalUnavailable
from consumers.ports.local_state import LocalState, LocalStateUnavailable
from infra.cluster.partition_assignment import LINGER, RETRY, PartitionAssignment
from infra.local_state import open_local_state
from tests.spec.engine.desk import Desk, place

PARTITIONS = 4


class Listener:
    """Writes down what it hears; ``fails`` says what it raises next."""

    def __init__(self, name: str, heard: list[str]) -> None:
        self.name = name
        self.fails: list[Exception] = []
        self.has: dict[int, LocalState] = {}
        self._heard = heard

    def assign(self, follower: Follower, state: LocalState) -> None:
        if self.fails:
            raise self.fails.pop()
        self.has[follower.partition] = state
        self._heard.append(f"{self.name} +{follower.partition}")

    def revoke(self, partition: int) -> None:
        state = self.has.pop(partition, None)
        if state is not None:
            state.close()
            self._heard.append(f"{self.name} -{partition}")


class MadeUp:
    """An engine that does what it was asked when ``run`` is called, and not before."""

    def __init__(self, heard: list[str]) -> None:
        self.followers: dict[int, Any] = {}
        self._heard = heard
        self._starting: dict[int, Future[None]] = {}
        self._todo: list[Callable[[], None]] = []

    def follows(self, partition: int) -> bool:
        return partition in self.followers and partition not in self._starting

    def assign(self, partition: int, state: LocalState) -> Future[None]:
        future: Future[None] = Future()
        future.set_running_or_notify_cancel()

        def begin() -> None:
            self.followers[partition] = Follower(Desk(PARTITIONS).log.journal("made up"), partition, state)
            self._starting[partition] = future
            self._todo.append(arrive)

        def arrive() -> None:
            if self._starting.pop(partition, None) is not None:
                self._heard.append(f"engine +{partition}")
                future.set_result(None)

        self._todo.append(begin)
        return future

    def revoke(self, partition: int) -> Future[None]:
        future: Future[None] = Future()
        future.set_running_or_notify_cancel()

        def end() -> None:
            starting = self._starting.pop(partition, None)
            if starting is not None:
                starting.set_exception(Interrupted("it was revoked again"))
            del self.followers[partition]
            self._heard.append(f"engine -{partition}")
            future.set_result(None)

        self._todo.append(end)
        return future

    def run(self) -> None:
        while self._todo:
            self._todo.pop(0)()


class World:
    """An engine that follows nothing yet, what attends to it, two that listen, and a clock that is set by hand."""

    def __init__(self, directory: Path, *, real: bool) -> None:
        self.heard: list[str] = []
        self.now = 100.0
        self.closed: list[int] = []
        self.unreadable: list[Exception] = []
        self.views, self.publishing = Listener("views", self.heard), Listener("publishing", self.heard)
        self._directory = directory
        self.desk = Desk(PARTITIONS)
        self.engine: Any
        if real:
            self.engine = self.desk.engine()
            for partition in range(PARTITIONS):
                self.engine.revoke(partition)
            self.desk.run(self.engine)
        else:
            self.engine = MadeUp(self.heard)
        self.real = real
        self.assignment = PartitionAssignment(
            self.engine, [self.views, self.publishing], self._open, self._open_reader, linger=LINGER
        )

    def _open(self, partition: int) -> LocalState:
        if self.unreadable:
            raise self.unreadable.pop()
        state = open_local_state(self._directory / f"{partition}.sqlite", partition, PARTITIONS).state
        close = state.close

        def closing() -> None:
            self.closed.append(partition)
            close()

        state.close = closing  # type: ignore[method-assign]
        return state

    def _open_reader(self, partition: int) -> LocalState:
        return open_local_state(self._directory / f"{partition}.sqlite", partition, PARTITIONS, read_only=True).state

    def run(self) -> None:
        """Step until nothing moves, also after the engine's own steps."""
        quiet = 0
        for _ in range(50):
            quiet = 0 if self.assignment.step(self.now) else quiet + 1
            if self.real:
                self.desk.run(self.engine)
            else:
                self.engine.run()
            if quiet == 3:
                return
        raise AssertionError("it does not settle")

    def later(self, seconds: float) -> None:
        self.now += seconds
        self.run()

    @property
    def listened(self) -> set[int]:
        """The partitions of both listeners."""
        assert self.views.has.keys() == self.publishing.has.keys()
        return set(self.views.has)


@pytest.fixture(params=[False, True], ids=["made up", "real"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, real=request.param)
    yield made
    made.assignment.close()


def test_an_assigned_partition_is_followed_before_its_listeners_start(world: World) -> None:
    world.assignment.assign(1)
    world.assignment.assign(3)
    assert not world.assignment.settled
    world.run()
    assert world.assignment.settled
    assert set(world.engine.followers) == world.listened == {1, 3}
    started = [each for each in world.heard if each.endswith("1") and not each.startswith("engine")]
    assert started == ["views +1", "publishing +1"]
    if not world.real:
        assert world.heard.index("engine +1") < world.heard.index("views +1")


def test_a_revoked_partition_stops_in_the_opposite_order_and_closes_its_file_last(world: World) -> None:
    world.assignment.assign(1)
    world.assignment.assign(2)
    world.run()
    world.heard.clear()
    world.assignment.revoke(1)
    world.run()
    assert world.listened == {1, 2}, "it is followed on for a moment"
    world.later(LINGER)
    assert world.listened == set(world.engine.followers) == {2}
    assert world.heard[:2] == ["publishing -1", "views -1"]
    assert world.closed == [1]
    assert world.assignment.settled


def test_a_partition_that_a_rebalance_revokes_and_reassigns_is_never_released(world: World) -> None:
    world.assignment.assign(1)
    world.run()
    follower = world.engine.followers[1]
    for _ in range(3):
        world.assignment.revoke(1)
        world.later(LINGER - 1)
        world.assignment.assign(1)
        world.later(LINGER - 1)
    assert world.engine.followers[1] is follower
    assert [each for each in world.heard if "-" in each] == []


def test_a_partition_revoked_while_it_starts_gets_no_listener(world: World) -> None:
    world.assignment.assign(1)
    world.assignment.step(world.now)
    world.assignment.revoke(1)
    world.assignment.step(world.now)
    world.now += LINGER
    world.assignment.step(world.now)
    world.run()
    assert set(world.engine.followers) == world.listened == set()
    assert [each for each in world.heard if each.startswith(("views", "publishing"))] == []
    assert world.closed == [1]


def test_a_partition_reassigned_while_it_stops_restarts_once_its_file_is_closed(world: World) -> None:
    world.assignment.assign(1)
    world.run()
    world.assignment.revoke(1)
    world.assignment.step(world.now)
    world.now += LINGER
    world.assignment.step(world.now)
    world.assignment.assign(1)
    world.assignment.step(world.now)
    assert world.closed == []
    world.run()
    assert world.closed == [1]
    assert set(world.engine.followers) == world.listened == {1}
    assert world.assignment.settled


def test_local_state_that_cannot_be_opened_is_tried_again_and_blocks_nobody(world: World) -> None:
    world.unreadable.append(LocalStateUnavailable("the disk is full"))
    world.assignment.assign(1)
    world.assignment.assign(2)
    world.run()
    assert set(world.engine.followers) == {2}
    assert world.assignment.trouble == {1: "the disk is full"}
    assert not world.assignment.settled
    world.later(RETRY / 2)
    assert 1 not in world.engine.followers
    world.later(RETRY)
    assert set(world.engine.followers) == world.listened == {1, 2}
    assert world.assignment.trouble == {}


def test_if_one_listener_cannot_start_none_does_and_the_start_is_tried_again(world: World) -> None:
    world.publishing.fails.append(JournalUnavailable("no broker answers"))
    world.assignment.assign(1)
    world.run()
    assert set(world.engine.followers) == world.listened == set()
    assert world.assignment.trouble == {1: "no broker answers"}
    world.later(RETRY)
    assert set(world.engine.followers) == world.listened == {1}
    assert world.assignment.trouble == {}


def test_trouble_with_a_revoked_partition_is_cleared(world: World) -> None:
    world.unreadable.append(LocalStateUnavailable("the disk is full"))
    world.assignment.assign(1)
    world.run()
    world.assignment.revoke(1)
    world.run()
    assert world.assignment.trouble == {}
    assert world.assignment.settled


def test_a_reassigned_partition_has_the_decisions_that_others_made_since(tmp_path: Path) -> None:
    world = World(tmp_path, real=True)
    other = world.desk.engine()
    order = next(f"acme/PO-{n}" for n in range(100) if other.partition(f"acme/PO-{n}") == 1)
    world.assignment.assign(1)
    world.run()
    world.assignment.revoke(1)
    world.later(0)
    world.later(LINGER)
    assert world.closed == [1]
    assert world.desk.answer(other, place(order=order)).kind == "accepted"
    world.assignment.assign(1)
    world.run()
    assert world.desk.answer(world.engine, place(order=order)).kind == "duplicate"
    assert world.views.has[1].next_ordinal == 1
    world.assignment.close()


def test_an_engine_that_closes_while_partitions_come_and_go_breaks_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, real=True)
    world.assignment.assign(1)
    world.run()
    world.assignment.assign(2)
    world.assignment.revoke(1)
    world.assignment.step(world.now)
    world.now += LINGER
    world.assignment.step(world.now)
    world.engine.close()
    for _ in range(3):
        world.assignment.step(world.now)
    world.assignment.close()
    assert sorted(world.closed) == [1, 2]
