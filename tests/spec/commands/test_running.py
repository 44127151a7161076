"""The gateway's runner: what it polls, writes and revokes, and in which order, as the group and the brokers change."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from consumers.command_topic.gateway import InputRecord
from consumers.ports.public_log import PublicRecord
from infra.command_topic.committed_offsets import CommandsUnavailable, GroupMovedOn
from infra.command_topic.consumer import CommandConsumer, MemberFenced
from infra.command_topic.producer import OutcomeProducer
from infra.command_topic.runner import CommandTopicRunner
from infra.command_topic.translation import CommandForm
from tests.spec.commands.counter import Hands, PlainForm


class FakeTopics:
    """Consumer and producer in one: notes its calls, and does what it was set to do."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.waiting: list[InputRecord] = []
        self.moving: list[tuple[str, frozenset[int]]] = []
        self.fails: list[Exception] = []
        self.membership: Any = "g1"
        self.joined = self.settled = True
        self.assigned = frozenset({0, 1})
        self.topic_id = "T"
        self.written: list[Mapping[int, int]] = []

    # the consumer
    def open(self) -> None:
        self.log.append("open")

    def close(self) -> None:
        self.log.append("close")

    def poll(self, timeout: float, limit: int) -> list[InputRecord]:
        self.log.append("poll")
        polled, self.waiting = self.waiting[:limit], self.waiting[limit:]
        return polled

    def moves(self) -> list[tuple[str, frozenset[int]]]:
        moves, self.moving = self.moving, []
        return moves

    def rewind(self) -> None:
        self.log.append("rewind")

    def behind(self, unanswered: Mapping[int, int]) -> int:
        return len(unanswered)

    # the producer
    def take_over(self) -> None:
        self.log.append("take over")

    def let_go(self) -> None:
        self.log.append("let go")

    def write(
        self, records: Sequence[tuple[int, PublicRecord]], offsets: Mapping[int, int], membership: object
    ) -> None:  # fmt: skip
        assert membership == self.membership
        self.log.append("write")
        if self.fails:
            raise self.fails.pop(0)
        self.written.append(offsets)


class Driven:
    """A gateway's driver, stepped by hand."""

    def __init__(self) -> None:
        self.topics, self.engine = FakeTopics(), Hands()
        self.taken_up: list[str] = []
        self.runner = CommandTopicRunner(
            cast(CommandForm, PlainForm()),
            self.engine,
            cast(CommandConsumer, self.topics),
            cast(OutcomeProducer, self.topics),
            within=30,
            owner=self,
        )

    def assign(self, partition: int) -> None:
        self.taken_up.append(f"+{partition}")

    def revoke(self, partition: int) -> None:
        self.taken_up.append(f"-{partition}")

    def arrive(self, *inputs: tuple[int, int, str]) -> None:
        self.topics.waiting += [
            InputRecord(partition, offset, b"", value.encode(), {}) for partition, offset, value in inputs
        ]

    def step(self) -> list[str]:
        """Run a step and return the calls it made."""
        self.topics.log.clear()
        self.runner._again_at = 0
        self.runner._step()
        return list(self.topics.log)

    def answer(self) -> None:
        while self.engine.pending:
            self.engine.answer()


@pytest.fixture
def driven() -> Driven:
    return Driven()


def test_an_open_transaction_is_ended_before_the_group_is_joined(driven: Driven) -> None:
    assert driven.step()[:3] == ["take over", "open", "poll"]
    assert driven.step() == ["poll"]


def test_partitions_are_assigned_before_their_inputs_and_revoked_after(driven: Driven) -> None:
    driven.arrive((0, 0, "A 1"))
    driven.step()
    assert driven.taken_up == ["+0", "+1"]
    driven.topics.assigned = frozenset({1})
    driven.topics.moving = [("went", frozenset({0}))]
    driven.step()
    assert driven.taken_up == ["+0", "+1", "-0"]
    assert driven.runner.assigned == {1}


def test_answers_of_a_partition_that_went_are_somebody_elses_to_write(driven: Driven) -> None:
    driven.arrive((0, 0, "A 1"), (1, 0, "B 1"))
    driven.step()
    driven.topics.moving = [("went", frozenset({0}))]
    driven.answer()
    driven.step()
    assert driven.topics.written == [{1: 1}]


def test_nothing_is_written_during_a_rebalance_and_all_of_it_afterwards(driven: Driven) -> None:
    driven.arrive((0, 0, "A 1"))
    driven.step()
    driven.answer()
    driven.topics.settled = False
    assert "write" not in driven.step()
    driven.topics.settled = True
    driven.topics.membership = "g2"
    assert driven.step() == ["poll", "write"]
    assert driven.topics.written == [{0: 1}]


def test_without_room_nothing_is_polled_unless_the_group_waits_for_it(driven: Driven) -> None:
    driven.arrive(*((0, number, f"A {number}") for number in range(2_000)))
    while driven.runner._gateway.room:
        driven.step()
    assert driven.step() == []
    driven.topics.settled = False
    assert driven.step() == ["poll"]


def test_a_group_that_has_moved_on_is_no_reason_to_leave_it_however_often(driven: Driven) -> None:
    driven.step()
    for number in range(3):
        driven.arrive((0, number, f"A {number}"))
        driven.topics.fails = [GroupMovedOn("another generation")]
        driven.step()
        driven.answer()
        assert driven.step() == ["poll", "write", "take over", "rewind"]
    assert driven.runner.trouble is None


def test_a_failed_transaction_is_retried_with_another_producer_and_then_with_a_full_restart(driven: Driven) -> None:
    driven.step()
    for done in (["poll", "write", "take over", "rewind"], ["poll", "write", "close", "let go"]):
        driven.arrive((0, 0, "A 1"))
        driven.topics.fails = [CommandsUnavailable("the brokers do not answer")]
        driven.step()
        driven.answer()
        assert driven.step() == done
        assert driven.runner.trouble == "the brokers do not answer"
    driven.arrive((0, 0, "A 1"))
    assert driven.step()[:2] == ["take over", "open"]
    driven.answer()
    driven.step()
    assert driven.topics.written == [{0: 1}]
    driven.step()
    assert driven.runner.trouble is None


def test_a_fenced_process_revokes_everything_reports_it_and_stops(
    driven: Driven, capsys: pytest.CaptureFixture[str]
) -> None:
    driven.arrive((0, 0, "A 1"))
    driven.step()
    driven.answer()
    driven.topics.fails = [MemberFenced("another process has this name")]
    assert driven.step() == ["poll", "write", "close", "let go"]
    assert driven.taken_up == ["+0", "+1", "-0", "-1"]
    assert driven.runner.trouble == "another process has this name"
    assert "another process has this name" in capsys.readouterr().err
    assert driven.step() == []
