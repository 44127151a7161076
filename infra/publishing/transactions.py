"""A transactional producer, through kafka-python.

This module works around what is odd about the client's producers. Their calls may hang for ever when brokers are gone,
so they run in a thread that can be abandoned. A producer that failed once is never used again: the next one, under the
same transactional id, ends what it had open.
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
from infra.publishing.watchdog import CallThread

_GRACE: Final = 1.0
"""Seconds beyond the client's own timeout before its call is abandoned."""


class Transactions:
    """A transactional producer that is replaced after every failure. One thread at a time.

    Calls raise the client's errors (KafkaError, OSError), or TimeoutError; the producer is dropped then.
    """

    def __init__(
        self, connection: Mapping[str, Any], transactional_id: str, timeout: PublishingTimeouts, open_for: float
    ) -> None:
        """``open_for``: seconds after which the brokers end an open transaction. Connects later, in ``take_over``."""
        self.transactional_id = transactional_id
        self._connection = connection
        self._timeout = timeout
        self._open_for = open_for
        self._producer: Any = None
        self._calls: CallThread | None = None

    @property
    def taken_over(self) -> bool:
        """Whether ``write`` may be called."""
        return self._producer is not None

    def take_over(self) -> None:
        """Fence the producer that writes under this name, and end what it had open."""
        self.let_go()
        calls = self._calls = CallThread(f"producer {self.transactional_id}")

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
            if self._calls is not calls:
                _end(producer)
                return
            self._producer = producer
            producer.init_transactions()

        self._do(calls, begin, self._timeout.take_over)

    def write(self, transaction: Callable[[Any], None]) -> None:
        """Call ``transaction`` with the producer: it begins one, sends, and commits. If it fails, the next take-over
        ends what it left open."""
        calls, producer = self._calls, self._producer
        if calls is None or producer is None:
            raise KafkaError("nothing was taken over")
        self._do(calls, lambda: transaction(producer), self._timeout.write)

    def let_go(self) -> None:
        """Write no more. Returns at once."""
        calls, producer = self._calls, self._producer
        self._calls = self._producer = None
        if calls is not None:
            calls.end()
        if producer is not None:
            threading.Thread(target=_end, args=(producer,), name="closing a producer", daemon=True).start()

    def _do(self, calls: CallThread, call: Callable[[], None], timeout: float) -> None:
        try:
            calls.run(call, timeout + _GRACE)
        except BaseException:
            self.let_go()
            raise


def _end(producer: Any) -> None:
    """Close a producer by force: after some failures, the client's own closing never returns."""
    producer._sender.force_close()
    producer._sender.join(5)
    producer._unregister_cleanup()
    producer._closed = True
