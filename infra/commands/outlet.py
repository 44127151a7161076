"""Outcomes, and how far inputs are answered, in one transaction, through kafka-python.

A producer that failed once is never used again: the next one, under the same transactional id, ends whatever it had
open. Calls of this client may hang for ever where brokers are gone, so they are made by a hand that can be given up.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from kafka import KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.errors import CommitFailedError, FencedInstanceIdError, KafkaError
from kafka.structs import ConsumerGroupMetadata

from consumers.dead_letters import PublicRecord
from infra.commands.answered import CommandsUnavailable, GroupMovedOn
from infra.commands.intake import Ousted
from infra.journals.kafka import connection
from infra.kafka.address import KafkaAt
from infra.kafka.client import BATCH_BYTES, Security
from infra.kafka.topics import LARGEST
from infra.publishing.hand import Hand
from infra.publishing.public_log import end_producer
from infra.publishing.reading import Patience
from infra.publishing.topics import LETTER_ROOM
from schemas.public.topics import topic_name

TRANSACTION: Final = 10.0
"""Seconds after which the brokers end a transaction that nobody ends."""


class Outlet:
    """One member's producer. One thread at a time."""

    def __init__(self, at: KafkaAt, security: Security, member: str, patience: Patience | None = None) -> None:
        """Nothing is connected yet."""
        self._at = at
        self._member = member
        self._connection = connection(at.servers, security)
        self._patience = patience or Patience()
        self._hand: Hand | None = None
        self._producer: Any = None

    @property
    def transactional_id(self) -> str:
        """Who this is to the cluster: the same after a restart, so that what the one before left open is ended."""
        return f"{self._at.prefix}-commands-{self._member}"

    def take_over(self) -> None:
        """Whatever was open under this name is ended, written or not: what the group remembers is so from now on.
        CommandsUnavailable."""
        self.let_go()
        hand = self._hand = Hand(f"outlet {self.transactional_id}")

        def begin() -> None:
            producer = KafkaProducer(
                **self._connection,
                transactional_id=self.transactional_id,
                transaction_timeout_ms=int(TRANSACTION * 1000),
                acks="all",
                enable_idempotence=True,
                compression_type=None,
                batch_size=BATCH_BYTES,
                linger_ms=2,
                max_request_size=LARGEST + LETTER_ROOM,
                metrics_enabled=False,
                max_block_ms=int(self._patience.take_over * 1000),
                request_timeout_ms=int(self._patience.ask * 1000),
                delivery_timeout_ms=int(self._patience.write * 1000),
                bootstrap_timeout_ms=int(self._patience.ask * 1000),
                metadata_max_age_ms=30_000,
                allow_auto_create_topics=False,
            )
            if self._hand is not hand:
                end_producer(producer)
                return
            self._producer = producer
            producer.init_transactions()

        self._do(hand, begin, self._patience.take_over + 1)

    def write(
        self,
        records: Sequence[tuple[int, PublicRecord]],
        offsets: Mapping[int, int],
        membership: ConsumerGroupMetadata,
    ) -> None:
        """One transaction: records with their partitions, and the offsets of the first inputs that are not answered.

        CommandsUnavailable: written or not, take over again; GroupMovedOn, where it is not. Ousted.
        """
        hand, producer = self._hand, self._producer
        if hand is None or producer is None:
            raise CommandsUnavailable("nothing was taken over")
        commands = self._at.commands
        answered = {TopicPartition(commands, p): OffsetAndMetadata(offset, "", -1) for p, offset in offsets.items()}

        def transaction() -> None:
            until = time.monotonic() + self._patience.write
            producer.begin_transaction()
            sent = [
                producer.send(
                    topic_name(self._at.prefix, record.kind),
                    value=record.value,
                    key=record.key,
                    headers=list(record.headers),
                    partition=partition,
                )
                for partition, record in records
            ]
            for each in sent:
                each.get(max(0.0, until - time.monotonic()))
            try:
                producer.send_offsets_to_transaction(answered, membership)
            except FencedInstanceIdError:
                producer.abort_transaction()  # nobody takes over after this one
                raise
            producer.commit_transaction()

        self._do(hand, transaction, self._patience.write + 1)

    def let_go(self) -> None:
        """Write no more; waits for nothing."""
        hand, producer = self._hand, self._producer
        self._hand = self._producer = None
        if hand is not None:
            hand.let_go(lambda: None)
        if producer is not None:
            threading.Thread(target=end_producer, args=(producer,), name="producer's end", daemon=True).start()

    def _do(self, hand: Hand, call: Callable[[], None], timeout: float) -> None:
        try:
            hand.do(call, timeout)
        except FencedInstanceIdError as fenced:
            self.let_go()
            raise Ousted(f"another process takes commands as {self._member!r}") from fenced
        except CommitFailedError as error:
            self.let_go()
            raise GroupMovedOn(str(error)) from error
        except (KafkaError, OSError, TimeoutError) as error:
            self.let_go()
            raise CommandsUnavailable(f"{type(error).__name__}: {error}") from error
