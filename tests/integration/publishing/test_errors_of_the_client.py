"""The errors that the client raises, and their meaning for a publisher: another one publishes, it may pass, or nothing
helps. No broker: the errors are created as kafka-python creates them."""

import pytest
from kafka.errors import (
    InvalidProducerEpochError,
    KafkaError,
    KafkaTimeoutError,
    OffsetOutOfRangeError,
    ProducerFencedError,
    TransactionalIdAuthorizationFailedError,
)
from kafka.producer.transaction_manager import TransactionManager

from consumers.ports.public_log import Fenced, PublicLogUnavailable, PublishingStopped
from infra.addresses.kafka import Security
from infra.kafka.kafka_python import connection
from infra.publishing.reading import unavailable

CONNECTION = connection("localhost:9092", Security())


def caused(error: Exception, by: Exception) -> Exception:
    error.__cause__ = by
    return error


@pytest.mark.parametrize(
    ("raised", "means"),
    [
        (ProducerFencedError(), Fenced),
        (InvalidProducerEpochError(), Fenced),
        (KafkaError("a request before this one has failed", ProducerFencedError()), Fenced),
        (caused(KafkaTimeoutError("the transaction"), InvalidProducerEpochError()), Fenced),
        (KafkaError("a request before this one has failed", KafkaTimeoutError()), PublicLogUnavailable),
        (KafkaError(), PublicLogUnavailable),
        (TimeoutError(), PublicLogUnavailable),
        (OffsetOutOfRangeError(), PublicLogUnavailable),
        (TransactionalIdAuthorizationFailedError(), PublishingStopped),
    ],
)
def test_an_error_of_the_client_is_one_of_the_port(raised: Exception, means: type[Exception]) -> None:
    with pytest.raises(means) as translated, unavailable(CONNECTION):
        raise raised
    assert type(translated.value) is means


def test_a_fenced_producer_raises_the_same_error_when_it_sends_again() -> None:
    transactions = TransactionManager("shop-0", 1000, 100, (4, 1), None)
    transactions.transition_to_fatal_error(ProducerFencedError())
    with pytest.raises(Fenced), unavailable(CONNECTION):
        transactions.maybe_add_partition_to_transaction(("shop.order-events", 0))
