"""Commands for orders that another process follows: sent to the topic ``commands``, answered on ``outcomes``.

One thread reads all outcomes, from their end at the start of this process, and hands each to its request. A command may
be sent twice, or be answered after its request has ended. The engine decides it once, because it has a command id.
"""

import itertools
import sys
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from typing import Any, Final, NamedTuple

from consumers.ports.vault import VaultUnavailable
from domain.commands import Command
from domain.events import Sealed
from infra.addresses.kafka import KafkaAt, Security
from infra.command_topic.records import ASK, CONFIRM, IF_MATCH, command_key, command_value
from infra.kafka.kafka_python import connection
from infra.kafka.quiet_import import (
    CONNECTION_ERRORS,
    KafkaConsumer,
    KafkaError,
    KafkaProducer,
    LogTruncationError,
    OffsetOutOfRangeError,
    TopicPartition,
)
from infra.kafka.refusals import security_of, why
from infra.runtime.components import Health, health_of
from infra.vault.base import DatabaseVault
from schemas.partitioning import partition_of

RETRY_AFTER: Final = 0.5
"""Seconds before the outcomes are opened again after they could not be read."""
POLL: Final = 0.1
HOLD: Final = 3.0
"""Seconds that a command may wait for brokers before it is refused without being sent."""
DELIVERY: Final = 20.0
"""Seconds after which it is not known whether the command was sent."""
LARGEST: Final = 1_000_000


class NotSubmitted(Exception):
    """The command cannot be sent now, and was not. The message says why."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


class MaybeSubmitted(Exception):
    """It is not known whether the command was sent."""


class OutcomeRecord(NamedTuple):
    """An outcome as a record; ``infra.command_topic.records.response_of`` makes an answer from it."""

    value: bytes
    headers: Mapping[str, bytes]


class RemoteCommandClient:
    """Sends commands to the process that follows their order, and hears the outcomes. A component; any thread may
    submit once it is started."""

    name = "outcomes"

    def __init__(self, at: KafkaAt, partitions: int, security: Security, vault: DatabaseVault) -> None:
        self._at = at
        self._partitions = partitions
        self._connection = connection(at.servers, security)
        self._vault = vault
        self._sender = uuid.uuid4().hex
        self._numbers = itertools.count(1)
        self.trouble: str | None = None
        """Why outcomes cannot be read now."""
        self._open: dict[bytes, Future[OutcomeRecord]] = {}
        self._producer: Any = None
        self._opening = threading.Lock()
        self._ready = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="outcomes", daemon=True)

    def start(self) -> None:
        """Start the thread that reads outcomes."""
        self._thread.start()

    @property
    def open(self) -> int:
        """The number of requests that wait for an outcome."""
        return len(self._open)

    def submit(self, command: Command, expected_version: int | None, confirmed: bool) -> Future[OutcomeRecord]:
        """Seal the texts of a command, and send it. Blocks.

        ``confirmed``: a call by a person, which needs the confirmation of a preview. NotSubmitted. The future raises
        MaybeSubmitted, and may never be resolved: the caller sets a time limit."""
        if not self._ready.wait(HOLD):
            raise NotSubmitted("journal-unavailable", "the brokers do not answer; send the same command again")
        self._seal(command)
        ask = f"{self._sender}-{next(self._numbers)}".encode()
        headers = [(ASK, ask)]
        if expected_version is not None:
            headers.append((IF_MATCH, str(expected_version).encode()))
        if confirmed:
            headers.append((CONFIRM, b"required"))
        future: Future[OutcomeRecord] = Future()
        future.add_done_callback(lambda _: self._open.pop(ask, None))
        self._open[ask] = future
        try:
            self._send(command, headers, future)
        except BaseException:
            self._open.pop(ask, None)
            raise
        return future

    def _seal(self, command: Command) -> None:
        if not command.TEXTS:
            return

        def seal(_: str, text: str) -> Sealed:
            return self._vault.seal(command.marketplace, command.actor.id, text)

        try:
            command.seal(seal)
            self._vault.flush()
        except VaultUnavailable as wrong:
            raise NotSubmitted("vault-unavailable", str(wrong)) from None

    def _send(self, command: Command, headers: list[tuple[str, bytes]], future: Future[OutcomeRecord]) -> None:
        try:
            with self._opening:
                if self._producer is None:
                    self._producer = self._new_producer()
            sent = self._producer.send(
                self._at.commands,
                key=command_key(command),
                value=command_value(command),
                headers=headers,
                partition=partition_of(command.stream, self._partitions),
            )
        except (KafkaError, OSError, AssertionError) as wrong:
            cause = why(
                wrong, security_of(self._connection), f"Write on the topic {self._at.commands}", CONNECTION_ERRORS
            )
            raise NotSubmitted("journal-unavailable", f"the command cannot be sent now: {cause}") from None
        sent.add_errback(lambda wrong: _settle(future.set_exception, MaybeSubmitted(str(wrong))))

    def _new_producer(self) -> Any:
        """Make a producer without idempotence: it survives every error, and a command that is sent twice is decided
        once."""
        return KafkaProducer(
            **self._connection,
            acks="all",
            enable_idempotence=False,
            retries=1_000,
            compression_type=None,
            linger_ms=1,
            metrics_enabled=False,
            max_request_size=LARGEST,
            max_block_ms=int(HOLD * 1000),
            request_timeout_ms=5_000,
            delivery_timeout_ms=int(DELIVERY * 1000),
            bootstrap_timeout_ms=int(HOLD * 1000),
            allow_auto_create_topics=False,
        )

    def health(self) -> Health:
        """Why outcomes are not heard."""
        return health_of(self.trouble)

    def stop(self) -> None:
        """Stop reading outcomes. Open requests get MaybeSubmitted."""
        self._closed.set()
        for future in tuple(self._open.values()):
            _settle(future.set_exception, MaybeSubmitted("the process is shutting down"))
        with self._opening:
            if self._producer is not None:
                self._producer.close(timeout=2)
        if self._thread.is_alive():
            self._thread.join(10)

    # ---- the thread --------------------------------------------------------------------------------------------------

    def _follow(self) -> None:
        places = [TopicPartition(self._at.outcomes, partition) for partition in range(self._partitions)]
        positions: dict[Any, int] = {}
        while not self._closed.is_set():
            consumer = None
            try:
                consumer = self._consumer()
                consumer.assign(places)
                if not positions:
                    positions.update(consumer.end_offsets(places))
                for place, position in positions.items():
                    consumer.seek(place, position)
                self._ready.set()
                self.trouble = None
                while not self._closed.is_set():
                    self._read(consumer, positions)
            except (OffsetOutOfRangeError, LogTruncationError):
                positions.clear()  # the topic was created again: its old outcomes have no reader any more
            except (KafkaError, OSError) as away:
                self.trouble = f"{self._at.outcomes} cannot be read: {type(away).__name__}: {away}"
                self._closed.wait(RETRY_AFTER)
            except Exception as defect:  # noqa: BLE001 - without this thread no outcome would arrive
                self.trouble = f"a defect in reading {self._at.outcomes}: {defect!r}"
                sys.stderr.write(f"rescind: a defect in reading {self._at.outcomes}, which begins again: {defect!r}\n")
                self._closed.wait(RETRY_AFTER)
            finally:
                if consumer is not None:
                    _close(consumer)

    def _consumer(self) -> Any:
        return KafkaConsumer(
            **self._connection,
            group_id=None,
            metrics_enabled=False,
            auto_offset_reset="none",
            enable_auto_commit=False,
            allow_auto_create_topics=False,
            isolation_level="read_committed",
            fetch_min_bytes=1,
            fetch_max_wait_ms=int(POLL * 1000),
            request_timeout_ms=5_000,
            bootstrap_timeout_ms=3_000,
            metadata_max_age_ms=30_000,
        )

    def _read(self, consumer: Any, positions: dict[Any, int]) -> None:
        came: Mapping[Any, Sequence[Any]] = consumer.poll(timeout_ms=int(POLL * 1000), max_records=1_000)
        for place, records in came.items():
            positions[place] = records[-1].offset + 1
            for record in records:
                headers = dict(record.headers)
                future = self._open.get(headers.get(ASK, b""))
                if future is not None:
                    _settle(future.set_result, OutcomeRecord(record.value, headers))


def _settle(resolve: Callable[[Any], None], result: Any) -> None:
    """Resolve a future, unless it is resolved or canceled already."""
    try:
        resolve(result)
    except InvalidStateError:
        return


def _close(consumer: Any) -> None:
    try:
        consumer.close(autocommit=False, timeout_ms=1000)
    except KafkaError:
        return  # the brokers are gone; nothing is lost with the consumer
