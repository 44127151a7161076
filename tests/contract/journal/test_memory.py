"""The journal in memory: the contract, and the faults that a simulation can ask of it."""

from concurrent.futures import Future
from itertools import count

import pytest
from hypothesis import given

from consumers.ports.journal import Appended, AppendRefused, AppendUnknown, LogLost
from infra.journals.memory import STEPS, Fate, MemoryJournal, MemoryLog
from tests.contract.journal.contract import JournalContract, check_that_any_records_are_read_back, some_records


class MemoryTopic:
    numbers = count()

    def __init__(self) -> None:
        self.clock = count(1000).__next__
        self.log = MemoryLog(JournalContract.PARTITIONS, self.clock, identity=f"memory-{next(self.numbers)}")

    def open(self) -> MemoryJournal:
        return self.log.journal("a process")

    def cut_front(self, partition: int, begin: int) -> None:
        self.log.cut_front(partition, begin)


class TestMemoryJournal(JournalContract):
    @pytest.fixture
    def topic(self) -> MemoryTopic:
        return MemoryTopic()

    @pytest.fixture
    def another_topic(self) -> MemoryTopic:
        return MemoryTopic()


@given(some_records)
def test_any_records_are_read_back(records: list[tuple[int, bytes]]) -> None:
    check_that_any_records_are_read_back(MemoryTopic().open(), records)


def topic(*fates: Fate, auto: bool = True) -> tuple[MemoryLog, MemoryJournal]:
    """A log whose appends have these fates, one after the other; those behind the last are ok."""
    log = MemoryLog(
        1, count().__next__, auto=auto, plan=lambda n, by, partition, record: (*fates, "ok")[min(n, len(fates))]
    )
    return log, log.journal("p")


def values(journal: MemoryJournal) -> list[bytes]:
    return [record.value for record in journal.read(0, 0, 100)]


def error(future: Future[Appended]) -> BaseException | None:
    return future.exception(0)


def test_a_lost_append_is_unknown_and_never_in_the_log() -> None:
    log, journal = topic("lost")
    assert isinstance(error(journal.append(0, b"", b"x")), AppendUnknown)
    log.settle()
    assert values(journal) == []


def test_an_append_whose_answer_is_lost_is_unknown_and_in_the_log() -> None:
    _, journal = topic("answer-lost")
    assert isinstance(error(journal.append(0, b"", b"x")), AppendUnknown)
    assert values(journal) == [b"x"]


def test_a_delayed_append_is_unknown_first_and_in_the_log_later() -> None:
    log, journal = topic("delayed")
    assert isinstance(error(journal.append(0, b"", b"x")), AppendUnknown)
    journal.append(0, b"", b"y")
    assert values(journal) == [b"y"]
    log.settle()
    assert values(journal) == [b"y", b"x"]


def test_a_duplicated_append_is_in_the_log_twice_and_answered_with_its_first_offset() -> None:
    _, journal = topic("duplicated")
    assert journal.append(0, b"", b"x").result(0).offset == 0
    assert values(journal) == [b"x", b"x"]


@pytest.mark.parametrize(("fate", "retriable"), [("refused", True), ("refused-for-good", False)])
def test_a_refused_append_is_certainly_not_in_the_log(fate: Fate, retriable: bool) -> None:
    _, journal = topic(fate)
    refused = error(journal.append(0, b"", b"x"))
    assert isinstance(refused, AppendRefused)
    assert refused.retriable is retriable
    assert values(journal) == []


def test_the_driver_chooses_the_order_of_appends_in_the_log() -> None:
    log, journal = topic(auto=False)
    futures = [journal.append(0, b"", value) for value in (b"a", b"b", b"c")]
    first, second, third = log.flights
    assert [log.step(flight) for flight in (third, first, third, second, first, second)] == [
        "apply",
        "apply",
        "acknowledge",
        "apply",
        "acknowledge",
        "acknowledge",
    ]
    assert values(journal) == [b"c", b"a", b"b"]
    assert [future.result(0).offset for future in futures] == [1, 2, 0]
    assert log.flights == []


@pytest.mark.parametrize("fate", STEPS)
def test_a_crashed_process_gets_no_answer_and_its_appends_may_still_arrive(fate: Fate) -> None:
    log, journal = topic(fate, auto=False)
    other = log.journal("q")
    future, others = journal.append(0, b"", b"x"), other.append(0, b"", b"y")
    journal.crash()
    log.settle()
    assert future.cancelled()
    assert others.result(0)
    assert values(other) == [b"x"] * STEPS[fate].count("apply") + [b"y"]
    assert isinstance(error(journal.append(0, b"", b"z")), AppendRefused)


def test_the_plan_sees_the_appends_number_its_process_and_its_bytes() -> None:
    seen: list[tuple[int, str, int, bytes]] = []

    def plan(number: int, by: str, partition: int, record: bytes) -> Fate:
        seen.append((number, by, partition, record))
        return "ok"

    log = MemoryLog(2, count().__next__, plan=plan)
    log.journal("p").append(0, b"", b"x")
    log.journal("q").append(1, b"", b"y")
    assert seen == [(0, "p", 0, b"x"), (1, "q", 1, b"y")]


def test_a_log_can_lose_its_end_and_can_be_recreated() -> None:
    log, journal = topic()
    for value in (b"a", b"b", b"c"):
        journal.append(0, b"", value)
    log.truncate(0, 1)
    assert values(journal) == [b"a"]
    with pytest.raises(LogLost):
        journal.read(0, 3, 1)
    log.recreate("another")
    assert journal.identity == "another"
    assert values(journal) == []


def test_a_log_without_partitions_is_none() -> None:
    with pytest.raises(ValueError, match="0 partitions"):
        MemoryLog(0, count().__next__)
