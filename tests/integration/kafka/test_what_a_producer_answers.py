"""The result of an append when the client raises or answers each error that it knows. No broker is involved.

Raised by the client before it has accepted a record: *refused*, certainly not written; a retry makes sense unless the
record is too large. Answered afterwards: *unknown*, whatever the error claims, and nothing else is sent through that
producer. A client that reports that it is dead is replaced, too.
"""

import inspect
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, ClassVar

import confluent_kafka
import kafka.errors
import pytest
from kafka.future import Future as Answer

from consumers.ports.journal import Appended, AppendRefused, AppendUnknown
from infra.addresses.kafka import Security, Timings
from infra.kafka import kafka_python as python_client
from infra.kafka import librdkafka as librdkafka_client
from infra.kafka.appending import Appending
from infra.kafka.client import Sender
from infra.kafka.kafka_python import PythonSender
from infra.kafka.librdkafka import ClientErrors, LibrdkafkaSender

TIMEOUT = 20.0
TIMINGS = Timings(query=2.0, request=1.0, delivery=4.0, hold=1.0, check_topic=0.2, lag=2.0)
WELL = "well"
"""The behavior of a producer for one record that it writes."""
Does = Any
"""``WELL``; ("raises", error); ("answers", error)."""

# ---- kafka-python ----------------------------------------------------------------------------------------------------

PYTHON: list[type[kafka.errors.KafkaError]] = sorted(
    {
        each
        for _, each in inspect.getmembers(kafka.errors, inspect.isclass)
        if issubclass(each, kafka.errors.KafkaError)
    },
    key=lambda each: each.__name__,
)
TOO_LARGE = kafka.errors.MessageSizeTooLargeError


class PythonProducer:
    """A KafkaProducer that behaves as instructed, one behavior a record."""

    does: ClassVar[list[Does]] = []
    made: ClassVar[list["PythonProducer"]] = []

    def __init__(self, **_: Any) -> None:
        self._sender = self
        self.ended = threading.Event()
        self.made.append(self)

    def partitions_for(self, topic: str) -> set[int]:
        return {0}

    def send(self, topic: str, **_: Any) -> Answer:
        does = self.does.pop(0)
        answer = Answer()
        if does == WELL:
            answer.success(_Metadata(7, 1_000))
            return answer
        how, error = does
        if how == "raises":
            raise error
        answer.failure(error)
        return answer

    # what ``abandon`` does to it, in a thread of its own
    def force_close(self) -> None: ...
    def join(self, timeout: float) -> None: ...
    def _unregister_cleanup(self) -> None:
        self.ended.set()


class _Metadata:
    def __init__(self, offset: int, timestamp: int) -> None:
        self.offset = offset
        self.timestamp = timestamp


# ---- librdkafka's client ---------------------------------------------------------------------------------------------

CODES: dict[str, int] = {
    name: code
    for name, code in inspect.getmembers(confluent_kafka.KafkaError)
    if name.isupper() and isinstance(code, int) and code != confluent_kafka.KafkaError.NO_ERROR
}
"""Every code that the client has a name for; those that begin with an underscore are its own."""


def coded(name: str, *, fatal: bool = False) -> Any:
    return confluent_kafka.KafkaError(CODES[name], "as the test has it", fatal)


class LibrdkafkaProducer:
    """A Producer that behaves as instructed, one behavior a record; it answers when it is polled."""

    does: ClassVar[list[Does]] = []
    made: ClassVar[list["LibrdkafkaProducer"]] = []

    def __init__(self, settings: dict[str, Any]) -> None:
        self.ended = threading.Event()
        self._answers: list[Callable[[], None]] = []
        self._more = threading.Condition()
        self.made.append(self)

    def list_topics(self, topic: str, timeout: float) -> None: ...

    def produce(self, topic: str, record: bytes, key: bytes, partition: int, *, on_delivery: Any) -> None:
        does = self.does.pop(0)
        if does != WELL and does[0] == "raises":
            raise does[1]
        error = None if does == WELL else does[1].args[0]
        with self._more:
            self._answers.append(lambda: on_delivery(error, _Message()))
            self._more.notify()

    def poll(self, timeout: float) -> None:
        with self._more:
            self._more.wait_for(lambda: bool(self._answers), timeout)
            answers, self._answers = self._answers, []
        for answer in answers:
            answer()

    def purge(self) -> None:
        self.ended.set()


class _Message:
    def offset(self) -> int:
        return 7

    def timestamp(self) -> tuple[int, int]:
        return 1, 1_000


# ---- the table -------------------------------------------------------------------------------------------------------


class Appends:
    """Appends through senders of one kind, each made new where the one before was given up."""

    def __init__(self, producer: Any, sender: Callable[[], Sender]) -> None:
        self.producer = producer
        producer.does.clear()
        producer.made.clear()
        self.ended = threading.Event()
        self._appending = Appending("t", sender, lambda: None, lambda *_: None, self.ended.set, TIMINGS)

    def append(self, *does: Does) -> list[Any]:
        """The results of one append each; the next begins when the one before has its answer."""
        self.producer.does.extend(does)
        return [self._one() for _ in does]

    def _one(self) -> Any:
        future: Future[Appended] = self._appending.append(0, b"key", b"record")
        return future.exception(TIMEOUT) or future.result()

    @property
    def producers(self) -> int:
        return len(self.producer.made)

    def close(self) -> None:
        self._appending.close()
        assert self.ended.wait(TIMEOUT)


@pytest.fixture
def with_python(monkeypatch: pytest.MonkeyPatch) -> Iterator[Appends]:
    monkeypatch.setattr(python_client, "KafkaProducer", PythonProducer)
    appends = Appends(PythonProducer, lambda: PythonSender({}, "t", 1_000_000, TIMINGS))
    yield appends
    appends.close()


@pytest.fixture
def with_librdkafka(monkeypatch: pytest.MonkeyPatch) -> Iterator[Appends]:
    monkeypatch.setattr(librdkafka_client, "Producer", LibrdkafkaProducer)
    appends = Appends(
        LibrdkafkaProducer, lambda: LibrdkafkaSender({}, ClientErrors("t", Security()), 1_000_000, TIMINGS)
    )
    yield appends
    appends.close()


def check_refused(appends: Appends, error: Exception, *, retriable: bool, dead: bool) -> None:
    """The client raises: nothing was taken, and what comes next goes through it again, or through the next one."""
    before = appends.producers
    first, second, third = appends.append(WELL, ("raises", error), WELL)
    assert isinstance(first, Appended), repr(error)
    assert isinstance(second, AppendRefused), repr(error)
    assert second.retriable is retriable, repr(error)
    assert third == Appended(7, 1_000_000), repr(error)
    assert appends.producers - max(before, 1) == int(dead), repr(error)


def check_unknown(appends: Appends, error: Exception) -> None:
    """The client answers with an error: nobody knows, and that producer is never used again."""
    first, second, third = appends.append(WELL, ("answers", error), WELL)
    assert isinstance(first, Appended), repr(error)
    assert isinstance(second, AppendUnknown), repr(error)
    assert third == Appended(7, 1_000_000), repr(error)
    assert appends.producer.made[-2].ended.wait(TIMEOUT), repr(error)


def test_there_are_as_many_errors_as_the_clients_have() -> None:
    assert len(PYTHON) > 140
    assert len(CODES) > 150
    assert {"MSG_SIZE_TOO_LARGE", "_FATAL", "_MSG_TIMED_OUT", "_PURGE_INFLIGHT"} <= CODES.keys()


def test_an_append_for_which_kafka_python_raises_was_not_written(with_python: Appends) -> None:
    for kind in PYTHON:
        dead = issubclass(kind, kafka.errors.IllegalStateError)
        check_refused(with_python, kind("raised"), retriable=not issubclass(kind, TOO_LARGE), dead=dead)


def test_an_append_that_kafka_python_answers_with_an_error_is_unknown(with_python: Appends) -> None:
    for number, kind in enumerate(PYTHON, 2):
        check_unknown(with_python, kind("answered"))
        assert with_python.producers == number, kind


def test_an_append_for_which_librdkafka_raises_was_not_written(with_librdkafka: Appends) -> None:
    for name in CODES:
        error = confluent_kafka.KafkaException(coded(name))
        check_refused(with_librdkafka, error, retriable=name != "MSG_SIZE_TOO_LARGE", dead=name == "_FATAL")


@pytest.mark.parametrize("fatal", [False, True], ids=["", "fatal"])
def test_an_append_that_librdkafka_answers_with_an_error_is_unknown(with_librdkafka: Appends, fatal: bool) -> None:
    for number, name in enumerate(CODES, 2):
        check_unknown(with_librdkafka, confluent_kafka.KafkaException(coded(name, fatal=fatal)))
        assert with_librdkafka.producers == number, name


def test_a_producer_of_librdkafka_that_raises_a_fatal_error_is_replaced(with_librdkafka: Appends) -> None:
    error = confluent_kafka.KafkaException(coded("OUT_OF_ORDER_SEQUENCE_NUMBER", fatal=True))
    check_refused(with_librdkafka, error, retriable=True, dead=True)


def test_a_queue_that_is_full_was_not_written_and_will_take_more(with_librdkafka: Appends) -> None:
    check_refused(with_librdkafka, BufferError("Local: Queue full"), retriable=True, dead=False)
