"""Outcomes, and how far inputs are answered, in one transaction (``infra.publishing.transactions``)."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import CommitFailedError, FencedInstanceIdError, KafkaError
from kafka.structs import ConsumerGroupMetadata

from consumers.ports.public_log import PublicRecord
from infra.addresses.kafka import KafkaAt, Security
from infra.command_topic.committed_offsets import CommandsUnavailable, GroupMovedOn
from infra.command_topic.consumer import MemberFenced
from infra.kafka.kafka_python import connection
from infra.kafka.quiet_import import CONNECTION_ERRORS
from infra.kafka.refusals import GROUP, TRANSACTIONAL_ID, code_of, why
from infra.publishing.reading import PublishingTimeouts
from infra.publishing.transactions import Transactions
from schemas.public.topics import topic_name

TRANSACTION: Final = 10.0
"""Seconds after which the brokers end a transaction that nobody ends."""


class OutcomeProducer:
    """One member's producer. One thread at a time."""

    def __init__(self, at: KafkaAt, security: Security, member: str, timeout: PublishingTimeouts | None = None) -> None:
        """Connects later, in ``take_over``."""
        self._at = at
        self._member = member
        self._timeout = timeout or PublishingTimeouts()
        name = f"{at.prefix}-commands-{member}"  # the same after a restart: what the one before left open is ended
        self._security = security
        self._transactions = Transactions(connection(at.servers, security), name, self._timeout, TRANSACTION)

    def take_over(self) -> None:
        """End what was open under this name, written or not. The offsets that the group has committed are final from
        now on. CommandsUnavailable."""
        with self._translated_errors():
            self._transactions.take_over()

    def write(
        self,
        records: Sequence[tuple[int, PublicRecord]],
        offsets: Mapping[int, int],
        membership: ConsumerGroupMetadata,
    ) -> None:
        """Write one transaction: records with their partitions, and the offsets of the first inputs without an answer.

        CommandsUnavailable: the transaction may be written or not, take over again. GroupMovedOn: it is not.
        MemberFenced.
        """
        commands = self._at.commands
        answered = {TopicPartition(commands, p): OffsetAndMetadata(offset, "", -1) for p, offset in offsets.items()}

        def transaction(producer: Any) -> None:
            until = time.monotonic() + self._timeout.write
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
                producer.abort_transaction()  # no other producer takes over under this name
                raise
            producer.commit_transaction()

        with self._translated_errors():
            self._transactions.write(transaction)

    def let_go(self) -> None:
        """Write no more. Returns at once."""
        self._transactions.let_go()

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        """Raise the client's errors as this module's."""
        try:
            yield
        except FencedInstanceIdError as fenced:
            raise MemberFenced(f"another process takes commands as {self._member!r}") from fenced
        except CommitFailedError as error:
            raise GroupMovedOn(str(error)) from error
        except (KafkaError, OSError, TimeoutError) as error:
            raise CommandsUnavailable(
                why(error, self._security, self._needs(code_of(error)), CONNECTION_ERRORS)
            ) from error

    def _needs(self, code: int | None) -> str:
        if code == GROUP:
            return f"Read on the group {self._at.engines}"
        if code == TRANSACTIONAL_ID:
            return f"Write and Describe on the transactional id {self._transactions.transactional_id}"
        return ""
