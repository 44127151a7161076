"""Engines killed, frozen and thawed, several on the same orders, on a real broker: nothing acknowledged is lost,
nothing happens twice, every answer to a command id is the same."""

import random
import signal
from functools import partial
from pathlib import Path

import pytest

from infra.settings import load_settings
from infra.store.logs import store_of
from tests.broker.fixtures import SECOND_GROUP, Kafka
from tests.integration.kafka.orders import Answer, Child, check
from tests.integration.kafka.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group(SECOND_GROUP)]

Answers = list[tuple[str, Answer]]


def judge(url: str, directory: Path, answers: Answers) -> None:
    """Look at the log, and at the orders as a process sees them that reads all of it for the first time."""
    settings = load_settings(journal=url, directory=str(directory))
    store = store_of(settings)
    assert store is not None
    journal = store.journal(None)
    try:
        check(settings, journal, answers)
    finally:
        journal.close()


def everyone(name: str, orders: int) -> set[str]:
    return {f"{name}-PO-{n}-{step}" for n in range(orders) for step in "prsct"}


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)])
def test_an_engine_that_is_killed_at_any_moment_goes_on_where_it_was(kafka: Kafka, tmp_path: Path, seed: int) -> None:
    orders, answers, chance = 60, Answers(), random.Random(seed)
    url = kafka.url(partitions=3)
    for moment in (chance.randrange(1, 60), chance.randrange(1, 200)):
        child = Child(url, tmp_path / "own", "a", orders, seed)
        wait_until(partial(child.has_answered, moment))
        child.signal(signal.SIGKILL)
        answers += child.end(-signal.SIGKILL)
    last = Child(url, tmp_path / "own", "a", orders, seed).end()
    assert {command_id for command_id, _ in last} == everyone("a", orders)
    assert {answer[0] for _, answer in last} <= {"accepted", "refused"}
    judge(url, tmp_path / "another", answers + last)


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_two_engines_fight_over_the_same_orders_and_one_of_them_sleeps(kafka: Kafka, tmp_path: Path, seed: int) -> None:
    orders = 60
    url = kafka.url(partitions=3)
    zombie = Child(url, tmp_path / "zombie", "z", orders, seed)
    wait_until(lambda: len(zombie.answers) > 20)
    zombie.signal(signal.SIGSTOP)  # in the middle of things: what it knows grows old
    other = Child(url, tmp_path / "other", "o", orders, seed)
    wait_until(lambda: len(other.answers) > 150)
    zombie.signal(signal.SIGCONT)
    answers = [*zombie.end(), *other.end()]
    assert {command_id for command_id, _ in answers} == everyone("z", orders) | everyone("o", orders)
    judge(url, tmp_path / "another", answers)


@pytest.mark.slow
def test_two_engines_on_one_directory_each_have_local_state_of_their_own(kafka: Kafka, tmp_path: Path) -> None:
    url = kafka.url(partitions=2)
    first, second = (
        Child(url, tmp_path / "own", name, 400) for name in "ab"
    )  # long enough for both to be there at once
    judge(url, tmp_path / "own", [*first.end(), *second.end()])
    assert {path.name for path in (tmp_path / "own" / "state").iterdir()} == {"0", "1"}


@pytest.mark.slow
def test_a_killed_engine_continues_with_librdkafka_too(kafka: Kafka, tmp_path: Path) -> None:
    url = kafka.url(partitions=3)
    child = Child(url, tmp_path / "own", "a", 60, RESCIND_KAFKA_CLIENT="librdkafka")
    wait_until(lambda: len(child.answers) >= 50)
    child.signal(signal.SIGKILL)
    answers = child.end(-signal.SIGKILL)
    last = Child(url, tmp_path / "own", "a", 60, RESCIND_KAFKA_CLIENT="librdkafka").end()
    assert {command_id for command_id, _ in last} == everyone("a", 60)
    judge(url, tmp_path / "another", answers + last)
