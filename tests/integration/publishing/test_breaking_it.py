"""Publishers are killed, frozen, and set against each other on a real broker: read_committed readers see every record
once, in the journal's order."""

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.broker.fixtures import SECOND_GROUP, Kafka
from tests.broker.local import LocalCluster
from tests.broker.topics import admin
from tests.integration.publishing.stage import Stage, a_history, read_topic, wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group(SECOND_GROUP)]

Open = Callable[[int], Stage]


@pytest.fixture
def stage(kafka: Kafka, tmp_path: Path) -> Stage:
    return Stage(tmp_path, kafka.servers, kafka.prefix(), 2)


def appending(stage: Stage, history, seconds: float) -> threading.Thread:
    """Append a history over so many seconds, in a thread."""
    records = list(stage.records(history))

    def run() -> None:
        began = time.monotonic()
        for number, (partition, record) in enumerate(records):
            stage.append(partition, record)
            ahead = began + seconds * number / len(records) - time.monotonic()
            if ahead > 0.01:
                threading.Event().wait(ahead)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def killed_repeatedly(stage: Stage, kills: int, orders: int, seed: int) -> None:
    chance = random.Random(seed)
    history = a_history(stage.partitions, orders)
    with stage:
        child = stage.child("a")
        child.ready()
        writer = appending(stage, history, kills * 0.6)
        for _ in range(kills):
            threading.Event().wait(chance.uniform(0.0, 0.5))
            child.kill()
            child = stage.child("a")
            child.ready()
        writer.join()
        stage.all_seen_once(history)


def test_killed_in_a_loop_nothing_is_missing_and_nothing_is_there_twice(stage: Stage) -> None:
    killed_repeatedly(stage, 4, 300, 1)


@pytest.mark.slow
def test_killed_thirty_times_nothing_is_missing_and_nothing_is_there_twice(stage: Stage) -> None:
    killed_repeatedly(stage, 30, 3_000, 2)


def two_at_once(stage: Stage, rounds: int, orders: int, seed: int) -> None:
    """Two processes publish the same; one of them is killed or frozen in turn, and comes back."""
    chance = random.Random(seed)
    history = a_history(stage.partitions, orders)
    with stage:
        children = [stage.child("a"), stage.child("b")]
        for child in children:
            child.ready()
        writer = appending(stage, history, rounds * 1.0)
        for number in range(rounds):
            which = number % 2
            threading.Event().wait(chance.uniform(0.0, 0.4))
            if chance.random() < 0.5:
                children[which].kill()
                children[which] = stage.child("ab"[which])
            else:
                children[which].freeze()
                threading.Event().wait(chance.uniform(0.2, 2.0))
                children[which].thaw()
        writer.join()
        stage.all_seen_once(history)


def test_two_publishers_that_are_killed_and_frozen_in_turn_publish_everything_once(
    stage: Stage,
) -> None:
    two_at_once(stage, 4, 300, 1)


@pytest.mark.slow
def test_two_publishers_for_longer(stage: Stage) -> None:
    two_at_once(stage, 25, 3_000, 2)


def test_a_zombie_that_wakes_beside_its_successor_adds_nothing(stage: Stage) -> None:
    history = a_history(stage.partitions, 240)
    records = list(stage.records(history))
    with stage:
        zombie = stage.child("a")
        zombie.ready()
        for partition, record in records[:200]:
            stage.append(partition, record)
        wait_until(lambda: any(stage.seen("order-events", committed=False).values()))
        zombie.freeze()
        for partition, record in records[200:400]:
            stage.append(partition, record)
        successor = stage.child("b")
        successor.ready()
        zombie.thaw()
        for partition, record in records[400:]:
            stage.append(partition, record)
        stage.all_seen_once(history)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_a_broker_that_is_away_for_a_while_only_delays_publishing(
    cluster: Callable[..., LocalCluster], tmp_path: Path, how: str
) -> None:
    brokers = cluster(1)
    history = a_history(2, 400)
    records = list(Stage.records(history))
    with Stage(tmp_path, brokers.servers, "held", 2) as stage:
        child = stage.child("a")
        child.ready()
        for number, (partition, record) in enumerate(records):
            stage.append(partition, record)
            if number % 400 == 200:
                wait_until(lambda: any(stage.seen("order-events").values()))
                if how == "killed":
                    brokers.node(1).kill()
                    threading.Event().wait(1.0)
                    brokers.restart(1)
                else:
                    brokers.node(1).freeze()
                    threading.Event().wait(13.0)  # longer than the publisher's timeout
                    brokers.node(1).thaw()
        stage.all_seen_once(history)


def test_an_emptied_topic_is_left_out_until_the_operator_decides(
    stage: Stage, capfd: pytest.CaptureFixture[str]
) -> None:
    history = a_history(stage.partitions, 40)
    records = list(stage.records(history))
    with stage:
        child = stage.child("a")
        child.ready()
        for partition, record in records[:60]:
            stage.append(partition, record)
        wait_until(lambda: sum(map(len, stage.seen("order-events").values())) >= 60)
        child.kill()
        name = f"{stage.at.prefix}.order-events"
        with admin(stage.at.servers) as admin_client:
            admin_client.delete_topics([name])
        from infra.addresses.kafka import Security
        from infra.publishing.topics import PublicTopics

        def made() -> bool:
            topics = PublicTopics(stage.at, Security())
            try:
                return name in topics.create(stage.partitions)
            finally:
                topics.close()

        wait_until(made)
        for partition, record in records[60:]:
            stage.append(partition, record)
        child = stage.child("a")
        child.ready()
        stderr = ""

        def stopped() -> bool:
            nonlocal stderr
            stderr += capfd.readouterr().err
            return stderr.count("publishing has stopped") == stage.partitions

        wait_until(stopped)
        assert "order-events" in stderr and "--onwards" in stderr
        assert read_topic(stage.at.servers, name, committed=False) == {0: [], 1: []}
