"""The tail of a Kafka topic under its reader's feet: windows come while it reads, and a defect ends nothing."""

from collections.abc import Callable, Iterator, Mapping

import pytest

from consumers.ports.journal import JournalRecord
from infra.kafka.reading import Tail

TIMEOUT = 30.0


class Reading:
    """A reader that knows only the partitions it has to follow, and does something while it waits for the brokers."""

    def __init__(self, while_waiting: Callable[[], None]) -> None:
        self.at: dict[int, int] = {}
        self._while_waiting = while_waiting

    def follow(self, offsets: Mapping[int, int]) -> None:
        self.at = {partition: offset + 7 for partition, offset in offsets.items()}  # behind what holds no record

    def seek(self, partition: int, offset: int) -> None:
        self.at[partition] = offset + 7 if partition in self.at else self.at[partition]

    def poll(self, timeout: float, limit: int) -> dict[int, list[JournalRecord]]:
        self._while_waiting()
        return {}

    def read_at(self, partition: int, offset: int, limit: int, timeout: float) -> tuple[list[JournalRecord], int]:
        raise AssertionError("a tail does not ask")

    def position(self, partition: int) -> int:
        return self.at[partition]

    def ends(self, timeout: float) -> dict[int, int]:
        raise AssertionError("a tail does not ask")

    def begins(self, timeout: float) -> dict[int, int]:
        raise AssertionError("a tail does not ask")

    def close(self) -> None:
        self.at = {}


@pytest.fixture
def tails() -> Iterator[list[Tail]]:
    made: list[Tail] = []
    yield made
    for tail in made:
        tail.close()


def goes_on_to(tail: Tail, partition: int, end: int) -> bool:
    with tail.changed:
        tail.want(partition, end)
        return tail.changed.wait_for(lambda: tail.windows[partition].next >= end, TIMEOUT)


def test_a_window_that_is_made_while_the_reader_waits_is_read_from_the_next_turn_on(
    tails: list[Tail], capsys: pytest.CaptureFixture[str]
) -> None:
    def taken_up() -> None:
        if tails and 1 not in tails[0].windows:
            tails[0].follow(1, 100)
            with tails[0].changed:
                tails[0].want(1, 107)
                tails[0].retry(1)

    tails.append(Tail("t", lambda: Reading(taken_up), {0: 10}, lambda: None))
    assert goes_on_to(tails[0], 0, 17)
    assert goes_on_to(tails[0], 1, 107)
    assert capsys.readouterr().err == ""


def test_a_defect_while_reading_is_reported_and_the_reader_restarts(
    tails: list[Tail], capsys: pytest.CaptureFixture[str]
) -> None:
    turns = iter([True])

    def while_waiting() -> None:
        if next(turns, False):
            raise LookupError("not assigned")

    tails.append(Tail("t", lambda: Reading(while_waiting), {0: 10}, lambda: None))
    assert goes_on_to(tails[0], 0, 17)
    assert "an internal error while reading t" in capsys.readouterr().err
