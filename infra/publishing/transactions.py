"""Who writes transactions under one name, through kafka-python: whatever was open under it before is ended first.

What is odd about this client's producers stays here. Their calls may hang for ever where brokers are gone, so they are
made by a hand that can be given up. A producer that failed once is never used again: the next one, under the same
transactional id, ends whatever it had open.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from kafka import KafkaProducer
from kafka.errors import KafkaError

from infra.kafka.admin import LARGEST
from infra.kafka.client import BATCH_BYTES
from infra.publishing.reading import PublishingTimeouts
from infra.publishing.topics import LETTER_ROOM
from infra.publishing.watchdog import Hand

_GRACE: Final = 1.0
"""Seconds beyond the client's own bound before its call is given up."""


class Transactions:
    """A transactional producer that is made anew after every failure. One thread at a time; nothing is connected yet.

    What its calls raise is the client's (KafkaError, OSError), or TimeoutError; the producer is let go of then.
    """

    def __init__(
        self, connection: Mapping[str, Any], transactional_id: str, timeout: PublishingTimeouts, open_for: float
    ) -> None:
        """``open_for``: seconds after which the brokers end a transaction that nobody ends."""
        self.transactional_id = transactional_id
        self._connection = connection
        self._timeout = timeout
        self._open_for = open_for
        self._producer: Any = None
        self._hand: Hand | None = None

    @property
    def taken_over(self) -> bool:
        """Whether ``write`` may be called."""
        return self._producer is not None

    def take_over(self) -> None:
        """Fence whoever writes under this name, and end what it had open."""
        self.let_go()
        hand = self._hand = Hand(f"producer {self.transactional_id}")

        def begin() -> None:
            producer = KafkaProducer(
                **self._connection,
                transactional_id=self.transactional_id,
                transaction_timeout_ms=int(self._open_for * 1000),
                acks="all",
                enable_idempotence=True,
                compression_type=None,
                batch_size=BATCH_BYTES,
                linger_ms=2,
                max_request_size=LARGEST + LETTER_ROOM,
                metrics_enabled=False,
                max_block_ms=int(self._timeout.take_over * 1000),
                request_timeout_ms=int(self._timeout.ask * 1000),
                delivery_timeout_ms=int(self._timeout.write * 1000),
                bootstrap_timeout_ms=int(self._timeout.ask * 1000),
                metadata_max_age_ms=30_000,
                allow_auto_create_topics=False,
            )
            if self._hand is not hand:
                _end(producer)
                return
            self._producer = producer
            producer.init_transactions()

        self._do(hand, begin, self._timeout.take_over)

    def write(self, transaction: Callable[[Any], None]) -> None:
        """Have ``transaction`` called with the producer, to begin one, send, and commit. What it leaves open when it
        fails is ended by whoever takes over next."""
        hand, producer = self._hand, self._producer
        if hand is None or producer is None:
            raise KafkaError("nothing was taken over")
        self._do(hand, lambda: transaction(producer), self._timeout.write)

    def let_go(self) -> None:
        """Write no more; waits for nothing."""
        hand, producer = self._hand, self._producer
        self._hand = self._producer = None
        if hand is not None:
            hand.let_go(lambda: None)
        if producer is not None:
            threading.Thread(target=_end, args=(producer,), name="producer's end", daemon=True).start()

    def _do(self, hand: Hand, call: Callable[[], None], timeout: float) -> None:
        try:
            hand.do(call, timeout + _GRACE)
        except BaseException:
            self.let_go()
            raise


def _end(producer: Any) -> None:
    """Closing waits for what never comes after some failures."""
    producer._sender.force_close()
    producer._sender.join(5)
    producer._unregister_cleanup()
    producer._closed = True
