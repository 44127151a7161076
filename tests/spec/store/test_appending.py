"""The appending half of a Kafka journal: a defect while it connects or looks ends nothing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from consumers.ports.journal import Appended
from infra.addresses.kafka import Timings
from infra.kafka.appending import Appending
from infra.kafka.client import Sender

TIMEOUT = 30.0


class Answering:
    """A producer whose broker answers at once."""

    def send(self, partition: int, key: bytes, record: bytes, done: Callable[[Appended | Exception], None]) -> None:
        done(Appended(7, 1))

    def abandon(self) -> None:
        pass


@contextmanager
def appending(connect: Callable[[], Sender], watch: Callable[[], None]) -> Iterator[Appending]:
    made = Appending("t", connect, watch, lambda *_: None, lambda: None, Timings(check_topic=0.01, hold=TIMEOUT))
    yield made
    made.close()


@pytest.mark.parametrize("where", ["connecting", "looking"])
def test_a_defect_while_connecting_or_checking_is_reported_and_the_step_tried_again(
    where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    turns = iter([True, True])

    def fails(what: str) -> None:
        if what == where and next(turns, False):
            raise LookupError(what)

    def connect() -> Sender:
        fails("connecting")
        return Answering()

    with appending(connect, lambda: fails("looking")) as made:
        assert made.append(0, b"", b"x").result(TIMEOUT) == Appended(7, 1)
    assert "an internal error while connecting to t, which is retried: LookupError" in capsys.readouterr().err
