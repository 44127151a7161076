"""Engines that process commands are killed, frozen, stopped and joined by others: each input has exactly one outcome.

A read_committed reader of the topics alone decides: every input that was sent is answered once, of each order in the
order of its inputs, and no event is in two answers.
"""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.broker.fixtures import GROUP, Kafka
from tests.broker.local import LocalCluster
from tests.integration.command_topic.stage import Child, Stage, command_document, placed, wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group(GROUP)]

ORDERS = 9


@pytest.fixture
def stage(kafka: Kafka, tmp_path: Path) -> Iterator[Stage]:
    with Stage(kafka, tmp_path) as stage:
        yield stage


class Writer:
    """Sends commands of several orders, one after the other, until it is stopped."""

    def __init__(self, stage: Stage, pause: float = 0.015) -> None:
        self._stage = stage
        self._pause = pause
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.sent: list[tuple[int, int]] = []

    def __enter__(self) -> "Writer":
        lines = [{"line": 1, "sku": "A-1", "quantity": 100_000, "unit_price": "1.00"}]
        for number in range(ORDERS):
            self.sent.append(self._stage.send(placed(f"PO-{number}", lines=lines, policy="big-box")))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        chance = random.Random(7)
        number = 0
        while not self._stopping.wait(self._pause):
            number += 1
            order = f"PO-{chance.randrange(ORDERS)}"
            one = [{"line": 1, "quantity": 1}]
            if chance.random() < 0.02:
                partition = self._stage.send(
                    command_document("Ship", order, f"odd-{number}", shipment_id="", lines=one)
                )
            elif chance.random() < 0.05:  # sent before: the first answer is repeated
                partition = self._stage.send(command_document("Ship", order, "twice", shipment_id="twice", lines=one))
            else:
                partition = self._stage.send(
                    command_document("Ship", order, f"c{number}", shipment_id=f"s{number}", lines=one)
                )
            self.sent.append(partition)


def all_answered_once(stage: Stage, sent: list[tuple[int, int]], timeout: float = 180.0) -> None:
    """Wait for as many outcomes as inputs; then each input has exactly one, in order, and nothing was decided twice."""
    try:
        wait_until(lambda: len(stage.seen("outcomes")) >= len(sent), timeout)
    except AssertionError as late:
        raise AssertionError(f"{len(sent)} were sent, {len(stage.answered())} answered; {stage.group()}") from late
    wanted, answered = Counter(f"{partition}:{offset}" for partition, offset in sent), Counter(stage.answered())
    assert answered - wanted == wanted - answered == Counter(), "each input has one outcome"
    last: dict[tuple[int, bytes], int] = {}
    events: dict[tuple[int, int], str] = {}
    for record in stage.seen("outcomes"):
        order = record.partition, record.key.rpartition(b"/")[0]
        offset = int(dict(record.headers)["rescind-input"].rpartition(b":")[2])
        assert last.get(order, -1) < offset, "an order's inputs are answered in their order"
        last[order] = offset
    for key, outcomes in stage.outcomes().items():
        for each in outcomes:
            assert each["outcome"] in ("accepted", "refused", "bad"), (key, each)
            for event in each.get("events", ()):
                at = (event["partition"], event["position"])
                assert events.setdefault(at, key) == key, "one event answers one command"


def killed_repeatedly(stage: Stage, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    child = stage.child("one")
    with Writer(stage) as writer:
        for _ in range(kills):
            child.joined()
            seen = len(stage.answered())
            wait_until(lambda seen=seen: len(stage.answered()) > seen)  # type: ignore[misc]
            threading.Event().wait(chance.uniform(0.0, 0.8))  # a moment that is not chosen by what happens
            child.kill()
            child = stage.child("one")
    all_answered_once(stage, writer.sent)


def test_an_engine_that_is_killed_repeatedly_answers_each_input_once(stage: Stage) -> None:
    killed_repeatedly(stage, 3, 1)


@pytest.mark.slow
def test_an_engine_that_is_killed_thirty_times_answers_each_input_once(stage: Stage) -> None:
    killed_repeatedly(stage, 30, 2)


@pytest.mark.slow
def test_two_engines_share_the_inputs_and_one_that_is_stopped_leaves_them_to_the_other(stage: Stage) -> None:
    with Writer(stage) as writer, stage.open("one") as one:
        assert one.command_topic is not None
        first = one.command_topic
        wait_until(lambda: len(first.assigned) == stage.partitions)
        other = stage.child("two")
        other.joined()
        wait_until(lambda: len(first.assigned) < stage.partitions)
        seen = len(stage.answered())
        wait_until(lambda: len(stage.answered()) > seen + 50)
        other.kill()
        wait_until(lambda: len(first.assigned) == stage.partitions)
        restarted = stage.child("two")
        restarted.joined()
        wait_until(lambda: len(first.assigned) < stage.partitions)
    all_answered_once(stage, writer.sent)


def test_an_engine_that_wakes_after_its_session_has_ended_adds_nothing(stage: Stage) -> None:
    zombie = stage.child("one")
    with Writer(stage) as writer:
        zombie.joined()
        wait_until(lambda: len(stage.answered()) > 20)
        zombie.freeze()
        successor: Child = stage.child("two")
        assert successor.joined() == list(range(stage.partitions))
        seen = len(stage.answered())
        wait_until(lambda: len(stage.answered()) > seen + 50)
        zombie.thaw()
        wait_until(lambda: len(zombie.joined()) < stage.partitions)
        seen = len(stage.answered())
        wait_until(lambda: len(stage.answered()) > seen + 50)
    all_answered_once(stage, writer.sent)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_three_engines_that_are_killed_and_frozen_in_turn_answer_each_input_once(stage: Stage, seed: int) -> None:
    chance = random.Random(seed)
    children = {name: stage.child(name) for name in ("one", "two", "three")}
    with Writer(stage) as writer:
        children["one"].joined()
        for _ in range(8):
            name = chance.choice(sorted(children))
            if chance.random() < 0.5:
                children[name].kill()
                threading.Event().wait(chance.uniform(0.0, 14.0))  # its session may end in this time
                children[name] = stage.child(name)
            else:
                children[name].freeze()
                threading.Event().wait(chance.uniform(5.0, 14.0))
                children[name].thaw()
            seen = len(stage.answered())
            wait_until(lambda seen=seen: len(stage.answered()) > seen)  # type: ignore[misc]
    all_answered_once(stage, writer.sent)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_a_broker_that_is_away_for_a_while_only_delays_the_answers(
    cluster: Callable[..., LocalCluster], tmp_path: Path, how: str
) -> None:
    brokers = cluster(1, {"broker.session.timeout.ms": "1000", "broker.heartbeat.interval.ms": "200"})
    with Stage(Kafka(brokers.servers), tmp_path) as stage, stage.open() as app:
        command_topic = app.command_topic
        assert command_topic is not None
        with Writer(stage) as writer:
            for _ in range(1 if how == "killed" else 2):
                seen = len(stage.answered())
                wait_until(lambda seen=seen: len(stage.answered()) > seen + 20)  # type: ignore[misc]
                if how == "killed":
                    brokers.node(1).kill()
                    wait_until(lambda: command_topic.trouble is not None)
                    brokers.restart(1)
                else:
                    brokers.node(1).freeze()
                    threading.Event().wait(13.0)  # longer than a transaction may take
                    brokers.node(1).thaw()
                wait_until(lambda: command_topic.trouble is None)
        all_answered_once(stage, writer.sent)
